/**
 * Looks at an LMDB data file before LMDB maps it into memory. LMDB trusts what it maps: a page that is damaged or missing ends the process,
 * and a broker that is started again would end the same way for ever. So the pages of its trees are gone through first, as LMDB would.
 *
 *     page 0, 1      a meta page each: where the trees of the last two commits begin; with overlapping sync a third in the middle of page 0
 *     branch page    header (24), offsets of its nodes (2 each), free space, nodes: page number (6), key size (2), key
 *     leaf page      the same with nodes: data size (4), flags (2), key size (2), key, data or where they are
 *     overflow page  header, then as many pages as the data take
 *
 * Numbers are in the order of the machine; offsets count from behind the header. [lmdb 0.9.90 as in the package, mdb.c]
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

const headerBytes = 24;
const flagsAt = 18;
const lowerAt = 20;
const upperAt = 22;
const pageFlag = { branch: 1, leaf: 2, overflow: 4, meta: 8 } as const;
const nodeHeaderBytes = 8;
const nodeFlag = { bigData: 1, subDatabase: 2 } as const;
/** Where data of its own pages is described: page (8), transaction (8), how many pages (8). */
const bigDataBytes = 24;

const magic = 0xbeef_c0de;
const databaseBytes = 48;
/** In a meta page, from its beginning. */
const firstDatabaseAt = headerBytes + 24;
const lastPageAt = firstDatabaseAt + 2 * databaseBytes;
const transactionAt = lastPageAt + 8;
const bootAt = transactionAt + 8;
const metaBytes = bootAt + 8;
/** Flag of the first database in the meta page of a commit that nobody waited for. */
const unflushedFlag = 0x1000;
const noPage = 0xffff_ffff_ffff_ffffn;
/** More than any store has. */
const fileBytesMax = 2 ** 45;
/** Trees are never deeper than LMDB's own limit. */
const depthMax = 32;

/** What is wrong with the file, as the end of a sentence that begins with its path. */
export class DataFileFault extends Error {}

interface Meta {
  readonly bytes: Buffer;
  readonly pageSize: number;
  readonly isUnflushed: boolean;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly boot: bigint;
}

export interface DataFileState {
  /** The last commit may not be on the disk; LMDB knows what to do, if it is opened with overlapping sync. */
  readonly isUnflushed: boolean;
}

/**
 * Goes through the file. A file that ends before its last pages is made longer, as those may be free, and reading a mapping beyond the end
 * of its file would end the process. To be read only, it stays as it is: nobody reads free pages then.
 * @param isOverlapping whether LMDB will be opened with overlapping sync
 * @throws {DataFileFault} or the system's error
 */
export function examineDataFile(path: string, isOverlapping: boolean, isReadOnly = false): DataFileState {
  const file = openSync(path, isReadOnly ? 'r' : 'r+');
  try {
    if (endianness() === 'BE') return { isUnflushed: false };
    const metas = readMetas(file);
    const latest = metas[0].transaction >= metas[1].transaction ? metas[0] : metas[1];
    const meta = isOverlapping || latest.isUnflushed ? pickAsOverlapping(file, metas) : latest;
    const wholeSize = (meta.lastPage + 1) * meta.pageSize;
    if (wholeSize > fileBytesMax) throw new DataFileFault('is damaged: it says that it is impossibly long');
    if (!isReadOnly && fstatSync(file).size < wholeSize) ftruncateSync(file, wholeSize);
    new PageWalk(file, meta).walk();
    return { isUnflushed: latest.isUnflushed };
  } finally {
    closeSync(file);
  }
}

function readMetas(file: number): readonly [Meta, Meta] {
  const first = readMeta(file, 0);
  if (first === undefined) throw new DataFileFault('is no data file of a store, or is damaged');
  const { pageSize } = first;
  if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) {
    throw new DataFileFault(`is damaged: pages of ${pageSize} bytes`);
  }
  const second = readMeta(file, pageSize);
  if (second === undefined) throw new DataFileFault('is cut off or damaged: it has no second meta page');
  return [first, second];
}

function readMeta(file: number, offset: number, needsMagic = true): Meta | undefined {
  const bytes = Buffer.alloc(metaBytes);
  if (readSync(file, bytes, 0, metaBytes, offset) < metaBytes) return undefined;
  if (needsMagic && bytes.readUInt32LE(headerBytes) !== magic) return undefined;
  return {
    bytes,
    pageSize: bytes.readUInt32LE(firstDatabaseAt),
    isUnflushed: (bytes.readUInt16LE(firstDatabaseAt + 4) & unflushedFlag) !== 0,
    lastPage: Number(bytes.readBigUInt64LE(lastPageAt)),
    transaction: bytes.readBigUInt64LE(transactionAt),
    boot: bytes.readBigInt64LE(bootAt),
  };
}

/** The commit that LMDB goes back to with overlapping sync: the last, if this system has not been started since, or the last that was flushed. */
function pickAsOverlapping(file: number, [first, second]: readonly [Meta, Meta]): Meta {
  const flushed = readMeta(file, first.pageSize >> 1, false);
  const boot = bootOfSystem();
  let picked = first;
  for (const other of flushed === undefined ? [second] : [flushed, second]) {
    if (other.transaction === 0n) continue;
    const [latest, oldest] = picked.transaction >= other.transaction ? [picked, other] : [other, picked];
    const isSafe = (latest.boot !== 0n && latest.boot === boot) || !latest.isUnflushed;
    picked = isSafe ? latest : oldest;
  }
  return { ...picked, pageSize: first.pageSize };
}

