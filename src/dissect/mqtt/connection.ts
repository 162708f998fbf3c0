/**
 * What a connection has come to, packet by packet: who the client is, which version they speak, which aliases stand for what, and which packets
 * answer which. `advance` notes on each packet what it means at its place, once, in the order of the capture.
 */
import type { Flow } from '../../capture/flow.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { ConnectionFacts } from './connection-facts.ts';
import type { Conversations, SessionState } from './conversations.ts';
import { SessionState as NewSession } from './conversations.ts';
import { Handshake, type HandshakeTable, handshakeStates as states } from './handshake.ts';
import type { MqttPacket } from './packet.ts';
import { packetMarks as marks } from './packet-marks.ts';
import { aliasMaximumIn, countFilters, skipProperties, textAt, uint16At } from './packet-parts.ts';
import { findProperty, nextProperty, variableByteIntegerAt, variableByteIntegerSize } from './property-walk.ts';
import { senderOf } from './senders.ts';
import { TopicAliases } from './topic-aliases.ts';
import { inferVersion } from './version-evidence.ts';

/** PINGREQs that wait for their PINGRESP; more are not remembered. */
const pingsMax = 64;
/** Unanswered packets that are named one by one. */
const unansweredMax = 100;

const topicAliasIdentifier = 0x23;
const contentTypeIdentifier = 0x03;
const assignedClientIdentifier = 0x12;

export class Connection {
  readonly #conversations: Conversations;
  readonly #serverKey: string;
  readonly #isFromStart: boolean;
  #facts: ConnectionFacts;
  #session: SessionState = new NewSession();
  /** 0 until a CONNECT, or a packet that only one version can have, has told it. */
  #version = 0;
  #isVersionInferred = false;
  readonly #clientAliases = new TopicAliases();
  readonly #serverAliases = new TopicAliases();
  /** CONNECT that waits for its CONNACK, and PINGREQs for their PINGRESP, oldest first. */
  #connect: Handshake | undefined = undefined;
  #pings: Handshake[] = [];
  /** Largest alias that each end allows the other; -1 while that is not known. */
  #clientAliasMaximum = -1;
  #serverAliasMaximum = -1;
  #hasConnect = false;
  /** Bytes are missing: what was not seen may have been sent all the same. */
  #hasLost = false;
  #hasConnack = false;
  #clientHasEnded = false;
  #serverHasEnded = false;
  /** Whether it is settled that direction 0 is, or is not, the client's. */
  areRolesKnown: boolean;
  /** Whether the flow's client is MQTT's server: a capture from the middle may have taken them for each other. */
  #areRolesSwapped = false;

  /** @param isFromStart - whether its first byte was captured: then what comes before CONNECT is wrong, not only unseen */
  constructor(flow: Flow, conversations: Conversations, isFromStart: boolean) {
    this.#conversations = conversations;
    this.#serverKey = flow.server.address.join('.');
    this.#isFromStart = isFromStart;
    this.areRolesKnown = isFromStart;
    this.#facts = new ConnectionFacts(conversations.numberConnection(), 0, '', conversations.showsMessagesAsText);
  }

  get facts(): ConnectionFacts {
    return this.#facts;
  }

  /** 0 while it is not known. */
  get version(): number {
    return this.#version;
  }

  /** Whether bytes of this direction come from the MQTT client; what only one end can send settles which it is. */
  isByClient(direction: number, packetType: number): boolean {
    if (!this.areRolesKnown) {
      const sender = senderOf(packetType);
      if (sender !== 'either') {
        this.areRolesKnown = true;
        this.#areRolesSwapped = (direction === 0) !== (sender === 'client');
      }
    }
    return (direction === 0) !== this.#areRolesSwapped;
  }

