/**
 * A Network Connection from accept to close: bytes in, packets to their handlers, packets out, bytes gathered per turn.
 *
 *     awaiting-connect ──CONNECT──▶ authenticating ──CONNACK 0──▶ open ──▶ closing ──▶ closed
 *            └──────── refusal, time-out, fault ──────┴──────────┘  (closing: our last bytes are on their way)
 *
 * A handler that needs time returns a promise: nothing more is read from this connection until it is done, others go on.
 */
import { AssertionError } from '../base/assert.ts';
import { WheelTimer } from '../base/timer-wheel.ts';
import { connectReturnCode, encodeAcknowledge, encodePacket, PacketFramer, peekProtocolLevel } from '../codec/index.ts';
import type { Packet, PublishAcknowledgeType, WillMessage } from '../codec/packets.ts';
import type { InboundTopicAliases, OutboundTopicAliases } from '../exchange/topic-aliases.ts';
import { MalformedPacketError, MqttError, PacketTooLargeError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import type { Transport } from '../transport/transport.ts';
import type { ClientIdentity } from './auth.ts';
import type { BrokerContext } from './context.ts';
import { processPacket } from './dispatch.ts';
import type { EnhancedAuthentication } from './enhanced-authentication.ts';
import { behindBytes } from './flow-control.ts';
import { watch } from './hooks.ts';
import type { BrokerListener } from './listener.ts';
import type { Message } from './message.ts';
import { packetSizeLimit } from './options.ts';
import type { OutputBuffer } from './output-buffer.ts';
import type { Store } from './persistence/store.ts';
import { abridged } from './publish.ts';
import { QosZeroRelay } from './relay.ts';
import type { Session } from './session.ts';
import { encodeMessage, identifierOffset } from './wire-forms.ts';

export type ConnectionState = 'awaiting-connect' | 'authenticating' | 'open' | 'closing' | 'closed';

/** Nobody unauthenticated makes the broker keep more than this. */
const connectPacketSizeMax = 1024 * 1024;
/** Output is written before the end of the turn once there is this much of it. */
const flushBytes = 64 * 1024;
/** From this multiple of `max_outbound_buffer` on, which deliveries alone do not reach, a client is read no further. */
const stuffedShare = 2;
/** What waits for a connection (queued and retained messages) is handed to it up to this many unsent bytes. */
const drainBytesMax = 1024 * 1024;
/** So many refusals of one client are logged … */
const refusalLinesMax = 20;
/** … within this time. */
const refusalWindowMs = 10_000;

export class Connection {
  state: ConnectionState = 'awaiting-connect';
  readonly transport: Transport;
  readonly listener: BrokerListener;
  /** Known with the CONNECT; before it 4, which is what a refusal is then written in. */
  version: ProtocolVersion = 4;
  session: Session | undefined = undefined;
  identity: ClientIdentity | undefined = undefined;
  /** Seconds; 0 none. */
  keepAlive = 0;
  /** Bytes of the largest packet the client takes; Infinity if it named none. */
  peerMaximumPacketSize = Number.POSITIVE_INFINITY;
  /** Whether Reason Strings and User Properties may be put on acknowledgements. [MQTT-3.1.2-29] */
  wantsProblemInformation = true;
  willMessage: WillMessage | undefined = undefined;
  inboundAliases: InboundTopicAliases | undefined = undefined;
  outboundAliases: OutboundTopicAliases | undefined = undefined;
  authentication: EnhancedAuthentication | undefined = undefined;
  readonly framer = new PacketFramer();
  readonly relay: QosZeroRelay;
  readonly context: BrokerContext;
  readonly isOverLimit: boolean;
  #output: OutputBuffer | undefined = undefined;
  #isFlushScheduled = false;
  /** The transport asked to wait for its drain. */
  #isCongested = false;
  /** Packets wait in the framer, and nothing is read, while a handler is at work, receivers catch up or our answers are not taken. */
  #waitsFor: 'nothing' | 'handler' | 'receivers' | 'own output' = 'nothing';
  /** Unsent bytes when `own output` was last looked at. */
  #unsentBefore = 0;
  /** Acknowledgements that wait for the store. */
  #waitingForStore = 0;
  #refusals = 0;
  #refusalsSince = Number.NEGATIVE_INFINITY;
  #lastReceivedAt: number;
  readonly #watchdog: ConnectionWatchdog;

  /** @param isOverLimit it is one connection too many and is only here to be told so */
  constructor(context: BrokerContext, listener: BrokerListener, transport: Transport, isOverLimit = false) {
    this.isOverLimit = isOverLimit;
    this.context = context;
    this.listener = listener;
    this.transport = transport;
    this.relay = new QosZeroRelay(context, this);
    this.#lastReceivedAt = context.clock.monotonic();
    this.framer.maximumPacketSize = Math.min(connectPacketSizeMax, packetSizeLimit(context.settings));
    this.#watchdog = new ConnectionWatchdog(this);
    context.wheel.schedule(this.#watchdog, context.settings.connectTimeout * 1000);
    transport.start({
      data: (chunk) => this.receive(chunk),
      drain: () => this.#drained(),
      // At once, not after the transport has closed: what is published from now on is for an absent client.
      end: () => this.finish(`Client ${this.name} closed its connection`, true),
      close: (error) => this.#transportClosed(error),
    });
  }

  get isOpen(): boolean {
    return this.state === 'open';
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

  /** The CONNECT was accepted: from now on packets of the full size may come, and must within the keep alive. */
  opened(session: Session, keepAlive: number): void {
    this.state = 'open';
    this.session = session;
    this.keepAlive = keepAlive;
    this.framer.maximumPacketSize = packetSizeLimit(this.context.settings);
    this.context.wheel.cancel(this.#watchdog);
    if (keepAlive > 0) this.context.wheel.schedule(this.#watchdog, keepAlive * 1500);
  }

  receive(chunk: Uint8Array): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    this.context.counters.bytesReceived += chunk.length;
    this.#lastReceivedAt = this.context.clock.monotonic();
    this.framer.push(chunk);
    if (this.#waitsFor === 'nothing') this.#pump();
  }

  /** Works through the packets that are there. */
  #pump(): void {
    const { flow } = this.context;
    flow.forgetNoted();
    try {
      while (this.state !== 'closing' && this.state !== 'closed' && this.framer.next()) {
        const pending = processPacket(this);
        if (pending !== undefined) {
          this.#suspendUntil(pending);
          return;
        }
        if (this.#isCongested && this.#isStuffed()) return;
        if (flow.hasNoted && this.#isHeld()) return;
      }
      this.relay.flush();
      if (flow.hasNoted) this.#isHeld();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stops reading if a receiver of what was just published is worth waiting for. */
  #isHeld(): boolean {
    this.relay.flush();
    if (!this.context.flow.hold(this)) return false;
    this.#wait('receivers');
    return true;
  }

  /** Stops reading if our answers are not taken: a client that only asks would have us keep them all. */
  #isStuffed(): boolean {
    const { unsentBytes } = this;
    if (unsentBytes < this.context.settings.maxOutboundBufferBytes * stuffedShare) return false;
    this.relay.flush();
    this.#unsentBefore = unsentBytes;
    this.#wait('own output');
    return true;
  }

  #wait(what: 'handler' | 'receivers' | 'own output'): void {
    this.#waitsFor = what;
    this.transport.pause();
  }

  /** What was waited for has happened: the handler is done, the receivers have caught up or our answers were taken. */
  goOn(): void {
    this.#waitsFor = 'nothing';
    if (this.state === 'closing' || this.state === 'closed') return;
    this.transport.resume();
    this.#pump();
  }

  #suspendUntil(pending: Promise<void>): void {
    this.#wait('handler');
    pending.then(
      () => this.goOn(),
      (error) => {
        this.#waitsFor = 'nothing';
        this.#fail(error);
      },
    );
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
   */
  acknowledgeWhenSafe(
    type: PublishAcknowledgeType,
    packetIdentifier: number,
    reasonCode: ReasonCode,
    properties: PropertiesOf<'PUBACK'> | undefined,
    staged: number | undefined,
  ): void {
    const { store } = this.context;
    const isUntouched = staged === undefined || staged === store?.stagedCount;
    if (store === undefined || (isUntouched && this.#waitingForStore === 0)) {
      this.sendAcknowledge(type, packetIdentifier, reasonCode, properties);
      return;
    }
    this.whenSafe(store, () => this.sendAcknowledge(type, packetIdentifier, reasonCode, properties));
  }

  /** Sends something once the store is safe, in the order of the calls; not at all if the connection ends before. */
  whenSafe(store: Store, send: () => void): void {
    this.#waitingForStore++;
    store.whenSafe(() => {
      this.#waitingForStore--;
      if (this.state !== 'closing' && this.state !== 'closed') send();
    });
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
    wireForms.select(message, this.version, qos, retain, message.expiresAt === 0 ? 0 : clock.now());
    if (wireForms.end - wireForms.start > this.peerMaximumPacketSize) return false;
    output.appendRange(wireForms.bytes, wireForms.start, wireForms.end);
    return true;
  }

  /** Appends bytes that are PUBLISH packets of QoS 0 already, `count` of them with `payloadBytes` of payload. */
  sendRun(bytes: Uint8Array, start: number, end: number, count: number, payloadBytes: number): void {
    const output = this.#openOutput();
    output.appendRange(bytes, start, end);
    const { counters } = this.context;
    counters.messagesSent += count;
    counters.publishMessagesSent += count;
    counters.publishBytesSent += payloadBytes;
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
    this.context.counters.bytesSent += output.length;
    if (!this.transport.write(output.bytes.subarray(0, output.length), output.release)) this.#isCongested = true;
  }

  /**
   * Ends the connection from our side. An MQTT 5 client is told the Reason Code; the will is published. [MQTT-3.1.2-8]
   * @param line what the log says, without the final period
   */
  disconnect(reasonCode: ReasonCode, line: string, reasonString?: string): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    if (this.state === 'open' && this.version === 5) {
      this.send({
        type: PacketType.DISCONNECT,
        reasonCode,
        properties: reasonString !== undefined && this.wantsProblemInformation ? { reasonString } : undefined,
      });
    }
    this.#leave(line, true);
  }

  /** The client said DISCONNECT, or was refused: nothing more is to be said. */
  finish(line: string, publishesWill: boolean): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    this.#leave(line, publishesWill);
  }

  /** The last: flushes, lets the Session go and ends the transport once the bytes are out. */
  #leave(line: string, publishesWill: boolean): void {
    this.relay.abandon();
    this.flush();
    this.state = 'closing';
    this.#detach(line, publishesWill);
    this.transport.end();
  }

  /** Logs that the client was refused something. One that keeps trying fills no log: what is left out is counted. */
  warnOfRefusal(line: string): void {
    const { log, clock } = this.context;
    const now = clock.monotonic();
    if (now - this.#refusalsSince > refusalWindowMs) {
      if (this.#refusals > refusalLinesMax) {
        log.write(
          'warning',
          `${this.#refusals - refusalLinesMax} more refusals of client ${this.name} were not logged.`,
        );
      }
      this.#refusalsSince = now;
      this.#refusals = 0;
    }
    if (++this.#refusals <= refusalLinesMax) log.write('warning', line);
  }

  /** Time is up: no CONNECT in time, or silence for 1.5 × keep alive. [MQTT-3.1.2-22] */
  watchdogExpired(): void {
    if (this.state === 'awaiting-connect' || this.state === 'authenticating') {
      this.context.counters.connectTimeouts++;
      const what =
        this.identity === undefined ? `${this.peerName} sent no CONNECT` : `${this.name} was not authenticated`;
      this.finish(`Client ${what} within ${this.context.settings.connectTimeout} seconds, disconnecting`, false);
      return;
    }
    if (this.state !== 'open') return;
    if (this.#isSilentForUs()) this.#lastReceivedAt = this.context.clock.monotonic();
    const silentMs = this.context.clock.monotonic() - this.#lastReceivedAt;
    const allowedMs = this.keepAlive * 1500;
    if (silentMs < allowedMs) {
      this.context.wheel.schedule(this.#watchdog, allowedMs - silentMs);
      return;
    }
    this.context.counters.keepAliveTimeouts++;
    this.disconnect(ReasonCode.keepAliveTimeout, `Client ${this.name} has exceeded timeout, disconnecting`);
  }

  /** Whether it is we who do not read: for the sake of receivers, or while the client takes what we have for it. */
  #isSilentForUs(): boolean {
    if (this.#waitsFor !== 'own output') return this.#waitsFor === 'receivers';
    const before = this.#unsentBefore;
    this.#unsentBefore = this.unsentBytes;
    return this.#unsentBefore < before;
  }

  #transportClosed(error: Error | undefined): void {
    if (this.state === 'closed') return;
    if (this.state !== 'closing') {
      this.relay.abandon();
      this.#detach(
        error === undefined || isReset(error)
          ? `Client ${this.name} closed its connection`
          : `Client ${this.name} closed its connection: ${error.message}`,
        true,
      );
    }
    this.state = 'closed';
    const output = this.#output;
    this.#output = undefined;
    output?.release();
    this.listener.connections.delete(this);
    this.context.connectionClosed(this);
  }

  /** Lets go of the Session, with its will if it is due. */
  #detach(line: string, publishesWill: boolean): void {
    const { context, session, identity } = this;
    context.wheel.cancel(this.#watchdog);
    const isLogged = session === undefined || context.settings.connectionMessages;
    if (isLogged && line !== '') context.log.write('notice', `${line}.`);
    if (session === undefined || (session.connection !== this && session.claimant !== this)) return;
    context.counters.clientsConnected--;
    session.detached();
    const will = this.willMessage;
    this.willMessage = undefined;
    context.sessions.leave(session, publishesWill ? will : undefined);
    if (identity !== undefined && context.hooks.onDisconnect !== undefined) {
      // Nothing is logged of each client only when the broker stops.
      watch(context.log, context.hooks.onDisconnect(identity, line || 'The broker is shutting down'));
    }
  }

  #drained(): void {
    this.#isCongested = false;
    const { session } = this;
    if (session !== undefined) {
      session.drain();
      if (this.context.flow.isAwaited(session)) this.context.flow.release(session);
    }
    if (this.#waitsFor === 'own output') this.goOn();
  }

  #fail(error: unknown): void {
    if (error instanceof AssertionError) throw error;
    const { counters, log } = this.context;
    this.relay.abandon();
    if (!(error instanceof MqttError)) {
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.write('error', `Internal error while serving client ${this.name}: ${detail}`);
      this.disconnect(
        ReasonCode.implementationSpecificError,
        `Client ${this.name} disconnected due to an internal error`,
      );
      return;
    }
    const reasonCode = error.reasonCode ?? ReasonCode.unspecifiedError;
    let kind = 'protocol error';
    if (error instanceof PacketTooLargeError) {
      kind = 'oversize packet';
      counters.packetsTooLarge++;
    } else if (error instanceof MalformedPacketError) {
      kind = 'malformed packet';
      counters.malformedPackets++;
    } else {
      counters.protocolErrors++;
    }
    const rule = error.rule === undefined ? '' : ` [${error.rule}]`;
    if (this.state === 'awaiting-connect') this.#refuseConnect(reasonCode);
    else if (this.state === 'authenticating') this.#sendRefusal(reasonCode);
    const who = this.identity === undefined ? this.peerName : this.name;
    this.disconnect(reasonCode, `Client ${who} disconnected due to ${kind}: ${error.message}${rule}`, error.message);
  }

  /** A CONNECT that could not be read is answered if its sender would understand the answer. [MQTT-3.1.2-2] [MQTT-4.13.1-1] */
  #refuseConnect(reasonCode: ReasonCode): void {
    const { bytes, packetStart, bodyStart, end } = this.framer;
    const level = bytes[packetStart] === PacketType.CONNECT << 4 ? peekProtocolLevel(bytes, bodyStart, end) : undefined;
    if (level === undefined) return;
    const isUnknown = reasonCode === ReasonCode.unsupportedProtocolVersion;
    if (!isUnknown && level !== 5) return;
    if (level === 5) this.version = 5;
    if (isUnknown) {
      const { address } = this.transport.peer;
      this.context.log.write('information', `Invalid protocol version ${level & 0x7f} in CONNECT from ${address}.`);
    }
    this.#sendRefusal(reasonCode);
  }

  #sendRefusal(reasonCode: ReasonCode): void {
    const { log, logsPackets } = this.context;
    if (logsPackets) {
      const code = this.version === 5 ? reasonCode : connectReturnCode(reasonCode);
      log.write('debug', `Sending CONNACK to ${this.transport.peer.address} (0, ${code})`);
    }
    this.send({ type: PacketType.CONNACK, sessionPresent: false, reasonCode, properties: undefined });
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
      this.context.flushLater(this);
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

/** One timer per connection: first for the CONNECT, then for the keep alive, which it checks only when it might be over. */
class ConnectionWatchdog extends WheelTimer {
  readonly #connection: Connection;
  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }
  override onExpire(): void {
    this.#connection.watchdogExpired();
  }
}

/** The usual ways for a peer to be gone without a goodbye. */
function isReset(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function withoutProblemInformation(packet: Packet): Packet {
  if (!('properties' in packet) || packet.properties === undefined) return packet;
  const { reasonString, userProperties, ...kept } = packet.properties as PropertiesOf<'CONNACK'>;
  return { ...packet, properties: Object.keys(kept).length === 0 ? undefined : kept } as Packet;
}
