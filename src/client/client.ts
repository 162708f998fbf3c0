/**
 * The client: which state it is in, and who does what in it.
 *
 *                 ┌─────────── no attempt succeeded ──────────────────────────┐
 *                 │                                                           ▼
 *     connecting ─┴─accepted─▶ connected ──lost, no reconnect──────────────▶ closed
 *                                │ ▲  │                                       ▲
 *                           lost │ │  └──end──▶ closing ──sent, or lost───────┤
 *                                ▼ │ accepted                                 │
 *                             reconnecting ──given up, or end─────────────────┘
 *
 * `destroy` and an aborted signal lead from every state to closed. What goes out is the business of `Outbox`, what comes in that of
 * `Inbox` (exactly once, acknowledgements) and `MessageRouter` (for whom); `FlowControl` holds the server back.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { AcknowledgePacket, ConnackPacket, Packet, UnsubackPacket } from '../codec/packets.ts';
import { ConnectionClosedError, MqttError, OptionError, ProtocolError, TimeoutError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { type ProtocolVersion, packetIdentifierMax } from '../protocol/version.ts';
import { Reauthentication } from './authentication.ts';
import { attemptConnect, backOffMs, type Dial, mayGoBetter } from './connect-attempt.ts';
import { Emitter } from './emitter.ts';
import { FlowControl } from './flow.ts';
import { closedByServer, reasonCodeOf } from './handshake.ts';
import { Inbox } from './inbox.ts';
import type { IncomingMessage } from './incoming.ts';
import { KeepAlive } from './keep-alive.ts';
import type { Link, LinkHandlers } from './link.ts';
import { integer, type ResolvedOptions, randomText, resolveConnectOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import type { OutgoingMessage } from './outgoing.ts';
import { Pings } from './pings.ts';
import { Publisher } from './publishing.ts';
import { abortError, Requests } from './requests.ts';
import { MessageRouter } from './router.ts';
import { serverLimitsOf } from './server-limits.ts';
import { Subscriber } from './subscriber.ts';
import { Subscriptions } from './subscriptions.ts';
import type {
  Client,
  ClientEvents,
  ClientState,
  ConnectOptions,
  Endpoint,
  PublishOptions,
  ReceivedMessage,
  SubscribeOptions,
  Subscription,
} from './types.ts';

/** What differs between Node, the browser and a simulation. */
export interface Surroundings {
  readonly dial: Dial;
  readonly clock?: Clock;
  /** Numbers from 0 to below 1. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Connects, and resolves when the server accepted.
 * @throws {OptionError} an option is wrong
 * @throws {RefusedError} the server refused, with its `reasonCode`
 * @throws {MqttError} `MQTT_ERR_CONNECTION_FAILED` with the system's error as `cause`, or another that says what went wrong
 */
export async function openClient(
  url: string | Endpoint,
  options: ConnectOptions,
  surroundings: Surroundings,
): Promise<Client> {
  const { dial, clock = systemClock, random = Math.random } = surroundings;
  const client = new MqttClient(resolveConnectOptions(url, options, random), dial, clock, random);
  await client.open();
  return client;
}

const noPublishOptions: PublishOptions = {};
/** What `publish` gives back for every message that was sent at once. */
const sentAtOnce: Promise<undefined> = Promise.resolve(undefined);
const ignoreOutcome = (): void => {};
const ignoringHandlers: LinkHandlers = {
  packet: () => {},
  drain: () => {},
  idle: () => {},
  fault: () => {},
  close: () => {},
};

class MqttClient implements Client {
  readonly closed: Promise<Error | undefined>;
  readonly #options: ResolvedOptions;
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #emitter = new Emitter<ClientEvents>();
  readonly #outbox: Outbox;
  readonly #publisher: Publisher;
  readonly #inbox: Inbox;
  readonly #router: MessageRouter;
  readonly #subscriber: Subscriber;
  readonly #flow: FlowControl;
  readonly #pings: Pings;
  readonly #requests: Requests;
  readonly #reauthentication: Reauthentication;
  /** Ends the attempt under way and the wait for the next one. */
  readonly #stopper = new AbortController();
  #state: ClientState = 'connecting';
  #clientIdentifier: string;
  #connack: ConnackPacket | undefined;
  #link: Link | undefined;
  #keepAlive: KeepAlive | undefined;
  #isOverflowTold = false;
  #drainWaiters: { resolve(): void; reject(error: Error): void }[] = [];
  #resolveClosed!: (error: Error | undefined) => void;
  /** Resolves when the connection that is being ended has ended. */
  #linkClosed: (() => void) | undefined;

