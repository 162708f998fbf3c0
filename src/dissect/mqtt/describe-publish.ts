/** PUBLISH, field by field. [MQTT 5.0 §3.3] */
import type { Diagnostic } from '../diagnostic.ts';
import { decodeText } from '../format-text.ts';
import { describeProperties, emptyTopic, type PropertyRange } from './describe-properties.ts';
import { fields } from './fields.ts';
import { packetMarks } from './packet-marks.ts';
import type { PacketWalk } from './packet-walk.ts';
import { findProperty } from './property-walk.ts';

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
  if (topicLength === 0) {
    if (walk.version !== 5) sink.addDiagnostic(fields.illegalTopicLength, source, walk.at, walk.at, emptyTopic);
    if (walk.checks && walk.version !== 5) {
      walk.fault(walk.at - 2, walk.at, 'Topic Name is empty', undefined, 'MQTT311-4.7.3-1');
    }
  } else {
    if (!walk.text(fields.topic, topicLength)) return;
    if (walk.checks) checkTopicName(walk, walk.at - topicLength);
  }
  if ((packet.header & 0x06) !== 0) {
    const identifier = walk.number(fields.packetIdentifier, 2);
    if (identifier < 0) return;
    if (walk.checks && identifier === 0) {
      walk.fault(walk.at - 2, walk.at, 'Packet Identifier is 0', 'MQTT-2.2.1-3', 'MQTT311-2.3.1-1');
    }
  }
  if (walk.version === 5) {
    const properties = describeProperties(walk, fields.properties, 'PUBLISH');
    if (properties === undefined) return;
    if (topicLength === 0) describeAliasedTopic(walk, properties);
  }
  // Nothing is shown of a payload that is not there.
  sink.addBytes(fields.message, source, walk.at, walk.end);
  walk.at = walk.end;
}

function checkTopicName(walk: PacketWalk, start: number): void {
  for (let at = start; at < walk.at; at++) {
    if (walk.bytes[at] !== 0x23 && walk.bytes[at] !== 0x2b) continue;
    walk.fault(start, walk.at, 'Topic Name has a wildcard character', 'MQTT-3.3.2-2', 'MQTT311-3.3.2-2');
    return;
  }
}

/** The topic that the alias stands for, which is not in the bytes. */
function describeAliasedTopic(walk: PacketWalk, properties: PropertyRange): void {
  const { sink, source, packet, at } = walk;
  const alias = findProperty(walk.bytes, properties.start, properties.end, topicAliasIdentifier);
  if (alias < 0) {
    sink.addDiagnostic(fields.illegalTopicLength, source, at, at, emptyTopic);
    if (walk.checks) walk.fault(at, at, 'No Topic Name, and no Topic Alias', 'MQTT-4.7.3-1');
    return;
  }
  if (sink.wants(fields.topic)) {
    const topic = packet.aliasedTopic;
    sink.addGenerated(fields.topic, source, at, at, topic === undefined ? '' : decodeText(topic.bytes));
  }
  if (packet.has(packetMarks.unknownAlias)) sink.addDiagnostic(fields.unknownTopicAlias, source, at, at, unknownAlias);
}
