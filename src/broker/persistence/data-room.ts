/**
 * Room in the data file ahead of what LMDB will write. A disk that is full is found out here, in words, before LMDB comes to its
 * end: there a write that fails may end the process, because lmdb 3.5 puts the text of that error into too small a buffer.
 */
import { type FileHandle, open } from 'node:fs/promises';

/** Pages kept ready beyond what a commit needs, so that what frees space finds room when nothing else does: this share, within bounds. */
const sparePart = 1 / 8;
const sparePagesMin = 64;
const sparePagesMax = 2048;
/** Zeros written at a time. */
const pieceBytes = 256 * 1024;

export class DataRoom {
  readonly #file: FileHandle;
  readonly pageSize: number;
  #size: number;
  /** Pages that may be taken before anybody has to look how far LMDB has come. */
  #unseen = 0;

  private constructor(file: FileHandle, pageSize: number, size: number) {
    this.#file = file;
    this.pageSize = pageSize;
    this.#size = size;
  }

  /** @param path of a data file that is there */
  static async open(path: string, pageSize: number): Promise<DataRoom> {
    const file = await open(path, 'r+');
    return new DataRoom(file, pageSize, (await file.stat()).size);
  }

  /** Whether there is room for a commit, as if none of those before had found free pages. */
  take(pages: number): boolean {
    this.#unseen -= pages;
    return this.#unseen >= 0;
  }

  /**
   * Makes room for a commit. Rejects with the system's error if there is none to be had; without the spare part it is content.
   * @param lastPage number of the last page that LMDB has used
   * @param pages that the commit may take, about
   */
  async make(lastPage: number, pages: number): Promise<void> {
    const needed = (lastPage + 1 + pages) * this.pageSize;
    const wanted = needed + spareOf(lastPage) * this.pageSize;
    // LMDB writes behind the room if it took more than was thought.
    if (this.#size < wanted) this.#size = Math.max(this.#size, (await this.#file.stat()).size);
    this.#unseen = 0;
    try {
      await this.#growTo(wanted);
    } catch (error) {
      if (this.#size < needed) throw error;
    }
    this.#unseen = Math.floor((this.#size - needed) / this.pageSize);
  }

  /** Gives back what was not used; LMDB is to have closed the file. */
  async close(lastPage: number): Promise<void> {
    try {
      const used = (lastPage + 1) * this.pageSize;
      if ((await this.#file.stat()).size > used) await this.#file.truncate(used);
    } finally {
      await this.#file.close();
    }
  }

  async #growTo(size: number): Promise<void> {
    const zeros = new Uint8Array(Math.min(pieceBytes, Math.max(0, size - this.#size)));
    while (this.#size < size) {
      const length = Math.min(zeros.length, size - this.#size);
      const { bytesWritten } = await this.#file.write(zeros, 0, length, this.#size);
      this.#size += bytesWritten;
    }
  }
}

function spareOf(lastPage: number): number {
  return Math.min(Math.max(Math.ceil(lastPage * sparePart), sparePagesMin), sparePagesMax);
}
