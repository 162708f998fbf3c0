/** From the words of the command line to what is to be measured. */
import { parseFlow, streamsMax } from '../../bench/flow.ts';
import { nearestName } from '../nearest-name.ts';
import { type BenchOptionRow, rowsOf } from './option-rows.ts';
import { type BenchCommand, type BenchSettings, benchCommandNames, defaultSettings } from './settings.ts';

export type BenchArguments =
  | { readonly action: 'help'; readonly command: BenchCommand | undefined }
  | { readonly action: 'run'; readonly command: BenchCommand; readonly settings: BenchSettings };

/** The arguments cannot be used. */
export class BenchArgumentError extends Error {}

/** @throws {BenchArgumentError} */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const [first, ...rest] = args;
  if (first === undefined) throw new BenchArgumentError(`which of ${benchCommandNames.join(', ')}?`);
  if (first === '--help') return { action: 'help', command: undefined };
  if (first === 'help') {
    return { action: 'help', command: rest[0] === undefined ? undefined : commandOf(rest[0]) };
  }
  const command = commandOf(first);
  if (rest.includes('--help')) return { action: 'help', command };
  const settings = defaultSettings(command);
  applyWords(settings, command, rest);
  checkTogether(settings, command);
  return { action: 'run', command, settings };
}

function commandOf(word: string): BenchCommand {
  const command = benchCommandNames.find((name) => name === word);
  if (command !== undefined) return command;
  if (word.startsWith('-')) {
    throw new BenchArgumentError(
      `the first argument must be one of ${benchCommandNames.join(', ')}, not the option '${word}'`,
    );
  }
  throw new BenchArgumentError(`there is no 'bench ${word}'${didYouMean(word, [...benchCommandNames, 'help'])}`);
}

function applyWords(settings: BenchSettings, command: BenchCommand, words: readonly string[]): void {
  const rows = rowsOf(command);
  let at = 0;
  while (at < words.length) {
    const word = words[at++]!;
    const { flag, inline } = split(word);
    const row = rows.find(({ flags }) => flags.includes(flag));
    if (row === undefined) {
      if (!word.startsWith('-')) throw new BenchArgumentError(`bench ${command}: '${word}' is one argument too many`);
      const known = [...rows.flatMap(({ flags }) => flags).filter((each) => each.startsWith('--')), '--help'];
      throw new BenchArgumentError(`bench ${command}: unknown option '${flag}'${didYouMean(flag, known)}`);
    }
    const value = row.argument === undefined ? inline : (inline ?? words[at++]);
    if (row.argument === undefined && value !== undefined) throw new BenchArgumentError(`${flag} takes no value`);
    if (row.argument !== undefined && value === undefined) {
      throw new BenchArgumentError(`${flag}: the value (${row.argument}) is missing`);
    }
    orArgumentError(flag, () => row.apply(settings, value ?? ''));
  }
}

/** `--seconds=3` as well as `--seconds 3`. */
function split(word: string): { readonly flag: string; readonly inline: string | undefined } {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  return equals < 0
    ? { flag: word, inline: undefined }
    : { flag: word.slice(0, equals), inline: word.slice(equals + 1) };
}

function checkTogether(settings: BenchSettings, command: BenchCommand): void {
  const { flowTexts, mix, topics, protocol, receiveMaximum, username, password } = settings;
  if (command === 'flow' || command === 'latency') {
    settings.flows = flowTexts.map((text) => orArgumentError('--flow', () => parseFlow(text, mix)));
    const tooMany = settings.flows.find(({ publishers }) => publishers * topics > streamsMax);
    if (tooMany !== undefined) {
      throw new BenchArgumentError(
        `--topics: ${tooMany.publishers} publishers with ${topics} topics each are more than ${streamsMax} topics`,
      );
    }
  }
  if (receiveMaximum !== undefined && protocol !== '5') throw new BenchArgumentError('--receive-maximum needs -V 5');
  if (password !== undefined && username === undefined && protocol !== '5') {
    throw new BenchArgumentError('--pw needs --username before MQTT 5'); // [MQTT-3.1.2-22] of 3.1.1
  }
}

function orArgumentError<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // A sentence about the value goes on from the option's name; others stand for themselves.
    const separator = /^(is|has|begins) /.test(error.message) ? ' ' : ': ';
    throw new BenchArgumentError(`${option}${separator}${error.message}`);
  }
}

function didYouMean(word: string, candidates: readonly string[]): string {
  const meant = nearestName(word, candidates);
  return meant === undefined ? '' : `; did you mean '${meant}'?`;
}

/** How an option is written: `-h, --host HOST`. */
export function optionForm({ flags, argument }: BenchOptionRow): string {
  return `${flags.join(', ')}${argument === undefined ? '' : ` ${argument}`}`;
}
