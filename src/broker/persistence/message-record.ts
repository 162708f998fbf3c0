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
import { Message, type MessageProperties, type Publisher, type StoredPayload } from '../message.ts';
import { RestingPublisher } from '../resting-publisher.ts';
import { crc32 } from './checksum.ts';
import {
  beginRecord,
  endRecord,
  RecordFault,
  type RecordReader,
  type RecordView,
  writeLong,
  writePropertiesOf,
  writeText,
} from './record-codec.ts';

const headSizeAt = 5;
const payloadChecksumAt = 9;
const flagsAt = 13;
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

/** What a record says besides its payload. The bytes of that lie in the record, from `payloadStart` to its end. */
export interface MessageHead {
  readonly topicName: string;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  readonly expiresAt: number;
  readonly publisher: Publisher | undefined;
  readonly payloadStart: number;
}

/** @throws {RecordFault} or one of the reader's errors */
export function readHead(reader: RecordReader, record: RecordView): MessageHead {
  const payloadStart = openMessage(reader, record);
  const flags = reader.readUint8();
  return {
    expiresAt: flags & flag.expires ? reader.readLong() : 0,
    topicName: reader.readOwnText(),
    publisher: flags & flag.publisher ? readPublisher(reader, (flags & flag.username) !== 0) : undefined,
    properties: reader.readPropertiesOf('PUBLISH'),
    qos: (flags & 3) as QoS,
    retain: (flags & flag.retain) !== 0,
    payloadStart,
  };
}

/** The message of a record, with a payload of its own. @throws {RecordFault} or one of the reader's errors */
export function readMessage(reader: RecordReader, record: RecordView): Message {
  const head = readHead(reader, record);
  checkPayload(record, head.payloadStart);
  const payload = Uint8Array.prototype.slice.call(record.value, head.payloadStart, record.valueEnd);
  return messageOf(head, payload, undefined);
}

/**
 * The message of a record, whose payload is left where it is.
 * @param stored what it is read from later, given its bytes
 * @throws {RecordFault} or one of the reader's errors
 */
export function readStoredMessage(
  reader: RecordReader,
  record: RecordView,
  stored: (payloadLength: number) => StoredPayload,
): Message {
  const head = readHead(reader, record);
  return messageOf(head, emptyBytes, stored(record.valueEnd - head.payloadStart));
}

function messageOf(head: MessageHead, payload: Uint8Array, stored: StoredPayload | undefined): Message {
  const { topicName, qos, retain, properties, expiresAt, publisher } = head;
  return new Message(topicName, payload, qos, retain, properties, expiresAt, publisher, stored);
}

/** When a message expires, and how long its payload is. */
export interface MessageSummary {
  expiresAt: number;
  payloadLength: number;
}

/**
 * Checks a record and takes from it what an account of messages needs, which is less than a message.
 * @param valueSize bytes of the whole value, of which the record may show the beginning; the payload is checked if it is there
 * @throws {RecordFault}
 */
export function summarize(reader: RecordReader, record: RecordView, valueSize: number, into: MessageSummary): void {
  const payloadStart = openMessage(reader, record);
  into.expiresAt = reader.readUint8() & flag.expires ? reader.readLong() : 0;
  into.payloadLength = record.valueStart + valueSize - payloadStart;
  if (record.valueStart + valueSize === record.valueEnd) checkPayload(record, payloadStart);
}

/** Bytes of a record up to its payload, as far as its beginning says; for `CursorOptions.wantedBytes`. */
export function headBytesOf(value: Uint8Array): number {
  return value.length < headBytesMin ? 0 : uint32At(value, headSizeAt);
}

/** The payload alone. @throws {RecordFault} */
export function readPayload(reader: RecordReader, record: RecordView): Uint8Array {
  const payloadStart = openMessage(reader, record);
  checkPayload(record, payloadStart);
  return record.value.subarray(payloadStart, record.valueEnd);
}

/** Checks the head, and moves to the flags. Returns where the payload starts. */
function openMessage(reader: RecordReader, record: RecordView): number {
  const { value, valueStart } = record;
  if (record.valueEnd - valueStart < headBytesMin) throw new RecordFault('it is cut off');
  const payloadStart = valueStart + uint32At(value, valueStart + headSizeAt);
  reader.open(record, payloadStart);
  reader.position = valueStart + flagsAt;
  return payloadStart;
}

/** @throws {RecordFault} */
export function checkPayload({ value, valueStart, valueEnd }: RecordView, payloadStart: number): void {
  if (crc32(value, payloadStart, valueEnd) !== uint32At(value, valueStart + payloadChecksumAt)) {
    throw new RecordFault('the checksum of its payload is wrong');
  }
}

function uint32At(bytes: Uint8Array, at: number): number {
  const low = ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
  return (bytes[at] as number) * 0x100_0000 + low;
}

/** Many messages have one publisher: those read last, by Client Identifier. */
const publishers = new Map<string, Publisher>();
const publishersMax = 4096;

function readPublisher(reader: RecordReader, hasUsername: boolean): Publisher {
  const listenerIndex = reader.readUint16();
  const clientIdentifier = reader.readText();
  const username = hasUsername ? reader.readText() : undefined;
  let publisher = publishers.get(clientIdentifier);
  if (publisher?.username !== username || publisher?.listenerIndex !== listenerIndex) {
    if (publishers.size >= publishersMax) publishers.clear();
    publisher = new RestingPublisher(clientIdentifier, username, listenerIndex);
    publishers.set(clientIdentifier, publisher);
  }
  return publisher as Publisher;
}
