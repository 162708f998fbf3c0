/** A packet's part of the Info column: `Publish Message (id=1) [a/b]`. */
import { PacketType } from '../../protocol/packet-types.ts';
import { decodeText } from '../format-text.ts';
import { MalformedProbe } from './malformed-probe.ts';
import { mediaInfo } from './media.ts';
import type { MqttPacket } from './packet.ts';
import { variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { packetTypeNames } from './value-names.ts';

const probe = new MalformedProbe();

export function packetInfo(packet: MqttPacket): string {
  const name = packetTypeNames[packet.packetType]!;
  switch (packet.packetType) {
    case PacketType.PUBLISH:
      return name + publishInfo(packet);
    case PacketType.SUBSCRIBE:
      return name + subscribeInfo(packet);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
    case PacketType.SUBACK:
    case PacketType.UNSUBSCRIBE:
    case PacketType.UNSUBACK:
      return name + identifierInfo(packet, packet.bodyStart) + suffix(packet);
    default:
      return name + suffix(packet);
  }
}

/** What is said at the end of a packet whose fields do not fit. The usual lengths are known to be right without a look. */
function suffix(packet: MqttPacket): string {
  const { packetType } = packet;
  const isPlain = packetType >= PacketType.PUBACK && packetType <= PacketType.PUBCOMP;
  if (isPlain && packet.end - packet.bodyStart === 2 && packet.absentBytes === 0) return '';
  return troubleOf(packet);
}

function troubleOf(packet: MqttPacket): string {
  const trouble = probe.suffixOf(packet);
  return trouble === '' && packet.absentBytes > 0 ? `[${packet.absentBytes} bytes missing]` : trouble;
}

function identifierInfo(packet: MqttPacket, at: number): string {
  if (at + 2 > packet.end) return '';
  const { bytes } = packet.source;
  return ` (id=${bytes[at]! * 256 + bytes[at + 1]!})`;
}

function publishInfo(packet: MqttPacket): string {
  const { bytes } = packet.source;
  const { bodyStart, end } = packet;
  if (bodyStart + 2 > end) return suffix(packet);
  const topicStart = bodyStart + 2;
  const topicEnd = topicStart + bytes[bodyStart]! * 256 + bytes[bodyStart + 1]!;
  const hasIdentifier = (packet.header & 0x06) !== 0;
  const at = topicEnd + (hasIdentifier ? 2 : 0);
  if (at > end) return suffix(packet);
  const identifier = hasIdentifier ? identifierInfo(packet, topicEnd) : '';
  const trouble = packet.absentBytes > 0 || (packet.version === 5 && bytes[at] !== 0) ? troubleOf(packet) : '';
  // The topic is said when all before the payload has been read.
  if (trouble !== '' && !isBeforePayload(packet, at)) return identifier + trouble;
  const topic = packet.aliasedTopic === undefined ? bytes.subarray(topicStart, topicEnd) : packet.aliasedTopic.bytes;
  return `${identifier} [${decodeText(topic)}]${mediaInfo(packet)}${trouble}`;
}

/** Whether what is missing is missing from the payload only. */
function isBeforePayload(packet: MqttPacket, at: number): boolean {
  if (packet.absentBytes === 0) return false;
  if (packet.version !== 5) return true;
  const { bytes } = packet.source;
  const length = variableByteIntegerAt(bytes, at, packet.end);
  return length >= 0 && at + variableByteIntegerSize(bytes, at) + length <= packet.end;
}

function subscribeInfo(packet: MqttPacket): string {
  const { bytes } = packet.source;
  const { end } = packet;
  let text = identifierInfo(packet, packet.bodyStart);
  let at = packet.bodyStart + 2;
  if (packet.version === 5 && at < end) {
    const length = variableByteIntegerAt(bytes, at, end);
    at = length < 0 ? end : at + variableByteIntegerSize(bytes, at) + length;
  }
  while (at + 2 <= end) {
    const topicEnd = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
    if (topicEnd > end) break;
    text += ` [${decodeText(bytes.subarray(at + 2, topicEnd))}]`;
    at = topicEnd + 1;
  }
  return text + suffix(packet);
}
