/** A run of `rr`: subscribes to the Response Topic, publishes the request, prints the first message that comes back. */

import type { Client, ReceivedMessage } from '../../client/types.ts';
import type { Packet } from '../../codec/packets.ts';
import { RefusedError } from '../../protocol/errors.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import { ReasonCode, reasonCodeName } from '../../protocol/reason-codes.ts';
import { connectClient, connectionEnding, prepareConnection, subscriptionOptionsOf } from './client-connection.ts';
import type { StartedCommand } from './command-start.ts';
import { type Ending, exitStatus } from './exit-status.ts';
import { MessagePrinter } from './message-printer.ts';
import { allObservers, debugReporter, refusalReporter } from './packet-reports.ts';
import { publishEnding } from './publisher-run.ts';
import type { StandardOutput } from './standard-output.ts';

export interface Request {
  readonly topicName: string;
  readonly responseTopic: string;
  readonly payload: Uint8Array;
}

/** Milliseconds for the last packets; then the connection is dropped. */
const farewellMs = 5_000;

export class RequesterRun {
  readonly #started: StartedCommand;
  readonly #request: Request;
  readonly #output: StandardOutput;
  readonly #printer: MessagePrinter;
  readonly #ending: Promise<Ending>;
  #resolveEnding!: (ending: Ending) => void;
  readonly #stopper = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #client: Client | undefined;
  #hasAnswer = false;
  /** `process.hrtime` of the request. */
  #sentAt = 0n;
  /** With `-d`: the response, until its handshake is over. */
  #held: ReceivedMessage | undefined;

  constructor(started: StartedCommand, request: Request, output: StandardOutput) {
    this.#started = started;
    this.#request = request;
    this.#output = output;
    this.#ending = new Promise((resolve) => {
      this.#resolveEnding = resolve;
    });
    const complain = (text: string): void => {
      if (!started.settings.isQuiet) process.stderr.write(text);
    };
    this.#printer = new MessagePrinter(started.settings, output, complain);
  }

  async run(): Promise<Ending> {
    this.#output.onBroken = () => this.#resolveEnding({ status: exitStatus.success, lines: [] });
    void this.#ask();
    const ending = await this.#ending;
    clearTimeout(this.#timer);
    await this.#leave(ending);
    return ending;
  }

  async #ask(): Promise<void> {
    const { settings, properties } = this.#started;
    try {
      const prepared = await prepareConnection(settings, properties);
      const onPacket = allObservers(
        debugReporter(settings, this.#output),
        refusalReporter(settings),
        this.#watchPackets,
      );
      const { signal } = this.#stopper;
      const client = await connectClient(prepared, { onPacket, reconnect: false, signal });
      this.#client = client;
      void client.closed.then((error) => this.#resolveEnding(publishEnding(error)));
      if (await this.#subscribe(client)) await this.#publish(client);
    } catch (error) {
      const isConnected = this.#client !== undefined;
      this.#resolveEnding(isConnected ? publishEnding(error) : connectionEnding(error, settings));
    }
  }

  /** False if the server refused, which is the end, though not a failure's. */
  async #subscribe(client: Client): Promise<boolean> {
    const { settings, properties } = this.#started;
    const hasProperties = settings.protocolVersion === 5 && Object.keys(properties.SUBSCRIBE).length > 0;
    try {
      await client.subscribe(this.#request.responseTopic, {
        qos: settings.qos,
        ...subscriptionOptionsOf(settings),
        onMessage: this.#onMessage,
        ...(hasProperties && { properties: properties.SUBSCRIBE }),
      });
      return true;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.reasonCode === undefined) throw error;
      this.#resolveEnding({ status: exitStatus.success, lines: [reasonCodeName(error.reasonCode)] });
      return false;
    }
  }

  async #publish(client: Client): Promise<void> {
    const { settings, properties } = this.#started;
    const { topicName, responseTopic, payload } = this.#request;
    const isVersion5 = settings.protocolVersion === 5;
    this.#sentAt = process.hrtime.bigint();
    try {
      await client.publish(topicName, payload, {
        qos: settings.qos,
        ...(isVersion5 && { properties: { ...properties.PUBLISH, responseTopic } }),
      });
    } catch (error) {
      // The response may come although the server said it would not pass the request on: 0x10 and above are warned of.
      if (!(error instanceof RefusedError) || this.#client?.state !== 'connected') throw error;
      if (error.reasonCode === ReasonCode.qosNotSupported) throw error;
    }
  }

  readonly #watchPackets = (direction: 'sent' | 'received', packet: Packet): void => {
    if (direction === 'received') return;
    if (packet.type === PacketType.CONNECT) this.#startTimeout();
    const held = this.#held;
    if (held === undefined) return;
    const lastType = held.qos === 2 ? PacketType.PUBCOMP : PacketType.PUBACK;
    if (packet.type !== lastType || packet.packetIdentifier !== held.packetIdentifier) return;
    this.#held = undefined;
    this.#answer(held);
  };

  /** `-W` counts from when the server could be reached. */
  #startTimeout(): void {
    const { timeout } = this.#started.settings;
    if (timeout === undefined) return;
    this.#timer = setTimeout(() => {
      this.#resolveEnding({ status: exitStatus.timeout, lines: ['Timed out'] });
    }, timeout * 1_000);
  }

  readonly #onMessage = (message: ReceivedMessage): void => {
    if (this.#hasAnswer) return;
    if (message.retain && this.#started.settings.skipRetained) return;
    this.#hasAnswer = true;
    if (message.qos > 0) this.#held = message;
    else this.#answer(message);
  };

  #answer(message: ReceivedMessage): void {
    const elapsed = process.hrtime.bigint() - this.#sentAt;
    this.#printer.print(message);
    if (this.#started.settings.measureLatency) this.#output.text(`Latency: ${latencyText(elapsed)}\n`);
    // After the packet under way.
    setImmediate(() => this.#resolveEnding({ status: exitStatus.success, lines: [] }));
  }

  async #leave(ending: Ending): Promise<void> {
    const client = this.#client;
    if (client === undefined || client.state !== 'connected') {
      this.#stopper.abort();
      client?.destroy();
      return;
    }
    const { settings, properties } = this.#started;
    const isVersion5 = settings.protocolVersion === 5;
    const isTimeout = ending.status === exitStatus.timeout;
    const ended = client.end({
      reasonCode: isVersion5 && isTimeout ? ReasonCode.disconnectWithWillMessage : ReasonCode.success,
      // A request whose acknowledgement has not come need not be waited for: its response has.
      force: true,
      ...(isVersion5 && Object.keys(properties.DISCONNECT).length > 0 && { properties: properties.DISCONNECT }),
    });
    const dropped = setTimeout(() => client.destroy(), farewellMs);
    await ended;
    clearTimeout(dropped);
  }
}

/** A time as release 2.1 prints it: in the largest unit below a second that fits, or in seconds with nanoseconds. */
export function latencyText(nanoseconds: bigint): string {
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < 1_000_000n) return `${(Number(nanoseconds) / 1e3).toFixed(6)}µs`;
  if (nanoseconds < 1_000_000_000n) return `${(Number(nanoseconds) / 1e6).toFixed(6)}ms`;
  return `${nanoseconds / 1_000_000_000n}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}`;
}
