/** What `clearwing store` was asked to do. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { storeDirectoryName } from '../../broker/config/configuration.ts';
import type { ExistingData } from '../../broker/persistence/import/build-store.ts';
import { nearestName } from '../nearest-name.ts';

/** What kind of file an import reads. */
export type ImportFormat = 'clearwing' | 'mosquitto';

export type StoreRequest =
  | { readonly action: 'help' }
  | { readonly action: 'info' | 'check'; readonly directory: string; readonly isJson: boolean }
  | {
      readonly action: 'export';
      readonly directory: string;
      /** Undefined for the standard output. */
      readonly output: string | undefined;
      /** Whether to leave out what is damaged. */
      readonly keepsGoing: boolean;
    }
  | {
      readonly action: 'import';
      readonly directory: string;
      /** `-` for the standard input. */
      readonly file: string;
      readonly existing: ExistingData;
      /** Undefined to find out. */
      readonly format: ImportFormat | undefined;
    };

/** The arguments cannot be used. */
export class StoreArgumentError extends Error {}

const actions = ['info', 'check', 'export', 'import'] as const;
type Action = (typeof actions)[number];

/** The options of each action, and whether they take a value. */
const optionsOf: Readonly<Record<Action, Readonly<Record<string, boolean>>>> = {
  info: { '--json': false },
  check: { '--json': false },
  export: { '-o': true, '--output': true, '--keep-going': false },
  import: { '--merge': false, '--replace': false, '--from': true },
};

/** @throws {StoreArgumentError} */
export function parseStoreArguments(args: readonly string[]): StoreRequest {
  const [action, ...rest] = args;
  if (action === undefined) throw new StoreArgumentError(`which of ${actions.join(', ')}?`);
  if (args.some((argument) => argument === '-h' || argument === '--help') || action === 'help')
    return { action: 'help' };
  if (!isAction(action)) {
    if (action.startsWith('-'))
      throw new StoreArgumentError(
        `the first argument must be one of ${actions.join(', ')}, not the option '${action}'`,
      );
    throw new StoreArgumentError(`there is no 'store ${action}'${didYouMean(action, [...actions, 'help'])}`);
  }
  const { options, words } = split(action, rest);
  const [path, file, ...tooMany] = words;
  const wordsMax = action === 'import' ? 2 : 1;
  if (path === undefined) throw new StoreArgumentError(`store ${action}: the directory is missing`);
  if (words.length > wordsMax) {
    throw new StoreArgumentError(`store ${action}: '${[path, file, ...tooMany][wordsMax]}' is one argument too many`);
  }
  const directory = storeDirectoryOf(path);
  switch (action) {
    case 'info':
    case 'check':
      return { action, directory, isJson: options.has('--json') };
    case 'export': {
      const output = options.get('-o') ?? options.get('--output');
      return {
        action,
        directory,
        output: output === '-' ? undefined : output,
        keepsGoing: options.has('--keep-going'),
      };
    }
    case 'import': {
      if (file === undefined) throw new StoreArgumentError('store import: the file to import is missing');
      if (options.has('--merge') && options.has('--replace')) {
        throw new StoreArgumentError('--merge and --replace cannot be used together');
      }
      const existing = options.has('--merge') ? 'merge' : options.has('--replace') ? 'replace' : 'refuse';
      return { action, directory, file, existing, format: parseFormat(options.get('--from')) };
    }
  }
}

function split(
  action: Action,
  args: readonly string[],
): { readonly options: ReadonlyMap<string, string>; readonly words: readonly string[] } {
  const known = optionsOf[action];
  const options = new Map<string, string>();
  const words: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] as string;
    if (argument === '--') {
      words.push(...args.slice(index + 1));
      break;
    }
    if (argument === '-' || !argument.startsWith('-')) {
      words.push(argument);
      continue;
    }
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const takesValue = Object.hasOwn(known, name) ? known[name] : undefined;
    if (takesValue === undefined) {
      throw new StoreArgumentError(`store ${action}: unknown option '${name}'${didYouMean(name, Object.keys(known))}`);
    }
    if (!takesValue && equals >= 0) throw new StoreArgumentError(`store ${action}: ${name} takes no value`);
    const value = !takesValue ? '' : equals < 0 ? args[++index] : argument.slice(equals + 1);
    if (value === undefined || (takesValue && value === '')) {
      throw new StoreArgumentError(`store ${action}: ${name} needs a value`);
    }
    options.set(name, value);
  }
  return { options, words };
}

function parseFormat(text: string | undefined): ImportFormat | undefined {
  if (text === undefined || text === 'clearwing' || text === 'mosquitto') return text;
  throw new StoreArgumentError(`--from ${text}; expected clearwing or mosquitto`);
}

function isAction(word: string): word is Action {
  return (actions as readonly string[]).includes(word);
}

function didYouMean(word: string, candidates: readonly string[]): string {
  const meant = nearestName(word, candidates);
  return meant === undefined ? '' : `; did you mean '${meant}'?`;
}

/**
 * The store's own directory. A broker that was told `--data DIR` or `persistence_location DIR` keeps it in `DIR/clearwing.db`; that one can
 * be named itself, too.
 */
export function storeDirectoryOf(path: string): string {
  const directory = resolve(path);
  const isStore = basename(directory) === storeDirectoryName || existsSync(join(directory, 'format'));
  return isStore ? directory : join(directory, storeDirectoryName);
}
