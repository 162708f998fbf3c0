/** The pages of an LMDB data file, read in runs: neighbours in a tree mostly are neighbours in the file. */
import { readSync } from 'node:fs';
import { DataFileFault, type Meta } from './meta-page.ts';

/** Pages in one run, about. */
const runBytes = 256 * 1024;

/** A stretch of the file in memory. */
export interface PageRun {
  readonly bytes: Buffer;
  /** Number of the page that it begins with. */
  first: number;
  /** How many pages of it are there. */
  count: number;
}

export class PageSource {
  readonly pageSize: number;
  readonly #file: number;
  readonly #lastPage: number;
  /** A bit for each page that was met: none may stand in two places. */
  readonly #met: Uint8Array;

  constructor(file: number, { pageSize, lastPage }: Meta) {
    this.#file = file;
    this.pageSize = pageSize;
    this.#lastPage = lastPage;
    this.#met = new Uint8Array((lastPage >> 3) + 1);
  }

  /** Pages that a run may have. */
  get runMax(): number {
    return Math.max(1, Math.floor(runBytes / this.pageSize));
  }

  newRun(): PageRun {
    return { bytes: Buffer.allocUnsafeSlow(this.runMax * this.pageSize), first: 0, count: 0 };
  }

  /** Reads `count` pages into a run that is to have them. @throws {DataFileFault} if the file ends before */
  readRun(run: PageRun, first: number, count: number): void {
    run.count = 0;
    if (!(first >= 2 && first + count - 1 <= this.#lastPage)) this.fault(first);
    this.read(run.bytes, count * this.pageSize, first);
    run.first = first;
    run.count = count;
  }

  /** Reads bytes from the beginning of a page on. @throws {DataFileFault} if the file ends before */
  read(into: Buffer, bytes: number, page: number): void {
    let done = 0;
    while (done < bytes) {
      const read = readSync(this.#file, into, done, bytes - done, page * this.pageSize + done);
      if (read === 0) this.fault(page);
      done += read;
    }
  }

  /** Notes that a page is in use. @throws {DataFileFault} if there is no such page, or it is in use already */
  meet(page: number): void {
    if (!(page >= 2 && page <= this.#lastPage)) this.fault(page);
    const bit = 1 << (page & 7);
    const met = this.#met[page >> 3] as number;
    if ((met & bit) !== 0) throw new DataFileFault(`is damaged: page ${page} stands in two places`);
    this.#met[page >> 3] = met | bit;
  }

  fault(page: number): never {
    throw new DataFileFault(`is damaged or cut off at page ${page}`);
  }
}
