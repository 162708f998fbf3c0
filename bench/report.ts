/** Writes down what was measured: a table that reads well on a terminal and is Markdown at the same time. */

import type { QoS } from '../src/bench/wire.ts';
import { isInMemory, recordBytes } from './disk.ts';
import { goalTable } from './goals.ts';
import type { Machine } from './machine.ts';
import type { BenchmarkOptions, CaseGroup, FlowGroupName } from './options.ts';
import {
  faultsOf,
  type Outcome,
  type Spread,
  type StormOutcome,
  type Summary,
  spread,
  stormFaultsOf,
  summarise,
} from './outcomes.ts';
import { stormData, stormTable, stormTitle } from './storm-report.ts';
import { count, formatTable, milliseconds, none, percent, ratio, type Table } from './table.ts';

export interface Report {
  readonly machine: Machine;
  readonly options: BenchmarkOptions;
  /** What each broker is, in the order of measuring. */
  readonly brokers: readonly { readonly name: string; readonly description: string }[];
  /** Case by case, each with all brokers. */
  readonly outcomes: readonly Outcome[];
  /** Very many of something, kind by kind, each with all brokers. */
  readonly storms: readonly StormOutcome[];
  /** Of each round: records per second that the disk takes with a sync after each. None where nothing waits for it. */
  readonly syncRates: number[];
  /** What was not measured, and why. */
  readonly leftOut: readonly string[];
}

/** Broker or generator at work for so much of the time has no more to give. */
const saturatedShare = 0.85;
/** Other programs on a core of ours beyond this disturb a figure. */
const foreignShareMax = 0.1;

export function formatReport(report: Report): string {
  const goals = goalTable(report.outcomes, report.storms);
  const isAlone = report.options.groups.length + report.options.storms.length === 1;
  return [
    ...describeRun(report),
    '',
    ...(goals === undefined ? [] : ['What is wanted, and what was measured:', '', ...formatTable(goals), '']),
    ...report.options.groups.flatMap((group) => {
      const table = formatTable(tableOf(report, group));
      return isAlone ? table : [`${titleOf(group)}:`, '', ...table, ''];
    }),
    ...report.options.storms.flatMap((group) => {
      const table = formatTable(stormTable(report.storms, group));
      return [`${stormTitle(group, report.options.holdSeconds)}:`, '', ...table, ''];
    }),
    '',
    ...notesOn(report).map((note) => `- ${note}`),
    '',
  ].join('\n');
}

const titles: Readonly<Record<FlowGroupName, string>> = {
  flows: 'Subscribers with sessions that end with their connections',
  durable: 'Subscribers with sessions that outlive their connections',
  payload: 'Larger payloads',
  paced: 'Messages at fixed times',
};

function titleOf({ name, rate }: CaseGroup): string {
  return rate === undefined ? titles[name] : `${titles[name]}, ${count(rate)} a second`;
}

function describeRun({ machine, options, brokers, syncRates }: Report): string[] {
  const { cores } = options;
  const pinning =
    cores === undefined ? 'not pinned' : `broker on core ${cores.broker}, generator on ${cores.generator}`;
  return [
    `- Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGibibytes} GiB, ${machine.system}; ${pinning}`,
    `- Node ${machine.node}, commit ${machine.commit}, ${machine.date}`,
    ...brokers.map(({ name, description }) => `- ${name}: ${description}`),
    `- MQTT ${options.protocol}, ${options.payloadBytes} B payload; medians of ${options.rounds} × ${options.seconds} s after ` +
      `${options.warmUpSeconds} s; at most ${options.deliveryWindow(0, options.payloadBytes)} deliveries under way at QoS 0, ` +
      `${options.deliveryWindow(1, options.payloadBytes)} at QoS 1 and 2, where each publisher has ${options.publishWindow} messages unacknowledged`,
    ...describeDisk(options.directory, spread(syncRates)),
  ];
}

function describeDisk(directory: string, rate: Spread | undefined): string[] {
  if (rate === undefined) return [];
  const where = isInMemory(directory)
    ? `${directory} is in memory, where a sync costs nothing`
    : `Disk under ${directory}`;
  return [
    `- ${where}: ${count(rate.median)} appended records of ${recordBytes} B per second, each synced (fdatasync) before the ` +
      `next (${count(rate.min)} … ${count(rate.max)})`,
  ];
}

