/**
 * The records of a Session and of what hangs on it, each behind the frame of record-codec.ts.
 *
 *     session        number → flags (1: user name, 2: will), Client Identifier, user name, listener (2), Session Expiry Interval (4),
 *                    ends at (8), will due at (8), will: flags (QoS, 4: RETAIN), topic, payload, properties
 *     subscription   number, SHA-256 of the filter → filter as requested, as routed, Share Name, options (as in SUBSCRIBE), identifier (4)
 *     delivery       number, position → message (8), flags (QoS, 4: RETAIN, 8: has identifiers), state (1), Packet Identifier (2),
 *                    Subscription Identifiers: how many (4), each (4)
 *     inbound        number, Packet Identifier → message (8)
 */
import type { ByteWriter } from '../../base/byte-writer.ts';
import type { OutboundState } from '../../exchange/outbound-exchange.ts';
import type { QoS } from '../../protocol/version.ts';
import type { Delivery } from '../delivery.ts';
import {
  beginRecord,
  endRecord,
  RecordFault,
  type RecordReader,
  type RecordView,
  writeBytes,
  writeLong,
  writePropertiesOf,
  writeText,
} from './record-codec.ts';
import type { DeliveryRecord, SessionRecord, SubscriptionRecord } from './store.ts';

/** By the number that stands for each; new ones go to the end. */
const states: readonly OutboundState[] = ['idle', 'awaiting-puback', 'awaiting-pubrec', 'awaiting-pubcomp', 'done'];

export function writeSession(writer: ByteWriter, key: Uint8Array, record: SessionRecord): void {
  const { username, will } = record;
  const start = beginRecord(writer);
  writer.writeUint8((username === undefined ? 0 : 1) | (will === undefined ? 0 : 2));
  writeText(writer, record.clientIdentifier);
  if (username !== undefined) writeText(writer, username);
  writer.writeUint16(record.listenerIndex);
  writer.writeUint32(record.expiryInterval);
  writeLong(writer, record.expiresAt);
  writeLong(writer, record.willDueAt);
  if (will !== undefined) {
    writer.writeUint8(will.qos | (will.retain ? 4 : 0));
    writeText(writer, will.topicName);
    writeBytes(writer, will.payload);
    writePropertiesOf(writer, will.properties, 'WILL');
  }
  endRecord(writer, start, key);
}

export function readSession(reader: RecordReader, record: RecordView): SessionRecord {
  reader.open(record);
  const flags = reader.readUint8();
  const clientIdentifier = reader.readOwnText();
  const username = flags & 1 ? reader.readText() : undefined;
  const listenerIndex = reader.readUint16();
  const expiryInterval = reader.readUint32();
  const expiresAt = reader.readLong();
  const willDueAt = reader.readLong();
  let will: SessionRecord['will'];
  if (flags & 2) {
    const willFlags = reader.readUint8();
    const topicName = reader.readText();
    const payload = reader.readBytes();
    const properties = reader.readPropertiesOf('WILL');
    will = { topicName, payload, qos: (willFlags & 3) as QoS, retain: (willFlags & 4) !== 0, properties };
  }
  return { clientIdentifier, username, listenerIndex, expiryInterval, expiresAt, will, willDueAt };
}

export function writeSubscription(writer: ByteWriter, key: Uint8Array, record: SubscriptionRecord): void {
  const start = beginRecord(writer);
  writeText(writer, record.requestedFilter);
  writeText(writer, record.topicFilter);
  writeText(writer, record.shareName);
  writer.writeUint8(record.qos | (record.noLocal ? 4 : 0) | (record.retainAsPublished ? 8 : 0));
  writer.writeUint32(record.identifier);
  endRecord(writer, start, key);
}

export function readSubscription(reader: RecordReader, record: RecordView): SubscriptionRecord {
  reader.open(record);
  const requestedFilter = reader.readText();
  const topicFilter = reader.readOwnText(requestedFilter);
  const shareName = reader.readText();
  const options = reader.readUint8();
  return {
    requestedFilter,
    topicFilter,
    shareName,
    qos: (options & 3) as QoS,
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    identifier: reader.readUint32(),
  };
}

/** @param sequence of the message in the log */
export function writeDelivery(writer: ByteWriter, key: Uint8Array, delivery: Delivery, sequence: number): void {
  const { subscriptionIdentifiers: identifiers } = delivery;
  const start = beginRecord(writer);
  writeLong(writer, sequence);
  writer.writeUint8(delivery.qos | (delivery.retain ? 4 : 0) | (identifiers === undefined ? 0 : 8));
  writer.writeUint8(states.indexOf(delivery.state));
  writer.writeUint16(delivery.packetIdentifier);
  if (identifiers !== undefined) {
    writer.writeUint32(identifiers.length);
    for (const identifier of identifiers) writer.writeUint32(identifier);
  }
  endRecord(writer, start, key);
}

/** A delivery without its message, whose sequence number stands in its place. */
export type DeliveryWithoutMessage = Omit<DeliveryRecord, 'message' | 'position'> & { readonly sequence: number };

export function readDelivery(reader: RecordReader, record: RecordView): DeliveryWithoutMessage {
  reader.open(record);
  const sequence = reader.readLong();
  const flags = reader.readUint8();
  const state = states[reader.readUint8()];
  if (state === undefined) throw new RecordFault('it is in a state that does not exist');
  const packetIdentifier = reader.readUint16();
  let subscriptionIdentifiers: number[] | undefined;
  if (flags & 8) {
    subscriptionIdentifiers = [];
    for (let left = reader.readUint32(); left > 0; left--) subscriptionIdentifiers.push(reader.readUint32());
  }
  return {
    sequence,
    qos: (flags & 3) as QoS,
    retain: (flags & 4) !== 0,
    subscriptionIdentifiers,
    packetIdentifier,
    state,
  };
}

/** @param sequence of the message in the log */
export function writeInbound(writer: ByteWriter, key: Uint8Array, sequence: number): void {
  const start = beginRecord(writer);
  writeLong(writer, sequence);
  endRecord(writer, start, key);
}

export function readInbound(reader: RecordReader, record: RecordView): number {
  reader.open(record);
  return reader.readLong();
}
