/** How much a report remembers, so that no capture is too large for it. What is left out is counted, and said in its notes. */

export interface ReportLimits {
  /** Rows of a table. Default 250,000. */
  readonly rowsMax?: number;
  /** Messages that later deliveries are looked for among, over all topics. Default 100,000. */
  readonly sourcesMax?: number;
  /** Pairs of a message and a client that has it, among those. Default 1,000,000. */
  readonly linksMax?: number;
  /** Sessions whose subscriptions are known. Default 65,536. */
  readonly sessionsMax?: number;
  /** Subscriptions that are known, over all Sessions. Default 500,000. */
  readonly subscriptionsMax?: number;
}

export const defaultLimits: Required<ReportLimits> = {
  rowsMax: 250_000,
  sourcesMax: 100_000,
  linksMax: 1_000_000,
  sessionsMax: 65_536,
  subscriptionsMax: 500_000,
};

/** Rows of a table: as many as may be, and how many more there would be. */
export class BoundedList<T> {
  readonly items: T[] = [];
  readonly #countMax: number;
  leftOut = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Whether it was taken. */
  add(item: T): boolean {
    if (this.items.length >= this.#countMax) {
      this.leftOut++;
      return false;
    }
    this.items.push(item);
    return true;
  }

  note(what: string): string | undefined {
    if (this.leftOut === 0) return undefined;
    return `${this.leftOut} more ${what} are left out: ${this.#countMax} are the limit; -Y makes a choice among packets`;
  }
}