function tableOf(report: Report, group: CaseGroup): Table {
  const outcomes = report.outcomes.filter((outcome) => outcome.case.group === group.name);
  if (group.rate !== undefined) return pacedTable(outcomes);
  const [referenceName, ...furtherNames] = referencesOf(group);
  const hasPayloads = group.payloads.length > 1;
  const hasTopics = group.topics.length > 1 || group.topics[0] !== 1;
  const head = [
    'flow',
    ...(hasTopics ? ['topics'] : []),
    ...(hasPayloads ? ['bytes'] : []),
    'QoS',
    'broker',
    'deliveries/s',
    'lowest … highest',
    `× ${referenceName}`,
    ...furtherNames.map((name) => `× ${name}`),
    'per CPU-second',
    `× ${referenceName}`,
    'broker CPU',
    'generator CPU',
    'others',
    ...totals,
  ];
  const rows = outcomes.map((outcome) => {
    const summaryOf = (name: string): Summary | undefined => {
      const found = outcomes.find((other) => other.case === outcome.case && other.broker === name);
      return found === undefined ? undefined : summarise(found);
    };
    return [
      outcome.case.flow.name,
      ...(hasTopics ? [String(outcome.case.topics)] : []),
      ...(hasPayloads ? [String(outcome.case.payloadBytes)] : []),
      String(outcome.case.qos),
      outcome.broker,
      ...figuresOf(summarise(outcome), summaryOf(referenceName), furtherNames.map(summaryOf)),
    ];
  });
  return { head, words: new Set(['flow', 'broker']), rows };
}

