/**
 * The meta pages of an LMDB data file: each says where the trees of a commit begin. Page 0 and 1 have those of the last two commits;
 * with overlapping sync a third, in the middle of page 0, has the last commit that is known to be on the disk.
 *
 *     header (24), magic (4), version (4), address (8), map size (8), free-page database (48), main database (48),
 *     last page (8), transaction (8), boot (8)
 *
 * Numbers are in the order of the machine. [lmdb 0.9.90 as in the package, mdb.c]
 */
import { readFileSync, readSync } from 'node:fs';

/** Of every page. */
export const headerBytes = 24;
/** Of the description of a database. */
export const databaseBytes = 48;

const magic = 0xbeef_c0de;
const firstDatabaseAt = headerBytes + 24;
const lastPageAt = firstDatabaseAt + 2 * databaseBytes;
const transactionAt = lastPageAt + 8;
const bootAt = transactionAt + 8;
const metaBytes = bootAt + 8;
/** Flag of the first database in the meta page of a commit that nobody waited for. */
const unflushedFlag = 0x1000;

/** What is wrong with a data file, as the end of a sentence that begins with its path. */
export class DataFileFault extends Error {}

export interface Meta {
  readonly bytes: Buffer;
  readonly pageSize: number;
  readonly isUnflushed: boolean;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly boot: bigint;
}

/** The descriptions of its two databases: that of the free pages, and the main one, whose records are the other databases. */
export function databasesOf(meta: Meta): readonly [free: Buffer, main: Buffer] {
  const mainAt = firstDatabaseAt + databaseBytes;
  return [meta.bytes.subarray(firstDatabaseAt, mainAt), meta.bytes.subarray(mainAt, mainAt + databaseBytes)];
}

/** The two meta pages. @throws {DataFileFault} */
export function readMetas(file: number): readonly [Meta, Meta] {
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

/** The later of the two commits. */
export function latestOf([first, second]: readonly [Meta, Meta]): Meta {
  return first.transaction >= second.transaction ? first : second;
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
export function pickAsOverlapping(file: number, [first, second]: readonly [Meta, Meta]): Meta {
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
