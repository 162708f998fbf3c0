/** What stands in brackets: `[0:2]`, `[1-3]`, `[:4]`, `[2:]`, `[-4:]`, and lists of them, for slices and layers. */
import { emptyBytes } from '../../base/bytes.ts';
import { type Span, syntaxError } from './point-at.ts';

export interface IndexRange {
  /** From 0; negative: from the end. */
  readonly start: number;
  /** How many; Infinity: to the end; undefined: `last` says where it ends. */
  readonly count: number | undefined;
  /** The last one that belongs to it, of the same sign as `start`. */
  readonly last: number | undefined;
}

/** More than any slice that makes sense. */
const rangesMax = 64;

/**
 * @param text - what stands between the brackets
 * @param offset - column of its first character
 * @throws {FilterSyntaxError}
 */
export function parseRanges(text: string, offset: number): IndexRange[] {
  const ranges: IndexRange[] = [];
  let start = offset;
  for (const part of text.split(',')) {
    const leading = part.length - part.trimStart().length;
    const word = part.trim();
    const span = { start: start + leading, end: start + leading + word.length };
    if (word === '') {
      throw syntaxError('A range was expected here, such as 0, 0:2, 1-3, :4 or 2:.', {
        start: span.start,
        end: span.start + 1,
      });
    }
    ranges.push(parseRange(word, span));
    if (ranges.length > rangesMax) throw syntaxError(`More than ${rangesMax} ranges in one pair of brackets.`, span);
    start += part.length + 1;
  }
  return ranges;
}

const number = String.raw`[+-]?(?:0[xX][0-9a-fA-F]{1,8}|\d{1,10})`;
const single = new RegExp(`^(${number})$`);
const colon = new RegExp(`^(${number})?\\s*:\\s*(${number})?$`);
const dash = new RegExp(`^(${number})\\s*-\\s*(${number})$`);

function parseRange(word: string, span: Span): IndexRange {
  const one = single.exec(word);
  if (one !== null) return { start: parseIndex(one[1]!, span), count: 1, last: undefined };
  const counted = colon.exec(word);
  if (counted !== null) {
    const start = counted[1] === undefined ? 0 : parseIndex(counted[1], span);
    const count = counted[2] === undefined ? Number.POSITIVE_INFINITY : parseIndex(counted[2], span);
    if (count <= 0) throw syntaxError(`Range ${word} isn't valid because length ${count} isn't positive.`, span);
    return { start, count, last: undefined };
  }
  const ended = dash.exec(word);
  if (ended === null) {
    throw syntaxError(`"${word}" is not a valid range; expected i, i:length, i-last, :length or i:.`, span);
  }
  const start = parseIndex(ended[1]!, span);
  const last = parseIndex(ended[2]!, span);
  if (start < 0 !== last < 0) {
    throw syntaxError(`Range ${word} isn't valid because ${start} and ${last} have different signs.`, span);
  }
  if (start > last) throw syntaxError(`Range ${word} isn't valid because ${start} is greater than ${last}.`, span);
  return { start, count: undefined, last };
}

/** Decimal, hexadecimal with 0x, octal with 0. */
function parseIndex(text: string, span: Span): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const digits = text.replace(/^[+-]/, '');
  const isOctal = /^0\d/.test(digits);
  const value = isOctal ? (/^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN) : Number(digits);
  if (!Number.isInteger(value) || value > 0x7fffffff) {
    throw syntaxError(`"${text}" is not a valid number for a range.`, span);
  }
  return value === 0 ? 0 : sign * value;
}

/** As it is written. */
export function formatRanges(ranges: readonly IndexRange[]): string {
  return ranges
    .map(({ start, count, last }) => {
      if (last !== undefined) return `${start}-${last}`;
      if (count === 1) return `${start}`;
      return count === Number.POSITIVE_INFINITY ? `${start}:` : `${start}:${count}`;
    })
    .join(',');
}

/** The bytes that the ranges take, one after the other; ranges that are not wholly inside take none. */
export function sliceBytes(bytes: Uint8Array, ranges: readonly IndexRange[]): Uint8Array {
  if (ranges.length === 1) return sliceOne(bytes, ranges[0]!);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const range of ranges) {
    const part = sliceOne(bytes, range);
    parts.push(part);
    length += part.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sliceOne(bytes: Uint8Array, { start, count, last }: IndexRange): Uint8Array {
  const first = start < 0 ? bytes.length + start : start;
  let end: number;
  if (last !== undefined) end = (last < 0 ? bytes.length + last : last) + 1;
  else end = count === Number.POSITIVE_INFINITY ? bytes.length : first + count!;
  if (first < 0 || first >= bytes.length || end > bytes.length) return emptyBytes;
  return bytes.subarray(first, end);
}

/** Whether a layer, counted from 1, of `total` is among the ranges. */
export function hasLayer(ranges: readonly IndexRange[], layer: number, total: number): boolean {
  for (const { start, count, last } of ranges) {
    const first = start < 0 ? total + 1 + start : start;
    const end = last !== undefined ? (last < 0 ? total + 1 + last : last) : first + count! - 1;
    if (layer >= first && layer <= end) return true;
  }
  return false;
}
