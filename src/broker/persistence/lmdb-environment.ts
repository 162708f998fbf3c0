/** The LMDB file and the databases in it: opened, written in batches, read. What LMDB says is put into words here. */
import { join } from 'node:path';
import type { Database, RootDatabase } from 'lmdb';
import { DataRoom } from './data-room.ts';
import type { EncodedBatch } from './lmdb-batch.ts';
import type { Durability } from './lmdb-commits.ts';

export const databaseNames = [
  'meta',
  'messages',
  'sessions',
  'subscriptions',
  'deliveries',
  'inbound',
  'retained',
  'journal',
] as const;
export type DatabaseName = (typeof databaseNames)[number];

type Records = Database<Uint8Array, Uint8Array>;

export const dataFileName = 'data.mdb';

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class LmdbEnvironment {
  /** False from the call of `close` on: nothing can be read any more. */
  isOpen = true;
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #databases: Readonly<Record<DatabaseName, Records>>;
  readonly #durability: Durability;
  readonly #room: DataRoom;

  private constructor(
    root: RootDatabase<Uint8Array, Uint8Array>,
    databases: Readonly<Record<DatabaseName, Records>>,
    durability: Durability,
    room: DataRoom,
  ) {
    this.#room = room;
    this.#root = root;
    this.#databases = databases;
    this.#durability = durability;
  }

  /**
   * Opens the file in a directory, or makes it. Rejects with LMDB's own error.
   * @param durability what `write` waits for. `strict`: pages and the one that points to them are synced. `relaxed`: the pages are, the one
   * that points to them is the system's to write, or the next commit's; a crash of the system may take back the last commit, no other.
   * `none`: nothing is, the disk follows soon. Whatever it is, a crash of the system finds a state that was whole.
   */
  static async open(directory: string, durability: Durability): Promise<LmdbEnvironment> {
    const { open } = await import('lmdb');
    const root = open<Uint8Array, Uint8Array>({
      path: join(directory, dataFileName),
      noSubdir: true,
      encoding: 'binary',
      keyEncoding: 'binary',
      maxDbs: databaseNames.length,
      overlappingSync: durability === 'none',
      noMetaSync: durability === 'relaxed',
      // It would make a promise for each turn that nobody can catch, which ends the process when a commit fails. `batch` does without.
      eventTurnBatching: false,
    });
    try {
      const databases = Object.fromEntries(
        databaseNames.map((name) => [name, root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })]),
      ) as Record<DatabaseName, Records>;
      const room = await DataRoom.open(join(directory, dataFileName), statsOf(root).pageSize);
      return new LmdbEnvironment(root, databases, durability, room);
    } catch (error) {
      await root.close().catch(() => {});
      throw error;
    }
  }

  /** Commits a batch as one transaction: all of it or, if this rejects, nothing. */
  async write({ databases, keys, values }: EncodedBatch): Promise<void> {
    const pages = pagesOf(values, this.#room.pageSize);
    if (!this.#room.take(pages)) await this.#room.make(statsOf(this.#root).lastPageNumber, pages);
    try {
      await this.#root.batch(() => {
        for (let index = 0; index < keys.length; index++) {
          const database = this.#databases[databases[index] as DatabaseName];
          const value = values[index];
          if (value === undefined) database.remove(keys[index] as Uint8Array);
          else database.put(keys[index] as Uint8Array, value);
        }
      });
    } catch (error) {
      throw await causeOf(error);
    }
  }

  /** Waits until what is committed is on the disk. */
  sync(): Promise<void> {
    if (this.#durability === 'strict') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const sync = this.#root as unknown as { sync(callback: (error?: unknown) => void): void };
      sync.sync((error) => (error ? reject(error) : resolve()));
    });
  }

  /** A copy of what stands under a key, as of the last commit. */
  get(name: DatabaseName, key: Uint8Array): Uint8Array | undefined {
    const database = this.#databases[name];
    const value = database.getBinary(key);
    if (value !== undefined) return value;
    // What was read before in this turn of the event loop may be a snapshot from before the last commit.
    (database as unknown as { resetReadTxn(): void }).resetReadTxn();
    return database.getBinary(key);
  }

  /**
   * Copies of the records with keys from `start` to before `end`, as of the last commit, by key.
   * @param limit how many at most
   */
  range(name: DatabaseName, start: Uint8Array, end: Uint8Array, limit: number): readonly Entry[] {
    const database = this.#databases[name];
    (database as unknown as { resetReadTxn(): void }).resetReadTxn();
    const bounds = limit === Number.POSITIVE_INFINITY ? { start, end } : { start, end, limit };
    return [...(database.getRange(bounds) as Iterable<Entry>)];
  }

  count(name: DatabaseName): number {
    const database = this.#databases[name];
    (database as unknown as { resetReadTxn(): void }).resetReadTxn();
    return (database.getStats() as { entryCount: number }).entryCount;
  }

  async close(): Promise<void> {
    this.isOpen = false;
    const { lastPageNumber } = statsOf(this.#root);
    await this.#root.close();
    await this.#room.close(lastPageNumber);
  }
}

interface EnvironmentStats {
  readonly pageSize: number;
  /** Of those in use, or used before. */
  readonly lastPageNumber: number;
}

function statsOf(root: RootDatabase<Uint8Array, Uint8Array>): EnvironmentStats {
  return root.getStats() as EnvironmentStats;
}

/** Pages of branches, free lists and databases that a commit writes besides the records. */
const basePages = 16;

/** Most records of a batch lie on pages that others of it lie on, too. */
const recordsPerPage = 4;

/** Pages that a batch may take, about, however many are free. */
function pagesOf(values: readonly (Uint8Array | undefined)[], pageSize: number): number {
  let bytes = 0;
  for (const value of values) bytes += value?.length ?? 0;
  return basePages + Math.ceil(values.length / recordsPerPage) + Math.ceil(bytes / pageSize);
}

/** A commit that fails says why in a promise of its own. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> };
  if (commitError === undefined) return error;
  try {
    await commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}
