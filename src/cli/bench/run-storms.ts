/** `clearwing bench connect`, `idle`, `retained`, `subscribe` and `churn`. */
import { runChurn } from '../../bench/churn.ts';
import { runConnectionStorm } from '../../bench/connection-storm.ts';
import { parseFlow } from '../../bench/flow.ts';
import { type LoadResult, runLoad } from '../../bench/load.ts';
import { type Replay, runRetainedReplay } from '../../bench/retained-replay.ts';
import type { RunControl } from '../../bench/run-control.ts';
import { runSubscriptionStorm } from '../../bench/subscription-storm.ts';
import {
  type BenchReport,
  type Column,
  count,
  megabytes,
  milliseconds,
  percent,
  rate,
  seconds,
  words,
} from './report.ts';
import type { BenchRun } from './run.ts';
import { judge, loadOf, percentiles } from './run-flow.ts';
import { targetOf } from './run-target.ts';

type Cell = readonly [column: Column | string, cell: string];

const perUnit = 'Latencies are in milliseconds.';

export async function runConnect(run: BenchRun): Promise<void> {
  const { command, settings, report } = run;
  const { clientPrefix, rate: perSecond, atOnce, isPersistent, keepAlive, brokerProcessId } = settings;
  const name = `${count(settings.count)} connections`;
  const result = await runConnectionStorm(
    {
      ...{ clientPrefix, rate: perSecond, atOnce, isPersistent, keepAlive, brokerProcessId },
      target: targetOf(settings),
      connections: settings.count,
      holdSeconds: command === 'idle' ? settings.holdSeconds : 0,
    },
    controlOf(run, name),
  );
  const { connected, latency, memory } = result;
  report.add(
    [
      ['connections', count(connected)],
      ['seconds', seconds(result.seconds)],
      ['connections/s', rate(connected, result.seconds)],
      ...percentiles('CONNACK ', latency),
      ...(command === 'idle'
        ? ([
            ['held s', result.heldSeconds.toFixed(1)],
            ['lost', count(result.lost)],
            ['PINGRESP', count(result.pings)],
          ] as const)
        : []),
      ['failed', count(result.failed)],
      ...cpuCells(result, result.seconds),
      ...memoryCells('connection', memory),
    ],
    result,
  );
  report.notes.push(perUnit);
  addReasons(report, result.failures);
  if (result.failed > 0) report.faults.push(`${count(result.failed)} connections could not be made`);
  addReasons(report, result.lostReasons);
  if (result.lost > 0) report.faults.push(`${count(result.lost)} connections ended while they were held`);
  addPartial(report, name, result.isPartial);
}

export async function runRetained(run: BenchRun): Promise<void> {
  const { settings, report } = run;
  const { clientPrefix, topicPrefix, publishWindow, replays, isKept, brokerProcessId } = settings;
  const payloadBytes = settings.sizes[0]!;
  const qos = settings.qos[0] === 0 ? 0 : 1;
  const name = `${count(settings.count)} retained messages`;
  const result = await runRetainedReplay(
    {
      ...{ clientPrefix, publishWindow, replays, isKept, brokerProcessId, payloadBytes, qos },
      target: targetOf(settings),
      prefix: `${topicPrefix}/r`,
      messages: settings.count,
    },
    controlOf(run, name),
  );
  const addRow = (title: string, replay: Replay | undefined): void => {
    report.add(
      [
        [words('replay'), title],
        ['stored', count(result.stored)],
        ['stored/s', rate(result.stored, result.storeSeconds)],
        ['first ms', milliseconds(replay?.firstMilliseconds)],
        ['seconds', seconds(replay?.seconds)],
        ['messages/s', rate(replay?.received ?? 0, replay?.seconds ?? 0)],
        ['MB/s', replay === undefined ? '–' : megabytes((replay.received * payloadBytes) / replay.seconds)],
        ['lost', count(replay?.lost)],
        ['repeated', count(replay?.duplicates)],
        ...(replay === undefined ? [] : cpuCells(replay, replay.seconds)),
        ...memoryCells('message', result.memory),
      ],
      { ...result, replays: undefined, ...replay },
    );
  };
  if (result.replays.length === 0) addRow('none', undefined);
  result.replays.forEach((replay, index) => {
    addRow(`${index + 1} of ${replays}`, replay);
    if (replay.lost > 0)
      report.faults.push(`replay ${index + 1}: ${count(replay.lost)} of ${count(result.stored)} lost`);
    if (replay.duplicates > 0) report.faults.push(`replay ${index + 1}: ${count(replay.duplicates)} repeated`);
    if (replay.foreign > 0) {
      report.notes.push(
        `replay ${index + 1}: ${count(replay.foreign)} other retained messages were below ${topicPrefix}/r.`,
      );
    }
  });
  addPartial(report, name, result.isPartial);
}

