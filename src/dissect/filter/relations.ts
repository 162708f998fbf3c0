/** Comparisons, searches and membership, made into functions of a frame's values. */
import type { FieldType, FieldValue } from '../field.ts';
import type { CheckedOperand, ValueReader } from './checked-operand.ts';
import { compareValues, containsBytes, holds, testAgainst, type ValueTest } from './compare-values.ts';
import type { ComparisonOperator, Expression, Operand, Quantifier } from './expression.ts';
import type { FieldValues } from './field-values.ts';
import { isPattern, resolvePart } from './literals.ts';
import { bytesOperand, type OperandChecker, toBytes } from './operand-checker.ts';
import { syntaxError } from './point-at.ts';
import { compilePattern } from './regular-expression.ts';
import { canSearch, typeName } from './value-kind.ts';

export type FrameTest = (values: FieldValues) => boolean;
type Relation<K> = Expression & { readonly kind: K };

/** `any` and `all` before a comparison decide in place of its operator. */
function quantify(operator: ComparisonOperator, quantifier: Quantifier | undefined): [ComparisonOperator, Quantifier] {
  switch (operator) {
    case 'any_eq':
    case 'all_eq': {
      const which = quantifier ?? (operator === 'any_eq' ? 'any' : 'all');
      return [`${which}_eq`, which];
    }
    case 'any_ne':
    case 'all_ne': {
      const which = quantifier ?? (operator === 'any_ne' ? 'any' : 'all');
      return [`${which}_ne`, which];
    }
    default:
      return [operator, quantifier ?? 'any'];
  }
}

export function compileComparison(relation: Relation<'comparison'>, checker: OperandChecker): FrameTest {
  const [left, right] = checkPair(relation, checker);
  const [operator, quantifier] = quantify(relation.operator, relation.quantifier);
  if (right.constant !== undefined) return testValues(left.read, testAgainst(operator, right.constant), quantifier);
  return testPairs(left.read, right.read, (ours, theirs) => holds(operator, ours, theirs), quantifier);
}

/** Both sides of a relation, of one kind. */
function checkPair(
  relation: Relation<'comparison' | 'search'>,
  checker: OperandChecker,
): readonly [left: CheckedOperand, right: CheckedOperand] {
  const left = checkComparable(relation.left, relation.sign, checker);
  const right = checker.check(relation.right, left);
  if (left.kind !== right.kind && (left.isSlice || right.isSlice)) {
    const ours = bytesOperand(left);
    const theirs = bytesOperand(right);
    if (ours !== undefined && theirs !== undefined) return [ours, theirs];
  }
  requireSameKind(left, right, relation.right);
  return [left, right];
}

/** Integers are compared with booleans, but not booleans with integers, as Wireshark has it. */
function requireSameKind(left: CheckedOperand, right: CheckedOperand, operand: Operand): void {
  if (left.kind !== right.kind || (left.type === 'boolean' && right.type !== 'boolean'))
    refusePair(left, right, operand);
}

/** The left side, which must have values. */
function checkComparable(operand: Operand, sign: string, checker: OperandChecker): CheckedOperand {
  const checked = checker.checkSubject(operand, sign);
  if (checked.kind === 'none') refuse(checked, sign, operand);
  return checked;
}

function refuse(checked: CheckedOperand, sign: string, operand: Operand): never {
  const subject = checked.field === undefined ? 'A value' : checked.field.name;
  throw syntaxError(`${subject} (type=${typeName(checked.type)}) cannot participate in ${sign} comparison.`, operand);
}

function refusePair(left: CheckedOperand, right: CheckedOperand, operand: Operand): never {
  const first = left.field?.name ?? typeName(left.type);
  const second = right.field?.name ?? typeName(right.type);
  throw syntaxError(
    `${first} and ${second} are not of compatible types: ${typeName(left.type)}, ${typeName(right.type)}.`,
    operand,
  );
}

function testValues(read: ValueReader, test: ValueTest, quantifier: Quantifier): FrameTest {
  if (quantifier === 'any') {
    return (values) => {
      const list = read(values);
      if (list === undefined) return false;
      for (let index = 0; index < list.length; index++) if (test(list[index])) return true;
      return false;
    };
  }
  return (values) => {
    const list = read(values);
    if (list === undefined) return false;
    for (let index = 0; index < list.length; index++) if (!test(list[index])) return false;
    return true;
  };
}

function testPairs(
  readLeft: ValueReader,
  readRight: ValueReader,
  test: (left: FieldValue, right: FieldValue) => boolean,
  quantifier: Quantifier,
): FrameTest {
  const isAny = quantifier === 'any';
  return (values) => {
    const lefts = readLeft(values);
    if (lefts === undefined) return false;
    const rights = readRight(values);
    if (rights === undefined) return false;
    for (const left of lefts) {
      for (const right of rights) if (test(left, right) === isAny) return isAny;
    }
    return !isAny;
  };
}

