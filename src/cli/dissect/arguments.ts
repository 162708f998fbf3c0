/** What `clearwing dissect` was asked to do: tshark's options, and ours. */
import { nearestName } from '../nearest-name.ts';

export type OutputFormat = 'text' | 'tabs' | 'json' | 'jsonraw' | 'ek' | 'fields';
export const outputFormats: readonly OutputFormat[] = ['text', 'tabs', 'json', 'jsonraw', 'ek', 'fields'];

/** `-t`: what the Time column shows. */
export const timeForms = ['a', 'ad', 'adoy', 'd', 'dd', 'e', 'r', 'u', 'ud', 'udoy'] as const;
export type TimeForm = (typeof timeForms)[number];

export const tableNames = [
  'clients',
  'connections',
  'subscriptions',
  'wills',
  'topics',
  'deliveries',
  'handshakes',
] as const;
export type TableName = (typeof tableNames)[number];

/** `-F`: of `-w`. */
export const outputFileFormats = ['pcapng', 'pcap', 'nsecpcap'] as const;
export type OutputFileFormat = (typeof outputFileFormats)[number];

export const tableFormats = ['text', 'csv', 'json'] as const;
export type TableFormat = (typeof tableFormats)[number];

/** `-E`: how `-T fields` is written. */
export interface ColumnOptions {
  readonly hasByteOrderMark: boolean;
  readonly hasHeader: boolean;
  readonly separator: string;
  /** Which of several values of a field. */
  readonly occurrence: 'first' | 'last' | 'all';
  /** Between the values of a field. */
  readonly aggregator: string;
  readonly quote: '' | '"' | "'";
}

export interface DissectRequest {
  /** `-` for standard input; undefined with `interfaceName`. */
  readonly file: string | undefined;
  /** `-i`: capture there instead. */
  readonly interfaceName: string | undefined;
  /** `--broker`: watch this broker's tap instead. */
  readonly brokerUrl: string | undefined;
  /** `-s`: bytes kept of each captured frame. */
  readonly snapLength: number | undefined;
  /** `-p` unsets it. */
  readonly isPromiscuous: boolean;
  /** `-a duration:SECONDS`: milliseconds after which a capture ends by itself. */
  readonly durationMs: number | undefined;
  /** `-f`: capture filter. */
  readonly captureFilter: string | undefined;
  /** `-Y`, or what stands behind the options; undefined shows everything. */
  readonly filter: string | undefined;
  /** Undefined: text. */
  readonly format: OutputFormat | undefined;
  /** `-e`, in order. */
  readonly fields: readonly string[];
  readonly columns: ColumnOptions;
  /** `-P`, or because nothing else is shown. */
  readonly showsSummary: boolean;
  /** `-V`, or `-O`. */
  readonly showsTree: boolean;
  /** `-O`: protocols whose fields are shown, the others by their first line; undefined for all. */
  readonly openProtocols: readonly string[] | undefined;
  readonly showsHexadecimal: boolean;
  /** `-j` and `-J`: top-level protocols of `-T json` and `ek`, and whether all below them is meant. */
  readonly jsonProtocols: readonly string[] | undefined;
  readonly jsonIncludesChildren: boolean;
  readonly mergesDuplicateKeys: boolean;
  /** `-c`: frames that are read; undefined for all. */
  readonly frameCountMax: number | undefined;
  readonly outputFile: string | undefined;
  readonly outputFileFormat: OutputFileFormat;
  readonly isQuiet: boolean;
  readonly isLineBuffered: boolean;
  readonly timeForm: TimeForm;
  /** `-S`: after what a tree or bytes show of each frame, instead of an empty line. */
  readonly lineSeparator: string | undefined;
  /** `-d`, as given. */
  readonly decodeAs: readonly string[];
  /** `-o`: preferences by name. */
  readonly preferences: ReadonlyMap<string, string>;
  readonly recognizes: boolean;
  /** `--more`: fields that Wireshark has not, too. */
  readonly showsMore: boolean;
  readonly color: 'auto' | 'always' | 'never';
  /** `--follow`: the number of a TCP stream, or a Client Identifier. */
  readonly follow: string | undefined;
  readonly ladder: 'text' | 'svg' | undefined;
  readonly showsStatistics: boolean;
  readonly table: TableName | undefined;
  readonly tableFormat: TableFormat;
  readonly where: string | undefined;
  /** `--columns`: of the table, in order; `all` for all; undefined for those that people look at most. */
  readonly tableColumns: readonly string[] | undefined;
  /** `--distinct`: print the different values of this column, and how many rows have each. */
  readonly distinctColumn: string | undefined;
  /** `--count`: print the number of rows, or of different values. */
  readonly countsOnly: boolean;
  readonly showsProgress: boolean;
  /** `--threads`: undefined for as many as are of use. */
  readonly threads: number | undefined;
}