  advance(packet: MqttPacket): void {
    const type = packet.packetType;
    if (this.#version === 0 && type !== PacketType.CONNECT) this.#infer(packet);
    packet.version = this.#version;
    if (this.#isVersionInferred) packet.marks |= marks.inferredVersion;
    if (this.#isFromWrongEnd(packet, type)) packet.marks |= marks.wrongDirection;
    this.#checkOrder(packet, type);
    switch (type) {
      case PacketType.CONNECT:
        this.#receiveConnect(packet);
        break;
      case PacketType.CONNACK:
        this.#receiveConnack(packet);
        break;
      case PacketType.PUBLISH:
        this.#receivePublish(packet);
        break;
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBREL:
      case PacketType.PUBCOMP:
        if (this.#readIdentifier(packet, packet.bodyStart)) this.#receiveAcknowledgement(packet, type);
        break;
      case PacketType.SUBSCRIBE:
      case PacketType.UNSUBSCRIBE:
        if (this.#readIdentifier(packet, packet.bodyStart)) this.#receiveRequest(packet, type);
        break;
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        if (this.#readIdentifier(packet, packet.bodyStart)) this.#receiveAnswer(packet, type);
        break;
      case PacketType.PINGREQ:
        packet.qosState = states.none;
        if (this.#pings.length < pingsMax) {
          this.#pings.push(new Handshake(0, type, 0, 0, packet.frame, states.requested, 0));
        }
        break;
      case PacketType.PINGRESP:
        this.#answer(packet, this.#pings.shift());
        break;
      case PacketType.DISCONNECT:
        this.#receiveDisconnect(packet);
        break;
      default:
        break;
    }
    packet.facts = this.#facts;
  }

  /** Bytes of the connection are missing. */
  noteLoss(): void {
    this.#hasLost = true;
  }

  #isFromWrongEnd(packet: MqttPacket, type: number): boolean {
    // A server has no DISCONNECT before 5.0.
    if (type === PacketType.DISCONNECT) return !packet.isByClient && (this.#version === 3 || this.#version === 4);
    const sender = senderOf(type);
    return sender !== 'either' && (sender === 'client') !== packet.isByClient;
  }

  #infer(packet: MqttPacket): void {
    if (packet.absentBytes > 0) return;
    const { bytes } = packet.source;
    this.#version = inferVersion(bytes, packet.header, packet.bodyStart, packet.end);
    this.#isVersionInferred = this.#version !== 0;
  }

  #checkOrder(packet: MqttPacket, type: number): void {
    if (type === PacketType.CONNECT) return;
    if (this.#isFromStart && !this.#hasConnect && !this.#hasLost && packet.isByClient)
      packet.marks |= marks.beforeConnect;
    if (
      this.#hasConnect &&
      !this.#hasConnack &&
      !packet.isByClient &&
      type !== PacketType.CONNACK &&
      type !== PacketType.AUTH &&
      !this.#hasLost &&
      this.#connect !== undefined
    ) {
      packet.marks |= marks.beforeConnack;
    }
    if (packet.isByClient ? this.#clientHasEnded : this.#serverHasEnded) packet.marks |= marks.afterDisconnect;
  }

  #receiveConnect(packet: MqttPacket): void {
    const { bytes } = packet.source;
    const { bodyStart, end } = packet;
    if (this.#hasConnect && !this.#clientHasEnded) packet.marks |= marks.secondConnect;
    if (this.#hasConnect) packet.unanswered = this.#open();
    const nameEnd = bodyStart + 2 <= end ? bodyStart + 2 + uint16At(bytes, bodyStart) : end;
    const level = nameEnd < end ? bytes[nameEnd]! : 0;
    // Bridges of some servers set the highest bit of the level.
    this.#version = level === 0x83 || level === 0x84 ? level & 0x7f : level;
    this.#isVersionInferred = false;
    packet.version = this.#version;
    packet.marks &= ~marks.inferredVersion;
    const flags = nameEnd + 1 < end ? bytes[nameEnd + 1]! : 0;
    let at = nameEnd + 4;
    this.#clientAliasMaximum = -1;
    this.#serverAliasMaximum = -1;
    if (this.#version === 5 && at < end) {
      const first = at;
      const length = variableByteIntegerAt(bytes, at, end);
      at = length < 0 ? end : at + variableByteIntegerSize(bytes, at) + length;
      this.#clientAliasMaximum = aliasMaximumIn(bytes, first, at, end);
    }
    const clientIdentifier = textAt(bytes, at, end);
    const isSwapped = !packet.isByClient;
    if (isSwapped && this.#hasConnect === false) packet.marks |= marks.wrongDirection;
    this.#facts = this.#factsOf(this.#conversations.numberConnection(), packet.frame.number, clientIdentifier);
    this.#hasConnect = true;
    this.#hasConnack = false;
    this.#clientHasEnded = false;
    this.#serverHasEnded = false;
    this.#clientAliases.clear();
    this.#serverAliases.clear();
    this.#pings = [];
    this.#connect = new Handshake(0, PacketType.CONNECT, 0, 0, packet.frame, states.requested, 0);
    packet.qosState = states.none;
    this.#joinSession(clientIdentifier, (flags & 0x02) !== 0);
    if (packet.unanswered.length === 0) packet.unanswered = this.#openOf(this.#session);
  }

  #factsOf(connection: number, connectFrame: number, clientIdentifier: string): ConnectionFacts {
    return new ConnectionFacts(connection, connectFrame, clientIdentifier, this.#conversations.showsMessagesAsText);
  }

  /** The Session of the client; requests of earlier connections are no part of it. */
  #joinSession(clientIdentifier: string, isNew: boolean): void {
    if (clientIdentifier === '') {
      this.#session = new NewSession();
      return;
    }
    this.#session = this.#conversations.session(this.#keyOf(clientIdentifier), isNew);
  }

  #keyOf(clientIdentifier: string): string {
    return `${this.#serverKey} ${clientIdentifier}`;
  }

  #receiveConnack(packet: MqttPacket): void {
    const { bytes } = packet.source;
    const { bodyStart, end } = packet;
    if (this.#hasConnack) packet.marks |= marks.secondConnack;
    this.#hasConnack = true;
    this.#answer(packet, this.#connect);
    this.#connect = undefined;
    if (bodyStart + 2 > end) return;
    const isPresent = (bytes[bodyStart]! & 1) !== 0;
    if (this.#version === 5 && bodyStart + 2 < end) {
      const length = variableByteIntegerAt(bytes, bodyStart + 2, end);
      const at = bodyStart + 2 + variableByteIntegerSize(bytes, bodyStart + 2);
      this.#serverAliasMaximum = aliasMaximumIn(bytes, bodyStart + 2, at + length, end);
      const value = length < 0 ? -1 : findProperty(bytes, at, Math.min(end, at + length), assignedClientIdentifier);
      if (value >= 0) {
        const clientIdentifier = textAt(bytes, value, end);
        this.#facts = this.#factsOf(this.#facts.connection, this.#facts.connectFrame, clientIdentifier);
        this.#conversations.adopt(this.#keyOf(clientIdentifier), this.#session);
        return;
      }
    }
    // No Session Present after all: nothing of before is under way any more. [MQTT-3.2.2-2]
    if (!isPresent && bytes[bodyStart + 1] === 0) {
      this.#conversations.forgetOthers(this.#session, this.#facts.connection);
    }
  }

  #receivePublish(packet: MqttPacket): void {
    const { bytes } = packet.source;
    const { bodyStart, end } = packet;
    if (bodyStart + 2 > end) return;
    const topicLength = uint16At(bytes, bodyStart);
    const topicStart = bodyStart + 2;
    let at = topicStart + topicLength;
    const qos = (packet.header >> 1) & 3;
    if (qos > 0) {
      if (at + 2 > end) return;
      packet.packetIdentifier = uint16At(bytes, at);
      at += 2;
    }
    if (this.#version === 5 && at < end && bytes[at] !== 0) this.#readProperties(packet, topicStart, topicLength, at);
    if (qos > 0) this.#beginDelivery(packet, qos);
  }

  /** Topic Alias and Content Type, the two properties that other packets and layers depend on. */
  #readProperties(packet: MqttPacket, topicStart: number, topicLength: number, at: number): void {
    const { bytes } = packet.source;
    const { end } = packet;
    const length = variableByteIntegerAt(bytes, at, end);
    if (length < 0) return;
    let next = at + variableByteIntegerSize(bytes, at);
    const propertiesEnd = Math.min(end, next + length);
    while (next >= 0 && next < propertiesEnd) {
      const identifier = bytes[next];
      const value = next + 1;
      next = nextProperty(bytes, next, propertiesEnd);
      if (next < 0) return;
      if (identifier === topicAliasIdentifier) {
        this.#resolveAlias(packet, topicStart, topicLength, uint16At(bytes, value));
      } else if (identifier === contentTypeIdentifier) packet.contentTypeStart = value;
    }
  }

  #resolveAlias(packet: MqttPacket, topicStart: number, topicLength: number, alias: number): void {
    const aliases = packet.isByClient ? this.#clientAliases : this.#serverAliases;
    const maximum = packet.isByClient ? this.#serverAliasMaximum : this.#clientAliasMaximum;
    if (maximum >= 0 && alias > maximum) packet.marks |= marks.aliasTooLarge;
    if (topicLength > 0) {
      aliases.define(alias, packet.source.bytes, topicStart, topicStart + topicLength);
      return;
    }
    packet.aliasedTopic = aliases.find(alias);
    if (packet.aliasedTopic === undefined) packet.marks |= marks.unknownAlias;
  }

  #beginDelivery(packet: MqttPacket, qos: number): void {
    const table = this.#tableOf(packet.isByClient);
    const isDuplicate = (packet.header & 0x08) !== 0;
    packet.qosState = states.published;
    packet.publishFrame = packet.frame.number;
    if (isDuplicate) packet.marks |= marks.repeated;
    const former = table.get(packet.packetIdentifier);
    if (former !== undefined && former.packetType === PacketType.PUBLISH) {
      if (isDuplicate && former.qos === qos) {
        packet.relatedFrame = former.beganFrame;
        packet.publishFrame = former.beganFrame;
        packet.qosState = former.state;
        former.step(packet.frame, former.state);
        return;
      }
    }
    if (former !== undefined && this.#isOpen(former)) {
      packet.marks |= marks.identifierReused;
      packet.relatedFrame = former.frame;
    }
    const { handshakes } = this.#conversations;
    const { connection } = this.#facts;
    handshakes.add(
      table,
      new Handshake(packet.packetIdentifier, PacketType.PUBLISH, qos, connection, packet.frame, states.published, 0),
    );
  }

  /** Requests end with their connection, deliveries with their Session. */
  #isOpen(handshake: Handshake): boolean {
    return handshake.packetType === PacketType.PUBLISH || handshake.connection === this.#facts.connection;
  }

  #receiveAcknowledgement(packet: MqttPacket, type: number): void {
    // PUBREL comes from whoever sent the PUBLISH, the others from the other end.
    const isPublisher = type === PacketType.PUBREL;
    const table = this.#tableOf(packet.isByClient === isPublisher);
    const handshake = table.get(packet.packetIdentifier);
    if (handshake === undefined || handshake.packetType !== PacketType.PUBLISH) {
      packet.qosState = states.unknown;
      if (this.#provesAbsence(table)) packet.marks |= marks.unexpected;
      return;
    }
    if ((handshake.qos === 1) !== (type === PacketType.PUBACK)) packet.marks |= marks.wrongAnswer;
    packet.answersFrame = handshake.frame;
    packet.answersSeconds = handshake.seconds;
    packet.answersNanoseconds = handshake.nanoseconds;
    packet.publishFrame = handshake.beganFrame;
    packet.publishSeconds = handshake.beganSeconds;
    packet.publishNanoseconds = handshake.beganNanoseconds;
    const isRefused = this.#isRefused(packet);
    switch (type) {
      case PacketType.PUBREC:
        if (handshake.state !== states.published) {
          packet.marks |= marks.repeated;
          packet.relatedFrame = handshake.state === states.received ? handshake.frame : 0;
        }
        packet.qosState = isRefused ? states.refused : states.received;
        break;
      case PacketType.PUBREL:
        if (handshake.state === states.published) packet.marks |= marks.releasedEarly;
        if (handshake.state === states.released) {
          packet.marks |= marks.repeated;
          packet.relatedFrame = handshake.frame;
        }
        packet.qosState = states.released;
        break;
      default:
        packet.qosState = isRefused ? states.refused : states.complete;
    }
    if (packet.qosState === states.complete || packet.qosState === states.refused) {
      this.#conversations.handshakes.remove(handshake);
    } else {
      handshake.step(packet.frame, packet.qosState);
    }
  }

  #isRefused(packet: MqttPacket): boolean {
    const at = packet.bodyStart + 2;
    return this.#version === 5 && at < packet.end && packet.source.bytes[at]! >= 0x80;
  }

  /** Whether what is not in the table was not sent: the connection was seen from its CONNECT, and nothing was forgotten. */
  #provesAbsence(table: HandshakeTable): boolean {
    return this.#hasConnect && !this.#hasLost && !table.isIncomplete;
  }