/** What LMDB tells one start of the system from another by; 0 where there is nothing. */
function bootOfSystem(): bigint {
  try {
    const text = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    return BigInt(`0x${/^[0-9a-f]+/.exec(text)?.[0] ?? '0'}`);
  } catch {
    return 0n;
  }
}

class PageWalk {
  readonly #file: number;
  readonly #meta: Meta;
  readonly #pageSize: number;
  /** A bit for each page that was met. */
  readonly #met: Uint8Array;

  constructor(file: number, meta: Meta) {
    this.#file = file;
    this.#meta = meta;
    this.#pageSize = meta.pageSize;
    this.#met = new Uint8Array((meta.lastPage >> 3) + 1);
  }

  /** @throws {DataFileFault} */
  walk(): void {
    for (const index of [0, 1]) {
      const at = firstDatabaseAt + index * databaseBytes;
      this.#walkDatabase(this.#meta.bytes.subarray(at, at + databaseBytes), index === 1);
    }
  }

  /** @param hasOthers whether its records may describe databases themselves */
  #walkDatabase(record: Buffer, hasOthers: boolean): void {
    const root = record.readBigUInt64LE(40);
    const entries = Number(record.readBigUInt64LE(32));
    if (root === noPage) {
      if (entries !== 0) throw new DataFileFault('is damaged: records without pages');
      return;
    }
    const depth = record.readUInt16LE(6);
    if (depth < 1 || depth > depthMax) throw new DataFileFault(`is damaged: a tree of depth ${depth}`);
    const found = this.#walkTree(Number(root), depth, hasOthers);
    if (found !== entries) throw new DataFileFault(`is damaged: ${found} records where ${entries} should be`);
  }

  /** Returns how many records are below the page. */
  #walkTree(number: number, depth: number, hasOthers: boolean): number {
    const page = this.#read(number);
    const flags = page.readUInt16LE(flagsAt);
    if (flags !== (depth === 1 ? pageFlag.leaf : pageFlag.branch)) this.#fault(number);
    const lower = page.readUInt16LE(lowerAt);
    const upper = page.readUInt16LE(upperAt);
    const count = lower >> 1;
    if (count === 0 || (lower & 1) !== 0 || lower > upper || upper + headerBytes > this.#pageSize) this.#fault(number);
    let records = depth === 1 ? count : 0;
    for (let index = 0; index < count; index++) {
      const at = page.readUInt16LE(headerBytes + index * 2) + headerBytes;
      if (at < upper + headerBytes || at + nodeHeaderBytes > this.#pageSize) this.#fault(number);
      const keySize = page.readUInt16LE(at + 6);
      const dataAt = at + nodeHeaderBytes + keySize;
      if (dataAt > this.#pageSize) this.#fault(number);
      if (depth > 1) records += this.#walkTree(page.readUIntLE(at, 6), depth - 1, hasOthers);
      else this.#checkRecord(number, page, at, dataAt, hasOthers);
    }
    return records;
  }

  #checkRecord(number: number, page: Buffer, at: number, dataAt: number, hasOthers: boolean): void {
    const size = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    if (flags === nodeFlag.bigData) {
      if (dataAt + bigDataBytes > this.#pageSize) this.#fault(number);
      this.#checkOverflow(Number(page.readBigUInt64LE(dataAt)), Number(page.readBigUInt64LE(dataAt + 16)), size);
      return;
    }
    if (dataAt + size > this.#pageSize) this.#fault(number);
    if (flags === nodeFlag.subDatabase && hasOthers && size === databaseBytes) {
      this.#walkDatabase(page.subarray(dataAt, dataAt + databaseBytes), false);
    } else if (flags !== 0) {
      this.#fault(number);
    }
  }

  #checkOverflow(number: number, pages: number, size: number): void {
    if (pages !== Math.floor((headerBytes - 1 + size) / this.#pageSize) + 1) this.#fault(number);
    const first = this.#read(number, headerBytes);
    if (first.readUInt16LE(flagsAt) !== pageFlag.overflow || first.readUInt32LE(lowerAt) !== pages) this.#fault(number);
    for (let offset = 1; offset < pages; offset++) this.#meet(number + offset);
  }

  /** A page, or the first bytes of it. */
  #read(number: number, bytes = this.#pageSize): Buffer {
    this.#meet(number);
    const page = Buffer.allocUnsafe(bytes);
    if (readSync(this.#file, page, 0, bytes, number * this.#pageSize) < bytes) this.#fault(number);
    if (page.readBigUInt64LE(0) !== BigInt(number)) this.#fault(number);
    return page;
  }

  #meet(number: number): void {
    if (!(number >= 2 && number <= this.#meta.lastPage)) this.#fault(number);
    const bit = 1 << (number & 7);
    const met = this.#met[number >> 3] as number;
    if ((met & bit) !== 0) throw new DataFileFault(`is damaged: page ${number} stands in two places`);
    this.#met[number >> 3] = met | bit;
  }

  #fault(number: number): never {
    throw new DataFileFault(`is damaged or cut off at page ${number}`);
  }
}
