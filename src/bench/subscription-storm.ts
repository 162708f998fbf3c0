/** Very many subscriptions: how fast they are granted, what they take of the broker's memory, and what they do to its pace. */
import { closeAll } from './connection-storm.ts';
import { distribute, type FilterKind, type FilterShares } from './flow.ts';
import { unexpectedPacket } from './handshake.ts';
import { Latencies, type LatencySummary } from './latency.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import { numberedTopic } from './numbered-topics.ts';
import { openLinks } from './open-links.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import { processCpuSeconds } from './process-cpu.ts';
import { growthOf, type MemoryGrowth, residentBytes } from './process-memory.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import type { Target } from './target.ts';
import { checkSuback, firstByte, type QoS, subscribePacket } from './wire.ts';

export interface SubscriptionStormOptions {
  readonly target: Target;
  readonly prefix: string;
  readonly clientPrefix: string;
  /** All together, 1 to `numberedTopicsMax`; every one has a filter of its own. */
  readonly subscriptions: number;
  readonly connections: number;
  /** Topic Filters in one SUBSCRIBE. */
  readonly filtersPerPacket: number;
  /** SUBSCRIBE packets that are not answered at once, on each connection. */
  readonly window: number;
  readonly shares: FilterShares;
  readonly qos: QoS;
  readonly brokerProcessId: number | undefined;
}

export interface SubscriptionStormResult {
  /** Subscriptions that were granted. */
  readonly granted: number;
  /** From the first SUBSCRIBE to the last SUBACK. */
  readonly seconds: number;
  /** From a SUBSCRIBE to its SUBACK. */
  readonly latency: LatencySummary | undefined;
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  /** The broker's for each subscription; the connections were there before. */
  readonly memory: MemoryGrowth | undefined;
  readonly isPartial: boolean;
}

const handshakesAtOnce = 100;
const watchMs = 100;
const settleMs = 200;
/** Without any answer for so long nothing more is waited for. */
const silenceMs = 20_000;

/**
 * Subscribes, and disconnects in the end.
 * @param whileStanding is awaited while all subscriptions are there
 * @throws {LoadError} if the broker refuses, falls silent or goes away
 */
export async function runSubscriptionStorm(
  options: SubscriptionStormOptions,
  control: RunControl = {},
  whileStanding: () => Promise<void> = async () => {},
): Promise<SubscriptionStormResult> {
  const links: Link[] = [];
  let fail: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  const { target, clientPrefix, connections, brokerProcessId } = options;
  try {
    const opened = await openLinks(
      {
        ...{ target, connections, rate: undefined, atOnce: handshakesAtOnce },
        ...{ namePrefix: `${clientPrefix}-many`, isPersistent: false, keepAlive: 0, publishBytes: 0 },
        onOpen: () => {},
        onLost: (error) => fail(error),
      },
      links,
      control,
    );
    if (opened.failed > 0)
      throw new LoadError(`${opened.failed} connections failed: ${Object.keys(opened.failures)[0]}`);
    await pause(settleMs);
    const beforeBytes = residentBytes(brokerProcessId);
    const beforeCpu = processCpuSeconds(brokerProcessId);
    const cpu = process.cpuUsage();
    const storm = new Storm(options, opened.links);
    const seconds = await storm.run(control, failure);
    const afterCpu = processCpuSeconds(brokerProcessId);
    const { user, system } = process.cpuUsage(cpu);
    await pause(settleMs);
    const growth = growthOf(beforeBytes, residentBytes(brokerProcessId), storm.granted);
    const isPartial = control.signal?.aborted === true;
    if (!isPartial) await Promise.race([whileStanding(), failure]);
    return {
      granted: storm.granted,
      seconds,
      latency: storm.latencies.summary(),
      brokerCpuSeconds: beforeCpu === undefined || afterCpu === undefined ? undefined : afterCpu - beforeCpu,
      generatorCpuSeconds: (user + system) / 1e6,
      memory: growth,
      isPartial,
    };
  } finally {
    await closeAll(links);
  }
}

class Storm {
  granted = 0;
  readonly latencies = new Latencies();
  readonly #options: SubscriptionStormOptions;
  readonly #kinds: readonly FilterKind[];
  readonly #subscribers: StormSubscriber[];
  #lastMs = 0;
  #next = 0;
  #finish: () => void = () => {};

