/** Finds out what names mean, gives every operand its type, and collects the fields that are to be gathered. */
import { editDistance } from '../../base/edit-distance.ts';
import type { FieldDescriptor, FieldValue } from '../field.ts';
import { calculate, negate } from './arithmetic.ts';
import { type CheckedOperand, computedOperand, constantOperand, type ValueReader } from './checked-operand.ts';
import type { Operand } from './expression.ts';
import type { FieldRegistry, FieldValues } from './field-values.ts';
import { findFunction } from './functions.ts';
import { isLiteral, type LiteralOperand, quoteLiteral, resolveLiteral } from './literals.ts';
import { type Span, syntaxError } from './point-at.ts';
import { hasLayer, type IndexRange, sliceBytes } from './ranges.ts';
import { canCalculate, canSlice, typeName, type ValueShape } from './value-kind.ts';

export class OperandChecker {
  readonly #registry: FieldRegistry;
  readonly fields = new Set<FieldDescriptor>();
  readonly bytesFields = new Set<FieldDescriptor>();
  readonly layeredFields = new Set<FieldDescriptor>();

  constructor(registry: FieldRegistry) {
    this.#registry = registry;
  }

  /** Whether it is a value, not a field or anything made of one. */
  isLiteral(operand: Operand): operand is LiteralOperand {
    return isLiteral(operand) && (operand.kind !== 'word' || this.#registry.find(operand.text) === undefined);
  }

  /**
   * What stands to the left of an operator, or alone.
   * @param sign - the operator, as it is written; undefined if there is none
   */
  checkSubject(operand: Operand, sign: string | undefined): CheckedOperand {
    let first = operand;
    while (first.kind === 'arithmetic') first = first.left;
    if (first.kind === 'negative') first = first.operand;
    if (!this.isLiteral(first)) return this.check(operand);
    if (first.kind !== 'word') {
      if (first !== operand) throw syntaxError('A calculation must begin with a field; values may follow.', first);
      const shown = quoteLiteral(first);
      throw syntaxError(
        sign === undefined
          ? `${shown} is neither a field nor a protocol name.`
          : `Left side of "${sign}" expression must be a field or function, not ${shown}.`,
        first,
      );
    }
    const problem =
      first !== operand || sign === undefined
        ? `"${first.text}" is neither a field nor a protocol name`
        : `Left side of "${sign}" expression must be a field or function, not ${first.text}`;
    throw syntaxError(`${problem}${this.#suggest(first.text)}`, first);
  }

  /** Whether a field is in the frame; undefined if the operand is more than a field. */
  checkPresence(operand: Operand): ((values: FieldValues) => boolean) | undefined {
    const name = operand.kind === 'layer' ? operand.field : operand;
    if (name.kind !== 'word' && name.kind !== 'field') return undefined;
    if (name.kind === 'word' && this.#registry.find(name.text) === undefined) return undefined;
    const ranges = operand.kind === 'layer' ? operand.ranges : undefined;
    const found = this.#findField(name.text, name);
    for (const one of found) {
      this.fields.add(one);
      if (ranges !== undefined) this.layeredFields.add(one);
    }
    if (ranges !== undefined) {
      return (values) => found.some((one) => inLayers(values.valuesOf(one), values, one, ranges) !== undefined);
    }
    const only = found[0]!;
    if (found.length > 1) return (values) => found.some((one) => (values.valuesOf(one)?.length ?? 0) > 0);
    return (values) => {
      const list = values.valuesOf(only);
      return list !== undefined && list.length > 0;
    };
  }

  /** @param shape - of what it is compared with: what literals are read as */
  check(operand: Operand, shape?: ValueShape): CheckedOperand {
    switch (operand.kind) {
      case 'word': {
        const found = this.#registry.find(operand.text);
        return found === undefined ? this.#checkLiteral(operand, shape) : this.#field(found, undefined);
      }
      case 'literal':
      case 'string':
      case 'character':
        return this.#checkLiteral(operand, shape);
      case 'field':
        return this.#field(this.#findField(operand.text, operand), undefined);
      case 'layer': {
        const name = operand.field as Operand & { kind: 'word' | 'field' };
        return this.#field(this.#findField(name.text, name), operand.ranges);
      }
      case 'slice':
        return this.#checkSlice(operand);
      case 'call':
        return findFunction(operand).check(operand, (argument, other) =>
          other === undefined ? this.checkSubject(argument, undefined) : this.check(argument, other),
        );
      case 'negative':
        return this.#checkNegative(operand, shape);
      case 'arithmetic':
        return this.#checkArithmetic(operand, shape);
    }
  }

  #checkLiteral(literal: LiteralOperand, shape: ValueShape | undefined): CheckedOperand {
    if (shape === undefined) {
      const hint = literal.kind === 'word' ? this.#suggest(literal.text) : '.';
      throw syntaxError(`${quoteLiteral(literal)} is neither a field nor a protocol name${hint}`, literal);
    }
    return constantOperand(shape, resolveLiteral(literal, shape));
  }

  #findField(name: string, span: Span): readonly FieldDescriptor[] {
    const found = this.#registry.find(name);
    if (found !== undefined) return found;
    throw syntaxError(`"${name}" is not a valid protocol or protocol field${this.#suggest(name)}`, span);
  }

  /** The end of a sentence: `; did you mean mqtt.topic?`. */
  #suggest(name: string): string {
    const near = nearestFields(name, this.#registry);
    return near.length === 0 ? '.' : `; did you mean ${near.join(' or ')}?`;
  }

