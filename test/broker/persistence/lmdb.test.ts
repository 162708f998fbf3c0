import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/broker/log.ts';
import { type Durability, openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';
import { describeStore } from './store-contract.ts';

for (const durability of ['strict', 'relaxed'] satisfies Durability[]) {
  describeStore(`LmdbStore, ${durability}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'clearwing-store-'));
    return {
      open: () => openLmdbStore({ directory, durability, clock: systemClock, log: silentLog, payloadCacheBytes: 1000 }),
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}
