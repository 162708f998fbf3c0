/** `clearwing bench flow` and `latency`: every flow with every QoS and size, one after the other. */
import { defaultDeliveryWindow } from '../../bench/budget.ts';
import type { Flow } from '../../bench/flow.ts';
import type { LatencySummary } from '../../bench/latency.ts';
import { type LoadOptions, type LoadResult, runLoad } from '../../bench/load.ts';
import type { QoS } from '../../bench/wire.ts';
import { type BenchReport, count, megabytes, milliseconds, percent, rate, words } from './report.ts';
import type { BenchRun } from './run.ts';
import { targetOf } from './run-target.ts';
import type { BenchSettings } from './settings.ts';

/** The generator at work for so much of the time has no more to give. */
const saturatedShare = 0.85;
/** Of a latency, what the generator itself may add before it is told. */
const generatorLagMs = 1;

export async function runFlow({ command, settings, control, report }: BenchRun): Promise<void> {
  for (const flow of settings.flows) {
    for (const qos of settings.qos) {
      for (const size of settings.sizes) {
        if (control.signal.aborted) return;
        const name = `${flow.name} QoS ${qos} ${size} B`;
        const isPaced = command === 'latency';
        const result = await runLoad(loadOf(settings, flow, qos, size, isPaced), {
          signal: control.signal,
          onProgress: (progress) => control.show(name, progress),
        });
        if (isPaced) addLatency(report, flow, qos, size, result);
        else addFlow(report, settings, flow, qos, size, result);
        judge(report, name, qos, result);
      }
    }
  }
}

/** The load of one row. */
export function loadOf(settings: BenchSettings, flow: Flow, qos: QoS, size: number, isPaced: boolean): LoadOptions {
  return {
    target: targetOf(settings),
    flow,
    qos,
    isDurable: settings.isPersistent,
    prefix: settings.topicPrefix,
    clientPrefix: settings.clientPrefix,
    topics: settings.topics,
    payloadBytes: size,
    warmUpSeconds: settings.warmUpSeconds,
    seconds: settings.seconds,
    publishWindow: settings.publishWindow,
    deliveryWindow: settings.deliveryWindow ?? defaultDeliveryWindow(qos, size),
    isRetained: settings.isRetained,
    receiveMaximum: settings.receiveMaximum,
    rate: isPaced ? settings.rate : undefined,
    brokerProcessId: settings.brokerProcessId,
    cores: undefined,
  };
}

/** What every row has behind its figures. */
function totals({ total }: LoadResult): (readonly [string, string])[] {
  return [
    ['lost', count(total.lost)],
    ['late', count(total.late)],
    ['repeated', count(total.duplicates)],
    ['disordered', count(total.outOfOrder)],
  ];
}

function addFlow(
  report: BenchReport,
  settings: BenchSettings,
  flow: Flow,
  qos: QoS,
  size: number,
  result: LoadResult,
): void {
  const { deliveries, publishes, generatorCpuSeconds, brokerCpuSeconds } = result;
  const share = (cpuSeconds: number) => (result.seconds <= 0 ? undefined : cpuSeconds / result.seconds);
  report.add(
    [
      [words('flow'), flow.name],
      ['QoS', String(qos)],
      ['bytes', String(size)],
      ['deliveries/s', rate(deliveries, result.seconds)],
      ['MB/s', result.seconds <= 0 ? '–' : megabytes((deliveries * size) / result.seconds)],
      ['published/s', rate(publishes, result.seconds)],
      ...(brokerCpuSeconds === undefined
        ? []
        : ([
            ['per CPU-second', rate(deliveries, brokerCpuSeconds)],
            ['broker CPU', percent(share(brokerCpuSeconds))],
          ] as const)),
      ['generator CPU', percent(share(generatorCpuSeconds))],
      ...totals(result),
    ],
    { flow: flow.name, qos, payloadBytes: size, topics: settings.topics, ...result },
  );
  if ((share(generatorCpuSeconds) ?? 0) >= saturatedShare) {
    report.notes.push(`${flow.name} QoS ${qos} ${size} B: the generator was at its limit; the broker may carry more.`);
  }
}

function addLatency(report: BenchReport, flow: Flow, qos: QoS, size: number, result: LoadResult): void {
  const { latency } = result;
  const { delivery, acknowledgement, generator } = latency!;
  report.add(
    [
      [words('flow'), flow.name],
      ['QoS', String(qos)],
      ['bytes', String(size)],
      ['due/s', count(latency!.rate)],
      ['published/s', rate(result.publishes, result.seconds)],
      ...percentiles('', delivery),
      ['ack p50', milliseconds(acknowledgement?.p50)],
      ['ack p99', milliseconds(acknowledgement?.p99)],
      ['generator p99', milliseconds(generator?.p99)],
      ['unsent', count(latency!.unsent)],
      ...totals(result),
    ],
    { flow: flow.name, qos, payloadBytes: size, ...result },
  );
  const intro = 'Milliseconds from when a message was due until a subscriber had read it';
  if (report.results.length === 1)
    report.notes.push(`${intro}; ack: until its publisher had the last acknowledgement.`);
  if (generator !== undefined && generator.p99 > generatorLagMs && generator.p99 > (delivery?.p99 ?? 0) / 2) {
    report.notes.push(
      `${flow.name} QoS ${qos} ${size} B: the generator itself was late (p99 ${milliseconds(generator.p99)} ms), so ` +
        'latencies are higher than the broker made them.',
    );
  }
}

/** Columns of a latency. */
export function percentiles(prefix: string, latency: LatencySummary | undefined): (readonly [string, string])[] {
  return [
    [`${prefix}p50`, milliseconds(latency?.p50)],
    [`${prefix}p90`, milliseconds(latency?.p90)],
    [`${prefix}p99`, milliseconds(latency?.p99)],
    [`${prefix}p99.9`, milliseconds(latency?.p999)],
    [`${prefix}max`, milliseconds(latency?.max)],
  ];
}

/**
 * What a broker must not do, whatever its speed: lose messages at QoS 1 and 2, repeat any at QoS 0 and 2, reorder any, or take
 * nothing more. Losses at QoS 0 are allowed, and shown.
 */
export function judge(report: BenchReport, name: string, qos: QoS, { total, latency, isPartial }: LoadResult): void {
  if (qos > 0 && total.lost > 0) report.faults.push(`${name}: ${count(total.lost)} of ${count(total.expected)} lost`);
  if (qos !== 1 && total.duplicates > 0) report.faults.push(`${name}: ${count(total.duplicates)} repeated`);
  if (total.outOfOrder > 0) report.faults.push(`${name}: ${count(total.outOfOrder)} out of order`);
  if (latency !== undefined && latency.unsent > 0) {
    report.faults.push(`${name}: ${count(latency.unsent)} messages were due and the broker took them not`);
  }
  if (isPartial) report.notes.push(`${name}: ended before its time.`);
}
