/** DISCONNECT, empty before 5.0, and AUTH, which is new in 5.0. [MQTT 5.0 §3.14, §3.15] */
import type { ByteWriter } from '../base/byte-writer.ts';
import { OptionError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { variableByteIntegerSize, writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { AuthPacket, DisconnectPacket } from './packets.ts';
import { propertiesSize, readProperties, writeProperties } from './property-codec.ts';

export function decodeDisconnect(reader: PacketReader): DisconnectPacket {
  if (reader.version !== 5) reader.expectEnd('DISCONNECT');
  if (reader.remaining === 0) {
    return { type: PacketType.DISCONNECT, reasonCode: ReasonCode.success, properties: undefined };
  }
  const reasonCode = reader.checkReasonCode('DISCONNECT', reader.readUint8(), '3.14.2-1');
  const properties = reader.remaining === 0 ? undefined : readProperties(reader, 'DISCONNECT');
  reader.expectEnd('DISCONNECT');
  return { type: PacketType.DISCONNECT, reasonCode, properties };
}

/** Only 0x00 without properties may be left out; a Property Length stands behind every Reason Code that is written. */
export function decodeAuth(reader: PacketReader): AuthPacket {
  if (reader.remaining === 0) {
    return { type: PacketType.AUTH, reasonCode: ReasonCode.success, properties: undefined };
  }
  const reasonCode = reader.checkReasonCode('AUTH', reader.readUint8(), '3.15.2-1');
  const properties = readProperties(reader, 'AUTH');
  reader.expectEnd('AUTH');
  const isShortForm = reasonCode === ReasonCode.success && properties === undefined;
  if (!isShortForm && properties?.authenticationMethod === undefined) {
    throw reader.violation('AUTH without Authentication Method');
  }
  return { type: PacketType.AUTH, reasonCode, properties };
}

/** The body of either: nothing for 0x00 without properties; a Reason Code alone is a form that only DISCONNECT has. */
function bodySize(packet: DisconnectPacket | AuthPacket, propertyBytes: number): number {
  if (propertyBytes > 0) return 1 + variableByteIntegerSize(propertyBytes) + propertyBytes;
  if (packet.reasonCode === ReasonCode.success) return 0;
  return packet.type === PacketType.AUTH ? 2 : 1;
}

export function disconnectBodySize(packet: DisconnectPacket, version: ProtocolVersion): number {
  return version === 5 ? bodySize(packet, propertiesSize(packet.properties, 'DISCONNECT')) : 0;
}

export function authBodySize(packet: AuthPacket): number {
  return bodySize(packet, propertiesSize(packet.properties, 'AUTH'));
}

export function encodeDisconnect(writer: ByteWriter, packet: DisconnectPacket, version: ProtocolVersion): void {
  if (version === 5) writeEither(writer, packet, propertiesSize(packet.properties, 'DISCONNECT'));
  else writeFixedHeader(writer, PacketType.DISCONNECT << 4, 0);
}

export function encodeAuth(writer: ByteWriter, packet: AuthPacket, version: ProtocolVersion): void {
  if (version !== 5) throw new OptionError('AUTH exists in MQTT 5.0 only');
  writeEither(writer, packet, propertiesSize(packet.properties, 'AUTH'));
}

function writeEither(writer: ByteWriter, packet: DisconnectPacket | AuthPacket, propertyBytes: number): void {
  const size = bodySize(packet, propertyBytes);
  writeFixedHeader(writer, packet.type << 4, size);
  if (size > 0) writer.writeUint8(packet.reasonCode);
  if (size > 1) writeProperties(writer, packet.properties, propertyBytes);
}
