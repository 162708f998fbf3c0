/** The keys of the store: what outlives the broker's process, where, and how safe it is. */
import type { PersistenceSettings } from './configuration.ts';
import { boolean, choice, type KeyRow, text, type ValueForm } from './key-row.ts';

function storeKey(
  key: string,
  field: keyof PersistenceSettings,
  value: ValueForm,
  fallback: string,
  meaning: string,
  more: Partial<KeyRow> = {},
): KeyRow {
  const target = { in: 'persistence', field } as const;
  return {
    key,
    group: 'store',
    scope: 'general',
    value,
    default: fallback,
    isReloadable: false,
    state: 'works',
    meaning,
    target,
    ...more,
  };
}

export const storeKeys: readonly KeyRow[] = [
  storeKey(
    'persistence',
    'isEnabled',
    boolean,
    'false',
    'Keep sessions that outlive their connection, with their subscriptions and messages, and retained messages on disk, so that they outlive the broker. See [guarantees](../guarantees.md). `--data` on the command line switches it on.',
  ),
  storeKey(
    'persistence_location',
    'location',
    text('path'),
    'the working directory',
    'The directory in which the store makes its own, `clearwing.db`. `--data` on the command line says it instead.',
  ),
  storeKey(
    'durability',
    'durability',
    choice('strict', 'relaxed', 'none'),
    '`strict`',
    'When an acknowledgement may say that something is safe: once it is on the disk (`strict`), once the operating system has it (`relaxed`), or at once (`none`; it is written within a second).',
    { origin: 'Clearwing' },
  ),
];
