/** CONNECT and CONNACK, field by field. [MQTT 5.0 §3.1, §3.2] */
import { isReasonCodeOf } from '../../protocol/reason-codes.ts';
import { decodeText } from '../format-text.ts';
import { describeProperties, emptyTopic } from './describe-properties.ts';
import { fields } from './fields.ts';
import { packetMarks } from './packet-marks.ts';
import type { PacketWalk } from './packet-walk.ts';
import { qosNames } from './value-names.ts';

const userNameFlag = 0x80;
const passwordFlag = 0x40;
const willRetainFlag = 0x20;
const willFlag = 0x04;

export function describeConnect(walk: PacketWalk): void {
  const nameLength = walk.number(fields.protocolNameLength, 2);
  if (nameLength < 0) return;
  const nameStart = walk.at;
  if (!walk.text(fields.protocolName, nameLength)) return;
  const level = walk.number(fields.protocolLevel, 1);
  if (level < 0) return;
  if (walk.checks) checkProtocol(walk, nameStart, level);
  if (!walk.has(1)) return;
  const flags = walk.bytes[walk.at]!;
  describeConnectFlags(walk, flags);
  if (walk.number(fields.keepAlive, 2) < 0) return;
  const isNew = walk.packet.version === 5;
  if (isNew && describeProperties(walk, fields.properties, 'CONNECT') === undefined) return;
  const identifierLength = walk.number(fields.clientIdentifierLength, 2);
  if (identifierLength < 0 || !walk.text(fields.clientIdentifier, identifierLength)) return;
  if (walk.checks) checkClientIdentifier(walk, identifierLength, flags);
  if ((flags & willFlag) !== 0 && !describeWill(walk, isNew)) return;
  // Wireshark takes no offence at an announced user name or password that is not there.
  if ((flags & (userNameFlag | passwordFlag)) !== 0 && isMissing(walk)) return;
  if ((flags & userNameFlag) !== 0) {
    const length = walk.number(fields.userNameLength, 2);
    if (length < 0 || !walk.text(fields.userName, length)) return;
  }
  if ((flags & passwordFlag) !== 0) {
    if (isMissing(walk)) return;
    const length = walk.number(fields.passwordLength, 2);
    if (length < 0 || !walk.has(length)) return;
    const start = walk.at;
    walk.at = start + length;
    // Bytes of any kind are allowed here.
    walk.sink.addString(fields.password, walk.source, start, walk.at);
  }
}

function isMissing(walk: PacketWalk): boolean {
  if (walk.at < walk.end || walk.packet.absentBytes > 0) return false;
  // 3.1 says that they may be.
  if (walk.checks && walk.packet.version !== 3) {
    walk.fault(walk.at, walk.at, 'User Name or Password is announced by its flag and not there');
  }
  return true;
}

function checkProtocol(walk: PacketWalk, nameStart: number, level: number): void {
  const end = walk.at - 1;
  const name = decodeText(walk.bytes.subarray(nameStart, end));
  const plain = level & 0x7f;
  if (name === 'MQIsdp') {
    if (plain !== 3) walk.fault(end, end + 1, `MQIsdp of level ${level}; it has only level 3`, undefined, undefined);
  } else if (name !== 'MQTT') {
    walk.fault(
      nameStart,
      end,
      `Protocol Name is ${JSON.stringify(name)}, not "MQTT"`,
      'MQTT-3.1.2-1',
      'MQTT311-3.1.2-1',
    );
  }
  const isKnown = name === 'MQIsdp' ? plain === 3 : level === 4 || level === 5 || level === 0x84;
  if (isKnown || (name !== 'MQTT' && name !== 'MQIsdp')) return;
  // The version that the packet claims decides nothing here: it is what is wrong.
  walk.sink.addDiagnostic(fields.violation, walk.source, end, end + 1, {
    severity: 'error',
    group: 'Protocol',
    message: `There is no version of ${name} with level ${level}`,
    rule: 'MQTT-3.1.2-2',
  });
}

