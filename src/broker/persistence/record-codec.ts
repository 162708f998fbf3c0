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

/** Texts come again and again: topics, Client Identifiers, user names. */
const knownTexts = new TextCache();

/** Reads records. What is wrong in them is a `RecordFault`, or one of the packet reader's own errors. */
export class RecordReader extends PacketReader {
  /**
   * Moves to what stands behind the version.
   * @param checkedEnd where the checksummed part ends; default: at the end
   * @throws {RecordFault} if the checksum is wrong or the version another
   */
  open(key: Uint8Array, value: Uint8Array, checkedEnd = value.length): void {
    if (value.length < frameBytes || checkedEnd > value.length) throw new RecordFault('it is cut off');
    this.begin(value, 0, 0, value.length, 5);
    const checksum = this.readUint32();
    if (checksum !== crc32(value, 4, checkedEnd, crc32(key, 0, key.length))) {
      throw new RecordFault('its checksum is wrong');
    }
    const version = this.readUint8();
    if (version !== recordVersion)
      throw new RecordFault(`it has layout ${version}; this release knows ${recordVersion}`);
    this.end = checkedEnd;
  }

  readText(): string {
    const length = this.readUint32();
    const start = this.position;
    const end = start + length;
    if (end > this.end) throw new RecordFault('a text reaches beyond its end');
    const known = knownTexts.find(this.bytes, start, end);
    if (known !== undefined) {
      this.position = end;
      return known;
    }
    const text = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, length).toString('utf8');
    knownTexts.put(this.bytes, start, end, text);
    this.position = end;
    return text;
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

/** For `throw`: a record that cannot be read, named with its path. */
export function unreadableRecord(path: string, what: string, error: unknown): StorageError {
  const why = error instanceof Error ? error.message : String(error);
  return new StorageError(`${path}: ${what} cannot be read: ${why}`, error);
}
