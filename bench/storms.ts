/** Cases of very many connections, subscriptions and messages: what is done, and which figures it gives. */

import { defaultDeliveryWindow } from '../src/bench/budget.ts';
import {
  type ConnectionStormOptions,
  type ConnectionStormResult,
  runConnectionStorm,
} from '../src/bench/connection-storm.ts';
import { parseFlow } from '../src/bench/flow.ts';
import { type LoadOptions, type LoadResult, runLoad } from '../src/bench/load.ts';
import type { MemoryGrowth } from '../src/bench/process-memory.ts';
import { type QueuedMessagesResult, runQueuedMessages } from '../src/bench/queued-messages.ts';
import { type RetainedReplayResult, runRetainedReplay } from '../src/bench/retained-replay.ts';
import { runSubscriptionStorm, type SubscriptionStormResult } from '../src/bench/subscription-storm.ts';
import type { Target } from '../src/bench/target.ts';
import { practiseConnections } from './practice.ts';

/**
 * - `connections`: as fast as the broker answers, 100 at once.
 * - `idle`: the same, then nothing happens: memory before and after.
 * - `subscriptions`: with names and no wildcards, on ten connections; and a flow 1→1 at QoS 0 beside them, and beside a hundred.
 * - `retained`: messages of 64 bytes, handed to a new subscriber of `#` at QoS 0.
 * - `queued`: messages of 64 bytes at QoS 1 that wait for a client that is away, and handed to it when it comes back.
 */
export const stormKinds = ['connections', 'idle', 'subscriptions', 'retained', 'queued'] as const;
export type StormKind = (typeof stormKinds)[number];

/** How many when nobody says otherwise. */
export const stormCounts: Readonly<Record<StormKind, number>> = {
  connections: 10_000,
  idle: 10_000,
  subscriptions: 1_000_000,
  retained: 1_000_000,
  queued: 200_000,
};

/** Runs at most, whatever the rounds: they take long, and memory hardly differs from one to the next. */
export const stormRoundsMax: Readonly<Record<StormKind, number>> = {
  connections: Number.POSITIVE_INFINITY,
  idle: 1,
  subscriptions: 1,
  retained: 3,
  queued: 1,
};

export interface StormJob {
  readonly kind: StormKind;
  readonly count: number;
  /** How long the flow beside subscriptions is counted, and warmed up. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** How long idle connections are held. */
  readonly holdSeconds: number;
}

/** Figures of one run, by name; those that the system does not tell are missing. */
export interface StormResult {
  readonly figures: Readonly<Partial<Record<string, number>>>;
  /** What must not happen. */
  readonly faults: readonly string[];
}

export interface Figure {
  readonly title: string;
  readonly unit: 'count' | 'milliseconds' | 'share' | 'ratio';
  /** Whether it is compared with that of another broker. */
  readonly isCompared?: boolean;
}

const cpu = {
  brokerCpu: { title: 'broker CPU', unit: 'share' },
  generatorCpu: { title: 'generator CPU', unit: 'share' },
} as const;

/** Of what the rate counts, by processor time of the broker: what other programs take does not show in it. */
const perCpuSecond: Figure = { title: 'per CPU-second', unit: 'count', isCompared: true };

