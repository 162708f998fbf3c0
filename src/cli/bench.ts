/** `clearwing bench`: puts a load on any MQTT broker, and counts. */
import { LoadError } from '../bench/load-error.ts';
import { residentBytes } from '../bench/process-memory.ts';
import { describeTarget } from '../bench/target.ts';
import { BenchArgumentError, type BenchArguments, parseBenchArguments } from './bench/arguments.ts';
import { benchHelp } from './bench/help.ts';
import { ProgressLine } from './bench/progress-line.ts';
import { BenchReport } from './bench/report.ts';
import { runners } from './bench/run.ts';
import { targetOf } from './bench/run-target.ts';
import { version } from './version.ts';

const failure = 1;
/** The broker did what it must not. */
const fault = 2;
const statusOfSignal = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Runs the command and resolves with its exit status. */
export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  let parsed: BenchArguments;
  try {
    parsed = parseBenchArguments(args);
  } catch (error) {
    if (!(error instanceof BenchArgumentError)) throw error;
    process.stderr.write(`Error: ${error.message}\n'${invokedAs} --help' tells more.\n`);
    return failure;
  }
  if (parsed.action === 'help') {
    process.stdout.write(benchHelp(parsed.command, invokedAs));
    return 0;
  }
  return run(parsed);
}

async function run({ command, settings }: Extract<BenchArguments, { action: 'run' }>): Promise<number> {
  const { brokerProcessId } = settings;
  if (brokerProcessId !== undefined && residentBytes(brokerProcessId) === undefined) {
    process.stderr.write(`Error: --broker-pid is ${brokerProcessId}, of which /proc knows nothing\n`);
    return failure;
  }
  const interruption = new Interruption();
  const progress = new ProgressLine(process.stderr, !settings.isQuiet);
  const report = new BenchReport(command, describeTarget(targetOf(settings)));
  const control = {
    signal: interruption.signal,
    show: progress.update.bind(progress),
  };
  let error: LoadError | undefined;
  try {
    await runners[command]({ command, settings, control, report });
  } catch (thrown) {
    if (!(thrown instanceof LoadError)) throw thrown;
    error = thrown;
  } finally {
    progress.end();
    interruption.stopListening();
  }
  if (settings.isJson) process.stdout.write(report.json(version, error?.message));
  else if (!report.isEmpty) process.stdout.write(report.text());
  if (interruption.status !== undefined) {
    process.stderr.write(`Ended early${report.isEmpty ? ', before anything was measured' : ''}.\n`);
    return interruption.status;
  }
  if (error !== undefined) {
    process.stderr.write(`Error: ${error.message} (${report.target})\n`);
    return failure;
  }
  return report.faults.length > 0 ? fault : 0;
}

/** Ends the run on the first signal in good order, on the second at once. */
class Interruption {
  readonly #controller = new AbortController();
  /** Exit status that says so; undefined if nobody interrupted. */
  status: number | undefined;
  readonly #onSignal = (name: NodeJS.Signals): void => {
    const status = statusOfSignal[name as keyof typeof statusOfSignal];
    if (this.status !== undefined) process.exit(status);
    this.status = status;
    this.#controller.abort();
  };

  constructor() {
    for (const name of Object.keys(statusOfSignal)) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stopListening(): void {
    for (const name of Object.keys(statusOfSignal)) process.off(name, this.#onSignal);
  }
}
