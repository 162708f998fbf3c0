/**
 * The few packets that the generator sends, and the shape of those it counts. Written apart from the codec under `src/`: what
 * measures a broker must not share its mistakes, and needs to know one packet length, not all of MQTT.
 */
import { LoadError } from './load-error.ts';

export type Protocol = '3.1.1' | '5';
export type QoS = 0 | 1 | 2;

/** First bytes of the packets that are answered or counted. PUBREL and SUBSCRIBE carry the flags 0010. */
export const firstByte = {
  connect: 0x10,
  connack: 0x20,
  publish: 0x30,
  puback: 0x40,
  pubrec: 0x50,
  pubrel: 0x62,
  pubcomp: 0x70,
  subscribe: 0x82,
  suback: 0x90,
  disconnect: 0xe0,
} as const;

/** DISCONNECT with no more to say; the same in both versions. */
export const disconnectPacket: Uint8Array = Uint8Array.of(firstByte.disconnect, 0);

/** A flag of CONNECT; in 3.1.1 it is Clean Session. */
const cleanStart = 0x02;
/** The property: 3600 seconds. */
const sessionExpiryInterval = [17, 0, 0, 3600 >> 8, 3600 & 0xff];

/**
 * Bytes of a payload that the generator uses; a smaller payload cannot be checked.
 *
 *     0        2        4                 8
 *     +--------+--------+-----------------+----------
 *     | mark   | stream | counter, from 0 | filling …
 *     +--------+--------+-----------------+----------
 */
export const payloadHeadBytes = 8;
export const payloadBytesMax = 1_048_576;
/** Tells the generator's messages from others. */
export const payloadMark = 0x0c1e;

/** How all PUBLISH packets of a run look: where in each the parts lie that change. Offsets count from the first byte. */
export interface PublishForm {
  /** A whole packet with packet identifier 0 and counter 0. */
  readonly template: Uint8Array;
  /** Bytes of the fixed header, 2 to 5. */
  readonly headerBytes: number;
  /** Meaningless at QoS 0. */
  readonly packetIdentifierOffset: number;
  readonly payloadOffset: number;
  readonly counterOffset: number;
}

/**
 * @param stream number of the publisher's topic, which is in every payload; 0 to 65,535
 * @param payloadBytes `payloadHeadBytes` to `payloadBytesMax`
 */
export function publishForm(
  protocol: Protocol,
  topic: string,
  qos: QoS,
  stream: number,
  payloadBytes: number,
): PublishForm {
  const topicBytes = text(topic);
  const packetIdentifier = qos === 0 ? [] : [0, 0];
  const properties = protocol === '5' ? [0] : [];
  const payload = new Uint8Array(payloadBytes);
  payload.set([payloadMark >> 8, payloadMark & 0xff, stream >> 8, stream & 0xff]);
  for (let at = payloadHeadBytes; at < payloadBytes; at++) payload[at] = 0x61 + (at % 26);
  const body = [...topicBytes, ...packetIdentifier, ...properties];
  const template = packet(firstByte.publish | (qos << 1), body, payload);
  const payloadOffset = template.length - payloadBytes;
  return {
    template,
    headerBytes: payloadOffset - body.length,
    packetIdentifierOffset: payloadOffset - properties.length - packetIdentifier.length,
    payloadOffset,
    counterOffset: payloadOffset + 4,
  };
}

/**
 * Keep alive is 0: a run is short, and a PINGREQ would only disturb it.
 * @param isPersistent whether the Session outlives the connection, at MQTT 5 by an hour; otherwise it is clean
 */
export function connectPacket(protocol: Protocol, clientIdentifier: string, isPersistent: boolean): Uint8Array {
  const version = protocol === '5' ? 5 : 4;
  const flags = isPersistent ? 0 : cleanStart;
  const expiry = isPersistent ? sessionExpiryInterval : [];
  const properties = protocol === '5' ? [expiry.length, ...expiry] : [];
  return packet(firstByte.connect, [...text('MQTT'), version, flags, 0, 0, ...properties, ...text(clientIdentifier)]);
}

/** One filter, packet identifier 1. */
export function subscribePacket(protocol: Protocol, topicFilter: string, qos: QoS): Uint8Array {
  const properties = protocol === '5' ? [0] : [];
  return packet(firstByte.subscribe, [0, 1, ...properties, ...text(topicFilter), qos]);
}

/**
 * The most QoS 1 and 2 messages that the server lets us have unacknowledged.
 * @param body of a CONNACK, after its fixed header
 * @throws {LoadError} if the server refuses
 */
export function readConnack(protocol: Protocol, body: Uint8Array): number {
  const reasonCode = body[1];
  if (reasonCode !== 0) throw new LoadError(`the broker refuses the connection with code ${hex(reasonCode)}`);
  return protocol === '5' ? (readReceiveMaximum(body) ?? 65_535) : 65_535;
}

/** @throws {LoadError} unless exactly the QoS that was asked for was granted */
export function checkSuback(protocol: Protocol, body: Uint8Array, qos: QoS): void {
  const propertiesBytes = protocol === '5' ? 1 + body[2]! : 0;
  const granted = body[2 + propertiesBytes];
  if (granted !== qos) throw new LoadError(`the broker answers a subscription at QoS ${qos} with code ${hex(granted)}`);
}

const receiveMaximumIdentifier = 0x21;

/** Property identifiers that a CONNACK may have, by the bytes of their value; those not listed are strings. */
const fixedSizes: Readonly<Record<number, number>> = {
  17: 4, // Session Expiry Interval
  19: 2, // Server Keep Alive
  33: 2, // Receive Maximum
  34: 2, // Topic Alias Maximum
  36: 1, // Maximum QoS
  37: 1, // Retain Available
  39: 4, // Maximum Packet Size
  40: 1, // Wildcard Subscription Available
  41: 1, // Subscription Identifier Available
  42: 1, // Shared Subscription Available
};

function readReceiveMaximum(body: Uint8Array): number | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  // Flags and reason code, then the length of the properties, which end the packet.
  let at = 2;
  while (at < body.length && (body[at]! & 0x80) !== 0) at++;
  at++;
  while (at < body.length) {
    const identifier = body[at]!;
    at++;
    if (identifier === receiveMaximumIdentifier) return view.getUint16(at);
    const size = fixedSizes[identifier];
    if (size !== undefined) {
      at += size;
      continue;
    }
    at += 2 + view.getUint16(at);
    // A User Property is a pair of strings.
    if (identifier === 38) at += 2 + view.getUint16(at);
  }
  return undefined;
}

/** A whole packet; what is after `body` need not be spread into it. */
function packet(first: number, body: readonly number[], rest: Uint8Array = new Uint8Array(0)): Uint8Array {
  const remainingLength = variableByteInteger(body.length + rest.length);
  const bytes = new Uint8Array(1 + remainingLength.length + body.length + rest.length);
  bytes.set([first, ...remainingLength, ...body]);
  bytes.set(rest, bytes.length - rest.length);
  return bytes;
}

function variableByteInteger(value: number): number[] {
  const bytes = [];
  let left = value;
  do {
    const digit = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return bytes;
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

function hex(value: number | undefined): string {
  return value === undefined ? 'none' : `0x${value.toString(16).padStart(2, '0')}`;
}
