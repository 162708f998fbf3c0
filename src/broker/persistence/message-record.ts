/**
 * A message of the log, by sequence number, or the retained one of a topic:
 *
 *     frame       5   its checksum covers the head
 *     head size   4   bytes up to the payload, from the start of the record
 *     payload     4   its CRC-32
 *     flags       1   bits 0–1 QoS, 2 RETAIN, 3 expires, 4 has a publisher, 5 the publisher has a user name
 *     expires     8   if it does
 *     topic           text
 *     publisher       listener (2), Client Identifier, user name if there is one
 *     properties      as in a PUBLISH packet
 *     payload         to the end
 */
import type { ByteWriter } from '../../base/byte-writer.ts';
import { emptyBytes } from '../../base/bytes.ts';
import type { QoS } from '../../protocol/version.ts';
import { Message, type Publisher, type StoredPayload } from '../message.ts';
import { crc32 } from './checksum.ts';
import {
  beginRecord,
  endRecord,
  RecordFault,
  type RecordReader,
  writeLong,
  writePropertiesOf,
  writeText,
} from './record-codec.ts';

const headSizeAt = 5;
const headBytesMin = 14;
const flag = { retain: 4, expires: 8, publisher: 16, username: 32 } as const;

export function writeMessage(writer: ByteWriter, key: Uint8Array, message: Message): void {
  const { payload, publisher } = message;
  const start = beginRecord(writer);
  writer.writeUint32(0);
  writer.writeUint32(crc32(payload, 0, payload.length));
  writer.writeUint8(
    message.qos |
      (message.retain ? flag.retain : 0) |
      (message.expiresAt === 0 ? 0 : flag.expires) |
      (publisher === undefined ? 0 : flag.publisher) |
      (publisher?.username === undefined ? 0 : flag.username),
  );
  if (message.expiresAt !== 0) writeLong(writer, message.expiresAt);
  writeText(writer, message.topicName);
  if (publisher !== undefined) {
    writer.writeUint16(publisher.listenerIndex);
    writeText(writer, publisher.clientIdentifier);
    if (publisher.username !== undefined) writeText(writer, publisher.username);
  }
  writePropertiesOf(writer, message.properties, 'PUBLISH');
  const headEnd = writer.length;
  writer.length = start + headSizeAt;
  writer.writeUint32(headEnd - start);
  writer.length = headEnd;
  endRecord(writer, start, key);
  writer.writeBytes(payload);
}

/**
 * The message of a record.
 * @param stored makes what the payload is read from later, given its bytes; undefined reads it now
 * @throws {RecordFault} or one of the reader's errors
 */
export function readMessage(
  reader: RecordReader,
  key: Uint8Array,
  value: Uint8Array,
  stored?: (payloadLength: number) => StoredPayload,
): Message {
  const headEnd = openMessage(reader, key, value);
  reader.readUint32();
  reader.readUint32();
  const flags = reader.readUint8();
  const expiresAt = flags & flag.expires ? reader.readLong() : 0;
  const topicName = reader.readText();
  const publisher = flags & flag.publisher ? readPublisher(reader, flags) : undefined;
  const properties = reader.readPropertiesOf('PUBLISH');
  const rest = [(flags & 3) as QoS, (flags & flag.retain) !== 0, properties, expiresAt, publisher] as const;
  if (stored !== undefined) return new Message(topicName, emptyBytes, ...rest, stored(value.length - headEnd));
  return new Message(topicName, payloadOf(value, headEnd), ...rest);
}

/** The payload alone. @throws {RecordFault} */
export function readPayload(reader: RecordReader, key: Uint8Array, value: Uint8Array): Uint8Array {
  return payloadOf(value, openMessage(reader, key, value));
}

/** Checks the head, and returns where it ends. */
function openMessage(reader: RecordReader, key: Uint8Array, value: Uint8Array): number {
  if (value.length < headBytesMin) throw new RecordFault('it is cut off');
  const headEnd = new DataView(value.buffer, value.byteOffset, value.length).getUint32(headSizeAt);
  reader.open(key, value, headEnd);
  return headEnd;
}

function payloadOf(value: Uint8Array, headEnd: number): Uint8Array {
  const expected = new DataView(value.buffer, value.byteOffset, value.length).getUint32(headSizeAt + 4);
  if (crc32(value, headEnd, value.length) !== expected) throw new RecordFault('the checksum of its payload is wrong');
  return value.subarray(headEnd);
}

/** Many messages have one publisher. */
const publishers = new Map<string, Publisher>();
const publishersMax = 4096;

function readPublisher(reader: RecordReader, flags: number): Publisher {
  const listenerIndex = reader.readUint16();
  const clientIdentifier = reader.readText();
  const username = flags & flag.username ? reader.readText() : undefined;
  const name = `${listenerIndex} ${username === undefined ? '' : `${username.length} ${username}`} ${clientIdentifier}`;
  let publisher = publishers.get(name);
  if (publisher === undefined) {
    if (publishers.size >= publishersMax) publishers.clear();
    publisher = { clientIdentifier, username, listenerIndex };
    publishers.set(name, publisher);
  }
  return publisher;
}
