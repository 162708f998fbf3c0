/**
 * How long things took: counts in buckets that grow with the value, 32 for each doubling, so that a percentile is right to three percent, and
 * memory is bounded by how far the values lie apart: 1,600 buckets for anything from a nanosecond to a century.
 */
const bucketsPerDoubling = 32;

export interface LatencySummary {
  readonly count: number;
  /** Seconds, as all that follow. */
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

export class LatencyHistogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #sum = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  /** @param seconds - below 0, which clocks that were set make, counts as 0 */
  add(seconds: number): void {
    const nanoseconds = Math.max(0, Math.round(seconds * 1e9));
    const bucket = bucketOf(nanoseconds);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count++;
    this.#sum += nanoseconds;
    if (nanoseconds > this.#max) this.#max = nanoseconds;
  }

  summary(): LatencySummary | undefined {
    if (this.#count === 0) return undefined;
    const sorted = [...this.#buckets].sort(([a], [b]) => a - b);
    const at = (share: number): number => this.#valueAt(sorted, Math.ceil(share * this.#count)) / 1e9;
    return {
      count: this.#count,
      mean: this.#sum / this.#count / 1e9,
      p50: at(0.5),
      p90: at(0.9),
      p99: at(0.99),
      max: this.#max / 1e9,
    };
  }

  #valueAt(sorted: readonly (readonly [bucket: number, count: number])[], rank: number): number {
    let passed = 0;
    for (const [bucket, count] of sorted) {
      passed += count;
      if (passed >= rank) return Math.min(this.#max, middleOf(bucket));
    }
    return this.#max;
  }
}

/** Values below 32 have a bucket each. */
function bucketOf(value: number): number {
  if (value < bucketsPerDoubling) return value;
  const doublings = Math.floor(Math.log2(value)) - 5;
  return (doublings + 1) * bucketsPerDoubling + Math.floor(value / 2 ** doublings) - bucketsPerDoubling;
}

function middleOf(bucket: number): number {
  if (bucket < bucketsPerDoubling) return bucket;
  const doublings = Math.floor(bucket / bucketsPerDoubling) - 1;
  return Math.round(((bucket % bucketsPerDoubling) + bucketsPerDoubling + 0.5) * 2 ** doublings);
}
