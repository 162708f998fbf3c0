/**
 * The few packets that the generator sends, and the shape of those it counts. Written apart from the codec under `src/`: what
 * measures a broker must not share its mistakes, and needs to know one packet length, not all of MQTT.
 */
import { reasonCodeName } from '../protocol/reason-codes.ts';
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
  pingreq: 0xc0,
  pingresp: 0xd0,
  disconnect: 0xe0,
} as const;

/** DISCONNECT with no more to say; the same in both versions. */
export const disconnectPacket: Uint8Array = Uint8Array.of(firstByte.disconnect, 0);

/** The same in both versions. */
export const pingreqPacket: Uint8Array = Uint8Array.of(firstByte.pingreq, 0);

/** First byte and Remaining Length. */
const fixedHeaderBytesMax = 5;

/** Flags of CONNECT; in 3.1.1 Clean Start is Clean Session. */
const connectFlag = { cleanStart: 0x02, password: 0x40, username: 0x80 } as const;
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
/** A flag of PUBLISH. */
export const retainFlag = 0x01;
/** Tells the generator's messages from others. */
export const payloadMark = 0x0c1e;

/** What stands for the stream in retained messages, of which each has a topic of its own. */
export const retainedStream = 0xffff;

/** How all PUBLISH packets of a run look: where in each the parts lie that change. Offsets count from the first byte. */
export interface PublishForm {
  /** A whole packet with packet identifier 0 and counter 0. */
  readonly template: Uint8Array;
  /** Its first byte when it is delivered: RETAIN is not passed on to subscriptions that were there before. [MQTT-3.3.1-12] */
  readonly deliveredFirst: number;
  /** Bytes of the fixed header, 2 to 5. */
  readonly headerBytes: number;
  /** Meaningless at QoS 0. */
  readonly packetIdentifierOffset: number;
  readonly payloadOffset: number;
  readonly counterOffset: number;
}

/**
 * @param stream number of the publisher's topic, which is in every payload; 0 to 65,535
 * @param payloadBytes `payloadHeadBytes` to `payloadBytesMax`, or 0
 * @param isRetained whether the broker is to keep the last message
 */
export function publishForm(
  protocol: Protocol,
  topic: string,
  qos: QoS,
  stream: number,
  payloadBytes: number,
  isRetained = false,
): PublishForm {
  const topicBytes = text(topic);
  const packetIdentifier = qos === 0 ? [] : [0, 0];
  const properties = protocol === '5' ? [0] : [];
  const payload = new Uint8Array(payloadBytes);
  // None at all removes a retained message.
  if (payloadBytes > 0) payload.set([payloadMark >> 8, payloadMark & 0xff, stream >> 8, stream & 0xff]);
  for (let at = payloadHeadBytes; at < payloadBytes; at++) payload[at] = 0x61 + (at % 26);
  const body = [...topicBytes, ...packetIdentifier, ...properties];
  const deliveredFirst = firstByte.publish | (qos << 1);
  const template = packet(deliveredFirst | (isRetained ? retainFlag : 0), body, payload);
  const payloadOffset = template.length - payloadBytes;
  return {
    template,
    deliveredFirst,
    headerBytes: payloadOffset - body.length,
    packetIdentifierOffset: payloadOffset - properties.length - packetIdentifier.length,
    payloadOffset,
    counterOffset: payloadOffset + 4,
  };
}

/** Removes the retained message of a topic, at QoS 1. [MQTT-3.3.1-6] @param packetIdentifier 1 to 65,535 */
export function emptyRetainedPacket(protocol: Protocol, topic: string, packetIdentifier: number): Uint8Array {
  const first = firstByte.publish | (1 << 1) | retainFlag;
  const properties = protocol === '5' ? [0] : [];
  return packet(first, [...text(topic), packetIdentifier >> 8, packetIdentifier & 0xff, ...properties]);
}

export interface ConnectFields {
  readonly protocol: Protocol;
  /** Whether the session outlives the connection, at MQTT 5 by an hour; otherwise it is clean. */
  readonly isPersistent: boolean;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Seconds, 0 to 65,535. Default 0, none: a run is short, and a PINGREQ would only disturb it. */
  readonly keepAlive?: number | undefined;
  /** MQTT 5: unacknowledged messages that the broker may send at once, 1 to 65,535. Default: the protocol's, 65,535. */
  readonly receiveMaximum?: number | undefined;
}

