/**
 * What the client sends and must be answered: messages and subscription requests, from the call to the acknowledgement, across
 * connections.
 *
 *     publish ─▶ may go now? ──yes──▶ begin, send ─▶ in flight ─PUBACK, PUBCOMP─▶ settled
 *                   │ no                  ▲              │ connection lost
 *                   ▼                     │ pump         ├─ Session kept: resent with DUP, same identifier [MQTT-4.4.0-1]
 *                waiting (bounded) ───────┘              └─ Session gone: waits again, before all others
 *
 * "No": there is no connection, the server's Receive Maximum is used up [MQTT-3.3.4-7], the transport wants to be waited for, or
 * others wait already.
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { AcknowledgePacket, PublishAcknowledgeType, SubackPacket, UnsubackPacket } from '../codec/packets.ts';
import { OutboundExchange } from '../exchange/outbound-exchange.ts';
import { OutboundTopicAliases } from '../exchange/topic-aliases.ts';
import { ConnectionClosedError, MqttError, OptionError, ProtocolError, RefusedError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { isFailure, ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import type { Link } from './link.ts';
import { type Outgoing, OutgoingMessage, type OutgoingRequest } from './outgoing.ts';
import { checkMessage, checkSubscribe, type ServerLimits } from './server-limits.ts';

export class Outbox {
  readonly #waitingMax: number;
  readonly #useTopicAliases: boolean;
  readonly #onRoom: () => void;
  readonly #onChange: () => void;
  #exchange = new OutboundExchange<Outgoing>();
  #link: Link | undefined;
  #limits: ServerLimits | undefined;
  #topicAliases = new OutboundTopicAliases(0);
  /** Topic Aliases that the caller manages, on this connection. */
  #callersAliases = new Map<number, string>();
  /** QoS 1 and 2; QoS 0 apart, so that it does not wait for the quota of others. */
  #waiting = new RingQueue<OutgoingMessage>();
  #waitingQos0 = new RingQueue<OutgoingMessage>();
  /** Sent or not, until answered. */
  #requests = new Set<OutgoingRequest>();
  #isRoomAwaited = false;

  /**
   * @param onRoom called after `isFull` was true and there is room again
   * @param onChange called when something was settled, for those who wait until all is
   */
  constructor(waitingMax: number, useTopicAliases: boolean, onRoom: () => void, onChange: () => void) {
    this.#waitingMax = waitingMax;
    this.#useTopicAliases = useTopicAliases;
    this.#onRoom = onRoom;
    this.#onChange = onChange;
  }

  /** Whether nothing waits for the server. */
  get isEmpty(): boolean {
    return this.#exchange.count === 0 && this.#requests.size === 0 && this.#waitingCount === 0;
  }

  /** Whether an answer of the server's is awaited, so that reading must go on. */
  get awaitsAnswer(): boolean {
    return this.#exchange.count > 0;
  }

  /** Whether whoever sends a stream of messages should wait for `onRoom`; asking is what makes it be called. */
  get isFull(): boolean {
    const isFull = this.#link === undefined || this.#link.isCongested || this.#waitingCount > 0;
    if (isFull) this.#isRoomAwaited = true;
    return isFull;
  }

  get #waitingCount(): number {
    return this.#waiting.length + this.#waitingQos0.length;
  }

  /** Whether a QoS 0 message can be sent at once, by `sendNow`. */
  get canSendNow(): boolean {
    return this.#link !== undefined && this.#waitingQos0.length === 0 && !this.#link.isCongested;
  }

  /**
   * Sends a QoS 0 message without settling it; only while `canSendNow`.
   * @throws {MqttError} it can never be sent on this connection
   */
  sendNow(message: OutgoingMessage): void {
    this.#send(this.#link!, message, false);
  }

  /**
   * Sends the message, or lets it wait.
   * @throws {MqttError} it can never be sent on this connection, or too many wait already; it is not settled then
   */
  publish(message: OutgoingMessage): void {
    const link = this.#link;
    if (link !== undefined && !link.isCongested) {
      if (message.qos === 0) {
        if (this.#waitingQos0.length === 0) {
          this.#send(link, message, false);
          message.settle(undefined, undefined);
          return;
        }
      } else if (this.#waiting.length === 0 && !this.#exchange.hasResends && this.#exchange.hasQuota) {
        if (this.#begin(link, message)) return;
      }
    }
    if (this.#waitingCount >= this.#waitingMax) {
      throw new MqttError(
        'MQTT_ERR_QUEUE_FULL',
        `${this.#waitingCount} messages wait already; at most ${this.#waitingMax} may`,
      );
    }
    (message.qos === 0 ? this.#waitingQos0 : this.#waiting).push(message);
  }

  /** The Topic Name that an alias of the caller's stands for. @throws {OptionError} it was not given one on this connection */
  nameOfAlias(alias: number): string {
    const name = this.#callersAliases.get(alias);
    if (name !== undefined) return name;
    throw new OptionError(`topicName is empty and Topic Alias ${alias} was not given one yet`, 'MQTT_ERR_TOPIC');
  }

  /** Sends a SUBSCRIBE or UNSUBSCRIBE, or keeps it for the next connection. @throws {MqttError} the server does not support it */
  request(request: OutgoingRequest): void {
    if (this.#link !== undefined) this.#sendRequest(this.#link, request);
    this.#requests.add(request);
  }

  /** Forgets a request of which nobody wants the answer any more. False if it was sent, so that an answer will come. */
  withdraw(request: OutgoingRequest): boolean {
    return request.packetIdentifier === 0 && this.#requests.delete(request);
  }

  /**
   * A connection is there. Exchanges that the server remembers are taken up where they were; if it lost the Session they begin anew.
   * `resubscribe` is called in between, so that subscriptions are there before messages go out.
   */
  connected(link: Link, limits: ServerLimits, sessionPresent: boolean, resubscribe: () => void): void {
    this.#limits = limits;
    this.#callersAliases.clear();
    this.#topicAliases = new OutboundTopicAliases(this.#useTopicAliases ? limits.topicAliasMaximum : 0);
    link.sendSizeMax = limits.maximumPacketSize;
    if (sessionPresent) {
      for (const message of this.#exchange.connectionMade(limits.receiveMaximum)) {
        this.#acknowledge(link, PacketType.PUBREL, message.packetIdentifier, ReasonCode.success);
      }
    } else {
      this.#beginAnew(limits.receiveMaximum);
    }
    this.#link = link;
    resubscribe();
    for (const request of this.#requests) {
      try {
        if (request.packetIdentifier === 0) this.#sendRequest(link, request);
      } catch (error) {
        this.#failRequest(request, error as Error);
      }
    }
    this.pump();
  }

  #beginAnew(receiveMaximum: number): void {
    const pending = this.#exchange.pending() as OutgoingMessage[];
    this.#exchange = new OutboundExchange(receiveMaximum);
    const waiting = new RingQueue<OutgoingMessage>();
    for (const message of pending) {
      if (message.state === 'awaiting-pubcomp') {
        // Sending it again might be a second delivery, which QoS 2 excludes.
        const text = 'the server lost the Session after it had received the message, which may have been delivered';
        this.#settle(message, new ConnectionClosedError(text));
        continue;
      }
      message.packetIdentifier = 0;
      message.state = 'idle';
      waiting.push(message);
    }
    for (const message of this.#waiting) waiting.push(message);
    this.#waiting = waiting;
  }

  /** The connection is gone; everything waits for the next one. */
  connectionLost(): void {
    this.#link = undefined;
    // Requests are not part of the Session: they are made again under whatever identifier is free then.
    for (const request of this.#requests) {
      if (request.packetIdentifier !== 0) this.#exchange.identifiers.release(request.packetIdentifier);
      request.packetIdentifier = 0;
    }
  }

  /** There will be no other connection: everything that waits or is in flight fails. */
  close(error: Error): void {
    this.connectionLost();
    const messages = this.#exchange.pending() as OutgoingMessage[];
    this.#exchange = new OutboundExchange();
    for (const queue of [this.#waiting, this.#waitingQos0]) {
      messages.push(...queue);
      queue.clear();
    }
    for (const message of messages) this.#settle(message, error);
    for (const request of [...this.#requests]) this.#failRequest(request, error);
  }

  /** Sends what waits, as far as the server and the transport let it. */
  pump(): void {
    const link = this.#link;
    if (link === undefined) return;
    while (!link.isCongested) {
      const resent = this.#exchange.nextResend();
      if (resent === undefined) break;
      this.#trySend(link, resent as OutgoingMessage, true);
    }
    while (!link.isCongested && this.#waiting.length > 0 && this.#exchange.hasQuota && !this.#exchange.hasResends) {
      const message = this.#waiting.peek()!;
      if (!message.isAborted) {
        try {
          if (!this.#begin(link, message)) break;
        } catch (error) {
          this.#settle(message, error as Error);
        }
      }
      this.#waiting.shift();
    }
    while (!link.isCongested && this.#waitingQos0.length > 0) {
      const message = this.#waitingQos0.shift()!;
      if (!message.isAborted && this.#trySend(link, message, false)) this.#settle(message, undefined);
    }
    if (this.#isRoomAwaited && this.#waitingCount === 0 && !link.isCongested) {
      this.#isRoomAwaited = false;
      this.#onRoom();
    }
  }

  /** False if no Packet Identifier is free. */
  #begin(link: Link, message: OutgoingMessage): boolean {
    if (!this.#exchange.begin(message)) return false;
    try {
      this.#send(link, message, false);
    } catch (error) {
      this.#exchange.abandon(message);
      throw error;
    }
    return true;
  }

  #trySend(link: Link, message: OutgoingMessage, dup: boolean): boolean {
    try {
      this.#send(link, message, dup);
      return true;
    } catch (error) {
      this.#exchange.abandon(message);
      this.#settle(message, error as Error);
      return false;
    }
  }

  #send(link: Link, message: OutgoingMessage, dup: boolean): void {
    const { qos, retain } = message;
    checkMessage(this.#limits!, qos, retain);
    let { topicName, properties } = message;
    const callersAlias = properties?.topicAlias;
    if (callersAlias !== undefined) {
      if (message.isNameless && this.#callersAliases.get(callersAlias) === topicName) topicName = '';
      this.#checkAlias(callersAlias);
    } else if (this.#topicAliases.maximum > 0) {
      const known = this.#topicAliases.get(topicName);
      const topicAlias = known === 0 ? this.#topicAliases.assign(topicName) : known;
      if (known !== 0) topicName = '';
      if (topicAlias !== 0) properties = { ...properties, topicAlias };
    }
    const { payload, packetIdentifier } = message;
    link.sendPublish({ type: PacketType.PUBLISH, topicName, payload, qos, retain, dup, packetIdentifier, properties });
    if (callersAlias !== undefined) this.#callersAliases.set(callersAlias, message.topicName);
  }

  /** [MQTT-3.3.2-9] */
  #checkAlias(alias: number): void {
    const { topicAliasMaximum } = this.#limits!;
    if (alias >= 1 && alias <= topicAliasMaximum) return;
    const range = topicAliasMaximum === 0 ? 'none, as this server takes none' : `1–${topicAliasMaximum}`;
    throw new OptionError(`topicAlias ${alias}; expected ${range}`, 'MQTT_ERR_OPTION_RANGE');
  }

  #sendRequest(link: Link, request: OutgoingRequest): void {
    if (request.kind === 'subscribe') checkSubscribe(this.#limits!, request.subscriptions, request.properties);
    const { identifiers } = this.#exchange;
    const packetIdentifier = identifiers.allocate(request);
    if (packetIdentifier === 0) {
      throw new MqttError('MQTT_ERR_QUEUE_FULL', 'all 65,535 Packet Identifiers are in use');
    }
    try {
      if (request.kind === 'subscribe') {
        const { subscriptions, properties } = request;
        link.send({ type: PacketType.SUBSCRIBE, packetIdentifier, subscriptions, properties });
      } else {
        const { topicFilters, properties } = request;
        link.send({ type: PacketType.UNSUBSCRIBE, packetIdentifier, topicFilters, properties });
      }
      request.packetIdentifier = packetIdentifier;
    } catch (error) {
      identifiers.release(packetIdentifier);
      throw error;
    }
  }

  #failRequest(request: OutgoingRequest, error: Error): void {
    this.#requests.delete(request);
    request.settle(error, undefined);
    this.#onChange();
  }

  /** A PUBACK, PUBREC or PUBCOMP came. */
  acknowledged(packet: AcknowledgePacket): void {
    const link = this.#link!;
    const { type, packetIdentifier, reasonCode } = packet;
    const entry = this.#exchange.identifiers.get(packetIdentifier);
    const message = entry instanceof OutgoingMessage ? entry : undefined;
    if (type === PacketType.PUBREC) {
      const outcome = message === undefined ? 'unknown' : this.#exchange.pubrec(packetIdentifier, reasonCode);
      if (outcome === 'release') {
        this.#acknowledge(link, PacketType.PUBREL, packetIdentifier, ReasonCode.success);
      } else if (outcome === 'unknown') {
        this.#acknowledge(link, PacketType.PUBREL, packetIdentifier, ReasonCode.packetIdentifierNotFound);
      } else {
        this.#settleAcknowledged(message!, packet);
      }
    } else if (message !== undefined) {
      const ended =
        type === PacketType.PUBACK ? this.#exchange.puback(packetIdentifier) : this.#exchange.pubcomp(packetIdentifier);
      // An acknowledgement of what nobody waits for is no harm: it may be a repetition.
      if (ended !== undefined) this.#settleAcknowledged(message, packet);
    }
    this.pump();
  }

  #settleAcknowledged(message: OutgoingMessage, packet: AcknowledgePacket): void {
    const { reasonCode, properties } = packet;
    // PUBCOMP says 0x92 after a repeated PUBREL; the message itself was accepted by PUBREC.
    if (!isFailure(reasonCode) || packet.type === PacketType.PUBCOMP) {
      this.#settle(message, undefined, packet);
      return;
    }
    const text = `the server refused the message to ${JSON.stringify(message.topicName)}: ${reasonCodeName(reasonCode)}`;
    const reason = properties?.reasonString;
    this.#settle(message, new RefusedError(reason === undefined ? text : `${text} (${reason})`, reasonCode));
  }

  #settle(message: OutgoingMessage, error: Error | undefined, packet?: AcknowledgePacket): void {
    message.settle(error, packet);
    this.#onChange();
  }

  #acknowledge(link: Link, type: PublishAcknowledgeType, packetIdentifier: number, reasonCode: ReasonCode): void {
    link.send({ type, packetIdentifier, reasonCode, properties: undefined });
  }

  /** A SUBACK or UNSUBACK came. @throws {ProtocolError} it does not fit what was asked */
  answered(packet: SubackPacket | UnsubackPacket): void {
    const request = this.#exchange.identifiers.get(packet.packetIdentifier);
    if (packet.type === PacketType.SUBACK && request?.kind === 'subscribe') {
      checkCount(packet.reasonCodes.length, request.subscriptions.length, 'SUBACK', 'MQTT-3.8.4-6');
      this.#forget(request);
      request.settle(undefined, packet);
    } else if (packet.type === PacketType.UNSUBACK && request?.kind === 'unsubscribe') {
      if (this.#link!.version === 5) {
        checkCount(packet.reasonCodes.length, request.topicFilters.length, 'UNSUBACK', 'MQTT-3.11.3-1');
      }
      this.#forget(request);
      request.settle(undefined, packet);
    }
    this.#onChange();
    this.pump();
  }

  #forget(request: OutgoingRequest): void {
    this.#exchange.identifiers.release(request.packetIdentifier);
    this.#requests.delete(request);
  }
}

function checkCount(actual: number, expected: number, name: string, rule: string): void {
  if (actual === expected) return;
  throw new ProtocolError(
    `${name} with ${actual} Reason Codes for ${expected} Topic Filters`,
    ReasonCode.protocolError,
    rule,
  );
}
