/** The part of a `-F` conversion between `%` and its letter: flags, width, precision, separator. */
import { groupDigits, hexDigits } from '../../payload/hex.ts';

/** A conversion's flags, width and precision. */
export interface Field {
  readonly alignment: 'left' | 'right';
  readonly pad: ' ' | '0';
  /** Bytes; 0 for none. */
  readonly width: number;
  readonly precision: number | undefined;
  /** Between groups of hexadecimal digits. */
  readonly separator: string;
}

/** The widest field and the largest precision, in bytes. */
export const fieldWidthMax = 65_535;

/** A number, padded on the left with blanks or zeros, or on the right with blanks. */
export function fieldOfNumber(value: number, field: Field): string {
  const text = String(value);
  return field.alignment === 'left' ? text.padEnd(field.width) : text.padStart(field.width, field.pad);
}

/** A text of at least `width` and at most `precision` bytes; always padded with blanks. */
export function fieldOfText(text: string, field: Field): string | Uint8Array {
  if (field.width === 0 && field.precision === undefined) return text;
  const bytes = Buffer.from(text).subarray(0, field.precision);
  const padding = Buffer.alloc(Math.max(0, field.width - bytes.length), ' ');
  return Buffer.concat(field.alignment === 'left' ? [bytes, padding] : [padding, bytes]);
}

/** What stands for a value that the message does not have. */
export function fieldOfNothing(field: Field): string {
  return field.pad.repeat(field.width);
}

/** Payload bytes; a width is the most that is shown as well as the least that is filled. */
export function fieldOfPayload(payload: Uint8Array, field: Field): Uint8Array {
  if (field.width === 0) return payload;
  const bytes = payload.subarray(0, field.width);
  const padding = field.width - bytes.length;
  return field.alignment === 'left'
    ? Buffer.concat([bytes, Buffer.alloc(padding, ' ')])
    : Buffer.concat([Buffer.alloc(padding, field.pad), bytes]);
}

/**
 * Payload bytes as hexadecimal digits.
 *
 * With a width and no precision mosquitto_sub 2.0 shows only half of the payload's first `width` bytes, and so does this. With a precision
 * (release 2.1) the digits stand in groups of that many, a separator between them, and a width counts bytes of the payload at most and
 * digits at least.
 */
export function fieldOfHex(payload: Uint8Array, field: Field, letterCase: 'lower' | 'upper'): string {
  if (field.precision === undefined) {
    if (field.width === 0) return hexDigits(payload, letterCase);
    const shown = Math.floor(Math.min(payload.length, field.width) / 2);
    return padHex(hexDigits(payload.subarray(0, shown), letterCase), field);
  }
  const digits = hexDigits(field.width === 0 ? payload : payload.subarray(0, field.width), letterCase);
  const padding = Math.max(0, field.width - digits.length);
  if (field.alignment === 'left') return groupDigits(digits, field.precision, field.separator) + ' '.repeat(padding);
  return groupDigits(field.pad.repeat(padding) + digits, field.precision, field.separator);
}

function padHex(digits: string, field: Field): string {
  return field.alignment === 'left' ? digits.padEnd(field.width) : digits.padStart(field.width, field.pad);
}

/** A floating-point number as printf's `%f`; six digits after the point unless there is a precision. */
export function fieldOfFloat(value: number, field: Field): string {
  const text = fixed(value, field.precision ?? 6);
  if (field.alignment === 'left') return text.padEnd(field.width);
  if (field.pad === ' ' || !Number.isFinite(value)) return text.padStart(field.width);
  const sign = text.startsWith('-') ? '-' : '';
  return sign + text.slice(sign.length).padStart(field.width - sign.length, '0');
}

/** Digits after the point that `Number.prototype.toFixed` can give; a double has no more that are not zero than it needs. */
const fixedDigitsMax = 100;

function fixed(value: number, precision: number): string {
  const isNegative = value < 0 || Object.is(value, -0);
  const magnitude = Math.abs(value);
  const sign = isNegative ? '-' : '';
  if (Number.isNaN(value)) return 'nan';
  if (magnitude === Number.POSITIVE_INFINITY) return `${sign}inf`;
  const digits = Math.min(precision, fixedDigitsMax);
  // From 10^21 on toFixed turns to scientific notation; such numbers are whole.
  const text = magnitude < 1e21 ? magnitude.toFixed(digits) : withZeros(BigInt(magnitude).toString(), digits);
  return sign + text + '0'.repeat(precision - digits);
}

function withZeros(whole: string, digits: number): string {
  return digits === 0 ? whole : `${whole}.${'0'.repeat(digits)}`;
}
