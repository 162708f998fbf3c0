/**
 * A Client for simulations, with QoS logic of its own: it shares the codec with the broker but none of the exchanges, so that it does not
 * share their mistakes. It reconnects after a cut, resumes its Session, repeats what was not acknowledged and answers after a while.
 */
import type { Clock } from '../../src/base/clock.ts';
import { decodePacket, encodedBytes, PacketFramer } from '../../src/codec/index.ts';
import type { Packet, PublishPacket } from '../../src/codec/packets.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import type { ProtocolVersion, QoS } from '../../src/protocol/version.ts';
import type { Transport } from '../../src/transport/transport.ts';
import type { Random } from './random.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

interface Unacknowledged {
  packet: PublishPacket;
  isReleased: boolean;
}

export interface SimulatedClientOptions {
  readonly name: string;
  readonly version: ProtocolVersion;
  /** Receive Maximum that it announces (5.0). */
  readonly receiveMaximum: number;
  readonly subscriptions: readonly { readonly topicFilter: string; readonly qos: QoS }[];
  /** Milliseconds at most until it answers a packet. */
  readonly answerDelayMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes a connection to the broker. */
  readonly dial: () => Transport;
}

export class SimulatedClient {
  /** Payloads received, by topic, in the order in which the application would see them. */
  readonly received = new Map<string, string[]>();
  /** Every rule that the broker broke towards this client. */
  readonly complaints: string[] = [];
  isConnected = false;
  connections = 0;
  readonly #options: SimulatedClientOptions;
  #transport: Transport | undefined;
  #generation = 0;
  #nextIdentifier = 1;
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  readonly #waiting: { topicName: string; payload: string; qos: QoS }[] = [];
  /** QoS 2 identifiers that were delivered and not released yet. */
  readonly #open = new Set<number>();
  /** QoS 1 and 2 PUBLISH packets of this connection that were not answered (fully) yet. */
  readonly #inflight = new Set<number>();
  #isSubscribed = false;
  #quota = 65_535;

  constructor(options: SimulatedClientOptions) {
    this.#options = options;
  }

  /** Messages not yet acknowledged to the end. */
  get unfinished(): number {
    return this.#unacknowledged.size + this.#waiting.length;
  }

