/** Runs a TypeScript program of the repository that is no test: the long runs, which have scripts of their own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import './node-version.mjs';
import { repositoryDirectory } from './repository.mjs';
import { fail, setUp } from './setup.mjs';

/** Bundled, a module goes on naming its own place, so that it finds the files beside it. */
const ownPlaces = {
  name: 'own-places',
  setup(build) {
    build.onLoad({ filter: /\/test\/.*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const place = JSON.stringify(pathToFileURL(path).href);
      return { contents: source.replaceAll('import.meta.url', place), loader: 'ts' };
    });
  },
};

/**
 * Builds, bundles the program and runs it with the arguments of this process, whose exit status it makes its own.
 * @param {string} entryPoint path in the repository
 */
export async function runProgram(entryPoint) {
  try {
    await setUp();
  } catch (error) {
    fail(error);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-program-'));
  try {
    const program = join(directory, 'main.mjs');
    const esbuild = await import('esbuild');
    await esbuild.build({
      entryPoints: [join(repositoryDirectory, entryPoint)],
      outfile: program,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      sourcemap: 'inline',
      plugins: [ownPlaces],
    });
    const args = ['--enable-source-maps', program, ...process.argv.slice(2)];
    process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
