/**
 * Goes through the records of one database of an LMDB data file, by key, and checks every page that it comes to: LMDB trusts what it
 * maps into memory, and ends the process where it is damaged.
 *
 *     branch page    header (24), offsets of its nodes (2 each), free space, nodes: page number (6), key size (2), key
 *     leaf page      the same with nodes: data size (4), flags (2), key size (2), key, data or where they are
 *     overflow page  header, then as many pages as the data take
 *
 * Offsets count from behind the header. A page without records would be a fault. [lmdb 0.9.90 as in the package, mdb.c]
 */
import { DataFileFault, databaseBytes, headerBytes } from './meta-page.ts';
import type { PageRun, PageSource } from './page-source.ts';
import type { RecordView } from './record-codec.ts';

const flagsAt = 18;
const lowerAt = 20;
const upperAt = 22;
const pageFlag = { branch: 1, leaf: 2, overflow: 4 } as const;
const nodeHeaderBytes = 8;
const nodeFlag = { bigData: 1, subDatabase: 2 } as const;
/** Where data of its own pages is described: page (8), transaction (8), how many pages (8). */
const bigDataBytes = 24;
const noPage = 0xffff_ffff_ffff_ffffn;
/** Trees are never deeper than LMDB's own limit. */
const depthMax = 32;
/** Pages between two that are wanted which are read along rather than read past. */
const gapMax = 4;

export interface CursorOptions {
  /** Whether records may be databases themselves, as in the main one. */
  readonly hasDatabases?: boolean;
  /**
   * Given the beginning of a value that has pages of its own: how many bytes of it are wanted. Only so much is then between
   * `valueStart` and `valueEnd`. Default: all.
   */
  readonly wantedBytes?: (value: Uint8Array, size: number) => number;
}

/** A page on the way from the root to the record. */
class Level {
  readonly run: PageRun;
  /** 1 for a leaf. */
  readonly depth: number;
  page = 0;
  /** Where the page begins in the run. */
  start = 0;
  upper = 0;
  count = 0;
  /** Of the node that is next. */
  index = 0;

  constructor(run: PageRun, depth: number) {
    this.run = run;
    this.depth = depth;
  }
}

/** Shows one record after the other. */
export class RecordCursor implements RecordView {
  key: Buffer = noBytes;
  keyStart = 0;
  keyEnd = 0;
  value: Buffer = noBytes;
  valueStart = 0;
  valueEnd = 0;
  /** Bytes of the value, also where only a part of it is there. */
  valueSize = 0;
  /** Whether the value describes a database. */
  isDatabase = false;
  /** How many records there are. */
  readonly entries: number;
  readonly #pages: PageSource;
  readonly #options: CursorOptions;
  /** From the root to the leaf. */
  readonly #levels: Level[] = [];
  /** The leaf, or undefined before the first record. */
  #leaf: Level | undefined = undefined;
  #found = 0;
  #isEnded: boolean;
  #overflow: Buffer = noBytes;
  readonly #root: number;

  /**
   * @param database its description
   * @throws {DataFileFault} if that is damaged
   */
  constructor(pages: PageSource, database: Buffer, options: CursorOptions = {}) {
    this.#pages = pages;
    this.#options = options;
    const root = database.readBigUInt64LE(40);
    this.entries = Number(database.readBigUInt64LE(32));
    this.#root = Number(root);
    this.#isEnded = root === noPage;
    if (this.#isEnded) {
      if (this.entries !== 0) throw new DataFileFault('is damaged: records without pages');
      return;
    }
    const depth = database.readUInt16LE(6);
    if (depth < 1 || depth > depthMax) throw new DataFileFault(`is damaged: a tree of depth ${depth}`);
    for (let left = depth; left > 0; left--) this.#levels.push(new Level(pages.newRun(), left));
  }