/** CONNECT packets that are alike but for the Client Identifier. Of many, each costs a copy. */
export class ConnectForm {
  /** Variable header and properties. */
  readonly #before: Uint8Array;
  /** User name and password. */
  readonly #after: Uint8Array;

  constructor({ protocol, isPersistent, username, password, keepAlive = 0, receiveMaximum }: ConnectFields) {
    const version = protocol === '5' ? 5 : 4;
    const flags =
      (isPersistent ? 0 : connectFlag.cleanStart) |
      (username === undefined ? 0 : connectFlag.username) |
      (password === undefined ? 0 : connectFlag.password);
    const values = [
      ...(isPersistent ? sessionExpiryInterval : []),
      ...(receiveMaximum === undefined ? [] : [receiveMaximumIdentifier, receiveMaximum >> 8, receiveMaximum & 0xff]),
    ];
    const properties = protocol === '5' ? [values.length, ...values] : [];
    const keepAliveBytes = [keepAlive >> 8, keepAlive & 0xff];
    this.#before = Uint8Array.from([...text('MQTT'), version, flags, ...keepAliveBytes, ...properties]);
    this.#after = Uint8Array.from([
      ...(username === undefined ? [] : text(username)),
      ...(password === undefined ? [] : text(password)),
    ]);
  }

  /** The packet, in memory of Node's pool: a `Uint8Array` of its own is turned into a Buffer by the socket, for more than it costs itself. */
  packet(clientIdentifier: string): Uint8Array {
    const before = this.#before;
    const after = this.#after;
    const identifierBytes = Buffer.byteLength(clientIdentifier);
    const remainingLength = before.length + 2 + identifierBytes + after.length;
    const bytes = Buffer.allocUnsafe(fixedHeaderBytesMax + remainingLength);
    bytes[0] = firstByte.connect;
    let at = 1;
    let left = remainingLength;
    for (; left > 0x7f; left >>= 7) bytes[at++] = (left & 0x7f) | 0x80;
    bytes[at++] = left;
    bytes.set(before, at);
    at += before.length;
    bytes[at++] = identifierBytes >> 8;
    bytes[at++] = identifierBytes & 0xff;
    at += bytes.write(clientIdentifier, at);
    bytes.set(after, at);
    return bytes.subarray(0, at + after.length);
  }
}

/** @param packetIdentifier 1 to 65,535 */
export function subscribePacket(
  protocol: Protocol,
  topicFilters: readonly string[],
  qos: QoS,
  packetIdentifier = 1,
): Uint8Array {
  const properties = protocol === '5' ? [0] : [];
  const entries = topicFilters.flatMap((filter) => [...text(filter), qos]);
  return packet(firstByte.subscribe, [packetIdentifier >> 8, packetIdentifier & 0xff, ...properties, ...entries]);
}

/** Why a 3.1.1 server refuses, by return code. [MQTT-3.1.1 §3.2.2.3] */
const returnCodeNames = [
  '',
  'unacceptable protocol version',
  'identifier rejected',
  'server unavailable',
  'bad user name or password',
  'not authorised',
];

/**
 * The most QoS 1 and 2 messages that the server lets us have unacknowledged.
 * @param body of a CONNACK, after its fixed header
 * @throws {LoadError} if the server refuses
 */
export function readConnack(protocol: Protocol, body: Uint8Array): number {
  const code = body[1];
  if (code !== 0) throw new LoadError(`the broker refuses the connection with code ${describeCode(protocol, code)}`);
  return protocol === '5' ? (readReceiveMaximum(body) ?? 65_535) : 65_535;
}

/** `0x05 (not authorised)`. */
function describeCode(protocol: Protocol, code: number | undefined): string {
  const isName = protocol === '5' || (code !== undefined && code < returnCodeNames.length);
  if (code === undefined || !isName) return hex(code);
  return `${hex(code)} (${protocol === '5' ? reasonCodeName(code) : returnCodeNames[code]})`;
}

/**
 * @param count of filters in the SUBSCRIBE
 * @throws {LoadError} unless exactly the QoS that was asked for was granted, for every filter
 */
export function checkSuback(protocol: Protocol, body: Uint8Array, qos: QoS, count = 1): void {
  const first = protocol === '5' ? 3 + body[2]! : 2;
  for (let at = first; at < first + count; at++) {
    const granted = body[at];
    if (granted === qos) continue;
    const code = protocol === '5' && granted !== undefined ? describeCode('5', granted) : hex(granted);
    throw new LoadError(`the broker answers a subscription at QoS ${qos} with code ${code}`);
  }
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
