/** A moment on the clock of this computer, with nanoseconds, in its time zone. */

export interface LocalTime {
  readonly date: Date;
  /** Whole seconds since 1970 UTC. */
  readonly epochSeconds: number;
  /** 0–999,999,999. */
  readonly nanoseconds: number;
}

/** Nanoseconds that `Date.now()` and the monotonic clock may drift apart before they are set against each other again. */
const driftMax = 2_000_000n;

let offset: bigint | undefined;

/** The time now. `Date.now()` gives the milliseconds; the digits below come from the monotonic clock. */
export function localTimeNow(): LocalTime {
  const wall = BigInt(Date.now()) * 1_000_000n;
  const monotonic = process.hrtime.bigint();
  if (offset === undefined) offset = wall - monotonic;
  let now = monotonic + offset;
  const drift = now - wall;
  if (drift > driftMax || drift < -driftMax) {
    offset = wall - monotonic;
    now = wall;
  }
  const epochSeconds = Number(now / 1_000_000_000n);
  const nanoseconds = Number(now % 1_000_000_000n);
  return { date: new Date(epochSeconds * 1000 + Math.floor(nanoseconds / 1e6)), epochSeconds, nanoseconds };
}
