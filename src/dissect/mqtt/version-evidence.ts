/**
 * Which version a packet must be of, where no CONNECT told it. A packet is evidence if it makes sense in one version and none in the other: a 5.0
 * packet has a length of properties where 3.1.1 has something else, and the two rarely fit both.
 */
import { PacketType } from '../../protocol/packet-types.ts';
import { areProperties, variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { findTextFault } from './utf8.ts';

/** 4 (which stands for 3.1 as well), 5, or 0 if it can be either, or neither. */
export function inferVersion(bytes: Uint8Array, header: number, start: number, end: number): 0 | 4 | 5 {
  const length = end - start;
  switch (header >> 4) {
    case PacketType.CONNACK:
      if (length === 2) return bytes[start + 1]! > 0 && bytes[start + 1]! <= 5 ? 4 : 0;
      return length > 2 && hasProperties(bytes, start + 2, end) === end ? 5 : 0;
    case PacketType.PUBLISH:
      return inferFromPublish(bytes, header, start, end);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      if (length === 3) return 5;
      return length > 3 && hasProperties(bytes, start + 3, end) === end ? 5 : 0;
    case PacketType.SUBSCRIBE:
      return decide(areFilters(bytes, start + 2, end, 2), areFilters5(bytes, start + 2, end, 0x2e));
    case PacketType.UNSUBSCRIBE:
      return decide(areFilters(bytes, start + 2, end, -1), areFilters5(bytes, start + 2, end, -1));
    case PacketType.SUBACK:
      return inferFromSuback(bytes, start + 2, end);
    case PacketType.UNSUBACK:
      return length === 2 ? 4 : length > 3 && hasProperties(bytes, start + 2, end) > 0 ? 5 : 0;
    case PacketType.DISCONNECT:
      if (length === 1) return 5;
      return length > 1 && hasProperties(bytes, start + 1, end) === end ? 5 : 0;
    case PacketType.AUTH:
      return length === 0 || hasProperties(bytes, start + 1, end) === end ? 5 : 0;
    default:
      return 0;
  }
}

function decide(isOld: boolean, isNew: boolean): 0 | 4 | 5 {
  return isOld === isNew ? 0 : isNew ? 5 : 4;
}

/** Where the properties that begin with their length at `at` end; -1 if there are none that make sense. */
function hasProperties(bytes: Uint8Array, at: number, end: number): number {
  const length = variableByteIntegerAt(bytes, at, end);
  if (length < 0) return -1;
  const first = at + variableByteIntegerSize(bytes, at);
  return first + length <= end && areProperties(bytes, first, first + length) ? first + length : -1;
}

function inferFromPublish(bytes: Uint8Array, header: number, start: number, end: number): 0 | 4 | 5 {
  if (start + 2 > end) return 0;
  const topicLength = bytes[start]! * 256 + bytes[start + 1]!;
  const topicStart = start + 2;
  const at = topicStart + topicLength + ((header & 0x06) === 0 ? 0 : 2);
  if (at > end || isFaulty(findTextFault(bytes, topicStart, topicStart + topicLength))) return 0;
  const propertiesEnd = hasProperties(bytes, at, end);
  // No topic: there must be an alias.
  if (topicLength === 0) return propertiesEnd > at + 1 ? 5 : 0;
  if (propertiesEnd < 0) return 4;
  if (propertiesEnd > at + 1) return 5;
  // A single 0: no properties, or a payload that begins with it. Text behind it settles that, as text has no such character.
  return propertiesEnd < end && findTextFault(bytes, propertiesEnd, end) === undefined ? 5 : 0;
}

/** Filters, each with a byte of QoS or options behind it that is at most `optionsMax`; with none if that is -1. */
function areFilters(bytes: Uint8Array, start: number, end: number, optionsMax: number): boolean {
  let at = start;
  if (at >= end) return false;
  while (at < end) {
    if (at + 2 > end) return false;
    const length = bytes[at]! * 256 + bytes[at + 1]!;
    const next = at + 2 + length;
    if (length === 0 || next > end || isFaulty(findTextFault(bytes, at + 2, next))) return false;
    if (optionsMax >= 0 && (next >= end || (bytes[next]! & 3) === 3 || bytes[next]! > optionsMax)) return false;
    at = optionsMax >= 0 ? next + 1 : next;
  }
  return true;
}

function areFilters5(bytes: Uint8Array, start: number, end: number, optionsMax: number): boolean {
  const at = hasProperties(bytes, start, end);
  return at >= 0 && areFilters(bytes, at, end, optionsMax);
}

function inferFromSuback(bytes: Uint8Array, start: number, end: number): 0 | 4 | 5 {
  let isOld = start < end;
  for (let at = start; at < end; at++) if (bytes[at]! > 2 && bytes[at] !== 0x80) isOld = false;
  const codes = hasProperties(bytes, start, end);
  return decide(isOld, codes >= 0 && codes < end);
}

function isFaulty(fault: ReturnType<typeof findTextFault>): boolean {
  return fault === 'ill-formed' || fault === 'null';
}
