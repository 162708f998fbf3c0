/** The fixed header: type, flags and Remaining Length. [MQTT 5.0 §2.1] */
import { PacketType } from '../../protocol/packet-types.ts';
import { hex } from './describe-connect.ts';
import { fields } from './fields.ts';
import { packetSizeOf } from './packet-size.ts';
import type { PacketWalk } from './packet-walk.ts';
import { packetTypeNames, qosNames } from './value-names.ts';

export function describeHeader(walk: PacketWalk): void {
  const { sink, source, packet } = walk;
  const { header, start, bodyStart, packetType } = packet;
  const hasFlags = packetType === PacketType.PUBLISH || hasOldFlags(walk);
  sink.enter(fields.headerFlags, source, start, start + 1, header);
  if (sink.wantsText) sink.setText(headerText(walk, hasFlags));
  sink.add(fields.packetType, source, start, start + 1, packetType);
  if (walk.checks) checkType(walk);
  if (hasFlags) describeFlags(walk);
  else {
    sink.add(fields.headerReserved, source, start, start + 1, header & 0x0f);
    if (walk.checks) checkReserved(walk);
  }
  sink.leave();
  const size = packetSizeOf(walk.bytes, start, packet.end);
  if (size <= 0) return;
  sink.add(fields.length, source, start + 1, bodyStart, start + size - bodyStart);
  if (!walk.checks) return;
  const lengthSize = bodyStart - start - 1;
  if (lengthSize > 1 && walk.bytes[bodyStart - 1] === 0) {
    walk.fault(start + 1, bodyStart, `Remaining Length takes ${lengthSize} bytes and could take fewer`, 'MQTT-1.5.5-1');
  }
}

/** In 3.1 DUP and QoS have a meaning in these, too. */
function hasOldFlags(walk: PacketWalk): boolean {
  const type = walk.packet.packetType;
  if (walk.version !== 3) return false;
  return type === PacketType.PUBREL || type === PacketType.SUBSCRIBE || type === PacketType.UNSUBSCRIBE;
}

function headerText(walk: PacketWalk, hasFlags: boolean): string {
  const { header, packetType } = walk.packet;
  let text = `Header Flags: ${hex(header)}, Message Type: ${packetTypeNames[packetType]}`;
  if (!hasFlags) return text;
  if ((header & 0x08) !== 0) text += ', DUP Flag';
  text += `, QoS Level: ${qosNames[(header >> 1) & 3]}`;
  if (packetType === PacketType.PUBLISH && (header & 0x01) !== 0) text += ', Retain';
  return text;
}

function describeFlags(walk: PacketWalk): void {
  const { sink, source, packet, checks } = walk;
  const { header, start, packetType } = packet;
  const end = start + 1;
  const qos = (header >> 1) & 3;
  const isPublish = packetType === PacketType.PUBLISH;
  sink.add(fields.dup, source, start, end, (header & 0x08) !== 0);
  if (checks && isPublish && qos === 0 && (header & 0x08) !== 0) {
    walk.fault(start, end, 'DUP at QoS 0', 'MQTT-3.3.1-2', 'MQTT311-3.3.1-2');
  }
  sink.add(fields.qos, source, start, end, qos);
  if (checks && qos === 3) walk.fault(start, end, 'QoS 3', 'MQTT-3.3.1-4', 'MQTT311-3.3.1-4');
  else if (checks && !isPublish && qos !== 1) walk.remark(start, end, `QoS ${qos}, where 3.1 has QoS 1`);
  if (isPublish) sink.add(fields.retain, source, start, end, (header & 0x01) !== 0);
  else sink.add(fields.retainReserved, source, start, end, header & 0x01);
}

function checkType(walk: PacketWalk): void {
  const { packetType, start } = walk.packet;
  if (packetType === 0) walk.fault(start, start + 1, 'Packet type 0 is reserved');
  else if (packetType === PacketType.AUTH && walk.version !== 5) {
    walk.fault(start, start + 1, 'Packet type 15 is reserved before MQTT 5.0');
  }
}

function checkReserved(walk: PacketWalk): void {
  const { header, start, packetType, version } = walk.packet;
  const flags = header & 0x0f;
  // 3.1 leaves them to the receiver, but for CONNECT, which tells the version only later.
  if (version === 3 && packetType !== PacketType.CONNECT) return;
  let wanted = 0;
  let rule5 = 'MQTT-2.1.3-1';
  let rule311 = 'MQTT311-2.2.2-2';
  switch (packetType) {
    case PacketType.PUBREL:
      wanted = 2;
      rule5 = 'MQTT-3.6.1-1';
      rule311 = 'MQTT311-3.6.1-1';
      break;
    case PacketType.SUBSCRIBE:
      wanted = 2;
      rule5 = 'MQTT-3.8.1-1';
      rule311 = 'MQTT311-3.8.1-1';
      break;
    case PacketType.UNSUBSCRIBE:
      wanted = 2;
      rule5 = 'MQTT-3.10.1-1';
      rule311 = 'MQTT311-3.10.1-1';
      break;
    case PacketType.DISCONNECT:
      rule5 = 'MQTT-3.14.1-1';
      rule311 = 'MQTT311-3.14.1-1';
      break;
    case PacketType.AUTH:
      rule5 = 'MQTT-3.15.1-1';
      break;
    case 0:
      return;
    default:
  }
  if (flags !== wanted)
    walk.fault(start, start + 1, `Flags are ${hex(flags)}, and must be ${hex(wanted)}`, rule5, rule311);
}
