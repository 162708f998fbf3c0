/** SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK, field by field. [MQTT 5.0 §3.8–3.11] */
import { isReasonCodeOf } from '../../protocol/reason-codes.ts';
import { isTopicFilter, parseSharedFilter } from '../../protocol/topics.ts';
import { decodeText } from '../format-text.ts';
import { hex } from './describe-connect.ts';
import { describeProperties, emptyTopic } from './describe-properties.ts';
import { fields } from './fields.ts';
import type { PacketWalk } from './packet-walk.ts';
import { qosNames, retainHandlingNames } from './value-names.ts';

/** Of a request, or of its answer. */
function describeIdentifier(walk: PacketWalk, rule5: string, rule311: string): boolean {
  const identifier = walk.number(fields.packetIdentifier, 2);
  if (identifier < 0) return false;
  if (walk.checks && identifier === 0) walk.fault(walk.at - 2, walk.at, 'Packet Identifier is 0', rule5, rule311);
  return true;
}

/** Where a list ends because its packet was not captured whole, more of it would follow. */
function checkEnd(walk: PacketWalk): void {
  if (walk.packet.absentBytes > 0) walk.isCut = true;
}

export function describeSubscribe(walk: PacketWalk): void {
  if (!describeIdentifier(walk, 'MQTT-2.2.1-3', 'MQTT311-2.3.1-1')) return;
  if (walk.version === 5 && describeProperties(walk, fields.properties, 'SUBSCRIBE') === undefined) return;
  const first = walk.at;
  while (walk.at < walk.end) {
    const start = walk.at;
    if (!describeFilter(walk)) return;
    if (!walk.has(1)) return;
    if (walk.version === 5) describeOptions(walk, start + 2);
    else describeRequestedQos(walk);
  }
  checkEnd(walk);
  if (walk.checks && walk.at === first && walk.packet.absentBytes === 0) {
    walk.fault(first, first, 'SUBSCRIBE without a Topic Filter', 'MQTT-3.8.3-2', 'MQTT311-3.8.3-3');
  }
}

function describeFilter(walk: PacketWalk): boolean {
  const length = walk.number(fields.topicLength, 2);
  if (length < 0) return false;
  const { sink, source, at } = walk;
  if (length === 0) {
    sink.addDiagnostic(fields.illegalTopicLength, source, at, at, emptyTopic);
    if (walk.checks) walk.fault(at - 2, at, 'Topic Filter is empty', 'MQTT-4.7.3-1', 'MQTT311-4.7.3-1');
    return true;
  }
  if (!walk.text(fields.topic, length)) return false;
  if (walk.checks) checkFilter(walk, at, walk.at);
  return true;
}

function checkFilter(walk: PacketWalk, start: number, end: number): void {
  const filter = decodeText(walk.bytes.subarray(start, end));
  if (parseSharedFilter(filter) === 'invalid' && walk.version === 5) {
    walk.fault(start, end, 'This is no Shared Subscription: $share/{ShareName}/{filter}', 'MQTT-4.8.2-2');
  } else if (!filter.includes('\0') && !isTopicFilter(filter)) {
    walk.fault(start, end, 'A wildcard stands where none may be', 'MQTT-4.7.1-2', 'MQTT311-4.7.1-3');
  }
}

function describeRequestedQos(walk: PacketWalk): void {
  const qos = walk.number(fields.requestedQos, 1);
  if (!walk.checks || qos <= 2) return;
  if ((qos & 3) === 3 || walk.packet.version !== 3) {
    const message = qos === 3 ? 'QoS 3 is requested' : `Reserved bits are set: ${hex(qos)}`;
    walk.fault(walk.at - 1, walk.at, message, undefined, 'MQTT311-3.8.3-4');
  }
}

