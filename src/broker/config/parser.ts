/**
 * Reads configuration files line by line into what they say; `load.ts` makes a configuration of it.
 *
 * Which listener a key belongs to is decided as Mosquitto does: each file begins with the default listener, `listener` begins
 * a new one, the end of the file closes it.
 */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { isTopicName } from '../../protocol/topics.ts';
import type { LogType } from '../log.ts';
import { logTypes } from '../log.ts';
import type { LoggingSettings } from '../logging/settings.ts';
import type { BrokerSettings, ListenerSettings } from '../options.ts';
import type { Assignment, CaptureSettings, PersistenceSettings, SecuritySettings } from './configuration.ts';
import type { KeyRow, Target } from './key-row.ts';
import { findKey, nearestKey } from './keys.ts';
import {
  ConfigurationError,
  type ConfigurationLine,
  describePlace,
  listIncluded,
  type Place,
  readConfigurationLines,
} from './lines.ts';
import { logDestinations } from './logging-keys.ts';
import { expectation, readValue, splitWord, words } from './values.ts';

type Mutable<T> = { -readonly [K in keyof T]?: T[K] };

/** What the lines say about one listener. */
export interface ListenerDraft {
  /** Undefined for the default listener. */
  readonly place: Place | undefined;
  readonly name: string;
  readonly settings: Mutable<ListenerSettings>;
  readonly security: Mutable<SecuritySettings>;
  /** What was assigned to it, as far as it makes the default listener one that is opened. */
  readonly assigned: Assignment[];
}

/** What all files say. */
export interface ParsedFiles {
  readonly settings: Mutable<BrokerSettings>;
  readonly security: Mutable<SecuritySettings>;
  /** `allow_zero_length_clientid` and `auto_id_prefix` for all listeners. */
  readonly forAllListeners: Mutable<ListenerSettings>;
  readonly logging: Mutable<LoggingSettings>;
  readonly persistence: Mutable<PersistenceSettings>;
  readonly capture: Mutable<CaptureSettings>;
  readonly process: { pidFile?: string; user?: string };
  readonly listeners: readonly ListenerDraft[];
  readonly defaultListener: ListenerDraft;
  readonly perListenerSettings: boolean;
  readonly warnings: string[];
  readonly files: readonly string[];
  readonly assignments: readonly Assignment[];
}

/** @throws {ConfigurationError} for anything that cannot be used */
export function parseConfigurationFiles(file: string | undefined): ParsedFiles {
  const parser = new Parser();
  if (file !== undefined) parser.parseFile(file, true);
  return parser.result();
}

class Parser {
  readonly #settings: Mutable<BrokerSettings> = {};
  readonly #security: Mutable<SecuritySettings> = {};
  readonly #forAllListeners: Mutable<ListenerSettings> = {};
  readonly #logging: Mutable<LoggingSettings> = {};
  readonly #persistence: Mutable<PersistenceSettings> = {};
  readonly #capture: Mutable<CaptureSettings> = {};
  readonly #process: { pidFile?: string; user?: string } = {};
  readonly #defaultListener: ListenerDraft = newDraft('default', undefined);
  readonly #listeners: ListenerDraft[] = [];
  readonly #warnings: string[] = [];
  readonly #files: string[] = [];
  readonly #assignments: Assignment[] = [];
  /** Where each text that may be given once was given, by key and listener. */
  readonly #texts = new Map<string, Place>();
  #perListenerSettings = false;
  /** The first key that `per_listener_settings` should have come before. */
  #firstSecurityKey: ConfigurationLine | undefined;

  parseFile(file: string, isMain: boolean): void {
    this.#files.push(file);
    let listener = this.#defaultListener;
    for (const line of readConfigurationLines(file)) {
      const row = findKey(line.key);
      if (row === undefined) throw unknownKey(line);
      if (line.value === '') throw failure(line, `Empty ${line.key} value`, expectation(row.value));
      switch (row.key) {
        case 'listener':
          listener = this.#beginListener(line);
          break;
        case 'include_dir':
          this.#include(line, isMain);
          break;
        case 'log_dest':
          this.#addLogDestination(line);
          break;
        case 'log_type':
          this.#addLogTypes(line);
          break;
        default:
          this.#assign(line, row, listener);
      }
    }
  }

  result(): ParsedFiles {
    return {
      settings: this.#settings,
      security: this.#security,
      forAllListeners: this.#forAllListeners,
      logging: this.#logging,
      persistence: this.#persistence,
      capture: this.#capture,
      process: this.#process,
      listeners: this.#listeners,
      defaultListener: this.#defaultListener,
      perListenerSettings: this.#perListenerSettings,
      warnings: this.#warnings,
      files: this.#files,
      assignments: this.#assignments,
    };
  }

