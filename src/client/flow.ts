/**
 * Holds the server back when messages come faster than they are handled.
 *
 *     reading ──receiveQueueMax unread──▶ paused ──half of them handled──▶ reading
 *                                           │ ▲
 *              nothing handled for a while, │ │ a message handled, or nothing
 *              and an answer is awaited     ▼ │ awaited any more
 *                                        reading on
 *
 * "Reading on" is for a handler that waits for an acknowledgement (it forwards what it gets, say): the acknowledgement stands behind
 * messages that would never be read. Should they come to a hundred times `receiveQueueMax`, those at QoS 0 are dropped.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import type { Flow } from './consumer.ts';
import type { Link } from './link.ts';

/** Milliseconds without a message handled after which the handler may be waiting for the server. */
const stallMs = 100;
/** Times `receiveQueueMax`. */
const overflowFactor = 100;

export class FlowControl implements Flow {
  readonly #unreadMax: number;
  readonly #clock: Clock;
  readonly #awaitsAnswer: () => boolean;
  #link: Link | undefined;
  #unread = 0;
  #isReadingOn = false;
  #timer: TimerHandle | undefined;

  constructor(unreadMax: number, clock: Clock, awaitsAnswer: () => boolean) {
    this.#unreadMax = unreadMax;
    this.#clock = clock;
    this.#awaitsAnswer = awaitsAnswer;
  }

  /** Whether QoS 0 messages have to be dropped. */
  get isOverflowing(): boolean {
    return this.#unread >= this.#unreadMax * overflowFactor;
  }

  connected(link: Link): void {
    this.#link = link;
    this.#regulate();
  }

  connectionLost(): void {
    this.#link = undefined;
    this.#isReadingOn = false;
    this.#stopTimer();
  }

  added(): void {
    this.#unread++;
    if (this.#unread >= this.#unreadMax) this.#regulate();
  }

  removed(count: number): void {
    if (count === 0) return;
    this.#unread -= count;
    this.#isReadingOn = false;
    this.#stopTimer();
    this.#regulate();
  }

  /** Answers have come. */
  answered(): void {
    if (!this.#isReadingOn || this.#awaitsAnswer()) return;
    this.#isReadingOn = false;
    this.#regulate();
  }

  #regulate(): void {
    const link = this.#link;
    if (link === undefined) return;
    if (!link.isPaused) {
      if (this.#unread < this.#unreadMax || this.#isReadingOn) return;
      link.pause();
      this.#watch();
    } else if (this.#unread <= this.#unreadMax >> 1 || this.#isReadingOn) {
      this.#stopTimer();
      link.resume();
    } else {
      this.#watch();
    }
  }

  #watch(): void {
    this.#timer ??= this.#clock.setTimer(stallMs, () => {
      this.#timer = undefined;
      this.#isReadingOn = this.#awaitsAnswer();
      this.#regulate();
    });
  }

  #stopTimer(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
