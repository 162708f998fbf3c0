/** What packets say, as plain values: as much as the reports need, as far as the bytes go. */
import { decodeText } from '../format-text.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { propertyIdentifiers as identifiers, PacketCursor } from './packet-cursor.ts';

export interface WillContent {
  readonly topic: string;
  /** A view. */
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: boolean;
  /** Will Delay Interval. */
  readonly delaySeconds: number;
}

/** A Session that never expires. [MQTT 5.0 §3.1.2.11.2] */
export const neverExpires = 0xffffffff;

export interface ConnectContent {
  readonly cleanStart: boolean;
  /** Seconds. */
  readonly keepAlive: number;
  readonly userName: string | undefined;
  readonly will: WillContent | undefined;
  /** For how many seconds the Session outlives the connection: of 3.1.1, 0 with Clean Session, and else for ever. */
  readonly sessionExpirySeconds: number;
}

export function readConnect(packet: MqttPacket): ConnectContent {
  const cursor = new PacketCursor(packet);
  cursor.binary();
  cursor.uint8();
  const flags = cursor.uint8();
  const keepAlive = cursor.uint16();
  const cleanStart = (flags & 0x02) !== 0;
  let sessionExpirySeconds = cleanStart ? 0 : neverExpires;
  if (packet.version === 5) {
    sessionExpirySeconds = cursor.properties().number(identifiers.sessionExpiryInterval, 4) ?? 0;
  }
  cursor.binary();
  const will = (flags & 0x04) === 0 ? undefined : readWill(cursor, packet.version, flags);
  const userName = (flags & 0x80) === 0 || cursor.isCut ? undefined : cursor.text();
  return { cleanStart, keepAlive, userName, will: cursor.isCut ? undefined : will, sessionExpirySeconds };
}

function readWill(cursor: PacketCursor, version: number, flags: number): WillContent {
  const delaySeconds = version === 5 ? (cursor.properties().number(identifiers.willDelayInterval, 4) ?? 0) : 0;
  const topic = cursor.text();
  const payload = cursor.binary();
  return { topic, payload, qos: (flags >> 3) & 3, retain: (flags & 0x20) !== 0, delaySeconds };
}

export interface ConnackContent {
  readonly sessionPresent: boolean;
  /** Return Code of 3.1 and 3.1.1, Reason Code of 5.0. */
  readonly code: number;
  readonly serverKeepAlive: number | undefined;
  readonly sessionExpirySeconds: number | undefined;
}

export function readConnack(packet: MqttPacket): ConnackContent {
  const cursor = new PacketCursor(packet);
  const flags = cursor.uint8();
  const code = cursor.uint8();
  const properties = packet.version === 5 ? cursor.properties() : undefined;
  return {
    sessionPresent: (flags & 1) !== 0 && packet.version !== 3,
    code,
    serverKeepAlive: properties?.number(identifiers.serverKeepAlive, 2),
    sessionExpirySeconds: properties?.number(identifiers.sessionExpiryInterval, 4),
  };
}

export interface SubscriptionContent {
  readonly filter: string;
  /** Requested, 0–3. */
  readonly qos: number;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: number;
}

export interface SubscribeContent {
  readonly subscriptions: readonly SubscriptionContent[];
  /** Subscription Identifier; 0 without one. */
  readonly identifier: number;
}

export function readSubscribe(packet: MqttPacket): SubscribeContent {
  const cursor = new PacketCursor(packet);
  cursor.uint16();
  const isNew = packet.version === 5;
  const identifier = isNew ? (cursor.properties().integers(identifiers.subscriptionIdentifier)[0] ?? 0) : 0;
  const subscriptions: SubscriptionContent[] = [];
  while (cursor.rest > 0) {
    const filter = cursor.text();
    const options = cursor.uint8();
    if (cursor.isCut) break;
    subscriptions.push({
      filter,
      qos: options & 3,
      noLocal: isNew && (options & 0x04) !== 0,
      retainAsPublished: isNew && (options & 0x08) !== 0,
      retainHandling: isNew ? (options >> 4) & 3 : 0,
    });
  }
  return { subscriptions, identifier };
}

export function readUnsubscribe(packet: MqttPacket): readonly string[] {
  const cursor = new PacketCursor(packet);
  cursor.uint16();
  if (packet.version === 5) cursor.properties();
  const filters: string[] = [];
  while (cursor.rest > 0) {
    const filter = cursor.text();
    if (cursor.isCut) break;
    filters.push(filter);
  }
  return filters;
}

/** The codes of a SUBACK or UNSUBACK, a view; an UNSUBACK of 3.1.1 has none. */
export function readCodes(packet: MqttPacket): Uint8Array {
  const cursor = new PacketCursor(packet);
  cursor.uint16();
  if (packet.version === 5) cursor.properties();
  return cursor.bytes.subarray(cursor.at, cursor.end);
}

/** Reason Code of PUBACK, PUBREC, PUBREL or PUBCOMP; 0 where it is left out. */
export function readAcknowledgementCode(packet: MqttPacket): number {
  const cursor = new PacketCursor(packet);
  cursor.uint16();
  return packet.version === 5 && cursor.rest > 0 ? cursor.uint8() : 0;
}

/** Reason Code of a DISCONNECT; 0 where it is left out. */
export function readDisconnectCode(packet: MqttPacket): number {
  const cursor = new PacketCursor(packet);
  return packet.version === 5 && cursor.rest > 0 ? cursor.uint8() : 0;
}

export interface PublishContent {
  /** What it is published to, with its Topic Alias resolved; empty if that stands for nothing that was seen. */
  readonly topic: string;
  /** Where the payload lies in the packet's source. */
  readonly payloadStart: number;
  /** Bytes of the payload on the wire. */
  readonly payloadLength: number;
  /** Whether some of the payload was not captured. */
  readonly isPayloadCut: boolean;
  readonly subscriptionIdentifiers: readonly number[];
  readonly contentType: string | undefined;
  readonly payloadFormat: number | undefined;
}

const none: readonly number[] = [];

export function readPublish(packet: MqttPacket): PublishContent {
  const cursor = new PacketCursor(packet);
  const topic = cursor.text();
  if (qosOf(packet) > 0) cursor.uint16();
  let subscriptionIdentifiers = none;
  let contentType: string | undefined;
  let payloadFormat: number | undefined;
  if (packet.version === 5) {
    if (cursor.rest > 0 && cursor.bytes[cursor.at] === 0) cursor.at++;
    else {
      const properties = cursor.properties();
      subscriptionIdentifiers = properties.integers(identifiers.subscriptionIdentifier);
      contentType = properties.text(identifiers.contentType);
      payloadFormat = properties.number(identifiers.payloadFormat, 1);
    }
  }
  return {
    topic: packet.aliasedTopic === undefined ? topic : decodeText(packet.aliasedTopic.bytes),
    payloadStart: cursor.at,
    payloadLength: packet.end - cursor.at + packet.absentBytes,
    isPayloadCut: packet.absentBytes > 0 || cursor.isCut,
    subscriptionIdentifiers,
    contentType,
    payloadFormat,
  };
}

/** Of a PUBLISH. */
export function qosOf(packet: MqttPacket): number {
  return (packet.header >> 1) & 3;
}

export function isRetained(packet: MqttPacket): boolean {
  return (packet.header & 0x01) !== 0;
}

export function isDuplicate(packet: MqttPacket): boolean {
  return (packet.header & 0x08) !== 0;
}

/** Bytes of the packet on the wire, fixed header included. */
export function wireLength(packet: MqttPacket): number {
  return packet.end - packet.start + packet.absentBytes;
}
