/** Runs a benchmark: every case against every broker, in rounds, so that a change of the machine's mood meets all of them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BrokerDefinition } from './brokers.ts';
import { measureSyncRate } from './disk.ts';
import { describeMachine } from './machine.ts';
import { type BenchmarkOptions, type CaseGroup, readOptions, UsageError, usage } from './options.ts';
import { type Case, faultsOf, type Outcome, type StormOutcome, stormFaultsOf } from './outcomes.ts';
import { formatReport, formatRun, type Report, reportData } from './report.ts';
import { runCase } from './run-case.ts';
import { formatStormRun } from './storm-report.ts';

export interface MainOptions {
  readonly args: readonly string[];
  /** The checkout. */
  readonly repositoryDirectory: string;
  /** The generator as a program for Node. */
  readonly generatorPath: string;
  /** The command line as it was typed, for RESULTS.md. */
  readonly commandLine: string;
}

const usageStatus = 2;
/** How long the disk is measured in each round. */
const syncSeconds = 0.5;

/**
 * Returns the exit status: 0 if every broker did in every run what its QoS promises, 1 if one did not, 2 for a wrong command
 * line, 130 or 143 after SIGINT or SIGTERM, when what was measured until then is printed.
 */
export async function main({ args, repositoryDirectory, generatorPath, commandLine }: MainOptions): Promise<number> {
  let options: BenchmarkOptions | 'help';
  try {
    options = readOptions(args, repositoryDirectory);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`bench: ${error.message}\nTry --help.`);
    return usageStatus;
  }
  if (options === 'help') {
    process.stdout.write(usage);
    return 0;
  }

  const interruption = new Interruption();
  const { outcomes, leftOut } = plan(options);
  const storms = options.storms.flatMap((group) =>
    group.brokers
      .filter((broker) => broker.protocols.includes(options.protocol))
      .map((broker): StormOutcome => ({ group, broker: broker.name, runs: [] })),
  );
  const report: Report = {
    machine: describeMachine(repositoryDirectory),
    options,
    brokers: brokersOf(options).map((broker) => ({ name: broker.name, description: broker.describe() })),
    outcomes,
    storms,
    syncRates: [],
    leftOut: [...options.leftOut, ...leftOut],
  };
  try {
    await measure(report, generatorPath, interruption.signal);
  } finally {
    interruption.stopListening();
  }
  const measured = {
    ...report,
    outcomes: outcomes.filter((outcome) => outcome.runs.length > 0),
    storms: storms.filter((outcome) => outcome.runs.length > 0),
  };
  const text = formatReport(measured);
  process.stdout.write(`${text}`);
  if (options.jsonPath !== undefined) {
    writeFileSync(options.jsonPath, `${JSON.stringify(reportData(measured), undefined, 2)}\n`);
  }
  if (interruption.status !== undefined) {
    console.error('bench: interrupted; the table has what was measured until then');
    return interruption.status;
  }
  if (options.writesResults)
    writeFileSync(join(repositoryDirectory, 'bench', 'RESULTS.md'), results(commandLine, text));
  const isFaulty =
    outcomes.some((outcome) => faultsOf(outcome).length > 0) ||
    storms.some((outcome) => stormFaultsOf(outcome).length > 0);
  return isFaulty ? 1 : 0;
}

/** All cases with all brokers that can take them; nothing has run yet. */
function plan({ groups, storms, protocol }: BenchmarkOptions): {
  readonly outcomes: Outcome[];
  readonly leftOut: string[];
} {
  const outcomes = groups.flatMap((group) =>
    casesOf(group).flatMap((each) =>
      group.brokers
        .filter((broker) => broker.protocols.includes(protocol))
        .map((broker): Outcome => ({ case: each, broker: broker.name, runs: [] })),
    ),
  );
  const unable = [...groups, ...storms]
    .flatMap(({ brokers }) => brokers.filter((broker) => !broker.protocols.includes(protocol)))
    .map((broker) => `${broker.name} was left out: it does not speak MQTT ${protocol}.`);
  return { outcomes, leftOut: [...new Set(unable)] };
}

