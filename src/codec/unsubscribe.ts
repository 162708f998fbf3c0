/** UNSUBSCRIBE and UNSUBACK, which has Reason Codes in 5.0 only. [MQTT 5.0 §3.10, §3.11] */
import type { ByteWriter } from '../base/byte-writer.ts';
import { utf8Length } from '../base/bytes.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { fixedFlags, writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { UnsubackPacket, UnsubscribePacket } from './packets.ts';
import { propertiesFieldSize, propertiesSize, readProperties, writeProperties } from './property-codec.ts';

export function decodeUnsubscribe(reader: PacketReader): UnsubscribePacket {
  const packetIdentifier = reader.readPacketIdentifier('2.2.1-3', '2.3.1-1');
  const properties = reader.version === 5 ? readProperties(reader, 'UNSUBSCRIBE') : undefined;
  if (reader.remaining === 0) throw reader.violation('UNSUBSCRIBE without a Topic Filter', '3.10.3-2', '3.10.3-2');
  const topicFilters: string[] = [];
  while (reader.remaining > 0) topicFilters.push(reader.readUtf8());
  return { type: PacketType.UNSUBSCRIBE, packetIdentifier, topicFilters, properties };
}

export function unsubscribeBodySize(packet: UnsubscribePacket, version: ProtocolVersion): number {
  let size = version === 5 ? 2 + propertiesFieldSize(packet.properties, 'UNSUBSCRIBE') : 2;
  for (const topicFilter of packet.topicFilters) size += 2 + utf8Length(topicFilter);
  return size;
}

export function encodeUnsubscribe(writer: ByteWriter, packet: UnsubscribePacket, version: ProtocolVersion): void {
  const firstByte = (PacketType.UNSUBSCRIBE << 4) | fixedFlags(PacketType.UNSUBSCRIBE);
  writeFixedHeader(writer, firstByte, unsubscribeBodySize(packet, version));
  writer.writeUint16(packet.packetIdentifier);
  if (version === 5) writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'UNSUBSCRIBE'));
  for (const topicFilter of packet.topicFilters) writer.writeUtf8(topicFilter);
}

export function decodeUnsuback(reader: PacketReader): UnsubackPacket {
  const packetIdentifier = reader.readPacketIdentifier('2.2.1-6', '2.3.1-7');
  if (reader.version !== 5) {
    reader.expectEnd('UNSUBACK');
    return { type: PacketType.UNSUBACK, packetIdentifier, reasonCodes: [], properties: undefined };
  }
  const properties = readProperties(reader, 'UNSUBACK');
  const reasonCodes: ReasonCode[] = [];
  while (reader.remaining > 0) reasonCodes.push(reader.checkReasonCode('UNSUBACK', reader.readUint8(), '3.11.3-2'));
  if (reasonCodes.length === 0) throw reader.malformed('UNSUBACK without a Reason Code');
  return { type: PacketType.UNSUBACK, packetIdentifier, reasonCodes, properties };
}

export function unsubackBodySize(packet: UnsubackPacket, version: ProtocolVersion): number {
  return version === 5 ? 2 + propertiesFieldSize(packet.properties, 'UNSUBACK') + packet.reasonCodes.length : 2;
}

export function encodeUnsuback(writer: ByteWriter, packet: UnsubackPacket, version: ProtocolVersion): void {
  writeFixedHeader(writer, PacketType.UNSUBACK << 4, unsubackBodySize(packet, version));
  writer.writeUint16(packet.packetIdentifier);
  if (version !== 5) return;
  writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'UNSUBACK'));
  for (const code of packet.reasonCodes) writer.writeUint8(code);
}