/** The columns of each table. */
export const stormFigures: Readonly<Record<StormKind, Readonly<Record<string, Figure>>>> = {
  connections: {
    rate: { title: 'connections/s', unit: 'count', isCompared: true },
    perCpuSecond,
    p50: { title: 'CONNACK p50 ms', unit: 'milliseconds' },
    p99: { title: 'CONNACK p99 ms', unit: 'milliseconds' },
    failed: { title: 'failed', unit: 'count' },
    ...cpu,
  },
  idle: {
    bytes: { title: 'bytes per connection', unit: 'count', isCompared: true },
    bytesAtFirst: { title: 'at first', unit: 'count' },
    lost: { title: 'lost', unit: 'count' },
  },
  subscriptions: {
    rate: { title: 'subscriptions/s', unit: 'count', isCompared: true },
    bytes: { title: 'bytes per subscription', unit: 'count' },
    few: { title: 'deliveries/s beside 100', unit: 'count' },
    many: { title: 'beside all', unit: 'count' },
    kept: { title: 'all : 100', unit: 'ratio' },
    ...cpu,
  },
  retained: {
    rate: { title: 'replayed/s', unit: 'count', isCompared: true },
    perCpuSecond,
    storeRate: { title: 'stored/s', unit: 'count' },
    bytes: { title: 'bytes per message', unit: 'count' },
    lost: { title: 'lost', unit: 'count' },
    ...cpu,
  },
  queued: {
    bytes: { title: 'bytes per message', unit: 'count', isCompared: true },
    queueRate: { title: 'queued/s', unit: 'count' },
    rate: { title: 'delivered/s', unit: 'count' },
    lost: { title: 'lost', unit: 'count' },
    ...cpu,
  },
};

const fewSubscriptions = 100;
const subscriberConnections = 10;
const handshakesAtOnce = 100;
const messageBytes = 64;
const names = { clientPrefix: 'bench', prefix: 'bench/n' } as const;

/** @throws {LoadError} if the broker refuses, misbehaves or goes away */
export async function runStorm(
  job: StormJob,
  target: Target,
  brokerProcessId: number | undefined,
): Promise<StormResult> {
  switch (job.kind) {
    case 'connections':
    case 'idle': {
      const options: ConnectionStormOptions = {
        ...{ ...names, target, brokerProcessId, rate: undefined, atOnce: handshakesAtOnce },
        ...{ connections: job.count, isPersistent: false, keepAlive: 0 },
        holdSeconds: job.kind === 'idle' ? job.holdSeconds : 0,
      };
      if (job.kind === 'connections') await practiseConnections(options);
      const result = await runConnectionStorm(options);
      return job.kind === 'idle' ? idleFigures(result) : connectionFigures(result);
    }
    case 'subscriptions':
      return runSubscriptions(job, target, brokerProcessId);
    case 'retained':
      return retainedFigures(
        await runRetainedReplay({
          ...{ ...names, target, brokerProcessId, messages: job.count, payloadBytes: messageBytes },
          ...{ qos: 0, publishWindow: 100, replays: 1, isKept: true },
        }),
      );
    case 'queued':
      return queuedFigures(
        await runQueuedMessages({
          ...{ ...names, target, brokerProcessId, messages: job.count, payloadBytes: messageBytes, publishWindow: 100 },
        }),
        job.count,
      );
  }
}

function connectionFigures(result: ConnectionStormResult): StormResult {
  const { connected, failed, failures, seconds, latency } = result;
  return {
    figures: {
      rate: connected / seconds,
      ...perCpuSecondOf(connected, result),
      ...{ p50: latency!.p50, p99: latency!.p99, failed, ...sharesOf(result, seconds) },
    },
    faults: failed > 0 ? [`${failed} connections failed: ${Object.keys(failures)[0]}`] : [],
  };
}

function idleFigures(result: ConnectionStormResult): StormResult {
  const { lost, failed, failures, lostReasons, memory, memoryAtFirst } = result;
  const faults = [
    ...(failed > 0 ? [`${failed} connections failed: ${Object.keys(failures)[0]}`] : []),
    ...(lost > 0 ? [`${lost} connections were lost: ${Object.keys(lostReasons)[0]}`] : []),
  ];
  return {
    figures: {
      ...bytesOf(memory),
      ...(memoryAtFirst !== undefined && { bytesAtFirst: memoryAtFirst.eachBytes }),
      lost,
    },
    faults,
  };
}

