/**
 * The journal: where a commit puts what is likely to be over soon, all of it as one record. Deliveries under way with their messages, and
 * QoS 2 messages that wait for their PUBREL, change hands several times within milliseconds; in tables of their own each of those steps would be
 * a record to find and to rewrite.
 *
 *     put ─▶ in the journal ──over──▶ gone, and no table ever had it
 *                  │
 *                  └──checkpoint, once the journal is long──▶ in its table; the journal begins anew
 *
 * A checkpoint is part of a commit, so that everything is in one place or the other. After a crash the journal is carried out before the store
 * is read (journal-replay.ts). What nobody is expected to end soon goes into its table at once: what is queued, and what is large.
 *
 *     record      version (1), how many operations (4), operations
 *     put         kind (1), bytes of the record (4), key, record as it would be in its table
 *     delete      kind + 128 (1), key, CRC-32 of both (4)
 *
 * A message is not deleted: once nothing refers to it, the start of the store does that.
 */
import { ByteWriter } from '../../base/byte-writer.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
import { crc32 } from './checksum.ts';
import { deliveryKey, inboundKey, messageKey } from './keys.ts';
import type { LogEntry } from './log-entry.ts';
import { writeMessage } from './message-record.ts';
import type { SessionEntry } from './session-entry.ts';
import { writeDelivery, writeInbound } from './session-records.ts';

export const journalVersion = 1;
/** By the number that stands for each: its table, and the bytes of a key. */
export const journalKinds = [
  { name: 'messages', keyBytes: 8 },
  { name: 'deliveries', keyBytes: 12 },
  { name: 'inbound', keyBytes: 6 },
] as const;
const kind = { message: 0, delivery: 1, inbound: 2 } as const;
export const deleteFlag = 128;
/** Version and count. */
export const journalHeadBytes = 5;

/** Bytes of a payload from which on it goes to its table at once: writing it twice would cost more than finding its place. */
const payloadBytesMax = 4096;
/** How long the journal may become. A start has to carry it out. */
const journalBytesMax = 4 * 1024 * 1024;
/** A buffer that a large record made large is not kept. */
const keptBytesMax = 1024 * 1024;

/** What the store has to know of a delivery to write it. */
export interface DeliveryPlace {
  readonly session: SessionEntry;
  readonly entry: LogEntry;
  /** Whether it is likely to be over soon. Of one that is written already it says nothing. */
  readonly isBrief: boolean;
}

/** What is in the journal and in no table. */
export class JournalContents {
  readonly messages = new Map<LogEntry, Message>();
  readonly deliveries = new Map<Delivery, DeliveryPlace>();
  /** By `inboundNumber`. */
  readonly inbound = new Map<number, LogEntry>();
}

export class Journal {
  /** Whether the next commit is to put everything into the tables. */
  wantsCheckpoint = false;
  contents = new JournalContents();
  /**
   * Inbound messages that are in their table, and in the hands of the broker. Their keys come again and again: while the journal has one,
   * the table's is nobody's business, and once the table has one, it is only the journal's after it has been deleted there.
   */
  readonly tabledInbound = new Set<number>();
  /** Records that are in it: from `first` to before `next`. */
  first = 1;
  next = 1;
  readonly #isUsed: boolean;
  readonly #writer = new ByteWriter(65_536);
  #bytes = 0;
  #count = 0;

  /** @param isUsed false: everything goes to the tables at once */
  constructor(isUsed: boolean) {
    this.#isUsed = isUsed;
  }

  /** Whether it has to be emptied though nothing else is to be committed. */
  get isDue(): boolean {
    return this.wantsCheckpoint && this.next > this.first;
  }

