/** The time of day finer than the milliseconds of `Clock.now`. */
import type { Clock } from '../../base/clock.ts';

/** Milliseconds by which the two clocks may drift apart before the time of day counts as set anew. */
const jumpMs = 5;

/**
 * `Clock.now` is cut to milliseconds, so it is behind by a part of one: the largest distance to the monotonic clock that was ever seen is the truest.
 */
export class WallTime {
  readonly #clock: Clock;
  #offsetMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since the epoch, with fractions; behind by less than one at the first calls, by microseconds later. */
  now(): number {
    const monotonic = this.#clock.monotonic();
    const offset = this.#clock.now() - monotonic;
    if (offset > this.#offsetMs || offset < this.#offsetMs - jumpMs) this.#offsetMs = offset;
    return monotonic + this.#offsetMs;
  }
}
