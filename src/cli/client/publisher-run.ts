/** A run of `pub`: one message, the same one several times, or one for each line of standard input. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, PublishOptions } from '../../client/types.ts';
import { ConnectionClosedError, MqttError, RefusedError } from '../../protocol/errors.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { isFailure, ReasonCode } from '../../protocol/reason-codes.ts';
import { variableByteIntegerMax } from '../../protocol/version.ts';
import { CommandFailure, connectClient, connectionEnding, prepareConnection } from './client-connection.ts';
import type { StartedCommand } from './command-start.ts';
import { type Ending, endingOf, exitStatus, lostConnection } from './exit-status.ts';
import { lineSplitter } from './input-lines.ts';
import { allObservers, debugReporter, type PacketObserver, refusalReporter } from './packet-reports.ts';
import { reconnectDelayMs, retryUntilAnswered } from './reconnecting.ts';
import type { StandardOutput } from './standard-output.ts';

const finished: Ending = { status: exitStatus.success, lines: [] };

export class PublisherRun {
  readonly #started: StartedCommand;
  readonly #topicName: string;
  readonly #output: StandardOutput;
  /** The alias `-D` gave: after the first message it stands for the topic. */
  readonly #hasTopicAlias: boolean;
  #isFirst = true;

  constructor(started: StartedCommand, topicName: string, output: StandardOutput) {
    this.#started = started;
    this.#topicName = topicName;
    this.#output = output;
    this.#hasTopicAlias = started.properties.PUBLISH.topicAlias !== undefined;
  }

  /** Publishes a payload as often as `--repeat` says. Without a connection there is no second try. */
  async publishPayload(payload: Uint8Array): Promise<Ending> {
    const { settings, properties } = this.#started;
    let client: Client;
    try {
      const prepared = await prepareConnection(settings, properties);
      client = await connectClient(prepared, { onPacket: this.#observer(), reconnect: false });
    } catch (error) {
      return this.#connectionEnding(error);
    }
    try {
      for (let count = 0; count < settings.repeatCount; count++) {
        if (count > 0) await this.#waitBetween(client);
        await this.#publish(client, payload);
      }
    } catch (error) {
      client.destroy();
      return publishEnding(error);
    }
    await this.#end(client);
    return finished;
  }

  #observer(): PacketObserver {
    const { settings } = this.#started;
    return allObservers(debugReporter(settings, this.#output), refusalReporter(settings));
  }

  /** `--repeat-delay`, unless the connection ends meanwhile. */
  async #waitBetween(client: Client): Promise<void> {
    const { repeatDelayMs } = this.#started.settings;
    if (repeatDelayMs === 0) return;
    const timer = new AbortController();
    const waited = sleep(repeatDelayMs, undefined, { signal: timer.signal }).catch(() => {});
    const error = await Promise.race([waited, client.closed]);
    timer.abort();
    if (error !== undefined) throw error;
  }

  async #publish(client: Client, payload: Uint8Array): Promise<void> {
    try {
      await client.publish(this.#nextTopicName(), payload, this.#publishOptions());
    } catch (error) {
      if (!isRefusalByAcknowledgement(error)) throw error;
    }
  }

  #nextTopicName(): string {
    if (this.#hasTopicAlias && !this.#isFirst) return '';
    this.#isFirst = false;
    return this.#topicName;
  }

  #publishOptions(): PublishOptions {
    const { settings, properties } = this.#started;
    const hasProperties = Object.keys(properties.PUBLISH).length > 0;
    return { qos: settings.qos, retain: settings.retain, ...(hasProperties && { properties: properties.PUBLISH }) };
  }

  async #end(client: Client): Promise<void> {
    const { DISCONNECT } = this.#started.properties;
    await client.end(Object.keys(DISCONNECT).length > 0 ? { properties: DISCONNECT } : {});
  }

  #connectionEnding(error: unknown): Ending {
    const { settings } = this.#started;
    const ending = connectionEnding(error, settings);
    if (!(error instanceof RefusedError)) return ending;
    const summary =
      settings.protocolVersion === 5
        ? 'Error: A network protocol error occurred when communicating with the broker.'
        : 'Error: The connection was refused.';
    return { ...ending, lines: [...ending.lines, summary] };
  }

  /**
   * Publishes the lines of standard input as they come. Nothing is read while the server does not keep up or is away, so memory stays
   * bounded however long the input is.
   */
  async publishLines(): Promise<Ending> {
    const { settings, properties } = this.#started;
    let client: Client | undefined;
    let refused: RefusedError | undefined;
    try {
      const prepared = await prepareConnection(settings, properties);
      const onPacket = allObservers(this.#observer(), (direction, packet) => {
        if (direction === 'sent' || packet.type !== PacketType.CONNACK || !isFailure(packet.reasonCode)) return;
        // A server that knows us and refuses us now will not change its mind.
        refused = new RefusedError('the server refused the connection', packet.reasonCode);
        client?.destroy();
      });
      const reconnect = { firstDelayMs: reconnectDelayMs, lastDelayMs: reconnectDelayMs };
      client = await retryUntilAnswered(() => connectClient(prepared, { onPacket, reconnect }));
    } catch (error) {
      return this.#connectionEnding(error);
    }
    const stream = new LineStream(client, settings.inflightMax, () => this.#nextTopicName(), this.#publishOptions());
    // With Topic Aliases the first message of each connection has to say the topic.
    client.on('connect', () => {
      this.#isFirst = true;
    });
    const closed = client.closed.then((error) => {
      throw refused ?? error ?? new ConnectionClosedError('the client was ended');
    });
    closed.catch(() => {});
    try {
      await Promise.race([this.#pump(stream), closed]);
    } catch (error) {
      client.destroy();
      process.stdin.destroy();
      return error instanceof RefusedError ? this.#connectionEnding(error) : publishEnding(error);
    }
    await this.#end(client);
    return finished;
  }

  async #pump(stream: LineStream): Promise<void> {
    const split = lineSplitter(variableByteIntegerMax);
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      for (const line of split(chunk)) {
        const room = stream.publish(line);
        if (room !== undefined) await room;
        if (this.#output.isFull) await this.#output.drained();
      }
    }
    for (const line of split(undefined)) await stream.publish(line);
    await stream.drained();
  }
}