  /**
   * Begins the record of a commit. False if there is to be none, because the commit is a checkpoint.
   * @param bytes how much there is to commit, about
   */
  begin(bytes: number): boolean {
    if (!this.#isUsed || this.wantsCheckpoint || this.#bytes + bytes > journalBytesMax) return false;
    const writer = this.#writer;
    if (writer.bytes.length > keptBytesMax) writer.reset();
    writer.length = 0;
    this.#count = 0;
    writer.writeUint8(journalVersion);
    writer.writeUint32(0);
    return true;
  }

  /** Ends the record; undefined if nothing was put into it. Its bytes stay as they are until the next `begin`. */
  end(): Uint8Array | undefined {
    if (this.#count === 0) return undefined;
    const writer = this.#writer;
    const { length } = writer;
    writer.length = 1;
    writer.writeUint32(this.#count);
    writer.length = length;
    this.#bytes += length;
    return writer.bytes.subarray(0, length);
  }

  /** Everything that is only here, which is to go to the tables; the journal is empty from now on. */
  checkpoint(): JournalContents {
    const { contents } = this;
    this.contents = new JournalContents();
    this.wantsCheckpoint = false;
    this.#bytes = 0;
    return contents;
  }

  /** Whether a message is one for the journal. */
  takesMessage(entry: LogEntry): boolean {
    return !entry.isLasting && entry.length <= payloadBytesMax;
  }

  /** Whether the next record of a delivery is one for the journal. */
  takesDelivery(delivery: Delivery, { isBrief }: DeliveryPlace): boolean {
    return delivery.isWritten ? this.contents.deliveries.has(delivery) : isBrief;
  }

  putMessage(entry: LogEntry, message: Message): void {
    const key = messageKey(entry.sequence);
    const start = this.#beginPut(kind.message, key);
    writeMessage(this.#writer, key, message);
    this.#endPut(start, key.length);
    this.contents.messages.set(entry, message);
  }

  putDelivery(delivery: Delivery, place: DeliveryPlace): void {
    const key = deliveryKey(place.session.number, delivery.position);
    const start = this.#beginPut(kind.delivery, key);
    writeDelivery(this.#writer, key, delivery, place.entry.sequence);
    this.#endPut(start, key.length);
    if (!delivery.isWritten) this.contents.deliveries.set(delivery, place);
  }

  deleteDelivery(session: number, position: number): void {
    this.#delete(kind.delivery, deliveryKey(session, position));
  }

  /** @param number as `inboundNumber` makes it */
  putInbound(number: number, entry: LogEntry): void {
    const key = inboundKeyOf(number);
    const start = this.#beginPut(kind.inbound, key);
    writeInbound(this.#writer, key, entry.sequence);
    this.#endPut(start, key.length);
    this.contents.inbound.set(number, entry);
  }

  deleteInbound(number: number): void {
    this.#delete(kind.inbound, inboundKeyOf(number));
    this.contents.inbound.delete(number);
  }

  #beginPut(kindNumber: number, key: Uint8Array): number {
    this.#count++;
    const writer = this.#writer;
    writer.writeUint8(kindNumber);
    writer.writeUint32(0);
    writer.writeBytes(key);
    return writer.length;
  }

  #endPut(start: number, keyBytes: number): void {
    const writer = this.#writer;
    const { length } = writer;
    writer.length = start - keyBytes - 4;
    writer.writeUint32(length - start);
    writer.length = length;
  }

  #delete(kindNumber: number, key: Uint8Array): void {
    this.#count++;
    const writer = this.#writer;
    const start = writer.length;
    writer.writeUint8(kindNumber + deleteFlag);
    writer.writeBytes(key);
    writer.writeUint32(crc32(writer.bytes, start, writer.length));
  }
}

/** By what an inbound message is known within a process. */
export function inboundNumber(session: number, packetIdentifier: number): number {
  return session * 0x1_0000 + packetIdentifier;
}

/** @param number as `inboundNumber` makes it */
export function inboundKeyOf(number: number): Uint8Array {
  return inboundKey(Math.floor(number / 0x1_0000), number % 0x1_0000);
}
