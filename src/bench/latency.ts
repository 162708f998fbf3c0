/** Latencies, counted in a histogram of high dynamic range: bounded memory whatever the number of values, three digits of precision. */
import { build, type Histogram } from 'hdr-histogram-js';

/** In milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Values are kept in whole microseconds, up to an hour; beyond that they count as an hour. */
const microsecondsMax = 3_600_000_000;
const significantDigits = 3;

export class Latencies {
  readonly #histogram: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: microsecondsMax,
    numberOfSignificantValueDigits: significantDigits,
    bitBucketSize: 32,
    useWebAssembly: false,
  });
  #minMicroseconds = Number.POSITIVE_INFINITY;

  /** Takes a latency that occurred `count` times; below 0 is 0. About 160 ns. */
  record(milliseconds: number, count = 1): void {
    const microseconds = Math.min(microsecondsMax, Math.max(0, Math.round(milliseconds * 1000)));
    if (microseconds < this.#minMicroseconds) this.#minMicroseconds = microseconds;
    this.#histogram.recordValueWithCount(microseconds, count);
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Undefined if nothing was recorded. */
  summary(): LatencySummary | undefined {
    const histogram = this.#histogram;
    if (histogram.totalCount === 0) return undefined;
    const max = histogram.maxValue / 1000;
    // A percentile is the upper end of its class of values, which may lie above all of them.
    const at = (percentile: number) => Math.min(max, histogram.getValueAtPercentile(percentile) / 1000);
    return {
      count: histogram.totalCount,
      mean: histogram.mean / 1000,
      min: this.#minMicroseconds / 1000,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max,
    };
  }
}
