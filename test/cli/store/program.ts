/** Runs `clearwing store`, and makes stores for it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

import { buildStore } from '../../../src/broker/persistence/import/build-store.ts';
import { ItemWriter } from '../../../src/broker/persistence/import/item-writer.ts';
import type { StoredItem } from '../../../src/broker/persistence/stored-item.ts';
import { type TemporaryFiles, temporaryFiles } from '../../broker/config/temporary.ts';
import { clearwingMain, repositoryDirectory } from '../../support/paths.ts';
import { type RunOptions, type RunResult, run } from '../../support/run.ts';
import { sampleItems } from './sample-items.ts';

/** What `fillBroker` left behind in Debian's Mosquitto. */
export const mosquittoFixture: string = join(repositoryDirectory, 'test/fixtures/mosquitto-2.0.11.db');

export function storeCommand(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [clearwingMain, 'store', ...args], options);
}

/** Makes a store in that directory (the one with `format` in it), with these items. */
export async function makeStore(directory: string, items: Iterable<StoredItem>): Promise<ItemWriter['counts']> {
  const leftOut: string[] = [];
  let counts: ItemWriter['counts'] | undefined;
  await buildStore(directory, 'refuse', new AbortController().signal, async (store, failure) => {
    const writer = new ItemWriter(store, (what, reason) => leftOut.push(`${what}: ${reason}`));
    await writer.write(items, failure);
    counts = writer.counts;
  });
  if (leftOut.length > 0) throw new Error(leftOut.join('\n'));
  return counts as ItemWriter['counts'];
}

export interface Sample {
  readonly files: TemporaryFiles;
  /** As the broker's `--data`. */
  readonly directory: string;
  /** With the data file in it. */
  readonly store: string;
}

export async function sample(items: Iterable<StoredItem> = sampleItems): Promise<Sample> {
  const files = temporaryFiles();
  const store = files.path('data/clearwing.db');
  await makeStore(store, items);
  return { files, directory: files.path('data'), store };
}

/** Everything in the directory, with its content. */
export function contentOf(directory: string): [string, string][] {
  return readdirSync(directory)
    .filter((name) => !name.endsWith('-lock'))
    .sort()
    .map((name) => [name, readFileSync(join(directory, name)).toString('base64')]);
}

type Change = (key: Buffer, value: Buffer) => Uint8Array | undefined;

/** Changes records behind the back of the store. */
export async function edit(
  store: string,
  change: (records: (name: string, change: Change) => void) => void,
): Promise<void> {
  const options = { encoding: 'binary', keyEncoding: 'binary' } as const;
  const root = open<Buffer, Buffer>({ path: join(store, 'data.mdb'), noSubdir: true, maxDbs: 7, ...options });
  const writes: Promise<boolean>[] = [];
  change((name, changeOne) => {
    const database = root.openDB<Buffer, Buffer>({ name, ...options });
    for (const { key, value } of [...database.getRange({})]) {
      const changed = changeOne(key, value);
      writes.push(changed === undefined ? database.remove(key) : database.put(key, Buffer.from(changed)));
    }
  });
  await Promise.all(writes);
  await root.close();
}

export function flip(value: Uint8Array, position: number): Uint8Array {
  const flipped = Uint8Array.from(value);
  flipped[position] = (flipped[position] as number) ^ 0x10;
  return flipped;
}
