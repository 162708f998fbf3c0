/** What the runs of a benchmark brought, and its summary per case and broker. */
import type { Flow } from '../src/bench/flow.ts';
import type { LatencyResult, LoadResult } from '../src/bench/load.ts';
import type { QoS } from '../src/bench/wire.ts';
import type { FlowGroupName, StormGroup } from './options.ts';
import type { StormResult } from './storms.ts';

/** One load, without the broker. */
export interface Case {
  readonly flow: Flow;
  readonly qos: QoS;
  /** Topics per publisher. */
  readonly topics: number;
  /** Whether the subscribers' Sessions outlive their connections. */
  readonly isDurable: boolean;
  readonly payloadBytes: number;
  /** Messages a second; undefined for as fast as they go. */
  readonly rate: number | undefined;
  /** The table that it stands in. */
  readonly group: FlowGroupName;
}

export type Run = LoadResult | { readonly error: string };

/** All runs of one case against one broker, in the order of the rounds. */
export interface Outcome {
  readonly case: Case;
  readonly broker: string;
  readonly runs: Run[];
}

/** All runs of very many of something against one broker. */
export interface StormOutcome {
  readonly group: StormGroup;
  readonly broker: string;
  readonly runs: (StormResult | { readonly error: string })[];
}

/** Medians, lowest and highest of a figure over the rounds; undefined if no run has it. */
export function figureOf(outcome: StormOutcome, name: string): Spread | undefined {
  return spread(outcome.runs.flatMap((run) => ('error' in run ? [] : (run.figures[name] ?? []))));
}

export function stormFaultsOf({ runs }: StormOutcome): string[] {
  return [...new Set(runs.flatMap((run) => ('error' in run ? [run.error] : run.faults)))];
}

export interface Summary {
  /** Medians, lowest and highest over the rounds. Undefined: no run succeeded, or the system does not tell. */
  readonly rate: Spread | undefined;
  readonly ratePerCpuSecond: Spread | undefined;
  /** Shares of one core, medians. */
  readonly brokerCpu: number | undefined;
  readonly generatorCpu: number | undefined;
  /** Share of either core that went to others, highest. */
  readonly foreignCpu: number | undefined;
  /** Of paced runs: milliseconds from when a message was due to its delivery, and how late the generator itself was. */
  readonly p50: Spread | undefined;
  readonly p99: Spread | undefined;
  readonly p999: Spread | undefined;
  readonly latencyMax: Spread | undefined;
  readonly generatorP99: Spread | undefined;
  /** Over all runs. */
  readonly expected: number;
  readonly lost: number;
  readonly late: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
  /** Messages of the runs that failed. */
  readonly errors: readonly string[];
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise(outcome: Outcome): Summary {
  const results = outcome.runs.filter((run): run is LoadResult => !('error' in run));
  const errors = outcome.runs.flatMap((run) => ('error' in run ? [run.error] : []));
  const defined = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined);
  const cpuShares = defined(results.map((result) => share(result.brokerCpuSeconds, result.seconds)));
  const foreignShares = defined(results.map((result) => share(result.foreignCpuSeconds, result.seconds)));
  // Below some ticks of the clock a quotient says nothing.
  const perCpuSecond = results.map((result) =>
    result.brokerCpuSeconds !== undefined && result.brokerCpuSeconds >= 0.03
      ? result.deliveries / result.brokerCpuSeconds
      : undefined,
  );
  const sum = (count: (result: LoadResult) => number) => results.reduce((total, result) => total + count(result), 0);
  const latency = (figure: (of: LatencyResult) => number | undefined) =>
    spread(defined(results.map((result) => (result.latency === undefined ? undefined : figure(result.latency)))));
  return {
    rate: spread(results.map((result) => result.deliveries / result.seconds)),
    ratePerCpuSecond: spread(defined(perCpuSecond)),
    brokerCpu: spread(cpuShares)?.median,
    generatorCpu: spread(results.map((result) => result.generatorCpuSeconds / result.seconds))?.median,
    foreignCpu: spread(foreignShares)?.max,
    p50: latency((of) => of.delivery?.p50),
    p99: latency((of) => of.delivery?.p99),
    p999: latency((of) => of.delivery?.p999),
    latencyMax: latency((of) => of.delivery?.max),
    generatorP99: latency((of) => of.generator?.p99),
    expected: sum((result) => result.total.expected),
    lost: sum((result) => result.total.lost),
    late: sum((result) => result.total.late),
    duplicates: sum((result) => result.total.duplicates),
    outOfOrder: sum((result) => result.total.outOfOrder),
    errors,
  };
}

/** Undefined for no values. The median of an even number is the mean of the two in the middle. */
export function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)]!;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return { median: (lower + upper) / 2, min: sorted[0]!, max: sorted.at(-1)! };
}

/**
 * What a broker must not do, whatever its speed: fail, and at QoS 1 and 2 lose or reorder messages, and at QoS 2 repeat any. At
 * QoS 0 losses are allowed, and reported. What is late only was not lost.
 */
export function faultsOf(outcome: Outcome): string[] {
  const { qos } = outcome.case;
  const { errors, lost, duplicates, outOfOrder } = summarise(outcome);
  const faults = [...new Set(errors)];
  if (qos > 0 && lost > 0) faults.push(`${lost} messages lost at QoS ${qos}`);
  const unsent = outcome.runs.reduce((total, run) => total + ('error' in run ? 0 : (run.latency?.unsent ?? 0)), 0);
  if (unsent > 0) faults.push(`${unsent} messages were due and the broker took them not`);
  if (outOfOrder > 0) faults.push(`${outOfOrder} messages out of order`);
  if (qos !== 1 && duplicates > 0) faults.push(`${duplicates} messages repeated at QoS ${qos}`);
  return faults;
}

function share(cpuSeconds: number | undefined, seconds: number): number | undefined {
  return cpuSeconds === undefined ? undefined : cpuSeconds / seconds;
}
