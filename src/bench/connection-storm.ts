/** Connections that come all at once, and connections that stay and do nothing. */
import { forgetSessions } from './clean-up.ts';
import { Failures } from './failures.ts';
import { unexpectedPacket } from './handshake.ts';
import type { LatencySummary } from './latency.ts';
import type { Link } from './link.ts';
import { openLinks } from './open-links.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import { processCpuSeconds } from './process-cpu.ts';
import { growthOf, type MemoryGrowth, residentBytes } from './process-memory.ts';
import { grouped, pause, type RunControl } from './run-control.ts';
import type { Target } from './target.ts';
import { disconnectPacket, firstByte, pingreqPacket } from './wire.ts';

export interface ConnectionStormOptions {
  readonly target: Target;
  readonly clientPrefix: string;
  readonly connections: number;
  /** Connections a second; undefined for as fast as the broker answers. */
  readonly rate: number | undefined;
  /** Handshakes under way at once. */
  readonly atOnce: number;
  readonly isPersistent: boolean;
  /** Seconds; 0 for none. */
  readonly keepAlive: number;
  /** Seconds that the connections stay open, idle. */
  readonly holdSeconds: number;
  /** Process whose memory and processor time are taken. */
  readonly brokerProcessId: number | undefined;
}

export interface ConnectionStormResult {
  /** Connections that were made. */
  readonly connected: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  /** From the first attempt to the last CONNACK. */
  readonly seconds: number;
  /** From when a connection was due, or begun, to its CONNACK. */
  readonly latency: LatencySummary | undefined;
  /** While connecting. */
  readonly brokerCpuSeconds: number | undefined;
  readonly generatorCpuSeconds: number;
  /** Seconds held. */
  readonly heldSeconds: number;
  /** Connections that ended while they were held. */
  readonly lost: number;
  readonly lostReasons: Readonly<Record<string, number>>;
  /** PINGRESP that came in answer to PINGREQ. */
  readonly pings: number;
  /** The broker's, for each connection: as soon as they are there, and at the end. */
  readonly memoryAtFirst: MemoryGrowth | undefined;
  readonly memory: MemoryGrowth | undefined;
  readonly isPartial: boolean;
}

/** Each connection sends a PINGREQ in about this part of its keep alive. */
const pingShare = 0.5;
const watchMs = 100;
/** What a broker frees or settles after a storm. */
const settleMs = 200;

/** @throws {LoadError} if the first connection fails */
export async function runConnectionStorm(
  options: ConnectionStormOptions,
  control: RunControl = {},
): Promise<ConnectionStormResult> {
  const { target, clientPrefix, connections, rate, atOnce, isPersistent, keepAlive } = options;
  const { holdSeconds, brokerProcessId } = options;
  const all: Link[] = [];
  const idle = new IdleLinks(keepAlive);
  const lost = new Failures();
  const namePrefix = `${clientPrefix}-idle`;
  const beforeBytes = residentBytes(brokerProcessId);
  const beforeCpu = processCpuSeconds(brokerProcessId);
  const cpu = process.cpuUsage();
  try {
    const opened = await openLinks(
      {
        ...{ target, namePrefix, connections, rate, atOnce, isPersistent, keepAlive, publishBytes: 0 },
        onOpen: (link) => idle.add(link),
        onLost: (error) => lost.add(error),
      },
      all,
      control,
    );
    const afterCpu = processCpuSeconds(brokerProcessId);
    const { user, system } = process.cpuUsage(cpu);
    const connected = opened.links.length;
    await pause(settleMs);
    const memoryAtFirst = growthOf(beforeBytes, residentBytes(brokerProcessId), connected);
    const heldSeconds = await hold(holdSeconds, connected, control);
    return {
      connected,
      failed: opened.failed,
      failures: opened.failures,
      seconds: opened.seconds,
      latency: opened.latency,
      brokerCpuSeconds: beforeCpu === undefined || afterCpu === undefined ? undefined : afterCpu - beforeCpu,
      generatorCpuSeconds: (user + system) / 1e6,
      heldSeconds,
      lost: lost.count,
      lostReasons: lost.byReason(),
      pings: idle.answers,
      memoryAtFirst,
      memory: growthOf(beforeBytes, residentBytes(brokerProcessId), connected),
      isPartial: control.signal?.aborted === true,
    };
  } finally {
    idle.stop();
    await closeAll(all);
    if (isPersistent && all.length > 0) {
      await forgetSessions(
        target,
        all.map((_, index) => `${namePrefix}-${index}`),
      ).catch(() => {});
    }
  }
}

/** Connections that do nothing but stay alive. */
class IdleLinks implements PacketReceiver {
  /** PINGRESP that came. */
  answers = 0;
  readonly #links: Link[] = [];
  readonly #timer: NodeJS.Timeout | undefined;
  /** Connections whose turn has come, counted on and on. */
  #pinged = 0;

  /** @param keepAlive seconds; 0 for none */
  constructor(keepAlive: number) {
    if (keepAlive === 0) return;
    const periodMs = keepAlive * 1000 * pingShare;
    this.#timer = setInterval(() => {
      for (let due = Math.ceil((this.#links.length * watchMs) / periodMs); due > 0; due--) {
        this.#links[this.#pinged++ % this.#links.length]!.write(pingreqPacket);
      }
    }, watchMs);
  }

  add(link: Link): void {
    link.receiver = this;
    this.#links.push(link);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    if (bytes[offset] !== firstByte.pingresp) throw unexpectedPacket(bytes, offset, body, end);
    this.answers++;
  }

  endChunk(): void {}
}

/** Waits. Returns for how long. */
async function hold(seconds: number, connections: number, { signal, onProgress }: RunControl): Promise<number> {
  const beganMs = performance.now();
  for (;;) {
    const elapsedMs = performance.now() - beganMs;
    if (elapsedMs >= seconds * 1000 || signal?.aborted) return elapsedMs / 1000;
    const text = `${grouped(connections)} connections`;
    onProgress?.({ phase: 'holding', share: elapsedMs / (seconds * 1000), text });
    await pause(Math.min(watchMs, seconds * 1000 - elapsedMs), signal);
  }
}

/** Connections that are closed in one go. */
const closedAtOnce = 500;

/** Says goodbye on every connection, some at a time, so that neither side is flooded. */
export async function closeAll(links: readonly Link[]): Promise<void> {
  for (let at = 0; at < links.length; at += closedAtOnce) {
    for (const link of links.slice(at, at + closedAtOnce)) link.end(disconnectPacket);
    await pause(1);
  }
  await pause(10);
  for (const link of links) link.destroy();
}
