/**
 * What is staged for one commit. Changes that cancel each other out leave nothing: a message that was delivered and acknowledged before
 * its commit began is never written.
 */
import { ByteWriter } from '../../base/byte-writer.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
import { deliveryKey, inboundKey, messageKey, retainedKey, sessionKey, subscriptionKey } from './keys.ts';
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

interface DeliveryChange {
  readonly session: SessionEntry;
  readonly entry: LogEntry;
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
  readonly #deliveries = new Map<Delivery, DeliveryChange>();
  /** How many of them are not in the store yet. */
  #newDeliveries = 0;
  /** Session and position by turns. */
  readonly #deliveryDeletes: number[] = [];
  /** By session × 65,536 + Packet Identifier. */
  readonly #inbound = new Map<number, LogEntry | undefined>();
  readonly #retained = new Map<string, Message | undefined>();

  get isEmpty(): boolean {
    return (
      this.messages.size === 0 &&
      this.#messageDeletes.length === 0 &&
      this.#sessions.size === 0 &&
      this.#subscriptions.size === 0 &&
      this.#deliveries.size === 0 &&
      this.#deliveryDeletes.length === 0 &&
      this.#inbound.size === 0 &&
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
      this.#deliveryDeletes.length > 0 || this.#messageDeletes.length > 0 || this.#deliveries.size > this.#newDeliveries
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
    else this.deleteRecord(entry.sequence);
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

  /** Whether there is a change of this delivery. */
  hasDelivery(delivery: Delivery): boolean {
    return this.#deliveries.has(delivery);
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

  putDelivery(session: SessionEntry, delivery: Delivery, entry: LogEntry): void {
    if (!this.#deliveries.has(delivery)) {
      if (!delivery.isWritten) this.#newDeliveries++;
      this.bytes += changeBytes;
    }
    this.#deliveries.set(delivery, { session, entry });
  }

  deleteDelivery(session: SessionEntry, delivery: Delivery): void {
    if (this.#deliveries.delete(delivery)) {
      if (!delivery.isWritten) this.#newDeliveries--;
      this.bytes -= changeBytes;
    }
    if (delivery.isWritten) this.deleteDeliveryAt(session.number, delivery.position);
  }

  /** A delivery that was committed before is gone. */
  deleteDeliveryAt(session: number, position: number): void {
    this.#deliveryDeletes.push(session, position);
    this.bytes += deleteBytes;
  }

  /** `undefined` deletes it. */
  setInbound(session: number, packetIdentifier: number, entry: LogEntry | undefined): void {
    this.#inbound.set(session * 0x1_0000 + packetIdentifier, entry);
    this.isUrgent = true;
    this.bytes += changeBytes;
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
    const later = new Batch();
    if (sequence === Number.POSITIVE_INFINITY) return later;
    for (const [entry, message] of this.messages) if (entry.sequence > sequence) later.putMessage(entry, message);
    for (const entry of later.messages.keys()) this.deleteMessage(entry);
    for (const [delivery, { session, entry }] of this.#deliveries) {
      if (later.messages.has(entry)) later.putDelivery(session, delivery, entry);
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
    for (const [entry, message] of this.messages) {
      const key = messageKey(entry.sequence);
      encoder.begin('messages', key);
      writeMessage(encoder.writer, key, message);
    }
    for (const [delivery, { session, entry }] of this.#deliveries) {
      const key = deliveryKey(session.number, delivery.position);
      encoder.begin('deliveries', key);
      writeDelivery(encoder.writer, key, delivery, entry.sequence);
      delivery.isWritten = true;
    }
    for (const [number, entry] of this.#inbound) {
      const key = inboundKey(Math.floor(number / 0x1_0000), number % 0x1_0000);
      if (entry === undefined) encoder.delete('inbound', key);
      else {
        encoder.begin('inbound', key);
        writeInbound(encoder.writer, key, entry.sequence);
      }
    }
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
