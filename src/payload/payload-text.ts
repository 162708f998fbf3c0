/** Bytes as text, exactly, and text on one line. */
import { decodeUtf8 } from '../base/bytes.ts';
import { hexDigits } from './hex.ts';

const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** `bytes[start..end)` as UTF-8, what is none as U+FFFD. */
export function decodeLeniently(bytes: Uint8Array, start: number, end: number): string {
  return lenientDecoder.decode(bytes.subarray(start, end));
}

/** `bytes[start..end)` as UTF-8, U+0000 allowed; undefined if they are none. */
export function decodeExactly(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = decodeUtf8(bytes, start, end);
  if (text !== undefined) return text;
  return utf8FaultAt(bytes, start, end) < 0 ? decodeLeniently(bytes, start, end) : undefined;
}

/** Where the first byte is that belongs to no character of UTF-8; -1 if all do. [RFC 3629 §4] */
export function utf8FaultAt(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  while (position < end) {
    const first = bytes[position]!;
    if (first < 0x80) {
      position++;
      continue;
    }
    const following = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (following === 0 || position + following >= end) return position;
    const second = bytes[position + 1]!;
    // No overlong forms, no surrogates, nothing above U+10FFFF.
    const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return position;
    for (let index = 2; index <= following; index++) if ((bytes[position + index]! & 0xc0) !== 0x80) return position;
    position += following + 1;
  }
  return -1;
}

/** Whether a person would take it for text: no control characters but those of lines and of colours. */
export function isReadable(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x20 ? !readableControls.has(unit) : unit === 0x7f) return false;
  }
  return true;
}

/** Tab, line feed, carriage return, escape. */
const readableControls = new Set([0x09, 0x0a, 0x0d, 0x1b]);

const shortEscapes = new Map([
  [0x09, '\\t'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
]);

/** Text that cannot break the line it is on: control characters, line separators and marks of direction become escapes. */
export function onOneLine(text: string): string {
  let result = '';
  let copied = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (!isControl(unit)) continue;
    const escaped = shortEscapes.get(unit) ?? `\\u${unit.toString(16).padStart(4, '0')}`;
    result += text.slice(copied, index) + escaped;
    copied = index + 1;
  }
  return copied === 0 ? text : result + text.slice(copied);
}

function isControl(unit: number): boolean {
  if (unit < 0x7f) return unit < 0x20;
  if (unit < 0x2028) return unit < 0xa0;
  return unit <= 0x202e || (unit >= 0x2066 && unit <= 0x2069);
}

/** Bytes in diagnostic notation: `h'0102'`; of very many only the first. [RFC 8949 §8] */
export function bytesText(bytes: Uint8Array, bytesMax = 32_768): string {
  if (bytes.length <= bytesMax) return `h'${hexDigits(bytes)}'`;
  return `h'${hexDigits(bytes.subarray(0, bytesMax))}…'`;
}

/** A float in diagnostic notation: unlike an integer it has a point. [RFC 8949 §8, appendix A] */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  const [mantissa = '', exponent] = text.split('e');
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.0`;
  return exponent === undefined ? pointed : `${pointed}e${exponent}`;
}
