/** The command line of the benchmark. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Flow, parseFlow, topicsMax } from '../src/bench/flow.ts';
import { type Protocol, payloadBytesMax, payloadHeadBytes, type QoS } from '../src/bench/wire.ts';
import { type BrokerDefinition, commandBroker, defaultBrokerNames, knownBrokers } from './brokers.ts';
import { type Cores, chooseCores } from './cores.ts';

/** Cases that are measured with the same brokers: every flow with every QoS and number of topics. A table of its own. */
export interface CaseGroup {
  /** Whether the subscribers' Sessions outlive their connections. */
  readonly isDurable: boolean;
  readonly brokers: readonly BrokerDefinition[];
  readonly flows: readonly Flow[];
  readonly qos: readonly QoS[];
  /** Topics per publisher. */
  readonly topics: readonly number[];
}

export interface BenchmarkOptions {
  readonly groups: readonly CaseGroup[];
  readonly payloadBytes: number;
  readonly protocol: Protocol;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly publishWindow: number;
  /** Deliveries under way at once. */
  readonly deliveryWindow: (qos: QoS) => number;
  readonly cores: Cores | undefined;
  /** Where brokers have their files. */
  readonly directory: string;
  readonly jsonPath: string | undefined;
  readonly writesResults: boolean;
  /** Brokers that nobody asked for by name and that cannot be measured here: why. */
  readonly leftOut: readonly string[];
}

/** Something on the command line cannot be understood; the message says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const usage = `Usage: npm run bench -- [options]

Drives MQTT brokers one after the other with the same load and prints what they carry.

  --durable            subscribers with persistent sessions only: what a store costs
  --brokers NAMES      which to measure, in this order (default ${defaultBrokerNames.clean.join(',')};
                       also mosquitto-nodelay and probe), or with --durable
                       (default ${defaultBrokerNames.onlyDurable.slice(0, 3).join(',')},
                       ${defaultBrokerNames.onlyDurable.slice(3).join(',')})
  --broker NAME=COMMAND
                       one more: a command that listens on {port} of 127.0.0.1; may be given again
  --flows LIST         publishers-subscribers (default 1-1,1-100,50-1,50-50; with --durable 1-1,50-50)
  --qos LIST           (default 0,1,2; with --durable 1,2)
  --topics LIST        topics of each publisher, which take turns, 1 to ${topicsMax} (default 1)
  --payload BYTES      ${payloadHeadBytes} to ${payloadBytesMax} (default 64)
  --protocol VERSION   3.1.1 or 5 (default 3.1.1)
  --seconds SECONDS    counted per run, 0.1 to 3600 (default 2)
  --warm-up SECONDS    under load before that, 0 to 3600 (default 1)
  --rounds COUNT       runs of every case, 1 to 1000 (default 5)
  --publish-window COUNT
                       QoS 1 and 2: unacknowledged messages per publisher, 1 to 65535 (default 20)
  --window COUNT       deliveries under way at once, 1 to 10000000 (default 16384 at QoS 0,
                       2000 at QoS 1 and 2)
  --cores BROKER:GENERATOR
                       a core for each side, or none (default: the first two, where there is taskset)
  --directory DIRECTORY
                       where brokers keep their data (default the system's for temporary files)
  --quick              1 round, 0.5 s after 0.5 s; other options go before
  --json FILE          writes every run to a file
  --write-results      writes bench/RESULTS.md
  --help

Without --durable and what chooses cases or brokers, some durable cases are measured, too.
`;

const optionTypes = {
  durable: { type: 'boolean' },
  brokers: { type: 'string' },
  broker: { type: 'string', multiple: true },
  flows: { type: 'string' },
  qos: { type: 'string' },
  topics: { type: 'string' },
  payload: { type: 'string' },
  protocol: { type: 'string' },
  seconds: { type: 'string' },
  'warm-up': { type: 'string' },
  rounds: { type: 'string' },
  'publish-window': { type: 'string' },
  window: { type: 'string' },
  cores: { type: 'string' },
  directory: { type: 'string' },
  quick: { type: 'boolean' },
  json: { type: 'string' },
  'write-results': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/**
 * Reads the command line.
 * @returns 'help' if that was asked for
 * @throws {UsageError} naming the option, its value and what was expected
 */
export function readOptions(args: readonly string[], repositoryDirectory: string): BenchmarkOptions | 'help' {
  let values: ReturnType<typeof parse>['values'];
  try {
    ({ values } = parse(args));
  } catch (error) {
    // Node's message goes on about positional arguments, of which there are none here.
    throw new UsageError((error as Error).message.split('. ')[0]!);
  }
  if (values.help === true) return 'help';
  const isQuick = values.quick === true;
  return {
    ...chooseCases(values, repositoryDirectory),
    payloadBytes: integer('--payload', values.payload ?? '64', payloadHeadBytes, payloadBytesMax),
    protocol: readProtocol(values.protocol ?? '3.1.1'),
    seconds: number('--seconds', values.seconds ?? (isQuick ? '0.5' : '2'), 0.1, 3600),
    warmUpSeconds: number('--warm-up', values['warm-up'] ?? (isQuick ? '0.5' : '1'), 0, 3600),
    rounds: integer('--rounds', values.rounds ?? (isQuick ? '1' : '5'), 1, 1000),
    publishWindow: integer('--publish-window', values['publish-window'] ?? '20', 1, 65_535),
    deliveryWindow: chooseWindow(values.window),
    cores: orUsageError(() => chooseCores(values.cores)),
    directory: values.directory === undefined ? tmpdir() : writable('--directory', resolve(values.directory)),
    jsonPath: values.json === undefined ? undefined : writable('--json', dirname(resolve(values.json)), values.json),
    writesResults: values['write-results'] === true,
  };
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: optionTypes, strict: true, allowPositionals: false });
}