function describeConnectFlags(walk: PacketWalk, flags: number): void {
  const { sink, source, at } = walk;
  const end = at + 1;
  sink.enter(fields.connectFlags, source, at, end, flags);
  if (sink.wantsText) {
    let text = `Connect Flags: 0x${flags.toString(16).padStart(2, '0')}`;
    if ((flags & userNameFlag) !== 0) text += ', User Name Flag';
    if ((flags & passwordFlag) !== 0) text += ', Password Flag';
    if ((flags & willRetainFlag) !== 0) text += ', Will Retain';
    text += `, QoS Level: ${qosNames[(flags >> 3) & 3]}`;
    if ((flags & willFlag) !== 0) text += ', Will Flag';
    if ((flags & 0x02) !== 0) text += ', Clean Session Flag';
    if ((flags & 0x01) !== 0) text += ', (Reserved)';
    sink.setText(text);
  }
  sink.add(fields.userNameFlag, source, at, end, (flags & userNameFlag) !== 0);
  sink.add(fields.passwordFlag, source, at, end, (flags & passwordFlag) !== 0);
  if (walk.checks && (flags & passwordFlag) !== 0 && (flags & userNameFlag) === 0 && walk.packet.version !== 5) {
    walk.fault(at, end, 'Password without User Name', undefined, 'MQTT311-3.1.2-22');
  }
  sink.add(fields.willRetain, source, at, end, (flags & willRetainFlag) !== 0);
  const hasWill = (flags & willFlag) !== 0;
  if (walk.checks && !hasWill && (flags & willRetainFlag) !== 0 && walk.packet.version !== 3) {
    walk.fault(at, end, 'Will Retain without a will', 'MQTT-3.1.2-13', 'MQTT311-3.1.2-15');
  }
  const qos = (flags >> 3) & 3;
  sink.add(fields.willQos, source, at, end, qos);
  if (walk.checks && qos === 3) walk.fault(at, end, 'Will QoS 3', 'MQTT-3.1.2-12', 'MQTT311-3.1.2-14');
  else if (walk.checks && !hasWill && qos !== 0 && walk.packet.version !== 3) {
    walk.fault(at, end, `Will QoS ${qos} without a will`, 'MQTT-3.1.2-11', 'MQTT311-3.1.2-13');
  }
  sink.add(fields.willFlag, source, at, end, hasWill);
  sink.add(fields.cleanSession, source, at, end, (flags & 0x02) !== 0);
  sink.add(fields.connectReserved, source, at, end, (flags & 0x01) !== 0);
  if (walk.checks && (flags & 0x01) !== 0 && walk.packet.version !== 3) {
    walk.fault(at, end, 'The reserved flag is set', 'MQTT-3.1.2-3', 'MQTT311-3.1.2-3');
  }
  sink.leave();
  walk.at = end;
}

function checkClientIdentifier(walk: PacketWalk, length: number, flags: number): void {
  if (length > 0 || (flags & 0x02) !== 0 || walk.packet.version === 5) return;
  if (walk.packet.version === 4) {
    walk.fault(walk.at, walk.at, 'No Client Identifier, and no Clean Session', undefined, 'MQTT311-3.1.3-7');
  }
}

/** Will Properties, Will Topic and Will Message; false if they do not fit. */
function describeWill(walk: PacketWalk, isNew: boolean): boolean {
  if (isNew && describeProperties(walk, fields.willProperties, 'WILL') === undefined) return false;
  const topicLength = walk.number(fields.willTopicLength, 2);
  if (topicLength < 0) return false;
  if (topicLength === 0) {
    walk.sink.addDiagnostic(fields.illegalTopicLength, walk.source, walk.at, walk.at, emptyTopic);
    if (walk.checks) walk.fault(walk.at - 2, walk.at, 'Will Topic is empty', 'MQTT-4.7.3-1', 'MQTT311-4.7.3-1');
  } else {
    if (!walk.text(fields.willTopic, topicLength)) return false;
    if (walk.checks) checkWillTopic(walk, walk.at - topicLength);
  }
  const length = walk.number(fields.willMessageLength, 2);
  return length >= 0 && walk.binary(fields.willMessage, length);
}

