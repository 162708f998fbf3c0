/**
 * The chunks of mosquitto.db, versions 5 (written by Mosquitto 1.6) and 6 (by 2.0). Each is a C structure as it lay in memory, then texts:
 *
 *     file         00 B5 00 "mosquitto db" (15), checksum (4, always 0), version (4), chunks
 *     chunk        type (4), length of what follows (4)
 *     1 cfg        last message number (8°), clean shutdown (1), bytes of a message number (1), padding
 *     2 message    number (8°), expires at (8°), payload length (4), source packet identifier (2), lengths of source client (2), source
 *                  user (2) and topic (2), source port (2), QoS (1), RETAIN (1); source client, source user, topic, payload, properties
 *     3 delivery   message (8°), packet identifier (2), length of client (2), QoS (1), state (1), RETAIN in the upper and DUP in the lower
 *                  half (1), direction (1: 0 in, 1 out); client, properties
 *     4 retained   message (8°)
 *     5 subscr.    identifier (4), lengths of client (2) and filter (2), QoS (1), options as in SUBSCRIBE (1), padding (2); client, filter
 *     6 client     expires at (8°), expiry interval (4), last packet identifier (2), length of client (2), from version 6: port (2), length
 *                  of user (2), padding; client, user
 *
 * Numbers are big-endian, but those marked ° are in the order of the machine that wrote them; times are seconds since the epoch, 0 for
 * never. Padding follows that machine, too: on 32-bit x86 there is none after cfg and client. Properties are as in a PUBLISH packet, and
 * missing where there are none.
 */
import type { MessageNumber } from '../stored-item.ts';

export const chunkType = { cfg: 1, message: 2, delivery: 3, retained: 4, subscription: 5, client: 6 } as const;

export const chunkNames: Readonly<Record<number, string>> = {
  1: 'configuration',
  2: 'message',
  3: 'delivery',
  4: 'retained message',
  5: 'subscription',
  6: 'client',
};

/** What is wrong with the form of a chunk: the file is damaged. */
export class ChunkFault extends Error {}

/** What differs between the machines that write such files. */
export interface Dialect {
  readonly version: 5 | 6;
  readonly isBigEndian: boolean;
  /** Bytes of a client's structure. */
  readonly clientBytes: number;
}

export interface MessageHead {
  readonly number: MessageNumber;
  /** Milliseconds since the epoch; 0 for never. */
  readonly expiresAt: number;
  readonly qos: number;
  readonly retain: boolean;
}

export interface MessageChunk extends MessageHead {
  readonly sourceClient: Buffer;
  readonly sourceUser: Buffer;
  readonly topic: Buffer;
  readonly payload: Buffer;
  /** With their length in front; empty if there are none. */
  readonly properties: Buffer;
}

export interface DeliveryChunk {
  readonly message: MessageNumber;
  readonly packetIdentifier: number;
  readonly qos: number;
  readonly state: number;
  readonly retain: boolean;
  readonly isOutbound: boolean;
  readonly client: Buffer;
  readonly properties: Buffer;
}

export interface SubscriptionChunk {
  readonly identifier: number;
  readonly qos: number;
  readonly options: number;
  readonly client: Buffer;
  readonly filter: Buffer;
}

export interface ClientChunk {
  /** Milliseconds since the epoch; 0 while it is connected or if it never does. */
  readonly expiresAt: number;
  /** Seconds. */
  readonly expiryInterval: number;
  readonly client: Buffer;
  readonly user: Buffer;
}

const cfgBytesMin = 10;
const messageBytes = 32;
const deliveryBytes = 16;
const subscriptionBytes = 12;

/** The first chunk, which tells the dialect. @throws {ChunkFault} */
export function readDialect(body: Buffer, version: 5 | 6): Dialect {
  if (body.length < cfgBytesMin) throw new ChunkFault(`it has ${body.length} bytes; expected at least ${cfgBytesMin}`);
  const numberBytes = body[9] as number;
  if (numberBytes !== 8) throw new ChunkFault(`message numbers of ${numberBytes} bytes; expected 8`);
  // Numbers are given one by one, so the last is small; read in the wrong order it is huge.
  const isBigEndian = body.readBigUInt64BE(0) < body.readBigUInt64LE(0);
  const isPadded = body.length >= 16;
  return { version, isBigEndian, clientBytes: version === 5 ? 16 : isPadded ? 24 : 20 };
}

