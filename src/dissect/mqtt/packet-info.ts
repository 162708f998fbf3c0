/** A packet's part of the Info column: `Publish Message (id=1) [a/b]`. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { appendText } from '../format-text.ts';
import { isCut } from '../layers/trouble.ts';
import { MalformedProbe } from './malformed-probe.ts';
import { mediaInfo } from './media.ts';
import type { MqttPacket } from './packet.ts';
import { variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { packetTypeNames } from './value-names.ts';

const probe = new MalformedProbe();

export function writePacketInfo(packet: MqttPacket, output: Utf8Buffer): void {
  output.text(packetTypeNames[packet.packetType]!);
  switch (packet.packetType) {
    case PacketType.PUBLISH:
      writePublish(packet, output);
      break;
    case PacketType.SUBSCRIBE:
      writeSubscribe(packet, output);
      break;
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
    case PacketType.SUBACK:
    case PacketType.UNSUBSCRIBE:
    case PacketType.UNSUBACK:
      writeIdentifier(packet, packet.bodyStart, output);
      output.text(suffix(packet));
      break;
    default:
      output.text(suffix(packet));
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
  if (trouble !== '' || packet.absentBytes === 0 || isCut(packet.frame)) return trouble;
  return packet.absentBytes === 1 ? '[1 byte missing]' : `[${packet.absentBytes} bytes missing]`;
}

function writeIdentifier(packet: MqttPacket, at: number, output: Utf8Buffer): void {
  if (at + 2 > packet.end) return;
  const { bytes } = packet.source;
  output.text(' (id=');
  output.decimal(bytes[at]! * 256 + bytes[at + 1]!);
  output.byte(closingParenthesis);
}

const closingParenthesis = 0x29;
const closingBracket = 0x5d;

function writePublish(packet: MqttPacket, output: Utf8Buffer): void {
  const { bytes } = packet.source;
  const { bodyStart, end } = packet;
  if (bodyStart + 2 > end) {
    output.text(suffix(packet));
    return;
  }
  const topicStart = bodyStart + 2;
  const topicEnd = topicStart + bytes[bodyStart]! * 256 + bytes[bodyStart + 1]!;
  const hasIdentifier = (packet.header & 0x06) !== 0;
  const at = topicEnd + (hasIdentifier ? 2 : 0);
  if (at > end) {
    output.text(suffix(packet));
    return;
  }
  if (hasIdentifier) writeIdentifier(packet, topicEnd, output);
  const trouble = packet.absentBytes > 0 || !propertiesFit(packet, at) ? troubleOf(packet) : '';
  // The topic is said when all before the payload has been read.
  if (trouble !== '' && !isBeforePayload(packet, at)) {
    output.text(trouble);
    return;
  }
  output.text(' [');
  const { aliasedTopic } = packet;
  if (aliasedTopic === undefined) appendText(output, bytes, topicStart, topicEnd);
  else appendText(output, aliasedTopic.bytes, 0, aliasedTopic.bytes.length);
  output.byte(closingBracket);
  if (packet.contentTypeStart >= 0) output.text(mediaInfo(packet));
  output.text(trouble);
}

/** Whether what is missing is missing from the payload only. */
function isBeforePayload(packet: MqttPacket, at: number): boolean {
  return packet.absentBytes > 0 && propertiesFit(packet, at);
}

/** Whether the properties at `at`, if its version has any, end within the packet: what is in them makes none malformed. */
function propertiesFit(packet: MqttPacket, at: number): boolean {
  const { version, end } = packet;
  if (version !== 5) return true;
  const { bytes } = packet.source;
  const length = variableByteIntegerAt(bytes, at, end);
  return length >= 0 && at + variableByteIntegerSize(bytes, at) + length <= end;
}

function writeSubscribe(packet: MqttPacket, output: Utf8Buffer): void {
  const { bytes } = packet.source;
  const { end } = packet;
  writeIdentifier(packet, packet.bodyStart, output);
  let at = packet.bodyStart + 2;
  if (packet.version === 5 && at < end) {
    const length = variableByteIntegerAt(bytes, at, end);
    at = length < 0 ? end : at + variableByteIntegerSize(bytes, at) + length;
  }
  while (at + 2 <= end) {
    const topicEnd = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
    if (topicEnd > end) break;
    output.text(' [');
    appendText(output, bytes, at + 2, topicEnd);
    output.byte(closingBracket);
    at = topicEnd + 1;
  }
  output.text(suffix(packet));
}
