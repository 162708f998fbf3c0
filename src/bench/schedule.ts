/**
 * When each message of a paced run is due, whatever the broker does: latency is counted from then on, not from the moment at which
 * the generator could send. A broker that stands still for a second so makes a second of latency for all that was due meanwhile, instead
 * of for one message (the mistake called coordinated omission).
 *
 * Message n of all is due n / rate after the start; publishers take turns, so publisher p of P sends n = p, p + P, p + 2 P …
 */
export class Schedule {
  /** Messages a second, of all publishers. */
  readonly rate: number;
  readonly #publishers: number;
  #startMs = Number.POSITIVE_INFINITY;
  /** Messages of the whole run. */
  #total = Number.POSITIVE_INFINITY;

  constructor(rate: number, publishers: number) {
    this.rate = rate;
    this.#publishers = publishers;
  }

  get startMs(): number {
    return this.#startMs;
  }

  get total(): number {
    return this.#total;
  }

  /** @param startMs when the first message is due, as `performance.now()` counts */
  start(startMs: number, seconds: number): void {
    this.#startMs = startMs;
    this.#total = Math.floor(this.rate * seconds);
  }

  /** Nothing that is due later than now is sent any more. */
  cut(nowMs: number): void {
    this.#total = this.dueOfAll(nowMs);
  }

  /** Messages of all publishers that are due by now. */
  dueOfAll(nowMs: number): number {
    if (nowMs < this.#startMs) return 0;
    return Math.min(this.#total, Math.floor(((nowMs - this.#startMs) * this.rate) / 1000) + 1);
  }

  /** Messages of one publisher that are due by now. */
  dueOf(publisher: number, nowMs: number): number {
    return Math.max(0, Math.ceil((this.dueOfAll(nowMs) - publisher) / this.#publishers));
  }

  /** When message `index` (from 0) of a publisher is due. */
  dueMs(publisher: number, index: number): number {
    return this.dueMsOfAll(index * this.#publishers + publisher);
  }

  /** When message n of all is due. */
  dueMsOfAll(index: number): number {
    return this.#startMs + (index * 1000) / this.rate;
  }
}
