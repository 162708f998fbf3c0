/** What can be compared with what, and what types are called. */
import type { FieldDescriptor, FieldType } from '../field.ts';

/** Values of one kind can be compared with each other. */
export type ValueKind =
  | 'integer'
  | 'float'
  | 'string'
  | 'bytes'
  | 'protocol'
  | 'ipv4'
  | 'ipv6'
  | 'absolute-time'
  | 'relative-time'
  | 'none';

interface TypeRow {
  readonly kind: ValueKind;
  /** As error messages name it. */
  readonly name: string;
  /** Smallest and largest integer; the sign is an operator, so that of signed ones the largest has to be the negative of the smallest. */
  readonly least?: number;
  readonly most?: number;
}

const types: Readonly<Record<FieldType, TypeRow>> = {
  protocol: { kind: 'protocol', name: 'Protocol' },
  none: { kind: 'none', name: 'Label' },
  boolean: { kind: 'integer', name: 'Boolean', least: 0, most: 2 ** 64 },
  uint8: { kind: 'integer', name: 'Unsigned integer (1 byte)', least: 0, most: 0xff },
  uint16: { kind: 'integer', name: 'Unsigned integer (2 bytes)', least: 0, most: 0xffff },
  uint24: { kind: 'integer', name: 'Unsigned integer (3 bytes)', least: 0, most: 0xffffff },
  uint32: { kind: 'integer', name: 'Unsigned integer (4 bytes)', least: 0, most: 0xffffffff },
  uint64: { kind: 'integer', name: 'Unsigned integer (8 bytes)', least: 0, most: 2 ** 64 },
  int8: { kind: 'integer', name: 'Signed integer (1 byte)', least: -0x80, most: 0x80 },
  int16: { kind: 'integer', name: 'Signed integer (2 bytes)', least: -0x8000, most: 0x8000 },
  int32: { kind: 'integer', name: 'Signed integer (4 bytes)', least: -0x80000000, most: 0x80000000 },
  int64: { kind: 'integer', name: 'Signed integer (8 bytes)', least: -(2 ** 63), most: 2 ** 63 },
  'frame-number': { kind: 'integer', name: 'Frame number', least: 0, most: 0xffffffff },
  float: { kind: 'float', name: 'Floating point (single-precision)' },
  double: { kind: 'float', name: 'Floating point (double-precision)' },
  string: { kind: 'string', name: 'Character string' },
  bytes: { kind: 'bytes', name: 'Sequence of bytes' },
  ethernet: { kind: 'bytes', name: 'Ethernet or other MAC address' },
  ipv4: { kind: 'ipv4', name: 'IPv4 address' },
  ipv6: { kind: 'ipv6', name: 'IPv6 address' },
  'absolute-time': { kind: 'absolute-time', name: 'Date and time' },
  'relative-time': { kind: 'relative-time', name: 'Time offset' },
};

export function kindOf(type: FieldType): ValueKind {
  return types[type].kind;
}

export function typeName(type: FieldType): string {
  return types[type].name;
}

export function integerLimits(type: FieldType): { readonly least: number; readonly most: number } {
  const { least = 0, most = 2 ** 64 } = types[type];
  return { least, most };
}

/** What a value is compared with: gives literals their type, and messages their words. */
export interface ValueShape {
  readonly type: FieldType;
  /** Where it is a field itself and not computed: its value names count. */
  readonly field: FieldDescriptor | undefined;
}

/** What may be cut into bytes. */
export function canSlice(kind: ValueKind): boolean {
  return kind === 'string' || kind === 'bytes' || kind === 'protocol' || kind === 'ipv4' || kind === 'ipv6';
}

/** What `contains` and `matches` search in. */
export function canSearch(kind: ValueKind): boolean {
  return kind === 'string' || kind === 'bytes' || kind === 'protocol';
}

/** What an operator of arithmetic takes; booleans are no numbers here. */
export function canCalculate(operator: string, type: FieldType): boolean {
  const kind = kindOf(type);
  if (type === 'boolean') return false;
  if (kind === 'integer') return true;
  if (operator === '&') return kind === 'bytes' || kind === 'ipv4' || kind === 'ipv6';
  if (kind === 'float') return operator !== '%';
  return kind === 'relative-time' && (operator === '+' || operator === '-');
}
