/**
 * When connections write what they have gathered: at the end of the turn of the event loop, so that what came for one receiver from many
 * connections is one write; but what was brought by the first chunk after a pause is written at once: there may be nothing else to do, and if
 * there is, others can work meanwhile (1→100 at QoS 1 and 2 carries a seventh more).
 *
 *     ── pause ──▶ chunk ▶ flush   chunk   chunk   chunk ▶ end of the turn: flush
 */
import type { Clock } from '../base/clock.ts';
import { BusyPoll } from './busy-poll.ts';
import type { PacketOutput } from './packet-output.ts';

/** Milliseconds without a chunk that are a pause: the broker waited for one, rather than for the system to hand it the next. */
const pauseMs = 0.01;
/** From so many connections on the last is written to first. */
const manyConnections = 8;

export class OutputTurn {
  /** What the broker does between chunks. */
  readonly busyPoll: BusyPoll;
  readonly #clock: Clock;
  readonly #flushed: () => void;
  #connections: PacketOutput[] = [];
  #isDeferred = false;
  /** The chunk in hand is the first after a pause. */
  #isAtOnce = false;
  /** When the last chunk had been worked through, or what came of it written. */
  #restingSince = Number.NEGATIVE_INFINITY;

  /** @param flushed called each time that everything has been written */
  constructor(clock: Clock, flushed: () => void) {
    this.#clock = clock;
    this.#flushed = flushed;
    this.busyPoll = new BusyPoll(clock);
  }

  /** Has the connection's output written in time. */
  add(connection: PacketOutput): void {
    this.#connections.push(connection);
    if (this.#isDeferred || this.#isAtOnce) return;
    this.#isDeferred = true;
    this.#clock.defer(this.#flush);
  }

  /** A chunk is there. Returns the time, milliseconds of the monotonic clock. */
  chunkBegins(): number {
    const now = this.#clock.monotonic();
    this.#isAtOnce = now - this.#restingSince > pauseMs;
    this.busyPoll.chunkBegins(now);
    return now;
  }

  /** The chunk has been worked through. */
  chunkEnds(): void {
    if (this.#isAtOnce) {
      this.#isAtOnce = false;
      if (this.#connections.length > 0) {
        this.#flush();
        return;
      }
    }
    this.#rest();
  }

  /** There is nothing to do at this moment. */
  #rest(): void {
    const now = this.#clock.monotonic();
    this.#restingSince = now;
    this.busyPoll.rest(now);
  }

  readonly #flush = (): void => {
    this.#isDeferred = false;
    const connections = this.#connections;
    this.#connections = [];
    // A publisher's acknowledgement was appended after what its messages gave to others. If those are many, it goes first: the publisher can
    // go on meanwhile (1→100 at QoS 1 and 2 carries a tenth more). If they are few, they are not made to wait for it.
    if (connections.length < manyConnections) for (const connection of connections) connection.flush();
    else for (let index = connections.length - 1; index >= 0; index--) (connections[index] as PacketOutput).flush();
    this.#flushed();
    this.#rest();
  };
}
