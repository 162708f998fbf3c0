/** The functions of filters: what they take and what they make of it. */
import { type FieldValue, TimeValue } from '../field.ts';
import { formatBytes, formatIpv4, formatIpv6 } from '../format-address.ts';
import { type CheckedOperand, computedOperand } from './checked-operand.ts';
import { compareValues } from './compare-values.ts';
import type { Operand } from './expression.ts';
import type { FieldValues } from './field-values.ts';
import { isLiteral } from './literals.ts';
import { type Span, syntaxError } from './point-at.ts';
import { negateTime } from './time-literal.ts';
import { kindOf, type ValueShape } from './value-kind.ts';

type Call = Operand & { kind: 'call' };

export interface FunctionRow {
  readonly about: string;
  readonly argumentsMax: number;
  /** @param check - gives an argument its type; literals take that of `shape` */
  readonly check: (call: Call, check: (operand: Operand, shape?: ValueShape) => CheckedOperand) => CheckedOperand;
}

/** By name. */
export const functions: Readonly<Record<string, FunctionRow>> = {
  len: {
    about: 'how many bytes a field has',
    argumentsMax: 1,
    check: (call, check) => mapField(call, check(fieldArgument(call)), 'uint32', lengthOf),
  },
  count: {
    about: 'how often a field occurs in the frame',
    argumentsMax: 1,
    check: (call, check) => {
      const { read } = check(fieldArgument(call));
      return computedOperand('uint32', undefined, (values) => {
        const list = read(values);
        return list === undefined ? undefined : [list.length];
      });
    },
  },
  upper: {
    about: 'a string in capital letters',
    argumentsMax: 1,
    check: (call, check) => mapText(call, check(fieldArgument(call)), (text) => text.toUpperCase()),
  },
  lower: {
    about: 'a string in small letters',
    argumentsMax: 1,
    check: (call, check) => mapText(call, check(fieldArgument(call)), (text) => text.toLowerCase()),
  },
  string: {
    about: 'a number or address as text',
    argumentsMax: 1,
    check: checkString,
  },
  max: {
    about: 'the largest value of all its arguments',
    argumentsMax: 100,
    check: (call, check) => checkExtreme(call, check, 1),
  },
  min: {
    about: 'the smallest value of all its arguments',
    argumentsMax: 100,
    check: (call, check) => checkExtreme(call, check, -1),
  },
  abs: {
    about: 'a number or duration without its sign',
    argumentsMax: 1,
    check: checkAbsolute,
  },
};

/** The function that a call means, with as many arguments as it takes. */
export function findFunction(call: Call): FunctionRow {
  if (!Object.hasOwn(functions, call.name)) {
    throw syntaxError(
      `Function '${call.name}' does not exist; there are ${Object.keys(functions).sort().join(', ')}.`,
      nameSpan(call),
    );
  }
  const row = functions[call.name]!;
  if (call.arguments.length === 0) throw syntaxError(`Function ${call.name} needs at least 1 argument.`, call);
  if (call.arguments.length > row.argumentsMax) {
    const plural = row.argumentsMax === 1 ? '' : 's';
    throw syntaxError(`Function ${call.name} can only accept ${row.argumentsMax} argument${plural}.`, {
      start: call.arguments[row.argumentsMax]!.start,
      end: call.arguments.at(-1)!.end,
    });
  }
  return row;
}

function nameSpan(call: Call): Span {
  return { start: call.start, end: call.nameEnd };
}

/** The only argument, which must be a field as it is in the frame. */
function fieldArgument(call: Call): Operand {
  const argument = call.arguments[0]!;
  const isField = argument.kind === 'word' || argument.kind === 'field' || argument.kind === 'layer';
  if (!isField) throw syntaxError(`Only fields can be used as parameter for ${call.name}().`, argument);
  return argument;
}

function mapValues(operand: CheckedOperand, change: (value: FieldValue) => FieldValue) {
  const { read } = operand;
  return (values: FieldValues) => {
    const list = read(values);
    return list === undefined ? undefined : list.map(change);
  };
}

function mapField(
  call: Call,
  operand: CheckedOperand,
  type: CheckedOperand['type'],
  change: (value: FieldValue, type: CheckedOperand['type']) => FieldValue,
): CheckedOperand {
  if (operand.constant !== undefined) {
    throw syntaxError(`Only fields can be used as parameter for ${call.name}().`, call.arguments[0]!);
  }
  return computedOperand(
    type,
    undefined,
    mapValues(operand, (value) => change(value, operand.type)),
  );
}

