/** The data file of a store, opened to be read only: nothing in it changes, and nobody writes to it meanwhile. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { StorageError } from '../../../protocol/errors.ts';
import {
  checkPages,
  examineDirectory,
  formatVersion,
  isKnownFormat,
  readFormat,
  textOf,
  whatToDo,
} from '../data-directory.ts';
import { DirectoryInUseError, DirectoryLock } from '../directory-lock.ts';
import { isJournaled, type JournalReplay, readJournal, withChanges } from '../journal-replay.ts';
import { type DatabaseName, databaseNames, dataFileName, type Entry } from '../lmdb-environment.ts';
import { processOfStore } from './store-user.ts';

/** The store cannot be looked at, which says nothing about its state: it is not there, of another version, or in use. */
export class StoreUnavailableError extends StorageError {}

export interface StoreFacts {
  readonly directory: string;
  readonly formatVersion: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Milliseconds since the epoch. */
  readonly writtenAt: number;
  readonly fileBytes: number;
  /** Of them: pages that hold nothing now. */
  readonly freeBytes: number;
}

type Records = Database<Uint8Array, Uint8Array>;

/** What LMDB says of a tree. */
interface TreeStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  readonly entryCount: number;
}

interface RootStats extends TreeStats {
  readonly root: TreeStats;
  readonly free: TreeStats;
}

export class StoreFile {
  readonly facts: StoreFacts;
  /** Undefined if somebody else will let go of it. */
  readonly #lock: DirectoryLock | undefined;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #databases: ReadonlyMap<DatabaseName, Records>;
  /** What the next start of the broker will carry out; here it is as if that had been. */
  readonly #journal: JournalReplay | undefined;

