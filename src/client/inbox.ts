/**
 * Messages from the server: Topic Aliases, exactly-once at QoS 2, whom they are for, and their acknowledgements in the order in which
 * they came. [MQTT-4.6.0-2] [MQTT-4.6.0-3]
 *
 *     PUBLISH ─▶ alias ─▶ QoS 2 seen before? ──no──▶ route ─▶ consumers ──all done──▶ acknowledge
 *                               │ yes: nothing but PUBREC once the first is done          ▲
 *                               └───────────────────────▶ unacknowledged (in order) ──────┘
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { AcknowledgePacket, PublishPacket } from '../codec/packets.ts';
import { InboundExchange } from '../exchange/inbound-exchange.ts';
import { InboundTopicAliases } from '../exchange/topic-aliases.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { IncomingMessage } from './incoming.ts';
import type { Link } from './link.ts';

export class Inbox {
  readonly #receiveMaximum: number;
  readonly #topicAliasMaximum: number;
  readonly #deliver: (message: IncomingMessage) => void;
  #exchange: InboundExchange<IncomingMessage>;
  #topicAliases = new InboundTopicAliases(0);
  #link: Link | undefined;
  /** QoS 1 and 2 of this connection that were not acknowledged yet, the oldest first. */
  readonly #unacknowledged = new RingQueue<IncomingMessage>();
  #isAcknowledging = false;

  /**
   * @param receiveMaximum what CONNECT told the server
   * @param topicAliasMaximum likewise
   * @param deliver hands the message to its consumers, each of which calls `begin` at once and `done` some time
   */
  constructor(receiveMaximum: number, topicAliasMaximum: number, deliver: (message: IncomingMessage) => void) {
    this.#receiveMaximum = receiveMaximum;
    this.#topicAliasMaximum = topicAliasMaximum;
    this.#deliver = deliver;
    this.#exchange = new InboundExchange(receiveMaximum);
  }

  connected(link: Link, sessionPresent: boolean): void {
    this.#link = link;
    this.#topicAliases = new InboundTopicAliases(this.#topicAliasMaximum);
    if (!sessionPresent) this.#exchange = new InboundExchange(this.#receiveMaximum);
  }

  /** What is not acknowledged the server sends again; what is being worked on may come to its end without an answer. */
  connectionLost(): void {
    this.#link = undefined;
    for (const message of this.#unacknowledged) message.onDone = undefined;
    this.#unacknowledged.clear();
    this.#exchange.connectionLost();
  }

  /** @throws {ProtocolError} Topic Alias or Receive Maximum not kept to */
  receive(packet: PublishPacket): void {
    const alias = packet.properties?.topicAlias;
    const topicName = alias === undefined ? packet.topicName : this.#topicAliases.resolve(packet.topicName, alias);
    if (packet.qos === 0) {
      this.#deliver(new IncomingMessage(packet, topicName));
      return;
    }
    const { packetIdentifier } = packet;
    if (this.#exchange.isFull && !this.#exchange.has(packetIdentifier)) {
      // [MQTT-3.3.4-7]
      throw new ProtocolError(
        `more than ${this.#receiveMaximum} messages without acknowledgement`,
        ReasonCode.receiveMaximumExceeded,
        'MQTT-3.3.4-7',
      );
    }
    let message = new IncomingMessage(packet, topicName);
    let isNew = true;
    if (packet.qos === 1) {
      this.#exchange.beginQos1();
    } else if (this.#exchange.begin(packetIdentifier, message) === 'duplicate') {
      // [MQTT-4.3.3-10]
      message = this.#exchange.get(packetIdentifier) ?? message;
      isNew = false;
    }
    message.onDone = this.#acknowledge;
    this.#unacknowledged.push(message);
    if (isNew) this.#deliver(message);
    this.#acknowledge();
  }

  /** Acknowledges from the oldest on, as far as they are done. */
  readonly #acknowledge = (): void => {
    if (this.#isAcknowledging) return;
    this.#isAcknowledging = true;
    try {
      for (;;) {
        const message = this.#unacknowledged.peek();
        if (message === undefined || !message.isDone) break;
        this.#unacknowledged.shift();
        message.onDone = undefined;
        this.#answer(message);
      }
    } finally {
      this.#isAcknowledging = false;
    }
  };

  #answer(message: IncomingMessage): void {
    const { packetIdentifier, hasFailed } = message;
    const reasonCode = hasFailed ? ReasonCode.unspecifiedError : ReasonCode.success;
    if (message.qos === 1) {
      this.#exchange.endQos1();
      this.#link?.send({ type: PacketType.PUBACK, packetIdentifier, reasonCode, properties: undefined });
      return;
    }
    // A PUBREC that refuses ends the exchange: there will be no PUBREL. In 3.1 and 3.1.1 it cannot refuse.
    if (hasFailed && this.#link?.version === 5) this.#exchange.release(packetIdentifier);
    this.#link?.send({ type: PacketType.PUBREC, packetIdentifier, reasonCode, properties: undefined });
  }

  /** A PUBREL came. [MQTT-4.3.3-11] */
  released(packet: AcknowledgePacket<typeof PacketType.PUBREL>): void {
    const { packetIdentifier } = packet;
    const wasKnown = this.#exchange.release(packetIdentifier) !== undefined;
    const reasonCode = wasKnown ? ReasonCode.success : ReasonCode.packetIdentifierNotFound;
    this.#link?.send({ type: PacketType.PUBCOMP, packetIdentifier, reasonCode, properties: undefined });
  }
}