/** Messages one after the other, so many on their way at once and no more. */
class LineStream {
  readonly #client: Client;
  readonly #inflightMax: number;
  readonly #nextTopicName: () => string;
  readonly #options: PublishOptions;
  #inflight = 0;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(client: Client, inflightMax: number, nextTopicName: () => string, options: PublishOptions) {
    this.#client = client;
    this.#inflightMax = inflightMax;
    this.#nextTopicName = nextTopicName;
    this.#options = options;
    client.on('drain', () => this.#wake?.());
    client.on('error', (error) => {
      if (!isOfMessage(error)) return;
      this.#error ??= error;
      this.#wake?.();
    });
  }

  /** Publishes; a promise says when there is room for the next message. */
  publish(payload: Uint8Array): Promise<void> | undefined {
    if (this.#error !== undefined) throw this.#error;
    if ((this.#options.qos ?? 0) === 0) {
      const hasRoom = this.#client.publishNow(this.#nextTopicName(), payload, this.#options);
      return hasRoom ? undefined : this.#untilWoken();
    }
    this.#inflight++;
    this.#client.publish(this.#nextTopicName(), payload, this.#options).then(
      () => this.#settled(undefined),
      (error: unknown) => this.#settled(isRefusalByAcknowledgement(error) ? undefined : error),
    );
    return this.#inflight < this.#inflightMax ? undefined : this.#untilWoken();
  }

  #settled(error: unknown): void {
    this.#inflight--;
    this.#error ??= error;
    this.#wake?.();
  }

  async #untilWoken(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when every message was sent, and acknowledged at QoS 1 and 2. */
  async drained(): Promise<void> {
    while (this.#inflight > 0) await this.#untilWoken();
    if (this.#error !== undefined) throw this.#error;
    await this.#client.drain();
  }
}

/** Whether a message could not be sent, rather than a connection not be made again, which the client keeps trying. */
function isOfMessage(error: Error): boolean {
  if (error instanceof RefusedError) return !isRefusalByAcknowledgement(error);
  return error instanceof MqttError && /^MQTT_ERR_(PACKET_TOO_LARGE|OPTION|TOPIC)/.test(error.code);
}

/** The server's PUBACK or PUBREC refused the message: it was warned of, and the next one may fare better. */
function isRefusalByAcknowledgement(error: unknown): boolean {
  if (!(error instanceof RefusedError)) return false;
  const { reasonCode } = error;
  return reasonCode !== ReasonCode.qosNotSupported && reasonCode !== ReasonCode.retainNotSupported;
}

/** What an error says, as a line of its own. */
function sentence({ message }: Error): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
}

/** How `pub` ends when it could not publish. */
export function publishEnding(error: unknown): Ending {
  if (error instanceof CommandFailure) return error.ending;
  if (error instanceof ConnectionClosedError && error.cause instanceof MqttError) return publishEnding(error.cause);
  if (error instanceof ConnectionClosedError && error.reasonCode !== undefined) {
    return {
      status: exitStatus.noConnection,
      lines: ['Error: The client is not currently connected.', sentence(error)],
    };
  }
  if (error instanceof RefusedError && error.reasonCode === ReasonCode.qosNotSupported) {
    const text = 'Error: Message QoS not supported on broker, try a lower QoS.';
    return { status: exitStatus.failure, lines: [text] };
  }
  const isTooLarge = error instanceof MqttError && error.code === 'MQTT_ERR_PACKET_TOO_LARGE';
  if (isTooLarge || error instanceof RangeError) {
    return {
      status: exitStatus.failure,
      lines: ['Error: Message payload is too large.', sentence(error as Error)],
    };
  }
  return error === undefined ? lostConnection : endingOf(error);
}
