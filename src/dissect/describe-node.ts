/** The line of a field in a tree, worded and spaced as Wireshark does. */
import type { FieldDescriptor, FieldType, FieldValue, TimeValue } from './field.ts';
import type { FieldNode } from './field-node.ts';
import { formatBytes, formatIpv4, formatIpv6 } from './format-address.ts';
import { cutUtf8, escapeLine, fitLine } from './format-text.ts';
import { formatAbsoluteTime, formatSeconds } from './format-time.ts';

/** Bytes that a line shows of a longer value. */
const bytesShownMax = 36;
/** Hexadecimal digits of a number by its type. */
export const hexadecimalDigits: Partial<Readonly<Record<FieldType, number>>> = {
  uint8: 2,
  uint16: 4,
  uint24: 6,
  uint32: 8,
  uint64: 16,
  int8: 2,
  int16: 4,
  int32: 8,
  int64: 16,
};
const lineBytesMax = 239;

/** A node's line, in brackets if it was computed. */
export function describeNode(node: FieldNode): string {
  const line = node.text === undefined ? fieldLine(node.field, node.value) : cutUtf8(node.text, lineBytesMax);
  return node.isGenerated ? `[${line}]` : line;
}

/** `0001 .... = Message Type: Connect Command (1)`: the line of a field with a value, without brackets. */
export function fieldLine(field: FieldDescriptor, value: FieldValue): string {
  if (field.type === 'protocol' || field.type === 'none') return field.label;
  const label = field.mask === undefined ? field.label : `${drawBits(field, value)} = ${field.label}`;
  return fitLine(label, valueText(field, value));
}

/** `0001 ....`: the bits of a field in its byte or word, the others as dots. */
export function drawBits(field: FieldDescriptor, value: FieldValue): string {
  const width = field.width ?? 8;
  const mask = field.mask ?? 0;
  let bits = typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : 0;
  // Several bits that are together a boolean are drawn as all or none of them.
  const draw: string[] = [];
  for (let bit = 0; bit < width; bit++) {
    const isOurs = Math.floor(mask / 2 ** bit) % 2 === 1;
    draw.push(isOurs ? String(bits % 2) : '.');
    if (isOurs) bits = Math.floor(bits / 2);
    if (bit % 4 === 3 && bit + 1 < width) draw.push(' ');
  }
  return draw.reverse().join('');
}

/** What stands behind the label: `Connect Command (1)`, `0x10`, `Set`, `0.000300000 seconds`. */
export function valueText(field: FieldDescriptor, value: FieldValue): string {
  switch (field.type) {
    case 'boolean':
      return booleanText(field, value === true || value === 1);
    case 'string':
      return escapeLine(value as string);
    case 'bytes':
      return shownBytes(value as Uint8Array);
    case 'ipv4':
      return formatIpv4(value as number);
    case 'ipv6':
      return formatIpv6(value as Uint8Array);
    case 'ethernet':
      return formatBytes(value as Uint8Array, ':');
    case 'absolute-time':
      return formatAbsoluteTime(value as TimeValue);
    case 'relative-time':
      return `${formatSeconds(value as TimeValue)} seconds`;
    case 'protocol':
    case 'none':
      return '';
    default:
      return numberText(field, value as number);
  }
}

function booleanText(field: FieldDescriptor, value: boolean): string {
  return field.values?.[value ? 1 : 0] ?? (value ? 'True' : 'False');
}

function shownBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<MISSING>';
  if (bytes.length <= bytesShownMax) return formatBytes(bytes, '');
  return `${formatBytes(bytes.subarray(0, bytesShownMax), '')}…`;
}

function numberText(field: FieldDescriptor, value: number): string {
  const number = displayedNumber(field, value);
  if (field.values === undefined) return number;
  const name = field.values[value] ?? 'Unknown';
  return `${name} (${number})`;
}

function displayedNumber(field: FieldDescriptor, value: number): string {
  switch (field.display) {
    case 'hexadecimal':
      return hexadecimal(field, value);
    case 'hexadecimal-decimal':
      return field.values === undefined ? `${hexadecimal(field, value)} (${value})` : hexadecimal(field, value);
    case 'decimal-hexadecimal':
      return field.values === undefined ? `${value} (${hexadecimal(field, value)})` : String(value);
    case 'octal':
      return `0${value.toString(8)}`;
    default:
      return String(value);
  }
}

/** As many digits as its bits need where it has a mask, or else as its type has. */
function hexadecimal(field: FieldDescriptor, value: number): string {
  const digits = field.mask === undefined ? hexadecimalDigits[field.type] : Math.ceil(bitCount(field.mask) / 4);
  return `0x${value.toString(16).padStart(digits ?? 0, '0')}`;
}

function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