type Given = ReturnType<typeof parse>['values'];

/** One table or, where nothing is said about cases or brokers, two. */
function chooseCases(given: Given, repositoryDirectory: string): Pick<BenchmarkOptions, 'groups' | 'leftOut'> {
  const isDurable = given.durable === true;
  const { clean, durable, onlyDurable } = defaultBrokerNames;
  const chosen = chooseGroup(given, isDurable, isDurable ? onlyDurable : clean, repositoryDirectory);
  const isChosen = [given.brokers, given.broker, given.flows, given.qos, given.topics].some((one) => one !== undefined);
  const groups = isDurable || isChosen ? [chosen] : [chosen, chooseGroup({}, true, durable, repositoryDirectory)];
  return {
    groups: groups.map(({ group }) => group),
    leftOut: [...new Set(groups.flatMap(({ leftOut }) => leftOut))],
  };
}

function chooseGroup(
  given: Partial<Given>,
  isDurable: boolean,
  brokerNames: readonly string[],
  repositoryDirectory: string,
): { readonly group: CaseGroup; readonly leftOut: readonly string[] } {
  const { brokers, leftOut } = chooseBrokers(given.brokers, brokerNames, given.broker ?? [], repositoryDirectory);
  const flows = list('--flows', given.flows ?? (isDurable ? '1-1,50-50' : '1-1,1-100,50-1,50-50'));
  const qos = list('--qos', given.qos ?? (isDurable ? '1,2' : '0,1,2'));
  const group = {
    isDurable,
    brokers,
    flows: unique(flows.map((text) => orUsageError(() => parseFlow(text)))),
    qos: qos.map((text) => integer('--qos', text, 0, 2) as QoS),
    topics: list('--topics', given.topics ?? '1').map((text) => integer('--topics', text, 1, topicsMax)),
  };
  return { group, leftOut };
}

function chooseBrokers(
  names: string | undefined,
  defaultNames: readonly string[],
  commands: readonly string[],
  repositoryDirectory: string,
): { readonly brokers: readonly BrokerDefinition[]; readonly leftOut: readonly string[] } {
  const known = knownBrokers(repositoryDirectory);
  const chosen = list('--brokers', names ?? defaultNames.join(',')).map((name) => {
    const broker = known.find((candidate) => candidate.name === name);
    if (broker !== undefined) return broker;
    throw new UsageError(`--brokers names '${name}'; there are ${known.map((each) => each.name).join(', ')}`);
  });
  const brokers = unique([...chosen, ...commands.map(readCommand)]);
  const missing = brokers.filter((broker) => broker.missing !== undefined);
  if (names !== undefined && missing.length > 0) throw new UsageError(`--brokers: ${missing[0]!.missing}`);
  return {
    brokers: brokers.filter((broker) => broker.missing === undefined),
    leftOut: missing.map((broker) => broker.missing!),
  };
}

/** `NAME=COMMAND`; words may be put in single or double quotes. */
function readCommand(text: string): BrokerDefinition {
  const match = /^([\w.-]+)=\s*(\S[\s\S]*)$/.exec(text);
  if (match === null) throw new UsageError(`--broker is '${text}'; expected NAME=COMMAND`);
  const words = match[2]!.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const command = words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'));
  if (!command.some((word) => word.includes('{port}'))) {
    throw new UsageError(`--broker ${match[1]}: the command does not say where {port} goes`);
  }
  return commandBroker(match[1]!, command);
}

/**
 * At QoS 0 enough for blocks of 64 KiB to be full on one connection, and for over 100 packets on each of 100. At QoS 1 and 2 what
 * fills 20 messages in flight to each of 100 subscribers: with 16,384 Mosquitto 2.0.11 gets into backlogs on 50→1 at
 * QoS 2 in which it delivers nothing for ten seconds and more.
 */
function chooseWindow(text: string | undefined): (qos: QoS) => number {
  if (text === undefined) return (qos) => (qos === 0 ? 16_384 : 2_000);
  const given = integer('--window', text, 1, 10_000_000);
  return () => given;
}

function readProtocol(text: string): Protocol {
  if (text === '3.1.1' || text === '5') return text;
  throw new UsageError(`--protocol is '${text}'; expected 3.1.1 or 5`);
}

/** Found out before the runs rather than after. */
function writable(option: string, directory: string, path = directory): string {
  try {
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw new UsageError(`${option} cannot write ${path}: ${(error as Error).message}`);
  }
  return path;
}

function list(option: string, text: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.includes('')) throw new UsageError(`${option} is '${text}'; expected entries with commas between them`);
  const repeated = entries.find((entry, index) => entries.indexOf(entry) !== index);
  if (repeated !== undefined) throw new UsageError(`${option} has '${repeated}' twice`);
  return entries;
}

function unique<T extends { readonly name: string }>(named: readonly T[]): readonly T[] {
  const names = named.map((each) => each.name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new UsageError(`'${repeated}' is given twice`);
  return named;
}

function number(option: string, text: string, min: number, max: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${option} is '${text}'; expected ${min} to ${max}`);
}

function integer(option: string, text: string, min: number, max: number): number {
  const value = number(option, text, min, max);
  if (Number.isInteger(value)) return value;
  throw new UsageError(`${option} is '${text}'; expected a whole number`);
}

function orUsageError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}