export function compileSearch(relation: Relation<'search'>, checker: OperandChecker): FrameTest {
  const { operator, sign } = relation;
  const left = checkComparable(relation.left, sign, checker);
  if (!canSearch(left.kind)) refuse(left, sign, relation.left);
  const quantifier = relation.quantifier ?? 'any';
  if (operator === 'matches') return testValues(left.search, compileMatches(relation.right, left), quantifier);
  if (checker.isLiteral(relation.right)) {
    return testValues(left.search, containsTest(resolvePart(relation.right, left), left.type), quantifier);
  }
  const [whole, part] = checkPair(relation, checker);
  return testPairs(whole.search, part.read, contains, quantifier);
}

function containsTest(part: unknown, type: FieldType): ValueTest {
  if (typeof part === 'string') return (value) => containsText(value, part);
  const bytes = part as Uint8Array;
  // Bytes contain what is empty; texts and protocols do not, as Wireshark has it.
  if (bytes.length === 0 && type === 'protocol') return () => false;
  return (value) => containsBytes(value as Uint8Array, bytes);
}

/** No text contains the empty one, as Wireshark has it. */
function containsText(whole: FieldValue, part: string): boolean {
  return typeof whole === 'string' && part !== '' && whole.includes(part);
}

function contains(whole: FieldValue, part: FieldValue): boolean {
  if (typeof whole === 'string') return containsText(whole, String(part));
  return containsBytes(toBytes(whole), toBytes(part));
}

function compileMatches(right: Operand, left: CheckedOperand): ValueTest {
  if (!isPattern(right)) throw syntaxError('Matches requires a double quoted string on the right side.', right);
  const isText = left.kind === 'string';
  const expression = compilePattern(right, !isText);
  if (isText) return (value) => expression.test(String(value));
  // Nothing matches where there are no bytes, as Wireshark has it.
  return (value) => (value as Uint8Array).length > 0 && expression.test(latin1(value as Uint8Array));
}

/** Bytes of which a character each is made at once: more arguments than that a call does not bear. */
const chunkSize = 8192;

/** Each byte as the character of its number. */
function latin1(bytes: Uint8Array): string {
  if (bytes.length <= chunkSize) return String.fromCharCode(...bytes);
  let text = '';
  for (let at = 0; at < bytes.length; at += chunkSize)
    text += String.fromCharCode(...bytes.subarray(at, at + chunkSize));
  return text;
}

export function compileMembership(relation: Relation<'membership'>, checker: OperandChecker): FrameTest {
  const { left: subject, isNegated } = relation;
  if (subject.kind === 'slice' || subject.kind === 'call') {
    throw syntaxError('Only a field may be tested for membership in a set.', subject);
  }
  const left = checkComparable(subject, 'in', checker);
  const bound = (operand: Operand) => {
    const checked = checker.check(operand, left);
    requireSameKind(left, checked, operand);
    return checked;
  };
  const elements = relation.elements.map(({ low, high }) => ({
    low: bound(low),
    high: high === undefined ? undefined : bound(high),
  }));
  const simple: ValueTest[] = [];
  const rest: Array<{ readonly low: ValueReader; readonly high: ValueReader | undefined }> = [];
  for (const { low, high } of elements) {
    if (low.constant === undefined || (high !== undefined && high.constant === undefined)) {
      rest.push({ low: low.read, high: high?.read });
    } else if (high === undefined) {
      simple.push(testAgainst('any_eq', low.constant));
    } else {
      const least = testAgainst('ge', low.constant);
      const most = testAgainst('le', high.constant!);
      simple.push((value) => least(value) && most(value));
    }
  }
  // Wireshark's "not in" is that no value is in the set, whatever the quantifier; a field that is missing is in no set.
  const quantifier = isNegated ? 'any' : (relation.quantifier ?? 'any');
  const isIn = (value: FieldValue) => {
    for (let index = 0; index < simple.length; index++) if (simple[index]!(value)) return true;
    return false;
  };
  const test =
    rest.length === 0 ? testValues(left.read, isIn, quantifier) : testWithFields(left.read, isIn, rest, quantifier);
  return isNegated ? (values) => !test(values) : test;
}

function testWithFields(
  read: ValueReader,
  isIn: ValueTest,
  elements: ReadonlyArray<{ readonly low: ValueReader; readonly high: ValueReader | undefined }>,
  quantifier: Quantifier,
): FrameTest {
  return (values) => {
    const inFields = (value: FieldValue) =>
      elements.some(({ low, high }) => {
        const lows = low(values) ?? [];
        if (high === undefined) return lows.some((one) => compareValues(value, one) === 0);
        const highs = high(values) ?? [];
        return (
          lows.some((one) => compareValues(value, one) >= 0) && highs.some((one) => compareValues(value, one) <= 0)
        );
      });
    const list = read(values);
    if (list === undefined) return false;
    const test = (value: FieldValue) => isIn(value) || inFields(value);
    return quantifier === 'any' ? list.some(test) : list.every(test);
  };
}
