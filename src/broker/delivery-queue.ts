/**
 * The messages that wait for one Session: it is away, its quota is used up or its connection cannot take more.
 * In order, and bounded by count and payload bytes; what does not fit is refused, so the oldest are kept as in Mosquitto.
 *
 * Of an absent Session some rest in the store. They are counted, and read a window at a time when they are asked for:
 *
 *     shift ◀─ [ head, in memory ] [ resting, in the store ] [ tail, in memory ] ◀─ add
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { Delivery } from './delivery.ts';
import type { RestingDeliveries } from './resting-deliveries.ts';

/** So many emptied rings are kept for whoever needs one next: a queue that fills and empties all the time makes none. */
const spareRingsMax = 256;
const spareRings: RingQueue<Delivery>[] = [];

export type QueueOutcome = 'queued' | 'too-many' | 'too-large';

export interface QueueLimits {
  /** `max_queued_messages`; 0 no limit. */
  readonly maxQueuedMessages: number;
  /** `max_queued_bytes`; 0 no limit. */
  readonly maxQueuedBytes: number;
}

/** Where what rests is read from. */
export interface RestingSource {
  /**
   * Reads the next of what rests, and takes it out of `resting`.
   * @returns those that are queued
   * @throws {StorageError} if something cannot be read; nothing is taken out then
   */
  readResting(resting: RestingDeliveries): readonly Delivery[];
}

export class DeliveryQueue {
  /** Payload bytes waiting. */
  bytes = 0;
  /** How many of the waiting are QoS 0, which later QoS 0 messages must not overtake. */
  qos0Count = 0;
  /** Nothing that waits in memory expires before this, milliseconds since the epoch; 0 if nothing there does. */
  #firstExpiry = 0;
  /** Made with the first message: most Sessions never queue one. */
  #head: RingQueue<Delivery> | undefined = undefined;
  #resting: RestingDeliveries | undefined = undefined;
  #tail: RingQueue<Delivery> | undefined = undefined;
  readonly #source: RestingSource | undefined;

  /** @param source none if nothing ever rests */
  constructor(source?: RestingSource) {
    this.#source = source;
  }

