/**
 * `node bench/start-up.mjs [options]`: makes a data directory with many retained messages, Sessions and queued messages, starts the
 * broker on it, and prints how long that takes and how much memory. `--help` lists the options.
 */
import '../scripts/node-version.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryDirectory } from '../scripts/repository.mjs';
import { fail, setUp } from '../scripts/setup.mjs';

try {
  await setUp();
  const { build } = await import('esbuild');
  // Beside the packages, so that the program finds lmdb.
  const directory = mkdtempSync(join(repositoryDirectory, 'node_modules', '.clearwing-start-up-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  await build({
    absWorkingDir: repositoryDirectory,
    entryPoints: { main: 'bench/start-up/main.ts' },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['lmdb', 'ws'],
    logLevel: 'warning',
  });
  const { main } = await import(pathToFileURL(join(directory, 'main.mjs')).href);
  process.exitCode = await main(process.argv.slice(2), repositoryDirectory);
} catch (error) {
  fail(error);
}