  #receiveRequest(packet: MqttPacket, type: number): void {
    const table = this.#tableOf(packet.isByClient);
    const former = table.get(packet.packetIdentifier);
    if (former !== undefined && this.#isOpen(former)) {
      const isRepeated = former.packetType === type && (packet.header & 0x08) !== 0;
      packet.marks |= isRepeated ? marks.repeated : marks.identifierReused;
      packet.relatedFrame = former.frame;
    }
    packet.qosState = states.requested;
    const count =
      packet.absentBytes > 0
        ? -1
        : countFilters(
            packet.source.bytes,
            packet.bodyStart + 2,
            packet.end,
            this.#version,
            type === PacketType.SUBSCRIBE,
          );
    const { connection } = this.#facts;
    this.#conversations.handshakes.add(
      table,
      new Handshake(packet.packetIdentifier, type, 0, connection, packet.frame, states.requested, count),
    );
  }

  #receiveAnswer(packet: MqttPacket, type: number): void {
    const table = this.#tableOf(!packet.isByClient);
    const handshake = table.get(packet.packetIdentifier);
    if (handshake === undefined || handshake.packetType !== type - 1 || !this.#isOpen(handshake)) {
      packet.qosState = states.unknown;
      if (this.#provesAbsence(table)) packet.marks |= marks.unexpected;
      return;
    }
    this.#answer(packet, handshake);
    packet.qosState = states.answered;
    this.#conversations.handshakes.remove(handshake);
    const at = skipProperties(packet.source.bytes, packet.bodyStart + 2, packet.end, this.#version);
    const hasCodes = type === PacketType.SUBACK || this.#version === 5;
    if (hasCodes && at >= 0 && packet.absentBytes === 0 && handshake.filterCount >= 0) {
      if (packet.end - at !== handshake.filterCount) packet.marks |= marks.wrongCount;
    }
  }

  #answer(packet: MqttPacket, handshake: Handshake | undefined): void {
    if (handshake === undefined) {
      if (this.#hasConnect && !this.#hasLost && packet.packetType === PacketType.PINGRESP) {
        packet.marks |= marks.unexpected;
      }
      return;
    }
    packet.answersFrame = handshake.frame;
    packet.answersSeconds = handshake.seconds;
    packet.answersNanoseconds = handshake.nanoseconds;
  }

  #receiveDisconnect(packet: MqttPacket): void {
    if (packet.isByClient) this.#clientHasEnded = true;
    else this.#serverHasEnded = true;
    packet.unanswered = this.#open();
  }

  /** Frames of packets that nothing has answered, oldest first; a bounded number of them. */
  #open(): readonly number[] {
    const frames = this.#openOf(this.#session) as number[];
    if (this.#connect === undefined && this.#pings.length === 0) return frames;
    const all = [...frames, ...this.#pings.map((ping) => ping.frame)];
    if (this.#connect !== undefined) all.push(this.#connect.frame);
    return distinct(all);
  }

  #openOf(session: SessionState): readonly number[] {
    const { byClient, byServer } = session;
    if (byClient.size === 0 && byServer.size === 0) return [];
    const frames: number[] = [];
    for (const table of [byClient, byServer]) {
      for (const handshake of table.all()) {
        if (frames.length >= unansweredMax * 2) break;
        if (this.#isOpen(handshake)) frames.push(handshake.frame);
      }
    }
    return distinct(frames);
  }

  #tableOf(isClients: boolean): HandshakeTable {
    return isClients ? this.#session.byClient : this.#session.byServer;
  }

  #readIdentifier(packet: MqttPacket, at: number): boolean {
    if (at + 2 > packet.end) return false;
    packet.packetIdentifier = uint16At(packet.source.bytes, at);
    return true;
  }
}

/** In order, each once, and not too many. */
function distinct(frames: readonly number[]): readonly number[] {
  return [...new Set(frames)].sort((a, b) => a - b).slice(0, unansweredMax);
}
