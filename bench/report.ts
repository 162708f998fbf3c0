/** Writes down what was measured: a table that reads well on a terminal and is Markdown at the same time. */
import type { QoS } from './generator/wire.ts';
import type { Machine } from './machine.ts';
import type { BenchmarkOptions } from './options.ts';
import { type Case, faultsOf, type Outcome, type Spread, type Summary, summarise } from './outcomes.ts';

export interface Report {
  readonly machine: Machine;
  readonly options: BenchmarkOptions;
  /** What each broker is, in the order of measuring. */
  readonly brokers: readonly { readonly name: string; readonly description: string }[];
  /** Case by case, each with all brokers. */
  readonly outcomes: readonly Outcome[];
  /** What was not measured, and why. */
  readonly leftOut: readonly string[];
}

/** Broker or generator at work for so much of the time has no more to give. */
const saturatedShare = 0.85;
/** Other programs on a core of ours beyond this disturb a figure. */
const foreignShareMax = 0.1;

export function formatReport(report: Report): string {
  return [
    ...describeRun(report),
    '',
    ...formatTable(tableOf(report)),
    '',
    ...notesOn(report).map((note) => `- ${note}`),
    '',
  ].join('\n');
}

function describeRun({ machine, options, brokers }: Report): string[] {
  const { cores } = options;
  const pinning =
    cores === undefined ? 'not pinned' : `broker on core ${cores.broker}, generator on ${cores.generator}`;
  return [
    `- Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGibibytes} GiB, ${machine.system}; ${pinning}`,
    `- Node ${machine.node}, commit ${machine.commit}, ${machine.date}`,
    ...brokers.map(({ name, description }) => `- ${name}: ${description}`),
    `- MQTT ${options.protocol}, ${options.payloadBytes} B payload; medians of ${options.rounds} × ${options.seconds} s after ` +
      `${options.warmUpSeconds} s; at most ${options.deliveryWindow(0)} deliveries under way at QoS 0, ` +
      `${options.deliveryWindow(1)} at QoS 1 and 2, where each publisher has ${options.publishWindow} messages unacknowledged`,
  ];
}

interface Table {
  readonly head: readonly string[];
  /** Columns of words; the others are numbers. */
  readonly words: ReadonlySet<string>;
  readonly rows: readonly (readonly string[])[];
}

function tableOf({ outcomes, options }: Report): Table {
  const referenceName = referenceOf(options);
  const ratioTitle = `× ${referenceName}`;
  const hasTopics = options.topics.length > 1 || options.topics[0] !== 1;
  const head = [
    'flow',
    ...(hasTopics ? ['topics'] : []),
    'QoS',
    'broker',
    'deliveries/s',
    'lowest … highest',
    ratioTitle,
    'per CPU-second',
    ratioTitle,
    'broker CPU',
    'generator CPU',
    'others',
    'lost',
    'late',
    'repeated',
    'disordered',
  ];
  const rows = outcomes.map((outcome) => {
    const reference = outcomes.find((other) => other.case === outcome.case && other.broker === referenceName);
    const summary = summarise(outcome);
    const base = reference === undefined ? undefined : summarise(reference);
    return [
      outcome.case.flow.name,
      ...(hasTopics ? [String(outcome.case.topics)] : []),
      String(outcome.case.qos),
      outcome.broker,
      ...figuresOf(summary, base),
    ];
  });
  return { head, words: new Set(['flow', 'broker']), rows };
}

function figuresOf(summary: Summary, base: Summary | undefined): string[] {
  const { rate, ratePerCpuSecond } = summary;
  return [
    count(rate?.median),
    rate === undefined ? none : `${count(rate.min)} … ${count(rate.max)}`,
    ratio(rate, base?.rate),
    count(ratePerCpuSecond?.median),
    ratio(ratePerCpuSecond, base?.ratePerCpuSecond),
    percent(summary.brokerCpu),
    percent(summary.generatorCpu),
    percent(summary.foreignCpu),
    ...[summary.lost, summary.late, summary.duplicates, summary.outOfOrder].map((value) =>
      rate === undefined ? none : count(value),
    ),
  ];
}

/** What ratios are to: Mosquitto, or the first broker. */
function referenceOf({ brokers }: BenchmarkOptions): string {
  return (brokers.find((broker) => broker.name === 'mosquitto') ?? brokers[0]!).name;
}

function notesOn({ outcomes, leftOut }: Report): string[] {
  const summaries = outcomes.map((outcome) => ({ outcome, summary: summarise(outcome) }));
  const named = (title: string, test: (summary: Summary) => boolean) => {
    const found = summaries.filter(({ summary }) => test(summary)).map(({ outcome }) => nameOf(outcome));
    if (found.length === 0) return [];
    return [`${title}: ${found.length === outcomes.length ? 'all rows' : found.join('; ')}.`];
  };
  const share = (value: number | undefined) => value ?? 0;
  return [
    ...leftOut,
    ...outcomes.flatMap((outcome) => faultsOf(outcome).map((fault) => `**${nameOf(outcome)}**: ${fault}`)),
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
    'Deliveries are PUBLISH packets that subscribers received. Each was checked for loss, repetition and order.',
  ];
}

function nameOf({ broker, case: { flow, qos, topics } }: { readonly broker: string; readonly case: Case }): string {
  return `${broker} ${flow.name} QoS ${qos}${topics === 1 ? '' : `, ${topics} topics`}`;
}

/** The line about one run, while more are to come. */
export function formatRun(outcome: Outcome): string {
  const run = outcome.runs.at(-1)!;
  const name = nameOf(outcome).padEnd(30);
  if ('error' in run) return `${name} failed: ${run.error}`;
  const { total, seconds } = run;
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
    ...trouble
      .filter(([number]) => number > 0)
      .map(([number, what]) => `  ${count(number)} of ${count(total.expected)} ${what}`),
  ].join('');
}

/** Everything, for programs. */
export function reportData(report: Report): unknown {
  const { machine, options, brokers, outcomes, leftOut } = report;
  const { brokers: _brokers, deliveryWindow, flows, ...settings } = options;
  return {
    machine,
    settings: {
      ...settings,
      deliveryWindow: [0, 1, 2].map((qos) => deliveryWindow(qos as QoS)),
      flows: flows.map((flow) => flow.name),
    },
    brokers,
    leftOut,
    outcomes: outcomes.map((outcome) => ({
      flow: outcome.case.flow.name,
      topics: outcome.case.topics,
      qos: outcome.case.qos,
      broker: outcome.broker,
      summary: summarise(outcome),
      faults: faultsOf(outcome),
      runs: outcome.runs,
    })),
  };
}

const none = '–';

function count(value: number | undefined): string {
  return value === undefined ? none : Math.round(value).toLocaleString('en-US');
}

function percent(share: number | undefined): string {
  return share === undefined ? none : `${Math.round(share * 100)} %`;
}

function ratio(value: Spread | undefined, base: Spread | undefined): string {
  if (value === undefined || base === undefined || base.median === 0) return none;
  return (value.median / base.median).toFixed(2);
}

function formatTable({ head, words, rows }: Table): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const isWord = head.map((title) => words.has(title));
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      return isWord[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (isWord[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)];
}
