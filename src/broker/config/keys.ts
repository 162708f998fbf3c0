/** All keys of the configuration file, and how to find one. */
import { generalKeys } from './general-keys.ts';
import { inertKeys } from './inert-keys.ts';
import type { KeyRow } from './key-row.ts';
import { listenerKeys } from './listener-keys.ts';
import { loggingKeys } from './logging-keys.ts';

export const keyRows: readonly KeyRow[] = [...generalKeys, ...listenerKeys, ...loggingKeys, ...inertKeys];

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

/** Insertions, deletions and replacements of one character, and swaps of two neighbours, that make `b` of `a`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
