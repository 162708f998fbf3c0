/** A packet in few words: what a ladder or a followed conversation says of it. */
import { PacketType, packetTypeName } from '../../protocol/packet-types.ts';
import { reasonCodeName } from '../../protocol/reason-codes.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { connackReason, versionText } from './connections-table.ts';
import {
  isDuplicate,
  isRetained,
  neverExpires,
  type PublishContent,
  qosOf,
  readAcknowledgementCode,
  readCodes,
  readConnack,
  readConnect,
  readDisconnectCode,
  readPublish,
  readSubscribe,
  readUnsubscribe,
} from './packet-contents.ts';

export interface PacketSummary {
  /** `PUBLISH`. */
  readonly type: string;
  /** Packet Identifier; 0 if it has none. */
  readonly identifier: number;
  /** Of a PUBLISH; undefined for others. */
  readonly qos: number | undefined;
  readonly dup: boolean;
  readonly retain: boolean;
  /** Of a PUBLISH; empty for others. */
  readonly topic: string;
  /** What else there is to say: `MQTT 3.1.1, keep alive 60`, `accepted`, `a/b (QoS 1)`. Empty if nothing is. */
  readonly details: string;
  /** Of a PUBLISH. */
  readonly publish: PublishContent | undefined;
}

export function summarizePacket(packet: MqttPacket): PacketSummary {
  const isPublish = packet.packetType === PacketType.PUBLISH;
  const publish = isPublish ? readPublish(packet) : undefined;
  return {
    type: packetTypeName(packet.packetType),
    identifier: packet.packetIdentifier,
    qos: isPublish ? qosOf(packet) : undefined,
    dup: isPublish && isDuplicate(packet),
    retain: isPublish && isRetained(packet),
    topic: publish?.topic ?? '',
    details: detailsOf(packet),
    publish,
  };
}

function detailsOf(packet: MqttPacket): string {
  switch (packet.packetType) {
    case PacketType.CONNECT:
      return connectDetails(packet);
    case PacketType.CONNACK: {
      const { code, sessionPresent } = readConnack(packet);
      if (code !== 0) return `refused: ${connackReason(code, packet.version)}`;
      return sessionPresent ? 'accepted, session present' : 'accepted';
    }
    case PacketType.SUBSCRIBE:
      return readSubscribe(packet)
        .subscriptions.map(({ filter, qos }) => `${filter} (QoS ${qos})`)
        .join(', ');
    case PacketType.UNSUBSCRIBE:
      return readUnsubscribe(packet).join(', ');
    case PacketType.SUBACK:
      return [...readCodes(packet)]
        .map((code) => (code < 3 ? `QoS ${code}` : refusal(code, packet.version)))
        .join(', ');
    case PacketType.UNSUBACK:
      return [...readCodes(packet)]
        .filter((code) => code !== 0)
        .map(reasonCodeName)
        .join(', ');
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      return reasonText(readAcknowledgementCode(packet));
    case PacketType.DISCONNECT:
      return reasonText(readDisconnectCode(packet));
    default:
      return '';
  }
}

function connectDetails(packet: MqttPacket): string {
  const { cleanStart, keepAlive, userName, will, sessionExpirySeconds } = readConnect(packet);
  const isNew = packet.version === 5;
  const parts = [`MQTT ${versionText(packet.version) ?? `level ${packet.version}`}`, `keep alive ${keepAlive}`];
  if (cleanStart) parts.push(isNew ? 'clean start' : 'clean session');
  else if (!isNew) parts.push('kept session');
  if (isNew && sessionExpirySeconds > 0) {
    parts.push(`session expiry ${sessionExpirySeconds === neverExpires ? 'never' : sessionExpirySeconds}`);
  }
  if (userName !== undefined) parts.push(`user ${userName}`);
  if (will !== undefined) parts.push(`will ${will.topic} (QoS ${will.qos}${will.retain ? ', retain' : ''})`);
  return parts.join(', ');
}

function refusal(code: number, version: number): string {
  return version === 5 ? reasonCodeName(code) : code === 0x80 ? 'failure' : `code ${code}`;
}

function reasonText(code: number): string {
  return code === 0 ? '' : reasonCodeName(code);
}