  #assign(line: ConfigurationLine, row: KeyRow, listener: ListenerDraft): void {
    const read = readValue(row.value, line.value);
    if (read === undefined) {
      throw failure(line, `Invalid ${line.key} value "${shorten(line.value)}"`, expectation(row.value));
    }
    if (read.ignored !== '') {
      this.#warn(line, `"${shorten(read.ignored)}" after the value of ${line.key} is ignored`);
    }
    if (row.key === 'per_listener_settings') this.#setPerListener(line, read.value === true);
    else if (row.target === undefined) this.#warnWithoutEffect(line, row);
    else this.#store(line, row, row.target, read.value, this.#ownerOf(row, listener));
  }

  #store(line: ConfigurationLine, row: KeyRow, target: Target, value: unknown, owner: ListenerDraft | undefined): void {
    if (row.scope === 'security') this.#firstSecurityKey ??= line;
    if (row.value.form === 'text') this.#requireOnce(line, row, owner);
    if (row.key === 'mount_point') this.#checkMountPoint(line, owner);
    if (row.key === 'port' && owner?.settings.port !== undefined) {
      this.#warn(line, 'port is given more than once; the last one counts');
    }
    const assignment = this.#record(line, owner);
    owner?.assigned.push(assignment);
    this.#recordOf(target, owner)[target.field] = value;
  }

  /** The listener that a key is about; undefined if it is about the whole broker. */
  #ownerOf(row: KeyRow, listener: ListenerDraft): ListenerDraft | undefined {
    // These two are about the default listener, wherever they stand.
    if (row.key === 'port' || row.key === 'bind_address') return this.#defaultListener;
    if (row.scope === 'listener') return listener;
    return row.scope === 'security' && this.#perListenerSettings ? listener : undefined;
  }

  /** The object a value is written to. */
  #recordOf(target: Target, listener: ListenerDraft | undefined): Record<string, unknown> {
    switch (target.in) {
      case 'broker':
        return this.#settings as Record<string, unknown>;
      case 'logging':
        return this.#logging as Record<string, unknown>;
      case 'persistence':
        return this.#persistence as Record<string, unknown>;
      case 'capture':
        return this.#capture as Record<string, unknown>;
      case 'process':
        return this.#process as Record<string, unknown>;
      case 'listener':
        return (listener?.settings ?? this.#forAllListeners) as Record<string, unknown>;
      case 'security':
        return (listener?.security ?? this.#security) as Record<string, unknown>;
    }
  }

  #beginListener(line: ConfigurationLine): ListenerDraft {
    const [portText, rest] = splitWord(line.value);
    const port = /^\d{1,5}$/.test(portText) ? Number(portText) : -1;
    if (port < 0 || port > 65_535) {
      throw failure(
        line,
        `Invalid port value "${shorten(portText)}"`,
        'a port from 1 to 65535, or 0 and the path of a Unix socket',
      );
    }
    const [address, ignored] = rest.startsWith('#') ? ['', ''] : splitWord(rest);
    if (port === 0 && address === '') {
      throw failure(line, 'A listener with port 0 must provide a Unix socket path', 'listener 0 path');
    }
    if (ignored !== '' && !ignored.startsWith('#')) {
      this.#warn(line, `"${shorten(ignored)}" after the address of the listener is ignored`);
    }
    const name = port === 0 ? address : address === '' ? String(port) : `${port} ${address}`;
    const draft = newDraft(name, line);
    draft.settings.port = port;
    if (port === 0) draft.settings.unixPath = address;
    else if (address !== '') draft.settings.host = address;
    const same = this.#listeners.find((other) => other.name === name);
    if (same !== undefined) {
      throw failure(
        line,
        `Duplicate listener ${name}`,
        `another port or address than at ${describePlace(same.place!)}`,
      );
    }
    this.#listeners.push(draft);
    this.#record(line, draft);
    return draft;
  }

  #include(line: ConfigurationLine, isMain: boolean): void {
    if (!isMain) {
      this.#warn(line, 'include_dir has an effect only in the main configuration file');
      return;
    }
    if (this.#files[0] !== undefined && isSameDirectory(dirname(this.#files[0]), line.value)) {
      throw failure(line, `include_dir "${line.value}" contains the main configuration file`, 'another directory');
    }
    for (const file of listIncluded(line.value, line)) this.parseFile(file, false);
  }

  #setPerListener(line: ConfigurationLine, value: boolean): void {
    this.#record(line, undefined);
    if (this.#perListenerSettings || !value) return;
    if (this.#firstSecurityKey !== undefined) {
      const first = this.#firstSecurityKey;
      throw failure(
        line,
        'per_listener_settings must be set before any other security settings',
        `it before ${first.key} at ${describePlace(first)}`,
      );
    }
    this.#perListenerSettings = true;
  }

  #addLogDestination(line: ConfigurationLine): void {
    const [destination, path] = splitWord(line.value);
    const logging = this.#logging;
    if (logging.toStderr === undefined) this.#setLogDestinationsNone();
    this.#record(line, undefined);
    switch (destination) {
      case 'stdout':
        logging.toStdout = true;
        return;
      case 'stderr':
        logging.toStderr = true;
        return;
      case 'topic':
        logging.toTopic = true;
        return;
      case 'syslog':
        logging.toSyslog = true;
        return;
      case 'dlt':
        this.#warn(line, 'log_dest dlt is not available; stderr is used instead');
        logging.toStderr = true;
        return;
      case 'none':
        this.#setLogDestinationsNone();
        return;
      case 'file':
        if (path === '') throw failure(line, 'Empty "log_dest file" value', 'log_dest file path');
        this.#requireOnce(line, { key: 'log_dest file' }, undefined);
        logging.file = path;
        return;
      default:
        throw failure(line, `Invalid log_dest value "${shorten(destination)}"`, `one of ${logDestinations.join(', ')}`);
    }
  }

  #setLogDestinationsNone(): void {
    Object.assign(this.#logging, { toStdout: false, toStderr: false, toTopic: false, toSyslog: false });
    delete this.#logging.file;
  }

  #addLogTypes(line: ConfigurationLine): void {
    const types = new Set<LogType>(this.#logging.types ?? []);
    for (const word of words(line.value)) {
      if (word.startsWith('#')) break;
      if (word === 'none') types.clear();
      else if (word === 'all') for (const type of logTypes) types.add(type);
      else if ((logTypes as readonly string[]).includes(word)) types.add(word as LogType);
      else if (word === 'internal' || word === 'quic')
        this.#warn(line, `log_type ${word} has no effect in this release`);
      else throw failure(line, `Invalid log_type value "${shorten(word)}"`, `one of ${logTypes.join(', ')}, all, none`);
    }
    this.#logging.types = types;
    this.#record(line, undefined);
  }

  #checkMountPoint(line: ConfigurationLine, listener: ListenerDraft | undefined): void {
    if (listener === this.#defaultListener) {
      throw failure(line, 'mount_point needs a listener', 'a listener line before it');
    }
    if (!isTopicName(line.value)) {
      throw failure(line, `Invalid mount_point "${shorten(line.value)}"`, 'a topic prefix without + and #');
    }
  }

  /** Text may be given once, or an overlooked second file would silently win. */
  #requireOnce(line: ConfigurationLine, row: { readonly key: string }, listener: ListenerDraft | undefined): void {
    const slot = `${row.key} ${listener?.name ?? ''}`;
    const first = this.#texts.get(slot);
    if (first !== undefined)
      throw failure(line, `Duplicate ${row.key} value`, `one; the first is at ${describePlace(first)}`);
    this.#texts.set(slot, line);
  }

  #warnWithoutEffect(line: ConfigurationLine, row: KeyRow): void {
    const what = row.state === 'obsolete' ? 'is obsolete and has no effect' : 'has no effect in this release';
    const meaning = row.meaning.replace(/\.$/, '').replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase());
    this.#warn(line, `${line.key} ${what}: ${meaning}`);
  }

  #warn(place: Place, message: string): void {
    this.#warnings.push(`${describePlace(place)}: ${message}.`);
  }

  #record(line: ConfigurationLine, listener: ListenerDraft | undefined): Assignment {
    const { key, value, file, line: number } = line;
    const assignment = { key, value, file, line: number, listener: listener?.name };
    this.#assignments.push(assignment);
    return assignment;
  }
}

function newDraft(name: string, place: Place | undefined): ListenerDraft {
  return { name, place, settings: {}, security: {}, assigned: [] };
}

function failure(place: Place, problem: string, expected: string): ConfigurationError {
  return new ConfigurationError(`${problem} at ${describePlace(place)}; expected ${expected}.`, place.file, place.line);
}

function unknownKey(line: ConfigurationLine): ConfigurationError {
  const nearest = nearestKey(line.key);
  const hint = nearest === undefined ? '.' : `; did you mean "${nearest}"?`;
  const message = `Unknown configuration variable "${shorten(line.key)}" at ${describePlace(line)}${hint}`;
  return new ConfigurationError(message, line.file, line.line);
}

function isSameDirectory(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}

/** Values in messages are cut, so that a binary file given by mistake does not flood the terminal. */
function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}…`;
}
