/** Dates as strftime(3) writes them in the C locale, in local time. */

/** A conversion: what it gives, and how it is padded to which width. */
interface Conversion {
  readonly text: (date: Date) => string | number;
  readonly width?: number;
  /** Default `'0'` for numbers. */
  readonly padding?: ' ' | '0';
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
const dayMs = 86_400_000;

const conversions: Readonly<Record<string, Conversion>> = {
  a: { text: (date) => days[date.getDay()]!.slice(0, 3) },
  A: { text: (date) => days[date.getDay()]! },
  b: { text: (date) => months[date.getMonth()]!.slice(0, 3) },
  B: { text: (date) => months[date.getMonth()]! },
  C: { text: (date) => Math.floor(date.getFullYear() / 100), width: 2 },
  d: { text: (date) => date.getDate(), width: 2 },
  e: { text: (date) => date.getDate(), width: 2, padding: ' ' },
  g: { text: (date) => isoWeek(date).year % 100, width: 2 },
  G: { text: (date) => isoWeek(date).year },
  H: { text: (date) => date.getHours(), width: 2 },
  I: { text: twelveHours, width: 2 },
  j: { text: (date) => dayOfYear(date) + 1, width: 3 },
  k: { text: (date) => date.getHours(), width: 2, padding: ' ' },
  l: { text: twelveHours, width: 2, padding: ' ' },
  m: { text: (date) => date.getMonth() + 1, width: 2 },
  M: { text: (date) => date.getMinutes(), width: 2 },
  n: { text: () => '\n' },
  p: { text: (date) => (date.getHours() < 12 ? 'AM' : 'PM') },
  P: { text: (date) => (date.getHours() < 12 ? 'am' : 'pm') },
  s: { text: (date) => Math.floor(date.getTime() / 1000) },
  S: { text: (date) => date.getSeconds(), width: 2 },
  t: { text: () => '\t' },
  u: { text: (date) => date.getDay() || 7 },
  U: { text: (date) => Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), width: 2 },
  V: { text: (date) => isoWeek(date).week, width: 2 },
  w: { text: (date) => date.getDay() },
  W: { text: (date) => Math.floor((dayOfYear(date) + 7 - ((date.getDay() + 6) % 7)) / 7), width: 2 },
  y: { text: (date) => date.getFullYear() % 100, width: 2 },
  Y: { text: (date) => date.getFullYear() },
  z: { text: zoneOffset },
  Z: { text: zoneName },
  '%': { text: () => '%' },
};

/** Conversions that stand for several. */
const composites: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  h: '%b',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

/**
 * Makes a function that writes dates in a format. Flags `-` (not padded), `_` (with blanks), `0` (with zeros), `^` (in upper case)
 * and the modifiers `E` and `O`, which change nothing in the C locale, are understood; what is no conversion stays as it is.
 */
export function compileTimeFormat(format: string): (date: Date) => string {
  const parts: Array<string | ((date: Date) => string)> = [];
  const pattern = /%([-_0^]*)[EO]?([a-zA-Z%])/g;
  let done = 0;
  for (let match = pattern.exec(format); match !== null; match = pattern.exec(format)) {
    const [whole, flags, letter] = match as unknown as [string, string, string];
    const part = compile(flags, letter);
    if (part === undefined) continue;
    parts.push(format.slice(done, match.index), part);
    done = match.index + whole.length;
  }
  parts.push(format.slice(done));
  return (date) => parts.map((part) => (typeof part === 'string' ? part : part(date))).join('');
}

/** The conversion of one letter, without flags; undefined if it is none. */
export function timeConversion(letter: string): ((date: Date) => string) | undefined {
  return compile('', letter);
}

function compile(flags: string, letter: string): ((date: Date) => string) | undefined {
  const raise = (text: string) => (flags.includes('^') ? text.toUpperCase() : text);
  if (Object.hasOwn(composites, letter)) {
    const write = compileTimeFormat(composites[letter]!);
    return (date) => raise(write(date));
  }
  if (!Object.hasOwn(conversions, letter)) return undefined;
  const { text, width = 0, padding = '0' } = conversions[letter]!;
  const asked = [...flags].reverse().find((flag) => flag !== '^');
  const fill = asked === '_' ? ' ' : asked === '0' ? '0' : padding;
  return (date) => raise(String(text(date)).padStart(asked === '-' ? 0 : width, fill));
}

function twelveHours(date: Date): number {
  return date.getHours() % 12 || 12;
}

/** Days since 1 January, which is 0. */
function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1);
  return (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / dayMs;
}

/** Week 1 of ISO 8601 is the one with the year's first Thursday; weeks begin on Monday. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 4 - (date.getDay() || 7));
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
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