  connect(): void {
    const { version, name, receiveMaximum } = this.#options;
    const generation = ++this.#generation;
    this.connections++;
    this.#inflight.clear();
    const transport = this.#options.dial();
    this.#transport = transport;
    const framer = new PacketFramer();
    transport.start({
      data: (chunk) => {
        framer.push(chunk);
        while (framer.next() && generation === this.#generation) {
          this.#handle(decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version));
        }
      },
      drain: () => {},
      close: () => {
        if (generation !== this.#generation) return;
        this.isConnected = false;
        this.#options.clock.setTimer(this.#options.random.below(200), () => {
          if (generation === this.#generation) this.connect();
        });
      },
    });
    this.#send({
      type: PacketType.CONNECT,
      protocolVersion: version,
      isBridge: false,
      cleanStart: false,
      keepAlive: 0,
      clientIdentifier: name,
      willMessage: undefined,
      username: undefined,
      password: undefined,
      properties: version === 5 ? { sessionExpiryInterval: 3600, receiveMaximum } : undefined,
    });
  }

  /** Loses the connection without a word. */
  cut(): void {
    this.#transport?.destroy();
  }

  publish(topicName: string, payload: string, qos: QoS): void {
    this.#waiting.push({ topicName, payload, qos });
    this.#publishWaiting();
  }

  #publishWaiting(): void {
    while (this.isConnected && this.#waiting.length > 0 && this.#unacknowledged.size < this.#quota) {
      const { topicName, payload, qos } = this.#waiting.shift()!;
      const packet: PublishPacket = {
        type: PacketType.PUBLISH,
        topicName,
        payload: encoder.encode(payload),
        qos,
        retain: false,
        dup: false,
        packetIdentifier: qos === 0 ? 0 : this.#identifier(),
        properties: undefined,
      };
      if (qos !== 0) this.#unacknowledged.set(packet.packetIdentifier, { packet, isReleased: false });
      this.#send(packet);
    }
  }

  #identifier(): number {
    do this.#nextIdentifier = (this.#nextIdentifier % 65_535) + 1;
    while (this.#unacknowledged.has(this.#nextIdentifier));
    return this.#nextIdentifier;
  }

  #send(packet: Packet): void {
    this.#transport?.write(encodedBytes(packet, this.#options.version));
  }

  /** Sends an answer after a while, in order, if the connection is still the same. */
  #answer(packet: Packet, then?: () => void): void {
    const generation = this.#generation;
    this.#options.clock.setTimer(this.#options.answerDelayMs, () => {
      if (generation !== this.#generation || this.#transport === undefined) return;
      then?.();
      this.#send(packet);
    });
  }

  #handle(packet: Packet): void {
    switch (packet.type) {
      case PacketType.CONNACK:
        this.#connected(packet.sessionPresent, packet.properties?.receiveMaximum ?? 65_535);
        return;
      case PacketType.PUBLISH:
        this.#deliver(packet);
        return;
      case PacketType.PUBREL:
        this.#open.delete(packet.packetIdentifier);
        this.#answer(acknowledgement(PacketType.PUBCOMP, packet.packetIdentifier), () =>
          this.#inflight.delete(packet.packetIdentifier),
        );
        return;
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        if (!this.#unacknowledged.delete(packet.packetIdentifier) && packet.reasonCode === 0) {
          this.complaints.push(`acknowledgement ${packet.type} of unknown ${packet.packetIdentifier}`);
        }
        this.#publishWaiting();
        return;
      case PacketType.PUBREC: {
        const open = this.#unacknowledged.get(packet.packetIdentifier);
        if (open !== undefined) open.isReleased = true;
        this.#send(acknowledgement(PacketType.PUBREL, packet.packetIdentifier));
        return;
      }
      case PacketType.DISCONNECT:
        this.complaints.push(`DISCONNECT with 0x${packet.reasonCode.toString(16)}`);
        return;
    }
  }

  #connected(sessionPresent: boolean, receiveMaximum: number): void {
    this.isConnected = true;
    this.#quota = receiveMaximum;
    if (!this.#isSubscribed) {
      if (this.#options.subscriptions.length > 0) {
        this.#send({
          type: PacketType.SUBSCRIBE,
          packetIdentifier: this.#identifier(),
          subscriptions: this.#options.subscriptions.map((one) => ({
            ...one,
            noLocal: false,
            retainAsPublished: false,
            retainHandling: 0,
          })),
          properties: undefined,
        });
      }
      this.#isSubscribed = true;
    } else if (!sessionPresent) {
      this.complaints.push('the Session was lost');
    }
    for (const { packet, isReleased } of this.#unacknowledged.values()) {
      if (isReleased) this.#send(acknowledgement(PacketType.PUBREL, packet.packetIdentifier));
      else this.#send({ ...packet, dup: true });
    }
    this.#publishWaiting();
  }

  #deliver(packet: PublishPacket): void {
    const { packetIdentifier, qos } = packet;
    if (qos !== 0) {
      if (this.#inflight.has(packetIdentifier)) {
        this.complaints.push(`[MQTT-2.2.1-4] identifier ${packetIdentifier} sent again on one connection`);
      }
      this.#inflight.add(packetIdentifier);
      if (this.#options.version === 5 && this.#inflight.size > this.#options.receiveMaximum) {
        this.complaints.push(`[MQTT-3.3.4-9] ${this.#inflight.size} messages in flight`);
      }
    }
    if (qos === 2 && this.#open.has(packetIdentifier)) {
      this.#answer(acknowledgement(PacketType.PUBREC, packetIdentifier));
      return;
    }
    const payloads = this.received.get(packet.topicName) ?? [];
    payloads.push(decoder.decode(packet.payload));
    this.received.set(packet.topicName, payloads);
    if (qos === 1) {
      this.#answer(acknowledgement(PacketType.PUBACK, packetIdentifier), () => this.#inflight.delete(packetIdentifier));
    } else if (qos === 2) {
      this.#open.add(packetIdentifier);
      this.#answer(acknowledgement(PacketType.PUBREC, packetIdentifier));
    }
  }
}

function acknowledgement(type: 4 | 5 | 6 | 7, packetIdentifier: number): Packet {
  return { type, packetIdentifier, reasonCode: 0, properties: undefined } as Packet;
}
