/**
 * SUBSCRIBE and SUBACK. A Topic Filter is only checked as text here: one that is no filter gets its own Reason Code in the SUBACK.
 *
 *       7   6     5   4      3       2       1   0
 *     +---------+---------+-------+-------+--------+
 *     | reserved| retain  | retain| no    |  QoS   |    Subscription Options; in 3.1.1 only the QoS
 *     |         | handling| as p. | local |        |
 *     +---------+---------+-------+-------+--------+
 */
import type { ByteWriter } from '../base/byte-writer.ts';
import { utf8Length } from '../base/bytes.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { isFailure, ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import { fixedFlags, writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { SubackPacket, SubscribePacket, SubscriptionRequest } from './packets.ts';
import { propertiesFieldSize, propertiesSize, readProperties, writeProperties } from './property-codec.ts';

const noLocalFlag = 0x04;
const retainAsPublishedFlag = 0x08;

export function decodeSubscribe(reader: PacketReader): SubscribePacket {
  const packetIdentifier = reader.readPacketIdentifier('2.2.1-3', '2.3.1-1');
  const properties = reader.version === 5 ? readProperties(reader, 'SUBSCRIBE') : undefined;
  if (reader.remaining === 0) throw reader.violation('SUBSCRIBE without a Topic Filter', '3.8.3-2', '3.8.3-3');
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) subscriptions.push(readSubscription(reader));
  return { type: PacketType.SUBSCRIBE, packetIdentifier, subscriptions, properties };
}

function readSubscription(reader: PacketReader): SubscriptionRequest {
  const topicFilter = reader.readUtf8();
  const start = reader.position;
  const options = reader.readUint8();
  const shown = `0x${options.toString(16).padStart(2, '0')}`;
  const qos = options & 3;
  if (reader.version !== 5) {
    // 3.1 does not say what becomes of the upper six bits; 3.1.1 treats any of them as malformed.
    if (qos === 3 || (options > 3 && reader.version === 4)) {
      throw reader.malformed(`Requested QoS byte ${shown}; expected 0–2`, undefined, '3.8.3-4', start);
    }
    return { topicFilter, qos: qos as QoS, noLocal: false, retainAsPublished: false, retainHandling: 0 };
  }
  if (options > 0x3f)
    throw reader.malformed(`Reserved bits in Subscription Options ${shown}`, '3.8.3-5', undefined, start);
  if (qos === 3) throw reader.violation(`QoS 3 in Subscription Options ${shown}; expected 0–2`);
  const retainHandling = options >> 4;
  if (retainHandling === 3) {
    throw reader.violation(`Retain Handling 3 in Subscription Options ${shown}; expected 0–2`);
  }
  const noLocal = (options & noLocalFlag) !== 0;
  if (noLocal && topicFilter.startsWith('$share/')) {
    throw reader.violation(`No Local on Shared Subscription ${JSON.stringify(topicFilter)}`, '3.8.3-4');
  }
  return {
    topicFilter,
    qos: qos as QoS,
    noLocal,
    retainAsPublished: (options & retainAsPublishedFlag) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

export function subscribeBodySize(packet: SubscribePacket, version: ProtocolVersion): number {
  let size = version === 5 ? 2 + propertiesFieldSize(packet.properties, 'SUBSCRIBE') : 2;
  for (const { topicFilter } of packet.subscriptions) size += 3 + utf8Length(topicFilter);
  return size;
}

export function encodeSubscribe(writer: ByteWriter, packet: SubscribePacket, version: ProtocolVersion): void {
  const firstByte = (PacketType.SUBSCRIBE << 4) | fixedFlags(PacketType.SUBSCRIBE);
  writeFixedHeader(writer, firstByte, subscribeBodySize(packet, version));
  writer.writeUint16(packet.packetIdentifier);
  if (version === 5) writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'SUBSCRIBE'));
  for (const subscription of packet.subscriptions) {
    writer.writeUtf8(subscription.topicFilter);
    let options: number = subscription.qos;
    if (version === 5) {
      if (subscription.noLocal) options |= noLocalFlag;
      if (subscription.retainAsPublished) options |= retainAsPublishedFlag;
      options |= subscription.retainHandling << 4;
    }
    writer.writeUint8(options);
  }
}

export function decodeSuback(reader: PacketReader): SubackPacket {
  const packetIdentifier = reader.readPacketIdentifier('2.2.1-6', '2.3.1-7');
  const properties = reader.version === 5 ? readProperties(reader, 'SUBACK') : undefined;
  const reasonCodes: ReasonCode[] = [];
  while (reader.remaining > 0) {
    const code = reader.readUint8();
    if (reader.version !== 5 && code > 2 && code !== ReasonCode.unspecifiedError) {
      throw reader.violation(`SUBACK return code 0x${code.toString(16)}; expected 0–2 or 0x80`, undefined, '3.9.3-2');
    }
    reasonCodes.push(reader.checkReasonCode('SUBACK', code, '3.9.3-2'));
  }
  if (reasonCodes.length === 0) throw reader.malformed('SUBACK without a Reason Code', '3.8.4-6', '3.8.4-5');
  return { type: PacketType.SUBACK, packetIdentifier, reasonCodes, properties };
}

export function subackBodySize(packet: SubackPacket, version: ProtocolVersion): number {
  const size = 2 + packet.reasonCodes.length;
  return version === 5 ? size + propertiesFieldSize(packet.properties, 'SUBACK') : size;
}

export function encodeSuback(writer: ByteWriter, packet: SubackPacket, version: ProtocolVersion): void {
  writeFixedHeader(writer, PacketType.SUBACK << 4, subackBodySize(packet, version));
  writer.writeUint16(packet.packetIdentifier);
  if (version === 5) writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'SUBACK'));
  for (const code of packet.reasonCodes) {
    writer.writeUint8(version !== 5 && isFailure(code) ? ReasonCode.unspecifiedError : code);
  }
}