async function runSubscriptions(
  { count, seconds, warmUpSeconds }: StormJob,
  target: Target,
  brokerProcessId: number | undefined,
): Promise<StormResult> {
  const flows: LoadResult[] = [];
  const storm = (subscriptions: number) =>
    runSubscriptionStorm(
      {
        ...{ ...names, target, brokerProcessId, subscriptions, connections: subscriberConnections },
        ...{ filtersPerPacket: 10, window: 10, shares: { exact: 1, plus: 0, hash: 0 }, qos: 0 },
      },
      {},
      async () => {
        flows.push(await runLoad(flowBeside(target, seconds, warmUpSeconds, brokerProcessId)));
      },
    );
  // The first warms up, broker and generator.
  await storm(Math.min(count, fewSubscriptions));
  await storm(Math.min(count, fewSubscriptions));
  const result: SubscriptionStormResult = await storm(count);
  const [few, many] = flows.slice(-2).map((flow) => flow.deliveries / flow.seconds);
  return {
    figures: {
      rate: result.granted / result.seconds,
      ...bytesOf(result.memory),
      ...{ few: few!, many: many!, kept: many! / few! },
      ...sharesOf(result, result.seconds),
    },
    faults: flows.flatMap(({ total }) => (total.outOfOrder > 0 ? [`${total.outOfOrder} messages out of order`] : [])),
  };
}

/** 1→1 at QoS 0 on a topic that has the subscriptions for neighbours. */
function flowBeside(
  target: Target,
  seconds: number,
  warmUpSeconds: number,
  brokerProcessId: number | undefined,
): LoadOptions {
  const payloadBytes = 64;
  return {
    ...{ target, seconds, warmUpSeconds, brokerProcessId, payloadBytes, cores: undefined, rate: undefined },
    ...{ clientPrefix: names.clientPrefix, prefix: `${names.prefix}/0000`, flow: parseFlow('1-1'), topics: 1 },
    qos: 0,
    ...{ isDurable: false, isRetained: false, receiveMaximum: undefined, publishWindow: 20 },
    deliveryWindow: defaultDeliveryWindow(0, payloadBytes),
  };
}

function retainedFigures({ stored, storeSeconds, memory, replays }: RetainedReplayResult): StormResult {
  const replay = replays[0]!;
  return {
    figures: {
      rate: replay.received / replay.seconds,
      ...perCpuSecondOf(replay.received, replay),
      storeRate: stored / storeSeconds,
      ...bytesOf(memory),
      lost: replay.lost,
      ...sharesOf(replay, replay.seconds),
    },
    faults: [
      ...(replay.lost > 0 ? [`${replay.lost} retained messages were not replayed`] : []),
      ...(replay.duplicates > 0 ? [`${replay.duplicates} retained messages were replayed twice`] : []),
    ],
  };
}

function queuedFigures(result: QueuedMessagesResult, messages: number): StormResult {
  const { memory, queuedSeconds, seconds, received, lost, duplicates } = result;
  return {
    figures: {
      ...{ ...bytesOf(memory), queueRate: messages / queuedSeconds, rate: received / seconds, lost },
      ...sharesOf(result, seconds),
    },
    faults: [
      ...(lost > 0 ? [`${lost} queued messages were not delivered`] : []),
      ...(duplicates > 0 ? [`${duplicates} queued messages were delivered twice`] : []),
    ],
  };
}

function bytesOf(memory: MemoryGrowth | undefined): { bytes?: number } {
  return memory === undefined ? {} : { bytes: memory.eachBytes };
}

/** Below some ticks of the clock a quotient says nothing. */
const cpuSecondsMin = 0.03;

function perCpuSecondOf(
  count: number,
  { brokerCpuSeconds }: { readonly brokerCpuSeconds: number | undefined },
): { perCpuSecond?: number } {
  const isKnown = brokerCpuSeconds !== undefined && brokerCpuSeconds >= cpuSecondsMin;
  return isKnown ? { perCpuSecond: count / brokerCpuSeconds } : {};
}

function sharesOf(
  used: { readonly brokerCpuSeconds: number | undefined; readonly generatorCpuSeconds: number },
  seconds: number,
): Partial<Record<'brokerCpu' | 'generatorCpu', number>> {
  return {
    ...(used.brokerCpuSeconds !== undefined && { brokerCpu: used.brokerCpuSeconds / seconds }),
    generatorCpu: used.generatorCpuSeconds / seconds,
  };
}
