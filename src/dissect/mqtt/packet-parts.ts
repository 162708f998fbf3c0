/** Single parts of packets that the state of a conversation depends on, read without describing the packet. */
import { decodeText } from '../format-text.ts';
import { findProperty, variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';

const topicAliasMaximum = 0x22;

/** Number of Topic Filters of a SUBSCRIBE (each with a byte behind it) or UNSUBSCRIBE whose Packet Identifier ends at `start`; -1 if they do not fit. */
export function countFilters(
  bytes: Uint8Array,
  start: number,
  end: number,
  version: number,
  hasOptions: boolean,
): number {
  let at = skipProperties(bytes, start, end, version);
  if (at < 0) return -1;
  let count = 0;
  while (at < end) {
    if (at + 2 > end) return -1;
    at += 2 + uint16At(bytes, at) + (hasOptions ? 1 : 0);
    count++;
  }
  return at === end ? count : -1;
}

/** Where what follows the properties begins; -1 if their length has no end. Before 5.0 there are none. */
export function skipProperties(bytes: Uint8Array, at: number, end: number, version: number): number {
  if (version !== 5) return at;
  const length = variableByteIntegerAt(bytes, at, end);
  return length < 0 ? -1 : at + variableByteIntegerSize(bytes, at) + length;
}

/** Topic Alias Maximum among the properties whose length stands at `at`; 0 is what its absence means. */
export function aliasMaximumIn(bytes: Uint8Array, at: number, propertiesEnd: number, end: number): number {
  if (propertiesEnd > end || propertiesEnd <= at) return -1;
  const value = findProperty(bytes, at + variableByteIntegerSize(bytes, at), propertiesEnd, topicAliasMaximum);
  return value < 0 ? 0 : uint16At(bytes, value);
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 256 + bytes[at + 1]!;
}

/** A UTF-8 Encoded String, as much of it as there is. */
export function textAt(bytes: Uint8Array, at: number, end: number): string {
  if (at + 2 > end) return '';
  return decodeText(bytes.subarray(at + 2, Math.min(end, at + 2 + uint16At(bytes, at))));
}