  private constructor(
    directory: string,
    lock: DirectoryLock | undefined,
    root: RootDatabase<Uint8Array, Uint8Array>,
    journal: JournalReplay | undefined,
  ) {
    this.#lock = lock;
    this.#root = root;
    this.#journal = journal;
    this.#databases = openDatabases(root);
    const version = this.get('meta', Uint8Array.of(0))?.[0];
    if (version === undefined || !isKnownFormat(version)) {
      throw new StorageError(`${directory}: the data file is not the one of this store. ${whatToDo}`);
    }
    const data = statSync(join(directory, dataFileName));
    this.facts = {
      directory,
      formatVersion: version,
      createdAt: statSync(join(directory, 'format')).mtimeMs,
      writtenAt: data.mtimeMs,
      fileBytes: data.size,
      freeBytes: Math.max(0, data.size - this.#usedBytes()),
    };
  }

  /**
   * Takes the lock of the directory, goes through the pages of the file, and opens it.
   * @param isLocked whether the caller has the lock, and keeps it
   * @throws {StoreUnavailableError} or, if it is damaged, {StorageError}
   */
  static async open(directory: string, isLocked = false): Promise<StoreFile> {
    expectStore(directory);
    const lock = isLocked ? undefined : await takeLock(directory);
    let root: RootDatabase<Uint8Array, Uint8Array> | undefined;
    try {
      const { isUnflushed, journal } = examine(directory);
      root = await openReadOnly(directory, isUnflushed);
      return new StoreFile(directory, lock, root, journal);
    } catch (error) {
      await root?.close();
      await lock?.release();
      throw error;
    }
  }

  /** A copy of what stands under a key. */
  get(name: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    const change = isJournaled(name) ? this.#journal?.changeOf(name, key) : undefined;
    return change === undefined ? this.#tabled(name, key) : change.value;
  }

  /** All records of a database, by key. */
  *entries(name: DatabaseName): IterableIterator<Entry> {
    const database = this.#databases.get(name);
    const entries = database === undefined ? [] : (database.getRange({}) as Iterable<Entry>);
    if (this.#journal !== undefined && isJournaled(name)) yield* withChanges(entries, this.#journal.changes(name));
    else yield* entries;
  }

  count(name: DatabaseName): number {
    const database = this.#databases.get(name);
    let count = database === undefined ? 0 : (database.getStats() as TreeStats).entryCount;
    if (this.#journal === undefined || !isJournaled(name)) return count;
    for (const { key, value } of this.#journal.changes(name)) {
      const isThere = this.#tabled(name, key) !== undefined;
      if (isThere !== (value !== undefined)) count += isThere ? -1 : 1;
    }
    return count;
  }

  #tabled(name: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    return this.#databases.get(name)?.getBinary(key);
  }

  async close(): Promise<void> {
    await this.#root.close();
    await this.#lock?.release();
  }

  #usedBytes(): number {
    const stats = this.#root.getStats() as RootStats;
    const trees = [stats.root, stats.free];
    for (const database of this.#databases.values()) trees.push(database.getStats() as TreeStats);
    const pages = trees.reduce(
      (sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages,
      metaPages,
    );
    return pages * stats.pageSize;
  }
}

const metaPages = 2;

function openDatabases(root: RootDatabase<Uint8Array, Uint8Array>): ReadonlyMap<DatabaseName, Records> {
  const databases = new Map<DatabaseName, Records>();
  for (const name of databaseNames) {
    // Read only, one that is not there is not made.
    const database = root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' }) as Records | undefined;
    if (database !== undefined) databases.set(name, database);
  }
  return databases;
}

/** What is to be known of a data file before LMDB opens it. */
interface Examined {
  /** Its last commit may not be on the disk. */
  readonly isUnflushed: boolean;
  /** Undefined if the last process left none. */
  readonly journal: JournalReplay | undefined;
}

/** Goes through the pages of the data file. @throws {StorageError} */
function examine(directory: string): Examined {
  const { file } = examineDirectory(directory, false, true);
  if (file === undefined) return { isUnflushed: false, journal: undefined };
  try {
    const journal = readJournal(file, directory);
    checkPages(file, directory);
    return { isUnflushed: file.isUnflushed, journal };
  } finally {
    file.close();
  }
}

async function openReadOnly(directory: string, isUnflushed: boolean): Promise<RootDatabase<Uint8Array, Uint8Array>> {
  const { open } = await import('lmdb');
  try {
    return open<Uint8Array, Uint8Array>({
      path: join(directory, dataFileName),
      noSubdir: true,
      readOnly: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: databaseNames.length,
      // So that it finds back to the state that was whole, as the broker would.
      overlappingSync: isUnflushed,
    });
  } catch (error) {
    throw new StorageError(`${directory}: the store cannot be opened: ${textOf(error)}. ${whatToDo}`, error);
  }
}

function expectStore(directory: string): void {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(directory).isDirectory();
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new StoreUnavailableError(
      isMissing
        ? `There is no store in ${directory}: it does not exist`
        : `${directory} cannot be read: ${textOf(error)}`,
      error,
    );
  }
  if (!isDirectory) throw new StoreUnavailableError(`${directory} is a file; a store is a directory`);
  const version = readFormat(directory);
  if (version === undefined)
    throw new StoreUnavailableError(`There is no store in ${directory}: it has no file 'format'`);
  if (!isKnownFormat(version)) {
    throw new StoreUnavailableError(
      `${directory} has a store of format ${version}; this release of Clearwing knows format ${formatVersion}`,
    );
  }
}

/** @throws {StoreUnavailableError} that says who has it */
export async function takeLock(directory: string): Promise<DirectoryLock> {
  try {
    return await DirectoryLock.take(directory);
  } catch (error) {
    if (!(error instanceof DirectoryInUseError)) {
      if (error instanceof StorageError) throw new StoreUnavailableError(error.message, error);
      throw new StoreUnavailableError(`${directory} cannot be locked: ${textOf(error)}`, error);
    }
    const pid = processOfStore(directory);
    const who = pid === undefined ? 'a broker' : `process ${pid}`;
    throw new StoreUnavailableError(`${directory} is in use by ${who}. Stop it first`, error);
  }
}
