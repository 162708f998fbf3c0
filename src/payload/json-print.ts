/** Writes JSON the way the classic clients do: on one line, or pretty with tabs. */
import { quoteJson } from './json-string.ts';
import { JsonObject, type JsonValue } from './json-value.ts';

/**
 * `compact` has no white space. `pretty` gives each member of an object its line, indented by tabs, and puts a tab after the colon;
 * arrays stay on their line.
 */
export type JsonStyle = 'compact' | 'pretty';

/** The text of a value. `depth` is how many arrays and objects it stands in. */
export function printJson(value: JsonValue, style: JsonStyle = 'compact', depth = 0): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return printJsonNumber(value);
  if (typeof value === 'string') return quoteJson(value);
  if (value instanceof JsonObject) {
    return printJsonMembers(
      value.members.map(([name, member]) => [name, printJson(member, style, depth + 1)]),
      style,
      depth,
    );
  }
  const items = value.map((item) => printJson(item, style, depth + 1));
  return `[${items.join(style === 'pretty' ? ', ' : ',')}]`;
}

/** The text of an object whose members' values are printed already. */
export function printJsonMembers(
  members: readonly (readonly [name: string, text: string])[],
  style: JsonStyle,
  depth = 0,
): string {
  if (style === 'compact') return `{${members.map(([name, text]) => `${quoteJson(name)}:${text}`).join(',')}}`;
  const indent = '\t'.repeat(depth + 1);
  const lines = members.map(([name, text]) => `${indent}${quoteJson(name)}:\t${text}`).join(',\n');
  return `{\n${lines}${lines === '' ? '' : '\n'}${'\t'.repeat(depth)}}`;
}

/**
 * A number with 15 significant digits if they are as good as all that a double has, else with 17, without trailing zeros; `null`
 * for what JSON cannot say.
 */
export function printJsonNumber(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  const short = generalNumber(value, 15);
  const difference = Math.abs(Number(short) - value);
  return difference <= Math.abs(value) * Number.EPSILON ? short : generalNumber(value, 17);
}

/** C's `%.{precision}g`: fixed notation for exponents from -4 up to the precision, scientific with at least two digits else. */
function generalNumber(value: number, precision: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', exponentText = ''] = value.toExponential(precision - 1).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < precision) return trimZeros(value.toFixed(Math.max(0, precision - 1 - exponent)));
  const sign = exponent < 0 ? '-' : '+';
  return `${trimZeros(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function trimZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}
