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

/** East of Greenwich as `+hhmm`. */
export function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  const distance = Math.abs(minutes);
  return sign + String(Math.floor(distance / 60)).padStart(2, '0') + String(distance % 60).padStart(2, '0');
}

/** Which locale knows the short name of a zone differs; the first that has more than an offset wins. */
const zoneNameLocales = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'en-NZ'];
const zoneNames = new Map<string, string>();

/** The short name of the time zone at that moment, such as `CET`; its offset where it has none. */
export function zoneName(date: Date): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const key = `${zone} ${date.getTimezoneOffset()}`;
  let name = zoneNames.get(key);
  if (name === undefined) {
    const names = zoneNameLocales.map((locale) => shortName(date, locale));
    const [first = ''] = names;
    name = names.find((candidate) => /^[A-Z]+$/.test(candidate)) ?? first.replace(/^GMT/, '');
    zoneNames.set(key, name);
  }
  return name;
}

function shortName(date: Date, locale: string): string {
  const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}
