/** Runs `clearwing store`, and makes stores for it. */

import { buildStore } from '../../../src/broker/persistence/import/build-store.ts';
import type { ItemWriter } from '../../../src/broker/persistence/import/item-writer.ts';
import { ItemWriter as Writer } from '../../../src/broker/persistence/import/item-writer.ts';
import type { StoredItem } from '../../../src/broker/persistence/stored-item.ts';
import { clearwingMain } from '../../support/paths.ts';
import { type RunOptions, type RunResult, run } from '../../support/run.ts';

export function storeCommand(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return run(process.execPath, [clearwingMain, 'store', ...args], options);
}

/** Makes a store in that directory (the one with `format` in it), with these items. */
export async function makeStore(directory: string, items: Iterable<StoredItem>): Promise<ItemWriter['counts']> {
  const leftOut: string[] = [];
  let counts: ItemWriter['counts'] | undefined;
  await buildStore(directory, 'refuse', new AbortController().signal, async (store, failure) => {
    const writer = new Writer(store, (what, reason) => leftOut.push(`${what}: ${reason}`));
    await writer.write(items, failure);
    counts = writer.counts;
  });
  if (leftOut.length > 0) throw new Error(leftOut.join('\n'));
  return counts as ItemWriter['counts'];
}
