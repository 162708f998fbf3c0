/** How fast a broker hands all its retained messages to a new subscriber, and what they take of its memory. */
import { openLink } from './handshake.ts';
import type { Link } from './link.ts';
import { NumberedReceiver } from './numbered-receiver.ts';
import { processCpuSeconds } from './process-cpu.ts';
import { growthOf, type MemoryGrowth, residentBytes } from './process-memory.ts';
import { type RetainedForm, RetainedWriter, retainedForm } from './retained-store.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import type { Target } from './target.ts';
import { disconnectPacket, retainFlag, subscribePacket } from './wire.ts';

export interface RetainedReplayOptions {
  readonly target: Target;
  readonly prefix: string;
  readonly clientPrefix: string;
  /** 1 to `numberedTopicsMax`. */
  readonly messages: number;
  /** `payloadHeadBytes` to `payloadBytesMax`. */
  readonly payloadBytes: number;
  /** Of the messages and of the subscription. */
  readonly qos: 0 | 1;
  /** QoS 1: unacknowledged messages while the broker is filled. */
  readonly publishWindow: number;
  /** Subscribers, one after the other. */
  readonly replays: number;
  /** Whether the messages stay in the broker. */
  readonly isKept: boolean;
  readonly brokerProcessId: number | undefined;
}

export interface RetainedReplayResult {
  /** Messages that the broker has taken, and how long it took. */
  readonly stored: number;
  readonly storeSeconds: number;
  /** Of each replay: from SUBSCRIBE to the last message, and to the first. */
  readonly replays: readonly Replay[];
  readonly memory: MemoryGrowth | undefined;
  readonly isPartial: boolean;
}

export interface Replay {
  readonly seconds: number;
  readonly firstMilliseconds: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Retained messages below the same topics that somebody else had left there. */
  readonly foreign: number;
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
}

/** Silent and idle for so long, a broker will send nothing more. */
const silenceMs = 3_000;
/** The same where it cannot be seen whether it is idle. */
const blindSilenceMs = 20_000;
const idleCpuSecondsMax = 0.15;
const watchMs = 20;
const settleMs = 200;
/** Packets that are no larger than this are expected besides. */
const publishBytesMax = 1_100_000;

/**
 * Fills, subscribes, counts, and empties again.
 * @throws {LoadError} if the broker refuses, misbehaves or goes away
 */
export async function runRetainedReplay(
  options: RetainedReplayOptions,
  control: RunControl = {},
): Promise<RetainedReplayResult> {
  const run = new RetainedReplay(options, control);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class RetainedReplay {
  readonly #options: RetainedReplayOptions;
  readonly #control: RunControl;
  readonly #links: Link[] = [];
  readonly #failure: Promise<never>;
  #fail: (error: unknown) => void = () => {};

  constructor(options: RetainedReplayOptions, control: RunControl) {
    this.#options = options;
    this.#control = control;
    this.#failure = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#failure.catch(() => {});
  }

  async run(): Promise<RetainedReplayResult> {
    const { target, prefix, qos, payloadBytes, messages, replays, isKept, brokerProcessId } = this.#options;
    const beforeBytes = residentBytes(brokerProcessId);
    const beganMs = performance.now();
    const form = retainedForm(target.protocol, prefix, qos, payloadBytes);
    const stored = await this.#write('storing', form, messages);
    const storeSeconds = (performance.now() - beganMs) / 1000;
    await pause(settleMs);
    const growth = growthOf(beforeBytes, residentBytes(brokerProcessId), stored);
    const done: Replay[] = [];
    try {
      while (done.length < replays && !this.#isEnded) done.push(await this.#replay(done.length, form, stored));
    } finally {
      if (!isKept) await this.#write('removing', retainedForm(target.protocol, prefix, qos, 0), stored, true);
    }
    return {
      stored,
      storeSeconds,
      replays: done,
      memory: growth,
      isPartial: done.length < replays || stored < messages,
    };
  }

  close(): void {
    for (const link of this.#links) link.destroy();
  }

  get #isEnded(): boolean {
    return this.#control.signal?.aborted === true;
  }

  /** Publishes to all topics. Returns how many there are, which may be fewer if the run is ended. */
  async #write(phase: string, form: RetainedForm, messages: number, toTheEnd = false): Promise<number> {
    const { qos, publishWindow } = this.#options;
    let writer: RetainedWriter | undefined;
    const opened = await this.#open(`${phase}`, () => writer?.resume());
    let sent = 0;
    // In parts, so that a run that is ended knows how many are stored.
    while (sent < messages && (toTheEnd || !this.#isEnded)) {
      const to = Math.min(messages, sent + partMessages);
      writer = new RetainedWriter(opened, form, qos, publishWindow, sent, to);
      writer.resume();
      await Promise.race([writer.finished, this.#failure]);
      sent = to;
      this.#report(phase, sent / messages, `${grouped(sent)} messages`);
    }
    opened.link.end(disconnectPacket);
    return sent;
  }

  async #replay(index: number, { form }: RetainedForm, messages: number): Promise<Replay> {
    const { target, prefix, qos, brokerProcessId } = this.#options;
    const { link } = await this.#open(`replay-${index}`, () => {});
    const receiver = new NumberedReceiver(link, form, retainFlag, qos, messages, target.protocol);
    link.receiver = receiver;
    const beforeCpu = processCpuSeconds(brokerProcessId);
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    link.write(subscribePacket(target.protocol, [`${prefix}/#`], qos));
    let active = { ms: beganMs, bytes: link.receivedBytes, cpu: beforeCpu ?? 0 };
    while (receiver.distinct < messages && !this.#isEnded) {
      await Promise.race([receiver.finished, pause(watchMs, this.#control.signal), this.#failure]);
      this.#report('replaying', receiver.distinct / messages, `${grouped(receiver.distinct)} messages`);
      const now = { ms: performance.now(), bytes: link.receivedBytes, cpu: processCpuSeconds(brokerProcessId) ?? 0 };
      const patienceMs = brokerProcessId === undefined ? blindSilenceMs : silenceMs;
      if (now.bytes > active.bytes || now.cpu - active.cpu > idleCpuSecondsMax) active = now;
      else if (now.ms - active.ms > patienceMs) break;
    }
    const afterCpu = processCpuSeconds(brokerProcessId);
    const { user, system } = process.cpuUsage(cpu);
    link.end(disconnectPacket);
    return {
      seconds: (receiver.lastMs - beganMs) / 1000,
      firstMilliseconds: receiver.firstMs - beganMs,
      received: receiver.received,
      lost: this.#isEnded ? 0 : messages - receiver.distinct,
      duplicates: receiver.received - receiver.distinct,
      foreign: receiver.foreign,
      brokerCpuSeconds: beforeCpu === undefined || afterCpu === undefined ? undefined : afterCpu - beforeCpu,
      generatorCpuSeconds: (user + system) / 1e6,
    };
  }

  #open(name: string, onDrain: () => void) {
    const { target, clientPrefix } = this.#options;
    const clientIdentifier = `${clientPrefix}-${name}`;
    const session = { topicFilters: [], qos: 0, isPersistent: false, publishBytes: publishBytesMax } as const;
    const opened = openLink(
      {
        ...{ ...session, target, clientIdentifier, onDrain },
        index: this.#links.length,
        onFailure: (error) => this.#fail(error),
      },
      (link) => this.#links.push(link),
    );
    return opened;
  }

  #report(phase: string, share: number, text: string): void {
    this.#control.onProgress?.({ phase, share, text });
  }
}

const partMessages = 10_000;
