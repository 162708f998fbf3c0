/** A packet's part of the Info column: `Publish Message (id=1) [a/b]`. */
import { PacketType } from '../../protocol/packet-types.ts';
import { decodeText } from '../format-text.ts';
import { MalformedProbe } from './malformed-probe.ts';
import type { MqttPacket } from './packet.ts';
import { variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { packetTypeNames } from './value-names.ts';

/** A packet whose fields do not fit has said so far what its fields said so far. */
const malformedSuffix = '[Malformed Packet]';

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

/** Whether the packet is one whose fields do not fit. Packets of the usual lengths are known to be none without a look. */
function suffix(packet: MqttPacket): string {
  if (
    packet.end - packet.bodyStart === 2 &&
    packet.packetType !== PacketType.CONNACK &&
    packet.packetType !== PacketType.SUBACK
  ) {
    if (packet.version < 5 || packet.packetType < PacketType.SUBSCRIBE) return '';
  }
  return probe.isMalformed(packet) ? malformedSuffix : '';
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
  if (packet.version === 5 && bytes[at] !== 0 && probe.isMalformed(packet)) return identifier + malformedSuffix;
  const topic = packet.aliasedTopic === undefined ? bytes.subarray(topicStart, topicEnd) : packet.aliasedTopic.bytes;
  return `${identifier} [${decodeText(topic)}]`;
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
