/** Makes the publishers of a paced run send what is due, when it is due, and gathers the latencies. */
import { Latencies } from './latency.ts';
import type { LatencyResult } from './load-options.ts';
import type { Pace, Publisher } from './publisher.ts';
import { Schedule } from './schedule.ts';
import type { Arrivals } from './subscriber.ts';

/**
 * Below this the event loop is kept turning instead of set to sleep: Node's timers are good for a millisecond, and a message that is late
 * would count as slow.
 */
const spinMs = 2;

export class Pacer implements Arrivals {
  readonly #schedule: Schedule;
  readonly #publishers: number;
  readonly #topics: number;
  readonly #deliveries = new Latencies();
  readonly #acknowledgements = new Latencies();
  readonly #generator = new Latencies();
  readonly #paces: Pace[];
  #fromMs = Number.POSITIVE_INFINITY;
  /** Messages of all that were seen to be due. */
  #seen = 0;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param rate messages a second of all publishers, above 0 */
  constructor(rate: number, publishers: number, topics: number) {
    this.#schedule = new Schedule(rate, publishers);
    this.#publishers = publishers;
    this.#topics = topics;
    this.#paces = Array.from({ length: publishers }, (_, publisher) => ({
      schedule: this.#schedule,
      publisher,
      acknowledgements: this.#acknowledgements,
      fromMs: Number.POSITIVE_INFINITY,
    }));
  }

  paceOf(publisher: number): Pace {
    return this.#paces[publisher]!;
  }

  /** The first message is due now. @param onError gets what a publisher throws */
  start(
    publishers: readonly Publisher[],
    warmUpSeconds: number,
    seconds: number,
    onError: (error: unknown) => void,
  ): void {
    const startMs = performance.now();
    this.#schedule.start(startMs, warmUpSeconds + seconds);
    this.#fromMs = startMs + warmUpSeconds * 1000;
    for (const pace of this.#paces) pace.fromMs = this.#fromMs;
    const turn = (): void => {
      if (this.#isStopped) return;
      try {
        this.#tick(publishers);
      } catch (error) {
        onError(error);
        return;
      }
      if (this.#seen >= this.#schedule.total) return;
      const aheadMs = this.#schedule.dueMsOfAll(this.#seen) - performance.now();
      if (aheadMs < spinMs) setImmediate(turn);
      else this.#timer = setTimeout(turn, aheadMs - spinMs + 1);
    };
    turn();
  }

  /** Nothing new is due any more. */
  cut(): void {
    this.#schedule.cut(performance.now());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  take(stream: number, counter: number, nowMs: number): void {
    const publisher = Math.floor(stream / this.#topics);
    const dueMs = this.#schedule.dueMs(publisher, counter * this.#topics + (stream % this.#topics));
    if (dueMs >= this.#fromMs) this.#deliveries.record(nowMs - dueMs);
  }

  /** @param sent messages of all publishers */
  result(sent: number): LatencyResult {
    return {
      rate: this.#schedule.rate,
      delivery: this.#deliveries.summary(),
      acknowledgement: this.#acknowledgements.summary(),
      generator: this.#generator.summary(),
      unsent: Math.max(0, this.#schedule.total - sent),
    };
  }

  /** Has those publishers send whose messages have come due since the last time. What they cannot send now they send when they can. */
  #tick(publishers: readonly Publisher[]): void {
    const nowMs = performance.now();
    const due = this.#schedule.dueOfAll(nowMs);
    const fresh = due - this.#seen;
    if (fresh <= 0) return;
    const oldestMs = this.#schedule.dueMsOfAll(this.#seen);
    // Those due later were seen sooner after; for all of them the longest is taken.
    if (oldestMs >= this.#fromMs) this.#generator.record(nowMs - oldestMs, fresh);
    for (let index = 0; index < Math.min(fresh, this.#publishers); index++) {
      publishers[(this.#seen + index) % this.#publishers]!.endTurn();
    }
    this.#seen = due;
  }
}
