/** Clients that come and go: connect, subscribe, publish a message to themselves, receive it, disconnect; again and again. */
import { Failures } from './failures.ts';
import { openLink, unexpectedPacket } from './handshake.ts';
import { Latencies, type LatencySummary } from './latency.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import { numberedTopic, numberedTopicsMax } from './numbered-topics.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import { processCpuSeconds } from './process-cpu.ts';
import { residentBytes } from './process-memory.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import type { Target } from './target.ts';
import { disconnectPacket, firstByte, type PublishForm, publishForm, type QoS } from './wire.ts';

export interface ChurnOptions {
  readonly target: Target;
  readonly prefix: string;
  readonly clientPrefix: string;
  /** Clients that are there at once. */
  readonly clients: number;
  readonly seconds: number;
  readonly qos: QoS;
  /** `payloadHeadBytes` to `payloadBytesMax`. */
  readonly payloadBytes: number;
  readonly brokerProcessId: number | undefined;
}

export interface ChurnResult {
  readonly seconds: number;
  /** Cycles that were gone through to the end. */
  readonly cycles: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** From the beginning of a connection to its SUBACK. */
  readonly ready: LatencySummary | undefined;
  /** From the PUBLISH until the message is back and all is acknowledged. */
  readonly message: LatencySummary | undefined;
  /** A whole cycle, to its DISCONNECT. */
  readonly cycle: LatencySummary | undefined;
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  /** Resident memory of the broker: what does not come down again was not freed, or not yet. */
  readonly memoryBeforeBytes: number | undefined;
  readonly memoryAfterBytes: number | undefined;
  readonly isPartial: boolean;
}

/** A cycle that takes longer has failed. */
const cycleMs = 20_000;
const watchMs = 100;
const settleMs = 200;

/** @throws {LoadError} if the very first cycle fails */
export function runChurn(options: ChurnOptions, control: RunControl = {}): Promise<ChurnResult> {
  return new Churn(options).run(control);
}

class Churn {
  readonly #options: ChurnOptions;
  readonly #failures = new Failures();
  readonly #ready = new Latencies();
  readonly #message = new Latencies();
  readonly #cycle = new Latencies();
  readonly #links = new Set<Link>();
  #begun = 0;
  #cycles = 0;
  #isOver = false;
  #firstError: Error | undefined;

  constructor(options: ChurnOptions) {
    this.#options = options;
  }

  async run({ signal, onProgress }: RunControl): Promise<ChurnResult> {
    const { clients, seconds, brokerProcessId } = this.#options;
    const memoryBeforeBytes = residentBytes(brokerProcessId);
    const beforeCpu = processCpuSeconds(brokerProcessId);
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    const endMs = beganMs + seconds * 1000;
    const all = Array.from({ length: clients }, () => this.#live());
    for (let now = beganMs; now < endMs && signal?.aborted !== true; now = performance.now()) {
      if (this.#firstError !== undefined) break;
      onProgress?.({
        phase: 'measuring',
        share: (now - beganMs) / (seconds * 1000),
        text: `${grouped(this.#cycles)} cycles`,
      });
      await pause(Math.min(watchMs, endMs - now), signal);
    }
    // Those that are under way are counted as well, with the time that they take.
    this.#isOver = true;
    await Promise.all(all);
    const elapsed = (performance.now() - beganMs) / 1000;
    for (const link of this.#links) link.destroy();
    if (this.#firstError !== undefined) throw this.#firstError;
    const afterCpu = processCpuSeconds(brokerProcessId);
    const { user, system } = process.cpuUsage(cpu);
    await pause(settleMs);
    return {
      seconds: elapsed,
      cycles: this.#cycles,
      failed: this.#failures.count,
      failures: this.#failures.byReason(),
      ready: this.#ready.summary(),
      message: this.#message.summary(),
      cycle: this.#cycle.summary(),
      brokerCpuSeconds: beforeCpu === undefined || afterCpu === undefined ? undefined : afterCpu - beforeCpu,
      generatorCpuSeconds: (user + system) / 1e6,
      memoryBeforeBytes,
      memoryAfterBytes: residentBytes(brokerProcessId),
      isPartial: signal?.aborted === true,
    };
  }

  /** One client after the other, each with a name and a topic of its own. */
  async #live(): Promise<void> {
    while (!this.#isOver) {
      const number = this.#begun++;
      const name = `${this.#options.clientPrefix}-churn-${number}`;
      try {
        await this.#goThrough(number, name);
        this.#cycles++;
      } catch (error) {
        if (this.#cycles === 0 && this.#failures.count === 0) this.#firstError = error as Error;
        this.#failures.add(error as Error, name);
        if (this.#firstError !== undefined) return;
        // A broker that refuses at once is not asked a million times.
        await pause(watchMs);
      }
    }
  }

  async #goThrough(number: number, name: string): Promise<void> {
    const { target, prefix, qos, payloadBytes } = this.#options;
    const topic = numberedTopic(prefix, number % numberedTopicsMax);
    const form = publishForm(target.protocol, topic, qos, 0, payloadBytes);
    const beganMs = performance.now();
    let own: Link | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new LoadError(`not done after ${cycleMs / 1000} s`)), cycleMs);
        const session = { topicFilters: [topic], isPersistent: false, publishBytes: form.template.length };
        const opened = openLink(
          {
            ...{ ...session, target, qos, index: number, clientIdentifier: name },
            onFailure: reject,
            onDrain: () => {},
          },
          (link) => {
            own = link;
            this.#links.add(link);
          },
        );
        opened.then(({ link }) => {
          const readyMs = performance.now();
          this.#ready.record(readyMs - beganMs);
          link.receiver = new EchoReceiver(link, form, qos, () => {
            this.#message.record(performance.now() - readyMs);
            resolve();
          });
          link.write(form.template);
        }, reject);
      });
      own?.end(disconnectPacket);
      this.#cycle.record(performance.now() - beganMs);
    } catch (error) {
      own?.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
      if (own !== undefined) this.#links.delete(own);
    }
  }
}