export async function runSubscribe(run: BenchRun): Promise<void> {
  const { settings, report } = run;
  const { clientPrefix, topicPrefix, connections, filtersPerPacket, brokerProcessId, publishSeconds } = settings;
  const prefix = `${topicPrefix}/s`;
  const name = `${count(settings.count)} subscriptions`;
  const publish = async (): Promise<LoadResult> => {
    const load = {
      ...loadOf(settings, parseFlow('1-1'), settings.qos[0]!, settings.sizes[0]!, false),
      ...{ prefix: `${prefix}/0000`, seconds: publishSeconds },
    };
    const result = await runLoad(load, controlOf(run, `${name}, flow`));
    judge(report, 'flow 1→1', load.qos, result);
    return result;
  };
  const before = publishSeconds > 0 ? await publish() : undefined;
  let during: LoadResult | undefined;
  const result = await runSubscriptionStorm(
    {
      ...{ clientPrefix, prefix, connections, filtersPerPacket, brokerProcessId },
      target: targetOf(settings),
      subscriptions: settings.count,
      window: settings.subscribeWindow,
      shares: settings.mix!,
      qos: settings.qos[0]!,
    },
    controlOf(run, name),
    async () => {
      if (publishSeconds > 0) during = await publish();
    },
  );
  const pace = (load: LoadResult | undefined) => (load === undefined ? undefined : load.deliveries / load.seconds);
  report.add(
    [
      ['subscriptions', count(result.granted)],
      ['seconds', seconds(result.seconds)],
      ['subscriptions/s', rate(result.granted, result.seconds)],
      ...percentiles('SUBACK ', result.latency),
      ...cpuCells(result, result.seconds),
      ...memoryCells('subscription', result.memory),
      ...(before === undefined
        ? []
        : ([
            ['deliveries/s before', count(pace(before))],
            ['with them', count(pace(during))],
            ['ratio', during === undefined ? '–' : (pace(during)! / pace(before)!).toFixed(2)],
          ] as const)),
    ],
    { ...result, flowBefore: before, flowWithThem: during },
  );
  report.notes.push(perUnit);
  addPartial(report, name, result.isPartial);
}

export async function runChurnCommand(run: BenchRun): Promise<void> {
  const { settings, report } = run;
  const { clientPrefix, topicPrefix, clients, brokerProcessId } = settings;
  const name = `${count(clients)} clients that come and go`;
  const result = await runChurn(
    {
      ...{ clientPrefix, clients, brokerProcessId, seconds: settings.seconds },
      target: targetOf(settings),
      prefix: topicPrefix,
      qos: settings.qos[0]!,
      payloadBytes: settings.sizes[0]!,
    },
    controlOf(run, name),
  );
  const { memoryBeforeBytes, memoryAfterBytes } = result;
  report.add(
    [
      ['cycles', count(result.cycles)],
      ['cycles/s', rate(result.cycles, result.seconds)],
      ...percentiles('', result.cycle),
      ['ready p50', milliseconds(result.ready?.p50)],
      ['ready p99', milliseconds(result.ready?.p99)],
      ['message p50', milliseconds(result.message?.p50)],
      ['message p99', milliseconds(result.message?.p99)],
      ['failed', count(result.failed)],
      ...cpuCells(result, result.seconds),
      ...(memoryBeforeBytes === undefined
        ? []
        : ([
            ['MB before', megabytes(memoryBeforeBytes)],
            ['MB after', megabytes(memoryAfterBytes)],
          ] as const)),
    ],
    result,
  );
  report.notes.push(
    'Milliseconds of a cycle; ready: from the beginning of the connection to SUBACK; message: from PUBLISH until it is back.',
  );
  addReasons(report, result.failures);
  if (result.failed > 0) report.faults.push(`${count(result.failed)} cycles failed`);
  addPartial(report, name, result.isPartial);
}

function controlOf({ control }: BenchRun, name: string): RunControl {
  return { signal: control.signal, onProgress: (progress) => control.show(name, progress) };
}

function cpuCells(
  used: { readonly brokerCpuSeconds: number | undefined; readonly generatorCpuSeconds: number },
  elapsed: number,
): Cell[] {
  if (elapsed <= 0) return [];
  const broker: Cell[] =
    used.brokerCpuSeconds === undefined ? [] : [['broker CPU', percent(used.brokerCpuSeconds / elapsed)]];
  return [...broker, ['generator CPU', percent(used.generatorCpuSeconds / elapsed)]];
}

function memoryCells(unit: string, memory: { readonly eachBytes: number } | undefined): Cell[] {
  return memory === undefined ? [] : [[`bytes per ${unit}`, count(memory.eachBytes)]];
}

function addReasons(report: BenchReport, reasons: Readonly<Record<string, number>>): void {
  for (const [reason, times] of Object.entries(reasons)) report.notes.push(`${count(times)} × ${reason}`);
}

function addPartial(report: BenchReport, name: string, isPartial: boolean): void {
  if (isPartial) report.notes.push(`${name}: ended before its time.`);
}
