/**
 * CONNECT: protocol name and level, connect flags, keep alive, properties; then the payload, whose fields the flags announce.
 *
 *       7        6        5        4    3     2       1        0
 *     +--------+--------+--------+---------+------+-------+----------+
 *     | user   | pass-  | will   |   will  | will | clean | reserved |
 *     | name   | word   | retain |   QoS   |      | start |          |
 *     +--------+--------+--------+---------+------+-------+----------+
 */
import type { ByteWriter } from '../base/byte-writer.ts';
import { utf8Length } from '../base/bytes.ts';
import { OptionError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import { writeFixedHeader } from './fixed-header.ts';
import type { PacketReader } from './packet-reader.ts';
import type { ConnectPacket, WillMessage } from './packets.ts';
import { propertiesFieldSize, propertiesSize, readProperties, writeProperties } from './property-codec.ts';

const cleanStartFlag = 0x02;
const willFlag = 0x04;
const willRetainFlag = 0x20;
const passwordFlag = 0x40;
const usernameFlag = 0x80;
const bridgeMark = 0x80;

export function decodeConnect(reader: PacketReader): ConnectPacket {
  const protocolName = reader.readUtf8();
  if (protocolName !== 'MQTT' && protocolName !== 'MQIsdp') {
    throw reader.malformed(
      `Protocol name ${JSON.stringify(protocolName)}; expected "MQTT" or "MQIsdp"`,
      '3.1.2-1',
      '3.1.2-1',
      reader.packetStart,
    );
  }
  const level = reader.readUint8();
  const protocolVersion = versionOf(protocolName, level);
  if (protocolVersion === undefined) {
    throw reader.violation(
      `Protocol level ${level} of ${protocolName}; expected 3 of MQIsdp, 4 or 5 of MQTT`,
      '3.1.2-2',
      '3.1.2-2',
      ReasonCode.unsupportedProtocolVersion,
    );
  }
  reader.version = protocolVersion;
  const flags = readConnectFlags(reader);
  const keepAlive = reader.readUint16();
  const properties = protocolVersion === 5 ? readProperties(reader, 'CONNECT') : undefined;
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw reader.violation('Authentication Data without Authentication Method in CONNECT properties');
  }
  const clientIdentifier = reader.readUtf8();
  const willMessage = (flags & willFlag) === 0 ? undefined : readWillMessage(reader, flags);
  // In 3.1 the Remaining Length takes precedence over these two flags: what is announced may be missing at the end.
  const mayBeMissing = protocolVersion === 3;
  const hasUsername = (flags & usernameFlag) !== 0 && !(mayBeMissing && reader.remaining === 0);
  const username = hasUsername ? reader.readUtf8() : undefined;
  const hasPassword = (flags & passwordFlag) !== 0 && !(mayBeMissing && reader.remaining === 0);
  const password = hasPassword ? reader.readBinary() : undefined;
  reader.expectEnd('CONNECT');
  return {
    type: PacketType.CONNECT,
    protocolVersion,
    isBridge: (level & bridgeMark) !== 0,
    cleanStart: (flags & cleanStartFlag) !== 0,
    keepAlive,
    clientIdentifier,
    willMessage,
    username,
    password,
    properties,
  };
}

function versionOf(protocolName: string, level: number): ProtocolVersion | undefined {
  if (protocolName === 'MQIsdp') return (level & ~bridgeMark) === 3 ? 3 : undefined;
  if (level === 5) return 5;
  return (level & ~bridgeMark) === 4 ? 4 : undefined;
}

/** Reads the flags and refuses what contradicts itself. MQTT 3.1 ignores the reserved bit, and the will's bits without a will. */
function readConnectFlags(reader: PacketReader): number {
  const start = reader.position;
  const flags = reader.readUint8();
  const shown = `Connect Flags 0x${flags.toString(16).padStart(2, '0')}`;
  if ((flags & willFlag) !== 0) {
    if (willQosOf(flags) === 3) {
      throw reader.malformed(`Will QoS 3 in ${shown}; expected 0–2`, '3.1.2-12', '3.1.2-14', start);
    }
  } else if (reader.version !== 3) {
    if (willQosOf(flags) !== 0) {
      throw reader.malformed(
        `Will QoS ${willQosOf(flags)} without Will Flag in ${shown}`,
        '3.1.2-11',
        '3.1.2-13',
        start,
      );
    }
    if ((flags & willRetainFlag) !== 0) {
      throw reader.malformed(`Will Retain without Will Flag in ${shown}`, '3.1.2-13', '3.1.2-15', start);
    }
  }
  if (reader.version !== 3 && (flags & 1) !== 0) {
    throw reader.malformed(`Reserved bit set in ${shown}`, '3.1.2-3', '3.1.2-3', start);
  }
  if (reader.version !== 5 && (flags & passwordFlag) !== 0 && (flags & usernameFlag) === 0) {
    throw reader.malformed(`Password without User Name in ${shown}`, undefined, '3.1.2-22', start);
  }
  return flags;
}

