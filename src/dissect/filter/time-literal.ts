/** Times as filters write them. */
import { TimeValue } from '../field.ts';

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');

const iso =
  /^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\s*(\d{1,2})(?::(\d{1,2})(?::(\d{1,2})(?:[.,](\d+))?)?)?)?\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)?\s*$/;
const legacy = /^\s*([A-Za-z]{3})\s+(\d{1,2}),\s*(\d{4})\s+(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d+))?\s*(UTC)?\s*$/;

/**
 * `2020-07-04T12:34:56.789Z`, `2020-07-04 12:34`, `2020-07-04`, `Sep 26, 2004 23:18:04.954975 UTC`: in local time unless it has a zone.
 * @returns undefined if it is no time, or no such day or hour
 */
export function parseAbsoluteTime(text: string): TimeValue | undefined {
  const modern = iso.exec(text);
  if (modern !== null) {
    const [, year, month, day, hour, minute, second, fraction, zone] = modern;
    return makeTime([year, month, day, hour, minute, second].map(toNumber), fraction, zone);
  }
  const old = legacy.exec(text);
  if (old === null) return undefined;
  const [, name, day, year, hour, minute, second, fraction, zone] = old;
  const month = months.indexOf(name!.toLowerCase()) + 1;
  return makeTime([toNumber(year), month, ...[day, hour, minute, second].map(toNumber)], fraction, zone);
}

function toNumber(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits);
}

/** @param parts - year, month from 1, day, hour, minute, second */
function makeTime(
  parts: readonly number[],
  fraction: string | undefined,
  zone: string | undefined,
): TimeValue | undefined {
  const [year, month, day, hour, minute, second] = parts as [number, number, number, number, number, number];
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return undefined;
  // The last day of a month is the one before the first of the next.
  if (day > new Date(Date.UTC(year, month, 0)).getUTCDate()) return undefined;
  const milliseconds =
    zone === undefined
      ? new Date(year, month - 1, day, hour, minute, second).getTime()
      : Date.UTC(year, month - 1, day, hour, minute, second) - zoneMinutes(zone) * 60_000;
  const nanoseconds = fraction === undefined ? 0 : Number(fraction.slice(0, 9).padEnd(9, '0'));
  return new TimeValue(Math.floor(milliseconds / 1000), nanoseconds);
}

/** Minutes east of Greenwich. */
function zoneMinutes(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (match === null) return 0;
  const minutes = Number(match[2]) * 60 + toNumber(match[3]);
  return match[1] === '-' ? -minutes : minutes;
}

/** Seconds, with at most nine digits behind the point: `0.5`. Signs are operators. */
export function parseRelativeTime(text: string): TimeValue | undefined {
  const match = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  return new TimeValue(Number(match[1]), Number((match[2] ?? '').padEnd(9, '0')));
}

export function compareTimes(left: TimeValue, right: TimeValue): number {
  return left.seconds - right.seconds || left.nanoseconds - right.nanoseconds;
}

/** Sum, or difference with `sign` −1: both parts have the sign of the whole. */
export function addTimes(left: TimeValue, right: TimeValue, sign: 1 | -1): TimeValue {
  let seconds = left.seconds + sign * right.seconds;
  let nanoseconds = left.nanoseconds + sign * right.nanoseconds;
  if (nanoseconds >= 1e9 || nanoseconds <= -1e9) {
    const carry = Math.sign(nanoseconds);
    seconds += carry;
    nanoseconds -= carry * 1e9;
  }
  if (seconds > 0 && nanoseconds < 0) {
    seconds--;
    nanoseconds += 1e9;
  } else if (seconds < 0 && nanoseconds > 0) {
    seconds++;
    nanoseconds -= 1e9;
  }
  return new TimeValue(seconds, nanoseconds);
}

export function negateTime({ seconds, nanoseconds }: TimeValue): TimeValue {
  return new TimeValue(0 - seconds, 0 - nanoseconds);
}
