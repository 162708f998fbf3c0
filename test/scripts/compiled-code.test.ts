/** The compiled code of commands: used where it is good, and missed by nobody where it is not. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { clearwingMain } from '../support/paths.ts';
import { run } from '../support/run.ts';

const require = createRequire(import.meta.url);
const { codePathOf, runCommandFile } = require('../../scripts/compiled-code.cjs');
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'clearwing-code-'));
  cpSync(dirname(clearwingMain), directory, { recursive: true });
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The file of a command, as `dist` holds the latest: older ones stay for a day. */
function commandFile(name: string): string {
  const main = readFileSync(join(directory, 'main.js'), 'utf8');
  const file = readdirSync(directory).find((one) => one.startsWith(`${name}-`) && main.includes(`"${one}"`));
  return join(directory, file!);
}

describe('the compiled code of commands', () => {
  it('is there for every command, and taken', () => {
    for (const name of commands.keys()) {
      const { exported, script } = runCommandFile(commandFile(name), createRequire(clearwingMain));
      expect([name, script.cachedDataRejected]).toEqual([name, false]);
      expect(exported).toHaveProperty('main');
    }
  });

  const wanted = ['passwd', '--help'];
  it.each<[string, (path: string) => void]>([
    ['is missing', (path) => rmSync(path)],
    ['is empty', (path) => writeFileSync(path, '')],
    ['is cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, 1000))],
    ['is something else', (path) => writeFileSync(path, 'x'.repeat(10_000))],
    ['is that of another command', (path) => cpSync(codePathOf(commandFile('rr')), path)],
  ])('is not needed where it %s', async (_, spoil) => {
    const path = codePathOf(commandFile('passwd'));
    const good = readFileSync(path);
    const before = await run(process.execPath, [join(directory, 'main.js'), ...wanted]);
    spoil(path);
    const after = await run(process.execPath, [join(directory, 'main.js'), ...wanted]);
    writeFileSync(path, good);
    expect(before.stdout).toContain('passwd');
    expect(after).toEqual(before);
  });

  it('is not needed with other options of V8', async () => {
    const before = await run(process.execPath, [join(directory, 'main.js'), ...wanted]);
    expect(await run(process.execPath, ['--no-opt', join(directory, 'main.js'), ...wanted])).toEqual(before);
  });
});