function describeOptions(walk: PacketWalk, filterStart: number): void {
  const { sink, source, bytes, at } = walk;
  const end = at + 1;
  const options = bytes[at]!;
  const retainHandling = (options >> 4) & 3;
  const qos = options & 3;
  sink.enter(fields.subscriptionOptions, source, at, end, options);
  if (sink.wantsText) {
    let text = `Subscription Options: ${hex(options)}, Retain Handling: ${retainHandlingNames[retainHandling]}`;
    if ((options & 0x08) !== 0) text += ', Retain As Published';
    if ((options & 0x04) !== 0) text += ', No Local';
    sink.setText(`${text}, QoS: ${qosNames[qos]}`);
  }
  sink.add(fields.subscriptionReserved, source, at, end, options >> 6);
  if (walk.checks && options >> 6 !== 0) walk.fault(at, end, 'Reserved bits are set', 'MQTT-3.8.3-5');
  sink.add(fields.retainHandling, source, at, end, retainHandling);
  if (walk.checks && retainHandling === 3) walk.fault(at, end, 'Retain Handling 3');
  sink.add(fields.retainAsPublished, source, at, end, (options & 0x08) !== 0);
  sink.add(fields.noLocal, source, at, end, (options & 0x04) !== 0);
  if (walk.checks && (options & 0x04) !== 0 && decodeText(bytes.subarray(filterStart, at)).startsWith('$share/')) {
    walk.fault(at, end, 'No Local with a Shared Subscription', 'MQTT-3.8.3-4');
  }
  sink.add(fields.subscriptionQos, source, at, end, qos);
  if (walk.checks && qos === 3) walk.fault(at, end, 'QoS 3 is requested');
  sink.leave();
  walk.at = end;
}

export function describeSuback(walk: PacketWalk): void {
  if (!describeIdentifier(walk, 'MQTT-2.2.1-6', 'MQTT311-2.3.1-7')) return;
  if (walk.version === 5 && describeProperties(walk, fields.properties, 'SUBACK') === undefined) return;
  const isOld = walk.version === 3 || walk.version === 4;
  const first = walk.at;
  while (walk.at < walk.end) {
    const code = walk.number(isOld ? fields.grantedQos : fields.subackReasonCode, 1);
    if (!walk.checks) continue;
    const isAllowed = walk.version === 5 ? isReasonCodeOf('SUBACK', code) : code <= 2 || code === 0x80;
    if (isAllowed) continue;
    walk.fault(walk.at - 1, walk.at, `SUBACK cannot have the code ${hex(code)}`, 'MQTT-3.9.3-2', 'MQTT311-3.9.3-2');
  }
  checkEnd(walk);
  if (walk.checks && walk.at === first && walk.packet.absentBytes === 0) {
    walk.fault(first, first, 'SUBACK without a code', 'MQTT-3.8.4-6', 'MQTT311-3.8.4-5');
  }
}

export function describeUnsubscribe(walk: PacketWalk): void {
  if (!describeIdentifier(walk, 'MQTT-2.2.1-3', 'MQTT311-2.3.1-1')) return;
  if (walk.version === 5 && describeProperties(walk, fields.properties, 'UNSUBSCRIBE') === undefined) return;
  const first = walk.at;
  while (walk.at < walk.end) if (!describeFilter(walk)) return;
  checkEnd(walk);
  if (walk.checks && walk.at === first && walk.packet.absentBytes === 0) {
    walk.fault(first, first, 'UNSUBSCRIBE without a Topic Filter', 'MQTT-3.10.3-2', 'MQTT311-3.10.3-2');
  }
}

export function describeUnsuback(walk: PacketWalk): void {
  if (!describeIdentifier(walk, 'MQTT-2.2.1-6', 'MQTT311-2.3.1-7')) return;
  if (walk.version !== 5) return;
  if (describeProperties(walk, fields.properties, 'UNSUBACK') === undefined) return;
  const first = walk.at;
  while (walk.at < walk.end) {
    const code = walk.number(fields.unsubackReasonCode, 1);
    if (walk.checks && !isReasonCodeOf('UNSUBACK', code)) {
      walk.fault(walk.at - 1, walk.at, `UNSUBACK cannot have the Reason Code ${hex(code)}`, 'MQTT-3.11.3-2');
    }
  }
  checkEnd(walk);
  if (walk.checks && walk.at === first && walk.packet.absentBytes === 0) {
    walk.fault(first, first, 'UNSUBACK without a Reason Code');
  }
}
