/**
 * PUBACK, PUBREC, PUBREL and PUBCOMP: a Packet Identifier; in 5.0 a Reason Code, left out with what follows if it is 0 and there are
 * no properties, and properties, whose length is left out if there are none. [MQTT 5.0 §3.4–§3.7]
 */
import type { ByteWriter } from '../base/byte-writer.ts';
import { PacketType, type PacketTypeName } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { fixedFlags, variableByteIntegerSize, writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { AcknowledgePacket, PublishAcknowledgeType } from './packets.ts';
import { propertiesSize, readProperties, writeProperties } from './property-codec.ts';

type AcknowledgeName = PacketTypeName & ('PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP');

const names: Readonly<Record<PublishAcknowledgeType, AcknowledgeName>> = {
  [PacketType.PUBACK]: 'PUBACK',
  [PacketType.PUBREC]: 'PUBREC',
  [PacketType.PUBREL]: 'PUBREL',
  [PacketType.PUBCOMP]: 'PUBCOMP',
};

export function decodeAcknowledge<T extends PublishAcknowledgeType>(
  reader: PacketReader,
  type: T,
): AcknowledgePacket<T> {
  const packetIdentifier = reader.readPacketIdentifier('2.2.1-5', '2.3.1-6');
  if (reader.remaining === 0) {
    return { type, packetIdentifier, reasonCode: ReasonCode.success, properties: undefined };
  }
  const name = names[type];
  if (reader.version !== 5) reader.expectEnd(name);
  const reasonCode = reader.checkReasonCode(name, reader.readUint8(), `3.${type}.2-1`);
  const properties = reader.remaining === 0 ? undefined : readProperties(reader, name);
  reader.expectEnd(name);
  return { type, packetIdentifier, reasonCode, properties };
}

function bodySize(reasonCode: ReasonCode, propertyBytes: number, version: ProtocolVersion): number {
  if (version !== 5) return 2;
  if (propertyBytes > 0) return 3 + variableByteIntegerSize(propertyBytes) + propertyBytes;
  return reasonCode === ReasonCode.success ? 2 : 3;
}

export function acknowledgeBodySize(packet: AcknowledgePacket, version: ProtocolVersion): number {
  const propertyBytes = version === 5 ? propertiesSize(packet.properties, names[packet.type]) : 0;
  return bodySize(packet.reasonCode, propertyBytes, version);
}

/** Writes an acknowledgement of any kind; four bytes for a success without properties, and always in 3.1 and 3.1.1. */
export function writeAcknowledge(
  writer: ByteWriter,
  type: PublishAcknowledgeType,
  packetIdentifier: number,
  reasonCode: ReasonCode,
  properties: PropertiesOf<'PUBACK'> | undefined,
  version: ProtocolVersion,
): void {
  const propertyBytes = version === 5 ? propertiesSize(properties, names[type]) : 0;
  const size = bodySize(reasonCode, propertyBytes, version);
  writeFixedHeader(writer, (type << 4) | fixedFlags(type), size);
  writer.writeUint16(packetIdentifier);
  if (size > 2) writer.writeUint8(reasonCode);
  if (size > 3) writeProperties(writer, properties, propertyBytes);
}

/** Bytes of the short form: first byte, Remaining Length 2 and a Packet Identifier; it says success, in all versions. */
export const shortAcknowledgeSize = 4;

/** Appends the short form for each of the first `count` identifiers. */
export function writeShortAcknowledges(
  writer: ByteWriter,
  type: PublishAcknowledgeType,
  packetIdentifiers: Uint16Array,
  count: number,
): void {
  writer.ensure(shortAcknowledgeSize * count);
  const { bytes } = writer;
  const firstByte = (type << 4) | fixedFlags(type);
  let position = writer.length;
  for (let index = 0; index < count; index++) {
    const packetIdentifier = packetIdentifiers[index] as number;
    bytes[position] = firstByte;
    bytes[position + 1] = 2;
    bytes[position + 2] = packetIdentifier >> 8;
    bytes[position + 3] = packetIdentifier;
    position += shortAcknowledgeSize;
  }
  writer.length = position;
}

/** Whether `bytes[position..limit)` begins with the short form of the packet that has this first byte. */
export function isShortAcknowledge(bytes: Uint8Array, position: number, limit: number, firstByte: number): boolean {
  return position + shortAcknowledgeSize <= limit && bytes[position] === firstByte && bytes[position + 1] === 2;
}
