/**
 * A Network Connection from accept to close: bytes in, packets to their handlers, packets out, bytes gathered per turn.
 *
 *     awaiting-connect ──CONNECT──▶ authenticating ──CONNACK 0──▶ open ──▶ closing ──▶ closed
 *            └──────── refusal, time-out, fault ──────┴──────────┘  (closing: our last bytes are on their way)
 *
 * A handler that needs time returns a promise: nothing more is read from this connection until it is done, others go on.
 */
import { AssertionError } from '../base/assert.ts';
import { connectReturnCode, type PacketFramer, peekProtocolLevel } from '../codec/index.ts';
import type { WillMessage } from '../codec/packets.ts';
import type { InboundTopicAliases } from '../exchange/topic-aliases.ts';
import { MalformedPacketError, MqttError, PacketTooLargeError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { Transport, TransportHandlers } from '../transport/transport.ts';
import type { BrokerContext } from './context.ts';
import { processPacket } from './dispatch.ts';
import type { EnhancedAuthentication } from './enhanced-authentication.ts';
import { watch } from './hooks.ts';
import type { BrokerListener } from './listener.ts';
import { packetSizeLimit } from './options.ts';
import { PacketOutput } from './packet-output.ts';
import { KnownTopic } from './quick-way.ts';
import { QosZeroRelay } from './relay.ts';
import type { Session } from './session.ts';

/** Nobody unauthenticated makes the broker keep more than this. */
const connectPacketSizeMax = 1024 * 1024;
/** From this multiple of `max_outbound_buffer` on, which deliveries alone do not reach, a client is read no further. */
const stuffedShare = 2;
/** So many refusals of one client are logged … */
const refusalLinesMax = 20;
/** … within this time. */
const refusalWindowMs = 10_000;

export class Connection extends PacketOutput implements TransportHandlers {
  /** Seconds; 0 none. */
  keepAlive = 0;
  willMessage: WillMessage | undefined = undefined;
  inboundAliases: InboundTopicAliases | undefined = undefined;
  authentication: EnhancedAuthentication | undefined = undefined;
  readonly isOverLimit: boolean;
  /** Packets wait in the framer, and nothing is read, while a handler is at work, receivers catch up or our answers are not taken. */
  #waitsFor: 'nothing' | 'handler' | 'receivers' | 'own output' = 'nothing';
  /** Unsent bytes when `own output` was last looked at. */
  #unsentBefore = 0;
  /** Only while there are bytes that have not been worked through. */
  #framer: PacketFramer | undefined = undefined;
  /** Bytes of the largest packet that is accepted. */
  #packetSizeMax: number;
  /** Made with the first message that takes the quick way: many clients only listen. */
  #relay: QosZeroRelay | undefined = undefined;
  /** Made with the first message that takes a quick way. */
  #knownTopic: KnownTopic | undefined = undefined;
  #refusals: { count: number; readonly since: number } | undefined = undefined;
  #lastReceivedAt: number;

  /** @param isOverLimit it is one connection too many and is only here to be told so */
  constructor(context: BrokerContext, listener: BrokerListener, transport: Transport, isOverLimit = false) {
    super(context, listener, transport);
    this.isOverLimit = isOverLimit;
    this.#lastReceivedAt = context.clock.monotonic();
    this.#packetSizeMax = Math.min(connectPacketSizeMax, packetSizeLimit(context.settings));
    context.wheel.schedule(this, context.settings.connectTimeout * 1000);
    if (context.tap.isActive) context.tap.opened(this);
    transport.start(this);
  }

  /** Stands at the packet that is being handled. */
  get framer(): PacketFramer {
    // Which version it is to be is known from the CONNECT on; until then the strictest fits all.
    this.#framer ??= this.context.framerPool.take(this.#packetSizeMax, this.protocolLevel ?? 5);
    return this.#framer;
  }

  /** The quick way of QoS 0. */
  get relay(): QosZeroRelay {
    this.#relay ??= new QosZeroRelay(this.context, this);
    return this.#relay;
  }

  /** The topic that its client published to last. */
  get knownTopic(): KnownTopic {
    this.#knownTopic ??= new KnownTopic();
    return this.#knownTopic;
  }

  /** Sends what the relay has gathered on its way, before anything that came later. */
  flushRelay(): void {
    this.#relay?.flush();
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** The CONNECT was accepted: from now on packets of the full size may come, and must within the keep alive. */
  opened(session: Session, keepAlive: number): void {
    this.state = 'open';
    this.session = session;
    this.keepAlive = keepAlive;
    this.#packetSizeMax = packetSizeLimit(this.context.settings);
    this.framer.maximumPacketSize = this.#packetSizeMax;
    this.context.wheel.cancel(this);
    if (keepAlive > 0) this.context.wheel.schedule(this, keepAlive * 1500);
  }

  /** The transport has bytes. */
  data(chunk: Uint8Array): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    const { tap, outputTurn } = this.context;
    if (tap.isActive) tap.chunk(this, 'client', chunk);
    this.context.counters.bytesReceived += chunk.length;
    this.#lastReceivedAt = outputTurn.chunkBegins();
    this.framer.push(chunk);
    if (this.#waitsFor === 'nothing') this.#pump();
    outputTurn.chunkEnds();
  }

  /** Works through the packets that are there. */
  #pump(): void {
    const { framer } = this;
    const { flow, framerPool } = this.context;
    flow.forgetNoted();
    try {
      while (this.state !== 'closing' && this.state !== 'closed' && framer.next()) {
        const pending = processPacket(this);
        if (pending !== undefined) {
          this.#suspendUntil(pending);
          return;
        }
        if (this.isCongested && this.#isStuffed()) return;
        if (flow.hasNoted && this.#isHeld()) return;
      }
      this.flushRelay();
      // In its other states it holds the packet that was the last, and nobody needs it.
      if (framer.bufferedBytes === 0 && this.state !== 'closing' && this.state !== 'closed') {
        this.#framer = undefined;
        framerPool.put(framer);
      }
      if (flow.hasNoted) this.#isHeld();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Stops reading if a receiver of what was just published is worth waiting for. */
  #isHeld(): boolean {
    this.flushRelay();
    if (!this.context.flow.hold(this)) return false;
    this.#wait('receivers');
    return true;
  }

  /** Stops reading if our answers are not taken: a client that only asks would have us keep them all. */
  #isStuffed(): boolean {
    const { unsentBytes } = this;
    if (unsentBytes < this.context.settings.maxOutboundBufferBytes * stuffedShare) return false;
    this.flushRelay();
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

  /** The client will send no more. At once, not after the transport has closed: what is published from now on is for an absent client. */
  end(): void {
    if (this.context.tap.isActive) this.context.tap.ended(this, 'client');
    this.finish(`Client ${this.name} closed its connection`, true);
  }

  /** The client said DISCONNECT, or was refused: nothing more is to be said. */
  finish(line: string, publishesWill: boolean): void {
    if (this.state === 'closing' || this.state === 'closed') return;
    this.#leave(line, publishesWill);
  }

  /** The last: flushes, lets the Session go and ends the transport once the bytes are out. */
  #leave(line: string, publishesWill: boolean): void {
    this.flushRelay();
    this.flush();
    this.state = 'closing';
    this.#detach(line, publishesWill);
    if (this.context.tap.isActive) this.context.tap.ended(this, 'broker');
    this.transport.end();
  }

  /** Logs that the client was refused something. One that keeps trying fills no log: what is left out is counted. */
  warnOfRefusal(line: string): void {
    const { log, clock } = this.context;
    const now = clock.monotonic();
    let refusals = this.#refusals;
    if (refusals === undefined || now - refusals.since > refusalWindowMs) {
      const unlogged = (refusals?.count ?? 0) - refusalLinesMax;
      if (unlogged > 0) log.write('warning', `${unlogged} more refusals of client ${this.name} were not logged.`);
      refusals = { count: 0, since: now };
      this.#refusals = refusals;
    }
    if (++refusals.count <= refusalLinesMax) log.write('warning', line);
  }

  /**
   * Time is up: no CONNECT in time, or silence for 1.5 × keep alive. [MQTT-3.1.2-22] The timer runs for the CONNECT first and for the keep
   * alive then, which is looked at only when it might be over.
   */
  override onExpire(): void {
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
      this.context.wheel.schedule(this, allowedMs - silentMs);
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

  /** The transport is closed. */
  close(error: Error | undefined): void {
    if (this.state === 'closed') return;
    if (this.state !== 'closing') {
      this.flushRelay();
      this.#detach(
        error === undefined || isReset(error)
          ? `Client ${this.name} closed its connection`
          : `Client ${this.name} closed its connection: ${error.message}`,
        true,
      );
    }
    if (this.context.tap.isActive) this.context.tap.closed(this, error !== undefined);
    this.state = 'closed';
    this.discardOutput();
    if (!this.isOverLimit) this.listener.connectionCount--;
    this.context.connectionClosed(this);
  }

  /** Lets go of the Session, with its will if it is due. */
  #detach(line: string, publishesWill: boolean): void {
    const { context, session, identity } = this;
    context.wheel.cancel(this);
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

  /** The transport has taken all that it was given. */
  drain(): void {
    this.uncongested();
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
    this.flushRelay();
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
}

/** The usual ways for a peer to be gone without a goodbye. */
function isReset(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === 'ECONNRESET' || code === 'EPIPE';
}
