/**
 * The client as programs see it, put together from its parts: `Lifecycle` (state, connections), `Outbox` (what goes out and must be
 * answered), `Inbox` (exactly once, acknowledgements), `MessageRouter` (for whom a message is), `FlowControl` (holding the server back),
 * `Subscriber`, `Requests`, `Pings`.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import { encodedBytes } from '../codec/index.ts';
import type { AcknowledgePacket, ConnackPacket, Packet, UnsubackPacket } from '../codec/packets.ts';
import { ConnectionClosedError, MqttError, OptionError, ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { type ProtocolVersion, packetIdentifierMax } from '../protocol/version.ts';
import { Reauthentication } from './authentication.ts';
import type { Dial } from './connect-attempt.ts';
import { Emitter } from './emitter.ts';
import { FlowControl } from './flow.ts';
import { closedByServer, connectPacketOf } from './handshake.ts';
import { Inbox } from './inbox.ts';
import type { IncomingMessage } from './incoming.ts';
import { endedError, Lifecycle } from './lifecycle.ts';
import type { Link } from './link.ts';
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
  /** Default: the system's. */
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
  const resolved = resolveConnectOptions(url, options, random);
  // What cannot be encoded is the caller's mistake, and known before anybody is bothered.
  encodedBytes(connectPacketOf(resolved, resolved.clientIdentifier, resolved.cleanStart), resolved.protocolVersion);
  const client = new MqttClient(resolved, dial, clock, random);
  await client.open();
  return client;
}

const noPublishOptions: PublishOptions = {};
/** What `publish` gives back for every message that was sent at once. */
const sentAtOnce: Promise<undefined> = Promise.resolve(undefined);
const ignoreOutcome = (): void => {};

class MqttClient implements Client {
  readonly protocolVersion: ProtocolVersion;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #lifecycle: Lifecycle;
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
  #isOverflowTold = false;
  #responseTopic: string | undefined;
  #drainWaiters: { resolve(): void; reject(error: Error): void }[] = [];