export type DissectArguments =
  | { readonly action: 'help' }
  | { readonly action: 'version' }
  | { readonly action: 'list fields' }
  | { readonly action: 'list interfaces' }
  | { readonly action: 'dissect'; readonly request: DissectRequest };

/** Of `--threads`: each takes memory. */
const threadsMax = 64;

/** The arguments cannot be used. */
export class DissectArgumentError extends Error {}

/** Options by their letter or name; true: with a value. */
const options: Readonly<Record<string, boolean>> = {
  r: true,
  i: true,
  f: true,
  Y: true,
  R: true,
  T: true,
  e: true,
  E: true,
  V: false,
  P: false,
  O: true,
  x: false,
  j: true,
  J: true,
  c: true,
  w: true,
  F: true,
  q: false,
  Q: false,
  l: false,
  n: false,
  N: true,
  t: true,
  u: true,
  S: true,
  d: true,
  o: true,
  G: true,
  h: false,
  v: false,
  2: false,
  'read-file': true,
  interface: true,
  'display-filter': true,
  'no-duplicate-keys': false,
  'no-recognition': false,
  more: false,
  color: true,
  follow: true,
  ladder: true,
  stats: false,
  table: true,
  format: true,
  where: true,
  columns: true,
  distinct: true,
  count: false,
  progress: false,
  threads: true,
  'no-progress': false,
  help: false,
  version: false,
  print: false,
  broker: true,
  D: false,
  a: true,
  s: true,
  p: false,
};

const longNames: Readonly<Record<string, string>> = {
  'read-file': 'r',
  interface: 'i',
  'display-filter': 'Y',
  help: 'h',
  version: 'v',
  print: 'P',
};

/** Options whose value may be left out, with what then holds. */
const optionalValues: Readonly<Record<string, string>> = { color: 'always', ladder: 'text' };

interface Given {
  readonly name: string;
  readonly value: string;
}

