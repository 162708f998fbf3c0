/** The command line of the benchmark. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultDeliveryWindow } from '../src/bench/budget.ts';
import { type Flow, parseFlow, topicsMax } from '../src/bench/flow.ts';
import { numberedTopicsMax } from '../src/bench/numbered-topics.ts';
import { type Protocol, payloadBytesMax, payloadHeadBytes, type QoS } from '../src/bench/wire.ts';
import { type BrokerDefinition, commandBroker, defaultBrokerNames, knownBrokers } from './brokers.ts';
import { type Cores, chooseCores } from './cores.ts';
import { type StormKind, stormCounts, stormKinds, stormRoundsMax } from './storms.ts';

/** Loads of messages, each a table of its own. */
export type FlowGroupName = 'flows' | 'durable' | 'payload' | 'paced';
export type GroupName = FlowGroupName | StormKind;

/** Cases that are measured with the same brokers: every flow with every QoS, payload and number of topics. A table of its own. */
export interface CaseGroup {
  readonly name: FlowGroupName;
  /** Whether the subscribers' Sessions outlive their connections. */
  readonly isDurable: boolean;
  readonly brokers: readonly BrokerDefinition[];
  readonly flows: readonly Flow[];
  readonly qos: readonly QoS[];
  /** Topics per publisher. */
  readonly topics: readonly number[];
  /** Bytes. */
  readonly payloads: readonly number[];
  /** Messages a second, each due at a time of its own; undefined for as fast as they go. */
  readonly rate: number | undefined;
}

/** Very many of one thing, against the same brokers. A table of its own. */
export interface StormGroup {
  readonly name: StormKind;
  readonly brokers: readonly BrokerDefinition[];
  /** Connections, subscriptions or messages. */
  readonly count: number;
  /** Runs with each broker. */
  readonly rounds: number;
}

