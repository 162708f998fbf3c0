/** `clearwing store import`: a store from an export, or from the database of Mosquitto. */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import { buildStore, StoreNotEmptyError } from '../../broker/persistence/import/build-store.ts';
import { type ImportCounts, ItemWriter } from '../../broker/persistence/import/item-writer.ts';
import { isMosquittoDatabase, MosquittoDatabase } from '../../broker/persistence/mosquitto-db/mosquitto-database.ts';
import type { LeaveOut, StoredItem } from '../../broker/persistence/stored-item.ts';
import type { ImportFormat, StoreRequest } from './arguments.ts';
import { itemsOfExport, linesOf } from './export-lines.ts';
import { counted, grouped, printable } from './printable.ts';

type ImportRequest = Extract<StoreRequest, { readonly action: 'import' }>;

/** The file cannot be imported. */
export class ImportFileError extends Error {}

/** What the items come from. */
interface Source {
  /** For people. */
  readonly name: string;
  items(leaveOut: LeaveOut): Iterable<StoredItem> | AsyncIterable<StoredItem>;
  close(): void;
}

/** Resolves with the exit status. */
export async function importStore({ directory, file, existing, format }: ImportRequest): Promise<number> {
  let leftOutCount = 0;
  const leaveOut = (what: string, reason: string) => {
    leftOutCount++;
    process.stderr.write(`Left out: ${printable(what)}: ${printable(reason)}\n`);
  };
  const interruption = new AbortController();
  const { signal } = interruption;
  // Before anything is made: a file that is none of the known kinds leaves no trace.
  const source = openSource(file, format, signal);
  let counts: ImportCounts | undefined;
  const interrupt = () => interruption.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    await buildStore(directory, existing, signal, async (store, failure) => {
      const writer = new ItemWriter(store, leaveOut);
      await writer.write(source.items(leaveOut), failure);
      counts = writer.counts;
    });
  } catch (error) {
    if (signal.aborted) throw new ImportFileError('interrupted; nothing has changed');
    if (!(error instanceof StoreNotEmptyError)) throw error;
    throw new StoreNotEmptyError(
      `${error.message}${holds(error)}. Give --merge to add to it, or --replace to do without it`,
    );
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    source.close();
  }
  process.stdout.write(report(source.name, directory, counts as ImportCounts));
  if (leftOutCount > 0) process.stdout.write(`  ${grouped(leftOutCount)} left out, as told\n`);
  return leftOutCount === 0 ? 0 : 2;
}

/** @param signal ends the reading of a stream, which may be waiting for more */
function openSource(path: string, format: ImportFormat | undefined, signal: AbortSignal): Source {
  if (path === '-') {
    if (format === 'mosquitto') throw new ImportFileError('a mosquitto.db cannot be read from the standard input');
    return exportSource(addAbortSignal(signal, process.stdin), 'the standard input', () => {});
  }
  if ((format ?? formatOf(path)) === 'mosquitto') {
    const database = MosquittoDatabase.open(path);
    return {
      name: `${path} (Mosquitto's database, version ${database.version})`,
      items: (leaveOut) => database.items(leaveOut),
      close: () => database.close(),
    };
  }
  const stream = createReadStream(path, { highWaterMark: 256 * 1024, signal });
  return exportSource(stream, path, () => void stream.destroy());
}

function exportSource(stream: AsyncIterable<Uint8Array>, name: string, close: () => void): Source {
  const warn = (text: string) => void process.stderr.write(`Warning: ${printable(text)}.\n`);
  return { name, items: () => itemsOfExport(linesOf(stream, name), name, warn), close };
}

/** By how it begins. @throws {ImportFileError} */
function formatOf(path: string): ImportFormat {
  try {
    if (isMosquittoDatabase(path)) return 'mosquitto';
    const start = firstBytes(path, 64).toString('latin1');
    if (/^(\xef\xbb\xbf)?\s*\{/.test(start)) return 'clearwing';
    if (start === '') throw new ImportFileError(`${path} is empty`);
  } catch (error) {
    if (error instanceof ImportFileError) throw error;
    throw new ImportFileError(`${path} cannot be read: ${(error as Error).message}`);
  }
  throw new ImportFileError(`${path} is neither an export of a store nor a mosquitto.db`);
}

function firstBytes(path: string, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
  } finally {
    closeSync(file);
  }
}

function holds({ counts }: StoreNotEmptyError): string {
  if (counts === undefined) return '';
  const { sessions, deliveries, retained } = counts;
  return `, with ${counted(sessions, 'session')}, ${counted(deliveries, 'message')} for them and ${counted(retained, 'retained message')}`;
}

function report(name: string, directory: string, counts: ImportCounts): string {
  const { sessions, subscriptions, wills, queued, inFlight, inbound, retained } = counts;
  return `Imported ${printable(name)} into ${printable(directory)}:
  ${counted(sessions, 'session')}, ${counted(subscriptions, 'subscription')}, ${counted(wills, 'will')}
  ${counted(queued + inFlight, 'message')} for them, ${grouped(inFlight)} of these in flight
  ${counted(inbound, 'QoS 2 message')} from them, not yet released
  ${counted(retained, 'retained message')}
`;
}
