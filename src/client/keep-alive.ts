/**
 * Keeps a connection alive and notices when it is not. A PINGREQ goes out when for the keep alive time nothing was sent
 * [MQTT-3.1.2-20], or nothing came. A server from which then for as long again nothing comes, the PINGRESP or anything else, is gone.
 */
import type { Clock, TimerHandle } from '../base/clock.ts';
import type { Link } from './link.ts';

export class KeepAlive {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #ping: () => void;
  readonly #onDead: () => void;
  /** `Clock.monotonic` of the PINGREQ of ours that is not answered by anything yet. */
  #pingedMs: number | undefined;
  #timer: TimerHandle | undefined;

  /** @param keepAlive seconds; 0 does nothing */
  constructor(link: Link, clock: Clock, keepAlive: number, ping: () => void, onDead: () => void) {
    this.#link = link;
    this.#clock = clock;
    this.#intervalMs = keepAlive * 1_000;
    this.#ping = ping;
    this.#onDead = onDead;
    if (keepAlive > 0) this.#schedule();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  /** Timers are not moved with each packet: when one fires it looks how much is left. */
  #schedule(): void {
    const { lastSentMs, lastReceivedMs, isPaused } = this.#link;
    const sinceMs = this.#pingedMs ?? (isPaused ? lastSentMs : Math.min(lastSentMs, lastReceivedMs));
    const delayMs = sinceMs + this.#intervalMs - this.#clock.monotonic();
    this.#timer = this.#clock.setTimer(Math.max(1, delayMs), () => this.#check());
  }

  #check(): void {
    const now = this.#clock.monotonic();
    const { lastSentMs, lastReceivedMs, isPaused } = this.#link;
    // Paused, we do not hear the answer, so its absence says nothing.
    if (this.#pingedMs !== undefined && (isPaused || lastReceivedMs >= this.#pingedMs)) this.#pingedMs = undefined;
    if (this.#pingedMs !== undefined) {
      if (now - this.#pingedMs >= this.#intervalMs) {
        this.#onDead();
        return;
      }
    } else if (now - lastSentMs >= this.#intervalMs || (!isPaused && now - lastReceivedMs >= this.#intervalMs)) {
      this.#pingedMs = now;
      this.#ping();
    }
    this.#schedule();
  }
}