  get length(): number {
    return this.residentCount + (this.#resting?.queued ?? 0);
  }

  /** How many of the waiting are in memory. */
  get residentCount(): number {
    return (this.#head?.length ?? 0) + (this.#tail?.length ?? 0);
  }

  /** What rests in the store: besides the queued also what is in flight, which is not counted here. */
  get resting(): RestingDeliveries | undefined {
    return this.#resting;
  }

  /** Nothing waiting expires before this, milliseconds since the epoch; 0 if nothing does. */
  get firstExpiry(): number {
    const inStore = this.#resting?.firstExpiry ?? 0;
    const inMemory = this.#firstExpiry;
    return inStore === 0 || inMemory === 0 ? inStore + inMemory : Math.min(inStore, inMemory);
  }

  /** @param beyond so many more messages than the limit are taken */
  add(delivery: Delivery, limits: QueueLimits, beyond = 0): QueueOutcome {
    const size = delivery.message.payloadLength;
    if (limits.maxQueuedMessages !== 0 && this.length >= limits.maxQueuedMessages + beyond) return 'too-many';
    if (limits.maxQueuedBytes !== 0 && this.bytes + size > limits.maxQueuedBytes) return 'too-large';
    this.bytes += size;
    if (delivery.qos === 0) this.qos0Count++;
    this.#noteExpiry(delivery.message.expiresAt);
    if (this.#resting === undefined && this.#tail === undefined) this.#pushToHead(delivery);
    else {
      this.#tail ??= emptyRing();
      this.#tail.push(delivery);
    }
    return 'queued';
  }

  /** The next one, read from the store if it rests. @throws {StorageError} if it cannot be read; it stays where it is then */
  peek(): Delivery | undefined {
    while (this.#head === undefined && this.#resting !== undefined) this.readMore();
    if (this.#head === undefined) {
      this.#head = this.#tail;
      this.#tail = undefined;
    }
    return this.#head?.peek();
  }

  /** Takes out what `peek` shows. */
  shift(): Delivery | undefined {
    const delivery = this.peek();
    if (delivery === undefined) return undefined;
    const head = this.#head as RingQueue<Delivery>;
    head.shift();
    if (head.length === 0) {
      this.#head = undefined;
      if (spareRings.length < spareRingsMax) spareRings.push(head);
    }
    this.#countOut(delivery);
    return delivery;
  }

  /** Takes out, and returns, what has expired of what waits in memory. `now` is in milliseconds since the epoch. */
  removeExpired(now: number): Delivery[] {
    if (this.#firstExpiry === 0 || now < this.#firstExpiry) return [];
    const expired: Delivery[] = [];
    this.#firstExpiry = 0;
    this.#head = this.#withoutExpired(this.#head, now, expired);
    this.#tail = this.#withoutExpired(this.#tail, now, expired);
    for (const delivery of expired) this.#countOut(delivery);
    return expired;
  }

  /** Everything that waits in memory, oldest first. */
  entries(): Delivery[] {
    return [...(this.#head ?? []), ...(this.#tail ?? [])];
  }

  /** Of a Session that was found in the store: all that it has rests. */
  beginResting(resting: RestingDeliveries): void {
    this.#resting = resting;
    this.bytes = resting.queuedBytes;
    this.qos0Count = resting.queuedQos0;
  }

  /** All that waits in memory rests from now on, and is in `resting` already. */
  restAll(resting: RestingDeliveries): void {
    this.#head = undefined;
    this.#tail = undefined;
    this.#firstExpiry = 0;
    this.#resting = resting;
  }

  /** Has some more of what rests in memory, behind the head. @throws {StorageError} if it cannot be read */
  readMore(): void {
    const resting = this.#resting;
    if (resting === undefined || this.#source === undefined) return;
    for (const delivery of this.#source.readResting(resting)) {
      this.#pushToHead(delivery);
      this.#noteExpiry(delivery.message.expiresAt);
    }
    if (resting.count === 0) this.#resting = undefined;
  }

  /** A queued delivery that rested is gone, and out of `resting`. */
  forgetResting(delivery: Delivery): void {
    this.#countOut(delivery);
    if (this.#resting?.count === 0) this.#resting = undefined;
  }

  /** What rests is gone from the store, unread. */
  loseResting(): void {
    this.bytes -= this.#resting?.queuedBytes ?? 0;
    this.qos0Count -= this.#resting?.queuedQos0 ?? 0;
    this.#resting = undefined;
  }

  clear(): void {
    this.#head = undefined;
    this.#resting = undefined;
    this.#tail = undefined;
    this.bytes = 0;
    this.qos0Count = 0;
    this.#firstExpiry = 0;
  }

  #pushToHead(delivery: Delivery): void {
    this.#head ??= emptyRing();
    this.#head.push(delivery);
  }

  #noteExpiry(expiresAt: number): void {
    if (expiresAt !== 0 && (this.#firstExpiry === 0 || expiresAt < this.#firstExpiry)) this.#firstExpiry = expiresAt;
  }

  #countOut(delivery: Delivery): void {
    this.bytes -= delivery.message.payloadLength;
    if (delivery.qos === 0) this.qos0Count--;
  }

  /** What has not expired of a ring; what has goes to `expired`. */
  #withoutExpired(ring: RingQueue<Delivery> | undefined, now: number, expired: Delivery[]) {
    if (ring === undefined) return undefined;
    const alive = new RingQueue<Delivery>();
    for (const delivery of ring) {
      const { expiresAt } = delivery.message;
      if (expiresAt !== 0 && expiresAt <= now) {
        expired.push(delivery);
      } else {
        alive.push(delivery);
        this.#noteExpiry(expiresAt);
      }
    }
    return alive.length === 0 ? undefined : alive;
  }
}

function emptyRing(): RingQueue<Delivery> {
  return spareRings.pop() ?? new RingQueue<Delivery>();
}
