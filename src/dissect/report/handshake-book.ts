/** Every delivery at QoS 1 and 2, from PUBLISH to the last acknowledgement. */
import { PacketType } from '../../protocol/packet-types.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { packetMarks } from '../mqtt/packet-marks.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { ConnectionListener } from './connection-tracker.ts';
import { HandshakeRecord } from './handshake-record.ts';
import type { Moment } from './moment.ts';
import { qosOf, readAcknowledgementCode, readPublish } from './packet-contents.ts';

/** Handshakes under way, over all connections; more are not followed. */
const openMax = 262_144;

export class HandshakeBook implements ConnectionListener {
  /** Every handshake of which a packet counts, at the first of these. */
  onCounted: ((handshake: HandshakeRecord) => void) | undefined = undefined;
  /** One that has come to its end. */
  onOver: ((handshake: HandshakeRecord) => void) | undefined = undefined;
  /** Those under way. */
  readonly open = new Map<number | string, HandshakeRecord>();
  forgotten = 0;

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const { packetType } = packet;
    if (packetType === PacketType.PUBLISH) {
      if (qosOf(packet) > 0 && packet.packetIdentifier > 0) this.#publish(packet, connection, moment, isCounted);
    } else if (packetType >= PacketType.PUBACK && packetType <= PacketType.PUBCOMP) {
      this.#acknowledge(packet, connection, moment, isCounted);
    }
  }

  #publish(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const key = keyOf(packet, connection, packet.isByClient);
    const known = this.open.get(key);
    if (known !== undefined) {
      this.#step(known, moment, isCounted);
      known.repeats++;
      return;
    }
    const { topic } = readPublish(packet);
    const handshake = this.#begin(key, packet, connection, packet.isByClient, qosOf(packet), topic, moment);
    handshake.state = 'published';
    handshake.publishedAt = moment;
    this.#step(handshake, moment, isCounted);
    // DUP, and what it repeats was not seen.
    if (packet.has(packetMarks.repeated)) handshake.repeats++;
  }

  #begin(
    key: number | string,
    packet: MqttPacket,
    connection: ConnectionRecord,
    isByClient: boolean,
    qos: number,
    topic: string,
    moment: Moment,
  ): HandshakeRecord {
    const handshake = new HandshakeRecord(connection, isByClient, packet.packetIdentifier, qos, topic, moment);
    if (this.open.size < openMax) this.open.set(key, handshake);
    else this.forgotten++;
    return handshake;
  }

  #acknowledge(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const { packetType } = packet;
    // PUBREL comes from who published, the others from the other end.
    const isByClient = (packetType === PacketType.PUBREL) === packet.isByClient;
    const key = keyOf(packet, connection, isByClient);
    const handshake = this.open.get(key) ?? this.#begin(key, packet, connection, isByClient, 0, '', moment);
    this.#step(handshake, moment, isCounted);
    if (packet.has(packetMarks.repeated)) handshake.repeats++;
    const code = readAcknowledgementCode(packet);
    handshake.code = Math.max(handshake.code, code);
    const isKnown = handshake.publishedAt !== undefined;
    switch (packetType) {
      case PacketType.PUBACK:
        handshake.acknowledgedAt ??= moment;
        break;
      case PacketType.PUBREC:
        handshake.receivedAt ??= moment;
        if (isKnown && handshake.state === 'published') handshake.state = 'received';
        break;
      case PacketType.PUBREL:
        handshake.releasedAt ??= moment;
        if (isKnown) handshake.state = 'released';
        break;
      default:
        handshake.completedAt ??= moment;
    }
    const isLast = packetType === PacketType.PUBACK || packetType === PacketType.PUBCOMP;
    if (!isLast && code < 0x80) return;
    if (isKnown) handshake.state = code >= 0x80 ? 'refused' : 'complete';
    this.open.delete(key);
    this.onOver?.(handshake);
  }

  #step(handshake: HandshakeRecord, moment: Moment, isCounted: boolean): void {
    handshake.last = moment;
    if (!isCounted || handshake.isCounted) return;
    handshake.isCounted = true;
    this.onCounted?.(handshake);
  }
}

/**
 * Handshakes are told apart by the frame of their PUBLISH, their identifier and who publishes; acknowledgements of what was not seen by their
 * connection.
 */
function keyOf(packet: MqttPacket, connection: ConnectionRecord, isByClient: boolean): number | string {
  const side = packet.packetIdentifier * 2 + (isByClient ? 1 : 0);
  if (packet.publishFrame > 0) return packet.publishFrame * 0x20000 + side;
  return `${connection.number} ${side}`;
}
