/**
 * What is staged for one commit. Changes that cancel each other out leave nothing: a message that was delivered and acknowledged before
 * its commit began is never written.
 */
import { ByteWriter } from '../../base/byte-writer.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
import { type DeliveryPlace, inboundKeyOf, inboundNumber, type Journal, JournalContents } from './journal.ts';
import { deliveryKey, messageKey, retainedKey, sessionKey, subscriptionKey } from './keys.ts';
import type { DatabaseName } from './lmdb-environment.ts';
import type { LogEntry } from './log-entry.ts';
import { writeMessage } from './message-record.ts';
import type { SessionEntry } from './session-entry.ts';
import { writeDelivery, writeInbound, writeSession, writeSubscription } from './session-records.ts';
import type { SessionRecord, SubscriptionRecord } from './store.ts';

interface SubscriptionChange {
  readonly session: number;
  readonly requestedFilter: string;
  /** Undefined deletes it. */
  readonly record: SubscriptionRecord | undefined;
}

/** The operations of a commit, to be done as often as it takes. */
export interface EncodedBatch {
  readonly databases: readonly DatabaseName[];
  readonly keys: readonly Uint8Array[];
  /** Undefined deletes the record. */
  readonly values: readonly (Uint8Array | undefined)[];
}

/** Bytes that a staged change takes besides its payload, about. */
const changeBytes = 200;
const deleteBytes = 16;
/** A buffer that a large batch made large is not kept. */
const keptBytesMax = 4 * 1024 * 1024;

