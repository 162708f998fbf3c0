/**
 * Where a packet begins, in bytes whose beginning is not known to be one: after bytes that are missing, or in a capture that starts in the middle of
 * a connection. A place is taken only if the packets from there on follow one another up to the end of the bytes, and if that can hardly be chance.
 */
import { PacketType } from '../../protocol/packet-types.ts';
import { bodyStartOf, headerBytesMax, packetSizeOf } from './packet-size.ts';
import { senderOf } from './senders.ts';
import { findTextFault } from './utf8.ts';

/** Packets in a row after which nobody doubts any more. */
const chainMax = 32;

/** How sure it is that a packet begins here. */
const impossible = 0;
/** It may well be chance. */
const possible = 1;
/** A topic or a protocol name is where it should be. */
const certain = 2;

/** First place in `bytes[start..end)` where a packet begins; -1 if there is none to rely on. */
export function findFooting(bytes: Uint8Array, start: number, end: number, isByClient: boolean | undefined): number {
  for (let at = start; at < end; at++) {
    if (isFooting(bytes, at, end, at === start, isByClient)) return at;
  }
  return -1;
}

/** Whether packets follow one another from `start` on. At the beginning of a segment a packet is so likely that less proof will do. */
export function isFooting(
  bytes: Uint8Array,
  start: number,
  end: number,
  isBeginning: boolean,
  isByClient: boolean | undefined,
): boolean {
  let at = start;
  let whole = 0;
  let certainCount = 0;
  while (at < end && whole < chainMax) {
    const size = packetSizeOf(bytes, at, end);
    const judgement = judge(bytes, at, end, size, isByClient);
    if (judgement === impossible) return false;
    if (judgement === certain) certainCount++;
    if (size === 0 || at + size > end) break;
    whole++;
    at += size;
  }
  if (certainCount > 0 || whole >= 3) return true;
  // What ends with the segment is likely to have begun in it.
  return at === end && whole >= (isBeginning ? 1 : 2);
}

function judge(bytes: Uint8Array, at: number, end: number, size: number, isByClient: boolean | undefined): number {
  const header = bytes[at]!;
  const type = header >> 4;
  if (type === 0 || size < 0 || !areFlagsFit(type, header & 0x0f)) return impossible;
  if (isByClient !== undefined) {
    const sender = senderOf(type);
    if (sender !== 'either' && (sender === 'client') !== isByClient) return impossible;
  }
  if (size === 0) return end - at < headerBytesMax ? possible : impossible;
  const body = bodyStartOf(bytes, at);
  // A Remaining Length that could be shorter is none. [MQTT-1.5.5-1]
  if (body - at > 2 && bytes[body - 1] === 0) return impossible;
  const length = at + size - body;
  const available = Math.min(end, at + size);
  switch (type) {
    case PacketType.CONNECT:
      return length < 12 ? impossible : judgeName(bytes, body, available);
    case PacketType.CONNACK:
      return length >= 2 && (available <= body || bytes[body]! <= 1) ? possible : impossible;
    case PacketType.PUBLISH:
      return judgeTopic(bytes, body, at + size, available, (header & 0x06) !== 0);
    case PacketType.SUBSCRIBE:
    case PacketType.UNSUBSCRIBE:
      return length >= 4 && isIdentifier(bytes, body, available) ? possible : impossible;
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return length === 0 ? possible : impossible;
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      return length < 0x4000 ? possible : impossible;
    case PacketType.SUBACK:
      return length >= 3 && isIdentifier(bytes, body, available) ? possible : impossible;
    default:
      return length >= 2 && length < 0x10000 && isIdentifier(bytes, body, available) ? possible : impossible;
  }
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

function isIdentifier(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 2 > end || bytes[at] !== 0 || bytes[at + 1] !== 0;
}

function judgeName(bytes: Uint8Array, body: number, end: number): number {
  if (body + 4 > end) return possible;
  const isName =
    bytes[body] === 0 &&
    (bytes[body + 1] === 4 || bytes[body + 1] === 6) &&
    bytes[body + 2] === 0x4d &&
    bytes[body + 3] === 0x51;
  return isName ? certain : impossible;
}

function judgeTopic(
  bytes: Uint8Array,
  body: number,
  packetEnd: number,
  available: number,
  hasIdentifier: boolean,
): number {
  if (body + 2 > available) return packetEnd - body >= 3 ? possible : impossible;
  const length = bytes[body]! * 256 + bytes[body + 1]!;
  const topicEnd = body + 2 + length;
  if (topicEnd + (hasIdentifier ? 2 : 0) > packetEnd) return impossible;
  // A topic may be empty in 5.0, where an alias stands for it; what begins with it proves nothing.
  if (length === 0) return packetEnd - topicEnd >= 4 ? possible : impossible;
  const seenEnd = Math.min(topicEnd, available);
  for (let at = body + 2; at < seenEnd; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte === 0x23 || byte === 0x2b || byte === 0x7f) return impossible;
  }
  if (seenEnd < topicEnd) return possible;
  if (findTextFault(bytes, body + 2, topicEnd) !== undefined) return impossible;
  if (hasIdentifier && !isIdentifier(bytes, topicEnd, available)) return impossible;
  return length >= 2 ? certain : possible;
}