  constructor(options: ResolvedOptions, dial: Dial, clock: Clock, random: () => number) {
    const { protocolVersion: version, properties } = options;
    this.protocolVersion = version;
    this.#clock = clock;
    this.#random = random;
    this.#pings = new Pings(clock);
    this.#reauthentication = new Reauthentication(options);
    const { offlineQueueMax, useTopicAliases, receiveQueueMax } = options;
    const outbox = new Outbox(
      offlineQueueMax,
      useTopicAliases,
      () => this.#emit('drain'),
      () => this.#answered(),
    );
    this.#outbox = outbox;
    this.#publisher = new Publisher(outbox, version);
    const flow = new FlowControl(receiveQueueMax, clock, () => this.#awaitsAnswer);
    this.#flow = flow;
    const subscriptions = new Subscriptions();
    const events = {
      hasListener: (): boolean => this.#emitter.has('message'),
      tell: (message: IncomingMessage): void => this.#emit('message', message),
      failed: (error: Error): void => this.#emit('error', error),
      handlerFailed: (error: unknown): void => this.#handlerFailed(error),
    };
    const router = new MessageRouter(subscriptions, flow, clock, events, options.given.onMessage);
    this.#router = router;
    const { receiveMaximum = packetIdentifierMax, topicAliasMaximum = 0 } = properties ?? {};
    this.#inbox = new Inbox(receiveMaximum, topicAliasMaximum, (message) => this.#deliver(message));
    this.#subscriber = new Subscriber({ outbox, router, subscriptions, flow, clock, version, ...events });
    this.#requests = new Requests(this, clock, random);
    this.#lifecycle = new Lifecycle(options, dial, clock, random, {
      connected: (link, connack, isFirst) => this.#connected(link, connack, isFirst),
      packet: (link, packet) => this.#receive(link, packet),
      drain: () => outbox.pump(),
      idle: () => this.#checkDrained(),
      ping: (link) => this.#pings.send(link),
      connectionLost: (cause) => this.#connectionLost(cause),
      disconnected: (cause, willReconnect) => this.#emit('disconnect', cause, willReconnect),
      attemptFailed: (error) => this.#emit('error', error),
      closed: (reason, error) => this.#closed(reason, error),
    });
  }

  get state(): ClientState {
    return this.#lifecycle.state;
  }

  get clientIdentifier(): string {
    return this.#lifecycle.clientIdentifier;
  }

  get connack(): ConnackPacket {
    return this.#lifecycle.connack!;
  }

  get closed(): Promise<Error | undefined> {
    return this.#lifecycle.closed;
  }

  open(): Promise<void> {
    return this.#lifecycle.open();
  }

  // What the connection brings.

  #connected(link: Link, connack: ConnackPacket, isFirst: boolean): void {
    const { sessionPresent } = connack;
    if (isFirst && sessionPresent) this.#router.awaitClaims();
    this.#inbox.connected(link, sessionPresent);
    this.#outbox.connected(link, serverLimitsOf(connack), sessionPresent, () => {
      if (!sessionPresent) this.#subscriber.resubscribe();
    });
    this.#flow.connected(link);
    this.#emit('connect', connack);
  }

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
          if (this.#lifecycle.link !== link) return;
          this.#lifecycle.fail(error instanceof MqttError ? error : authenticationError(error));
        });
        this.#flow.answered();
        return;
      case PacketType.DISCONNECT:
        if (link.version !== 5) break;
        this.#lifecycle.dismissed(closedByServer(packet.reasonCode, packet.properties?.reasonString));
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

  #connectionLost(cause: Error): void {
    this.#flow.connectionLost();
    this.#inbox.connectionLost();
    this.#outbox.connectionLost();
    this.#pings.connectionLost(cause);
    this.#reauthentication.connectionLost(cause);
  }

  #closed(reason: Error, error: Error | undefined): void {
    // First of all: what fails below is settled, but that is not what they wait for.
    for (const waiter of this.#drainWaiters.splice(0)) waiter.reject(reason);
    this.#outbox.close(reason);
    this.#requests.close(reason);
    this.#subscriber.close(error);
    this.#router.close();
  }

  // What programs call.

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
      signal?.addEventListener('abort', onAbort);
      this.#outbox.publish(message);
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

  /** One Response Topic for all requests, below what the server suggests if it was asked. [MQTT 5.0 §3.2.2.3.15] */
  #ownResponseTopic(): string {
    const prefix = this.connack.properties?.responseInformation ?? 'clearwing/response';
    this.#responseTopic ??= `${prefix.replace(/\/$/, '')}/${randomText(20, this.#random)}`;
    return this.#responseTopic;
  }

  async ping(): Promise<number> {
    const { link } = this.#lifecycle;
    if (link === undefined) throw new ConnectionClosedError('there is no connection to send PINGREQ on');
    return new Promise((resolve, reject) => {
      this.#pings.send(link, (error, roundTripMs) => (error === undefined ? resolve(roundTripMs) : reject(error)));
    });
  }

  async reauthenticate(data?: Uint8Array): Promise<void> {
    const { link } = this.#lifecycle;
    if (link === undefined) throw new ConnectionClosedError('there is no connection to authenticate on');
    return this.#reauthentication.begin(link, data);
  }

  async drain(): Promise<void> {
    if (this.#isDrained) return;
    return new Promise((resolve, reject) => this.#drainWaiters.push({ resolve, reject }));
  }

  async end(
    options: { reasonCode?: ReasonCode; properties?: PropertiesOf<'DISCONNECT'>; force?: boolean } = {},
  ): Promise<void> {
    const { reasonCode = ReasonCode.success, properties, force = false } = options;
    const isFirst = this.#lifecycle.beginEnd();
    // If the connection is lost meanwhile there is nothing left to wait for.
    if (isFirst && !force) await this.drain().catch(ignoreOutcome);
    if (isFirst || force || this.#lifecycle.isOpen) this.#lifecycle.disconnect(reasonCode, properties);
    await this.closed;
  }

  destroy(): void {
    this.#lifecycle.close(undefined);
  }

  get #isDrained(): boolean {
    return this.#outbox.isEmpty && (this.#lifecycle.link?.isIdle ?? true);
  }

  #checkDrained(): void {
    if (this.#drainWaiters.length === 0 || !this.#isDrained) return;
    for (const waiter of this.#drainWaiters.splice(0)) waiter.resolve();
  }

  /** Whether somebody waits for what the server has to say, so that it must be listened to. */
  get #awaitsAnswer(): boolean {
    return this.#outbox.awaitsAnswer || this.#pings.awaitsAnswer || this.#reauthentication.awaitsAnswer;
  }

  #answered(): void {
    this.#flow.answered();
    this.#checkDrained();
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen) throw endedError();
  }

  // Events.

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

function authenticationError(error: Error): MqttError {
  return new MqttError('MQTT_ERR_REFUSED', `authenticate failed: ${error.message}`, {
    reasonCode: ReasonCode.notAuthorized,
    cause: error,
  });
}