export interface BenchmarkOptions {
  readonly groups: readonly CaseGroup[];
  readonly storms: readonly StormGroup[];
  readonly payloadBytes: number;
  readonly protocol: Protocol;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** How long idle connections are held. */
  readonly holdSeconds: number;
  readonly rounds: number;
  readonly publishWindow: number;
  /** Deliveries under way at once. */
  readonly deliveryWindow: (qos: QoS, payloadBytes: number) => number;
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

const groupNames: readonly GroupName[] = ['flows', 'durable', 'payload', 'paced', ...stormKinds];
/** What a figure that is kept rests on. */
const resultRoundsMin = 5;
const pacedRate = 20_000;
/** Long enough for an engine that collects when nothing happens: V8 takes half a minute, and 100 s at most. */
const holdSeconds = 110;

export const usage = `Usage: npm run bench -- [options]

Drives MQTT brokers one after the other with the same load and prints what they carry.

  --cases NAMES        what to measure: ${groupNames.join(', ')}
                       or all (default flows,durable)
  --count COUNT        of connections, subscriptions or messages in the last five, 1 to
                       ${numberedTopicsMax} (default 10000 connections, 1000000 subscriptions and retained,
                       200000 queued messages)
  --hold SECONDS       idle: before memory is looked at, 0 to 3600 (default ${holdSeconds})
  --rate RATE          messages a second of paced, 1 to 10000000 (default ${pacedRate})
  --durable            subscribers with persistent sessions only: what a store costs
  --brokers NAMES      which to measure, in this order (default ${defaultBrokerNames.clean.join(',')},
                       aedes only with flows and connections;
                       also mosquitto-nodelay, clearwing-unlimited, mosquitto-unlimited and
                       probe), or with --durable
                       (default ${defaultBrokerNames.onlyDurable.slice(0, 3).join(',')},
                       ${defaultBrokerNames.onlyDurable.slice(3).join(',')})
  --broker NAME=COMMAND
                       one more: a command that listens on {port} of 127.0.0.1; may be given again
  --flows LIST         publishers-subscribers (default 1-1,1-100,50-1,50-50; with --durable 1-1,50-50)
  --qos LIST           (default 0,1,2; with --durable 1,2)
  --topics LIST        topics of each publisher, which take turns, 1 to ${topicsMax} (default 1)
  --payload BYTES      ${payloadHeadBytes} to ${payloadBytesMax} (default 64)
  --protocol VERSION   3.1.1 or 5 (default 3.1.1)
  --seconds SECONDS    counted per run, 0.1 to 3600 (default 1.5)
  --warm-up SECONDS    under load before that, 0 to 3600 (default 1)
  --rounds COUNT       runs of every case, 1 to 1000 (default 5); of retained 3 at most, of idle,
                       subscriptions and queued 1
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
  --write-results      writes bench/RESULTS.md; needs ${resultRoundsMin} rounds or more
  --help

--flows, --qos and --topics choose among the cases of flows (or durable with --durable). Without --cases, --durable and what
chooses cases or brokers, some durable cases are measured, too.
`;

const optionTypes = {
  cases: { type: 'string' },
  count: { type: 'string' },
  hold: { type: 'string' },
  rate: { type: 'string' },
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
  const rounds = integer('--rounds', values.rounds ?? (isQuick ? '1' : '5'), 1, 1000);
  if (values['write-results'] === true && rounds < resultRoundsMin) {
    throw new UsageError(`--write-results with ${rounds} rounds; expected ${resultRoundsMin} or more`);
  }
  return {
    ...chooseCases(values, rounds, repositoryDirectory),
    payloadBytes: integer('--payload', values.payload ?? '64', payloadHeadBytes, payloadBytesMax),
    protocol: readProtocol(values.protocol ?? '3.1.1'),
    seconds: number('--seconds', values.seconds ?? (isQuick ? '0.5' : '1.5'), 0.1, 3600),
    warmUpSeconds: number('--warm-up', values['warm-up'] ?? (isQuick ? '0.5' : '1'), 0, 3600),
    holdSeconds: number('--hold', values.hold ?? String(holdSeconds), 0, 3600),
    rounds,
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

type Chosen<T> = { readonly group: T; readonly leftOut: readonly string[] };

/** The tables that were asked for or, where nothing is said about cases, two. */
function chooseCases(
  given: Given,
  rounds: number,
  repositoryDirectory: string,
): Pick<BenchmarkOptions, 'groups' | 'storms' | 'leftOut'> {
  const names = chooseNames(given);
  const isAlone = names.length === 1;
  const flows = names
    .filter((name) => !isStorm(name))
    .map((name) => {
      // What is said of flows is not meant for the others.
      const isMeant = isAlone || name === (given.durable === true ? 'durable' : 'flows');
      const own = isMeant ? given : ownOf(given);
      return chooseGroup(name, given, own, repositoryDirectory);
    });
  const storms = names.filter(isStorm).map((name) => chooseStorm(name, given, rounds, repositoryDirectory));
  return {
    groups: flows.map(({ group }) => group),
    storms: storms.map(({ group }) => group),
    leftOut: [...new Set([...flows, ...storms].flatMap(({ leftOut }) => leftOut))],
  };
}

/** What is said of brokers, but not of cases. */
function ownOf({ brokers, broker }: Given): OwnChoice {
  return { brokers, broker };
}

type OwnChoice = { readonly [name in 'brokers' | 'flows' | 'qos' | 'topics']?: string | undefined } & {
  readonly broker?: string[] | undefined;
};

function isStorm(name: GroupName): name is StormKind {
  return (stormKinds as readonly GroupName[]).includes(name);
}

function chooseNames(given: Given): readonly GroupName[] {
  if (given.cases === 'all') return groupNames;
  if (given.cases !== undefined) {
    return list('--cases', given.cases).map((name) => {
      const found = groupNames.find((each) => each === name);
      if (found !== undefined) return found;
      throw new UsageError(`--cases names '${name}'; there are ${groupNames.join(', ')} and all`);
    });
  }
  if (given.durable === true) return ['durable'];
  const isChosen = [given.brokers, given.broker, given.flows, given.qos, given.topics].some((one) => one !== undefined);
  return isChosen ? ['flows'] : ['flows', 'durable'];
}

/** What each table has where nothing is said. */
const groupDefaults: Readonly<Record<FlowGroupName, { flows: string; qos: string; payloads?: readonly number[] }>> = {
  flows: { flows: '1-1,1-100,50-1,50-50', qos: '0,1,2' },
  durable: { flows: '1-1,50-50', qos: '1,2' },
  payload: { flows: '1-1,1-50', qos: '0', payloads: [1024, 16_384] },
  paced: { flows: '20-20', qos: '0,1' },
};

/** @param given what counts for all tables @param own what counts for this one */
function chooseGroup(
  name: FlowGroupName,
  given: Given,
  own: OwnChoice,
  repositoryDirectory: string,
): Chosen<CaseGroup> {
  const isDurable = name === 'durable';
  const defaults = groupDefaults[name];
  const { clean, durable, onlyDurable, storms } = defaultBrokerNames;
  const brokerNames = isDurable ? (given.durable === true ? onlyDurable : durable) : name === 'flows' ? clean : storms;
  const { brokers, leftOut } = chooseBrokers(own.brokers, brokerNames, own.broker ?? [], repositoryDirectory);
  const flows = list('--flows', own.flows ?? defaults.flows);
  const qos = list('--qos', own.qos ?? defaults.qos);
  const payload = integer('--payload', given.payload ?? '64', payloadHeadBytes, payloadBytesMax);
  const group = {
    name,
    isDurable,
    brokers,
    flows: unique(flows.map((text) => orUsageError(() => parseFlow(text)))),
    qos: qos.map((text) => integer('--qos', text, 0, 2) as QoS),
    topics: list('--topics', own.topics ?? '1').map((text) => integer('--topics', text, 1, topicsMax)),
    payloads: given.payload === undefined ? (defaults.payloads ?? [payload]) : [payload],
    rate: name === 'paced' ? integer('--rate', given.rate ?? String(pacedRate), 1, 10_000_000) : undefined,
  };
  return { group, leftOut };
}

function chooseStorm(name: StormKind, given: Given, rounds: number, repositoryDirectory: string): Chosen<StormGroup> {
  const { brokers, leftOut } = chooseBrokers(
    given.brokers,
    name === 'connections' ? defaultBrokerNames.connections : defaultBrokerNames.storms,
    given.broker ?? [],
    repositoryDirectory,
  );
  const text = given.count ?? String(stormCounts[name]);
  const count = integer('--count', text, 1, numberedTopicsMax);
  return { group: { name, brokers, count, rounds: Math.min(rounds, stormRoundsMax[name]) }, leftOut };
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

function chooseWindow(text: string | undefined): BenchmarkOptions['deliveryWindow'] {
  if (text === undefined) return defaultDeliveryWindow;
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
