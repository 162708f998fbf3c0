/** PINGREQ packets on their way, oldest first: PINGRESP has nothing to tell one from another but its order. */
import type { Clock } from '../base/clock.ts';
import { RingQueue } from '../base/ring-queue.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { Link } from './link.ts';

interface Ping {
  readonly sentMs: number;
  /** None for those that only keep the connection alive. */
  readonly settle: ((error: Error | undefined, roundTripMs: number) => void) | undefined;
}

export class Pings {
  readonly #clock: Clock;
  #open = new RingQueue<Ping>();
  #awaited = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a caller waits for a PINGRESP. */
  get awaitsAnswer(): boolean {
    return this.#awaited > 0;
  }

  /** @param settle told with the PINGRESP, or why it will not come */
  send(link: Link, settle?: (error: Error | undefined, roundTripMs: number) => void): void {
    link.send({ type: PacketType.PINGREQ });
    this.#open.push({ sentMs: this.#clock.monotonic(), settle });
    if (settle !== undefined) this.#awaited++;
  }

  /** A PINGRESP came. */
  answered(): void {
    const ping = this.#open.shift();
    if (ping?.settle === undefined) return;
    this.#awaited--;
    ping.settle(undefined, this.#clock.monotonic() - ping.sentMs);
  }

  connectionLost(error: Error): void {
    const lost = this.#open;
    this.#open = new RingQueue();
    this.#awaited = 0;
    for (const ping of lost) ping.settle?.(error, 0);
  }
}
