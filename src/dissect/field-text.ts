/** Values as `-T fields`, `-T json` and `-T ek` give them: for programs, without labels and names. */
import { hexadecimalDigits } from './describe-node.ts';
import type { FieldDescriptor, FieldValue, TimeValue } from './field.ts';
import { formatBytes, formatIpv4, formatIpv6 } from './format-address.ts';
import { formatAbsoluteTime, formatSeconds } from './format-time.ts';

/**
 * A value as a column of `-T fields`: `1`, `0x10`, `7b22…`, `0.000300000`. Nothing is escaped: `escapeColumn` of `format-text.ts` does that.
 * @param line - the line of a protocol's node, which stands for its value
 */
export function columnText(field: FieldDescriptor, value: FieldValue, line?: string): string {
  switch (field.type) {
    case 'protocol':
      return line ?? field.label;
    case 'none':
      return '1';
    case 'bytes':
      return (value as Uint8Array).length === 0 ? '<MISSING>' : formatBytes(value as Uint8Array, '');
    default:
      return plainText(field, value);
  }
}

/** A value as JSON output shows it, all values being strings there: as `columnText`, but `7b:22:…` for bytes and nothing for what has no value or no bytes. */
export function jsonText(field: FieldDescriptor, value: FieldValue): string {
  switch (field.type) {
    case 'protocol':
    case 'none':
      return '';
    case 'bytes':
      return formatBytes(value as Uint8Array, ':');
    default:
      return plainText(field, value);
  }
}

function plainText(field: FieldDescriptor, value: FieldValue): string {
  switch (field.type) {
    case 'boolean':
      return value === true || value === 1 ? '1' : '0';
    case 'string':
      return value as string;
    case 'ipv4':
      return formatIpv4(value as number);
    case 'ipv6':
      return formatIpv6(value as Uint8Array);
    case 'ethernet':
      return formatBytes(value as Uint8Array, ':');
    case 'absolute-time':
      return formatAbsoluteTime(value as TimeValue);
    case 'relative-time':
      return formatSeconds(value as TimeValue);
    default:
      if (field.display === 'hexadecimal' || field.display === 'hexadecimal-decimal') {
        return `0x${(value as number).toString(16).padStart(hexadecimalDigits[field.type] ?? 0, '0')}`;
      }
      return String(value);
  }
}
