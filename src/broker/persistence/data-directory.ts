/**
 * The directory of a store:
 *
 *     format      a line of text: what this is, and the version of its layout; written once everything else is there
 *     data.mdb    the records
 *     lock        see directory-lock.ts
 *
 * Before LMDB maps the file into memory it is looked at, because LMDB trusts what it maps.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StorageError } from '../../protocol/errors.ts';
import { dataFileName } from './lmdb-environment.ts';

/** Of the layout as a whole; a store of another version is refused. */
export const formatVersion = 1;
const formatFileName = 'format';
const formatPattern = /^clearwing store, format (\d+)\n/;

/** What to do with a store that cannot be used; follows the reason. */
export const whatToDo =
  'Restore the directory from a copy, or move it away: the broker then starts without what it had kept.';

/** Makes the directory. @throws {StorageError} */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StorageError(`${directory} cannot be made: ${textOf(error)}.`, error);
  }
}

/**
 * Looks at what is in the directory.
 * @returns whether a store was begun there before
 * @throws {StorageError} if it is not one that can be opened
 */
export function examineDirectory(directory: string): boolean {
  const version = readFormat(directory);
  const path = join(directory, dataFileName);
  const size = sizeOf(path);
  if (version === undefined) {
    // A process may have ended between making the file and completing it; nobody was promised anything then.
    if (size !== undefined && size > 0) examineDataFile(path, size);
    return false;
  }
  if (version !== formatVersion) {
    throw new StorageError(
      `${directory} has a store of format ${version}; this release of Clearwing knows format ${formatVersion}. Use the release that wrote it, or another directory.`,
    );
  }
  if (size === undefined || size === 0) {
    throw new StorageError(
      `${path} is ${size === 0 ? 'empty' : 'missing'}, though the store was complete. ${whatToDo}`,
    );
  }
  examineDataFile(path, size);
  return true;
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

/** The system's words for an error, without the call that failed. */
export function textOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOSPC':
      return 'no space left on the disk';
    case 'EDQUOT':
      return 'the disk quota is used up';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the file system is read-only';
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

function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function readFormat(directory: string): number | undefined {
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

/*
 * LMDB's meta pages, of which the first two pages of the file each begin with one. Little-endian where this runs:
 *
 *     page header   24   number (8), transaction (8), pad (2), flags (2), …
 *     magic          4   0xBEEFC0DE
 *     version        4
 *     address, size 16
 *     databases     96   two of 48; the first begins with the page size (4)
 *     last page      8
 *     transaction    8
 */
const headerBytes = 24;
const magic = 0xbeef_c0de;
/** More than any store has. */
const dataFileBytesMax = 2 ** 45;
const pageSizeAt = headerBytes + 24;
const lastPageAt = headerBytes + 24 + 96;
const metaBytes = lastPageAt + 16;

/** @throws {StorageError} if this is no LMDB file or ends before its pages do */
function examineDataFile(path: string, size: number): void {
  const refuse = (why: string): StorageError => new StorageError(`${path} ${why}. ${whatToDo}`);
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch (error) {
    throw new StorageError(`${path} cannot be opened for writing: ${textOf(error)}.`, error);
  }
  try {
    const first = readMeta(file, 0);
    if (first === undefined) throw refuse('is no data file of a store, or is damaged');
    const { pageSize } = first;
    if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) throw refuse('is damaged');
    const second = readMeta(file, pageSize);
    if (second === undefined) throw refuse('is damaged or cut off');
    const latest = second.transaction > first.transaction ? second : first;
    const wholeSize = (latest.lastPage + 1) * pageSize;
    if (wholeSize > dataFileBytesMax) throw refuse('is damaged');
    // The last pages may be missing while they are free. Made up with zeros they are either never read, or found to be damaged
    // instead of ending the process, as reading a mapping beyond the end of its file does.
    if (size < wholeSize) ftruncateSync(file, wholeSize);
  } catch (error) {
    throw error instanceof StorageError ? error : refuse(`cannot be read: ${textOf(error)}`);
  } finally {
    closeSync(file);
  }
}

function readMeta(
  file: number,
  offset: number,
): { readonly pageSize: number; readonly lastPage: number; readonly transaction: number } | undefined {
  const bytes = Buffer.alloc(metaBytes);
  if (readSync(file, bytes, 0, metaBytes, offset) < metaBytes) return undefined;
  if (bytes.readUInt32LE(headerBytes) !== magic) return undefined;
  return {
    pageSize: bytes.readUInt32LE(pageSizeAt),
    lastPage: Number(bytes.readBigUInt64LE(lastPageAt)),
    transaction: Number(bytes.readBigUInt64LE(lastPageAt + 8)),
  };
}
