import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withLock } from '../../scripts/setup-lock.mjs';
import { repositoryDirectory } from '../support/paths.ts';
import { run } from '../support/run.ts';

describe('withLock', () => {
  let directory: string;
  let lockPath: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'clearwing-lock-'));
    lockPath = join(directory, 'lock');
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('gives what the work gives, and leaves no lock behind', async () => {
    expect(await withLock(lockPath, async () => existsSync(lockPath))).toBe(true);
    expect(existsSync(lockPath)).toBe(false);
  });

  it('is free again after the work failed', async () => {
    await expect(withLock(lockPath, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(lockPath)).toBe(false);
  });

  it('lets one of several processes work at a time', async () => {
    const journal = join(directory, 'journal');
    const program = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { withLock } from ${JSON.stringify(join(repositoryDirectory, 'scripts', 'setup-lock.mjs'))};
      const say = (word) => appendFileSync(${JSON.stringify(journal)}, word + ' ' + process.pid + '\\n');
      await withLock(${JSON.stringify(lockPath)}, async () => { say('in'); await sleep(20); say('out'); });
    `;
    const results = await Promise.all(
      Array.from({ length: 5 }, () => run(process.execPath, ['--input-type=module', '-e', program])),
    );
    expect(results.map(({ status, stderr }) => ({ status, stderr }))).toEqual(Array(5).fill({ status: 0, stderr: '' }));
    const lines = readFileSync(journal, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(10);
    for (let index = 0; index < lines.length; index += 2) {
      expect(lines[index]).toMatch(/^in /);
      expect(lines[index + 1]).toBe(lines[index]!.replace('in', 'out'));
    }
  });

  it('takes the lock of a process that has ended', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    writeFileSync(lockPath, JSON.stringify({ hostname: hostname(), pid }));
    expect(await withLock(lockPath, async () => 'done')).toBe('done');
  });

  it('takes a lock that nobody has touched for long, whoever held it', async () => {
    writeFileSync(lockPath, JSON.stringify({ hostname: 'elsewhere', pid: process.pid }));
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(lockPath, longAgo, longAgo);
    expect(await withLock(lockPath, async () => 'done')).toBe('done');
  });

  it('waits for a holder that is at work', async () => {
    writeFileSync(lockPath, JSON.stringify({ hostname: hostname(), pid: process.pid }));
    let isReleased = false;
    setTimeout(() => {
      isReleased = true;
      rmSync(lockPath);
    }, 200);
    expect(await withLock(lockPath, async () => isReleased)).toBe(true);
  });
});
