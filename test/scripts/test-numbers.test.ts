import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countResults, describeResults } from '../../scripts/test-numbers.mjs';
import { repositoryDirectory } from '../support/paths.ts';
import { run } from '../support/run.ts';

/** Runs vitest on test files of these contents and counts what its report says. */
async function countOf(files: Readonly<Record<string, string>>) {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-numbers-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
    const report = join(directory, 'report.json');
    const vitest = join(repositoryDirectory, 'node_modules', 'vitest', 'vitest.mjs');
    const options = ['--root', directory, '--globals', '--reporter=json', `--outputFile=${report}`];
    await run(process.execPath, [vitest, 'run', ...options], { environment: { CI: undefined } });
    return countResults(JSON.parse(readFileSync(report, 'utf8')));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('countResults', () => {
  it('counts what passed, failed and was skipped in a real report', async () => {
    const mixed = `
      it('passes', () => {});
      it('passes too', () => {});
      it('fails', () => { throw new Error('no'); });
      it.skip('is skipped', () => {});
      it.todo('is to be done');
    `;
    expect(await countOf({ 'mixed.test.js': mixed })).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  it('counts a file that cannot be read as one failure', async () => {
    const files = { 'good.test.js': "it('passes', () => {});", 'broken.test.js': 'this is not a program' };
    expect(await countOf(files)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it('counts a set-up that fails as one failure', async () => {
    const files = { 'a.test.js': "beforeAll(() => { throw new Error('no'); });\nit('never runs', () => {});" };
    expect((await countOf(files)).failed).toBe(1);
  });
});

describe('describeResults', () => {
  it('is a plain line', () => {
    expect(describeResults({ passed: 12, failed: 0, skipped: 0 })).toBe('12 passed, 0 failed');
    expect(describeResults({ passed: 1, failed: 2, skipped: 3 })).toBe('1 passed, 2 failed, 3 skipped');
  });
});
