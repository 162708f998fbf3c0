/** The conversions of strftime(3) in the C locale, one character each, as `-F` takes them after `@`. */
import { type LocalTime, zoneName, zoneOffset } from './local-time.ts';

const dayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const monthNames = [
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
];

function digits(value: number, width: number, pad = '0'): string {
  return String(value).padStart(width, pad);
}

/** Days since the first of January, from 0. */
function dayOfYear(date: Date): number {
  // In UTC every day has 24 hours, also those on which clocks are changed here.
  const start = Date.UTC(date.getFullYear(), 0, 1);
  return Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000);
}

/** The week's number, counting from the first day of that name: Sunday for `firstDay` 0, Monday for 1. */
function weekOfYear(date: Date, firstDay: 0 | 1): number {
  const daysIntoWeek = (date.getDay() - firstDay + 7) % 7;
  return Math.floor((dayOfYear(date) - daysIntoWeek + 7) / 7);
}

/** The week of ISO 8601, which belongs to the year that has its Thursday. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() - ((date.getDay() + 6) % 7) + 3);
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

function hourOfTwelve(date: Date): number {
  return date.getHours() % 12 || 12;
}

const conversions: Readonly<Record<string, (time: LocalTime) => string>> = {
  a: ({ date }) => dayNames[date.getDay()]!.slice(0, 3),
  A: ({ date }) => dayNames[date.getDay()]!,
  b: ({ date }) => monthNames[date.getMonth()]!.slice(0, 3),
  B: ({ date }) => monthNames[date.getMonth()]!,
  c: (time) => all('abeTY', time),
  C: ({ date }) => digits(Math.floor(date.getFullYear() / 100), 2),
  d: ({ date }) => digits(date.getDate(), 2),
  D: (time) => all('mdy', time, '/'),
  e: ({ date }) => digits(date.getDate(), 2, ' '),
  F: (time) => all('Ymd', time, '-'),
  g: ({ date }) => digits(isoWeek(date).year % 100, 2),
  G: ({ date }) => String(isoWeek(date).year),
  h: (time) => strftime('b', time),
  H: ({ date }) => digits(date.getHours(), 2),
  I: ({ date }) => digits(hourOfTwelve(date), 2),
  j: ({ date }) => digits(dayOfYear(date) + 1, 3),
  k: ({ date }) => digits(date.getHours(), 2, ' '),
  l: ({ date }) => digits(hourOfTwelve(date), 2, ' '),
  m: ({ date }) => digits(date.getMonth() + 1, 2),
  M: ({ date }) => digits(date.getMinutes(), 2),
  n: () => '\n',
  p: ({ date }) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: ({ date }) => (date.getHours() < 12 ? 'am' : 'pm'),
  r: (time) => `${all('IMS', time, ':')} ${strftime('p', time)}`,
  R: (time) => all('HM', time, ':'),
  s: ({ epochSeconds }) => String(epochSeconds),
  S: ({ date }) => digits(date.getSeconds(), 2),
  t: () => '\t',
  T: (time) => all('HMS', time, ':'),
  u: ({ date }) => String(date.getDay() || 7),
  U: ({ date }) => digits(weekOfYear(date, 0), 2),
  V: ({ date }) => digits(isoWeek(date).week, 2),
  w: ({ date }) => String(date.getDay()),
  W: ({ date }) => digits(weekOfYear(date, 1), 2),
  x: (time) => strftime('D', time),
  X: (time) => strftime('T', time),
  y: ({ date }) => digits(date.getFullYear() % 100, 2),
  Y: ({ date }) => String(date.getFullYear()),
  z: ({ date }) => zoneOffset(date),
  Z: ({ date }) => zoneName(date),
  '%': () => '%',
};

function all(characters: string, time: LocalTime, separator = ' '): string {
  return [...characters].map((character) => strftime(character, time)).join(separator);
}

/**
 * What strftime makes of `%` and this character. A character that means nothing comes back with its `%`, as glibc has it: a digit, which
 * would be a field width, in a field of that width.
 */
export function strftime(character: string, time: LocalTime): string {
  const conversion = Object.hasOwn(conversions, character) ? conversions[character] : undefined;
  if (conversion !== undefined) return conversion(time);
  const width = /^[1-9]$/.test(character) ? Number(character) : 0;
  return `%${character}`.padStart(width);
}
