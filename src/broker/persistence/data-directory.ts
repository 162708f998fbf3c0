/**
 * The directory of a store:
 *
 *     format      a line of text: what this is, and the version of its layout; written once everything else is there
 *     data.mdb    the records; beside it data.mdb-lock, in which LMDB notes who reads
 *     lock        see directory-lock.ts
 */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StorageError } from '../../protocol/errors.ts';
import { DataFile, DataFileFault } from './data-file.ts';
import { dataFileName } from './lmdb-environment.ts';
import { unreadableRecord } from './record-codec.ts';

/** Of the layout as a whole; a store of a version that is not known is refused. */
export const formatVersion = 2;
/** Those that can be read: format 1 is the same without a journal. The broker makes the newest of them. */
const knownFormats: ReadonlySet<number> = new Set([1, formatVersion]);
const formatFileName = 'format';
/** LMDB's own. */
const readersFileName = `${dataFileName}-lock`;
const formatPattern = /^clearwing store, format (\d+)\n/;

/** What to do with a store that cannot be used; follows the reason. */
export const whatToDo =
  'Restore the directory from a copy, or move it away: the broker then starts without what it had kept.';

/** Makes the directory, which is the business of its user alone. @throws {StorageError} */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(dirname(directory), { recursive: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StorageError(`${directory} cannot be made: ${textOf(error)}.`, error);
  }
}

export const isKnownFormat = (version: number | undefined): boolean =>
  version !== undefined && knownFormats.has(version);

export interface DirectoryState {
  /** A store was completed there before. */
  readonly isComplete: boolean;
  /** It says that it has the format that this release makes. */
  readonly isCurrent: boolean;
  /** Its data file, opened; undefined if there is none. */
  readonly file: DataFile | undefined;
}

/**
 * Looks at what is in the directory.
 * @param isOverlapping whether LMDB will open the data file with overlapping sync
 * @param isReadOnly whether it will only be read; nothing in it is changed then
 * @throws {StorageError} if it is not one that can be opened
 */
export function examineDirectory(directory: string, isOverlapping: boolean, isReadOnly = false): DirectoryState {
  const version = readFormat(directory);
  if (!isReadOnly) checkReadersFile(directory);
  const path = join(directory, dataFileName);
  const size = sizeOf(path);
  if (version === undefined) {
    // A process may have ended between making the file and completing it; nobody was promised anything then.
    const isBegun = size !== undefined && size > 0;
    return {
      isComplete: false,
      isCurrent: false,
      file: isBegun ? openDataFile(path, isOverlapping, isReadOnly) : undefined,
    };
  }
  if (!isKnownFormat(version)) {
    throw new StorageError(
      `${directory} has a store of format ${version}; this release of Clearwing knows format ${formatVersion}. Use the release that wrote it, or another directory.`,
    );
  }
  if (size === undefined || size === 0) {
    throw new StorageError(
      `${path} is ${size === 0 ? 'empty' : 'missing'}, though the store was complete. ${whatToDo}`,
    );
  }
  const isCurrent = version === formatVersion;
  return { isComplete: true, isCurrent, file: openDataFile(path, isOverlapping, isReadOnly) };
}

/**
 * Checks that LMDB can open the file by which it knows its readers, or make it: if it cannot, the process would end without a word.
 * @throws {StorageError}
 */
function checkReadersFile(directory: string): void {
  const path = join(directory, readersFileName);
  try {
    if (sizeOf(path) === undefined) accessSync(directory, constants.W_OK);
    else closeSync(openSync(path, 'r+'));
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(`${path} cannot be opened for writing: ${textOf(error)}.`, error);
  }
}

function openDataFile(path: string, isOverlapping: boolean, isReadOnly: boolean): DataFile {
  try {
    return DataFile.open(path, isOverlapping, isReadOnly);
  } catch (error) {
    if (error instanceof DataFileFault) throw faultAsError(dirname(path), error);
    throw new StorageError(`${path} cannot be opened${isReadOnly ? '' : ' for writing'}: ${textOf(error)}.`, error);
  }
}

/** What is wrong with the data file in a directory, as whoever started the program is told; any other error as it is. */
export function faultAsError(directory: string, error: unknown): unknown {
  if (!(error instanceof DataFileFault)) return error;
  return new StorageError(`${join(directory, dataFileName)} ${error.message}. ${whatToDo}`, error);
}

/** The same of a record. @param what names it */
export function unusableRecord(directory: string, what: string, error: unknown): StorageError {
  return new StorageError(`${unreadableRecord(directory, what, error).message}. ${whatToDo}`, error);
}

/** Checks every page of the data file in a directory, for whoever then reads with LMDB. @throws {StorageError} */
export function checkPages(file: DataFile, directory: string): void {
  try {
    file.checkPages();
  } catch (error) {
    throw faultAsError(directory, error);
  }
}

/** Notes that the store is complete. @throws {StorageError} */
export function markComplete(directory: string): void {
  const path = join(directory, formatFileName);
  try {
    const file = openSync(path, 'w', 0o600);
    try {
      writeFileSync(file, `clearwing store, format ${formatVersion}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // The names must be on the disk as well, those of the directories just made included.
    syncDirectory(directory);
    syncDirectory(dirname(directory));
  } catch (error) {
    throw new StorageError(`${path} cannot be written: ${textOf(error)}.`, error);
  }
}

/** LMDB gives the system's numbers. */
const codeByNumber: Readonly<Record<number, string>> = {
  5: 'EIO',
  13: 'EACCES',
  27: 'EFBIG',
  28: 'ENOSPC',
  30: 'EROFS',
};

/** Bytes left below which a write that was cut short is taken for a full disk. */
const scarceBytes = 1024 * 1024;

/** Why a store could not be written. LMDB calls it an input/output error if the disk took only a part of what it was given. */
export function writeFailureText(directory: string, error: unknown): string {
  if (textOf(error) !== textOf({ code: 'EIO' })) return textOf(error);
  try {
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize < scarceBytes) return textOf({ code: 'ENOSPC' });
  } catch {
    // The error itself says enough.
  }
  return `${textOf(error)}, or takes no more`;
}

/** The system's words for an error, without the call that failed. */
export function textOf(error: unknown): string {
  const { code, message } = error as { readonly code?: string | number; readonly message?: string };
  switch (typeof code === 'number' ? (codeByNumber[code] ?? code) : code) {
    case 'ENOSPC':
      return 'no space left on the disk';
    case 'EDQUOT':
      return 'the disk quota is used up';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the file system is read-only';
    case 'EEXIST':
    case 'ENOTDIR':
      return 'a part of the path is no directory';
    case 'EFBIG':
      return 'the file would be larger than is allowed';
    case 'EIO':
      return 'the disk reports an error';
    default:
      return message ?? String(error);
  }
}

/** Has the disk know the directory's entries; where systems have that. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The version that the directory says it has; undefined if no store was completed there. @throws {StorageError} */
export function readFormat(directory: string): number | undefined {
  const path = join(directory, formatFileName);
  let text: string;
  try {
    text = readFileSync(path, 'latin1').slice(0, 100);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StorageError(`${path} cannot be read: ${textOf(error)}.`, error);
  }
  // It is made before it is written.
  if (text === '') return undefined;
  const version = formatPattern.exec(text)?.[1];
  if (version === undefined) {
    throw new StorageError(`${path} does not say that this is a store of Clearwing. ${whatToDo}`);
  }
  return Number(version);
}

function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StorageError(`${path} cannot be read: ${textOf(error)}.`, error);
  }
}
