/** Opens the directory of a store, or begins one there: locked, examined, and with the format that this release knows. */
import { StorageError } from '../../protocol/errors.ts';
import {
  checkPages,
  type DirectoryState,
  examineDirectory,
  formatVersion,
  isKnownFormat,
  makeDirectory,
  markComplete,
  textOf,
  whatToDo,
  writeFailureText,
} from './data-directory.ts';
import type { DataFile } from './data-file.ts';
import { DirectoryLock } from './directory-lock.ts';
import { readJournal } from './journal-replay.ts';
import type { EncodedBatch } from './lmdb-batch.ts';
import type { Durability } from './lmdb-commits.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { LmdbStore, type LmdbStoreOptions } from './lmdb-store.ts';

export type { Durability } from './lmdb-commits.ts';
export type { LmdbStore, LmdbStoreOptions } from './lmdb-store.ts';

/** Key of the one record of `meta`. */
const formatKey = Uint8Array.of(0);

/**
 * Opens the store in a directory, or begins one there. What it holds is checked when it is loaded.
 * @throws {StorageError} that says what is wrong with the directory and what can be done
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  const { directory, durability = 'strict' } = options;
  makeDirectory(directory);
  const lock = await lockOf(directory);
  let environment: LmdbEnvironment | undefined;
  let file: DataFile | undefined;
  try {
    const isOverlapping = durability === 'none';
    const examined = examineDirectory(directory, isOverlapping);
    let { isComplete, isCurrent } = examined;
    file = examined.file;
    if (!isOverlapping && file?.isUnflushed === true) {
      // Its last process did not wait for the disk, and LMDB finds back to what was whole only in the way it was used last.
      environment = await openEnvironment(directory, 'none');
      await settleFormat(environment, directory, { isComplete, isCurrent });
      isComplete = true;
      isCurrent = true;
      await writeFormat(environment, directory);
      await environment.close();
    }
    const replay = file === undefined ? undefined : readJournal(file, directory);
    if (replay !== undefined) {
      // LMDB trusts the pages that it comes to.
      checkPages(file as DataFile, directory);
      environment = await openEnvironment(directory, 'strict');
      await settleFormat(environment, directory, { isComplete, isCurrent });
      isCurrent = true;
      await writeAll(environment, directory, replay.toBatch());
      await environment.close();
      file?.close();
      file = examineDirectory(directory, isOverlapping).file;
    }
    environment = await openEnvironment(directory, durability);
    await settleFormat(environment, directory, { isComplete, isCurrent });
    return new LmdbStore(options, { lock, environment, file });
  } catch (error) {
    file?.close();
    await environment?.close();
    await lock.release();
    throw error;
  }
}

async function lockOf(directory: string): Promise<DirectoryLock> {
  try {
    return await DirectoryLock.take(directory);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(`${directory} cannot be locked: ${textOf(error)}.`, error);
  }
}

async function openEnvironment(directory: string, durability: Durability): Promise<LmdbEnvironment> {
  try {
    return await LmdbEnvironment.open(directory, durability);
  } catch (error) {
    throw new StorageError(`${directory}: the store cannot be opened: ${textOf(error)}. ${whatToDo}`, error);
  }
}

/** The data file says itself what it is, too, so that it cannot be mixed up with that of another directory. */
async function settleFormat(
  environment: LmdbEnvironment,
  directory: string,
  { isComplete, isCurrent }: Pick<DirectoryState, 'isComplete' | 'isCurrent'>,
): Promise<void> {
  const found = environment.get('meta', formatKey)?.[0];
  if (found !== undefined && !isKnownFormat(found)) {
    throw new StorageError(
      `${directory}: the data file has format ${found}; this release of Clearwing knows format ${formatVersion}.`,
    );
  }
  if (isComplete && found === undefined) {
    throw new StorageError(`${directory}: the data file is not the one of this store. ${whatToDo}`);
  }
  if (isComplete && isCurrent) return;
  await writeFormat(environment, directory);
  markComplete(directory);
}

/** Commits the format, and waits until it and all that was committed before is on the disk. */
function writeFormat(environment: LmdbEnvironment, directory: string): Promise<void> {
  const value = Uint8Array.of(formatVersion);
  return writeAll(environment, directory, { databases: ['meta'], keys: [formatKey], values: [value] });
}

async function writeAll(environment: LmdbEnvironment, directory: string, batch: EncodedBatch): Promise<void> {
  try {
    await environment.write(batch);
    await environment.sync();
  } catch (error) {
    throw new StorageError(`${directory}: the store cannot be written: ${writeFailureText(directory, error)}.`, error);
  }
}
