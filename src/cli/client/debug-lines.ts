/** `-d`: a line for each packet, in the words of the classic clients. */
import type { Packet, PublishPacket } from '../../codec/packets.ts';
import { PacketType, packetTypeName } from '../../protocol/packet-types.ts';
import type { ProtocolVersion } from '../../protocol/version.ts';
import { connackCode } from './exit-status.ts';

export class DebugLines {
  readonly #version: ProtocolVersion;
  /** Empty until it is known. */
  #clientIdentifier = '';
  /** The Packet Identifier used last. Classic clients number QoS 0 messages as well, and show it. */
  #lastIdentifier = 0;

  constructor(version: ProtocolVersion) {
    this.#version = version;
  }

  /** The lines for a packet, each with its end of line. */
  describe(direction: 'sent' | 'received', packet: Packet): string {
    return direction === 'sent' ? this.#sent(packet) : this.#received(packet);
  }

  #line(text: string): string {
    return `Client ${this.#clientIdentifier === '' ? '(null)' : this.#clientIdentifier} ${text}\n`;
  }

  #sent(packet: Packet): string {
    switch (packet.type) {
      case PacketType.CONNECT:
        if (packet.clientIdentifier !== '') this.#clientIdentifier = packet.clientIdentifier;
        return this.#line('sending CONNECT');
      case PacketType.PUBLISH:
        this.#lastIdentifier = packet.qos === 0 ? (this.#lastIdentifier % 65_535) + 1 : packet.packetIdentifier;
        return this.#line(`sending PUBLISH ${publishText(packet, this.#lastIdentifier)}`);
      case PacketType.PUBACK:
        return this.#line(`sending PUBACK (m${packet.packetIdentifier}, rc${packet.reasonCode})`);
      case PacketType.PUBREC:
        return this.#line(`sending PUBREC (m${packet.packetIdentifier}, rc${packet.reasonCode})`);
      case PacketType.PUBREL:
        return this.#line(`sending PUBREL (m${packet.packetIdentifier})`);
      case PacketType.PUBCOMP:
        return this.#line(`sending PUBCOMP (m${packet.packetIdentifier})`);
      case PacketType.SUBSCRIBE:
        this.#lastIdentifier = packet.packetIdentifier;
        return packet.subscriptions
          .map(({ topicFilter, qos, noLocal, retainAsPublished, retainHandling }) => {
            const options = (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | (retainHandling << 4);
            const hex = options.toString(16).padStart(2, '0');
            return this.#line(
              `sending SUBSCRIBE (Mid: ${packet.packetIdentifier}, Topic: ${topicFilter}, QoS: ${qos}, Options: 0x${hex})`,
            );
          })
          .join('');
      case PacketType.UNSUBSCRIBE:
        this.#lastIdentifier = packet.packetIdentifier;
        return packet.topicFilters
          .map((filter) => this.#line(`sending UNSUBSCRIBE (Mid: ${packet.packetIdentifier}, Topic: ${filter})`))
          .join('');
      default:
        return this.#line(`sending ${packetTypeName(packet.type)}`);
    }
  }

  #received(packet: Packet): string {
    switch (packet.type) {
      case PacketType.CONNACK:
        this.#clientIdentifier = packet.properties?.assignedClientIdentifier ?? this.#clientIdentifier;
        return this.#line(`received CONNACK (${connackCode(packet.reasonCode, this.#version)})`);
      case PacketType.PUBLISH:
        return this.#line(`received PUBLISH ${publishText(packet, packet.packetIdentifier)}`);
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        return this.#line(
          `received ${packetTypeName(packet.type)} (Mid: ${packet.packetIdentifier}, RC:${packet.reasonCode})`,
        );
      case PacketType.PUBREC:
      case PacketType.PUBREL:
        return this.#line(`received ${packetTypeName(packet.type)} (Mid: ${packet.packetIdentifier})`);
      case PacketType.DISCONNECT:
        return `Received DISCONNECT (${packet.reasonCode})\n`;
      default:
        return this.#line(`received ${packetTypeName(packet.type)}`);
    }
  }
}

function publishText(packet: PublishPacket, packetIdentifier: number): string {
  const { dup, qos, retain, topicName, payload } = packet;
  const flags = `d${Number(dup)}, q${qos}, r${Number(retain)}, m${packetIdentifier}`;
  // A Topic Alias stands for the topic then.
  return `(${flags}, '${topicName === '' ? '(null)' : topicName}', ... (${payload.length} bytes))`;
}
