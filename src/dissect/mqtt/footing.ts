/**
 * Where a packet begins, in bytes whose beginning is not known to be one: after bytes that are missing, or in a capture that starts in the middle of
 * a connection. A place is taken only if the packets from there on follow one another up to the end of the bytes, and if that can hardly be chance.
 */
import { PacketType } from '../../protocol/packet-types.ts';
import { bodyStartOf, headerBytesMax, packetSizeOf } from './packet-size.ts';
import { areProperties, variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { senderOf } from './senders.ts';
import { findTextFault } from './utf8.ts';

/** Packets in a row after which nobody doubts any more. */
const chainMax = 32;

/** How sure it is that a packet begins somewhere. */
export const likelihood = {
  impossible: 0,
  /** It may well be chance. */
  possible: 1,
  /** A topic or a protocol name is where it should be. */
  certain: 2,
} as const;
type Likelihood = (typeof likelihood)[keyof typeof likelihood];
const { impossible, possible, certain } = likelihood;

/** Which end the bytes come from; undefined if nobody knows. */
type IsByClient = boolean | undefined;

/** First place in `bytes[start..end)` where a packet begins; -1 if there is none to rely on. */
export function findFooting(bytes: Uint8Array, start: number, end: number, isByClient: IsByClient): number {
  for (let at = start; at < end; at++) {
    if (isFooting(bytes, at, end, at === start, isByClient)) return at;
  }
  return -1;
}

/**
 * Whether packets follow one another from `start` on. At the beginning of a segment a packet is so likely that it is enough if nothing speaks
 * against it.
 */
export function isFooting(
  bytes: Uint8Array,
  start: number,
  end: number,
  isBeginning: boolean,
  isByClient: IsByClient,
): boolean {
  let at = start;
  let whole = 0;
  let certainCount = 0;
  while (at < end && whole < chainMax) {
    const size = packetSizeOf(bytes, at, end);
    const found = judgePacket(bytes, at, end, isByClient);
    if (found === impossible) return false;
    if (found === certain) certainCount++;
    if (size === 0 || at + size > end) break;
    whole++;
    at += size;
  }
  if (isBeginning || certainCount > 0 || whole >= 3) return true;
  // What ends with the segment is likely to have begun in it.
  return at === end && whole >= 2;
}

/** How likely `bytes[at..end)`, or the beginning of it, is a packet, or the beginning of one. */
export function judgePacket(bytes: Uint8Array, at: number, end: number, isByClient: IsByClient): Likelihood {
  const header = bytes[at]!;
  const type = header >> 4;
  const size = packetSizeOf(bytes, at, end);
  if (type === 0 || size < 0 || !areFlagsFit(type, header & 0x0f)) return impossible;
  if (isByClient !== undefined) {
    const sender = senderOf(type);
    if (sender !== 'either' && (sender === 'client') !== isByClient) return impossible;
  }
  if (size === 0) return end - at < headerBytesMax ? possible : impossible;
  const body = bodyStartOf(bytes, at);
  // A Remaining Length that could be shorter is none. [MQTT-1.5.5-1]
  if (body - at > 2 && bytes[body - 1] === 0) return impossible;
  return judgeBody(bytes, type, header, body, at + size, Math.min(end, at + size));
}

function areFlagsFit(type: number, flags: number): boolean {
  switch (type) {
    case PacketType.PUBLISH:
      return (flags & 0x06) !== 0x06 && (flags & 0x0e) !== 0x08;
    case PacketType.PUBREL:
    case PacketType.SUBSCRIBE:
    case PacketType.UNSUBSCRIBE:
      // 3.1 has DUP here, too.
      return (flags & 0x07) === 0x02;
    default:
      return flags === 0;
  }
}

/** @param end - of the packet; `available` is where what is there of it ends */
function judgeBody(
  bytes: Uint8Array,
  type: number,
  header: number,
  body: number,
  end: number,
  available: number,
): Likelihood {
  const length = end - body;
  switch (type) {
    case PacketType.CONNECT:
      return length < 12 ? impossible : judgeName(bytes, body, available);
    case PacketType.CONNACK:
      if (length < 2 || (available > body && bytes[body]! > 1)) return impossible;
      if (available > body + 1 && !isReasonCode(bytes[body + 1]!, 5)) return impossible;
      return length === 2 ? possible : judgeProperties(bytes, body + 2, end, available, false);
    case PacketType.PUBLISH:
      return judgeTopic(bytes, body, end, available, (header & 0x06) !== 0);
    case PacketType.SUBSCRIBE:
    case PacketType.UNSUBSCRIBE:
      return judgeRequest(bytes, body, end, available);
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return length === 0 ? possible : impossible;
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      return judgeReason(bytes, body, end, available);
    case PacketType.SUBACK:
      if (length < 3 || !isIdentifier(bytes, body, available)) return impossible;
      return available < end || isReasonCode(bytes[end - 1]!, 2) ? possible : impossible;
    case PacketType.UNSUBACK:
      if (length === 3 || !isIdentifier(bytes, body, available)) return impossible;
      return length === 2 ? possible : judgeProperties(bytes, body + 2, end, available, true);
    default:
      if (length < 2 || !isIdentifier(bytes, body, available)) return impossible;
      return judgeReason(bytes, body + 2, end, available);
  }
}

function isIdentifier(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 2 > end || bytes[at] !== 0 || bytes[at + 1] !== 0;
}

/** Success of some kind, up to `successMax`, or a failure. */
function isReasonCode(code: number, successMax: number): boolean {
  return code <= successMax || (code >= 0x80 && code <= 0xa2);
}

/** A Reason Code and properties, both of which may be left out. */
function judgeReason(bytes: Uint8Array, at: number, end: number, available: number): Likelihood {
  if (at >= available) return at <= end ? possible : impossible;
  if (!isReasonCode(bytes[at]!, 0x19)) return impossible;
  return at + 1 === end ? possible : judgeProperties(bytes, at + 1, end, available, false);
}

/** Properties that end where the packet ends, or, with something behind them, before it. */
function judgeProperties(
  bytes: Uint8Array,
  at: number,
  end: number,
  available: number,
  isFollowed: boolean,
): Likelihood {
  if (at >= available) return possible;
  const length = variableByteIntegerAt(bytes, at, available);
  if (length < 0) return available < end ? possible : impossible;
  const first = at + variableByteIntegerSize(bytes, at);
  const last = first + length;
  if (isFollowed ? last >= end : last !== end) return impossible;
  return last > available || areProperties(bytes, first, last) ? possible : impossible;
}

function judgeName(bytes: Uint8Array, body: number, available: number): Likelihood {
  if (body + 4 > available) return possible;
  const length = bytes[body]! * 256 + bytes[body + 1]!;
  return (length === 4 || length === 6) && bytes[body + 2] === 0x4d && bytes[body + 3] === 0x51 ? certain : impossible;
}

/** Identifier and filters; in 5.0 with properties between them. */
function judgeRequest(bytes: Uint8Array, body: number, end: number, available: number): Likelihood {
  if (end - body < 5 || !isIdentifier(bytes, body, available)) return impossible;
  const at = body + 2;
  if (at >= available) return possible;
  const old = judgeFilter(bytes, at, end, available);
  if (old === certain) return certain;
  const length = variableByteIntegerAt(bytes, at, available);
  if (length < 0) return old;
  const first = at + variableByteIntegerSize(bytes, at) + length;
  const now = first >= end ? impossible : judgeFilter(bytes, first, end, available);
  return now > old ? now : old;
}

function judgeFilter(bytes: Uint8Array, at: number, end: number, available: number): Likelihood {
  if (at + 2 > available) return possible;
  const length = bytes[at]! * 256 + bytes[at + 1]!;
  const filterEnd = at + 2 + length;
  if (length === 0 || filterEnd > end) return impossible;
  if (filterEnd > available) return isPlainText(bytes, at + 2, available, true) ? possible : impossible;
  return findTextFault(bytes, at + 2, filterEnd) === undefined ? certain : impossible;
}

function judgeTopic(
  bytes: Uint8Array,
  body: number,
  end: number,
  available: number,
  hasIdentifier: boolean,
): Likelihood {
  if (body + 2 > available) return end - body >= 3 ? possible : impossible;
  const length = bytes[body]! * 256 + bytes[body + 1]!;
  const topicEnd = body + 2 + length;
  if (topicEnd + (hasIdentifier ? 2 : 0) > end) return impossible;
  // In 5.0 it may be empty, where an alias stands for it: there are at least the three bytes of that.
  if (length === 0) return end - topicEnd >= 4 ? possible : impossible;
  if (!isPlainText(bytes, body + 2, Math.min(topicEnd, available), false)) return impossible;
  if (available < topicEnd) return possible;
  if (findTextFault(bytes, body + 2, topicEnd) !== undefined) return impossible;
  if (hasIdentifier && !isIdentifier(bytes, topicEnd, available)) return impossible;
  return length >= 2 ? certain : possible;
}

/** Whether nothing in these bytes, which may end within a character, speaks against a topic. */
function isPlainText(bytes: Uint8Array, start: number, end: number, mayHaveWildcards: boolean): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte === 0x7f) return false;
    if (!mayHaveWildcards && (byte === 0x23 || byte === 0x2b)) return false;
  }
  return true;
}
