/**
 * A run of `sub`: connects, subscribes, prints what comes, until something ends it.
 *
 *     connecting ──CONNACK──▶ open ──-C, -E, --retained-only, -W, signal, no reader, refusal──▶ ending ──DISCONNECT──▶ over
 *         │  ▲                 │ ▲
 *         └──┘ closed before   └─┘ connection lost: the client library connects and subscribes again, once a second
 *              it was answered
 */

import type { Client, ReceivedMessage } from '../../client/types.ts';
import type { Packet } from '../../codec/packets.ts';
import { ConnectionClosedError, MqttError, RefusedError } from '../../protocol/errors.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { isFailure, ReasonCode, reasonCodeName } from '../../protocol/reason-codes.ts';
import { matchesFilter } from '../../protocol/topics.ts';
import { connectClient, connectionEnding, prepareConnection, subscriptionOptionsOf } from './client-connection.ts';
import type { StartedCommand } from './command-start.ts';
import { type Ending, endingOf, exitStatus, refusedConnection } from './exit-status.ts';
import { MessagePrinter } from './message-printer.ts';
import { allObservers, debugReporter } from './packet-reports.ts';
import { reconnectDelayMs, retryUntilAnswered } from './reconnecting.ts';
import type { StandardOutput } from './standard-output.ts';

/** How the connection is left. */
interface Goodbye extends Ending {
  /** `none` drops the connection. */
  readonly reasonCode: ReasonCode | 'none';
}

const success: Goodbye = { status: exitStatus.success, lines: [], reasonCode: ReasonCode.success };

/** Milliseconds for the last handshakes and the DISCONNECT; then the connection is dropped. */
const farewellMs = 5_000;

/** Retained messages whose removal the server has not confirmed, at most. */
const removalsMax = 1_000;

/**
 * Bytes of output that may wait for a slow reader. A burst that fits is taken from the server at once, which could have to throw parts
 * of it away otherwise. What a Session would keep for us is acknowledged only when the reader is about to get it.
 */
const backlogMax = 67_108_864;
const backlogMaxOfSession = 262_144;

/** Never done: a message that came too late to be printed, which the server shall keep for the next time. */
const never = new Promise<void>(() => {});

/** What came is no MQTT: it will be none the next time. */
function isProtocolFault(error: Error | undefined): boolean {
  return error instanceof MqttError && /^MQTT_ERR_(MALFORMED|PROTOCOL|PACKET_TOO_LARGE)$/.test(error.code);
}

export class SubscriberRun {
  readonly #started: StartedCommand;
  readonly #output: StandardOutput;
  readonly #printer: MessagePrinter;
  #client: Client | undefined;
  readonly #clientReady: Promise<Client>;
  #resolveClient!: (client: Client) => void;
  #isConnected = false;
  #isEnding = false;
  #resolveGoodbye!: (goodbye: Goodbye) => void;
  readonly #goodbye: Promise<Goodbye>;
  readonly #stopper = new AbortController();
  #isTimeoutStarted = false;
  #timers: NodeJS.Timeout[] = [];
  #printed = 0;
  #received = 0;
  #removals = 0;
  #removalDone: (() => void) | undefined;
  /** With `-d`: messages whose handshake is not over, by Packet Identifier. They are printed after its lines. */
  readonly #held = new Map<number, ReceivedMessage>();
  /** The acknowledgement after which everything that was asked for has come. */
  #lastHandshake: { readonly type: number; readonly packetIdentifier: number } | undefined;

