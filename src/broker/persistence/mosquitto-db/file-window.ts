/** Reads a file from front to back with few system calls, and pieces of it out of turn. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const windowBytes = 1024 * 1024;

export class FileWindow {
  readonly size: number;
  readonly #file: number;
  #window: Buffer = Buffer.alloc(0);
  /** Where in the file the window begins. */
  #start = 0;

  /** @throws the system's error */
  constructor(path: string) {
    this.#file = openSync(path, 'r');
    this.size = fstatSync(this.#file).size;
  }

  /**
   * The bytes at an offset, which must be within the file; they are good until the next call.
   * @throws {Error} if the file has become shorter
   */
  read(offset: number, length: number): Buffer {
    if (offset < this.#start || offset + length > this.#start + this.#window.length) {
      this.#window = this.readAlone(offset, Math.max(length, Math.min(windowBytes, this.size - offset)));
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  /** The same as bytes of their own, while the window stays where it is. */
  readAlone(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let filled = 0; filled < length; ) {
      const count = readSync(this.#file, bytes, filled, length - filled, offset + filled);
      if (count === 0) throw new Error(`the file has become shorter than ${offset + length} bytes while it was read`);
      filled += count;
    }
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }
}