function checkWillTopic(walk: PacketWalk, start: number): void {
  for (let at = start; at < walk.at; at++) {
    if (walk.bytes[at] !== 0x23 && walk.bytes[at] !== 0x2b) continue;
    walk.fault(start, walk.at, 'Will Topic has a wildcard character', 'MQTT-4.7.0-1', 'MQTT311-4.7.1-1');
    return;
  }
}

export function describeConnack(walk: PacketWalk): void {
  const { sink, source, bytes } = walk;
  if (!walk.has(1)) return;
  const begin = walk.at;
  const flags = bytes[begin]!;
  if (walk.version === 3) {
    // 3.1 has no flags: the byte is not used.
    sink.add(fields.connackReserved, source, begin, begin + 1, flags !== 0);
    if (sink.wantsText) sink.setText(`Reserved: ${flags === 0 ? 'Not set' : 'Set'}`);
    walk.at++;
  } else describeConnackFlags(walk, flags);
  if (walk.version !== 5) {
    // Wireshark's field where nobody knows the version.
    const code = walk.number(walk.packet.version === 0 ? fields.connackReasonCode : fields.returnCode, 1);
    if (!walk.checks || code < 0) return;
    if (code > 5) walk.fault(begin + 1, begin + 2, `There is no Return Code ${code}`);
    if (code !== 0 && (flags & 1) !== 0 && walk.version !== 3) {
      walk.fault(begin, begin + 2, 'Session Present with a refusal', undefined, 'MQTT311-3.2.2-4');
    }
    return;
  }
  const code = walk.number(fields.connackReasonCode, 1);
  if (code < 0) return;
  // A server that does not know 5.0 refuses in the form of 3.1.1, which is shorter.
  const isOldForm = walk.at === walk.end && code >= 1 && code <= 5;
  if (walk.checks && !isOldForm) {
    if (!isReasonCodeOf('CONNACK', code)) {
      walk.fault(begin + 1, begin + 2, `CONNACK cannot have the Reason Code ${hex(code)}`, 'MQTT-3.2.2-8');
    }
    if (code !== 0 && (flags & 1) !== 0) {
      walk.fault(begin, begin + 2, 'Session Present with a refusal', 'MQTT-3.2.2-6');
    }
  }
  // Wireshark takes the old form for a packet that is cut; it is none.
  if (!isOldForm) describeProperties(walk, fields.properties, 'CONNACK');
}

function describeConnackFlags(walk: PacketWalk, flags: number): void {
  const { sink, source, at } = walk;
  sink.enter(fields.connackFlags, source, at, at + 1, flags);
  if (sink.wantsText) {
    const value = `Acknowledge Flags: 0x${flags.toString(16).padStart(2, '0')}`;
    const reserved = (flags & 0xfe) === 0 ? '' : ', Reserved';
    sink.setText(value + reserved + ((flags & 1) === 0 ? '' : ', Session Present'));
  }
  sink.add(fields.connackReserved, source, at, at + 1, (flags & 0xfe) !== 0);
  if (sink.wantsText && (flags & 0xfe) !== 0) sink.setText(`${drawnBits(flags)} = Reserved: Set`);
  if (walk.checks && (flags & 0xfe) !== 0) walk.fault(at, at + 1, 'Reserved flags are set', 'MQTT-3.2.2-1');
  sink.add(fields.sessionPresent, source, at, at + 1, (flags & 1) !== 0);
  sink.leave();
  walk.at = at + 1;
}

/** The seven reserved bits as they are, not as the one boolean that they make together: `1000 000.`. */
function drawnBits(flags: number): string {
  const digits = (flags >> 1).toString(2).padStart(7, '0');
  return `${digits.slice(0, 4)} ${digits.slice(4)}.`;
}

export function hex(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`;
}

/** Whether this packet belongs to a connection whose version nobody knows. */
export function isOfUnknownVersion(walk: PacketWalk): boolean {
  return walk.packet.version === 0 || walk.packet.has(packetMarks.inferredVersion);
}