const encoder = new TextEncoder();
const sizes: Readonly<Record<string, number>> = {
  uint16: 2,
  int16: 2,
  uint24: 3,
  uint64: 8,
  int64: 8,
  double: 8,
};
const fourBytes = new Set(['uint32', 'int32', 'frame-number', 'float', 'ipv4']);

/** Of times and booleans Wireshark knows no length. */
function lengthOf(value: FieldValue, type: CheckedOperand['type']): number {
  if (typeof value === 'string') return /[^\0-\x7f]/.test(value) ? encoder.encode(value).length : value.length;
  if (value instanceof Uint8Array) return value.length;
  if (value === undefined || value instanceof TimeValue || type === 'boolean') return 0;
  return fourBytes.has(type) ? 4 : (sizes[type] ?? 1);
}

function mapText(call: Call, operand: CheckedOperand, change: (text: string) => string): CheckedOperand {
  if (operand.kind !== 'string' || operand.constant !== undefined) {
    throw syntaxError(`Only string type fields can be used as parameter for ${call.name}().`, call.arguments[0]!);
  }
  return computedOperand(
    'string',
    undefined,
    mapValues(operand, (value) => change(String(value))),
  );
}

function checkString(call: Call, check: (operand: Operand) => CheckedOperand): CheckedOperand {
  const operand = check(fieldArgument(call));
  const { type, kind } = operand;
  const isKnown = (kind === 'integer' && type !== 'boolean') || kind === 'float' || kind === 'ipv4' || kind === 'ipv6';
  if (!isKnown && type !== 'ethernet') {
    throw syntaxError(`String conversion for field "${operand.field?.name}" is not supported.`, call.arguments[0]!);
  }
  return mapField(call, operand, 'string', formatValue);
}

function formatValue(value: FieldValue, type: CheckedOperand['type']): string {
  if (value instanceof Uint8Array) return type === 'ipv6' ? formatIpv6(value) : formatBytes(value, ':');
  return type === 'ipv4' ? formatIpv4(Number(value)) : String(value);
}

function checkExtreme(
  call: Call,
  check: (operand: Operand, shape?: ValueShape) => CheckedOperand,
  sign: 1 | -1,
): CheckedOperand {
  const first = call.arguments[0]!;
  if (isLiteral(first) && first.kind !== 'word') {
    throw syntaxError(`${call.name}() must begin with a field; values may follow.`, first);
  }
  const slice = call.arguments.find((argument) => argument.kind === 'slice');
  if (slice !== undefined) throw syntaxError(`Slices cannot be used as parameters for ${call.name}().`, slice);
  const checked: CheckedOperand[] = [check(first)];
  const shape = { type: checked[0]!.type, field: undefined };
  if (checked[0]!.kind === 'none') {
    throw syntaxError(`A label has no value, so ${call.name}() cannot be asked for one.`, first);
  }
  for (const argument of call.arguments.slice(1)) {
    const operand = check(argument, shape);
    if (operand.type !== shape.type) {
      throw syntaxError(
        `Arguments to ${call.name}() must have the same type: ${shape.type}, not ${operand.type}.`,
        argument,
      );
    }
    checked.push(operand);
  }
  const readers = checked.map(({ read }) => read);
  return computedOperand(shape.type, undefined, (values) => {
    let best: FieldValue;
    let isFound = false;
    for (const read of readers) {
      for (const value of read(values) ?? []) {
        if (isFound && compareValues(value, best) * sign <= 0) continue;
        best = value;
        isFound = true;
      }
    }
    return isFound ? [best] : undefined;
  });
}

function checkAbsolute(call: Call, check: (operand: Operand) => CheckedOperand): CheckedOperand {
  const argument = call.arguments[0]!;
  const operand = check(argument);
  const kind = kindOf(operand.type);
  const isNumber = kind === 'integer' || kind === 'float' || kind === 'relative-time';
  if (!isNumber) throw syntaxError(`Only numbers and durations can be used as parameter for ${call.name}().`, argument);
  return computedOperand(operand.type, undefined, mapValues(operand, absolute));
}

function absolute(value: FieldValue): FieldValue {
  if (!(value instanceof TimeValue)) return Math.abs(Number(value));
  return value.seconds < 0 || value.nanoseconds < 0 ? negateTime(value) : value;
}
