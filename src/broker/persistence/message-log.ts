/**
 * Which messages of the log are waited for, and by how many: in memory by deliveries and unreleased QoS 2 messages that the broker has in
 * its hands, at rest by those that are in the store and nowhere else.
 *
 *     refer ─▶ in memory ──rest──▶ at rest ──drop──▶ (gone)
 *                │   ▲                │
 *             release └─────take──────┘          with the last of both the record goes
 *
 * For what rests there is a count and no object, so that a million queued messages take 25 MB.
 */
import { StorageError } from '../../protocol/errors.ts';
import type { Message } from '../message.ts';
import { messageKey } from './keys.ts';
import type { Commits } from './lmdb-commits.ts';
import { LogEntry, type LogReader } from './log-entry.ts';
import { readPayload, readStoredMessage } from './message-record.ts';
import { checkProperties, RecordReader, unreadableRecord, viewOf } from './record-codec.ts';
import { SequenceTable } from './sequence-table.ts';

/** Records of more bytes than this are read twice, the second time for their payload, so that only few payloads are in memory at once. */
const keptRecordBytesMax = 512;

export class MessageLog implements LogReader {
  /** How many of what rests wait for each message. */
  resting = new SequenceTable();
  lastSequence = 0;
  readonly #commits: Commits;
  readonly #directory: string;
  /** Told what cannot be read. */
  readonly #onDamage: (damage: string) => void;
  /** Messages that are waited for in memory and at rest: whoever is taken next gets the same object. */
  readonly #shared = new Map<number, Message>();
  /** Messages that carry the note of another store. */
  readonly #foreign = new WeakMap<Message, LogEntry>();
  readonly #reader = new RecordReader();
  #lastRead: { readonly sequence: number; readonly payload: Uint8Array } | undefined = undefined;

  constructor(commits: Commits, directory: string, onDamage: (damage: string) => void) {
    this.#commits = commits;
    this.#directory = directory;
    this.#onDamage = onDamage;
  }

  /** The message's place in the log, waited for by one more. */
  refer(message: Message): LogEntry {
    let entry = this.entryOf(message);
    if (entry === undefined || entry.references === 0) {
      if (message.properties !== undefined) checkProperties(message.properties);
      // Its former record may be gone with the next commit.
      message.keepPayload();
      entry = new LogEntry(this, ++this.lastSequence, message.payloadLength);
      if (message.stored === undefined || this.isOwn(message.stored)) message.stored = entry;
      else this.#foreign.set(message, entry);
      this.#commits.staged.putMessage(entry, message);
    }
    entry.references++;
    return entry;
  }

  /**
   * One less waits for it.
   * @param isDone because it has it
   */
  release(message: Message, isDone: boolean): void {
    const entry = this.entryOf(message);
    if (entry === undefined || entry.references === 0) return;
    // It was to be kept for somebody who will not get it: that this is so is to be safe, too.
    if (!isDone && entry.onKept !== undefined) {
      const { onKept } = entry;
      entry.onKept = undefined;
      this.#commits.whenSafe(onKept);
    }
    if (--entry.references > 0) return;
    this.#shared.delete(entry.sequence);
    if (this.resting.get(entry.sequence) === 0) this.#commits.staged.deleteMessage(entry);
    if (isDone) entry.callKept();
  }

  /** `Store.whenKept`. */
  whenKept(message: Message, callback: () => void): void {
    const entry = this.entryOf(message);
    if (entry === undefined || entry.references === 0 || entry.isCommitted || entry.onKept !== undefined) {
      this.#commits.whenSafe(callback);
    } else {
      entry.onKept = callback;
    }
  }

  /** One that waited in memory rests from now on. */
  rest(message: Message): void {
    const entry = this.entryOf(message);
    if (entry === undefined || entry.references === 0) return;
    this.resting.increase(entry.sequence);
    if (--entry.references === 0) this.#shared.delete(entry.sequence);
    else this.#shared.set(entry.sequence, message);
  }

  /** The message of a number as a message, whoever waits for it. @throws {Error} if its record is missing or damaged */
  find(sequence: number): Message {
    const known = this.#shared.get(sequence);
    if (known !== undefined) return known;
    const key = messageKey(sequence);
    const value = this.#commits.environment.get('messages', key);
    if (value === undefined) throw new Error(`message ${sequence}, which it refers to, is missing`);
    const record = viewOf(key, value);
    const message = readStoredMessage(this.#reader, record, (length) => {
      const entry = new LogEntry(this, sequence, length);
      entry.isCommitted = true;
      return entry;
    });
    if (value.length <= keptRecordBytesMax) {
      this.#lastRead = { sequence, payload: readPayload(this.#reader, record) };
      message.keepPayload();
    }
    return message;
  }

  /** One that rested waits in memory from now on, for the message that was found. */
  take(sequence: number, message: Message): void {
    (this.entryOf(message) as LogEntry).references++;
    if (this.resting.decrease(sequence) === 0) this.#shared.delete(sequence);
    else this.#shared.set(sequence, message);
  }

  /** One that rested is gone. */
  drop(sequence: number): void {
    if (this.resting.get(sequence) === 0 || this.resting.decrease(sequence) > 0) return;
    // If it is waited for in memory, too, the last of those will see to its record.
    if (!this.#shared.delete(sequence)) this.#commits.staged.deleteRecord(sequence);
  }

  readPayload(sequence: number): Uint8Array {
    if (this.#lastRead?.sequence === sequence) return this.#lastRead.payload;
    if (!this.#commits.environment.isOpen) throw new StorageError(`${this.#directory} cannot be read at this moment`);
    const key = messageKey(sequence);
    try {
      const value = this.#commits.environment.get('messages', key);
      if (value === undefined) throw new Error('it is missing');
      const payload = readPayload(this.#reader, viewOf(key, value));
      this.#lastRead = { sequence, payload };
      return payload;
    } catch (error) {
      const fault = unreadableRecord(this.#directory, `message ${sequence}`, error);
      this.#onDamage(fault.message);
      throw fault;
    }
  }

  entryOf(message: Message): LogEntry | undefined {
    const { stored } = message;
    if (stored === undefined) return undefined;
    return this.isOwn(stored) ? stored : this.#foreign.get(message);
  }

  isOwn(stored: unknown): stored is LogEntry {
    return stored instanceof LogEntry && stored.log === this;
  }
}
