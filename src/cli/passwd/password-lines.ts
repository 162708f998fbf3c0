/** Reading and writing a password file as a whole. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readTextLines, reasonOf } from '../../broker/config/text-file.ts';

/** A password file cannot be read or written. The message is a sentence without the word error. */
export class PasswordFileError extends Error {}

const fileBytesMax = 1024 * 1024 * 1024;
const newFileMode = 0o600;

/** @throws {PasswordFileError} */
export function readPasswordLines(path: string): string[] {
  try {
    // A directory can be opened, only not read; the classic program says it this way.
    if (statSync(path).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    const lines = readTextLines(path, 'password file', fileBytesMax);
    const bad = lines.find((line) => !line.isWellFormed);
    // It would be written back as something else.
    if (bad !== undefined) throw new PasswordFileError(`Corrupt password file at line ${bad.number}: not UTF-8.`);
    return lines.map((line) => line.text);
  } catch (error) {
    if (error instanceof PasswordFileError) throw error;
    const isSystems = typeof (error as NodeJS.ErrnoException).code === 'string';
    if (!isSystems) throw new PasswordFileError((error as Error).message);
    throw new PasswordFileError(`Unable to open password file ${path}. ${sentence(error)}`);
  }
}

/**
 * Replaces a password file in one step, so that a broker that reads it meanwhile finds the old one or the new one. Owner and mode
 * stay; a new file is for its owner alone. What is no regular file, such as /dev/stdout, is written to.
 * @throws {PasswordFileError}
 */
export function writePasswordLines(path: string, lines: readonly string[]): void {
  const text = lines.map((line) => `${line}\n`).join('');
  try {
    const target = existing(path);
    if (target !== undefined && !target.status.isFile()) writeFileSync(path, text);
    else replace(target?.path ?? path, text, target?.status);
  } catch (error) {
    throw new PasswordFileError(`Unable to open file ${path} for writing. ${sentence(error)}`);
  }
}

/** The file itself if the path is a link, so that the link stays one. */
function existing(path: string): { readonly path: string; readonly status: Stats } | undefined {
  try {
    const status = statSync(path);
    return { path: status.isFile() ? realpathSync(path) : path, status };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function replace(path: string, text: string, old: Stats | undefined): void {
  const temporaryPath = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  const descriptor = openSync(temporaryPath, 'wx', newFileMode);
  try {
    if (old !== undefined) {
      const isOthers = old.uid !== process.geteuid?.() || old.gid !== process.getegid?.();
      if (isOthers) keepOwner(descriptor, old);
      fchmodSync(descriptor, old.mode & 0o7777);
    }
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
    renameSync(temporaryPath, path);
  } catch (error) {
    rmSync(temporaryPath, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** Only root may give files away; another member of the file's group can still keep the group. */
function keepOwner(descriptor: number, old: Stats): void {
  try {
    fchownSync(descriptor, old.uid, old.gid);
  } catch {
    try {
      fchownSync(descriptor, process.geteuid?.() ?? old.uid, old.gid);
    } catch {
      // The file is then the caller's, as a file written anew would be.
    }
  }
}

function sentence(error: unknown): string {
  const reason = reasonOf(error);
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}
