/**
 * The messages that wait for one Session: it is away, its quota is used up or its connection cannot take more.
 * In order, and bounded by count and payload bytes; what does not fit is refused, so the oldest are kept as in Mosquitto.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { Delivery } from './delivery.ts';

export type QueueOutcome = 'queued' | 'too-many' | 'too-large';

export interface QueueLimits {
  /** `max_queued_messages`; 0 no limit. */
  readonly maxQueuedMessages: number;
  /** `max_queued_bytes`; 0 no limit. */
  readonly maxQueuedBytes: number;
}

export class DeliveryQueue {
  /** Payload bytes waiting. */
  bytes = 0;
  /** How many of the waiting are QoS 0, which later QoS 0 messages must not overtake. */
  qos0Count = 0;
  /** Nothing waiting expires before this, milliseconds since the epoch. */
  #firstExpiry = Number.POSITIVE_INFINITY;
  /** Made with the first message: most Sessions never queue one. */
  #ring: RingQueue<Delivery> | undefined;

  get length(): number {
    return this.#ring?.length ?? 0;
  }

  /** @param beyond so many more messages than the limit are taken */
  add(delivery: Delivery, limits: QueueLimits, beyond = 0): QueueOutcome {
    const size = delivery.message.payloadLength;
    if (limits.maxQueuedMessages !== 0 && this.length >= limits.maxQueuedMessages + beyond) return 'too-many';
    if (limits.maxQueuedBytes !== 0 && this.bytes + size > limits.maxQueuedBytes) return 'too-large';
    this.#ring ??= new RingQueue<Delivery>();
    this.#ring.push(delivery);
    this.bytes += size;
    if (delivery.qos === 0) this.qos0Count++;
    const { expiresAt } = delivery.message;
    if (expiresAt !== 0 && expiresAt < this.#firstExpiry) this.#firstExpiry = expiresAt;
    return 'queued';
  }

  peek(): Delivery | undefined {
    return this.#ring?.peek();
  }

  shift(): Delivery | undefined {
    const delivery = this.#ring?.shift();
    if (delivery === undefined) return undefined;
    this.bytes -= delivery.message.payloadLength;
    if (delivery.qos === 0) this.qos0Count--;
    if (this.#ring?.length === 0) this.#ring = undefined;
    return delivery;
  }

  /** Takes out, and returns, what has expired. `now` is in milliseconds since the epoch. */
  removeExpired(now: number): Delivery[] {
    if (now < this.#firstExpiry) return [];
    const expired: Delivery[] = [];
    const alive: Delivery[] = [];
    for (const delivery of this.entries()) {
      const { expiresAt } = delivery.message;
      (expiresAt === 0 || expiresAt > now ? alive : expired).push(delivery);
    }
    this.clear();
    for (const delivery of alive) this.add(delivery, { maxQueuedMessages: 0, maxQueuedBytes: 0 });
    return expired;
  }

  /** Everything waiting, oldest first. */
  entries(): Delivery[] {
    return this.#ring === undefined ? [] : [...this.#ring];
  }

  clear(): void {
    this.#ring = undefined;
    this.bytes = 0;
    this.qos0Count = 0;
    this.#firstExpiry = Number.POSITIVE_INFINITY;
  }
}