/** @throws {DissectArgumentError} */
/** @param command - `capture` takes no file */
export function parseDissectArguments(args: readonly string[], command: 'dissect' | 'capture'): DissectArguments {
  const { given, words } = split(args);
  const has = (name: string): boolean => given.some((one) => one.name === name);
  const all = (name: string): string[] => given.filter((one) => one.name === name).map((one) => one.value);
  const last = (name: string): string | undefined => all(name).at(-1);
  if (has('h')) return { action: 'help' };
  if (has('v')) return { action: 'version' };
  if (has('D')) return { action: 'list interfaces' };
  const report = last('G');
  if (report !== undefined) {
    if (report !== 'fields') throw new DissectArgumentError(`-G ${report}: only -G fields is there`);
    return { action: 'list fields' };
  }
  const format = choice('-T', last('T'), outputFormats);
  const fields = all('e');
  checkFields(format, fields);
  const openProtocols = last('O')
    ?.split(',')
    .filter((name) => name !== '');
  const showsTree = has('V') || openProtocols !== undefined;
  const outputFile = last('w');
  const file = last('r');
  const interfaceName = last('i');
  const brokerUrl = last('broker');
  const sources = [file, interfaceName, brokerUrl].filter((one) => one !== undefined);
  if (command === 'capture' && file !== undefined) throw new DissectArgumentError('-r is for clearwing dissect');
  if (sources.length === 0) {
    throw new DissectArgumentError(
      command === 'capture'
        ? '--broker URL or -i INTERFACE is missing: where to capture'
        : '-r FILE is missing: the capture to read, - for the standard input (or -i INTERFACE, or --broker URL)',
    );
  }
  if (sources.length > 1) throw new DissectArgumentError('-r, -i and --broker cannot be used together');
  if (last('f') !== undefined && interfaceName === undefined) {
    throw new DissectArgumentError('-f is a filter for capturing (-i); for files there is -Y');
  }
  const filters = [last('Y') ?? last('R'), words.length > 0 ? words.join(' ') : undefined].filter(
    (one) => one !== undefined,
  );
  if (filters.length > 1) {
    throw new DissectArgumentError(
      'Display filters were specified both with "-Y" and with additional command-line arguments.',
    );
  }
  const table = choice('--table', last('table'), tableNames);
  const ofTables = ['where', 'columns', 'distinct', 'count', 'format'].find(has);
  if (ofTables !== undefined && table === undefined) throw new DissectArgumentError(`--${ofTables} is for --table`);
  const reports = ['follow', 'ladder', 'stats', 'table'].filter(has);
  if (reports.length > 1) throw new DissectArgumentError(`--${reports.join(' and --')} cannot be used together`);
  const isQuiet = has('q') || has('Q');
  return {
    action: 'dissect',
    request: {
      file,
      interfaceName,
      brokerUrl,
      snapLength: parseNumber('-s', last('s')),
      isPromiscuous: !has('p'),
      durationMs: parseDuration(last('a')),
      captureFilter: last('f'),
      filter: filters[0],
      format,
      fields,
      columns: parseColumnOptions(all('E')),
      showsSummary: has('P') || (!isQuiet && !showsTree && !has('x') && outputFile === undefined),
      showsTree,
      openProtocols,
      showsHexadecimal: has('x'),
      jsonProtocols: (last('J') ?? last('j'))?.split(/[\s,]+/).filter((name) => name !== ''),
      jsonIncludesChildren: has('J'),
      mergesDuplicateKeys: has('no-duplicate-keys'),
      frameCountMax: parseCount(last('c')),
      outputFile,
      outputFileFormat: choice('-F', last('F'), outputFileFormats) ?? 'pcapng',
      isQuiet,
      isLineBuffered: has('l'),
      timeForm: choice('-t', last('t'), timeForms) ?? 'r',
      lineSeparator: last('S'),
      decodeAs: all('d'),
      preferences: parsePreferences(all('o')),
      recognizes: !has('no-recognition'),
      showsMore: has('more'),
      color: choice('--color', last('color'), ['auto', 'always', 'never'] as const) ?? 'auto',
      follow: last('follow'),
      ladder: choice('--ladder', last('ladder'), ['text', 'svg'] as const),
      showsStatistics: has('stats'),
      table,
      tableFormat: choice('--format', last('format'), tableFormats) ?? (format === 'json' ? 'json' : 'text'),
      where: last('where'),
      tableColumns: last('columns')?.split(','),
      distinctColumn: last('distinct'),
      countsOnly: has('count'),
      threads: parseThreads(last('threads')),
      showsProgress: has('progress') || (!has('no-progress') && process.stderr.isTTY === true),
    },
  };
}

/** As getopt does: letters together, values attached or in the next argument, `--` ends the options. */
function split(args: readonly string[]): { readonly given: readonly Given[]; readonly words: readonly string[] } {
  const given: Given[] = [];
  const words: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    const next = (): string => {
      const value = args[++index];
      if (value === undefined) throw new DissectArgumentError(`${argument}: its value is missing`);
      return value;
    };
    if (argument === '--') {
      words.push(...args.slice(index + 1));
      break;
    }
    if (argument.startsWith('--')) given.push(longOption(argument, next));
    else if (argument.startsWith('-') && argument.length > 1) given.push(...letters(argument, next));
    else words.push(argument);
  }
  return { given, words };
}

function longOption(argument: string, next: () => string): Given {
  const equals = argument.indexOf('=');
  const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals);
  const takesValue = name.length > 1 ? options[name] : undefined;
  if (takesValue === undefined) {
    const meant = nearestName(
      name,
      Object.keys(options).filter((one) => one.length > 1),
    );
    throw new DissectArgumentError(
      `unrecognized option: --${name}${meant === undefined ? '' : `; did you mean --${meant}?`}`,
    );
  }
  if (!takesValue && equals >= 0) throw new DissectArgumentError(`--${name} takes no value`);
  const ifLeftOut = optionalValues[name];
  const value = equals >= 0 ? argument.slice(equals + 1) : takesValue ? (ifLeftOut ?? next()) : '';
  return { name: longNames[name] ?? name, value };
}

