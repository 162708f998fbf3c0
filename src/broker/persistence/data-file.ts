/**
 * An LMDB data file as it lies on the disk, read without LMDB: every page is checked when it is come to, and a store is read from it
 * at start in a fraction of the time that LMDB takes to hand out record by record.
 *
 * What is read is the state of the commit that LMDB would open. LMDB may be open beside it, and may commit twice, before pages of that
 * state are written over.
 */
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { endianness } from 'node:os';
import { DataFileFault, databasesOf, latestOf, pickAsOverlapping, readMetas } from './meta-page.ts';
import { PageSource } from './page-source.ts';
import { type CursorOptions, RecordCursor } from './record-cursor.ts';

export { DataFileFault } from './meta-page.ts';

/** More than any store has. */
const fileBytesMax = 2 ** 45;

export class DataFile {
  /** The last commit may not be on the disk; LMDB knows what to do, if it is opened with overlapping sync. */
  readonly isUnflushed: boolean;
  readonly #file: number;
  readonly #pages: PageSource;
  /** Their descriptions, by name. */
  readonly #databases = new Map<string, Buffer>();
  readonly #begun = new Set<string>();
  #isOpen = true;

  private constructor(file: number, pages: PageSource, isUnflushed: boolean) {
    this.#file = file;
    this.#pages = pages;
    this.isUnflushed = isUnflushed;
  }

  /**
   * Opens a file and checks what LMDB itself reads as soon as it opens it or commits: the list of free pages and that of the databases. A
   * file that ends before its last pages is made longer, as those may be free, and reading a mapping beyond the end of its file would
   * end the process. To be read only, it stays as it is: nobody reads free pages then.
   * @param isOverlapping whether LMDB will be opened with overlapping sync
   * @throws {DataFileFault} or the system's error
   */
  static open(path: string, isOverlapping: boolean, isReadOnly = false): DataFile {
    if (endianness() === 'BE') throw new DataFileFault('cannot be read on a machine of this kind (big-endian)');
    const file = openSync(path, isReadOnly ? 'r' : 'r+');
    try {
      const metas = readMetas(file);
      const latest = latestOf(metas);
      const meta = isOverlapping || latest.isUnflushed ? pickAsOverlapping(file, metas) : latest;
      const wholeSize = (meta.lastPage + 1) * meta.pageSize;
      if (wholeSize > fileBytesMax) throw new DataFileFault('is damaged: it says that it is impossibly long');
      if (!isReadOnly && fstatSync(file).size < wholeSize) ftruncateSync(file, wholeSize);
      const opened = new DataFile(file, new PageSource(file, meta), latest.isUnflushed);
      const [free, main] = databasesOf(meta);
      new RecordCursor(opened.#pages, free).finish();
      opened.#readDatabases(new RecordCursor(opened.#pages, main, { hasDatabases: true }));
      return opened;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  #readDatabases(cursor: RecordCursor): void {
    while (cursor.next()) {
      if (!cursor.isDatabase) continue;
      // lmdb ends names as C does.
      const name = cursor.key.toString('latin1', cursor.keyStart, cursor.keyEnd).replace(/\0$/, '');
      this.#databases.set(name, Buffer.from(cursor.value.subarray(cursor.valueStart, cursor.valueEnd)));
    }
  }

  /** The records of a database; undefined if there is none of that name. Each can be gone through once. @throws {DataFileFault} */
  records(name: string, options?: CursorOptions): RecordCursor | undefined {
    const database = this.#databases.get(name);
    this.#begun.add(name);
    return database === undefined ? undefined : new RecordCursor(this.#pages, database, options);
  }

  /** Checks every page, but for those of databases whose records were asked for; for whoever then reads with LMDB. @throws {DataFileFault} */
  checkPages(): void {
    for (const [name, database] of this.#databases) {
      if (!this.#begun.has(name)) new RecordCursor(this.#pages, database, { wantedBytes: () => 0 }).finish();
    }
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#file);
  }
}
