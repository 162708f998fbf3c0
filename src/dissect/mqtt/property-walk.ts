/** How long property values are on the wire, without a look at what they mean. [MQTT 5.0 §2.2.2] */
import { propertyFacts } from './fields.ts';

/** By identifier: 1, 2 or 4 for numbers, and these for the others; 0: no such property. */
const varint = 5;
const text = 6;
const pair = 7;
const forms = Uint8Array.from(propertyFacts, (fact) => {
  switch (fact?.row.wireType) {
    case undefined:
      return 0;
    case 'flag':
    case 'byte':
      return 1;
    case 'uint16':
      return 2;
    case 'uint32':
      return 4;
    case 'varint':
      return varint;
    case 'pair':
      return pair;
    default:
      return text;
  }
});

/** Value of the Variable Byte Integer at `at`; -1 if it is cut or has more than four bytes. Its size is `variableByteIntegerSize`. */
export function variableByteIntegerAt(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  let factor = 1;
  for (let index = at; index < end && index < at + 4; index++) {
    const byte = bytes[index]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
    factor *= 0x80;
  }
  return -1;
}

/** Bytes of the Variable Byte Integer at `at`, up to its first byte without the high bit; at most four. */
export function variableByteIntegerSize(bytes: Uint8Array, at: number): number {
  let size = 1;
  while (size < 4 && bytes[at + size - 1]! >= 0x80) size++;
  return size;
}

function textEnd(bytes: Uint8Array, at: number, end: number): number {
  return at + 2 > end ? -1 : at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
}

/** Where the property after the one whose identifier is at `at` begins; -1 if it is none, or does not end by `end`. */
export function nextProperty(bytes: Uint8Array, at: number, end: number): number {
  const form = forms[bytes[at]!]!;
  const value = at + 1;
  let next = -1;
  if (form === 0) return -1;
  if (form <= 4) next = value + form;
  else if (form === text) next = textEnd(bytes, value, end);
  else if (form === pair) {
    const key = textEnd(bytes, value, end);
    next = key < 0 ? -1 : textEnd(bytes, key, end);
  } else if (variableByteIntegerAt(bytes, value, end) >= 0) {
    next = value + variableByteIntegerSize(bytes, value);
  }
  return next > end ? -1 : next;
}

/** Whether `bytes[at..end)` is nothing but properties. */
export function areProperties(bytes: Uint8Array, at: number, end: number): boolean {
  let next = at;
  while (next >= 0 && next < end) next = nextProperty(bytes, next, end);
  return next === end;
}

/** Where the value of the first property with this identifier begins; -1 if there is none. */
export function findProperty(bytes: Uint8Array, at: number, end: number, identifier: number): number {
  let next = at;
  while (next >= 0 && next < end) {
    if (bytes[next] === identifier) return nextProperty(bytes, next, end) < 0 ? -1 : next + 1;
    next = nextProperty(bytes, next, end);
  }
  return -1;
}