  constructor(options: ResolvedOptions, dial: Dial, clock: Clock, random: () => number) {
    this.#options = options;
    this.#dial = dial;
    this.#clock = clock;
    this.#random = random;
    this.#clientIdentifier = options.clientIdentifier;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const { protocolVersion: version, properties } = options;
    this.#pings = new Pings(clock);
    this.#reauthentication = new Reauthentication(options);
    this.#outbox = new Outbox(
      options.offlineQueueMax,
      options.useTopicAliases,
      () => this.#emit('drain'),
      () => this.#answered(),
    );
    this.#publisher = new Publisher(this.#outbox, version);
    const awaitsAnswer = (): boolean =>
      this.#outbox.awaitsAnswer || this.#pings.awaitsAnswer || this.#reauthentication.awaitsAnswer;
    this.#flow = new FlowControl(options.receiveQueueMax, clock, awaitsAnswer);
    const subscriptions = new Subscriptions();
    const hasListener = (): boolean => this.#emitter.has('message');
    const handlerFailed = (error: unknown): void => this.#handlerFailed(error);
    const events = {
      hasListener,
      failed: handlerFailed,
      tell: (message: IncomingMessage) => this.#emit('message', message),
    };
    this.#router = new MessageRouter(subscriptions, this.#flow, clock, events, options.given.onMessage);
    this.#inbox = new Inbox(
      properties?.receiveMaximum ?? packetIdentifierMax,
      properties?.topicAliasMaximum ?? 0,
      (message) => this.#deliver(message),
    );
    const { outbox, router, flow } = { outbox: this.#outbox, router: this.#router, flow: this.#flow };
    const failed = (error: Error): void => this.#emit('error', error);
    const parts = { outbox, router, subscriptions, flow, clock, version, hasListener, failed, handlerFailed };
    this.#subscriber = new Subscriber(parts);
    this.#requests = new Requests(this, clock, random);
    options.given.signal?.addEventListener('abort', this.#onAbort);
  }

  get state(): ClientState {
    return this.#state;
  }

  get clientIdentifier(): string {
    return this.#clientIdentifier;
  }

  get protocolVersion(): ProtocolVersion {
    return this.#options.protocolVersion;
  }

  get connack(): ConnackPacket {
    return this.#connack!;
  }

  // ── Connecting ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The first connection. */
  async open(): Promise<void> {
    const { signal } = this.#options.given;
    try {
      if (signal?.aborted) throw abortError(signal);
      await this.#connect(true);
    } catch (error) {
      this.#close(error as Error);
      throw error;
    }
  }

  /** Tries until a connection is accepted; rejects with the last error. */
  async #connect(isFirst: boolean): Promise<void> {
    const policy = this.#options.reconnect;
    for (let failures = 0; ; ) {
      if (!isFirst || failures > 0)
        await this.#wait(backOffMs(policy!, isFirst ? failures - 1 : failures, this.#random));
      try {
        await attemptConnect({
          options: this.#options,
          dial: this.#dial,
          clock: this.#clock,
          clientIdentifier: this.#clientIdentifier,
          cleanStart: this.#cleanStart(isFirst),
          signal: this.#stopper.signal,
          accepted: (link, connack) => this.#connected(link, connack, isFirst),
        });
        return;
      } catch (error) {
        failures++;
        const mayRetry = policy !== undefined && (!isFirst || policy.initially) && failures < policy.attemptsMax;
        if (!mayRetry || this.#stopper.signal.aborted || !mayGoBetter(error, isFirst)) throw error;
        this.#emit('error', error as Error);
      }
    }
  }

  /** A Session that outlived its connection is to be resumed, whatever the first connection wanted. */
  #cleanStart(isFirst: boolean): boolean {
    if (isFirst) return this.#options.cleanStart;
    const expiry =
      this.#connack!.properties?.sessionExpiryInterval ?? this.#options.properties?.sessionExpiryInterval ?? 0;
    return expiry > 0 ? false : this.#options.cleanStart;
  }

