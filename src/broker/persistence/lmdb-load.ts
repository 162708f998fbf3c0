/**
 * Reads a store as the last process left it, from its file and without LMDB (data-file.ts): everything once, in the order of the keys.
 *
 *     messages, deliveries, inbound    checked and counted: which message is waited for how often, what rests for which Session
 *     sessions, subscriptions          side by side, as they are sorted by the same numbers
 *     retained                         handed out one by one
 *
 * Of a delivery nothing stays but its part in the counts of its Session, of a message but its number and how many wait for it.
 */
import { StorageError } from '../../protocol/errors.ts';
import type { Message } from '../message.ts';
import { RestingDeliveries } from '../resting-deliveries.ts';
import { faultAsError, unusableRecord } from './data-directory.ts';
import { type DataFile, DataFileFault } from './data-file.ts';
import { integerAt, longAt } from './keys.ts';
import type { DatabaseName } from './lmdb-environment.ts';
import { checkPayload, headBytesOf, type MessageSummary, readHead, readMessage, summarize } from './message-record.ts';
import { RecordReader, type RecordView } from './record-codec.ts';
import type { RecordCursor } from './record-cursor.ts';
import { SequenceTable } from './sequence-table.ts';
import { readDelivery, readInbound, readSession, readSubscription } from './session-records.ts';
import type { RetainedTaker, SessionRecord, SubscriptionRecord } from './store.ts';

/** A Session by its number in the store, with what is known of what hangs on it. */
export interface NumberedSession {
  readonly number: number;
  readonly session: SessionRecord;
  readonly subscriptions: readonly SubscriptionRecord[];
  readonly resting: RestingDeliveries | undefined;
  readonly inboundCount: number;
}

/** Something that belongs to the Session of a number. */
interface Owned<T> {
  readonly owner: number;
  readonly value: T;
}

export class LoadedData {
  /** For each message of the log how many wait for it. */
  readonly references: SequenceTable;
  lastSequence = 0;
  readonly #file: DataFile | undefined;
  readonly #directory: string;
  readonly #reader = new RecordReader();
  /** By the place of a message in `references`. Needed until the deliveries are counted. */
  #payloadLengths: Uint32Array;
  #expiries: Float64Array;
  /** By rising owners, as all that follows. */
  readonly #resting: Owned<RestingDeliveries>[] = [];
  readonly #inbound: Owned<number>[] = [];

  /**
   * Goes through messages and what refers to them.
   * @param file undefined if the store is new
   * @throws {StorageError} if something is damaged or missing
   */
  constructor(file: DataFile | undefined, directory: string) {
    this.#file = file;
    this.#directory = directory;
    const messages = this.#cursor('messages');
    this.references = new SequenceTable(messages?.entries ?? 0);
    this.#payloadLengths = new Uint32Array(this.references.capacity);
    this.#expiries = new Float64Array(this.references.capacity);
    if (messages !== undefined) this.#guard('messages', messages, () => this.#readMessages(messages));
    const deliveries = this.#cursor('deliveries');
    if (deliveries !== undefined) this.#guard('deliveries', deliveries, () => this.#readDeliveries(deliveries));
    const inbound = this.#cursor('inbound');
    if (inbound !== undefined) this.#guard('inbound', inbound, () => this.#readInbound(inbound));
    this.#payloadLengths = new Uint32Array(0);
    this.#expiries = new Float64Array(0);
    // What is left holds no more than the number of the format; LMDB reads it, so its pages are to be whole.
    const meta = this.#cursor('meta');
    if (meta !== undefined) this.#guard('meta', meta, () => meta.finish());
  }

  #readMessages(cursor: RecordCursor): void {
    const summary: MessageSummary = { expiresAt: 0, payloadLength: 0 };
    while (cursor.next()) {
      summarize(this.#reader, cursor, cursor.valueSize, summary);
      const sequence = longAt(cursor.key, cursor.keyStart);
      if (sequence <= this.lastSequence) throw new Error('it is out of order');
      this.lastSequence = sequence;
      const slot = this.references.insert(sequence, 0);
      this.#payloadLengths[slot] = summary.payloadLength;
      this.#expiries[slot] = summary.expiresAt;
    }
  }

  #readDeliveries(cursor: RecordCursor): void {
    let owner = -1;
    let resting = new RestingDeliveries(1);
    while (cursor.next()) {
      const delivery = readDelivery(this.#reader, cursor);
      const slot = this.#referTo(delivery.sequence);
      const session = integerAt(cursor.key, cursor.keyStart);
      const position = longAt(cursor.key, cursor.keyStart + 4);
      if (session !== owner) {
        owner = session;
        resting = new RestingDeliveries(position);
        this.#resting.push({ owner, value: resting });
      }
      const { qos, packetIdentifier } = delivery;
      const payloadLength = this.#payloadLengths[slot] as number;
      resting.add({ position, qos, packetIdentifier }, payloadLength, this.#expiries[slot] as number);
    }
  }

  #readInbound(cursor: RecordCursor): void {
    while (cursor.next()) {
      this.#referTo(readInbound(this.#reader, cursor));
      const owner = integerAt(cursor.key, cursor.keyStart);
      const last = this.#inbound.at(-1);
      if (last?.owner === owner) this.#inbound[this.#inbound.length - 1] = { owner, value: last.value + 1 };
      else this.#inbound.push({ owner, value: 1 });
    }
  }

