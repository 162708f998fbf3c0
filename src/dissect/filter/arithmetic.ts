/** Sums, products and bits of values. A calculation has a value for every pair of values; one that has no result, such as 1 / 0, has none. */
import { type FieldValue, TimeValue } from '../field.ts';
import { Network } from './address-literal.ts';
import { type CheckedOperand, computedOperand, constantOperand } from './checked-operand.ts';
import type { ArithmeticOperator } from './expression.ts';
import { addTimes, negateTime } from './time-literal.ts';

type Calculation = (left: FieldValue, right: FieldValue) => FieldValue;

export function calculate(operator: ArithmeticOperator, left: CheckedOperand, right: CheckedOperand): CheckedOperand {
  const calculation = calculations[operator](left.kind);
  const { type } = left;
  if (left.constant !== undefined && right.constant !== undefined) {
    const value = calculation(left.constant as FieldValue, right.constant as FieldValue);
    if (value !== undefined) return constantOperand({ type, field: undefined }, value);
  }
  const readLeft = left.read;
  const readRight = right.read;
  return computedOperand(
    type,
    undefined,
    (values) => {
      const lefts = readLeft(values);
      if (lefts === undefined) return undefined;
      const rights = readRight(values);
      if (rights === undefined) return undefined;
      const results: FieldValue[] = [];
      for (const ours of lefts) {
        for (const theirs of rights) {
          const result = calculation(ours, theirs);
          if (result !== undefined) results.push(result);
          if (results.length >= resultsMax) return results;
        }
      }
      return results;
    },
    true,
  );
}

/** So that products of long lists stay bounded. */
const resultsMax = 65_536;

export function negate(operand: CheckedOperand): CheckedOperand {
  const change = (value: FieldValue) => (value instanceof TimeValue ? negateTime(value) : 0 - Number(value));
  const { type, constant, read } = operand;
  if (constant !== undefined) return constantOperand({ type, field: undefined }, change(constant as FieldValue));
  return computedOperand(type, undefined, (values) => read(values)?.map(change), true);
}

/** Whether a calculation alone counts as true. */
export function isNonzero(value: FieldValue): boolean {
  if (value instanceof Uint8Array) return value.some((byte) => byte !== 0);
  if (value instanceof TimeValue) return value.seconds !== 0 || value.nanoseconds !== 0;
  return Number(value) !== 0;
}

const calculations: Readonly<Record<ArithmeticOperator, (kind: CheckedOperand['kind']) => Calculation>> = {
  '+': (kind) => (kind === 'relative-time' ? (left, right) => addTimes(left as TimeValue, right as TimeValue, 1) : add),
  '-': (kind) =>
    kind === 'relative-time' ? (left, right) => addTimes(left as TimeValue, right as TimeValue, -1) : subtract,
  '*': () => (left, right) => Number(left) * Number(right),
  '/': (kind) => (kind === 'float' ? divide : (left, right) => truncated(divide(left, right))),
  '%': () => (left, right) => (Number(right) === 0 ? undefined : Number(left) % Number(right)),
  '&': (kind) => (kind === 'integer' ? maskNumbers : kind === 'ipv4' ? maskAddresses : maskBytes),
};

function add(left: FieldValue, right: FieldValue): number {
  return Number(left) + Number(right);
}

function subtract(left: FieldValue, right: FieldValue): number {
  return Number(left) - Number(right);
}

function divide(left: FieldValue, right: FieldValue): number | undefined {
  return Number(right) === 0 ? undefined : Number(left) / Number(right);
}

function truncated(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.trunc(value);
}

function maskNumbers(left: FieldValue, right: FieldValue): number {
  const ours = Number(left);
  const theirs = Number(right);
  if (ours >= 0 && theirs >= 0 && ours <= 0xffffffff && theirs <= 0xffffffff) return (ours & theirs) >>> 0;
  return Number(BigInt.asUintN(64, BigInt(ours)) & BigInt.asUintN(64, BigInt(theirs)));
}

function maskAddresses(left: FieldValue, right: FieldValue | Network): number {
  const theirs = right instanceof Network ? right.address : right;
  return (Number(left) & Number(theirs)) >>> 0;
}

/** As long as the shorter of both. */
function maskBytes(left: FieldValue, right: FieldValue | Network): Uint8Array {
  const ours = left as Uint8Array;
  const theirs = (right instanceof Network ? right.address : right) as Uint8Array;
  const result = new Uint8Array(Math.min(ours.length, theirs.length));
  for (let index = 0; index < result.length; index++) result[index] = ours[index]! & theirs[index]!;
  return result;
}
