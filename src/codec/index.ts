/** Bytes to packets and back, for MQTT 3.1, 3.1.1 and 5.0, in both directions. Nothing is remembered from packet to packet. */
import { ByteWriter } from '../base/byte-writer.ts';
import { MqttError, OptionError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { acknowledgeBodySize, decodeAcknowledge, writeAcknowledge } from './acknowledge.ts';
import { connackBodySize, decodeConnack, encodeConnack } from './connack.ts';
import { connectBodySize, decodeConnect, encodeConnect } from './connect.ts';
import {
  authBodySize,
  decodeAuth,
  decodeDisconnect,
  disconnectBodySize,
  encodeAuth,
  encodeDisconnect,
} from './disconnect.ts';
import { checkFirstByte, sizeWithHeader, writeFixedHeader } from './fixed-header.ts';
import { PacketReader } from './packet-reader.ts';
import type { Packet, PublishAcknowledgeType, PublishPacket } from './packets.ts';
import { publishSize, readPublish, readTopicName, writePublish } from './publish.ts';
import {
  decodeSuback,
  decodeSubscribe,
  encodeSuback,
  encodeSubscribe,
  subackBodySize,
  subscribeBodySize,
} from './subscribe.ts';
import {
  decodeUnsuback,
  decodeUnsubscribe,
  encodeUnsuback,
  encodeUnsubscribe,
  unsubackBodySize,
  unsubscribeBodySize,
} from './unsubscribe.ts';

export { isShortAcknowledge, shortAcknowledgeSize, writeShortAcknowledges } from './acknowledge.ts';
export { connectReturnCode } from './connack.ts';
export { peekProtocolLevel } from './connect.ts';
export { packetTypeName } from './fixed-header.ts';
export { PacketFramer, packetSizeMax } from './framer.ts';
export type * from './packets.ts';
export { publishSize } from './publish.ts';

/** Decoding is synchronous and never re-entered, so one reader serves all. */
const reader = new PacketReader();

/**
 * Decodes the packet `bytes[packetStart..end)` whose variable header begins at `bodyStart`, as `PacketFramer` shows it. `version`
 * does not matter for CONNECT, which carries its own. Payloads and binary values are views of `bytes`.
 * @throws {MalformedPacketError} with the offset in the packet; see `PacketReader` for which fault is which error
 * @throws {ProtocolError} with its Reason Code, 0x84 for a CONNECT of an unknown protocol level
 */
export function decodePacket(
  bytes: Uint8Array,
  packetStart: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): Packet {
  const firstByte = bytes[packetStart]!;
  checkFirstByte(firstByte, version);
  reader.begin(bytes, packetStart, bodyStart, end, version);
  const type = (firstByte >> 4) as PacketType;
  switch (type) {
    case PacketType.CONNECT:
      return decodeConnect(reader);
    case PacketType.CONNACK:
      return decodeConnack(reader);
    case PacketType.PUBLISH:
      return readPublish(reader, firstByte);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return decodeAcknowledge(reader, type) as Packet;
    case PacketType.SUBSCRIBE:
      return decodeSubscribe(reader);
    case PacketType.SUBACK:
      return decodeSuback(reader);
    case PacketType.UNSUBSCRIBE:
      return decodeUnsubscribe(reader);
    case PacketType.UNSUBACK:
      return decodeUnsuback(reader);
    case PacketType.PINGREQ:
      reader.expectEnd('PINGREQ');
      return { type };
    case PacketType.PINGRESP:
      reader.expectEnd('PINGRESP');
      return { type };
    case PacketType.DISCONNECT:
      return decodeDisconnect(reader);
    case PacketType.AUTH:
      return decodeAuth(reader);
  }
}

/** `decodePacket` for bytes that are known to be a PUBLISH. */
export function decodePublish(
  bytes: Uint8Array,
  packetStart: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): PublishPacket {
  const firstByte = bytes[packetStart]!;
  checkFirstByte(firstByte, version);
  reader.begin(bytes, packetStart, bodyStart, end, version);
  return readPublish(reader, firstByte);
}

/**
 * The Topic Name of a PUBLISH, and no more of it; empty if a Topic Alias stands for it or should.
 * @throws {MalformedPacketError} as `decodePacket` does
 */
export function decodeTopicName(
  bytes: Uint8Array,
  packetStart: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): string {
  reader.begin(bytes, packetStart, bodyStart, end, version);
  return readTopicName(reader);
}

/**
 * Appends a packet. For 3.1 and 3.1.1 what those versions do not have is left out: properties, reason codes, subscription options.
 * CONNECT is written in its own `protocolVersion`.
 * @throws {OptionError} if a string or binary value is longer than 65,535 bytes, a string cannot be written as UTF-8 or has U+0000, a
 * property is not one of this packet or out of range, or the packet too long. Nothing is appended then.
 */
export function encodePacket(writer: ByteWriter, packet: Packet, version: ProtocolVersion): void {
  const start = writer.length;
  try {
    writePacket(writer, packet, version);
  } catch (error) {
    throw undone(writer, start, error);
  }
}

function undone(writer: ByteWriter, start: number, error: unknown): unknown {
  writer.length = start;
  if (error instanceof MqttError || !(error instanceof RangeError)) return error;
  return new OptionError(error.message, 'MQTT_ERR_OPTION_RANGE');
}

function writePacket(writer: ByteWriter, packet: Packet, version: ProtocolVersion): void {
  switch (packet.type) {
    case PacketType.CONNECT:
      encodeConnect(writer, packet);
      return;
    case PacketType.CONNACK:
      encodeConnack(writer, packet, version);
      return;
    case PacketType.PUBLISH:
      writePublish(writer, packet, version);
      return;
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      writeAcknowledge(writer, packet.type, packet.packetIdentifier, packet.reasonCode, packet.properties, version);
      return;
    case PacketType.SUBSCRIBE:
      encodeSubscribe(writer, packet, version);
      return;
    case PacketType.SUBACK:
      encodeSuback(writer, packet, version);
      return;
    case PacketType.UNSUBSCRIBE:
      encodeUnsubscribe(writer, packet, version);
      return;
    case PacketType.UNSUBACK:
      encodeUnsuback(writer, packet, version);
      return;
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      writeFixedHeader(writer, packet.type << 4, 0);
      return;
    case PacketType.DISCONNECT:
      encodeDisconnect(writer, packet, version);
      return;
    case PacketType.AUTH:
      encodeAuth(writer, packet, version);
      return;
  }
}

/** The bytes of one packet; errors as `encodePacket`. */
export function encodedBytes(packet: Packet, version: ProtocolVersion): Uint8Array {
  const writer = new ByteWriter(64);
  encodePacket(writer, packet, version);
  return writer.toBytes();
}

/**
 * `encodePacket` for a PUBLISH. Returns where in `writer.bytes` the Packet Identifier is, two bytes to be patched for another receiver
 * of the same form; -1 at QoS 0.
 */
export function encodePublish(writer: ByteWriter, packet: PublishPacket, version: ProtocolVersion): number {
  const start = writer.length;
  try {
    return writePublish(writer, packet, version);
  } catch (error) {
    throw undone(writer, start, error);
  }
}

/** `encodePacket` for a PUBACK, PUBREC, PUBREL or PUBCOMP without making an object of it. */
export function encodeAcknowledge(
  writer: ByteWriter,
  type: PublishAcknowledgeType,
  packetIdentifier: number,
  reasonCode: ReasonCode,
  properties: PropertiesOf<'PUBACK'> | undefined,
  version: ProtocolVersion,
): void {
  const start = writer.length;
  try {
    writeAcknowledge(writer, type, packetIdentifier, reasonCode, properties, version);
  } catch (error) {
    throw undone(writer, start, error);
  }
}

/**
 * The size in bytes that a packet will have, to be held against a Maximum Packet Size without encoding it.
 * @throws {OptionError} if a property is not one of this packet or out of range
 */
export function packetSize(packet: Packet, version: ProtocolVersion): number {
  switch (packet.type) {
    case PacketType.CONNECT:
      return sizeWithHeader(connectBodySize(packet));
    case PacketType.CONNACK:
      return sizeWithHeader(connackBodySize(packet, version));
    case PacketType.PUBLISH:
      return publishSize(packet, version);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return sizeWithHeader(acknowledgeBodySize(packet, version));
    case PacketType.SUBSCRIBE:
      return sizeWithHeader(subscribeBodySize(packet, version));
    case PacketType.SUBACK:
      return sizeWithHeader(subackBodySize(packet, version));
    case PacketType.UNSUBSCRIBE:
      return sizeWithHeader(unsubscribeBodySize(packet, version));
    case PacketType.UNSUBACK:
      return sizeWithHeader(unsubackBodySize(packet, version));
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return 2;
    case PacketType.DISCONNECT:
      return sizeWithHeader(disconnectBodySize(packet, version));
    case PacketType.AUTH:
      return sizeWithHeader(authBodySize(packet));
  }
}
