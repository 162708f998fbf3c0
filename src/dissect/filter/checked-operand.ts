/** An operand whose type is known, ready to be asked for its values. */
import type { FieldDescriptor, FieldValue } from '../field.ts';
import type { Network } from './address-literal.ts';
import type { FieldValues } from './field-values.ts';
import type { LiteralValue } from './literals.ts';
import { kindOf, type ValueKind, type ValueShape } from './value-kind.ts';

/** undefined: a field that it needs is not in the frame, and every test of it fails. An empty list: it is, but there is no such value. */
export type ValueReader = (values: FieldValues) => readonly FieldValue[] | undefined;

export interface CheckedOperand extends ValueShape {
  readonly kind: ValueKind;
  readonly read: ValueReader;
  /** What `contains` and `matches` search; of a protocol, also what lies behind its header. */
  readonly search: ValueReader;
  /** A value that is the same for all frames. */
  readonly constant: LiteralValue | undefined;
  /** Whether it was calculated: alone, it is a test for not being 0. */
  readonly isCalculated: boolean;
  /** Whether it is a slice: what it is compared with becomes bytes, too. */
  readonly isSlice: boolean;
}

export function constantOperand(shape: ValueShape, constant: LiteralValue): CheckedOperand {
  // A network compares as a value does; it never becomes one.
  const list = [constant as Exclude<LiteralValue, Network>];
  const read = () => list;
  return { ...shape, kind: kindOf(shape.type), read, search: read, constant, isCalculated: false, isSlice: false };
}

export function computedOperand(
  type: ValueShape['type'],
  field: FieldDescriptor | undefined,
  read: ValueReader,
  isCalculated = false,
  search = read,
): CheckedOperand {
  return { type, field, kind: kindOf(type), read, search, constant: undefined, isCalculated, isSlice: false };
}
