/** Reads packets off the wire for tests: a scanner that only knows the fixed header, and a plain reader of the bodies. */
import type { Bytes, Version } from './raw-packets.ts';

/** Length of the packet that begins `bytes`, whether or not all of it is there; undefined while its fixed header is not. */
export function packetLength(bytes: Bytes): number | undefined {
  let remaining = 0;
  for (let index = 1, scale = 1; index < bytes.length; index++, scale *= 128) {
    const byte = bytes[index] as number;
    remaining += (byte & 127) * scale;
    if (byte < 128) return index + 1 + remaining;
    if (index === 4) throw new Error('a Remaining Length of more than four bytes');
  }
  return undefined;
}

/** Cuts a byte stream, which comes in pieces, into packets. */
export class PacketScanner {
  #chunks: Bytes[] = [];
  #size = 0;
  /** Fewer bytes than this hold no whole packet. */
  #wanted = 2;

  /** Takes more of the stream and gives the packets that are complete now. */
  push(chunk: Bytes): Bytes[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return [];
    let rest: Bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const packets: Bytes[] = [];
    let length = packetLength(rest);
    while (length !== undefined && length <= rest.length) {
      packets.push(rest.subarray(0, length));
      rest = rest.subarray(length);
      length = packetLength(rest);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#wanted = length ?? rest.length + 1;
    return packets;
  }

  /** The bytes of a packet that is not complete. */
  get rest(): Bytes {
    return Buffer.concat(this.#chunks);
  }
}

export const packetNames = [
  'reserved 0',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
] as const;
export type PacketName = (typeof packetNames)[number];

/** A property as it came: numbers as numbers, strings as text, binary data as bytes, pairs as two texts. */
export type PropertyValue = number | string | Bytes | readonly [string, string];
export type PropertyList = readonly (readonly [identifier: number, value: PropertyValue])[];

/** What a packet says; only the fields of its type are set. */
export interface ReadPacket {
  readonly name: PacketName;
  readonly bytes: Bytes;
  readonly flags: number;
  readonly id?: number;
  readonly code?: number;
  readonly codes?: readonly number[];
  readonly properties: PropertyList;
  readonly topic?: string;
  readonly payload?: Bytes;
  readonly qos?: number;
  readonly filters?: readonly (readonly [filter: string, options: number])[];
  readonly connect?: ReadConnect;
}

export interface ReadConnect {
  readonly version: Version;
  readonly flags: number;
  readonly keepAlive: number;
  readonly clientIdentifier: string;
  readonly will: { readonly topic: string; readonly payload: Bytes; readonly properties: PropertyList } | undefined;
  readonly username: string | undefined;
}

const byteProperties = new Set([0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a]);
const uint16Properties = new Set([0x13, 0x21, 0x22, 0x23]);
const uint32Properties = new Set([0x02, 0x11, 0x18, 0x27]);
const utf8Properties = new Set([0x03, 0x08, 0x12, 0x15, 0x1a, 0x1c, 0x1f]);

class Cursor {
  readonly bytes: Buffer;
  at = 0;
  constructor(bytes: Bytes) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  get left(): number {
    return this.bytes.length - this.at;
  }
  take(count: number): Buffer {
    if (count > this.left) throw new Error(`${count} bytes wanted, ${this.left} left in ${this.bytes.toString('hex')}`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }
  number(count: 1 | 2 | 4): number {
    return this.take(count).readUIntBE(0, count);
  }
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.number(1);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
  binary(): Buffer {
    return this.take(this.number(2));
  }
  utf8(): string {
    return this.binary().toString('utf8');
  }
  properties(): PropertyList {
    const end = this.varint() + this.at;
    const list: [number, PropertyValue][] = [];
    while (this.at < end) {
      const identifier = this.number(1);
      list.push([identifier, this.#property(identifier)]);
    }
    return list;
  }
  #property(identifier: number): PropertyValue {
    if (byteProperties.has(identifier)) return this.number(1);
    if (uint16Properties.has(identifier)) return this.number(2);
    if (uint32Properties.has(identifier)) return this.number(4);
    if (utf8Properties.has(identifier)) return this.utf8();
    if (identifier === 0x0b) return this.varint();
    if (identifier === 0x26) return [this.utf8(), this.utf8()];
    if (identifier === 0x09 || identifier === 0x16) return this.binary();
    throw new Error(`no property 0x${identifier.toString(16)}`);
  }
}

/** Reads one whole packet. `version` is that of its connection. */
export function readPacket(bytes: Bytes, version: Version): ReadPacket {
  const first = bytes[0] as number;
  const name = packetNames[first >> 4] as PacketName;
  const cursor = new Cursor(bytes);
  cursor.take(1);
  cursor.varint();
  const flags = first & 15;
  const base = { name, bytes, flags, properties: [] as PropertyList };
  const five = version === 5;
  switch (name) {
    case 'CONNECT':
      return { ...base, ...readConnect(cursor) };
    case 'CONNACK': {
      const acknowledgeFlags = cursor.number(1);
      const code = cursor.number(1);
      return { ...base, flags: acknowledgeFlags, code, properties: five && cursor.left > 0 ? cursor.properties() : [] };
    }
    case 'PUBLISH': {
      const qos = (flags >> 1) & 3;
      const topic = cursor.utf8();
      const id = qos > 0 ? { id: cursor.number(2) } : {};
      const properties = five ? cursor.properties() : [];
      return { ...base, qos, topic, ...id, properties, payload: cursor.take(cursor.left) };
    }
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP': {
      const id = cursor.number(2);
      const code = cursor.left > 0 ? cursor.number(1) : 0;
      return { ...base, id, code, properties: cursor.left > 0 ? cursor.properties() : [] };
    }
    case 'SUBSCRIBE': {
      const id = cursor.number(2);
      const properties = five ? cursor.properties() : [];
      const filters: [string, number][] = [];
      while (cursor.left > 0) filters.push([cursor.utf8(), cursor.number(1)]);
      return { ...base, id, properties, filters };
    }
    case 'UNSUBSCRIBE': {
      const id = cursor.number(2);
      const properties = five ? cursor.properties() : [];
      const filters: [string, number][] = [];
      while (cursor.left > 0) filters.push([cursor.utf8(), 0]);
      return { ...base, id, properties, filters };
    }
    case 'SUBACK':
    case 'UNSUBACK': {
      const id = cursor.number(2);
      const properties = five ? cursor.properties() : [];
      return { ...base, id, properties, codes: [...cursor.take(cursor.left)] };
    }
    case 'DISCONNECT':
    case 'AUTH': {
      const code = cursor.left > 0 ? cursor.number(1) : 0;
      return { ...base, code, properties: cursor.left > 0 ? cursor.properties() : [] };
    }
    default:
      return base;
  }
}

function readConnect(cursor: Cursor): { connect: ReadConnect; properties: PropertyList } {
  cursor.utf8();
  const version = (cursor.number(1) & 127) as Version;
  const flags = cursor.number(1);
  const keepAlive = cursor.number(2);
  const properties = version === 5 ? cursor.properties() : [];
  const clientIdentifier = cursor.utf8();
  let will: ReadConnect['will'];
  if (flags & 4) {
    const willProperties = version === 5 ? cursor.properties() : [];
    will = { properties: willProperties, topic: cursor.utf8(), payload: cursor.binary() };
  }
  const username = flags & 128 ? cursor.utf8() : undefined;
  return { properties, connect: { version, flags, keepAlive, clientIdentifier, will, username } };
}

/** All values of a property. */
export function valuesOf(packet: ReadPacket, identifier: number): PropertyValue[] {
  return packet.properties.filter(([one]) => one === identifier).map(([, value]) => value);
}

const printable = (payload: Bytes) => {
  const shown = Buffer.from(payload).toString('utf8');
  return payload.length <= 64 ? JSON.stringify(shown) : `(${payload.length} bytes)`;
};

/** A packet as one short text: fixed header in hexadecimal, name, what it says. */
export function describePacket(packet: ReadPacket): string {
  const headerLength = packet.bytes.findIndex((byte, index) => index > 0 && byte < 128) + 1;
  const header = Array.from(packet.bytes.subarray(0, headerLength), (byte) => byte.toString(16).padStart(2, '0'));
  const words: string[] = [...header, packet.name];
  const { connect } = packet;
  if (connect) {
    words.push(`v${connect.version}`, `flags=${connect.flags.toString(16).padStart(2, '0')}`, `k${connect.keepAlive}`);
    if (connect.will) words.push(`will [${connect.will.topic}] ${printable(connect.will.payload)}`);
  }
  if (packet.name === 'CONNACK') words.push(`flags=${packet.flags}`, `code=${packet.code}`);
  if (packet.id !== undefined) words.push(`id=${packet.id}`);
  if (packet.name === 'PUBLISH' && packet.flags & 8) words.push('dup');
  if (packet.topic !== undefined) words.push(`[${packet.topic}]`);
  for (const [filter, options] of packet.filters ?? []) {
    words.push(packet.name === 'SUBSCRIBE' ? `[${filter}] q${options & 3}` : `[${filter}]`);
  }
  if (packet.codes) words.push(`codes=${packet.codes.join(',')}`);
  if (packet.payload) words.push(printable(packet.payload));
  if (packet.name !== 'CONNACK' && packet.code) words.push(`code=0x${packet.code.toString(16)}`);
  return words.join(' ');
}
