/** CONNACK: acknowledge flags, then a Reason Code (5.0) or Connect Return Code (3.1, 3.1.1), then the properties of 5.0. */
import type { ByteWriter } from '../base/byte-writer.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { ConnackPacket } from './packets.ts';
import { propertiesFieldSize, propertiesSize, readProperties, writeProperties } from './property-codec.ts';

/** The Reason Codes that the Connect Return Codes 0–5 stand for, by return code. [MQTT 3.1.1 §3.2.2.3] */
const reasonCodeByReturnCode: readonly ReasonCode[] = [
  ReasonCode.success,
  ReasonCode.unsupportedProtocolVersion,
  ReasonCode.clientIdentifierNotValid,
  ReasonCode.serverUnavailable,
  ReasonCode.badUserNameOrPassword,
  ReasonCode.notAuthorized,
];

/** The Connect Return Code that comes nearest; whatever has none of its own is "server unavailable", after which a client may retry. */
const returnCodeByReasonCode = new Map<number, number>([
  ...reasonCodeByReturnCode.map((reasonCode, returnCode): [number, number] => [reasonCode, returnCode]),
  [ReasonCode.banned, 5],
  [ReasonCode.badAuthenticationMethod, 5],
  [ReasonCode.topicNameInvalid, 5],
]);
const serverUnavailableReturnCode = 3;

/** The Connect Return Code, 0–5, that stands for a Reason Code in 3.1 and 3.1.1. [MQTT311 §3.2.2.3] */
export function connectReturnCode(reasonCode: number): number {
  return returnCodeByReasonCode.get(reasonCode) ?? serverUnavailableReturnCode;
}

export function decodeConnack(reader: PacketReader): ConnackPacket {
  const isVersion5 = reader.version === 5;
  const flags = reader.readUint8();
  // In 3.1 this byte is reserved and not used.
  if (reader.version !== 3 && flags > 1) {
    throw reader.malformed(
      `Connect Acknowledge Flags 0x${flags.toString(16)}; expected 0 or 1`,
      '3.2.2-1',
      undefined,
      reader.position - 1,
    );
  }
  const sessionPresent = reader.version !== 3 && flags === 1;
  const code = reader.readUint8();
  // A server that knows only older versions answers a 5.0 CONNECT in the old form: return code 1 and no properties.
  if (isVersion5 && !(code === 1 && reader.remaining === 0)) {
    const reasonCode = reader.checkReasonCode('CONNACK', code, '3.2.2-8');
    const properties = readProperties(reader, 'CONNACK');
    return endConnack(reader, sessionPresent, reasonCode, properties);
  }
  const reasonCode = reasonCodeByReturnCode[code];
  if (reasonCode === undefined) throw reader.violation(`Connect Return Code ${code}; expected 0–5`);
  return endConnack(reader, sessionPresent, reasonCode, undefined);
}

function endConnack(
  reader: PacketReader,
  sessionPresent: boolean,
  reasonCode: ReasonCode,
  properties: ConnackPacket['properties'],
): ConnackPacket {
  reader.expectEnd('CONNACK');
  if (sessionPresent && reasonCode !== ReasonCode.success) {
    throw reader.violation('Session Present in a CONNACK that refuses the connection', '3.2.2-6', '3.2.2-4');
  }
  return { type: PacketType.CONNACK, sessionPresent, reasonCode, properties };
}

export function connackBodySize(packet: ConnackPacket, version: ProtocolVersion): number {
  return version === 5 ? 2 + propertiesFieldSize(packet.properties, 'CONNACK') : 2;
}

export function encodeConnack(writer: ByteWriter, packet: ConnackPacket, version: ProtocolVersion): void {
  writeFixedHeader(writer, PacketType.CONNACK << 4, connackBodySize(packet, version));
  writer.writeUint8(packet.sessionPresent && version !== 3 ? 1 : 0);
  if (version === 5) {
    writer.writeUint8(packet.reasonCode);
    writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'CONNACK'));
  } else {
    writer.writeUint8(connectReturnCode(packet.reasonCode));
  }
}
