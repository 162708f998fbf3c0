/** What Clearwing is to reach beside the others, held against what was measured. */
import { figureOf, type Outcome, type Spread, type StormOutcome, type Summary, summarise } from './outcomes.ts';
import type { StormKind } from './storms.ts';
import { bytes, count, milliseconds, none, type Table } from './table.ts';

/** Cases of `flows`: flow, QoS, and how many times Mosquitto's rate is wanted. Of aedes's it is the same in all of them. */
const flowGoals: readonly (readonly [flow: string, qos: number, times: number])[] = [
  ['1→1', 0, 12],
  ['1→100', 0, 16],
  ['50→1', 0, 11],
  ['50→50', 0, 13],
  ['1→1', 1, 2.6],
  ['1→100', 1, 12],
  ['50→50', 1, 7],
  ['1→1', 2, 2.7],
  ['1→100', 2, 12],
  ['50→50', 2, 9],
];
const timesAedes = 10;
const timesLargePayload = 4;
const timesDurable = 1.5;
const stormGoals = {
  connections: { mosquitto: 0.7, aedes: 3 },
  retained: { mosquitto: 5, bytes: 350 },
  subscriptions: { kept: 0.9, bytes: 400 },
  idle: { bytes: 6 * 1024 },
} as const;

interface Goal {
  readonly title: string;
  readonly wanted: string;
  readonly measured: string;
  /** The same by processor time of the brokers. */
  readonly perCpuSecond: string;
  readonly isMet: boolean;
}

/** Undefined where nothing was measured of which something is wanted. */
export function goalTable(outcomes: readonly Outcome[], storms: readonly StormOutcome[]): Table | undefined {
  const goals = [...goalsOfFlows(outcomes), ...goalsOfPaced(outcomes), ...goalsOfStorms(storms)];
  if (goals.length === 0) return undefined;
  return {
    head: ['clearwing', 'wanted', 'measured', 'per CPU-second', 'reached'],
    words: new Set(['clearwing', 'reached']),
    rows: goals.map(({ title, wanted, measured, perCpuSecond, isMet }) => [
      ...[title, wanted, measured, perCpuSecond, isMet ? 'yes' : '**no**'],
    ]),
  };
}

function goalsOfFlows(outcomes: readonly Outcome[]): Goal[] {
  const unpaced = outcomes.filter(({ case: { topics, rate } }) => topics === 1 && rate === undefined);
  return unpaced.flatMap((own): Goal[] => {
    const { flow, qos, group, payloadBytes } = own.case;
    const beside = (name: string) => {
      const found = unpaced.find((other) => other.case === own.case && other.broker === name);
      return found === undefined ? undefined : summarise(found);
    };
    const goal = (title: string, times: number, name: string): Goal[] => {
      const other = beside(name);
      const summary = summarise(own);
      const measured = ratioOf(summary.rate, other?.rate);
      if (measured === undefined) return [];
      const perCpuSecond = ratioOf(summary.ratePerCpuSecond, other?.ratePerCpuSecond);
      return [ratioGoal(`${title} beside ${name}`, times, measured, perCpuSecond)];
    };
    const title = `${flow.name} QoS ${qos}`;
    if (own.broker === 'clearwing' && group === 'flows' && payloadBytes === 64) {
      const times = flowGoals.find(([name, level]) => name === flow.name && level === qos)?.[2];
      if (times === undefined) return [];
      return [...goal(title, times, 'mosquitto'), ...goal(title, timesAedes, 'aedes')];
    }
    if (own.broker === 'clearwing' && group === 'payload') {
      return goal(`${title}, ${count(payloadBytes)} B`, timesLargePayload, 'mosquitto');
    }
    if (own.broker === 'clearwing-strict' && group === 'durable' && flow.name === '50→50' && qos === 1) {
      return goal(`${title}, persistent sessions, durability strict,`, timesDurable, 'mosquitto-persistent');
    }
    return [];
  });
}

/** Latencies no worse than Mosquitto's. */
function goalsOfPaced(outcomes: readonly Outcome[]): Goal[] {
  const paced = outcomes.filter(({ case: { rate } }) => rate !== undefined);
  return paced.flatMap((own) => {
    const other = paced.find((each) => each.case === own.case && each.broker === 'mosquitto');
    if (own.broker !== 'clearwing' || other === undefined) return [];
    const title = `${own.case.flow.name} QoS ${own.case.qos}, ${count(own.case.rate)}/s`;
    const latency = (name: string, of: (summary: Summary) => Spread | undefined): Goal[] => {
      const [ours, theirs] = [of(summarise(own))?.median, of(summarise(other))?.median];
      if (ours === undefined || theirs === undefined) return [];
      const wanted = `≤ ${milliseconds(theirs)} ms`;
      const measured = `${milliseconds(ours)} ms`;
      return [{ title: `${title}: ${name}`, wanted, measured, perCpuSecond: none, isMet: ours <= theirs }];
    };
    return [...latency('p50', ({ p50 }) => p50), ...latency('p99', ({ p99 }) => p99)];
  });
}

function goalsOfStorms(storms: readonly StormOutcome[]): Goal[] {
  const figure = (kind: StormKind, broker: string, name: string): Spread | undefined => {
    const found = storms.find((each) => each.group.name === kind && each.broker === broker);
    return found === undefined ? undefined : figureOf(found, name);
  };
  const times = (title: string, kind: StormKind, broker: string, wanted: number): Goal[] => {
    const of = (name: string) => ratioOf(figure(kind, 'clearwing', name), figure(kind, broker, name));
    const measured = of('rate');
    return measured === undefined ? [] : [ratioGoal(`${title} beside ${broker}`, wanted, measured, of('perCpuSecond'))];
  };
  const atMost = (title: string, kind: StormKind, wanted: number): Goal[] => {
    const measured = figure(kind, 'clearwing', 'bytes')?.median;
    if (measured === undefined) return [];
    const isMet = measured <= wanted;
    return [{ title, wanted: `≤ ${bytes(wanted)}`, measured: bytes(measured), perCpuSecond: none, isMet }];
  };
  const kept = figure('subscriptions', 'clearwing', 'kept')?.median;
  const { connections, retained, subscriptions, idle } = stormGoals;
  return [
    ...times('connections', 'connections', 'mosquitto', connections.mosquitto),
    ...times('connections', 'connections', 'aedes', connections.aedes),
    ...atMost('an idle connection', 'idle', idle.bytes),
    ...(kept === undefined ? [] : [ratioGoal('beside all subscriptions, to 100', subscriptions.kept, kept, undefined)]),
    ...atMost('a subscription', 'subscriptions', subscriptions.bytes),
    ...times('retained messages', 'retained', 'mosquitto', retained.mosquitto),
    ...atMost('a retained message', 'retained', retained.bytes),
  ];
}

function ratioGoal(title: string, wanted: number, measured: number, perCpuSecond: number | undefined): Goal {
  return {
    title,
    wanted: `≥ ${wanted} ×`,
    measured: `${measured.toFixed(2)} ×`,
    perCpuSecond: perCpuSecond === undefined ? none : `${perCpuSecond.toFixed(2)} ×`,
    isMet: measured >= wanted,
  };
}

function ratioOf(value: Spread | undefined, base: Spread | undefined): number | undefined {
  return value === undefined || base === undefined || base.median === 0 ? undefined : value.median / base.median;
}