  #wait(delayMs: number): Promise<void> {
    const { signal } = this.#stopper;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const timer = this.#clock.setTimer(delayMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      const onAbort = (): void => {
        this.#clock.clearTimer(timer);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort);
    });
  }

  /** In the turn of the CONNACK. */
  #connected(link: Link, connack: ConnackPacket, isFirst: boolean): void {
    this.#state = 'connected';
    this.#link = link;
    this.#connack = connack;
    const { properties, sessionPresent } = connack;
    if (properties?.assignedClientIdentifier !== undefined)
      this.#clientIdentifier = properties.assignedClientIdentifier;
    link.handlers = {
      packet: (packet) => this.#receive(link, packet),
      drain: () => this.#outbox.pump(),
      idle: () => this.#checkDrained(),
      fault: (error) => this.#fault(error),
      close: (error) => this.#lost(error === undefined ? undefined : lostError(error)),
    };
    this.#keepAlive = new KeepAlive(
      link,
      this.#clock,
      properties?.serverKeepAlive ?? this.#options.keepAlive,
      () => this.#pings.send(link),
      () => {
        link.destroy();
        this.#lost(new TimeoutError('the server did not answer within the keep alive time'));
      },
    );
    if (isFirst && sessionPresent) this.#router.awaitClaims();
    this.#inbox.connected(link, sessionPresent);
    this.#outbox.connected(link, serverLimitsOf(connack), sessionPresent, () => {
      if (!sessionPresent) this.#subscriber.resubscribe();
    });
    this.#flow.connected(link);
    this.#emit('connect', connack);
  }

  // ── The connection ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(link: Link, packet: Packet): void {
    switch (packet.type) {
      case PacketType.PUBLISH:
        this.#inbox.receive(packet);
        return;
      case PacketType.PUBACK:
      case PacketType.PUBREC:
      case PacketType.PUBCOMP:
        this.#outbox.acknowledged(packet);
        return;
      case PacketType.PUBREL:
        this.#inbox.released(packet);
        return;
      case PacketType.SUBACK:
      case PacketType.UNSUBACK:
        this.#outbox.answered(packet);
        return;
      case PacketType.PINGRESP:
        this.#pings.answered();
        this.#flow.answered();
        return;
      case PacketType.AUTH:
        this.#reauthentication.received(link, packet).catch((error: Error) => {
          if (this.#link === link) this.#fault(error instanceof MqttError ? error : authenticationError(error));
        });
        this.#flow.answered();
        return;
      case PacketType.DISCONNECT:
        if (link.version !== 5) break;
        link.destroy();
        this.#lost(closedByServer(packet.reasonCode, packet.properties?.reasonString));
        return;
    }
    throw new ProtocolError('a packet that a server must not send now');
  }

  #deliver(message: IncomingMessage): void {
    if (message.qos === 0 && this.#flow.isOverflowing) {
      if (!this.#isOverflowTold) {
        const text = 'messages at QoS 0 are dropped: a handler that waits for the server has not taken those before';
        this.#emit('error', new MqttError('MQTT_ERR_QUEUE_FULL', text));
      }
      this.#isOverflowTold = true;
      return;
    }
    this.#isOverflowTold = false;
    this.#router.deliver(message);
  }

  /** What came is not MQTT, or not allowed. */
  #fault(error: MqttError): void {
    const link = this.#link;
    if (link === undefined) return;
    if (link.version === 5) this.#sendDisconnect(link, reasonCodeOf(error), undefined);
    link.end();
    this.#lost(error);
  }

  #sendDisconnect(link: Link, reasonCode: ReasonCode, properties: PropertiesOf<'DISCONNECT'> | undefined): void {
    link.send({ type: PacketType.DISCONNECT, reasonCode, properties });
  }

  /** The connection is gone; `undefined` if it ended in an orderly way. */
  #lost(error: Error | undefined): void {
    const link = this.#link;
    if (link === undefined) {
      this.#linkClosed?.();
      return;
    }
    const cause = error ?? new ConnectionClosedError('the server closed the connection');
    this.#leaveConnection(cause);
    if (this.#state === 'closing') {
      this.#close(cause);
      return;
    }
    const { reconnect } = this.#options;
    // The other side of a take-over came later and has the right to stay.
    const isTakenOver = cause instanceof ConnectionClosedError && cause.reasonCode === ReasonCode.sessionTakenOver;
    const willReconnect = reconnect !== undefined && !isTakenOver;
    if (willReconnect) this.#state = 'reconnecting';
    this.#emit('disconnect', cause, willReconnect);
    if (willReconnect) this.#connect(false).catch((failure: Error) => this.#close(failure));
    else this.#close(cause);
  }

  #leaveConnection(cause: Error): void {
    this.#link!.handlers = ignoringHandlers;
    this.#link = undefined;
    this.#keepAlive?.stop();
    this.#flow.connectionLost();
    this.#inbox.connectionLost();
    this.#outbox.connectionLost();
    this.#pings.connectionLost(cause);
    this.#reauthentication.connectionLost(cause);
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async end(
    options: { reasonCode?: ReasonCode; properties?: PropertiesOf<'DISCONNECT'>; force?: boolean } = {},
  ): Promise<void> {
    if (this.#state === 'closing' || this.#state === 'closed') {
      if (options.force && this.#state === 'closing') this.#goodbye(options.reasonCode, options.properties);
      await this.closed;
      return;
    }
    if (this.#link === undefined) return this.#close(undefined);
    this.#state = 'closing';
    // If the connection is lost meanwhile there is nothing left to wait for.
    if (!options.force) await this.drain().catch(ignoreOutcome);
    this.#goodbye(options.reasonCode, options.properties);
    await this.closed;
  }

  /** Sends DISCONNECT and waits for the stream to end. */
  #goodbye(reasonCode: ReasonCode = ReasonCode.success, properties?: PropertiesOf<'DISCONNECT'>): void {
    const link = this.#link;
    if (link === undefined) return;
    this.#sendDisconnect(link, reasonCode, properties);
    this.#leaveConnection(new ConnectionClosedError('the client was ended'));
    link.handlers = { ...ignoringHandlers, close: () => this.#close(undefined) };
    link.end();
  }

  destroy(): void {
    this.#close(undefined);
  }

  readonly #onAbort = (): void => {
    this.#state = this.#state === 'closed' ? 'closed' : 'closing';
    if (this.#link !== undefined) {
      const link = this.#link;
      this.#sendDisconnect(link, ReasonCode.success, undefined);
      this.#leaveConnection(abortError(this.#options.given.signal!));
      link.end();
    }
    this.#close(abortError(this.#options.given.signal!));
  };

  /** For good. */
  #close(error: Error | undefined): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.given.signal?.removeEventListener('abort', this.#onAbort);
    const reason = error ?? new ConnectionClosedError('the client was ended');
    const link = this.#link;
    if (link !== undefined) {
      this.#leaveConnection(reason);
      link.destroy();
    }
    this.#stopper.abort(reason);
    this.#outbox.close(reason);
    this.#requests.close(reason);
    this.#subscriber.close(error);
    this.#router.close();
    for (const waiter of this.#drainWaiters.splice(0)) waiter.reject(reason);
    this.#resolveClosed(error);
  }

  // ── What programs call ───────────────────────────────────────────────────────────────────────────────────────────────────────

  publish(
    topicName: string,
    payload: string | Uint8Array,
    options: PublishOptions = noPublishOptions,
  ): Promise<AcknowledgePacket | undefined> {
    try {
      this.#checkOpen();
      const { signal } = options;
      if (signal?.aborted) throw abortError(signal);
      if ((options.qos ?? 0) === 0 && this.#outbox.canSendNow) {
        this.#outbox.sendNow(this.#publisher.message(topicName, payload, options, ignoreOutcome));
        return sentAtOnce;
      }
      return this.#publishAndWait(topicName, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #publishAndWait(
    topicName: string,
    payload: string | Uint8Array,
    options: PublishOptions,
  ): Promise<AcknowledgePacket | undefined> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      let message: OutgoingMessage;
      // What was sent cannot be called back, but nobody has to wait for its acknowledgement.
      const onAbort = (): void => {
        message.isAborted = true;
        reject(abortError(signal!));
      };
      message = this.#publisher.message(topicName, payload, options, (error, answer) => {
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve(answer);
        else reject(error);
      });
      this.#outbox.publish(message);
      signal?.addEventListener('abort', onAbort);
    });
  }

  publishNow(topicName: string, payload: string | Uint8Array, options: PublishOptions = noPublishOptions): boolean {
    this.#checkOpen();
    const message = this.#publisher.message(topicName, payload, options, this.#publishedNow);
    if (message.qos === 0 && this.#outbox.canSendNow) this.#outbox.sendNow(message);
    else this.#outbox.publish(message);
    return !this.#outbox.isFull;
  }

  readonly #publishedNow = (error: Error | undefined): void => {
    if (error !== undefined) this.#emit('error', error);
  };

  async subscribe(topicFilters: string | readonly string[], options: SubscribeOptions = {}): Promise<Subscription> {
    this.#checkOpen();
    return this.#subscriber.subscribe(topicFilters, options);
  }

  async unsubscribe(
    topicFilters: string | readonly string[],
    options: { properties?: PropertiesOf<'UNSUBSCRIBE'> } = {},
  ): Promise<UnsubackPacket> {
    this.#checkOpen();
    return this.#subscriber.unsubscribeFilters(topicFilters, options.properties);
  }

  async request(
    topicName: string,
    payload: string | Uint8Array,
    options: PublishOptions & { timeoutMs?: number; responseTopic?: string } = {},
  ): Promise<ReceivedMessage> {
    this.#checkOpen();
    if (this.protocolVersion !== 5) throw new OptionError('request needs MQTT 5: only it has Response Topics');
    const timeoutMs = integer('timeoutMs', options.timeoutMs, 10_000, 1, 2_147_483_647, 'milliseconds');
    const responseTopic = options.responseTopic ?? this.#ownResponseTopic();
    return this.#requests.request(topicName, payload, responseTopic, options, timeoutMs);
  }

  #responseTopic: string | undefined;

  /** One Response Topic for all requests, below what the server suggests if it was asked. [MQTT 5.0 §3.2.2.3.15] */
  #ownResponseTopic(): string {
    const prefix = this.#connack?.properties?.responseInformation ?? 'clearwing/response';
    this.#responseTopic ??= `${prefix.replace(/\/$/, '')}/${randomText(20, this.#random)}`;
    return this.#responseTopic;
  }

  async ping(): Promise<number> {
    const link = this.#link;
    if (link === undefined) throw new ConnectionClosedError('there is no connection to send PINGREQ on');
    return new Promise((resolve, reject) => {
      this.#pings.send(link, (error, roundTripMs) => (error === undefined ? resolve(roundTripMs) : reject(error)));
    });
  }

  async reauthenticate(data?: Uint8Array): Promise<void> {
    const link = this.#link;
    if (link === undefined) throw new ConnectionClosedError('there is no connection to authenticate on');
    return this.#reauthentication.begin(link, data);
  }

  async drain(): Promise<void> {
    if (this.#isDrained) return;
    return new Promise((resolve, reject) => this.#drainWaiters.push({ resolve, reject }));
  }

  get #isDrained(): boolean {
    return this.#outbox.isEmpty && (this.#link?.isIdle ?? true);
  }

  #checkDrained(): void {
    if (this.#drainWaiters.length === 0 || !this.#isDrained) return;
    for (const waiter of this.#drainWaiters.splice(0)) waiter.resolve();
  }

  #answered(): void {
    this.#flow.answered();
    this.#checkDrained();
  }

  #checkOpen(): void {
    if (this.#state === 'closing' || this.#state === 'closed') {
      throw new ConnectionClosedError('the client was ended');
    }
  }

  // ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  on<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): this {
    this.#emitter.on(event, listener);
    if (event === 'message') this.#router.listenerAdded();
    return this;
  }

  off<E extends keyof ClientEvents>(event: E, listener: ClientEvents[E]): this {
    this.#emitter.off(event, listener);
    return this;
  }

  #emit<E extends keyof ClientEvents>(event: E, ...values: Parameters<ClientEvents[E]>): void {
    const listeners = this.#emitter.of(event);
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        (listener as (...values: Parameters<ClientEvents[E]>) => void)(...values);
      } catch (error) {
        this.#throwLater(error);
      }
    }
  }

  /** A callback of the program threw: it hears of it as an `error` event, or else as if it had thrown at the top. */
  #handlerFailed(error: unknown): void {
    if (this.#emitter.has('error')) this.#emit('error', error instanceof Error ? error : new Error(String(error)));
    else this.#throwLater(error);
  }

  /** Not through the client, which would be left in the middle of something. */
  #throwLater(error: unknown): void {
    this.#clock.defer(() => {
      throw error;
    });
  }
}

function lostError(error: Error): ConnectionClosedError {
  return new ConnectionClosedError(`the connection was lost: ${error.message}`, undefined, error);
}

function authenticationError(error: Error): MqttError {
  return new MqttError('MQTT_ERR_REFUSED', `authenticate failed: ${error.message}`, {
    reasonCode: ReasonCode.notAuthorized,
    cause: error,
  });
}
