/** The conversions of strftime(3) in the C locale, one character each, as `-F` takes them after `@`. */
import { timeConversion } from '../../base/strftime.ts';
import type { LocalTime } from './local-time.ts';
import { zoneName } from './zone-name.ts';

/** Known so far. Of zones' names the system knows more than JavaScript. */
const conversions = new Map<string, ((date: Date) => string) | undefined>([['Z', zoneName]]);

/**
 * What strftime makes of `%` and this character. A character that means nothing comes back with its `%`, as glibc has it: a digit, which
 * would be a field width, in a field of that width.
 */
export function strftime(character: string, { date }: LocalTime): string {
  let conversion = conversions.get(character);
  if (conversion === undefined) {
    conversion = timeConversion(character);
    conversions.set(character, conversion);
  }
  if (conversion !== undefined) return conversion(date);
  const width = /^[1-9]$/.test(character) ? Number(character) : 0;
  return `%${character}`.padStart(width);
}
