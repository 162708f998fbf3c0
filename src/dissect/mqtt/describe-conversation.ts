/** What is to be said of a packet by its place in the conversation: computed fields of ours, after all others. */
import { TimeValue } from '../field.ts';
import { describePayload } from './describe-payload.ts';
import { fields } from './fields.ts';
import { handshakeStateNames, handshakeStates } from './handshake.ts';
import type { MqttPacket } from './packet.ts';
import { packetMarks as marks } from './packet-marks.ts';
import type { PacketWalk } from './packet-walk.ts';

export function describeConversation(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const { facts, start } = packet;
  if (facts.connectFrame > 0 || facts.clientIdentifier !== '') {
    sink.addGenerated(fields.client, source, start, start, facts.clientIdentifier);
  }
  if (packet.version >= 3 && packet.version <= 5) {
    sink.addGenerated(fields.version, source, start, start, packet.version);
    if (packet.has(marks.inferredVersion)) sink.addGenerated(fields.versionIsInferred, source, start, start, true);
  }
  sink.addGenerated(fields.direction, source, start, start, packet.isByClient ? 'client' : 'server');
  if (facts.connectFrame > 0) sink.addGenerated(fields.connectFrame, source, start, start, facts.connectFrame);
  describeHandshake(walk);
  describePayload(walk);
  for (const frame of packet.unanswered) sink.addGenerated(fields.unanswered, source, start, start, frame);
  const missing = packet.missingBefore + packet.absentBytes;
  if (missing > 0) {
    sink.addGenerated(fields.missingBytes, source, packet.end, packet.end, missing);
    if (walk.checks) describeMissing(walk);
  }
}

function describeHandshake(walk: PacketWalk): void {
  const { sink, source, packet, checks } = walk;
  const { start } = packet;
  const state = packet.qosState;
  if (state !== handshakeStates.none) {
    sink.addGenerated(fields.qosState, source, start, start, handshakeStateNames[state]!);
  }
  if (packet.publishFrame > 0 && packet.publishFrame !== packet.frame.number) {
    sink.addGenerated(fields.publishFrame, source, start, start, packet.publishFrame);
  }
  if (packet.answersFrame > 0) {
    sink.addGenerated(fields.answersFrame, source, start, start, packet.answersFrame);
    if (sink.wants(fields.answerTime)) {
      const time = since(packet, packet.answersSeconds, packet.answersNanoseconds);
      sink.addGenerated(fields.answerTime, source, start, start, time);
    }
  }
  if ((state === handshakeStates.complete || state === handshakeStates.refused) && sink.wants(fields.handshakeTime)) {
    const time = since(packet, packet.publishSeconds, packet.publishNanoseconds);
    sink.addGenerated(fields.handshakeTime, source, start, start, time);
  }
  if (packet.has(marks.repeated)) {
    sink.addGenerated(fields.repeated, source, start, start, true);
    if (packet.relatedFrame > 0) sink.addGenerated(fields.repeatsFrame, source, start, start, packet.relatedFrame);
  }
  if (packet.has(marks.identifierReused)) {
    sink.addGenerated(fields.identifierReused, source, start, start, true);
    sink.addGenerated(fields.identifierFrame, source, start, start, packet.relatedFrame);
  }
  if (checks && packet.marks !== 0) describeMarks(walk);
}

/** What the marks mean as diagnostics, below the last of the fields above. */
function describeMarks(walk: PacketWalk): void {
  const { packet } = walk;
  const { start, end } = packet;
  if (packet.has(marks.identifierReused)) {
    const rule5 = packet.isByClient ? 'MQTT-2.2.1-3' : 'MQTT-2.2.1-4';
    const rule311 = packet.isByClient ? 'MQTT311-2.3.1-2' : 'MQTT311-2.3.1-4';
    const message = `Packet Identifier ${packet.packetIdentifier} is in use since frame ${packet.relatedFrame}`;
    walk.fault(start, end, message, rule5, rule311);
  }
  if (packet.has(marks.unexpected)) walk.remark(start, end, 'There is nothing that this packet answers');
  if (packet.has(marks.wrongAnswer)) {
    walk.fault(start, end, 'The PUBLISH has another QoS than this acknowledgement is for', 'MQTT-4.3.3-8');
  }
  if (packet.has(marks.releasedEarly)) walk.remark(start, end, 'PUBREL before PUBREC');
  if (packet.has(marks.wrongDirection)) {
    walk.fault(start, end, `A ${packet.isByClient ? 'client' : 'server'} does not send this packet`);
  }
  if (packet.has(marks.beforeConnect)) {
    walk.fault(start, end, 'The first packet of a client must be CONNECT', 'MQTT-3.1.0-1', 'MQTT311-3.1.0-1');
  }
  if (packet.has(marks.secondConnect)) {
    walk.fault(start, end, 'A second CONNECT', 'MQTT-3.1.0-2', 'MQTT311-3.1.0-2');
  }
  if (packet.has(marks.secondConnack)) walk.fault(start, end, 'A second CONNACK', 'MQTT-3.2.0-2');
  if (packet.has(marks.beforeConnack)) {
    walk.fault(start, end, 'The server must send CONNACK first', 'MQTT-3.2.0-1', 'MQTT311-3.2.0-1');
  }
  if (packet.has(marks.afterDisconnect)) {
    const rule311 = packet.isByClient ? 'MQTT311-3.14.4-2' : undefined;
    walk.fault(start, end, 'A packet after DISCONNECT', 'MQTT-3.14.4-1', rule311);
  }
  if (packet.has(marks.aliasTooLarge)) {
    const rule5 = packet.isByClient ? 'MQTT-3.3.2-9' : 'MQTT-3.3.2-11';
    walk.fault(start, end, 'The Topic Alias is larger than the other end allows', rule5);
  }
  if (packet.has(marks.wrongCount)) {
    const isSuback = packet.packetType === 9;
    const rule5 = isSuback ? 'MQTT-3.8.4-6' : 'MQTT-3.11.3-1';
    const message = 'The request has another number of Topic Filters than this has codes';
    walk.fault(start, end, message, rule5, isSuback ? 'MQTT311-3.8.4-5' : undefined);
  }
}

function describeMissing(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const { absentBytes, missingBefore, end } = packet;
  const of = absentBytes > 0 ? `${absentBytes} bytes of this packet` : `${missingBefore} bytes before this packet`;
  sink.addDiagnostic(fields.incomplete, source, end, end, {
    severity: 'warning',
    group: 'Reassemble',
    message: `${of} are not in the capture`,
    rule: undefined,
  });
}

function since(packet: MqttPacket, seconds: number, nanoseconds: number): TimeValue {
  const { frame } = packet;
  let s = frame.seconds - seconds;
  let n = frame.nanoseconds - nanoseconds;
  // Both with the sign of the whole.
  if (s > 0 && n < 0) {
    s--;
    n += 1_000_000_000;
  } else if (s < 0 && n > 0) {
    s++;
    n -= 1_000_000_000;
  }
  return new TimeValue(s, n);
}