function casesOf({ name, flows, topics, qos, payloads, isDurable, rate }: CaseGroup): Case[] {
  return flows.flatMap((flow) =>
    payloads.flatMap((payloadBytes) =>
      topics.flatMap((count) =>
        qos.map((level) => ({ flow, qos: level, topics: count, isDurable, payloadBytes, rate, group: name })),
      ),
    ),
  );
}

/** Each once, though more than one table may have it. */
function brokersOf({ groups, storms }: BenchmarkOptions): BrokerDefinition[] {
  const byName = new Map(
    [...groups, ...storms].flatMap(({ brokers }) => brokers.map((broker) => [broker.name, broker])),
  );
  return [...byName.values()];
}

/** Adds to `outcomes`, `storms` and `syncRates`. */
async function measure(
  { options, outcomes, storms, syncRates }: Report,
  generatorPath: string,
  signal: AbortSignal,
): Promise<void> {
  const { protocol, seconds, warmUpSeconds, holdSeconds, publishWindow, deliveryWindow, cores, directory } = options;
  const brokers = brokersOf(options);
  const waitsForDisk = outcomes.some((outcome) => outcome.case.isDurable);
  for (let round = 1; round <= options.rounds; round++) {
    if (waitsForDisk) syncRates.push(measureSyncRate(directory, syncSeconds));
    for (const outcome of outcomes) {
      const { flow, qos, topics, isDurable, payloadBytes, rate } = outcome.case;
      const broker = brokers.find((each) => each.name === outcome.broker)!;
      const load = {
        ...{ flow, qos, topics, isDurable, payloadBytes, rate },
        ...{ prefix: 'bench', clientPrefix: 'bench', isRetained: false, receiveMaximum: undefined },
        ...{ seconds, warmUpSeconds, publishWindow, deliveryWindow: deliveryWindow(qos, payloadBytes) },
      };
      try {
        outcome.runs.push(await runCase({ broker, protocol, job: { load }, cores, directory, generatorPath, signal }));
      } catch (error) {
        if (signal.aborted) return;
        outcome.runs.push({ error: (error as Error).message });
      }
      console.error(`${round}/${options.rounds}  ${formatRun(outcome)}`);
    }
    for (const outcome of storms) {
      if (round > outcome.group.rounds) continue;
      const broker = brokers.find((each) => each.name === outcome.broker)!;
      const storm = { kind: outcome.group.name, count: outcome.group.count, seconds, warmUpSeconds, holdSeconds };
      try {
        outcome.runs.push(await runCase({ broker, protocol, job: { storm }, cores, directory, generatorPath, signal }));
      } catch (error) {
        if (signal.aborted) return;
        outcome.runs.push({ error: (error as Error).message });
      }
      console.error(`${round}/${outcome.group.rounds}  ${formatStormRun(outcome)}`);
    }
  }
}

/** Ends the benchmark on the first signal in good order, on the second at once. */
class Interruption {
  readonly #controller = new AbortController();
  /** Exit status that says so; undefined if nobody interrupted. */
  status: number | undefined;

  constructor() {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
    process.on('SIGHUP', this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stopListening(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    process.off('SIGHUP', this.#onSignal);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    const status = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[name as 'SIGHUP' | 'SIGINT' | 'SIGTERM'];
    // What runs is killed when this process exits.
    if (this.status !== undefined) process.exit(status);
    this.status = status;
    this.#controller.abort(new Error(`ended by ${name}`));
  };
}

/** Files and directories of the machine that it was run on are nobody's business. */
const pathOptions = / --(?:json|directory)[= ]\S+/g;

function results(commandLine: string, text: string): string {
  return `# Results\n\nWritten by \`${commandLine.replaceAll(pathOptions, '')}\`; what the columns mean is in [README.md](README.md).\n\n${text}`;
}
