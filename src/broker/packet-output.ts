/**
 * The sending half of a connection: packets are encoded into one buffer, which is written once per turn of the event loop (or when there
 * is much of it), and what a client cannot or does not take is found out here.
 */
import { RingQueue } from '../base/ring-queue.ts';
import { WheelTimer } from '../base/timer-wheel.ts';
import { encodeAcknowledge, encodePacket, packetSizeMax, writeShortAcknowledges } from '../codec/index.ts';
import type { Packet, PublishAcknowledgeType } from '../codec/packets.ts';
import type { OutboundTopicAliases } from '../exchange/topic-aliases.ts';
import { MqttError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import type { PeerAddress, Transport } from '../transport/transport.ts';
import type { ClientIdentity } from './auth.ts';
import type { BrokerContext } from './context.ts';
import type { Delivery } from './delivery.ts';
import { behindBytes } from './flow-control.ts';
import type { BrokerListener } from './listener.ts';
import type { Message } from './message.ts';
import type { OutputBuffer } from './output-buffer.ts';
import type { Store } from './persistence/store.ts';
import { abridged } from './publish.ts';
import type { RetainedRecord } from './retained-tree.ts';
import type { Session } from './session.ts';
import type { TapSubject } from './tap/tap.ts';
import { appendShortPublish, encodeMessage, identifierOffset } from './wire-forms.ts';

/** See the drawing in `connection.ts`. */
export type ConnectionState = 'awaiting-connect' | 'authenticating' | 'open' | 'closing' | 'closed';

/** Output is written before the end of the turn once there is this much of it. */
const flushBytes = 64 * 1024;
/** So many bytes of a chunk are sent as they lie there. Unsent, they keep a chunk of four times the size at most. */
const uncopiedBytesMin = 16 * 1024;
/** What waits for a connection (queued and retained messages) is handed to it up to this many unsent bytes. */
const drainBytesMax = 1024 * 1024;

/** Something to be sent once the store is safe. */
interface HeldBack {
  readonly send: () => void;
  isSafe: boolean;
}

export abstract class PacketOutput extends WheelTimer implements TapSubject {
  state: ConnectionState = 'awaiting-connect';
  readonly context: BrokerContext;
  readonly listener: BrokerListener;
  readonly transport: Transport;
  /** Known with the CONNECT; before it 4, which is what a refusal is then written in. */
  version: ProtocolVersion = 4;
  session: Session | undefined = undefined;
  identity: ClientIdentity | undefined = undefined;
  /** Bytes of the largest packet the client takes. */
  peerMaximumPacketSize = packetSizeMax;
  /** Whether Reason Strings and User Properties may be put on acknowledgements. [MQTT-3.1.2-29] */
  wantsProblemInformation = true;
  outboundAliases: OutboundTopicAliases | undefined = undefined;
  #output: OutputBuffer | undefined = undefined;
  #isFlushScheduled = false;
  #isCongested = false;
  /** What waits for the store, in the order in which it is to be sent. Made when it is first needed. */
  #heldBack: RingQueue<HeldBack> | undefined = undefined;

  constructor(context: BrokerContext, listener: BrokerListener, transport: Transport) {
    super();
    this.context = context;
    this.listener = listener;
    this.transport = transport;
  }

  /** How the log names the client. */
  get name(): string {
    return this.identity?.clientIdentifier ?? '<unknown>';
  }

  /** `address:port`, as the log shows it. */
  get peerName(): string {
    const { address, port } = this.transport.peer;
    return port === 0 ? address : `${address}:${port}`;
  }

  /** User (if there is one) and address, for warnings about what a client may not do. */
  get userAndPeer(): string {
    const username = this.identity?.username;
    return username === undefined ? this.peerName : `user '${username}', ${this.peerName}`;
  }

  get peer(): PeerAddress {
    return this.transport.peer;
  }

  get local(): PeerAddress | undefined {
    return this.transport.local;
  }

  get listenerPort(): number {
    return this.listener.port;
  }

  /** Undefined before the CONNECT. */
  get protocolLevel(): ProtocolVersion | undefined {
    return this.identity === undefined ? undefined : this.version;
  }

  get isEncrypted(): boolean {
    return this.transport.isEncrypted === true;
  }

  /** The transport asked to wait for its drain. */
  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Bytes gathered or written that the system has not taken yet. */
  get unsentBytes(): number {
    const gathered = this.#output?.length ?? 0;
    return this.#isCongested ? this.transport.bufferedBytes + gathered : gathered;
  }

  /** Whether messages that can wait may be sent now. */
  get hasRoom(): boolean {
    // What is gathered goes out at the end of the turn by itself, so without congestion there is no drain to wait for.
    if (!this.#isCongested) return true;
    return this.unsentBytes < Math.min(drainBytesMax, this.context.settings.maxOutboundBufferBytes);
  }

  /** Whether a QoS 0 message may be added to what is unsent; if that is much, publishers are asked to wait. */
  takesQos0(): boolean {
    if (!this.#isCongested) return true;
    const { unsentBytes } = this;
    if (unsentBytes >= behindBytes && this.session !== undefined) this.context.flow.note(this.session);
    return unsentBytes < this.context.settings.maxOutboundBufferBytes;
  }

  /**
   * Appends any packet.
   * @returns false if it is larger than the client takes, and so is not sent [MQTT-3.1.2-24]
   */
  send(packet: Packet): boolean {
    if (this.state === 'closed') return true;
    const output = this.#openOutput();
    const start = output.length;
    encodePacket(output, packet, this.version);
    if (output.length - start > this.peerMaximumPacketSize) {
      // Only Reason String and User Properties can make an answer this large, and they may be left out. [MQTT-3.2.2-19]
      output.length = start;
      encodePacket(output, withoutProblemInformation(packet), this.version);
      if (output.length - start > this.peerMaximumPacketSize) {
        output.length = start;
        return false;
      }
    }
    this.context.counters.messagesSent++;
    this.#appended(output);
    return true;
  }

  /** Appends a PUBACK, PUBREC, PUBREL or PUBCOMP. */
  sendAcknowledge(
    type: PublishAcknowledgeType,
    packetIdentifier: number,
    reasonCode: ReasonCode,
    properties?: PropertiesOf<'PUBACK'>,
  ): void {
    if (this.state === 'closed') return;
    const output = this.#openOutput();
    const start = output.length;
    encodeAcknowledge(output, type, packetIdentifier, reasonCode, properties, this.version);
    if (properties !== undefined && output.length - start > this.peerMaximumPacketSize) {
      output.length = start;
      encodeAcknowledge(output, type, packetIdentifier, reasonCode, undefined, this.version);
    }
    this.context.counters.messagesSent++;
    this.#appended(output);
    if (this.context.logsPackets) this.#logAcknowledge(type, packetIdentifier, reasonCode);
  }

  /**
   * `sendAcknowledge` once what it promises is safe in the store: at once if nothing was staged since `staged` and no earlier acknowledgement
   * of this connection waits. [MQTT-4.6.0-2]
   * @param message if deliveries of it are all that the acknowledgement promises
   */
  acknowledgeWhenSafe(
    type: PublishAcknowledgeType,
    packetIdentifier: number,
    reasonCode: ReasonCode,
    properties: PropertiesOf<'PUBACK'> | undefined,
    staged: number | undefined,
    message?: Message,
  ): void {
    const { store } = this.context;
    const isUntouched = staged === undefined || staged === store?.stagedCount;
    if (store === undefined || (isUntouched && !this.holdsBack)) {
      this.sendAcknowledge(type, packetIdentifier, reasonCode, properties);
      return;
    }
    const send = (): void => this.sendAcknowledge(type, packetIdentifier, reasonCode, properties);
    const safe = this.#holdBack(send);
    if (isUntouched) safe();
    else if (message === undefined) store.whenSafe(safe);
    else store.whenKept(message, safe);
  }

  /** Whether acknowledgements wait for the store, which later ones must not overtake. */
  get holdsBack(): boolean {
    return this.#heldBack !== undefined && this.#heldBack.length > 0;
  }

  /** Sends something once the store is safe, in the order of the calls; not at all if the connection ends before. */
  whenSafe(store: Store, send: () => void): void {
    store.whenSafe(this.#holdBack(send));
  }

  /** Returns what is to be called once it may be sent. */
  #holdBack(send: () => void): () => void {
    this.#heldBack ??= new RingQueue();
    const heldBack = this.#heldBack;
    const one: HeldBack = { send, isSafe: false };
    heldBack.push(one);
    return () => {
      one.isSafe = true;
      while (heldBack.peek()?.isSafe === true) {
        const first = heldBack.shift() as HeldBack;
        if (this.state !== 'closing' && this.state !== 'closed') first.send();
      }
    };
  }

  sendPubrel(packetIdentifier: number): void {
    this.sendAcknowledge(PacketType.PUBREL, packetIdentifier, ReasonCode.success);
  }

  /**
   * Appends a PUBLISH. A QoS 0 message for which there is no room is dropped and counted.
   * @returns false if it is larger than the client takes, and so must never be sent [MQTT-3.1.2-24]
   */
  sendPublish(
    message: Message,
    qos: QoS,
    retain: boolean,
    dup: boolean,
    packetIdentifier: number,
    subscriptionIdentifiers: readonly number[] | undefined,
  ): boolean {
    const { counters } = this.context;
    if (qos === 0 && !this.takesQos0()) {
      counters.publishMessagesDropped++;
      counters.outboundBufferDropped++;
      return true;
    }
    // `a/#` matches `a`, too, of which a client mounted at `a/` sees nothing.
    if (message.topicName.length <= this.listener.settings.mountPoint.length) return false;
    const output = this.#openOutput();
    const start = output.length;
    try {
      if (!this.#appendMessage(output, message, qos, retain, subscriptionIdentifiers)) return this.#tooLarge(message);
    } catch (error) {
      return this.#unsendable(message, error);
    }
    if (qos !== 0) {
      const offset = identifierOffset(output.bytes, start);
      output.bytes[offset] = packetIdentifier >> 8;
      output.bytes[offset + 1] = packetIdentifier & 0xff;
      if (dup) output.bytes[start] = (output.bytes[start] as number) | 0x08;
    }
    counters.messagesSent++;
    counters.publishMessagesSent++;
    counters.publishBytesSent += message.payloadLength;
    this.#appended(output);
    if (this.context.logsPackets) {
      const topic = message.topicName.slice(this.listener.settings.mountPoint.length);
      this.context.log.write(
        'debug',
        `Sending PUBLISH to ${this.name} (d${dup ? 1 : 0}, q${qos}, r${retain ? 1 : 0}, m${packetIdentifier}, '${topic}', ... (${message.payloadLength} bytes))`,
      );
    }
    return true;
  }

  /** Appends a message in the form that this client gets it in; false, and nothing, if that is larger than it takes. */
  #appendMessage(
    output: OutputBuffer,
    message: Message,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[] | undefined,
  ): boolean {
    const { wireForms, clock } = this.context;
    if (
      subscriptionIdentifiers !== undefined ||
      this.outboundAliases !== undefined ||
      this.listener.settings.mountPoint !== ''
    ) {
      return this.#encodeForThisClient(output, message, qos, retain, subscriptionIdentifiers);
    }
    const { packet } = message;
    if (packet !== undefined && message.qos === qos && !retain && message.isPacketV5 === (this.version === 5)) {
      if (message.packetEnd - message.packetStart > this.peerMaximumPacketSize) return false;
      output.appendRange(packet, message.packetStart, message.packetEnd);
      return true;
    }
    wireForms.select(message, this.version, qos, retain, message.expiresAt === 0 ? 0 : clock.now());
    if (wireForms.end - wireForms.start > this.peerMaximumPacketSize) return false;
    output.appendRange(wireForms.bytes, wireForms.start, wireForms.end);
    return true;
  }

  /**
   * Appends a retained message at QoS 0: nobody else gets it now, so it is encoded where it is to be.
   * @returns false, and nothing is appended, if it must go through `sendPublish`: it has properties, is large or the client takes it
   * differently from others
   */
  sendRetained({ topicName, payload, properties, expiry }: RetainedRecord): boolean {
    if (typeof payload !== 'string' || properties !== undefined || expiry !== undefined) return false;
    if (this.outboundAliases !== undefined || this.listener.settings.mountPoint !== '') return false;
    if (this.context.logsPackets || !this.takesQos0()) return false;
    const output = this.#openOutput();
    const start = output.length;
    if (!appendShortPublish(output, topicName, payload, true, this.version)) return false;
    if (output.length - start > this.peerMaximumPacketSize) {
      output.length = start;
      return false;
    }
    const { counters } = this.context;
    counters.messagesSent++;
    counters.publishMessagesSent++;
    counters.publishBytesSent += payload.length;
    this.#appended(output);
    return true;
  }

  /**
   * Sends bytes that are PUBLISH packets of QoS 0 already, `count` of them with `payloadBytes` of payload. They must not change: many of them
   * are not copied, so that all receivers are sent the same memory.
   */
  sendRun(bytes: Uint8Array, start: number, end: number, count: number, payloadBytes: number): void {
    const { counters } = this.context;
    counters.messagesSent += count;
    counters.publishMessagesSent += count;
    counters.publishBytesSent += payloadBytes;
    if (end - start >= uncopiedBytesMin) {
      this.flush();
      if (this.state !== 'closed') this.#write(bytes.subarray(start, end), undefined);
      return;
    }
    const output = this.#openOutput();
    output.appendRange(bytes, start, end);
    this.#appended(output);
  }

  /** Whether the client may be sent PUBLISH packets of this version's form, MQTT 5 or before, as they came in. */
  takesPackets(isV5: boolean): boolean {
    return (
      (this.version === 5) === isV5 &&
      this.outboundAliases === undefined &&
      this.listener.settings.mountPoint === '' &&
      !this.context.logsPackets
    );
  }

  /**
   * Appends the packets that the messages of the first `count` deliveries came in, each with its Packet Identifier. Those that lie behind
   * one another are copied together.
   */
  sendPackets(deliveries: readonly Delivery[], count: number): void {
    const output = this.#openOutput();
    let position = output.length;
    const first = (deliveries[0] as Delivery).message;
    let { packet, packetStart, packetEnd } = first;
    for (let index = 1; index < count; index++) {
      const { message } = deliveries[index] as Delivery;
      if (message.packet !== packet || message.packetStart !== packetEnd) {
        output.appendRange(packet as Uint8Array, packetStart, packetEnd);
        packet = message.packet;
        packetStart = message.packetStart;
      }
      packetEnd = message.packetEnd;
    }
    output.appendRange(packet as Uint8Array, packetStart, packetEnd);
    const { bytes } = output;
    let payloadBytes = 0;
    for (let index = 0; index < count; index++) {
      const { message, packetIdentifier } = deliveries[index] as Delivery;
      const at = position + message.identifierStart - message.packetStart;
      bytes[at] = packetIdentifier >> 8;
      bytes[at + 1] = packetIdentifier;
      position += message.packetEnd - message.packetStart;
      payloadBytes += message.payloadLength;
    }
    const { counters } = this.context;
    counters.messagesSent += count;
    counters.publishMessagesSent += count;
    counters.publishBytesSent += payloadBytes;
    this.#appended(output);
  }

  /** Appends acknowledgements with Reason Code 0 of the first `count` identifiers, in the short form that all versions have. */
  sendAcknowledges(type: PublishAcknowledgeType, identifiers: Uint16Array, count: number): void {
    if (this.state === 'closed' || count === 0) return;
    const output = this.#openOutput();
    writeShortAcknowledges(output, type, identifiers, count);
    this.context.counters.messagesSent += count;
    this.#appended(output);
  }

  /** Writes what was gathered. */
  flush(): void {
    this.#isFlushScheduled = false;
    const output = this.#output;
    if (output === undefined) return;
    this.#output = undefined;
    if (output.length === 0 || this.state === 'closed') {
      output.release();
      return;
    }
    this.#write(output.bytes.subarray(0, output.length), output.release);
  }

  #write(bytes: Uint8Array, released: (() => void) | undefined): void {
    const { counters, tap } = this.context;
    counters.bytesSent += bytes.length;
    if (tap.isActive) tap.chunk(this, 'broker', bytes);
    if (!this.transport.write(bytes, released)) this.#isCongested = true;
  }

  /** The transport has taken everything. */
  protected uncongested(): void {
    this.#isCongested = false;
  }

  /** The transport is closed: what was gathered goes nowhere. */
  protected discardOutput(): void {
    const output = this.#output;
    this.#output = undefined;
    output?.release();
  }

  #tooLarge(message: Message): boolean {
    this.context.counters.publishMessagesDropped++;
    this.context.counters.outboundTooLarge++;
    if (this.context.logsPackets) {
      this.context.log.write(
        'debug',
        `Dropped PUBLISH to ${this.name}: '${message.topicName}' (${message.payloadLength} bytes) is over its Maximum Packet Size of ${this.peerMaximumPacketSize}`,
      );
    }
    return false;
  }

  /** What cannot be encoded, or read back from the store, would fail again and again: it is dropped, and the log says why. */
  #unsendable(message: Message, error: unknown): boolean {
    if (!(error instanceof MqttError)) throw error;
    this.context.counters.publishMessagesDropped++;
    this.context.log.write(
      'error',
      `Dropped PUBLISH to ${this.name}: '${abridged(message.topicName)}' (${message.payloadLength} bytes) cannot be sent: ${error.message}.`,
    );
    return false;
  }

  #encodeForThisClient(
    output: OutputBuffer,
    message: Message,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[] | undefined,
  ): boolean {
    const start = output.length;
    const topicName = message.topicName.slice(this.listener.settings.mountPoint.length);
    const now = message.expiresAt === 0 ? 0 : this.context.clock.now();
    const append = (shownName: string, alias: number): boolean => {
      encodeMessage(output, message, shownName, this.version, qos, retain, subscriptionIdentifiers, alias, now);
      if (output.length - start <= this.peerMaximumPacketSize) return true;
      output.length = start;
      return false;
    };
    const known = this.outboundAliases?.get(topicName) ?? 0;
    if (known !== 0 && append('', known)) return true;
    const next = known === 0 ? (this.outboundAliases?.next ?? 0) : 0;
    if (next === 0 || !append(topicName, next)) return append(topicName, 0);
    // Only now that the client is going to hear of it.
    this.outboundAliases?.assign(topicName);
    return true;
  }

  #openOutput(): OutputBuffer {
    if (this.#output === undefined) this.#output = this.context.outputPool.take();
    return this.#output;
  }

  #appended(output: OutputBuffer): void {
    if (output.length >= flushBytes) {
      this.flush();
    } else if (!this.#isFlushScheduled) {
      this.#isFlushScheduled = true;
      this.context.outputTurn.add(this);
    }
  }

  #logAcknowledge(type: PublishAcknowledgeType, packetIdentifier: number, reasonCode: number): void {
    const text =
      type === PacketType.PUBACK
        ? `Sending PUBACK to ${this.name} (m${packetIdentifier}, rc${reasonCode})`
        : type === PacketType.PUBREC
          ? `Sending PUBREC to ${this.name} (m${packetIdentifier}, rc${reasonCode})`
          : type === PacketType.PUBREL
            ? `Sending PUBREL to ${this.name} (m${packetIdentifier})`
            : `Sending PUBCOMP to ${this.name} (m${packetIdentifier})`;
    this.context.log.write('debug', text);
  }
}

function withoutProblemInformation(packet: Packet): Packet {
  if (!('properties' in packet) || packet.properties === undefined) return packet;
  const { reasonString, userProperties, ...kept } = packet.properties as PropertiesOf<'CONNACK'>;
  return { ...packet, properties: Object.keys(kept).length === 0 ? undefined : kept } as Packet;
}
