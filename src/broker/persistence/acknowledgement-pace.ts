/**
 * Whether the client of a Session acknowledges so soon that it is worth waiting for. One delivery at a time is the probe; it is timed from
 * when it is put to when it is deleted.
 */
import type { Clock } from '../../base/clock.ts';
import type { Delivery } from '../delivery.ts';

/** Of the share of probes that were acknowledged soon, a new one makes this much. */
const weight = 1 / 8;
/** Waiting in vain costs a moment, waiting with success spares most of the work: so this share is enough. */
const soonShareMin = 0.25;

export class AcknowledgementPace {
  readonly #clock: Clock;
  #soonShare = 1;
  #probe: Delivery | undefined = undefined;
  #probedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether most of what is sent now will be acknowledged soon, as far as the past says. */
  get isSoon(): boolean {
    return this.#soonShare > soonShareMin;
  }

  /** A delivery goes out. */
  sent(delivery: Delivery): void {
    if (this.#probe !== undefined) return;
    this.#probe = delivery;
    this.#probedAt = this.#clock.monotonic();
  }

  /**
   * A delivery is over.
   * @param soonMs how soon is soon
   */
  ended(delivery: Delivery, soonMs: number): void {
    if (this.#probe === delivery) this.#note(this.#clock.monotonic() - this.#probedAt <= soonMs);
  }

  /** A delivery has been waited for in vain. */
  missed(delivery: Delivery): void {
    if (this.#probe === delivery) this.#note(false);
  }

  #note(wasSoon: boolean): void {
    this.#probe = undefined;
    this.#soonShare += ((wasSoon ? 1 : 0) - this.#soonShare) * weight;
  }
}