  constructor(options: SubscriptionStormOptions, links: readonly Link[]) {
    this.#options = options;
    // The pattern repeats; a hundred have any share to the percent.
    this.#kinds = distribute(options.shares, 100);
    this.#subscribers = links.map((link) => new StormSubscriber(link, this, options));
  }

  /** Returns the seconds that it took. */
  async run({ signal, onProgress }: RunControl, failure: Promise<never>): Promise<number> {
    const { subscriptions } = this.#options;
    const beganMs = performance.now();
    this.#lastMs = beganMs;
    let isFinished = false;
    const finished = new Promise<void>((resolve) => {
      this.#finish = () => {
        isFinished = true;
        resolve();
      };
    });
    for (const subscriber of this.#subscribers) subscriber.resume();
    while (!isFinished && signal?.aborted !== true) {
      await Promise.race([finished, failure, pause(watchMs, signal)]);
      const text = `${grouped(this.granted)} subscriptions`;
      onProgress?.({ phase: 'subscribing', share: this.granted / subscriptions, text });
      if (performance.now() - this.#lastMs > silenceMs) {
        throw new LoadError(`the broker has not answered a SUBSCRIBE for ${silenceMs / 1000} s`);
      }
    }
    // Whoever is to send more finds nothing left.
    this.#next = subscriptions;
    return (this.#lastMs - beganMs) / 1000;
  }

  /** Filters for the next SUBSCRIBE; none if all have been given out. */
  takeFilters(): string[] {
    const { subscriptions, filtersPerPacket, prefix } = this.#options;
    const filters: string[] = [];
    const end = Math.min(subscriptions, this.#next + filtersPerPacket);
    for (; this.#next < end; this.#next++) {
      const kind = this.#kinds[this.#next % this.#kinds.length]!;
      filters.push(stormFilter(prefix, this.#next, kind));
    }
    return filters;
  }

  answered(filters: number, beganMs: number): void {
    this.#lastMs = performance.now();
    this.latencies.record(this.#lastMs - beganMs);
    this.granted += filters;
    if (this.granted === this.#options.subscriptions) this.#finish();
  }
}

/** Filter number `number` of a storm: all of them differ, also by kind. */
export function stormFilter(prefix: string, number: number, kind: FilterKind): string {
  const name = numberedTopic(prefix, number);
  if (kind === 'exact') return name;
  return kind === 'plus' ? `${prefix}/+${name.slice(prefix.length)}` : `${name}/#`;
}

class StormSubscriber implements PacketReceiver {
  readonly #link: Link;
  readonly #storm: Storm;
  readonly #options: SubscriptionStormOptions;
  /** By packet identifier: how many filters were asked for, and when. */
  readonly #waiting = new Map<number, { readonly filters: number; readonly beganMs: number }>();
  #packetIdentifier = 0;

  constructor(link: Link, storm: Storm, options: SubscriptionStormOptions) {
    this.#link = link;
    this.#storm = storm;
    this.#options = options;
    link.receiver = this;
  }

  resume(): void {
    const { target, qos, window } = this.#options;
    while (this.#waiting.size < window) {
      const filters = this.#storm.takeFilters();
      if (filters.length === 0) break;
      this.#packetIdentifier = this.#packetIdentifier === 65_535 ? 1 : this.#packetIdentifier + 1;
      const packet = subscribePacket(target.protocol, filters, qos, this.#packetIdentifier);
      this.#waiting.set(this.#packetIdentifier, { filters: filters.length, beganMs: performance.now() });
      this.#link.reserve(packet.length);
      this.#link.append(packet);
    }
    this.#link.flush();
  }

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const packetIdentifier = (bytes[body]! << 8) | bytes[body + 1]!;
    const waiting = this.#waiting.get(packetIdentifier);
    if (bytes[offset] !== firstByte.suback || waiting === undefined) throw unexpectedPacket(bytes, offset, body, end);
    checkSuback(this.#options.target.protocol, bytes.subarray(body, end), this.#options.qos, waiting.filters);
    this.#waiting.delete(packetIdentifier);
    this.#storm.answered(waiting.filters, waiting.beganMs);
  }

  endChunk(): void {
    this.resume();
  }
}