  constructor(started: StartedCommand, output: StandardOutput) {
    this.#started = started;
    this.#output = output;
    this.#goodbye = new Promise((resolve) => {
      this.#resolveGoodbye = resolve;
    });
    this.#clientReady = new Promise((resolve) => {
      this.#resolveClient = resolve;
    });
    const complain = (text: string): void => {
      if (!started.settings.isQuiet) process.stderr.write(text);
    };
    const { settings } = started;
    const watch = settings.watch && !settings.messageRate;
    this.#printer = new MessagePrinter({ ...settings, watch }, output, complain, process.stdout.rows);
  }

  async run(): Promise<Ending> {
    const stopListening = this.#listenToSystem();
    try {
      void this.#connectAndSubscribe();
      const goodbye = await this.#goodbye;
      await this.#leave(goodbye);
      return goodbye;
    } finally {
      stopListening();
      for (const timer of this.#timers) clearTimeout(timer);
    }
  }

  /** Signals, and a reader of the output who goes away. */
  #listenToSystem(): () => void {
    const onSignal = (): void => this.#interrupt({ status: exitStatus.success, lines: [] });
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    this.#output.onBroken = () => this.#finish(success);
    return () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    };
  }

  /** Somebody or the clock ends us. With MQTT 5 the server is asked to publish the will, as the classic clients do. */
  #interrupt(ending: Ending): void {
    if (!this.#isConnected) {
      this.#finish({ status: exitStatus.unanswered, lines: [], reasonCode: 'none' });
      return;
    }
    const isVersion5 = this.#started.settings.protocolVersion === 5;
    const reasonCode = isVersion5 ? ReasonCode.disconnectWithWillMessage : ReasonCode.success;
    this.#finish({ ...ending, reasonCode });
  }

  #finish(goodbye: Goodbye): void {
    this.#isEnding = true;
    this.#resolveGoodbye(goodbye);
  }

  async #connectAndSubscribe(): Promise<void> {
    const { settings, properties } = this.#started;
    try {
      const prepared = await prepareConnection(settings, properties);
      // In this order, so that a message comes after the line of its last packet.
      const onPacket = allObservers(debugReporter(settings, this.#output), this.#watchPackets);
      const onMessage = this.#onMessage;
      const reconnect = { firstDelayMs: reconnectDelayMs, lastDelayMs: reconnectDelayMs };
      const { signal } = this.#stopper;
      const options = { onPacket, onMessage, reconnect, signal };
      const client = await retryUntilAnswered(() => connectClient(prepared, options), signal);
      this.#client = client;
      this.#resolveClient(client);
      if (this.#isEnding) return;
      this.#follow(client);
      await this.#subscribe(client);
    } catch (error) {
      if (this.#isEnding) return;
      this.#finish({ ...connectionEnding(error, settings), reasonCode: 'none' });
    }
  }

  #follow(client: Client): void {
    const { settings } = this.#started;
    client.on('error', (error) => {
      const isLoss = error instanceof MqttError && error.code === 'MQTT_ERR_QUEUE_FULL';
      if (isLoss && !settings.isQuiet) process.stderr.write(`Warning: ${error.message}\n`);
    });
    client.on('disconnect', (error, willReconnect) => {
      this.#printHeld();
      const reasonCode = error instanceof ConnectionClosedError ? error.reasonCode : undefined;
      // A server that stops tells 5.0 clients so; like one that is just gone it may come back.
      const isForGood = reasonCode !== undefined && reasonCode !== ReasonCode.serverShuttingDown;
      if (isForGood) {
        const lines = [`The server ended the connection: ${reasonCodeName(reasonCode)}.`];
        this.#finish({ status: exitStatus.success, lines, reasonCode: 'none' });
      } else if (!willReconnect || isProtocolFault(error)) {
        this.#finish({ ...endingOf(error), reasonCode: 'none' });
      }
    });
    if (settings.messageRate) {
      this.#timers.push(
        setInterval(() => {
          this.#output.text(`${this.#received} msgs/s\n`);
          this.#received = 0;
        }, 1_000),
      );
    }
  }

  async #subscribe(client: Client): Promise<void> {
    const { settings, properties } = this.#started;
    const isVersion5 = settings.protocolVersion === 5;
    const requests: Promise<unknown>[] = [];
    if (settings.topicFilters.length > 0) {
      const subscribed = client.subscribe(settings.topicFilters, {
        qos: settings.qos,
        ...subscriptionOptionsOf(settings),
        onMessage: this.#onMessage,
        ...(isVersion5 && Object.keys(properties.SUBSCRIBE).length > 0 && { properties: properties.SUBSCRIBE }),
      });
      requests.push(
        subscribed.catch((error: unknown) => {
          if (!(error instanceof RefusedError)) throw error;
          this.#finish({ ...success, lines: ['All subscription requests were denied.'] });
        }),
      );
    }
    const unsubscribeOptions =
      isVersion5 && Object.keys(properties.UNSUBSCRIBE).length > 0 ? { properties: properties.UNSUBSCRIBE } : {};
    for (const filter of settings.unsubscribeFilters) {
      const unsubscribed = client.unsubscribe(filter, unsubscribeOptions);
      // With `-E` and no `-t` it is the last UNSUBACK that ends us; else they come when they come.
      if (settings.topicFilters.length === 0) requests.push(unsubscribed);
      else unsubscribed.catch(() => {});
    }
    await Promise.all(requests);
    if (settings.exitAfterSubscribe) this.#finish(success);
  }

  // ── Packets ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #watchPackets = (direction: 'sent' | 'received', packet: Packet): void => {
    const { settings } = this.#started;
    if (direction === 'received') {
      if (packet.type === PacketType.CONNACK) this.#answered(packet.reasonCode);
      else if (packet.type === PacketType.SUBACK && settings.isDebug && !settings.isQuiet) {
        this.#output.text(`Subscribed (mid: ${packet.packetIdentifier}): ${packet.reasonCodes.join(', ')}\n`);
      }
      return;
    }
    if (packet.type === PacketType.CONNECT) this.#startTimeout();
    else if (packet.type === PacketType.PUBACK || packet.type === PacketType.PUBCOMP) {
      this.#handshakeOver(packet.type, packet.packetIdentifier);
    }
  };

  #answered(reasonCode: ReasonCode): void {
    if (!isFailure(reasonCode)) this.#isConnected = true;
    else if (this.#isConnected) {
      // The first connection's refusal is told by whoever made it; this one by a server we have been connected to.
      this.#finish({ ...refusedConnection(reasonCode, this.#started.settings.protocolVersion), reasonCode: 'none' });
    }
  }

  /** `-W` counts from when the server could be reached. */
  #startTimeout(): void {
    const { timeout } = this.#started.settings;
    if (timeout === undefined || this.#isTimeoutStarted) return;
    this.#isTimeoutStarted = true;
    const onTimeout = (): void => this.#interrupt({ status: exitStatus.timeout, lines: ['Timed out'] });
    this.#timers.push(setTimeout(onTimeout, timeout * 1_000));
  }

  /** The last packet of a message's handshake goes out. */
  #handshakeOver(type: number, packetIdentifier: number): void {
    const message = this.#held.get(packetIdentifier);
    const isOfMessage = type === (message?.qos === 2 ? PacketType.PUBCOMP : PacketType.PUBACK);
    if (message !== undefined && isOfMessage) {
      this.#held.delete(packetIdentifier);
      this.#printer.print(message);
    }
    const last = this.#lastHandshake;
    if (last?.type === type && last.packetIdentifier === packetIdentifier) setImmediate(() => this.#finish(success));
  }

  #printHeld(): void {
    for (const message of this.#held.values()) this.#printer.print(message);
    this.#held.clear();
  }

  // ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly #onMessage = (message: ReceivedMessage): void | Promise<void> => {
    const { settings } = this.#started;
    if (this.#isEnding || this.#lastHandshake !== undefined) return message.qos > 0 ? never : undefined;
    this.#received++;
    if (settings.messageRate) return undefined;
    if (settings.retainedOnly && !message.retain) {
      this.#finish(success);
      return undefined;
    }
    if (settings.filterOuts.some((filter) => matchesFilter(message.topicName, filter))) return undefined;
    const removal = settings.removeRetained && message.retain ? this.#removeRetained(message.topicName) : undefined;
    if (settings.skipRetained && message.retain) return removal;
    if (settings.isDebug && message.qos > 0) this.#held.set(message.packetIdentifier, message);
    else this.#printer.print(message);
    this.#printed++;
    if (this.#printed === settings.messageCount) this.#endAfter(message);
    return this.#slowDown(message) ?? removal;
  };

  /** The reader does not keep up: the next message waits, in the end at the server. */
  #slowDown(message: ReceivedMessage): Promise<void> | undefined {
    const isKeptForUs = message.qos > 0 && !this.#started.settings.cleanStart;
    const limit = isKeptForUs ? backlogMaxOfSession : backlogMax;
    return this.#output.backlog > limit ? this.#output.drained() : undefined;
  }

  /** That was the last message asked for; its handshake still takes place. */
  #endAfter(message: ReceivedMessage): void {
    if (message.qos === 0) {
      this.#finish(success);
      return;
    }
    const type = message.qos === 1 ? PacketType.PUBACK : PacketType.PUBCOMP;
    this.#lastHandshake = { type, packetIdentifier: message.packetIdentifier };
    this.#timers.push(setTimeout(() => this.#finish(success), farewellMs));
  }

  /** A promise while too many removals are on their way. */
  #removeRetained(topicName: string): Promise<void> | undefined {
    this.#removals++;
    const settled = (): void => {
      this.#removals--;
      if (this.#removals < removalsMax) this.#removalDone?.();
    };
    // What a Session had kept comes before the client is in our hands.
    const publish = (client: Client) => client.publish(topicName, new Uint8Array(), { qos: 1, retain: true });
    const published = this.#client === undefined ? this.#clientReady.then(publish) : publish(this.#client);
    published.then(settled, (error: Error) => {
      settled();
      const { isQuiet } = this.#started.settings;
      if (!isQuiet && !this.#isEnding)
        process.stderr.write(`Warning: ${topicName} was not cleared: ${error.message}\n`);
    });
    if (this.#removals < removalsMax) return undefined;
    return new Promise((resolve) => {
      this.#removalDone = resolve;
    });
  }

  // ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #leave(goodbye: Goodbye): Promise<void> {
    const client = this.#client;
    if (client === undefined) this.#stopper.abort();
    else if (goodbye.reasonCode === 'none' || client.state !== 'connected') client.destroy();
    else {
      const { DISCONNECT } = this.#started.properties;
      const isVersion5 = this.#started.settings.protocolVersion === 5;
      const dropped = setTimeout(() => client.destroy(), farewellMs);
      await this.#removalsDone(client);
      await client.end({
        reasonCode: goodbye.reasonCode,
        // Other answers, such as an UNSUBACK, are not waited for.
        force: true,
        ...(isVersion5 && Object.keys(DISCONNECT).length > 0 && { properties: DISCONNECT }),
      });
      clearTimeout(dropped);
    }
    this.#printHeld();
  }

  /** Resolves when the server has confirmed every removal, or there is no connection that it could do so on. */
  async #removalsDone(client: Client): Promise<void> {
    if (this.#removals === 0) return;
    const done = new Promise<void>((resolve) => {
      this.#removalDone = () => {
        if (this.#removals === 0) resolve();
      };
    });
    await Promise.race([done, client.closed]);
  }
}
