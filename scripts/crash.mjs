/**
 * `npm run test:crash`: a broker is killed again and again, the long run; `-- --help` lists its options. The short run is part of
 * `npm test`.
 */
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

async function crash() {
  try {
    await setUp();
  } catch (error) {
    fail(error);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-crash-'));
  try {
    const program = join(directory, 'crash.mjs');
    const esbuild = await import('esbuild');
    await esbuild.build({
      entryPoints: [join(repositoryDirectory, 'test/crash/main.ts')],
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

await crash();
