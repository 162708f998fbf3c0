/** The measurement of starts does measure: the data are made, the broker starts on them, clients get what is theirs. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryDirectory } from '../support/paths.ts';

it('bench/start-up.mjs makes data, starts the broker on them and has clients come back', () => {
  const sizes = ['--retained', '2000', '--sessions', '300', '--queued', '7', '--sharing', '4'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(repositoryDirectory, 'bench', 'start-up.mjs'),
      ...sizes,
      '--starts',
      '2',
      '--clients',
      '20',
      '--settle',
      '0',
      '--limit',
      '3600',
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(stdout).toContain('2000 retained messages, 300 sessions with 7 queued messages each');
  expect(stdout).toContain(
    'Restored from the store: sessions 300, messages that wait for them 2100, retained messages 2000.',
  );
  expect(stdout).toMatch(/start 2: listening after \d+\.\d+ s/);
  expect(stdout).toContain('20 clients came back and got their 7 messages each, in order');
  expect(stdout).toContain('limit 3600 s: kept');
  expect(status).toBe(0);
});
