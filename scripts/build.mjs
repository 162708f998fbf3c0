/**
 * `npm run build`: dist/ as it is published, with type declarations. `--prepare` is what npm runs by itself after an install;
 * it leaves out what cannot be built then.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import './node-version.mjs';
import { repositoryDirectory } from './repository.mjs';
import { fail, setUp } from './setup.mjs';

const isPrepare = process.argv.includes('--prepare');

if (isPrepare && process.env.CLEARWING_SETUP === '1') {
  // Set-up installs, then builds by itself.
} else if (isPrepare && !hasDevelopmentTools()) {
  console.error('clearwing: the development tools were left out of this install, so dist/ is not built');
} else {
  try {
    await setUp({ clean: true });
    declareTypes();
  } catch (error) {
    fail(error);
  }
}

function hasDevelopmentTools() {
  const require = createRequire(import.meta.url);
  try {
    require.resolve('esbuild');
    require.resolve('typescript/package.json');
    return true;
  } catch {
    return false;
  }
}

function declareTypes() {
  rmSync(join(repositoryDirectory, 'dist', 'types'), { recursive: true, force: true });
  const compiler = join(repositoryDirectory, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.types.json'], {
    cwd: repositoryDirectory,
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (status !== 0) throw new Error('the type declarations could not be made; `npm run check` says more');
}
