/**
 * Writes mosquitto.db byte for byte as its versions 5 and 6 are laid out, for machines that we have not: Mosquitto 1.6, whose version 5 Debian
 * does not have any more, computers with the other byte order, and 32-bit x86, whose structures have less padding. That version 5 is right
 * is shown by Mosquitto 2.0, which reads it.
 */
import { join as joinBytes, properties } from '../../../support/raw-packets.ts';

export interface WriterOptions {
  readonly version: number;
  /** The byte order of the numbers that are not big-endian anyway. Default false. */
  readonly isBigEndian?: boolean;
  /** Whether structures end at a multiple of eight bytes. Default true. */
  readonly isPadded?: boolean;
  /** Of message numbers. Default 8. */
  readonly numberBytes?: number;
  /** The field for a checksum, which nobody writes or reads. Default 0. */
  readonly checksum?: number;
}

export interface MessageFields {
  readonly number: number;
  readonly topic: string | Uint8Array;
  readonly payload?: string | Uint8Array;
  readonly expiresAtSeconds?: number;
  readonly qos?: number;
  readonly retain?: boolean;
  readonly sourceClient?: string;
  readonly sourceUser?: string;
  readonly properties?: readonly Uint8Array[];
}

export interface DeliveryFields {
  readonly message: number;
  readonly client: string;
  readonly packetIdentifier?: number;
  readonly qos: number;
  readonly state: number;
  readonly retain?: boolean;
  readonly direction?: 'in' | 'out';
  readonly properties?: readonly Uint8Array[];
}

export interface ClientFields {
  readonly client: string;
  readonly expiresAtSeconds?: number;
  /** Default: never. */
  readonly expiryInterval?: number;
  /** From version 6. */
  readonly user?: string | Uint8Array;
}

export interface SubscriptionFields {
  readonly client: string;
  readonly filter: string;
  readonly identifier?: number;
  readonly qos?: number;
  readonly options?: number;
}

export class DatabaseWriter {
  readonly #options: WriterOptions;
  readonly #parts: Buffer[] = [];

  constructor(options: WriterOptions) {
    this.#options = options;
    const header = Buffer.alloc(23);
    header.set([0x00, 0xb5, 0x00], 0);
    header.write('mosquitto db', 3, 'latin1');
    header.writeUInt32BE(options.checksum ?? 0, 15);
    header.writeUInt32BE(options.version, 19);
    this.#parts.push(header);
    const body = Buffer.alloc((options.isPadded ?? true) ? 16 : 12);
    this.#writeLong(body, 0, 1000);
    body[8] = 1;
    body[9] = options.numberBytes ?? 8;
    this.chunk(1, body);
  }

  /** Any chunk. */
  chunk(type: number, ...parts: readonly Uint8Array[]): this {
    const body = Buffer.concat(parts);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(type, 0);
    header.writeUInt32BE(body.length, 4);
    this.#parts.push(header, body);
    return this;
  }

  message(fields: MessageFields): this {
    const [topic, payload] = [bytesOf(fields.topic), bytesOf(fields.payload ?? '')];
    const [client, user] = [bytesOf(fields.sourceClient ?? ''), bytesOf(fields.sourceUser ?? '')];
    const fixed = Buffer.alloc(32);
    this.#writeLong(fixed, 0, fields.number);
    this.#writeLong(fixed, 8, fields.expiresAtSeconds ?? 0);
    fixed.writeUInt32BE(payload.length, 16);
    fixed.writeUInt16BE(client.length, 22);
    fixed.writeUInt16BE(user.length, 24);
    fixed.writeUInt16BE(topic.length, 26);
    fixed.writeUInt16BE(1883, 28);
    fixed[30] = fields.qos ?? 0;
    fixed[31] = fields.retain ? 1 : 0;
    return this.chunk(2, fixed, client, user, topic, payload, propertyBytes(fields.properties));
  }

  delivery(fields: DeliveryFields): this {
    const client = bytesOf(fields.client);
    const fixed = Buffer.alloc(16);
    this.#writeLong(fixed, 0, fields.message);
    fixed.writeUInt16BE(fields.packetIdentifier ?? 0, 8);
    fixed.writeUInt16BE(client.length, 10);
    fixed[12] = fields.qos;
    fixed[13] = fields.state;
    fixed[14] = fields.retain ? 0x10 : 0;
    fixed[15] = fields.direction === 'in' ? 0 : 1;
    return this.chunk(3, fixed, client, propertyBytes(fields.properties));
  }

  retained(message: number): this {
    const body = Buffer.alloc(8);
    this.#writeLong(body, 0, message);
    return this.chunk(4, body);
  }

  subscription(fields: SubscriptionFields): this {
    const [client, filter] = [bytesOf(fields.client), bytesOf(fields.filter)];
    const fixed = Buffer.alloc(12);
    fixed.writeUInt32BE(fields.identifier ?? 0, 0);
    fixed.writeUInt16BE(client.length, 4);
    fixed.writeUInt16BE(filter.length, 6);
    fixed[8] = fields.qos ?? 0;
    fixed[9] = fields.options ?? 0;
    return this.chunk(5, fixed, client, filter);
  }

  client(fields: ClientFields): this {
    const { version, isPadded = true } = this.#options;
    const [client, user] = [bytesOf(fields.client), bytesOf(fields.user ?? '')];
    const fixed = Buffer.alloc(version === 5 ? 16 : isPadded ? 24 : 20);
    this.#writeLong(fixed, 0, fields.expiresAtSeconds ?? 0);
    fixed.writeUInt32BE(fields.expiryInterval ?? 0xffff_ffff, 8);
    fixed.writeUInt16BE(client.length, 14);
    if (version !== 5) fixed.writeUInt16BE(user.length, 18);
    return this.chunk(6, fixed, client, user);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #writeLong(body: Buffer, offset: number, value: number): void {
    if (this.#options.isBigEndian) body.writeBigUInt64BE(BigInt(value), offset);
    else body.writeBigUInt64LE(BigInt(value), offset);
  }
}

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}

/** With their length in front; nothing at all if there are none. */
function propertyBytes(list: readonly Uint8Array[] | undefined): Uint8Array {
  return list === undefined ? joinBytes() : properties(list);
}
