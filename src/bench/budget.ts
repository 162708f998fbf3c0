import type { QoS } from './wire.ts';

/**
 * How many deliveries may be under way at once, over all connections. Without it a publisher at QoS 0 would fill every buffer on
 * the way until the broker drops messages, and one at QoS 1 or 2 would fill the queues of subscribers that acknowledge more
 * slowly than the broker does.
 */
export class Budget {
  /** Deliveries published and neither received nor given up. */
  deliveriesMax: number;
  readonly #deliveriesMin: number;
  #shrunkAtMs = Number.NEGATIVE_INFINITY;

  /** @param deliveriesMin what one message from each publisher makes */
  constructor(deliveriesMax: number, deliveriesMin: number) {
    this.deliveriesMax = Math.max(deliveriesMax, deliveriesMin);
    this.#deliveriesMin = deliveriesMin;
  }

  /** Messages were lost at QoS 0: halves the budget. Losses that follow at once have the same cause and do nothing more. */
  shrink(): void {
    const now = performance.now();
    if (now - this.#shrunkAtMs < shrinkPauseMs) return;
    this.#shrunkAtMs = now;
    this.deliveriesMax = Math.max(this.#deliveriesMin, Math.floor(this.deliveriesMax / 2));
  }
}

/** Bytes of payload that are under way at once when nobody says otherwise. */
const bytesUnderWayMax = 16 * 1_048_576;

/**
 * Deliveries under way at once when nobody says otherwise. At QoS 0 enough for blocks of 64 KiB to be full on one connection, and for over
 * 100 packets on each of 100. At QoS 1 and 2 what fills 20 messages in flight to each of 100 subscribers: with 16,384 Mosquitto
 * 2.0.11 gets into backlogs on 50→1 at QoS 2 in which it delivers nothing for ten seconds and more.
 */
export function defaultDeliveryWindow(qos: QoS, payloadBytes: number): number {
  return Math.min(qos === 0 ? 16_384 : 2_000, Math.max(1, Math.floor(bytesUnderWayMax / payloadBytes)));
}

/** What was under way at a loss has left the broker after this time, on a machine that is not overloaded. */
const shrinkPauseMs = 50;
