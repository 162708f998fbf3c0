/**
 * `npm test`: set-up, the programs the tests talk to, lint and types, all tests; the last line has the numbers. Arguments after
 * `--` are vitest's. With CI=true nothing may be skipped.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import './node-version.mjs';
import { countResults, describeResults } from './test-numbers.mjs';

async function test() {
  const { fail, setUp } = await import('./setup.mjs');
  const { installPeers } = await import('./install-peers.mjs');
  const { repositoryDirectory } = await import('./repository.mjs');
  const isContinuousIntegration = !['', '0', 'false'].includes(process.env.CI ?? '');
  const problems = [];
  try {
    await setUp();
    const missing = installPeers();
    if (missing.length > 0 && isContinuousIntegration) problems.push(`not installed: ${missing.join(', ')}`);
  } catch (error) {
    fail(error);
    return;
  }

  const tool = (title, path, args) => {
    console.log(`\n${title}`);
    const program = join(repositoryDirectory, 'node_modules', path);
    // Set-up may need it to install; nothing here does, and each Node that is started would read the file.
    const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
    const { status, signal } = spawnSync(process.execPath, [program, ...args], {
      cwd: repositoryDirectory,
      env,
      stdio: 'inherit',
    });
    if (status !== 0) problems.push(`${title} failed (${status ?? signal})`);
  };
  tool('Lint', '@biomejs/biome/bin/biome', ['check']);
  tool('Types', 'typescript/bin/tsc', ['--noEmit']);
  tool('Types of the portable folders', 'typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.portable.json']);

  const reportDirectory = mkdtempSync(join(tmpdir(), 'clearwing-test-'));
  const reportPath = join(reportDirectory, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportPath}`];
  tool('Tests', 'vitest/vitest.mjs', ['run', ...reporters, ...process.argv.slice(2)]);
  const numbers = readNumbers(reportPath);
  rmSync(reportDirectory, { recursive: true, force: true });
  if (numbers === undefined) {
    problems.push('vitest left no report');
  } else {
    if (numbers.passed + numbers.failed === 0) problems.push('no test ran');
    if (numbers.skipped > 0 && isContinuousIntegration) problems.push('tests were skipped');
  }

  console.log('');
  for (const problem of problems) console.log(`Problem: ${problem}`);
  if (numbers !== undefined) console.log(describeResults(numbers));
  process.exitCode = problems.length > 0 || numbers?.failed !== 0 ? 1 : 0;
}

/** What vitest counted; undefined if it ended before it could say. */
function readNumbers(path) {
  try {
    return countResults(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

test();
