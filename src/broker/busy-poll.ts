/**
 * After a chunk the broker looks for the next one for a moment instead of sleeping, if the next mostly comes within that moment: a processor
 * that has gone to sleep takes longer to wake, on a virtual machine several times as long, than many a client to answer.
 *
 *     chunk ▶ poll, poll, poll ▶ chunk (a hit) ▶ poll, poll, … the window is over (a miss) ▶ sleep
 *
 * Whether it is worth it is learnt from how long the broker waited, with and without polling: where few chunks come it never polls.
 */
import type { Clock } from '../base/clock.ts';

/** It is polled while hits outweigh misses by this, and by no more than that. */
const worthMin = 8;
const worthMax = 16;
/** A miss costs as much as so many hits gain. */
const missCost = 3;
/** A process that sleeps sees a chunk later than one that polls: what would have been a hit then takes so many times the window. */
const wakeUpFactor = 2;

export class BusyPoll {
  readonly #clock: Clock;
  #windowMs = 0;
  #worth = 0;
  #isPolling = false;
  /** Since when there is nothing to do. */
  #restingSince = 0;
  /** How long after that the next is a hit, milliseconds. */
  #hitMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds in which the next chunk is polled for; 0, as at first, never to poll. */
  set windowMs(windowMs: number) {
    this.#windowMs = windowMs;
    this.#worth = 0;
  }

  /** Whether it is polled at this moment. */
  get isPolling(): boolean {
    return this.#isPolling;
  }

  /** A chunk came at `now`, on the monotonic clock. */
  chunkBegins(now: number): void {
    const isHit = now - this.#restingSince < this.#hitMs;
    this.#worth = isHit ? Math.min(worthMax, this.#worth + 1) : Math.max(0, this.#worth - missCost);
  }

  /** There is nothing to do from `now` on. */
  rest(now: number): void {
    this.#restingSince = now;
    const isWorth = this.#worth >= worthMin;
    this.#hitMs = isWorth ? this.#windowMs : this.#windowMs * wakeUpFactor;
    if (!isWorth || this.#isPolling) return;
    this.#isPolling = true;
    this.#clock.defer(this.#poll);
  }

  readonly #poll = (): void => {
    if (this.#worth >= worthMin && this.#clock.monotonic() - this.#restingSince < this.#windowMs) {
      this.#clock.defer(this.#poll);
    } else {
      this.#isPolling = false;
    }
  };
}