function letters(argument: string, next: () => string): Given[] {
  const given: Given[] = [];
  for (let at = 1; at < argument.length; at++) {
    const name = argument[at] as string;
    const takesValue = options[name];
    if (takesValue === undefined) throw new DissectArgumentError(`unrecognized option: -${name}`);
    if (takesValue) {
      given.push({ name, value: argument.slice(at + 1) || next() });
      break;
    }
    given.push({ name, value: '' });
  }
  return given;
}

function choice<T extends string>(option: string, value: string | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined || (choices as readonly string[]).includes(value)) return value as T | undefined;
  throw new DissectArgumentError(`Invalid ${option} parameter "${value}"; it must be one of: ${choices.join(', ')}`);
}

function checkFields(format: OutputFormat | undefined, fields: readonly string[]): void {
  if (format === 'fields' && fields.length === 0) {
    throw new DissectArgumentError('"-Tfields" was specified, but no fields were specified with "-e".');
  }
  if (fields.length > 0 && (format === undefined || format === 'text' || format === 'tabs')) {
    throw new DissectArgumentError(
      'Output fields were specified with "-e", but "-Tek, -Tfields or -Tjson" was not specified.',
    );
  }
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text))
    throw new DissectArgumentError(`The specified packet count "${text}" isn't a decimal number`);
  const count = Number(text);
  if (count === 0) throw new DissectArgumentError('The specified packet count "0" is zero');
  return count;
}

function parseNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new DissectArgumentError(`${option} ${text}: expected a whole number`);
  return Number(text);
}

function parseThreads(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const threads = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (threads < 1 || threads > threadsMax) {
    throw new DissectArgumentError(`--threads ${text}: expected a number from 1 to ${threadsMax}`);
  }
  return threads;
}

/** `duration:10`: milliseconds. */
function parseDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^duration:(\d{1,6}(?:\.\d+)?)$/.exec(text)?.[1];
  if (seconds === undefined) throw new DissectArgumentError(`-a ${text}: expected duration:SECONDS`);
  return Number(seconds) * 1000;
}

function parsePreferences(list: readonly string[]): Map<string, string> {
  const preferences = new Map<string, string>();
  for (const text of list) {
    const colon = text.indexOf(':');
    if (colon <= 0) throw new DissectArgumentError(`Invalid -o flag "${text}"; expected name:value`);
    preferences.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
  }
  return preferences;
}

const columnHelp =
  'header=y|n, separator=/t|/s|<character>, occurrence=f|l|a, aggregator=,|/s|<character>, quote=d|s|n, bom=y|n';

function parseColumnOptions(list: readonly string[]): ColumnOptions {
  const columns = {
    hasByteOrderMark: false,
    hasHeader: false,
    separator: '\t',
    occurrence: 'all' as ColumnOptions['occurrence'],
    aggregator: ',',
    quote: '' as ColumnOptions['quote'],
  };
  for (const text of list) {
    const equals = text.indexOf('=');
    const value = text.slice(equals + 1);
    const pick = <T>(choices: Readonly<Record<string, T>>): T => {
      const picked = choices[value];
      if (picked === undefined) throw wrongColumnOption(text);
      return picked;
    };
    if (equals <= 0 || value === '') throw wrongColumnOption(text);
    switch (text.slice(0, equals)) {
      case 'bom':
        columns.hasByteOrderMark = pick({ y: true, n: false });
        break;
      case 'header':
        columns.hasHeader = pick({ y: true, n: false });
        break;
      case 'separator':
        columns.separator = separatorOf(value);
        break;
      case 'occurrence':
        columns.occurrence = pick({ f: 'first', l: 'last', a: 'all' } as const);
        break;
      case 'aggregator':
        columns.aggregator = separatorOf(value);
        break;
      case 'quote':
        columns.quote = pick({ d: '"', s: "'", n: '' } as const);
        break;
      default:
        throw wrongColumnOption(text);
    }
  }
  return columns;
}

/** `/t` and `/s` for tab and space, any other `/` a backslash; else the first character: as tshark takes it. */
function separatorOf(value: string): string {
  if (!value.startsWith('/')) return value[0] as string;
  return value[1] === 't' ? '\t' : value[1] === 's' ? ' ' : '\\';
}

function wrongColumnOption(text: string): DissectArgumentError {
  return new DissectArgumentError(`"${text}" is not a valid field output option=value pair; there are ${columnHelp}`);
}