  /** Returns the place of the message in `references`. */
  #referTo(sequence: number): number {
    const slot = this.references.slotOf(sequence);
    if (slot < 0) throw new Error(`message ${sequence}, which it refers to, is missing`);
    this.references.increaseAt(slot);
    return slot;
  }

  /** The Sessions, one after the other. @throws {StorageError} at the first record that is damaged */
  *sessions(): IterableIterator<NumberedSession> {
    const cursor = this.#cursor('sessions');
    const subscriptions = new Owners('subscriptions', this.#subscriptions());
    const resting = new Owners('deliveries', this.#resting.values());
    const inbound = new Owners('inbound', this.#inbound.values());
    const all = [subscriptions, resting, inbound];
    try {
      while (cursor !== undefined && this.#next('sessions', cursor)) {
        const number = integerAt(cursor.key, cursor.keyStart);
        yield {
          number,
          session: this.#read('sessions', cursor, readSession),
          subscriptions: subscriptions.of(number),
          resting: resting.of(number)[0],
          inboundCount: inbound.of(number)[0] ?? 0,
        };
      }
      for (const owners of all) owners.expectEnd();
    } catch (error) {
      throw error instanceof StrayRecord ? this.#damaged(error.database, String(error.owner), error) : error;
    }
  }

  *#subscriptions(): IterableIterator<Owned<SubscriptionRecord>> {
    const cursor = this.#cursor('subscriptions');
    while (cursor !== undefined && this.#next('subscriptions', cursor)) {
      yield {
        owner: integerAt(cursor.key, cursor.keyStart),
        value: this.#read('subscriptions', cursor, readSubscription),
      };
    }
  }

  /** The retained messages, one after the other. @throws {StorageError} at the first that is damaged */
  *retained(): IterableIterator<Message> {
    const cursor = this.#cursor('retained');
    while (cursor !== undefined && this.#next('retained', cursor)) yield this.#read('retained', cursor, readMessage);
  }

  /** The same, with payloads as they lie in the file. @throws {StorageError} as `retained` */
  takeRetained(take: RetainedTaker): void {
    const cursor = this.#cursor('retained');
    if (cursor === undefined) return;
    this.#guard('retained', cursor, () => {
      while (cursor.next()) {
        const head = readHead(this.#reader, cursor);
        checkPayload(cursor, head.payloadStart);
        take(head.topicName, cursor.value, head.payloadStart, cursor.valueEnd, head);
      }
    });
  }

  #cursor(name: DatabaseName): RecordCursor | undefined {
    const wantedBytes = name === 'messages' ? headBytesOf : undefined;
    try {
      return this.#file?.records(name, wantedBytes === undefined ? {} : { wantedBytes });
    } catch (error) {
      throw faultAsError(this.#directory, error);
    }
  }

  #next(name: DatabaseName, cursor: RecordCursor): boolean {
    return this.#guard(name, cursor, () => cursor.next());
  }

  #read<T>(name: DatabaseName, cursor: RecordCursor, read: (reader: RecordReader, record: RecordView) => T): T {
    return this.#guard(name, cursor, () => read(this.#reader, cursor));
  }

  /** Has what goes wrong with pages and records told as damage, by the record at which it was found. */
  #guard<T>(name: DatabaseName, cursor: RecordCursor, use: () => T): T {
    try {
      return use();
    } catch (error) {
      if (error instanceof DataFileFault) throw faultAsError(this.#directory, error);
      throw this.#damaged(name, nameOf(name, cursor), error);
    }
  }

  #damaged(name: DatabaseName, which: string, error: unknown): StorageError {
    if (error instanceof StorageError) return error;
    return unusableRecord(this.#directory, `${kinds[name]} ${which}`, error);
  }
}

/** A record that belongs to a Session which is not there. */
class StrayRecord extends Error {
  readonly database: DatabaseName;
  readonly owner: number;

  constructor(database: DatabaseName, owner: number) {
    super(`session ${owner}, which it belongs to, is missing`);
    this.database = database;
    this.owner = owner;
  }
}

/** Hands out to each Session what belongs to it. */
class Owners<T> {
  readonly #name: DatabaseName;
  readonly #values: Iterator<Owned<T>>;
  #next: IteratorResult<Owned<T>, unknown> | undefined;

  constructor(name: DatabaseName, values: Iterator<Owned<T>>) {
    this.#name = name;
    this.#values = values;
  }

  /** What belongs to a Session; asked for by rising numbers. @throws {StrayRecord} if there was something for one between */
  of(session: number): T[] {
    const found: T[] = [];
    this.#next ??= this.#values.next();
    while (!this.#next.done && this.#next.value.owner <= session) {
      const { owner, value } = this.#next.value;
      if (owner < session) throw new StrayRecord(this.#name, owner);
      found.push(value);
      this.#next = this.#values.next();
    }
    return found;
  }

  /** @throws {StrayRecord} if there is something that nobody asked for */
  expectEnd(): void {
    this.#next ??= this.#values.next();
    if (!this.#next.done) throw new StrayRecord(this.#name, this.#next.value.owner);
  }
}

const kinds: Readonly<Record<DatabaseName, string>> = {
  meta: 'the record of the format',
  journal: 'record of the journal',
  messages: 'message',
  sessions: 'session',
  subscriptions: 'a subscription of session',
  deliveries: 'a delivery of session',
  inbound: 'a QoS 2 message of session',
  retained: 'the retained message of',
};

/** The record in words; its key may be as damaged as the rest. */
function nameOf(name: DatabaseName, { key, keyStart, keyEnd }: RecordView): string {
  const bytes = Buffer.from(key.subarray(keyStart, keyEnd));
  if (name === 'retained') return bytes[0] === 0 ? `'${bytes.toString('utf8', 1)}'` : 'a long topic';
  if (name === 'messages') return bytes.length < 8 ? '?' : String(longAt(bytes, 0));
  return bytes.length < 4 ? '?' : String(integerAt(bytes, 0));
}