/** Waits for a message of its own and for all acknowledgements of both directions. */
class EchoReceiver implements PacketReceiver {
  readonly #link: Link;
  readonly #form: PublishForm;
  readonly #qos: QoS;
  readonly #onDone: () => void;
  #isReceived = false;
  #isReleased = false;
  #isAcknowledged: boolean;

  /** The packet identifier of the message is that of the template, 1 where there is one. */
  constructor(link: Link, form: PublishForm, qos: QoS, onDone: () => void) {
    this.#link = link;
    this.#form = form;
    this.#qos = qos;
    this.#onDone = onDone;
    this.#isAcknowledged = qos === 0;
    if (qos > 0) form.template[form.packetIdentifierOffset + 1] = 1;
  }

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const first = bytes[offset]!;
    const identifier = (bytes[body]! << 8) | bytes[body + 1]!;
    const reasonCode = end - body > 2 && (first & 0xf0) !== firstByte.publish ? bytes[body + 2]! : 0;
    if (reasonCode >= 0x80) throw new LoadError(`the broker refuses a message with code 0x${reasonCode.toString(16)}`);
    if ((first & 0xf0) === firstByte.publish) this.#takeMessage(bytes, offset, end);
    else if (first === firstByte.puback && this.#qos === 1) this.#isAcknowledged = true;
    else if (first === firstByte.pubcomp && this.#qos === 2) this.#isAcknowledged = true;
    else if (first === firstByte.pubrec && this.#qos === 2) this.#answer(firstByte.pubrel, identifier);
    else if (first === firstByte.pubrel && this.#qos === 2) {
      this.#answer(firstByte.pubcomp, identifier);
      this.#isReleased = true;
    } else throw unexpectedPacket(bytes, offset, body, end);
  }

  endChunk(): void {
    this.#link.flush();
    if (this.#isReceived && this.#isAcknowledged && (this.#qos < 2 || this.#isReleased)) this.#onDone();
  }

  #takeMessage(bytes: Uint8Array, offset: number, end: number): void {
    const { template, deliveredFirst, payloadOffset, packetIdentifierOffset } = this.#form;
    const payload = bytes.subarray(offset + payloadOffset, end);
    const isSame =
      bytes[offset] === deliveredFirst &&
      end - offset === template.length &&
      template.subarray(payloadOffset).every((byte, at) => payload[at] === byte);
    if (!isSame) throw new LoadError('a message came back that differs from what was sent');
    if (this.#isReceived) throw new LoadError('the message came back twice');
    this.#isReceived = true;
    if (this.#qos === 0) return;
    const at = offset + packetIdentifierOffset;
    this.#answer(this.#qos === 1 ? firstByte.puback : firstByte.pubrec, (bytes[at]! << 8) | bytes[at + 1]!);
  }

  #answer(first: number, packetIdentifier: number): void {
    this.#link.reserve(4);
    this.#link.appendAcknowledgement(first, packetIdentifier);
  }
}
