/** How two values of a kind stand to each other. */
import { type FieldValue, TimeValue } from '../field.ts';
import { Network } from './address-literal.ts';
import type { ComparisonOperator } from './expression.ts';
import type { LiteralValue } from './literals.ts';
import { compareTimes } from './time-literal.ts';

/** Below 0, 0 or above 0, as `left` is less than, equal to or more than `right`. NaN if they have no order. */
export function compareValues(left: FieldValue | Network, right: FieldValue | Network): number {
  if (typeof left === 'string') return typeof right === 'string' ? compareStrings(left, right) : Number.NaN;
  if (left instanceof Uint8Array) {
    if (right instanceof Network) return compareWithNetwork6(left, right);
    return right instanceof Uint8Array ? compareBytes(left, right) : Number.NaN;
  }
  if (left instanceof TimeValue) return right instanceof TimeValue ? compareTimes(left, right) : Number.NaN;
  if (right instanceof Network) {
    return ((Number(left) & right.mask) >>> 0) - ((Number(right.address) & right.mask) >>> 0);
  }
  return Number(left) - Number(right);
}

/** By code points, as the order of UTF-8 is: that of JavaScript puts what is above U+FFFF before U+E000. */
export function compareStrings(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const ours = left.charCodeAt(index);
    const theirs = right.charCodeAt(index);
    if (ours === theirs) continue;
    if (ours >= 0xd800 && theirs >= 0xd800) return rank(ours) - rank(theirs);
    return ours - theirs;
  }
  return left.length - right.length;
}

/** Surrogates after everything else. */
function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Shorter ones come first, as Wireshark has it. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  if (left.length !== right.length) return left.length - right.length;
  for (let index = 0; index < left.length; index++) {
    const difference = left[index]! - right[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function compareWithNetwork6(bytes: Uint8Array, { address, bits }: Network): number {
  const network = address as Uint8Array;
  const whole = bits >> 3;
  for (let index = 0; index < whole; index++) {
    const difference = (bytes[index] ?? 0) - network[index]!;
    if (difference !== 0) return difference;
  }
  if ((bits & 7) === 0) return 0;
  const mask = (0xff00 >> (bits & 7)) & 0xff;
  return ((bytes[whole] ?? 0) & mask) - (network[whole]! & mask);
}

/** Whether a value stands to others as an operator says. */
export function holds(operator: ComparisonOperator, left: FieldValue, right: FieldValue | Network): boolean {
  const order = compareValues(left, right);
  switch (operator) {
    case 'any_eq':
    case 'all_eq':
      return order === 0;
    case 'any_ne':
    case 'all_ne':
      return order !== 0;
    case 'gt':
      return order > 0;
    case 'ge':
      return order >= 0;
    case 'lt':
      return order < 0;
    case 'le':
      return order <= 0;
  }
}

export type ValueTest = (value: FieldValue) => boolean;

/** `holds` for one value on the right: made once, for many values on the left. */
export function testAgainst(operator: ComparisonOperator, right: LiteralValue): ValueTest {
  if (typeof right === 'number') return testNumber(operator, right);
  if (typeof right === 'string') {
    if (operator === 'any_eq' || operator === 'all_eq') return (value) => value === right;
    if (operator === 'any_ne' || operator === 'all_ne') return (value) => value !== right;
  }
  return (value) => holds(operator, value, right);
}

/** Values may be booleans, too: `Number` of them is 0 or 1. */
function testNumber(operator: ComparisonOperator, right: number): ValueTest {
  switch (operator) {
    case 'any_eq':
    case 'all_eq':
      return (value) => Number(value) === right;
    case 'any_ne':
    case 'all_ne':
      return (value) => Number(value) !== right;
    case 'gt':
      return (value) => Number(value) > right;
    case 'ge':
      return (value) => Number(value) >= right;
    case 'lt':
      return (value) => Number(value) < right;
    case 'le':
      return (value) => Number(value) <= right;
  }
}

/** Whether `part` occurs in `whole`; in what is empty nothing does. */
export function containsBytes(whole: Uint8Array, part: Uint8Array): boolean {
  const first = part[0];
  if (first === undefined) return whole.length > 0;
  const last = whole.length - part.length;
  for (let at = whole.indexOf(first); at >= 0 && at <= last; at = whole.indexOf(first, at + 1)) {
    let length = 1;
    while (length < part.length && whole[at + length] === part[length]) length++;
    if (length === part.length) return true;
  }
  return false;
}