export class Batch {
  /** Memory taken by what is staged, about. */
  bytes = 0;
  /** Whether there is something that has to be written: not all is deliveries that will soon be over, and what nobody waits for. */
  isUrgent = false;
  /** Of the messages that have ever been in it. */
  lastSequence = 0;
  readonly messages = new Map<LogEntry, Message>();
  readonly #messageDeletes: number[] = [];
  readonly #sessions = new Map<number, SessionRecord | undefined>();
  readonly #subscriptions = new Map<string, SubscriptionChange>();
  readonly #deliveries = new Map<Delivery, DeliveryPlace>();
  /** How many of them are not in the store yet. */
  #newDeliveries = 0;
  /** Of what is in a table: session and position by turns. */
  readonly #deliveryDeletes: number[] = [];
  /** Of what is in the journal: the same. */
  readonly #journalDeletes: number[] = [];
  /** By `inboundNumber`. Undefined deletes what is in the journal. */
  readonly #inbound = new Map<number, LogEntry | undefined>();
  /** Of what is in the table. */
  readonly #inboundDeletes: number[] = [];
  readonly #retained = new Map<string, Message | undefined>();
  readonly #journal: Journal;
  /** What came out of the journal with this commit, once it is encoded. */
  #settled = new JournalContents();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Messages whose records are in their table with this commit. */
  *tabledMessages(): IterableIterator<[LogEntry, Message]> {
    for (const pair of this.messages) if (!this.#journal.contents.messages.has(pair[0])) yield pair;
    yield* this.#settled.messages;
  }

  get isEmpty(): boolean {
    return (
      this.messages.size === 0 &&
      this.#messageDeletes.length === 0 &&
      this.#sessions.size === 0 &&
      this.#subscriptions.size === 0 &&
      this.#deliveries.size === 0 &&
      this.#deliveryDeletes.length === 0 &&
      this.#journalDeletes.length === 0 &&
      this.#inbound.size === 0 &&
      this.#inboundDeletes.length === 0 &&
      this.#retained.size === 0
    );
  }

  /** Of the message that has been here longest; Infinity if there is none. */
  get firstSequence(): number {
    for (const { sequence } of this.messages.keys()) return sequence;
    return Number.POSITIVE_INFINITY;
  }

  /** Whether there is something that changes what is in the store already. */
  get changesWritten(): boolean {
    return (
      this.#deliveryDeletes.length > 0 ||
      this.#journalDeletes.length > 0 ||
      this.#messageDeletes.length > 0 ||
      this.#deliveries.size > this.#newDeliveries
    );
  }

  putMessage(entry: LogEntry, message: Message): void {
    this.messages.set(entry, message);
    this.lastSequence = entry.sequence;
    this.bytes += changeBytes + message.payloadLength;
  }

  /** The message has lost its last reference. */
  deleteMessage(entry: LogEntry): void {
    if (this.messages.delete(entry)) this.bytes -= changeBytes + entry.length;
    // The journal need not say it.
    else if (!this.#journal.contents.messages.delete(entry)) this.deleteRecord(entry.sequence);
  }

  /** A message that was committed before is waited for no more. */
  deleteRecord(sequence: number): void {
    this.#messageDeletes.push(sequence);
    this.bytes += deleteBytes;
  }

  /** Adds the positions of a session's deliveries that are to go. Asked so rarely that they are looked for. */
  collectDeleted(session: number, into: Set<number>): void {
    const deletes = this.#deliveryDeletes;
    for (let index = 0; index < deletes.length; index += 2) {
      if (deletes[index] === session) into.add(deletes[index + 1] as number);
    }
  }

  /** Whether there is a change of this delivery, or of where it is. */
  hasDelivery(delivery: Delivery): boolean {
    return this.#deliveries.has(delivery) || this.#settled.deliveries.has(delivery);
  }

  /** `undefined` deletes it. */
  setSession(session: number, record: SessionRecord | undefined): void {
    this.#sessions.set(session, record);
    this.isUrgent = true;
    this.bytes += changeBytes;
  }

  /** `undefined` deletes it. */
  setSubscription(session: number, requestedFilter: string, record: SubscriptionRecord | undefined): void {
    this.#subscriptions.set(`${session} ${requestedFilter}`, { session, requestedFilter, record });
    this.isUrgent = true;
    this.bytes += changeBytes;
  }

  /** @param isBrief see `DeliveryPlace` */
  putDelivery(session: SessionEntry, delivery: Delivery, entry: LogEntry, isBrief: boolean): void {
    if (!isBrief) entry.isLasting = true;
    const known = delivery.isWritten ? this.#journal.contents.deliveries.get(delivery) : undefined;
    const { size } = this.#deliveries;
    this.#deliveries.set(delivery, known ?? { session, entry, isBrief });
    if (this.#deliveries.size === size) return;
    if (!delivery.isWritten) this.#newDeliveries++;
    this.bytes += changeBytes;
  }

  deleteDelivery(session: SessionEntry, delivery: Delivery): void {
    if (this.#deliveries.delete(delivery)) {
      if (!delivery.isWritten) this.#newDeliveries--;
      this.bytes -= changeBytes;
    }
    if (!delivery.isWritten) return;
    if (this.#journal.contents.deliveries.delete(delivery)) {
      this.#journalDeletes.push(session.number, delivery.position);
      this.bytes += deleteBytes;
    } else {
      this.deleteDeliveryAt(session.number, delivery.position);
    }
  }

  /** A delivery that is in its table is gone. */
  deleteDeliveryAt(session: number, position: number): void {
    this.#deliveryDeletes.push(session, position);
    this.bytes += deleteBytes;
  }

  putInbound(session: number, packetIdentifier: number, entry: LogEntry): void {
    this.#inbound.set(inboundNumber(session, packetIdentifier), entry);
    this.isUrgent = true;
    this.bytes += changeBytes;
  }

  deleteInbound(session: number, packetIdentifier: number): void {
    const number = inboundNumber(session, packetIdentifier);
    this.#inbound.delete(number);
    if (this.#journal.tabledInbound.delete(number)) this.#inboundDeletes.push(number);
    else if (this.#journal.contents.inbound.has(number)) this.#inbound.set(number, undefined);
    this.isUrgent = true;
    this.bytes += deleteBytes;
  }

  /** One that rests, which is to say in its table, is gone. */
  deleteRestingInbound(session: number, packetIdentifier: number): void {
    this.#inboundDeletes.push(inboundNumber(session, packetIdentifier));
    this.isUrgent = true;
    this.bytes += deleteBytes;
  }

  /** `undefined` deletes it. */
  setRetained(topicName: string, message: Message | undefined): void {
    this.#retained.set(topicName, message);
    this.isUrgent = true;
    this.bytes += changeBytes + (message?.payloadLength ?? 0);
  }

  /**
   * Leaves messages up to one, with their deliveries, and all changes of what is in the store; the later messages go into another Batch. To be
   * asked only while nothing is urgent.
   */
  splitAfter(sequence: number): Batch {
    const later = new Batch(this.#journal);
    if (sequence === Number.POSITIVE_INFINITY) return later;
    for (const [entry, message] of this.messages) if (entry.sequence > sequence) later.putMessage(entry, message);
    for (const entry of later.messages.keys()) this.deleteMessage(entry);
    for (const [delivery, { session, entry, isBrief }] of this.#deliveries) {
      if (later.messages.has(entry)) later.putDelivery(session, delivery, entry, isBrief);
    }
    for (const [delivery, { session }] of later.#deliveries) this.deleteDelivery(session, delivery);
    return later;
  }

  /** Its new deliveries were waited for in vain. */
  noteMissed(): void {
    for (const [delivery, { session }] of this.#deliveries) session.pace?.missed(delivery);
  }

  /** Turns everything into operations; deliveries and messages count as written from now on. */
  encode(encoder: BatchEncoder): EncodedBatch {
    const journal = this.#journal;
    const hasJournal = journal.begin(this.bytes);
    if (!hasJournal) this.#encodeCheckpoint(encoder);
    for (const [entry, message] of this.messages) {
      if (hasJournal && journal.takesMessage(entry)) journal.putMessage(entry, message);
      else encodeMessage(encoder, entry, message);
    }
    for (const [delivery, place] of this.#deliveries) {
      if (hasJournal && journal.takesDelivery(delivery, place)) journal.putDelivery(delivery, place);
      else encodeDelivery(encoder, delivery, place);
      delivery.isWritten = true;
    }
    for (const number of this.#inboundDeletes) encoder.delete('inbound', inboundKeyOf(number));
    for (const [number, entry] of this.#inbound) {
      if (!hasJournal) {
        if (entry !== undefined) this.#encodeInbound(encoder, number, entry);
      } else if (entry !== undefined) {
        journal.putInbound(number, entry);
      } else {
        journal.deleteInbound(number);
      }
    }
    if (hasJournal) this.#encodeJournal(encoder);
    for (const [session, record] of this.#sessions) {
      const key = sessionKey(session);
      if (record === undefined) encoder.delete('sessions', key);
      else {
        encoder.begin('sessions', key);
        writeSession(encoder.writer, key, record);
      }
    }
    for (const { session, requestedFilter, record } of this.#subscriptions.values()) {
      const key = subscriptionKey(session, requestedFilter);
      if (record === undefined) encoder.delete('subscriptions', key);
      else {
        encoder.begin('subscriptions', key);
        writeSubscription(encoder.writer, key, record);
      }
    }
    for (const [topicName, message] of this.#retained) {
      const key = retainedKey(topicName);
      if (message === undefined) encoder.delete('retained', key);
      else {
        encoder.begin('retained', key);
        writeMessage(encoder.writer, key, message);
      }
    }
    const deletes = this.#deliveryDeletes;
    for (let index = 0; index < deletes.length; index += 2) {
      encoder.delete('deliveries', deliveryKey(deletes[index] as number, deletes[index + 1] as number));
    }
    for (const sequence of this.#messageDeletes) encoder.delete('messages', messageKey(sequence));
    return encoder.end();
  }

  #encodeJournal(encoder: BatchEncoder): void {
    const journal = this.#journal;
    const deletes = this.#journalDeletes;
    for (let index = 0; index < deletes.length; index += 2) {
      journal.deleteDelivery(deletes[index] as number, deletes[index + 1] as number);
    }
    const record = journal.end();
    if (record === undefined) return;
    encoder.begin('journal', messageKey(journal.next++));
    encoder.writer.writeBytes(record);
  }

  /** All that is in the journal goes to the tables, but for what changes with this commit anyway. */
  #encodeCheckpoint(encoder: BatchEncoder): void {
    const journal = this.#journal;
    const settled = journal.checkpoint();
    this.#settled = settled;
    for (const [entry, message] of settled.messages) encodeMessage(encoder, entry, message);
    for (const [delivery, place] of settled.deliveries) {
      if (!this.#deliveries.has(delivery)) encodeDelivery(encoder, delivery, place);
    }
    for (const [number, entry] of settled.inbound) {
      if (!this.#inbound.has(number)) this.#encodeInbound(encoder, number, entry);
    }
    while (journal.first < journal.next) encoder.delete('journal', messageKey(journal.first++));
  }

  /** @param number as `inboundNumber` makes it */
  #encodeInbound(encoder: BatchEncoder, number: number, entry: LogEntry): void {
    const key = inboundKeyOf(number);
    encoder.begin('inbound', key);
    writeInbound(encoder.writer, key, entry.sequence);
    this.#journal.tabledInbound.add(number);
  }
}

function encodeMessage(encoder: BatchEncoder, entry: LogEntry, message: Message): void {
  const key = messageKey(entry.sequence);
  encoder.begin('messages', key);
  writeMessage(encoder.writer, key, message);
}

function encodeDelivery(encoder: BatchEncoder, delivery: Delivery, { session, entry }: DeliveryPlace): void {
  const key = deliveryKey(session.number, delivery.position);
  encoder.begin('deliveries', key);
  writeDelivery(encoder.writer, key, delivery, entry.sequence);
}

/** Gathers the records of a batch in one buffer, which is used again once they are committed. */
export class BatchEncoder {
  writer = new ByteWriter(65_536);
  readonly #databases: DatabaseName[] = [];
  /** For each record where its key begins and where its value does; a value ends where the next key begins. */
  readonly #starts: number[] = [];
  readonly #isDelete: boolean[] = [];

  /** A record: its value is what is written next. */
  begin(database: DatabaseName, key: Uint8Array): void {
    this.#add(database, key, false);
  }

  delete(database: DatabaseName, key: Uint8Array): void {
    this.#add(database, key, true);
  }

  #add(database: DatabaseName, key: Uint8Array, isDelete: boolean): void {
    this.#databases.push(database);
    this.#isDelete.push(isDelete);
    this.#starts.push(this.writer.length);
    this.writer.writeBytes(key);
    this.#starts.push(this.writer.length);
  }

  /** The operations; their bytes stay as they are until `reset`. */
  end(): EncodedBatch {
    const { bytes, length } = this.writer;
    const keys: Uint8Array[] = [];
    const values: (Uint8Array | undefined)[] = [];
    const starts = this.#starts;
    starts.push(length);
    for (let index = 0; index < this.#isDelete.length; index++) {
      const valueStart = starts[2 * index + 1] as number;
      keys.push(bytes.subarray(starts[2 * index] as number, valueStart));
      values.push(this.#isDelete[index] ? undefined : bytes.subarray(valueStart, starts[2 * index + 2] as number));
    }
    const databases = this.#databases.splice(0);
    starts.length = 0;
    this.#isDelete.length = 0;
    return { databases, keys, values };
  }

  /** The bytes may be written over. */
  reset(): void {
    if (this.writer.bytes.length > keptBytesMax) this.writer = new ByteWriter(65_536);
    else this.writer.length = 0;
  }
}