/** Latencies, medians of the rounds. */
function pacedTable(outcomes: readonly Outcome[]): Table {
  const latencies = ['p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'generator p99 ms'];
  const head = ['flow', 'QoS', 'broker', 'deliveries/s', ...latencies, 'broker CPU', 'others', ...totals];
  const rows = outcomes.map((outcome) => {
    const summary = summarise(outcome);
    const { rate, p50, p99, p999, latencyMax, generatorP99 } = summary;
    return [
      ...[outcome.case.flow.name, String(outcome.case.qos), outcome.broker, count(rate?.median)],
      ...[p50, p99, p999, latencyMax, generatorP99].map((each) => milliseconds(each?.median)),
      ...[percent(summary.brokerCpu), percent(summary.foreignCpu)],
      ...totalsOf(summary),
    ];
  });
  return { head, words: new Set(['flow', 'broker']), rows };
}

const totals = ['lost', 'late', 'repeated', 'disordered'];

function totalsOf({ rate, lost, late, duplicates, outOfOrder }: Summary): string[] {
  return [lost, late, duplicates, outOfOrder].map((value) => (rate === undefined ? none : count(value)));
}

function figuresOf(
  summary: Summary,
  base: Summary | undefined,
  furtherBases: readonly (Summary | undefined)[],
): string[] {
  const { rate, ratePerCpuSecond } = summary;
  return [
    count(rate?.median),
    rate === undefined ? none : `${count(rate.min)} … ${count(rate.max)}`,
    ratio(rate, base?.rate),
    ...furtherBases.map((further) => ratio(rate, further?.rate)),
    count(ratePerCpuSecond?.median),
    ratio(ratePerCpuSecond, base?.ratePerCpuSecond),
    percent(summary.brokerCpu),
    percent(summary.generatorCpu),
    percent(summary.foreignCpu),
    ...totalsOf(summary),
  ];
}

/**
 * What ratios are to: Mosquitto, or the first broker; where there are stores, Mosquitto with one, which waits for nothing, Mosquitto
 * that saves with each change, and Clearwing without a store.
 */
function referencesOf({ brokers, isDurable }: CaseGroup): readonly [string, ...string[]] {
  const has = (name: string) => brokers.some((broker) => broker.name === name);
  const preferred = isDurable ? ['mosquitto-persistent', 'mosquitto-autosave', 'clearwing'] : ['mosquitto', 'aedes'];
  const [first = brokers[0]!.name, ...further] = preferred.filter(has);
  return [first, ...further];
}

function notesOn({ outcomes, storms, leftOut }: Report): string[] {
  // A paced generator never sleeps, and its share of a core says nothing.
  const summaries = outcomes
    .filter((outcome) => outcome.case.rate === undefined)
    .map((outcome) => ({ outcome, summary: summarise(outcome) }));
  const named = (title: string, test: (summary: Summary) => boolean) => {
    const found = summaries.filter(({ summary }) => test(summary)).map(({ outcome }) => nameOf(outcome));
    if (found.length === 0) return [];
    return [`${title}: ${found.length === summaries.length ? 'all rows' : found.join('; ')}.`];
  };
  const share = (value: number | undefined) => value ?? 0;
  return [
    ...leftOut,
    ...outcomes.flatMap((outcome) => faultsOf(outcome).map((fault) => `**${nameOf(outcome)}**: ${fault}`)),
    ...storms.flatMap((outcome) =>
      stormFaultsOf(outcome).map((fault) => `**${outcome.broker} ${outcome.group.name}**: ${fault}`),
    ),
    ...named('The generator was at its limit and the broker was not, so the broker may carry more', (summary) => {
      return share(summary.generatorCpu) >= saturatedShare && share(summary.brokerCpu) < share(summary.generatorCpu);
    }),
    ...named('Neither side was busy all the time (round trips or other programs set the pace)', (summary) => {
      const isIdle = (value: number | undefined) => value !== undefined && value < saturatedShare;
      return isIdle(summary.brokerCpu) && isIdle(summary.generatorCpu);
    }),
    ...named(`Other programs had over ${foreignShareMax * 100} % of one of the two cores in a run`, (summary) => {
      return share(summary.foreignCpu) > foreignShareMax;
    }),
    ...(outcomes.length === 0
      ? []
      : ['Deliveries are PUBLISH packets that subscribers received. Each was checked for loss, repetition and order.']),
  ];
}

function nameOf({ broker, case: { flow, qos, topics, isDurable, payloadBytes, rate, group } }: Outcome): string {
  const more = [
    ...(topics === 1 ? [] : [`${topics} topics`]),
    ...(isDurable ? ['persistent sessions'] : []),
    ...(group === 'payload' ? [`${count(payloadBytes)} B`] : []),
    ...(rate === undefined ? [] : [`${count(rate)}/s`]),
  ];
  return [`${broker} ${flow.name} QoS ${qos}`, ...more].join(', ');
}

/** The line about one run, while more are to come. */
export function formatRun(outcome: Outcome): string {
  const run = outcome.runs.at(-1)!;
  const name = nameOf(outcome).padEnd(outcome.case.isDurable ? 58 : 30);
  if ('error' in run) return `${name} failed: ${run.error}`;
  const { total, seconds, latency } = run;
  const cpu = (value: number | undefined) => percent(value === undefined ? undefined : value / seconds).padStart(5);
  const trouble = [
    [total.lost, 'lost'],
    [total.late, 'late'],
    [total.duplicates, 'repeated'],
    [total.outOfOrder, 'disordered'],
  ] as const;
  return [
    name,
    `${count(run.deliveries / seconds).padStart(12)}/s`,
    `  broker ${cpu(run.brokerCpuSeconds)}  generator ${cpu(run.generatorCpuSeconds)}`,
    ...(latency === undefined
      ? []
      : [`  p50 ${milliseconds(latency.delivery?.p50)} ms  p99 ${milliseconds(latency.delivery?.p99)} ms`]),
    ...trouble
      .filter(([number]) => number > 0)
      .map(([number, what]) => `  ${count(number)} of ${count(total.expected)} ${what}`),
  ].join('');
}

/** Everything, for programs. */
export function reportData(report: Report): unknown {
  const { machine, options, brokers, outcomes, storms, syncRates, leftOut } = report;
  const { deliveryWindow, groups, storms: stormGroups, ...settings } = options;
  return {
    machine,
    settings: {
      ...settings,
      deliveryWindow: [0, 1, 2].map((qos) => deliveryWindow(qos as QoS, options.payloadBytes)),
      storms: stormGroups.map(({ name, count: number }) => ({ name, count: number })),
      groups: groups.map((group) => ({
        ...group,
        flows: group.flows.map((flow) => flow.name),
        brokers: group.brokers.map((broker) => broker.name),
      })),
    },
    brokers,
    /** Records per second, by round; none if nothing was durable. */
    disk: { recordBytes, syncedRecordsPerSecond: syncRates, summary: spread(syncRates) },
    leftOut,
    outcomes: outcomes.map((outcome) => ({
      flow: outcome.case.flow.name,
      topics: outcome.case.topics,
      qos: outcome.case.qos,
      isDurable: outcome.case.isDurable,
      payloadBytes: outcome.case.payloadBytes,
      rate: outcome.case.rate,
      broker: outcome.broker,
      summary: summarise(outcome),
      faults: faultsOf(outcome),
      runs: outcome.runs,
    })),
    storms: storms.map(stormData),
    goals: goalTable(outcomes, storms)?.rows ?? [],
  };
}
