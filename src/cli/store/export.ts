/** `clearwing store export`: everything that is inside, a JSON object a line. */
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type Damage, StoreContents } from '../../broker/persistence/inspection/store-contents.ts';
import { StoreFile } from '../../broker/persistence/inspection/store-file.ts';
import { StorageError } from '../../protocol/errors.ts';
import { StandardOutput } from '../client/standard-output.ts';
import { version } from '../version.ts';
import { endLine, headerLine, itemLine } from './item-to-json.ts';
import { counted, printable } from './printable.ts';

/** The output cannot be written. */
export class OutputError extends Error {}

export interface ExportSettings {
  readonly directory: string;
  /** Undefined for the standard output. */
  readonly output: string | undefined;
  readonly keepsGoing: boolean;
}

/** Resolves with the exit status. */
export async function exportStore({ directory, output, keepsGoing }: ExportSettings): Promise<number> {
  let damageCount = 0;
  const onDamage = ({ kind, key, reason }: Damage) => {
    const text = `${kind} ${printable(key)}: ${printable(reason)}`;
    if (!keepsGoing) {
      throw new StorageError(
        `${directory} is damaged: ${text}. With --keep-going it is left out, and the rest exported`,
      );
    }
    damageCount++;
    process.stderr.write(`Left out: ${text}\n`);
  };
  const file = await StoreFile.open(directory);
  try {
    const contents = new StoreContents(file, onDamage);
    const isDone =
      output === undefined
        ? await writeItems(contents, process.stdout, 'the standard output')
        : await writeFile(contents, output);
    // Nobody reads any more, as behind `| head`.
    if (!isDone) return 0;
  } finally {
    await file.close();
  }
  if (damageCount > 0) process.stderr.write(`${counted(damageCount, 'damaged record')} left out.\n`);
  return damageCount === 0 ? 0 : 2;
}

/** Under its name only when it is whole. */
async function writeFile(contents: StoreContents, path: string): Promise<boolean> {
  const part = `${path}.part`;
  // It holds what only the two ends of each conversation should know.
  const stream = createWriteStream(part, { mode: 0o600, flush: true });
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  try {
    await writeItems(contents, stream, path);
    stream.end();
    await closed;
    renameSync(part, path);
    return true;
  } catch (error) {
    stream.destroy();
    await closed;
    rmSync(part, { force: true });
    if (error instanceof StorageError || error instanceof OutputError) throw error;
    throw new OutputError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/** Returns false if nobody reads any more. @throws {OutputError} */
async function writeItems(contents: StoreContents, stream: Writable, name: string): Promise<boolean> {
  const sink = new StandardOutput(stream);
  const counts: Record<string, number> = {};
  sink.text(headerLine(`clearwing ${version}`, Date.now()));
  for (const item of contents.items()) {
    sink.text(itemLine(item));
    counts[item.kind] = (counts[item.kind] ?? 0) + 1;
    if (sink.isFull) await sink.drained();
    if (sink.error !== undefined) break;
  }
  if (sink.error === undefined) {
    sink.text(endLine(counts));
    await sink.finish();
    // A write that failed is told a moment later.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (sink.error === undefined) return true;
  if (sink.error.code === 'EPIPE') return false;
  throw new OutputError(`${name} cannot be written: ${sink.error.message}`);
}
