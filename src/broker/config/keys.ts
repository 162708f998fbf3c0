/** All keys of the configuration file, and how to find one. */
import { editDistance } from '../../base/edit-distance.ts';
import { captureKeys } from './capture-keys.ts';
import { generalKeys } from './general-keys.ts';
import { inertKeys } from './inert-keys.ts';
import type { KeyRow } from './key-row.ts';
import { listenerKeys } from './listener-keys.ts';
import { loggingKeys } from './logging-keys.ts';
import { storeKeys } from './store-keys.ts';

export const keyRows: readonly KeyRow[] = [
  ...generalKeys,
  ...listenerKeys,
  ...loggingKeys,
  ...storeKeys,
  ...captureKeys,
  ...inertKeys,
];

const rowByKey = new Map(keyRows.map((row) => [row.key, row]));
const prefixRows = keyRows.filter((row) => row.key.endsWith('*'));

/** The row of a key as written in a file; undefined if nobody knows it. */
export function findKey(key: string): KeyRow | undefined {
  const row = rowByKey.get(key);
  if (row !== undefined) return key.endsWith('*') ? undefined : row;
  return prefixRows.find(
    (candidate) => key.length >= candidate.key.length && key.startsWith(candidate.key.slice(0, -1)),
  );
}

/** The known key that differs least from `key`, if it differs little enough to have been meant. */
export function nearestKey(key: string): string | undefined {
  const wanted = key.slice(0, 100).toLowerCase();
  let nearest: string | undefined;
  let smallest = Math.max(1, Math.floor(wanted.length / 4)) + 1;
  for (const { key: candidate } of keyRows) {
    if (candidate.endsWith('*')) continue;
    const distance = editDistance(wanted, candidate);
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}
