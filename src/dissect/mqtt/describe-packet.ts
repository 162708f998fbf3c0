/**
 * A packet's tree: Wireshark's lines, then ours. What Wireshark shows is described in its order and words, also where a packet is wrong; what else is
 * to be said comes as diagnostics below the field it is about, and as computed fields at the end.
 */
import { PacketType } from '../../protocol/packet-types.ts';
import type { Diagnostic } from '../diagnostic.ts';
import { FieldGroup, wantsGroup } from '../field-group.ts';
import type { FieldSink } from '../field-sink.ts';
import { dataFields } from '../layers/data.ts';
import { describeShort, shortFields } from '../layers/trouble.ts';
import { describeAcknowledgement, describeReason } from './describe-acknowledgement.ts';
import { describeConnack, describeConnect, isOfUnknownVersion } from './describe-connect.ts';
import { describeConversation } from './describe-conversation.ts';
import { describeHeader } from './describe-header.ts';
import { describeMedia, jsonFields, textLinesFields } from './describe-media.ts';
import { describePublish } from './describe-publish.ts';
import { describeSuback, describeSubscribe, describeUnsuback, describeUnsubscribe } from './describe-subscribe.ts';
import { fields } from './fields.ts';
import { malformed } from './malformed.ts';
import type { MqttPacket } from './packet.ts';
import { packetSizeOf } from './packet-size.ts';
import { PacketWalk } from './packet-walk.ts';
import { packetTypeNames } from './value-names.ts';

const unknownVersion: Diagnostic = {
  severity: 'note',
  group: 'Protocol',
  message: 'Unknown version (missing the CONNECT packet?)',
  rule: undefined,
};

const exception: Diagnostic = {
  severity: 'error',
  group: 'Malformed',
  message: 'Malformed Packet (Exception occurred)',
  rule: undefined,
};

/** Fields that are described together, or passed over. Diagnostics may be said of any. These depend on packets of other connections, too. */
export const conversationFields = new FieldGroup([
  fields.client,
  fields.version,
  fields.versionIsInferred,
  fields.direction,
  fields.connectFrame,
  fields.qosState,
  fields.answersFrame,
  fields.answerTime,
  fields.publishFrame,
  fields.handshakeTime,
  fields.repeated,
  fields.repeatsFrame,
  fields.identifierReused,
  fields.identifierFrame,
  fields.unanswered,
  fields.missingBytes,
  fields.payloadFormat,
  fields.payloadText,
  fields.incomplete,
  fields.violation,
]);
const headerFields = new FieldGroup([
  fields.headerFlags,
  fields.packetType,
  fields.headerReserved,
  fields.dup,
  fields.qos,
  fields.retain,
  fields.retainReserved,
  fields.length,
  fields.violation,
]);
const bodyFields = new FieldGroup([
  ...Object.values(fields).filter(
    (field) =>
      field !== fields.self && !conversationFields.fields.includes(field) && !headerFields.fields.includes(field),
  ),
  fields.violation,
  fields.payloadFormat,
  fields.payloadText,
  malformed.self,
  shortFields.self,
  ...Object.values(dataFields),
  jsonFields.self,
  textLinesFields.self,
]);

export function describePacket(packet: MqttPacket, sink: FieldSink): void {
  if (!isWanted(sink)) return;
  const { source, start, end } = packet;
  const walk = new PacketWalk(packet, sink);
  sink.enter(fields.self, source, start, end);
  if (sink.wantsText) sink.setText(`${fields.self.label}, ${packetTypeNames[packet.packetType]}`);
  if (packet.packetType !== PacketType.CONNECT && isOfUnknownVersion(walk)) {
    sink.addDiagnostic(fields.unknownVersion, source, start, start, unknownVersion);
  }
  if (wantsGroup(sink, headerFields)) describeHeader(walk);
  if (packetSizeOf(source.bytes, start, end) > 0) {
    if (wantsGroup(sink, bodyFields)) {
      describeBody(walk);
      describeRest(walk);
    }
  } else describeLengthFault(walk);
  if (wantsGroup(sink, conversationFields)) describeConversation(walk);
  sink.leave();
  if (walk.isCut) describeTrouble(walk);
  else describeMedia(walk);
}

function isWanted(sink: FieldSink): boolean {
  return (
    sink.wants(fields.self) ||
    sink.wants(malformed.self) ||
    sink.wants(shortFields.self) ||
    sink.wants(jsonFields.self) ||
    sink.wants(dataFields.self) ||
    sink.wants(textLinesFields.self)
  );
}

/** Whether the capture kept less of the packet's frame than there was; else the bytes were lost in some other way. */
function isCutByCapture(packet: MqttPacket): boolean {
  return packet.frame.bytes.length < packet.frame.length;
}

/** What follows a packet whose fields do not fit in what there is of it. */
function describeTrouble(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const { end } = packet;
  if (packet.absentBytes > 0) {
    if (!isCutByCapture(packet)) return;
    describeShort(sink, source, end, 'MQTT');
    return;
  }
  sink.enterGenerated(malformed.self, source, end, end);
  if (sink.wantsText) sink.setText('Malformed Packet: MQTT');
  sink.addDiagnostic(malformed.expert, source, end, end, exception);
  sink.leave();
}

function describeBody(walk: PacketWalk): void {
  switch (walk.packet.packetType) {
    case PacketType.CONNECT:
      describeConnect(walk);
      break;
    case PacketType.CONNACK:
      describeConnack(walk);
      break;
    case PacketType.PUBLISH:
      describePublish(walk);
      break;
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      describeAcknowledgement(walk);
      break;
    case PacketType.SUBSCRIBE:
      describeSubscribe(walk);
      break;
    case PacketType.SUBACK:
      describeSuback(walk);
      break;
    case PacketType.UNSUBSCRIBE:
      describeUnsubscribe(walk);
      break;
    case PacketType.UNSUBACK:
      describeUnsuback(walk);
      break;
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      describeReason(walk);
      break;
    default:
  }
}

/** What is left of the packet after its last field, or after the one that did not fit. */
function describeRest(walk: PacketWalk): void {
  const { sink, source, at, end, packet } = walk;
  const count = end - at;
  if (count > 0) sink.addBytes(fields.undecoded, source, at, end);
  if (!walk.checks) return;
  const { packetType } = packet;
  if (walk.isCut && packet.absentBytes === 0) {
    walk.fault(
      at,
      end,
      `The packet ends within its next field: ${count} ${count === 1 ? 'byte is' : 'bytes are'} left`,
    );
  } else if (count > 0 && packetType !== 0 && !(packetType === PacketType.AUTH && walk.version !== 5)) {
    walk.fault(at, end, `The packet has ${count} ${count === 1 ? 'byte' : 'bytes'} too many`);
  }
}

function describeLengthFault(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const isLong = packet.end - packet.start > 4;
  walk.isCut = true;
  const first = Math.min(packet.start + 1, packet.end);
  if (packet.end > first) sink.addBytes(fields.undecoded, source, first, packet.end);
  if (!walk.checks) return;
  const message = isLong ? 'Remaining Length has more than four bytes' : 'The packet ends within its Remaining Length';
  if (isLong || packet.absentBytes === 0) walk.fault(first, packet.end, message, 'MQTT-1.5.5-1');
}
