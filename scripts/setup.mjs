/** What every command of the checkout does first: dependencies installed, dist/ built. Takes some milliseconds when both are. */
import { join } from 'node:path';
import { bundle, isBuilt } from './bundle.mjs';
import { install, isInstalled } from './install.mjs';
import { repositoryDirectory } from './repository.mjs';
import { withLock } from './setup-lock.mjs';

/**
 * Installs and builds what is out of date; may run in several processes at once.
 * @param {{ clean?: boolean }} [options] `clean`: build in any case, and remove what earlier builds left
 * @throws {Error} if either fails
 */
export async function setUp({ clean = false } = {}) {
  if (!clean && isInstalled() && isBuilt()) return;
  await withLock(join(repositoryDirectory, '.setup-lock'), async () => {
    if (!isInstalled()) await timed('Installing dependencies (npm ci)', install);
    if (clean || !isBuilt()) await timed('Building dist/', () => bundle({ clean }));
  });
}

/** Says on standard error what is going on and how long it took; standard output belongs to the program. */
async function timed(title, step) {
  process.stderr.write(`${title} … `);
  const start = performance.now();
  await step();
  process.stderr.write(`${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

/**
 * Ends a script with a message instead of a stack trace.
 * @param {Error} error
 */
export function fail(error) {
  console.error(`\nclearwing: ${error.message}`);
  process.exitCode = 1;
}