export function readMessageNumber(body: Buffer, { isBigEndian }: Dialect): MessageNumber {
  if (body.length < 8) throw new ChunkFault('it is too short');
  const number = isBigEndian ? body.readBigUInt64BE(0) : body.readBigUInt64LE(0);
  return number <= Number.MAX_SAFE_INTEGER ? Number(number) : number;
}

export function readMessageChunk(body: Buffer, dialect: Dialect): MessageChunk {
  const payloadLength = need(body, messageBytes).readUInt32BE(16);
  const [sourceClient, sourceUser, topic, payload, properties] = split(body, messageBytes, [
    body.readUInt16BE(22),
    body.readUInt16BE(24),
    body.readUInt16BE(26),
    payloadLength,
  ]) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  return {
    number: readMessageNumber(body, dialect),
    expiresAt: readTime(body, 8, dialect),
    qos: body[30] as number,
    retain: body[31] !== 0,
    sourceClient,
    sourceUser,
    topic,
    payload,
    properties,
  };
}

export function readDeliveryChunk(body: Buffer, dialect: Dialect): DeliveryChunk {
  const clientLength = need(body, deliveryBytes).readUInt16BE(10);
  const [client, properties] = split(body, deliveryBytes, [clientLength]) as [Buffer, Buffer];
  return {
    message: readMessageNumber(body, dialect),
    packetIdentifier: body.readUInt16BE(8),
    qos: body[12] as number,
    state: body[13] as number,
    retain: (body[14] as number) >> 4 !== 0,
    isOutbound: body[15] === 1,
    client,
    properties,
  };
}

export function readSubscriptionChunk(body: Buffer): SubscriptionChunk {
  const clientLength = need(body, subscriptionBytes).readUInt16BE(4);
  const [client, filter, rest] = split(body, subscriptionBytes, [clientLength, body.readUInt16BE(6)]) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  expectNothing(rest);
  return { identifier: body.readUInt32BE(0), qos: body[8] as number, options: body[9] as number, client, filter };
}

export function readClientChunk(body: Buffer, dialect: Dialect): ClientChunk {
  const { version, clientBytes } = dialect;
  const clientLength = need(body, clientBytes).readUInt16BE(14);
  const userLength = version === 5 ? 0 : body.readUInt16BE(18);
  const [client, user, rest] = split(body, clientBytes, [clientLength, userLength]) as [Buffer, Buffer, Buffer];
  expectNothing(rest);
  return {
    expiresAt: readTime(body, 0, dialect),
    expiryInterval: body.readUInt32BE(8),
    client,
    // Mosquitto 2.0.11 writes a client without a user name that comes after one with a name in a wrong length: that name, a zero, and what
    // else was in its memory.
    user: user.includes(0) ? user.subarray(0, 0) : user,
  };
}

function readTime(body: Buffer, offset: number, { isBigEndian }: Dialect): number {
  const seconds = Number(isBigEndian ? body.readBigInt64BE(offset) : body.readBigInt64LE(offset));
  if (seconds < 0 || seconds * 1000 > Number.MAX_SAFE_INTEGER) throw new ChunkFault(`a time of ${seconds} seconds`);
  return seconds * 1000;
}

function need(body: Buffer, length: number): Buffer {
  if (body.length < length) throw new ChunkFault(`it has ${body.length} bytes; expected at least ${length}`);
  return body;
}

/** The texts behind the structure, one after the other, and what is left. */
function split(body: Buffer, start: number, lengths: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  let position = start;
  for (const length of lengths) {
    if (position + length > body.length) {
      throw new ChunkFault(`a text of ${length} bytes at byte ${position} of it, which has ${body.length}`);
    }
    parts.push(body.subarray(position, position + length));
    position += length;
  }
  parts.push(body.subarray(position));
  return parts;
}

function expectNothing(rest: Buffer): void {
  if (rest.length > 0) throw new ChunkFault(`${rest.length} bytes too many`);
}
