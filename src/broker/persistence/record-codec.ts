/**
 * The frame of every record, and what records are made of.
 *
 *     checksum   4   CRC-32 over the key, then all that follows (of messages without the payload, which has its own)
 *     version    1   of this kind's layout; 1
 *     …              as written by message-record.ts and session-records.ts
 *
 * Numbers are big-endian. A text is its length in bytes (4) and UTF-8; a time is milliseconds since the epoch (8), 0 for never.
 */
import { ByteWriter } from '../../base/byte-writer.ts';
import { utf8Length, writeUtf8 } from '../../base/bytes.ts';
import { TextCache } from '../../base/text-cache.ts';
import { PacketReader } from '../../codec/packet-reader.ts';
import { propertiesSize, readProperties, writeProperties } from '../../codec/property-codec.ts';
import { StorageError } from '../../protocol/errors.ts';
import type { PropertiesOf, PropertyScope } from '../../protocol/properties.ts';
import { crc32 } from './checksum.ts';

/** Of all layouts; a record of another is refused. */
const recordVersion = 1;
const frameBytes = 5;

/** What is wrong with a record, without saying which it is. */
export class RecordFault extends Error {}

/** Begins a record; returns where, for `endRecord`. */
export function beginRecord(writer: ByteWriter): number {
  const start = writer.length;
  writer.writeUint32(0);
  writer.writeUint8(recordVersion);
  return start;
}

/** Writes the checksum of a record that is complete (or of its part up to here). */
export function endRecord(writer: ByteWriter, start: number, key: Uint8Array): void {
  const { bytes, length } = writer;
  const checksum = crc32(bytes, start + 4, length, crc32(key, 0, key.length));
  writer.length = start;
  writer.writeUint32(checksum);
  writer.length = length;
}

export function writeText(writer: ByteWriter, text: string): void {
  const start = writer.length;
  writer.writeUint32(text.length);
  if (writer.writeShortAscii(text)) return;
  writer.length = start;
  const length = utf8Length(text);
  writer.writeUint32(length);
  writer.ensure(length);
  writer.length += writeUtf8(text, writer.bytes, writer.length);
}

/** A whole number from 0 to 2^53 - 1. */
export function writeLong(writer: ByteWriter, value: number): void {
  writer.writeUint32(Math.floor(value / 0x1_0000_0000));
  writer.writeUint32(value % 0x1_0000_0000);
}

export function writeBytes(writer: ByteWriter, data: Uint8Array): void {
  writer.writeUint32(data.length);
  writer.writeBytes(data);
}

export function writePropertiesOf(writer: ByteWriter, properties: object | undefined, scope: PropertyScope): void {
  writeProperties(writer, properties, propertiesSize(properties, scope));
}

const scratch = new ByteWriter(256);

/**
 * Makes sure that a message's properties can be written, while it is still clear whose they are: those that a program made may be anything.
 * @throws {OptionError | RangeError}
 */
export function checkProperties(properties: object): void {
  scratch.reset();
  writePropertiesOf(scratch, properties, 'PUBLISH');
}

/** A record as it lies in memory. */
export interface RecordView {
  readonly key: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: Uint8Array;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A record of which key and value are all there is. */
export function viewOf(key: Uint8Array, value: Uint8Array): RecordView {
  return { key, keyStart: 0, keyEnd: key.length, value, valueStart: 0, valueEnd: value.length };
}

/** Reads records. What is wrong in them is a `RecordFault`, or one of the packet reader's own errors. */
export class RecordReader extends PacketReader {
  /** Texts come again and again: topics, user names. */
  readonly #known = new TextCache();

  /**
   * Moves to what stands behind the version.
   * @param checkedEnd where in the value the checksummed part ends; default: at its end
   * @throws {RecordFault} if the checksum is wrong or the version another
   */
  open(record: RecordView, checkedEnd = record.valueEnd): void {
    const { value, valueStart } = record;
    if (valueStart + frameBytes > record.valueEnd || checkedEnd > record.valueEnd) {
      throw new RecordFault('it is cut off');
    }
    this.begin(value, valueStart, valueStart, checkedEnd, 5);
    const checksum = this.readUint32();
    const keyChecksum = crc32(record.key, record.keyStart, record.keyEnd);
    if (checksum !== crc32(value, valueStart + 4, checkedEnd, keyChecksum)) {
      throw new RecordFault('its checksum is wrong');
    }
    const version = this.readUint8();
    if (version !== recordVersion) {
      throw new RecordFault(`it has layout ${version}; this release knows ${recordVersion}`);
    }
  }

  /** A text that others have, too. */
  readText(): string {
    const start = this.#textStart();
    const end = this.position;
    const known = this.#known.find(this.bytes, start, end);
    if (known !== undefined) return known;
    const text = textAt(this.bytes, start, end);
    this.#known.put(this.bytes, start, end, text);
    return text;
  }

  /** A text that is likely the only one of its kind, or the same as another. */
  readOwnText(other?: string): string {
    const start = this.#textStart();
    const text = textAt(this.bytes, start, this.position);
    return text === other ? other : text;
  }

  /** Moves behind a text; returns where it starts. */
  #textStart(): number {
    const length = this.readUint32();
    const start = this.position;
    if (start + length > this.end) throw new RecordFault('a text reaches beyond its end');
    this.position = start + length;
    return start;
  }

  readLong(): number {
    return this.readUint32() * 0x1_0000_0000 + this.readUint32();
  }

  /** A copy. */
  readBytes(): Uint8Array {
    const length = this.readUint32();
    const end = this.position + length;
    if (end > this.end) throw new RecordFault('its data reach beyond its end');
    const bytes = Uint8Array.prototype.slice.call(this.bytes, this.position, end);
    this.position = end;
    return bytes;
  }

  /** Properties that do not refer to the bytes of the record. */
  readPropertiesOf<S extends 'PUBLISH' | 'WILL'>(scope: S): PropertiesOf<S> | undefined {
    const properties = readProperties(this, scope);
    const { correlationData } = (properties ?? {}) as { correlationData?: Uint8Array };
    if (correlationData === undefined) return properties;
    return { ...properties, correlationData: Uint8Array.prototype.slice.call(correlationData) } as PropertiesOf<S>;
  }
}

function textAt(bytes: Uint8Array, start: number, end: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString('utf8', start, end);
}

/** For `throw`: a record that cannot be read, named with its path. */
export function unreadableRecord(path: string, what: string, error: unknown): StorageError {
  const why = error instanceof Error ? error.message : String(error);
  return new StorageError(`${path}: ${what} cannot be read: ${why}`, error);
}