  #field(descriptors: readonly FieldDescriptor[], ranges: readonly IndexRange[] | undefined): CheckedOperand {
    const field = descriptors[0]!;
    // Fields that share a name share a type; one that does not has nothing to compare.
    const same = descriptors.filter(({ type }) => type === field.type);
    for (const one of same) {
      this.fields.add(one);
      if (field.type === 'protocol') this.bytesFields.add(one);
      if (ranges !== undefined) this.layeredFields.add(one);
    }
    const read = readAll(same.map((one) => readField(one, ranges)));
    if (field.type !== 'protocol') return computedOperand(field.type, field, read);
    return computedOperand(field.type, field, read, false, readAll(same.map((one) => searchProtocol(one, ranges))));
  }

  #checkSlice(operand: Operand & { kind: 'slice' }): CheckedOperand {
    const inner = operand.operand;
    if (this.isLiteral(inner)) {
      throw syntaxError(`Range is not supported for entity ${quoteLiteral(inner)}.`, inner);
    }
    const whole = this.check(inner);
    if (!canSlice(whole.kind)) {
      const subject = whole.field === undefined ? 'What the function returns' : `"${whole.field.name}"`;
      throw syntaxError(
        `${subject} is of type ${typeName(whole.type)} and cannot be sliced into a sequence of bytes.`,
        inner,
      );
    }
    const { ranges } = operand;
    const { read } = whole;
    const slices = computedOperand('bytes', undefined, (values) =>
      read(values)?.map((value) => sliceBytes(toBytes(value), ranges)),
    );
    return { ...slices, isSlice: true };
  }

  #checkNegative(operand: Operand & { kind: 'negative' }, shape: ValueShape | undefined): CheckedOperand {
    const inner = this.check(operand.operand, shape);
    if (!canCalculate('-', inner.type))
      throw syntaxError(`"-" cannot be applied to values of type ${typeName(inner.type)}.`, operand.operand);
    return negate(inner);
  }

  #checkArithmetic(operand: Operand & { kind: 'arithmetic' }, shape: ValueShape | undefined): CheckedOperand {
    const { operator } = operand;
    requireNumber(operand.left);
    const left = this.check(operand.left, shape);
    if (!canCalculate(operator, left.type)) {
      throw syntaxError(`"${operator}" cannot be applied to values of type ${typeName(left.type)}.`, operand.left);
    }
    requireNumber(operand.right);
    const right = this.check(operand.right, left.field === undefined ? left : { type: left.type, field: undefined });
    if (!canCalculate(operator, right.type) || left.kind !== right.kind) {
      throw syntaxError(
        `"${operator}" cannot be applied to values of types ${typeName(left.type)} and ${typeName(right.type)}.`,
        operand.right,
      );
    }
    return calculate(operator, left, right);
  }
}

/** Strings and characters are nothing to calculate with. */
function requireNumber(operand: Operand): void {
  if (operand.kind === 'string' || operand.kind === 'character') {
    throw syntaxError(`${operand.source} is not a valid arithmetic operand.`, operand);
  }
}

function readField(field: FieldDescriptor, ranges: readonly IndexRange[] | undefined): ValueReader {
  const read: ValueReader =
    field.type === 'protocol'
      ? (values) => orUndefined(values.bytesOf(field))
      : (values) => orUndefined(values.valuesOf(field));
  return ranges === undefined ? read : (values) => inLayers(read(values), values, field, ranges);
}

function searchProtocol(field: FieldDescriptor, ranges: readonly IndexRange[] | undefined): ValueReader {
  if (ranges === undefined) return (values) => orUndefined(values.reachesOf(field));
  return (values) => inLayers(orUndefined(values.reachesOf(field)), values, field, ranges);
}

function orUndefined<T>(list: readonly T[] | undefined): readonly T[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list;
}

function inLayers(
  list: readonly FieldValue[] | undefined,
  values: FieldValues,
  field: FieldDescriptor,
  ranges: readonly IndexRange[],
): readonly FieldValue[] | undefined {
  const layers = values.layersOf(field);
  if (list === undefined || layers === undefined) return undefined;
  const total = layers.reduce((most, layer) => Math.max(most, layer), 0);
  return orUndefined(list.filter((_, index) => hasLayer(ranges, layers[index] ?? 0, total)));
}

function readAll(readers: readonly ValueReader[]): ValueReader {
  if (readers.length === 1) return readers[0]!;
  return (values) => {
    let all: FieldValue[] | undefined;
    for (const read of readers) {
      const list = read(values);
      if (list !== undefined) all = all === undefined ? [...list] : all.concat(list);
    }
    return all;
  };
}

/** What is compared with a slice: its bytes; undefined if it has none that could be compared. */
export function bytesOperand(operand: CheckedOperand): CheckedOperand | undefined {
  if (!canSlice(operand.kind)) return undefined;
  const { read } = operand;
  return computedOperand('bytes', undefined, (values) => read(values)?.map(toBytes));
}

const encoder = new TextEncoder();

/** As they lie in a frame. */
export function toBytes(value: FieldValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return encoder.encode(value);
  const address = Number(value);
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
}

/** Suggestions that one message has. */
const suggestionsMax = 2;

/** Names that were perhaps meant: those from which the fewest letters differ, if these are few. */
export function nearestFields(name: string, registry: FieldRegistry): string[] {
  if (!/^[A-Za-z_]/.test(name) || name.length > 100) return [];
  const wanted = name.toLowerCase();
  const most = Math.max(1, Math.min(4, Math.floor(wanted.length / 3)));
  const near: Array<{ readonly name: string; readonly distance: number }> = [];
  for (const candidate of registry.names()) {
    if (Math.abs(candidate.length - wanted.length) > most) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance <= most) near.push({ name: candidate, distance });
  }
  near.sort((left, right) => left.distance - right.distance || (left.name < right.name ? -1 : 1));
  return near
    .filter(({ distance }) => distance === near[0]!.distance)
    .slice(0, suggestionsMax)
    .map((one) => one.name);
}
