/**
 * Sessions that have expired and are to end. A hundred thousand may have at once, while the broker was down or their network was, and each
 * takes what it has out of the store: they end in slices, between which clients are served.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';

/** So long Sessions end one after the other, and so long a pause follows. */
const sliceMs = 10;
const pauseMs = 20;

export class ExpiredSessions<T> {
  readonly #clock: Clock;
  readonly #end: (session: T) => void;
  /** The one that expired first is the first. */
  readonly #waiting = new Set<T>();
  #isEnding = false;
  #pause: TimerHandle | undefined = undefined;

  /** @param end what is to be done with each, once */
  constructor(clock: Clock, end: (session: T) => void) {
    this.#clock = clock;
    this.#end = end;
  }

  /** Whether it has expired and not ended yet. */
  has(session: T): boolean {
    return this.#waiting.has(session);
  }

  /** It is to end: at the end of this turn of the event loop, or after those that wait already. */
  add(session: T): void {
    this.#waiting.add(session);
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#clock.defer(() => this.#endSome());
  }

  /** It is not to end here, or is to be ended by the caller. */
  delete(session: T): void {
    this.#waiting.delete(session);
  }

  /** Those that have not ended are left as they are. */
  stop(): void {
    if (this.#pause !== undefined) this.#clock.clearTimer(this.#pause);
    this.#pause = undefined;
    this.#waiting.clear();
  }

  #endSome(): void {
    this.#pause = undefined;
    const deadline = this.#clock.monotonic() + sliceMs;
    for (const session of this.#waiting) {
      if (this.#clock.monotonic() >= deadline) {
        this.#pause = this.#clock.setTimer(pauseMs, () => this.#endSome());
        return;
      }
      this.#waiting.delete(session);
      this.#end(session);
    }
    this.#isEnding = false;
  }
}
