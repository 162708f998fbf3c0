/**
 * The first byte of a packet: type in the high four bits, flags in the low four.
 *
 *       7   6   5   4   3   2   1   0
 *     +---------------+---+-------+---+
 *     |  packet type  |DUP|  QoS  |RET|    flags as in PUBLISH; the other types fix them
 *     +---------------+---+-------+---+
 */
import type { ByteWriter } from '../base/byte-writer.ts';
import { MalformedPacketError, OptionError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { type ProtocolVersion, variableByteIntegerMax } from '../protocol/version.ts';

export const dupFlag = 0x08;
export const retainFlag = 0x01;

/** The statement about the reserved flags of those types that have one of their own; it has the same number in 5.0 and 3.1.1. */
const flagRules: Readonly<Partial<Record<PacketType, string>>> = {
  [PacketType.PUBREL]: '3.6.1-1',
  [PacketType.SUBSCRIBE]: '3.8.1-1',
  [PacketType.UNSUBSCRIBE]: '3.10.1-1',
  [PacketType.DISCONNECT]: '3.14.1-1',
  [PacketType.AUTH]: '3.15.1-1',
};

const packetTypeNames = ['', ...Object.keys(PacketType)];

/** The spec's name of a packet type, such as `PUBLISH`. */
export function packetTypeName(type: number): string {
  return packetTypeNames[type] || `packet type ${type}`;
}

/** The flags that a packet of this type must have, PUBLISH excepted. */
export function fixedFlags(type: number): number {
  return type === PacketType.PUBREL || type === PacketType.SUBSCRIBE || type === PacketType.UNSUBSCRIBE ? 0x02 : 0x00;
}

/** 1 for each first byte that may begin a packet of 3.1.1 or 5.0. */
const isFirstByte = Uint8Array.from({ length: 256 }, (_, firstByte) => {
  const type = firstByte >> 4;
  const flags = firstByte & 0x0f;
  if (type === 0) return 0;
  if (type !== PacketType.PUBLISH) return flags === fixedFlags(type) ? 1 : 0;
  const qos = (flags >> 1) & 3;
  return qos === 3 || (qos === 0 && (flags & dupFlag) !== 0) ? 0 : 1;
});

/**
 * Refuses packet type 0, reserved flags [MQTT-2.1.3-1], and a PUBLISH with QoS 3 [MQTT-3.3.1-4] or with DUP at QoS 0 [MQTT-3.3.1-2].
 * MQTT 3.1 calls the flags of other packets "not used" and sets DUP when it repeats a PUBREL, SUBSCRIBE or UNSUBSCRIBE, so there
 * they are not looked at. AUTH exists in 5.0 only.
 */
export function checkFirstByte(firstByte: number, version: ProtocolVersion): void {
  if (isFirstByte[firstByte] === 1 && (firstByte < 0xf0 || version === 5)) return;
  const type = firstByte >> 4;
  const flags = firstByte & 0x0f;
  const shown = `0x${flags.toString(16)}`;
  const prefix = version === 5 ? 'MQTT-' : 'MQTT311-';
  if (type === 0) throw new MalformedPacketError('Packet type 0 does not exist', 0);
  if (type === PacketType.AUTH && version !== 5) throw new MalformedPacketError('AUTH exists in MQTT 5.0 only', 0);
  if (type === PacketType.PUBLISH) {
    const isQos3 = (flags & 0x06) === 0x06;
    throw new MalformedPacketError(
      isQos3 ? `QoS 3 in PUBLISH flags ${shown}; expected 0–2` : `DUP with QoS 0 in PUBLISH flags ${shown}`,
      0,
      version === 3 ? undefined : prefix + (isQos3 ? '3.3.1-4' : '3.3.1-2'),
    );
  }
  if (version === 3 && type !== PacketType.CONNECT) return;
  throw new MalformedPacketError(
    `${packetTypeName(type)} flags ${shown}; expected 0x${fixedFlags(type)}`,
    0,
    version === 3 ? undefined : prefix + (flagRules[type as PacketType] ?? (version === 5 ? '2.1.3-1' : '2.2.2-2')),
  );
}

/** How many bytes a value takes as Variable Byte Integer. */
export function variableByteIntegerSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** The size of a whole packet, given its Remaining Length. */
export function sizeWithHeader(remainingLength: number): number {
  return 1 + variableByteIntegerSize(remainingLength) + remainingLength;
}

/**
 * Writes the fixed header and makes room for the whole packet.
 * @throws {OptionError} `MQTT_ERR_OPTION_RANGE` if the packet would be longer than any can be
 */
export function writeFixedHeader(writer: ByteWriter, firstByte: number, remainingLength: number): void {
  if (remainingLength > variableByteIntegerMax) {
    throw new OptionError(
      `A packet with Remaining Length ${remainingLength}; at most ${variableByteIntegerMax} can be sent`,
      'MQTT_ERR_OPTION_RANGE',
    );
  }
  writer.ensure(5 + remainingLength);
  writer.writeUint8(firstByte);
  writer.writeVariableByteInteger(remainingLength);
}
