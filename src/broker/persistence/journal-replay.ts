/**
 * Reads a journal that was left behind: what the tables of the store are to hold in the end.
 *
 * @see journal.ts for its records
 */
import { emptyBytes } from '../../base/bytes.ts';
import { crc32 } from './checksum.ts';
import { faultAsError, unusableRecord } from './data-directory.ts';
import { type DataFile, DataFileFault } from './data-file.ts';
import { deleteFlag, journalHeadBytes, journalKinds, journalVersion } from './journal.ts';
import { longAt } from './keys.ts';
import type { EncodedBatch } from './lmdb-batch.ts';
import type { DatabaseName, Entry } from './lmdb-environment.ts';
import { readMessage } from './message-record.ts';
import { RecordFault, RecordReader, type RecordView, viewOf } from './record-codec.ts';
import type { RecordCursor } from './record-cursor.ts';
import { readDelivery, readInbound } from './session-records.ts';

/** The tables that it has something for. */
export type JournaledTable = (typeof journalKinds)[number]['name'];

export function isJournaled(name: DatabaseName): name is JournaledTable {
  return journalKinds.some((kind) => kind.name === name);
}

/** What a record of a table becomes. */
export interface JournalChange {
  readonly key: Uint8Array;
  /** Undefined: there is none. */
  readonly value: Uint8Array | undefined;
}

const checks: Readonly<Record<JournaledTable, (reader: RecordReader, record: RecordView) => unknown>> = {
  messages: readMessage,
  deliveries: readDelivery,
  inbound: readInbound,
};

export class JournalReplay {
  /** How many records there were. */
  recordCount = 0;
  readonly #reader = new RecordReader();
  readonly #recordKeys: Uint8Array[] = [];
  /** By table and key, of which the latter is put down as hexadecimal digits: they sort as the bytes do. */
  readonly #changes: Readonly<Record<JournaledTable, Map<string, JournalChange>>> = {
    messages: new Map(),
    deliveries: new Map(),
    inbound: new Map(),
  };

  /** Takes one record more, of which it keeps nothing. @throws {RecordFault} or one of the reader's errors */
  take(record: RecordView): void {
    this.recordCount++;
    const value = Uint8Array.prototype.slice.call(record.value, record.valueStart, record.valueEnd);
    this.#recordKeys.push(Uint8Array.prototype.slice.call(record.key, record.keyStart, record.keyEnd));
    if (value.length < journalHeadBytes) throw new RecordFault('it is cut off');
    if (value[0] !== journalVersion) {
      throw new RecordFault(`it has layout ${value[0]}; this release knows ${journalVersion}`);
    }
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    let position = journalHeadBytes;
    for (let left = view.getUint32(1); left > 0; left--) position = this.#takeOperation(value, view, position);
    if (position !== value.length) throw new RecordFault('it has more in it than it says');
  }

  /** What becomes of records of a table, by key. */
  changes(name: JournaledTable): readonly JournalChange[] {
    const sorted = [...this.#changes[name]].sort(([one], [other]) => (one < other ? -1 : 1));
    return sorted.map(([, change]) => change);
  }

  /** What becomes of one record; undefined if nothing does. */
  changeOf(name: JournaledTable, key: Uint8Array): JournalChange | undefined {
    return this.#changes[name].get(hexOf(key));
  }

  /** Everything that is to be done, with which the journal is empty. */
  toBatch(): EncodedBatch {
    const databases: DatabaseName[] = [];
    const keys: Uint8Array[] = [];
    const values: (Uint8Array | undefined)[] = [];
    const add = (database: DatabaseName, { key, value }: JournalChange): void => {
      databases.push(database);
      keys.push(key);
      values.push(value);
    };
    for (const { name } of journalKinds) for (const change of this.changes(name)) add(name, change);
    for (const key of this.#recordKeys) add('journal', { key, value: undefined });
    return { databases, keys, values };
  }

  /** Returns where the next begins. */
  #takeOperation(bytes: Uint8Array, view: DataView, start: number): number {
    const first = bytes[start] ?? 0;
    const isDelete = (first & deleteFlag) !== 0;
    const kind = journalKinds[first & ~deleteFlag];
    if (start >= bytes.length || kind === undefined) throw new RecordFault(`its byte ${start} begins no operation`);
    const keyStart = start + (isDelete ? 1 : 5);
    const keyEnd = keyStart + kind.keyBytes;
    const end = keyEnd + (isDelete ? 4 : keyStart > bytes.length ? 0 : view.getUint32(start + 1));
    if (end > bytes.length) throw new RecordFault('it is cut off');
    const key = bytes.subarray(keyStart, keyEnd);
    const value = isDelete ? undefined : bytes.subarray(keyEnd, end);
    if (value === undefined) {
      if (view.getUint32(keyEnd) !== crc32(bytes, start, keyEnd)) throw new RecordFault('a checksum in it is wrong');
    } else {
      checks[kind.name](this.#reader, viewOf(key, value));
    }
    this.#changes[kind.name].set(hexOf(key), { key, value });
    return end;
  }
}

/**
 * The journal that the last process left; undefined if it left none.
 * @throws {StorageError} if it is damaged
 */
export function readJournal(file: DataFile, directory: string): JournalReplay | undefined {
  const replay = new JournalReplay();
  let cursor: RecordCursor | undefined;
  try {
    cursor = file.records('journal');
    while (cursor?.next()) replay.take(cursor);
  } catch (error) {
    if (error instanceof DataFileFault) throw faultAsError(directory, error);
    const key = cursor?.key.subarray(cursor.keyStart, cursor.keyEnd) ?? emptyBytes;
    throw unusableRecord(directory, journalRecordName(key), error);
  }
  return replay.recordCount === 0 ? undefined : replay;
}

/** What names a record of the journal. */
function journalRecordName(key: Uint8Array): string {
  return `record ${key.length === 8 ? longAt(key, 0) : hexOf(key)} of the journal`;
}

/** The records of a table as they will be, by key. */
export function* withChanges(entries: Iterable<Entry>, changes: readonly JournalChange[]): IterableIterator<Entry> {
  let index = 0;
  for (const entry of entries) {
    for (; index < changes.length; index++) {
      const change = changes[index] as JournalChange;
      const order = Buffer.compare(change.key, entry.key);
      if (order >= 0) break;
      if (change.value !== undefined) yield { key: change.key, value: change.value };
    }
    const same = changes[index];
    if (same === undefined || Buffer.compare(same.key, entry.key) !== 0) yield entry;
  }
  for (; index < changes.length; index++) {
    const { key, value } = changes[index] as JournalChange;
    if (value !== undefined) yield { key, value };
  }
}

function hexOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex');
}
