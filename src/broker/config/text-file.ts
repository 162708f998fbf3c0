/** Reading the files an operator writes: whole, but not without bound, and with an error that says what is wrong. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Configuration and ACL files have some kilobytes; this bounds what a wrong path such as /dev/zero can do. */
export const textFileBytesMax = 64 * 1024 * 1024;

/** A file cannot be read. The message is a whole sentence without the word error. */
export class TextFileError extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.name = 'TextFileError';
    this.path = path;
  }
}

/** A line without its end, with its number, which counts from 1. */
export interface TextLine {
  readonly number: number;
  readonly text: string;
  /** False if its bytes are no UTF-8; `text` then has replacement characters. */
  readonly isWellFormed: boolean;
}

/**
 * All lines of a file, which may end in LF or CR LF.
 * @param what names the kind of file in messages, e.g. `config file`
 * @throws {TextFileError} if the file cannot be opened or read, is a directory, or is larger than `bytesMax`
 */
export function readTextLines(path: string, what: string, bytesMax: number = textFileBytesMax): TextLine[] {
  const bytes = readBytes(path, what, bytesMax);
  const strict = new TextDecoder('utf-8', { fatal: true });
  const lenient = new TextDecoder('utf-8');
  const lines: TextLine[] = [];
  let start = 0;
  while (start < bytes.length) {
    const lineFeed = bytes.indexOf(0x0a, start);
    const next = lineFeed < 0 ? bytes.length : lineFeed + 1;
    let end = lineFeed < 0 ? bytes.length : lineFeed;
    while (end > start && bytes[end - 1] === 0x0d) end--;
    const line = bytes.subarray(start, end);
    let text: string;
    let isWellFormed = true;
    try {
      text = strict.decode(line);
    } catch {
      text = lenient.decode(line);
      isWellFormed = false;
    }
    lines.push({ number: lines.length + 1, text, isWellFormed });
    start = next;
  }
  return lines;
}

function readBytes(path: string, what: string, bytesMax: number): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new TextFileError(path, `Unable to open ${what} ${path}: ${reasonOf(error)}.`);
  }
  try {
    if (fstatSync(descriptor).isDirectory()) throw new TextFileError(path, `The ${what} ${path} is a directory.`);
    const chunks: Buffer[] = [];
    let total = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(64 * 1024);
      const count = readSync(descriptor, chunk, 0, chunk.length, null);
      if (count === 0) return Buffer.concat(chunks);
      total += count;
      if (total > bytesMax) throw new TextFileError(path, `The ${what} ${path} is larger than ${bytesMax} bytes.`);
      chunks.push(chunk.subarray(0, count));
    }
  } catch (error) {
    if (error instanceof TextFileError) throw error;
    throw new TextFileError(path, `Unable to read ${what} ${path}: ${reasonOf(error)}.`);
  } finally {
    closeSync(descriptor);
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'is a directory',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in the system',
  ENOSPC: 'no space left on device',
  EROFS: 'read-only file system',
  EIO: 'input/output error',
  ENXIO: 'no such device or address',
};

/** What a failed system call says in words. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return reasons[code ?? ''] ?? code ?? String(error);
}
