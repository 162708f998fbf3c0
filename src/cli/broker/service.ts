/**
 * A broker as a service: from configuration to listening, through reloads, to the end.
 *
 *     start() ─▶ running ─ SIGHUP ─▶ reload() ─▶ running ─ SIGTERM, SIGINT ─▶ stop() ─▶ exit status
 */
import { chownSync, existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { AccessFileError } from '../../broker/access/access-file-error.ts';
import { createAuthority, type FileAuthority } from '../../broker/access/file-authority.ts';
import { type Broker, createBroker } from '../../broker/broker.ts';
import { type BrokerConfiguration, storeDirectoryName } from '../../broker/config/configuration.ts';
import { ConfigurationError } from '../../broker/config/lines.ts';
import { loadConfiguration } from '../../broker/config/load.ts';
import { changesThatNeedRestart, matchListeners } from '../../broker/config/reload.ts';
import { reasonOf } from '../../broker/config/text-file.ts';
import { logTypes } from '../../broker/log.ts';
import { type BrokerLog, createLog } from '../../broker/logging/broker-log.ts';
import type { LoggingSettings } from '../../broker/logging/settings.ts';
import { openLmdbStore } from '../../broker/persistence/lmdb.ts';
import type { Store } from '../../broker/persistence/store.ts';
import { StoreTimeoutError } from '../../broker/persistence/store-timeout.ts';
import type { CaptureFile, FrameFilter } from '../../broker/tap/capture-file.ts';
import { FilterSyntaxError, StorageError } from '../../protocol/errors.ts';
import { version } from '../version.ts';
import type { BrokerArguments } from './arguments.ts';
import { removePidFile, writePidFile } from './pid-file.ts';
import { type Account, become, chooseAccount, PrivilegeError } from './privileges.ts';

/** Exit statuses of mosquitto(8). */
const failureStatus = 1;
const configurationStatus = 3;
const unreadableAccessFileStatus = 13;

const name = `clearwing version ${version}`;

/** The broker cannot run. The message is a line for the person who started it. */
export class StartError extends Error {
  readonly exitStatus: number;
  constructor(message: string, exitStatus: number) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

/** How a stop went. */
export interface StopOutcome {
  readonly exitStatus: number;
  /** Whether a thread of the process may still wait for a disk that does not answer. */
  readonly isStuck: boolean;
}

export class BrokerService {
  readonly #arguments: BrokerArguments;
  readonly #log: BrokerLog;
  readonly #authority: FileAuthority;
  readonly #broker: Broker;
  readonly #store: Store | undefined;
  #capture: CaptureFile | undefined;
  /** What the listeners were opened with. */
  readonly #opened: BrokerConfiguration;
  #isSyncing = false;
  #isSyncWanted = false;

  private constructor(
    given: BrokerArguments,
    configuration: BrokerConfiguration,
    log: BrokerLog,
    authority: FileAuthority,
    store: Store | undefined,
  ) {
    this.#arguments = given;
    this.#opened = configuration;
    this.#log = log;
    this.#authority = authority;
    const { settings, listeners } = configuration;
    this.#store = store;
    const kept = store === undefined ? undefined : { store };
    this.#broker = createBroker({ settings, listeners, authority, log, version: name, ...kept });
    log.publishWith((topic, text) => this.#broker.publish(topic, text, { qos: 2 }));
  }

  /**
   * Reads the configuration, opens the listeners and gives up root's rights.
   * @throws {StartError} after everything was closed again
   */
  static async start(given: BrokerArguments): Promise<BrokerService> {
    const configuration = load(given);
    const isNewLogFile = configuration.logging.file !== undefined && !existsSync(configuration.logging.file);
    const log = createLog(loggingOf(configuration, given));
    let store: Store | undefined;
    try {
      announce(configuration, log);
      const authority = createAuthority(configuration.listeners, log);
      store = await openStore(configuration, log);
      const service = new BrokerService(given, configuration, log, authority, store);
      await service.#open(isNewLogFile);
      return service;
    } catch (error) {
      await store?.close().catch(() => {});
      const failure = startErrorOf(error);
      log.write('error', failure.message);
      const isTold = log.showsOnStderr && log.isEnabled('error');
      await log.close();
      throw isTold ? new StartError('', failure.exitStatus) : failure;
    }
  }

  get log(): BrokerLog {
    return this.#log;
  }

  /** Reads the files again. What is wrong with them is logged; the broker then goes on as it was. */
  reload(): void {
    const log = this.#log;
    log.write('information', 'Reloading config.');
    if (this.#arguments.file === undefined) {
      log.reopen();
      return;
    }
    try {
      const configuration = load(this.#arguments);
      this.#authority.reload(matchListeners(this.#opened.listeners, configuration));
      log.configure(loggingOf(configuration, this.#arguments));
      this.#broker.reload(configuration.settings, this.#authority);
      for (const warning of configuration.warnings) log.write('warning', `Warning: ${warning}`);
      const waiting = changesThatNeedRestart(this.#opened, configuration);
      if (waiting.length > 0) {
        log.write(
          'warning',
          `Warning: These changes take effect when the broker is started again: ${waiting.join(', ')}.`,
        );
      }
    } catch (error) {
      log.write('error', startErrorOf(error).message);
      log.write('error', 'Error: The configuration was not reloaded; everything stays as it was.');
      log.reopen();
    }
  }

  get hasStore(): boolean {
    return this.#store !== undefined;
  }

  /** Has the store write everything to the disk now, whatever the durability, and says so. Asked while it does, it does it once more. */
  async sync(): Promise<void> {
    this.#isSyncWanted = true;
    if (this.#store === undefined || this.#isSyncing) return;
    this.#isSyncing = true;
    while (this.#isSyncWanted) {
      this.#isSyncWanted = false;
      try {
        await this.#store.sync();
        this.#log.write('information', 'The store is on the disk.');
      } catch (error) {
        this.#log.write('error', `Error: ${(error as Error).message}.`);
      }
    }
    this.#isSyncing = false;
  }

  /** Closes everything and ends the log. */
  async stop(): Promise<StopOutcome> {
    let outcome: StopOutcome = { exitStatus: 0, isStuck: false };
    try {
      await this.#broker.close();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const isLossPossible = this.#opened.persistence.durability === 'none';
      const consequence = isLossPossible
        ? 'What came last is lost, as durability none allows.'
        : 'What was not stored was not acknowledged either.';
      this.#log.write('error', `Error: ${error.message}. ${consequence}`);
      outcome = { exitStatus: failureStatus, isStuck: error instanceof StoreTimeoutError };
    }
    await this.#capture?.close();
    this.#log.write('information', `${name} terminating`);
    this.#removePidFile();
    await this.#log.close();
    return outcome;
  }

  /** The end by an error, or by somebody in a hurry: what can be done at once. */
  abandon(): void {
    this.#log.flushSync();
    this.#removePidFile();
  }

  async #open(isNewLogFile: boolean): Promise<void> {
    const { pidFile, user, logging } = this.#opened;
    try {
      await this.#broker.listen();
    } catch (error) {
      if (error instanceof StorageError) throw error;
      throw new StartError(describeListenError(error), failureStatus);
    }
    try {
      this.#capture = await this.#beginCapture();
      if (pidFile !== undefined) writePid(pidFile);
      const account = chooseAccount(user, this.#log);
      if (account !== undefined) {
        // It is opened again, by the other user, when it has been rotated.
        const logFile = isNewLogFile ? logging.file : undefined;
        if (logFile !== undefined && existsSync(logFile)) chownSync(logFile, account.userId, account.groupId);
        if (pidFile !== undefined) chownSync(pidFile, account.userId, account.groupId);
        if (this.#capture !== undefined) chownSync(this.#capture.path, account.userId, account.groupId);
        if (this.#store !== undefined) giveStore(storeDirectory(this.#opened), account);
        become(account);
      }
    } catch (error) {
      await this.#broker.close();
      await this.#capture?.close();
      this.#removePidFile();
      throw error;
    }
    this.#log.write('information', `${name} running`);
  }

  /** @throws {StartError} if `capture_file` cannot be written or `capture_filter` is none */
  async #beginCapture(): Promise<CaptureFile | undefined> {
    const { capture } = this.#opened;
    const { file, filter } = capture;
    if (file === undefined) return undefined;
    const frameFilter = filter === undefined ? undefined : await readCaptureFilter(filter);
    try {
      const begun = await this.#broker.record({ ...capture, file, frameFilter });
      this.#log.write('information', `Recording all connections in ${begun.path}.`);
      return begun;
    } catch (error) {
      throw new StartError(`Error: Unable to write capture file ${file}: ${reasonOf(error)}.`, failureStatus);
    }
  }

  #removePidFile(): void {
    if (this.#opened.pidFile !== undefined) removePidFile(this.#opened.pidFile);
  }
}

/**
 * Reads the configuration and all it names, and starts nothing.
 * @returns what is to be said, a line each
 * @throws {StartError} if something cannot be used
 */
export function testConfiguration(given: BrokerArguments): string[] {
  const configuration = load(given);
  const lines = configuration.warnings.map((warning) => `Warning: ${warning}`);
  try {
    createAuthority(configuration.listeners, { isEnabled: () => true, write: (_, text) => void lines.push(text) });
  } catch (error) {
    throw startErrorOf(error);
  }
  return lines;
}

/** @throws {StartError} with the place of what is wrong */
async function readCaptureFilter(text: string): Promise<FrameFilter> {
  const { createFrameFilter } = await import('../../broker/tap/display-frame-filter.ts');
  try {
    return createFrameFilter(text);
  } catch (error) {
    if (!(error instanceof FilterSyntaxError)) throw error;
    const place = `column ${error.position + 1} of '${text}'`;
    throw new StartError(`Error: capture_filter: ${error.message} (${place})`, configurationStatus);
  }
}

/** @throws {StorageError} */
async function openStore(configuration: BrokerConfiguration, log: BrokerLog): Promise<Store | undefined> {
  const { isEnabled, durability } = configuration.persistence;
  if (!isEnabled) return undefined;
  return openLmdbStore({
    directory: storeDirectory(configuration),
    durability,
    clock: systemClock,
    log,
    onTrouble: (trouble) => {
      if (trouble === undefined) {
        log.write('notice', 'The store works again; nothing is refused any more.');
        return;
      }
      log.write(
        'error',
        `Error: ${trouble}. Until that is over persistent sessions and what is published for them are refused, and QoS 0 goes on.`,
      );
    },
  });
}

function storeDirectory({ persistence }: BrokerConfiguration): string {
  return resolve(join(persistence.location, storeDirectoryName));
}

/** The files that root opened are to be opened again by the user that the process becomes. */
function giveStore(directory: string, { userId, groupId }: Account): void {
  for (const path of [directory, ...readdirSync(directory).map((file) => join(directory, file))]) {
    chownSync(path, userId, groupId);
  }
}

/** @throws {StartError} */
function load(given: BrokerArguments): BrokerConfiguration {
  try {
    return loadConfiguration(given.file, { ports: given.ports, data: given.data });
  } catch (error) {
    throw startErrorOf(error);
  }
}

function loggingOf({ logging }: BrokerConfiguration, { verbosity }: BrokerArguments): LoggingSettings {
  if (verbosity === undefined) return logging;
  return { ...logging, types: new Set(verbosity === 'all' ? logTypes : []) };
}

function announce(configuration: BrokerConfiguration, log: BrokerLog): void {
  const { file, files, warnings, isLocalOnly } = configuration;
  log.write('information', `${name} starting`);
  log.write('information', file === undefined ? 'Using default config.' : `Config loaded from ${file}.`);
  for (const included of files.slice(1)) log.write('information', `Loading config file ${included}`);
  for (const warning of warnings) log.write('warning', `Warning: ${warning}`);
  if (!isLocalOnly) return;
  log.write(
    'warning',
    'Starting in local only mode. Connections will only be possible from clients running on this machine.',
  );
  log.write('warning', 'Create a configuration file which defines a listener to allow remote access.');
  log.write('warning', 'For more details see https://mosquitto.org/documentation/authentication-methods/');
}

function writePid(path: string): void {
  try {
    writePidFile(path);
  } catch (error) {
    throw new StartError(`Error: Unable to write pid file ${path}: ${reasonOf(error)}.`, failureStatus);
  }
}

/** What the person who started the broker is told. Errors of our own making go on as they are. */
function startErrorOf(error: unknown): StartError {
  if (error instanceof StartError) return error;
  if (error instanceof ConfigurationError) return new StartError(`Error: ${error.message}`, configurationStatus);
  if (error instanceof AccessFileError) {
    const status = error.line === 0 ? unreadableAccessFileStatus : configurationStatus;
    return new StartError(`Error: ${error.message}`, status);
  }
  if (error instanceof StorageError) return new StartError(`Error: ${error.message}`, failureStatus);
  if (error instanceof PrivilegeError) return new StartError(`Error: ${error.message}`, failureStatus);
  throw error;
}

const listenErrors: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EACCES: 'Permission denied',
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
  ENOENT: 'No such file or directory',
  EAFNOSUPPORT: 'Address family not supported',
};

function describeListenError(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const where = error as { readonly address?: string; readonly port?: number; readonly hostname?: string };
  const address = where.address ?? where.hostname;
  const port = where.port === undefined || where.port < 0 ? undefined : `port ${where.port}`;
  const place = [address, port].filter((part) => part !== undefined).join(' ');
  const reason = listenErrors[code];
  if (reason === undefined) return `Error: ${message}`;
  return place === '' ? `Error: ${reason}` : `Error: ${reason} (${place})`;
}