function willQosOf(flags: number): number {
  return (flags >> 3) & 3;
}

function readWillMessage(reader: PacketReader, flags: number): WillMessage {
  const properties = reader.version === 5 ? readProperties(reader, 'WILL') : undefined;
  const topicName = reader.readTopicName('Will Topic', '4.7.0-1', '4.7.1-1');
  const payload = reader.readBinary();
  return {
    topicName,
    payload,
    qos: willQosOf(flags) as QoS,
    retain: (flags & willRetainFlag) !== 0,
    properties,
  };
}

/**
 * The protocol level byte of a CONNECT that could not be decoded, to answer it in a form its sender understands; `undefined` if the
 * packet is too short or names no protocol of ours. `bodyStart` and `end` as in `decodePacket`.
 */
export function peekProtocolLevel(bytes: Uint8Array, bodyStart: number, end: number): number | undefined {
  const nameLength = bodyStart + 1 < end ? (bytes[bodyStart]! << 8) | bytes[bodyStart + 1]! : 0;
  const levelAt = bodyStart + 2 + nameLength;
  if ((nameLength !== 4 && nameLength !== 6) || levelAt >= end) return undefined;
  const name = String.fromCharCode(...bytes.subarray(bodyStart + 2, levelAt));
  return name === 'MQTT' || name === 'MQIsdp' ? bytes[levelAt] : undefined;
}

export function connectBodySize(packet: ConnectPacket): number {
  const will = packet.willMessage;
  const isVersion5 = packet.protocolVersion === 5;
  let size = packet.protocolVersion === 3 ? 12 : 10;
  if (isVersion5) size += propertiesFieldSize(packet.properties, 'CONNECT');
  size += 2 + utf8Length(packet.clientIdentifier);
  if (will !== undefined) {
    size += 2 + utf8Length(will.topicName) + 2 + will.payload.length;
    if (isVersion5) size += propertiesFieldSize(will.properties, 'WILL');
  }
  if (packet.username !== undefined) size += 2 + utf8Length(packet.username);
  if (packet.password !== undefined) size += 2 + packet.password.length;
  return size;
}

export function encodeConnect(writer: ByteWriter, packet: ConnectPacket): void {
  const { protocolVersion, willMessage: will, username, password } = packet;
  if (password !== undefined && username === undefined && protocolVersion !== 5) {
    throw new OptionError('A password needs a user name before MQTT 5.0');
  }
  writeFixedHeader(writer, PacketType.CONNECT << 4, connectBodySize(packet));
  writer.writeUtf8(protocolVersion === 3 ? 'MQIsdp' : 'MQTT');
  writer.writeUint8(protocolVersion !== 5 && packet.isBridge ? protocolVersion | bridgeMark : protocolVersion);
  let flags = packet.cleanStart ? cleanStartFlag : 0;
  if (will !== undefined) flags |= willFlag | (will.qos << 3) | (will.retain ? willRetainFlag : 0);
  if (password !== undefined) flags |= passwordFlag;
  if (username !== undefined) flags |= usernameFlag;
  writer.writeUint8(flags);
  writer.writeUint16(packet.keepAlive);
  if (protocolVersion === 5) {
    writeProperties(writer, packet.properties, propertiesSize(packet.properties, 'CONNECT'));
  }
  writer.writeUtf8(packet.clientIdentifier);
  if (will !== undefined) {
    if (protocolVersion === 5) writeProperties(writer, will.properties, propertiesSize(will.properties, 'WILL'));
    writer.writeUtf8(will.topicName);
    writer.writeBinary(will.payload);
  }
  if (username !== undefined) writer.writeUtf8(username);
  if (password !== undefined) writer.writeBinary(password);
}
