/** A store on disk for a program that embeds a broker. */
import { systemClock } from '../../base/clock.ts';
import { type Log, silentLog } from '../log.ts';
import { type Durability, openLmdbStore } from './lmdb.ts';
import type { Store } from './store.ts';

export interface OpenStoreOptions {
  /** Holds the store and nothing else; made if it is missing. One broker at a time may use it. */
  readonly directory: string;
  /** When an acknowledgement may say that something is safe; docs/guarantees.md has the table. Default `strict`: once it is on the disk. */
  readonly durability?: Durability;
  /** Default: silent. */
  readonly log?: Log;
  /** Called with a sentence when the store can write no more, and with undefined once it can again. */
  readonly onTrouble?: (trouble: string | undefined) => void;
}

/**
 * Opens the store in a directory, or begins one there. It is for one broker, which closes it: `createBroker({ store })`.
 * @throws {StorageError} that says what is wrong with the directory and what can be done
 */
export function openStore(options: OpenStoreOptions): Promise<Store> {
  return openLmdbStore({ log: silentLog, ...options, clock: systemClock });
}
