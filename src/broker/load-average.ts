/** Moving averages of rates, as Mosquitto publishes them under `$SYS/broker/load/`. */

/** Minutes over which Mosquitto averages. */
export const loadMinutes = [1, 5, 15] as const;

/**
 * The rate per minute at which a total grows, averaged over the last 1, 5 and 15 minutes: each update moves the average from
 * where it was towards the rate since the last update, the further the more time has passed.
 *
 *   average ← rate + (average − rate) · e^(−elapsed / minutes)
 */
export class LoadAverage {
  readonly #averages: number[] = loadMinutes.map(() => 0);
  #total: number;

  /** @param total where counting starts */
  constructor(total = 0) {
    this.#total = total;
  }

  /**
   * Takes note of a total.
   * @param elapsedSeconds since the last update; nothing is noted if it is not above 0
   */
  update(total: number, elapsedSeconds: number): void {
    if (!(elapsedSeconds > 0)) return;
    const ratePerMinute = ((total - this.#total) * 60) / elapsedSeconds;
    this.#total = total;
    for (const [index, minutes] of loadMinutes.entries()) {
      const keep = Math.exp(-elapsedSeconds / (minutes * 60));
      this.#averages[index] = ratePerMinute + keep * ((this.#averages[index] as number) - ratePerMinute);
    }
  }

  /** Events per minute, averaged over so many minutes. */
  over(minutes: (typeof loadMinutes)[number]): number {
    return this.#averages[loadMinutes.indexOf(minutes)] as number;
  }
}
