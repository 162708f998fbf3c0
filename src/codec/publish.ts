/** PUBLISH: Topic Name, Packet Identifier at QoS 1 and 2, properties in 5.0; all that is left is the payload. [MQTT 5.0 §3.3] */
import type { ByteWriter } from '../base/byte-writer.ts';
import { utf8Length } from '../base/bytes.ts';
import { TextCache } from '../base/text-cache.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import { dupFlag, retainFlag, sizeWithHeader, variableByteIntegerSize, writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { PublishPacket } from './packets.ts';
import { propertiesSize, readProperties, writeProperties } from './property-codec.ts';

/** Reads the body of a PUBLISH whose fixed header, with QoS 0–2, begins with `firstByte`. */
export function readPublish(reader: PacketReader, firstByte: number): PublishPacket {
  const topicName = readTopicName(reader);
  const qos = ((firstByte >> 1) & 3) as QoS;
  const packetIdentifier = qos === 0 ? 0 : reader.readPacketIdentifier('2.2.1-3', '2.3.1-1');
  const properties = reader.version === 5 ? readProperties(reader, 'PUBLISH') : undefined;
  if (topicName === '' && properties?.topicAlias === undefined) {
    // In 5.0 a Protocol Error by §3.3.2.1; before, an empty name was never one.
    throw reader.violation('An empty Topic Name without Topic Alias in PUBLISH', '4.7.3-1', '4.7.3-1');
  }
  return {
    type: PacketType.PUBLISH,
    topicName,
    payload: reader.readRest(),
    qos,
    retain: (firstByte & retainFlag) !== 0,
    dup: (firstByte & dupFlag) !== 0,
    packetIdentifier,
    properties,
  };
}

/** Topic Names seen before, which therefore are well-formed and without wildcards. */
const knownTopicNames = new TextCache();

/** Reads the Topic Name of a PUBLISH, which may be empty. Wildcards make it malformed: Reason Code 0x90 is for names that are "not malformed, but not accepted". [MQTT-3.3.2-2] */
export function readTopicName(reader: PacketReader): string {
  const { bytes, position, end } = reader;
  const start = position + 2;
  const nameEnd = start <= end ? start + ((bytes[position]! << 8) | bytes[position + 1]!) : end;
  if (nameEnd <= end) {
    const known = knownTopicNames.find(bytes, start, nameEnd);
    if (known !== undefined) {
      reader.position = nameEnd;
      return known;
    }
  }
  const topicName = reader.readUtf8();
  for (let index = 0; index < topicName.length; index++) {
    const unit = topicName.charCodeAt(index);
    if (unit === 0x2b || unit === 0x23) {
      const shown = JSON.stringify(topicName);
      throw reader.malformed(`Wildcard in Topic Name ${shown} of PUBLISH`, '3.3.2-2', '3.3.2-2', position);
    }
  }
  knownTopicNames.put(bytes, start, nameEnd, topicName);
  return topicName;
}

function bodySize(packet: PublishPacket, version: ProtocolVersion, propertyBytes: number): number {
  const size = 2 + utf8Length(packet.topicName) + (packet.qos === 0 ? 0 : 2) + packet.payload.length;
  return version === 5 ? size + variableByteIntegerSize(propertyBytes) + propertyBytes : size;
}

/** The size of the whole packet in bytes. */
export function publishSize(packet: PublishPacket, version: ProtocolVersion): number {
  const propertyBytes = version === 5 ? propertiesSize(packet.properties, 'PUBLISH') : 0;
  return sizeWithHeader(bodySize(packet, version, propertyBytes));
}

/** Writes a PUBLISH; returns where in `writer.bytes` its Packet Identifier is, or -1 at QoS 0. */
export function writePublish(writer: ByteWriter, packet: PublishPacket, version: ProtocolVersion): number {
  const qos = packet.qos;
  const propertyBytes = version === 5 ? propertiesSize(packet.properties, 'PUBLISH') : 0;
  const flags = (packet.dup ? dupFlag : 0) | (qos << 1) | (packet.retain ? retainFlag : 0);
  writeFixedHeader(writer, (PacketType.PUBLISH << 4) | flags, bodySize(packet, version, propertyBytes));
  writer.writeUtf8(packet.topicName);
  let identifierAt = -1;
  if (qos !== 0) {
    identifierAt = writer.length;
    writer.writeUint16(packet.packetIdentifier);
  }
  if (version === 5) writeProperties(writer, packet.properties, propertyBytes);
  writer.writeBytes(packet.payload);
  return identifierAt;
}
