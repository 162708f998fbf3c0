/**
 * Makes a store from items, all of it or nothing: it is built in a directory of its own inside the store's, and takes the place of the old
 * data file in one step once it is whole and on the disk.
 *
 *     lock ─▶ import/data.mdb (new, or a copy to add to) ─▶ items ─▶ synced, closed ─▶ renamed to data.mdb
 */
import {
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../base/clock.ts';
import { StorageError } from '../../../protocol/errors.ts';
import { silentLog } from '../../log.ts';
import {
  formatVersion,
  makeDirectory,
  markComplete,
  readFormat,
  syncDirectory,
  textOf,
  writeFailureText,
} from '../data-directory.ts';
import type { DirectoryLock } from '../directory-lock.ts';
import { StoreFile, StoreUnavailableError, takeLock } from '../inspection/store-file.ts';
import { openLmdbStore } from '../lmdb.ts';
import { dataFileName } from '../lmdb-environment.ts';
import type { RecordCounts, Store } from '../store.ts';

/** What to do with what a store holds already. */
export type ExistingData = 'refuse' | 'merge' | 'replace';

const workName = 'import';
const formatName = 'format';
/** What a store's directory has in it. */
const ownNames: ReadonlySet<string> = new Set([dataFileName, `${dataFileName}-lock`, formatName, 'lock', workName]);

/** The store has something in it, and nobody said what to do with that. */
export class StoreNotEmptyError extends StorageError {
  readonly counts: RecordCounts | undefined;

  constructor(message: string, counts?: RecordCounts) {
    super(message);
    this.counts = counts;
  }
}

/**
 * @param fill puts into the store what is to be in it; `failure` rejects when that cannot be any more
 * @param signal gives up: what was there stays
 * @throws {StorageError} and nothing has changed
 */
export async function buildStore(
  directory: string,
  existing: ExistingData,
  signal: AbortSignal,
  fill: (store: Store, failure: Promise<never>) => Promise<void>,
): Promise<void> {
  const isNew = !existsSync(directory);
  const isParentNew = !existsSync(dirname(directory));
  makeDirectory(directory);
  const owner = statSync(isNew ? dirname(directory) : directory);
  let lock: DirectoryLock | undefined;
  let isDone = false;
  const work = join(directory, workName);
  try {
    lock = await takeLock(directory);
    const isKept = await settleExisting(directory, existing);
    // What an import left that was killed.
    rmSync(work, { recursive: true, force: true });
    makeWork(work);
    if (isKept) copyStore(directory, work);
    await fillStore(work, signal, fill);
    putInPlace(directory, work);
    isDone = true;
  } finally {
    if (lock !== undefined) rmSync(work, { recursive: true, force: true });
    await lock?.release();
    if (isNew && !isDone) removeEmpty(directory);
    if (isParentNew && !isDone) removeEmpty(dirname(directory));
  }
  if (process.getuid?.() === 0) giveTo(directory, owner.uid, owner.gid);
}

/** Whether what the store holds stays. @throws {StorageError} if it is not to be touched */
async function settleExisting(directory: string, existing: ExistingData): Promise<boolean> {
  const strangers = readdirSync(directory).filter((name) => !ownNames.has(name));
  if (strangers.length > 0) {
    throw new StoreUnavailableError(
      `${directory} has other files in it (${strangers.slice(0, 3).join(', ')}${strangers.length > 3 ? ' …' : ''}); a store has a directory of its own`,
    );
  }
  if (existing === 'replace') return false;
  if (readFormat(directory) === undefined) {
    if (!existsSync(join(directory, dataFileName))) return false;
    throw new StoreNotEmptyError(`${directory} has a data file that no store completed`);
  }
  const file = await StoreFile.open(directory, true);
  try {
    const counts: RecordCounts = {
      messages: file.count('messages'),
      sessions: file.count('sessions'),
      subscriptions: file.count('subscriptions'),
      deliveries: file.count('deliveries'),
      inbound: file.count('inbound'),
      retained: file.count('retained'),
    };
    const isEmpty = Object.values(counts).every((count) => count === 0);
    if (!isEmpty && existing === 'refuse') throw new StoreNotEmptyError(`${directory} holds a store already`, counts);
    return !isEmpty;
  } finally {
    await file.close();
  }
}

function makeWork(work: string): void {
  try {
    mkdirSync(work, { mode: 0o700 });
  } catch (error) {
    throw new StorageError(`${dirname(work)} cannot be written: ${textOf(error)}`, error);
  }
}

function copyStore(directory: string, work: string): void {
  try {
    for (const name of [dataFileName, formatName]) {
      // Where the file system can, the copy shares what does not change.
      copyFileSync(join(directory, name), join(work, name), constants.COPYFILE_FICLONE);
    }
  } catch (error) {
    throw new StorageError(`${directory} cannot be copied: ${writeFailureText(work, error)}`, error);
  }
}

async function fillStore(
  work: string,
  signal: AbortSignal,
  fill: (store: Store, failure: Promise<never>) => Promise<void>,
): Promise<void> {
  let fail: (error: Error) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failure.catch(() => {});
  const giveUp = () => fail(new StorageError('interrupted; nothing has changed'));
  signal.addEventListener('abort', giveUp);
  if (signal.aborted) giveUp();
  const store = await openLmdbStore({
    directory: work,
    clock: systemClock,
    log: silentLog,
    onTrouble: (trouble) => {
      if (trouble !== undefined) fail(new StorageError(trouble));
    },
    // A disk that takes its time is no reason to give up.
    commitPatienceMs: Number.POSITIVE_INFINITY,
    payloadCacheBytes: 1024 * 1024,
  });
  try {
    await fill(store, failure);
  } catch (error) {
    // Its own last words are of no use.
    await store.close().catch(() => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
  await store.close();
}

/** From here on it is the new one. */
function putInPlace(directory: string, work: string): void {
  try {
    renameSync(join(work, dataFileName), join(directory, dataFileName));
    // It tells of readers of the old file.
    rmSync(join(directory, `${dataFileName}-lock`), { force: true });
    if (knownFormat(directory) === formatVersion) syncDirectory(directory);
    else markComplete(directory);
  } catch (error) {
    throw new StorageError(`${directory} cannot be written: ${textOf(error)}`, error);
  }
}

function knownFormat(directory: string): number | undefined {
  try {
    return readFormat(directory);
  } catch {
    return undefined;
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Something is in it.
  }
}

/** Root makes the store for the user whose directory it is in. */
function giveTo(directory: string, userId: number, groupId: number): void {
  for (const path of [directory, ...readdirSync(directory).map((name) => join(directory, name))]) {
    chownSync(path, userId, groupId);
  }
}
