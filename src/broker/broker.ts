/**
 * The broker, put together: the only file that sees all the rest.
 *
 *     listeners ─▶ Connection ─▶ dispatch ─▶ connect / subscribe / publish ─▶ Routes ─▶ Session ─▶ Connection
 *                                                                 └▶ RetainedMessages
 */
import { type Clock, systemClock, type TimerHandle } from '../base/clock.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { encodedBytes } from '../codec/index.ts';
import { OptionError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { isTopicName } from '../protocol/topics.ts';
import type { QoS } from '../protocol/version.ts';
import type { Transport } from '../transport/transport.ts';
import { type Authority, openAuthority } from './auth.ts';
import { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { Counters } from './counters.ts';
import { FlowControl } from './flow-control.ts';
import { FramerPool } from './framer-pool.ts';
import { withHooks } from './hook-authority.ts';
import { type BrokerHooks, guardedHooks } from './hooks.ts';
import { openSockets } from './listen.ts';
import { BrokerListener } from './listener.ts';
import { type Log, silentLog } from './log.ts';
import { Message, type MessageProperties } from './message.ts';
import {
  type BrokerSettings,
  defaultListenerSettings,
  type ListenerSettings,
  resolveListenerSettings,
  resolveSettings,
} from './options.ts';
import { OutputPool } from './output-buffer.ts';
import { OutputTurn } from './output-turn.ts';
import { restoreState } from './persistence/restore.ts';
import type { Store } from './persistence/store.ts';
import { StoreTimeoutError } from './persistence/store-timeout.ts';
import { isProcessorLimited } from './processor-limit.ts';
import { RetainedMessages } from './retained.ts';
import { deliverAll } from './route-delivery.ts';
import { type Route, Routes } from './routes.ts';
import type { Session } from './session.ts';
import type { SessionOutput } from './session-output.ts';
import { Sessions } from './sessions.ts';
import { StatusPublisher } from './status.ts';
import { CaptureFile, type CaptureFileOptions } from './tap/capture-file.ts';
import { Tap } from './tap/tap.ts';
import { TapFeed } from './tap/tap-feed.ts';
import { WireForms } from './wire-forms.ts';

export interface CreateBrokerOptions {
  /** What differs from `defaultBrokerSettings`. */
  readonly settings?: Partial<BrokerSettings>;
  /** What differs from `defaultListenerSettings`, for each listener. Default: one on port 1883 of the local machine only. */
  readonly listeners?: readonly Partial<ListenerSettings>[];
  /** Access rules. Default: everyone may do everything. */
  readonly authority?: Authority;
  readonly hooks?: BrokerHooks;
  /** Default: silent. */
  readonly log?: Log;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Keeps persistent Sessions and retained messages beyond the process. Default: nothing does. */
  readonly store?: Store;
  /** What `$SYS/broker/version` says. Default `clearwing`. */
  readonly version?: string;
}

export interface BrokerPublishOptions {
  /** Default 0. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  readonly properties?: MessageProperties & { readonly messageExpiryInterval?: number };
}

/** `full` connections beyond a limit are still told so in a CONNACK; more than this many more are just closed. */
const overLimitMax = 16;
const queueWarningIntervalMs = 60_000;
const memoryCheckIntervalMs = 1000;
/** What a store gets at the end even where clients get nothing. */
const storeSecondsMin = 1;
/** So much fits into a packet beside the largest topic, and enough of the properties that are added on the way. */
const payloadBytesMax = 256 * 1024 * 1024 - 128 * 1024;

export class Broker {
  readonly listeners: readonly BrokerListener[];
  readonly #context: Context;
  readonly #status: StatusPublisher;
  /** What streams come in through that are accepted where there is no listener. */
  readonly #ownListener = new BrokerListener(defaultListenerSettings, 0);
  #closing: Promise<void> | undefined;
  #isRestored = false;

  constructor(options: CreateBrokerOptions = {}) {
    const settings = resolveSettings(options.settings ?? {});
    this.#context = new Context(
      settings,
      options.clock ?? systemClock,
      options.log ?? silentLog,
      options.authority ?? openAuthority,
      options.hooks ?? {},
      options.store,
    );
    const listeners = options.listeners ?? [{ host: 'local' }];
    this.listeners = listeners.map((one, index) => new BrokerListener(resolveListenerSettings(one), index));
    this.#status = new StatusPublisher(this.#context, options.version ?? 'clearwing');
  }

  /**
   * Records every connection in a file, until the broker or the recording is closed.
   * @throws the system's error if the file cannot be opened
   */
  record(options: CaptureFileOptions): Promise<CaptureFile> {
    return CaptureFile.begin(options, this.#context);
  }

  /** Counters of everything that happened, live. */
  get counters(): Readonly<Counters> {
    return this.#context.counters;
  }

  /** Where the bytes of every connection can be watched while they run. */
  get tap(): Tap {
    return this.#context.tap;
  }

  /** The first listener's port, for programs that asked for port 0. */
  get port(): number {
    return this.listeners[0]?.port ?? 0;
  }

  /** Brings back what the store holds; `listen` does it, too. Only the first call does anything. */
  async restore(): Promise<void> {
    const { store } = this.#context;
    if (store === undefined || this.#isRestored) return;
    this.#isRestored = true;
    restoreState(this.#context, await store.load());
  }

  /**
   * Opens all listeners. Rejects with the system's error (`EADDRINUSE`, `EACCES`, …) if one cannot be opened; none is open then.
   */
  async listen(): Promise<void> {
    await this.restore();
    try {
      for (const listener of this.listeners) {
        await openSockets(listener, this.#context.settings, this.#context.log, (transport) =>
          this.accept(transport, listener),
        );
      }
    } catch (error) {
      await this.#closeSockets();
      throw error;
    }
    // Under another clock no time would pass while it polls.
    this.#context.pollsBusily = this.#context.clock === systemClock && !isProcessorLimited();
    this.#status.start();
  }

  /** Serves a byte stream of any kind as if it had come in through the listener (default: the first, if there is one). */
  accept(transport: Transport, listener: BrokerListener = this.listeners[0] ?? this.#ownListener): void {
    const context = this.#context;
    if (this.#closing !== undefined) {
      transport.destroy();
      return;
    }
    const { maxConnections } = context.settings;
    const isOverLimit = listener.isFull || (maxConnections !== 0 && context.connections.size >= maxConnections);
    if (isOverLimit && context.overLimit.size >= overLimitMax) {
      context.counters.connectionsRefused++;
      transport.destroy();
      return;
    }
    const connection = new Connection(context, listener, transport, isOverLimit);
    if (isOverLimit) context.overLimit.add(connection);
    else {
      listener.connectionCount++;
      context.connections.add(connection);
    }
    context.counters.socketsAccepted++;
    if (context.settings.connectionMessages && context.log.isEnabled('notice')) {
      const where = listener.settings.unixPath ?? `port ${listener.port}`;
      context.log.write('notice', `New connection from ${connection.peerName} on ${where}.`);
    }
  }

  /**
   * Publishes a message of the program's own.
   * @param payload bytes that stay as they are: they may be queued, and are not copied
   * @throws {OptionError} `MQTT_ERR_TOPIC` if the Topic Name is none; `MQTT_ERR_OPTION` or `MQTT_ERR_OPTION_RANGE` if a property or the QoS
   * cannot be sent
   */
  publish(topicName: string, payload: string | Uint8Array, options: BrokerPublishOptions = {}): void {
    if (!isTopicName(topicName)) {
      throw new OptionError(
        `'${topicName}' is no Topic Name; expected 1–65,535 bytes without + and #`,
        'MQTT_ERR_TOPIC',
      );
    }
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const qos = options.qos ?? 0;
    if (![0, 1, 2].includes(qos)) throw new OptionError(`QoS ${qos}; expected 0, 1 or 2`, 'MQTT_ERR_OPTION_RANGE');
    if (bytes.length > payloadBytesMax) {
      throw new OptionError(
        `A payload of ${bytes.length} bytes; at most ${payloadBytesMax} fit`,
        'MQTT_ERR_OPTION_RANGE',
      );
    }
    checkProperties(options.properties);
    const { messageExpiryInterval, ...properties } = options.properties ?? {};
    this.#context.publish(
      new Message(
        topicName,
        bytes,
        qos,
        options.retain ?? false,
        Object.keys(properties).length === 0 ? undefined : properties,
        messageExpiryInterval === undefined ? 0 : this.#context.clock.now() + messageExpiryInterval * 1000,
        undefined,
      ),
      undefined,
    );
  }

  /** The connected clients, and what is known of them. */
  *clients(): IterableIterator<{
    clientIdentifier: string;
    username: string | undefined;
    address: string;
    keepAlive: number;
  }> {
    for (const connection of this.#context.connections) {
      if (!connection.isOpen || connection.identity === undefined) continue;
      const { clientIdentifier, username } = connection.identity;
      yield { clientIdentifier, username, address: connection.peerName, keepAlive: connection.keepAlive };
    }
  }

  /** Ends a client's connection with the Reason Code (default: Administrative action). False if it is not connected. */
  disconnect(clientIdentifier: string, reasonCode: ReasonCode = ReasonCode.administrativeAction): boolean {
    const connection = this.#context.sessions.get(clientIdentifier)?.connection;
    connection?.disconnect(reasonCode, `Client ${clientIdentifier} been disconnected by administrative action`);
    return connection !== undefined;
  }

  /** Takes new settings and access rules for whatever happens from now on; listeners stay as they are. */
  reload(settings: Partial<BrokerSettings>, authority: Authority): void {
    this.#context.reload(resolveSettings(settings), authority);
    this.#status.restart();
  }

  /**
   * Stops: accepts nothing more, tells MQTT 5 clients (0x8B), sends what is unsent, has the store write what it was given, and closes.
   * Clients that take longer than `shutdownTimeout` are cut off. Resolves when every connection and the store are closed; asked again,
   * it is the same promise.
   * @throws {StorageError} if the store could not write everything, or had not done so within `shutdownTimeout`, at least a second. What
   * it has not written was acknowledged only where the durability says so.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const context = this.#context;
    this.#status.stop();
    await this.#closeSockets();
    const everyone = () => [...context.connections, ...context.overLimit];
    for (const connection of everyone()) {
      connection.disconnect(ReasonCode.serverShuttingDown, '');
    }
    context.wheel.stop();
    context.stopTimers();
    // Nobody is read any more and no time runs out: what is staged now is the last, and written while clients take what is theirs.
    const stored = this.#closeStore();
    // It may fail while they do.
    stored.catch(() => {});
    await new Promise<void>((resolve) => {
      const deadline = context.clock.setTimer(context.settings.shutdownTimeout * 1000, () => {
        for (const connection of everyone()) connection.transport.destroy();
        resolve();
      });
      const check = (): void => {
        if (context.connections.size + context.overLimit.size > 0) return;
        context.clock.clearTimer(deadline);
        resolve();
      };
      context.whenConnectionsChange = check;
      check();
    });
    await stored;
  }

  /** Closes the store, but does not wait for a disk that does not answer. */
  async #closeStore(): Promise<void> {
    const { store, clock, settings } = this.#context;
    if (store === undefined) return;
    const seconds = Math.max(settings.shutdownTimeout, storeSecondsMin);
    let deadline: TimerHandle | undefined;
    const isLate = new Promise<never>((_resolve, reject) => {
      deadline = clock.setTimer(seconds * 1000, () => {
        const why = store.trouble === undefined ? '' : `: ${store.trouble}`;
        reject(new StoreTimeoutError(`The disk has not taken what the store had for it within ${seconds} s${why}`));
      });
    });
    try {
      await Promise.race([store.close(), isLate]);
    } finally {
      if (deadline !== undefined) clock.clearTimer(deadline);
    }
  }

  async #closeSockets(): Promise<void> {
    for (const listener of this.listeners) {
      await Promise.all(listener.sockets.splice(0).map((socket) => socket.close()));
    }
  }
}

/** @throws {OptionError} if a PUBLISH cannot carry them: better here than where they are sent */
function checkProperties(properties: BrokerPublishOptions['properties']): void {
  if (properties === undefined) return;
  const packet = { type: PacketType.PUBLISH, topicName: 't', payload: new Uint8Array(0), packetIdentifier: 0 } as const;
  encodedBytes({ ...packet, qos: 0, retain: false, dup: false, properties }, 5);
}

/** Makes a broker; `await broker.listen()` starts it. */
export function createBroker(options: CreateBrokerOptions = {}): Broker {
  return new Broker(options);
}

/** What the parts see of each other. */
class Context implements BrokerContext {
  settings: BrokerSettings;
  authority: Authority;
  logsPackets: boolean;
  isShortOfMemory = false;
  /** Connections that are only there to be told that they are too many. */
  readonly overLimit = new Set<Connection>();
  whenConnectionsChange: (() => void) | undefined = undefined;
  #pollsBusily = false;
  readonly clock: Clock;
  readonly log: Log;
  readonly hooks: BrokerHooks;
  readonly store: Store | undefined;
  readonly wheel: TimerWheel;
  readonly counters = new Counters();
  readonly sessions: Sessions;
  readonly routes: Routes;
  readonly retained: RetainedMessages;
  readonly wireForms = new WireForms();
  readonly outputPool = new OutputPool();
  readonly outputTurn: OutputTurn;
  readonly framerPool = new FramerPool();
  readonly flow: FlowControl;
  readonly connections = new Set<Connection>();
  readonly tap = new Tap(() => [...this.connections, ...this.overLimit]);
  readonly tapFeed: TapFeed;
  readonly #queueWarnings = new WeakMap<SessionOutput, number>();
  #memoryTimer: ReturnType<typeof setInterval> | undefined;

  constructor(
    settings: BrokerSettings,
    clock: Clock,
    log: Log,
    authority: Authority,
    hooks: BrokerHooks,
    store: Store | undefined,
  ) {
    this.settings = settings;
    this.store = store;
    this.clock = clock;
    this.log = log;
    this.hooks = guardedHooks(hooks, log);
    this.authority = withHooks(authority, this.hooks, log);
    this.logsPackets = log.isEnabled('debug');
    this.wheel = new TimerWheel(clock);
    this.outputTurn = new OutputTurn(clock, () => this.wireForms.clear());
    this.flow = new FlowControl(clock, this.counters);
    this.sessions = new Sessions(this);
    this.routes = new Routes(settings, this.authority);
    this.retained = new RetainedMessages(settings.maxRetainedMessages, (topicName) => {
      this.store?.deleteRetained(topicName);
    });
    this.tapFeed = new TapFeed(this);
    this.#watchMemory();
  }

  publish(message: Message, publisher: Session | undefined): Route {
    if (message.retain) this.#retain(message);
    const route = this.routes.of(message.topicName);
    deliverAll(this, route, message, publisher);
    return route;
  }

  #retain(message: Message): void {
    const outcome = this.retained.update(message);
    if (outcome === 'full') {
      this.counters.retainedRefused++;
      this.log.write('warning', `Retained message on '${message.topicName}' not kept: max_retained_messages reached.`);
    } else if (this.store !== undefined && !message.topicName.startsWith('$SYS/')) {
      if (outcome === 'stored') this.store.putRetained(message);
      else if (outcome === 'removed') this.store.deleteRetained(message.topicName);
    }
  }

  mayStillPublish(message: Message): boolean {
    const { publisher } = message;
    if (publisher === undefined) return true;
    const identity = {
      clientIdentifier: publisher.clientIdentifier,
      username: publisher.username,
      peer: { address: '', port: 0, family: 'memory' as const },
      listenerIndex: publisher.listenerIndex,
    };
    const verdict = this.authority.mayPublish(identity, message.topicName, undefined);
    // Rules that take time to answer were asked when the message was published.
    return verdict instanceof Promise || verdict < 0x80;
  }

  warnOfFullQueue(session: SessionOutput): void {
    const now = this.clock.monotonic();
    const last = this.#queueWarnings.get(session);
    if (last !== undefined && now - last < queueWarningIntervalMs) return;
    this.#queueWarnings.set(session, now);
    this.log.write('notice', `Outgoing messages are being dropped for client ${session.clientIdentifier}.`);
  }

  connectionClosed(connection: Connection): void {
    this.overLimit.delete(connection);
    this.connections.delete(connection);
    this.whenConnectionsChange?.();
  }

  reload(settings: BrokerSettings, authority: Authority): void {
    this.settings = settings;
    this.authority = withHooks(authority, this.hooks, this.log);
    this.logsPackets = this.log.isEnabled('debug');
    this.routes.reset(settings, this.authority);
    this.retained.maxMessages = settings.maxRetainedMessages;
    this.pollsBusily = this.#pollsBusily;
    this.#watchMemory();
  }

  /** Whether there is a processor to wait with for clients that come in through sockets. */
  set pollsBusily(pollsBusily: boolean) {
    this.#pollsBusily = pollsBusily;
    this.outputTurn.busyPoll.windowMs = pollsBusily ? this.settings.busyPoll / 1000 : 0;
  }

  stopTimers(): void {
    this.pollsBusily = false;
    clearInterval(this.#memoryTimer);
    this.flow.stop();
    this.sessions.stop();
    this.tapFeed.stop();
  }

  #watchMemory(): void {
    clearInterval(this.#memoryTimer);
    this.isShortOfMemory = false;
    const limit = this.settings.memoryLimit;
    if (limit === 0) return;
    this.#memoryTimer = setInterval(() => {
      const { heapUsed, external } = process.memoryUsage();
      this.isShortOfMemory = heapUsed + external > limit;
    }, memoryCheckIntervalMs);
    this.#memoryTimer.unref();
  }
}