  /** Moves to the next record, whose bytes stay where they are until the one after. @throws {DataFileFault} */
  next(): boolean {
    const leaf = this.#leaf;
    if (leaf === undefined || leaf.index === leaf.count) {
      if (!this.#nextLeaf()) return false;
    }
    this.#take(this.#leaf as Level);
    return true;
  }

  /** Goes through what is left, for the checks alone. @throws {DataFileFault} */
  finish(): void {
    while (this.next());
  }

  #nextLeaf(): boolean {
    if (this.#isEnded) return false;
    const levels = this.#levels;
    let at: number;
    if (this.#leaf === undefined) {
      const top = levels[0] as Level;
      this.#pages.readRun(top.run, this.#root, 1);
      this.#enter(top, this.#root, 0);
      at = 0;
    } else {
      at = levels.length - 2;
      while (at >= 0 && (levels[at] as Level).index === (levels[at] as Level).count) at--;
      if (at < 0) {
        this.#isEnded = true;
        if (this.#found !== this.entries) {
          throw new DataFileFault(`is damaged: ${this.#found} records where ${this.entries} should be`);
        }
        return false;
      }
    }
    for (; at < levels.length - 1; at++) this.#descend(levels[at] as Level, levels[at + 1] as Level);
    this.#leaf = levels[levels.length - 1] as Level;
    this.#found += this.#leaf.count;
    return true;
  }

  /** To the child that is next, reading those after it along if they lie behind it. */
  #descend(from: Level, to: Level): void {
    const { run } = to;
    const child = this.#childOf(from, from.index);
    if (!(child >= run.first && child < run.first + run.count)) {
      let last = child;
      for (let index = from.index + 1; index < from.count; index++) {
        const next = this.#childOf(from, index);
        if (next <= last || next > last + gapMax || next - child >= this.#pages.runMax) break;
        last = next;
      }
      this.#pages.readRun(run, child, last - child + 1);
    }
    from.index++;
    this.#enter(to, child, (child - run.first) * this.#pages.pageSize);
  }

  #childOf(level: Level, index: number): number {
    const { bytes } = level.run;
    const at = this.#nodeAt(level, index);
    return bytes.readUInt16LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);
  }

  /** Where a node begins. @throws {DataFileFault} if it is not within its page */
  #nodeAt(level: Level, index: number): number {
    const { bytes } = level.run;
    const pointer = level.start + headerBytes + 2 * index;
    const offset = (bytes[pointer] as number) | ((bytes[pointer + 1] as number) << 8);
    if (offset < level.upper || offset + headerBytes + nodeHeaderBytes > this.#pages.pageSize) {
      this.#pages.fault(level.page);
    }
    return level.start + headerBytes + offset;
  }

  #enter(level: Level, page: number, start: number): void {
    this.#pages.meet(page);
    const { bytes } = level.run;
    const flags = bytes.readUInt16LE(start + flagsAt);
    const lower = bytes.readUInt16LE(start + lowerAt);
    const upper = bytes.readUInt16LE(start + upperAt);
    if (
      bytes.readUInt32LE(start) !== page % 0x1_0000_0000 ||
      bytes.readUInt32LE(start + 4) !== Math.floor(page / 0x1_0000_0000) ||
      flags !== (level.depth === 1 ? pageFlag.leaf : pageFlag.branch) ||
      lower === 0 ||
      (lower & 1) !== 0 ||
      lower > upper ||
      upper + headerBytes > this.#pages.pageSize
    ) {
      this.#pages.fault(page);
    }
    level.page = page;
    level.start = start;
    level.upper = upper;
    level.count = lower >> 1;
    level.index = 0;
  }

  #take(leaf: Level): void {
    const { bytes } = leaf.run;
    const at = this.#nodeAt(leaf, leaf.index++);
    const size =
      ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)) +
      (bytes[at + 3] as number) * 0x100_0000;
    const flags = (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);
    const keySize = (bytes[at + 6] as number) | ((bytes[at + 7] as number) << 8);
    const dataAt = at + nodeHeaderBytes + keySize;
    const pageEnd = leaf.start + this.#pages.pageSize;
    this.key = bytes;
    this.keyStart = at + nodeHeaderBytes;
    this.keyEnd = dataAt;
    this.valueSize = size;
    if (flags === nodeFlag.bigData) {
      if (dataAt + bigDataBytes > pageEnd) this.#pages.fault(leaf.page);
      this.#takeOverflow(Number(bytes.readBigUInt64LE(dataAt)), Number(bytes.readBigUInt64LE(dataAt + 16)), size);
      return;
    }
    if (dataAt + size > pageEnd) this.#pages.fault(leaf.page);
    this.isDatabase = flags === nodeFlag.subDatabase;
    if (flags !== 0 && !(this.isDatabase && this.#options.hasDatabases === true && size === databaseBytes)) {
      this.#pages.fault(leaf.page);
    }
    this.value = bytes;
    this.valueStart = dataAt;
    this.valueEnd = dataAt + size;
  }

  #takeOverflow(first: number, count: number, size: number): void {
    const pages = this.#pages;
    const { pageSize } = pages;
    if (count !== Math.floor((headerBytes - 1 + size) / pageSize) + 1) pages.fault(first);
    for (let offset = 0; offset < count; offset++) pages.meet(first + offset);
    if (this.#overflow.length < pageSize) this.#overflow = Buffer.allocUnsafeSlow(pageSize);
    pages.read(this.#overflow, Math.min(pageSize, headerBytes + size), first);
    const { wantedBytes } = this.#options;
    const header = this.#overflow;
    if (
      Number(header.readBigUInt64LE(0)) !== first ||
      header.readUInt16LE(flagsAt) !== pageFlag.overflow ||
      header.readUInt32LE(lowerAt) !== count
    ) {
      pages.fault(first);
    }
    const isThere = Math.min(size, pageSize - headerBytes);
    const wanted =
      wantedBytes === undefined
        ? size
        : Math.min(size, wantedBytes(header.subarray(headerBytes, headerBytes + isThere), size));
    if (wanted > isThere) {
      if (this.#overflow.length < headerBytes + wanted) this.#overflow = Buffer.allocUnsafeSlow(headerBytes + wanted);
      pages.read(this.#overflow, headerBytes + wanted, first);
    }
    this.isDatabase = false;
    this.value = this.#overflow;
    this.valueStart = headerBytes;
    this.valueEnd = headerBytes + Math.max(wanted, isThere);
  }
}

const noBytes = Buffer.alloc(0);
