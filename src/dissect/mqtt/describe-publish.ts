/** PUBLISH, field by field. [MQTT 5.0 §3.3] */
import type { Diagnostic } from '../diagnostic.ts';
import { decodeText } from '../format-text.ts';
import { describeProperties, emptyTopic } from './describe-properties.ts';
import { fields } from './fields.ts';
import { packetMarks } from './packet-marks.ts';
import type { PacketWalk } from './packet-walk.ts';
import { findProperty, variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';

const topicAliasIdentifier = 0x23;

const unknownAlias: Diagnostic = {
  severity: 'note',
  group: 'Protocol',
  message: 'Unknown topic alias',
  rule: undefined,
};

export function describePublish(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const topicLength = walk.number(fields.topicLength, 2);
  if (topicLength < 0) return;
  const hasAlias = topicLength === 0 && walk.version === 5 && findAlias(walk);
  if (topicLength > 0) {
    if (!walk.text(fields.topic, topicLength)) return;
    if (walk.checks) checkTopicName(walk, walk.at - topicLength);
  } else if (!hasAlias && (walk.version !== 5 || packet.absentBytes === 0)) {
    sink.addDiagnostic(fields.illegalTopicLength, source, walk.at, walk.at, emptyTopic);
    if (walk.checks) {
      const message = walk.version === 5 ? 'No Topic Name, and no Topic Alias' : 'Topic Name is empty';
      walk.fault(walk.at - 2, walk.at, message, 'MQTT-4.7.3-1', 'MQTT311-4.7.3-1');
    }
  }
  if ((packet.header & 0x06) !== 0) {
    const identifier = walk.number(fields.packetIdentifier, 2);
    if (identifier < 0) return;
    if (walk.checks && identifier === 0) {
      walk.fault(walk.at - 2, walk.at, 'Packet Identifier is 0', 'MQTT-2.2.1-3', 'MQTT311-2.3.1-1');
    }
  }
  if (walk.version === 5 && describeProperties(walk, fields.properties, 'PUBLISH') === undefined) return;
  if (hasAlias) describeAliasedTopic(walk);
  if (packet.absentBytes > 0) {
    walk.isCut = true;
    return;
  }
  walk.payloadStart = walk.at;
  if (walk.packet.facts.showsMessagesAsText) sink.addString(fields.messageText, source, walk.at, walk.end);
  else sink.addBytes(fields.message, source, walk.at, walk.end);
  walk.at = walk.end;
}

/** Whether a Topic Alias is among the properties of a PUBLISH without a topic. */
function findAlias(walk: PacketWalk): boolean {
  const { bytes, end, packet } = walk;
  const begin = walk.at + ((packet.header & 0x06) === 0 ? 0 : 2);
  const length = variableByteIntegerAt(bytes, begin, end);
  if (length < 0) return false;
  const start = begin + variableByteIntegerSize(bytes, begin);
  return findProperty(bytes, start, Math.min(end, start + length), topicAliasIdentifier) >= 0;
}

function checkTopicName(walk: PacketWalk, start: number): void {
  for (let at = start; at < walk.at; at++) {
    if (walk.bytes[at] !== 0x23 && walk.bytes[at] !== 0x2b) continue;
    walk.fault(start, walk.at, 'Topic Name has a wildcard character', 'MQTT-3.3.2-2', 'MQTT311-3.3.2-2');
    return;
  }
}

/** The topic that the alias stands for, which is not in the bytes. */
function describeAliasedTopic(walk: PacketWalk): void {
  const { sink, source, packet, at } = walk;
  if (sink.wants(fields.topic)) {
    const topic = packet.aliasedTopic;
    sink.addGenerated(fields.topic, source, at, at, topic === undefined ? '' : decodeText(topic.bytes));
  }
  if (packet.has(packetMarks.unknownAlias)) sink.addDiagnostic(fields.unknownTopicAlias, source, at, at, unknownAlias);
}
