/**
 * `npm run bench -- [options]`: builds what is measured and what measures, then runs it. `--help` lists the options, bench/README.md
 * explains them.
 */
import '../scripts/node-version.mjs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryDirectory } from '../scripts/repository.mjs';
import { fail, setUp } from '../scripts/setup.mjs';

const directory = mkdtempSync(join(tmpdir(), 'clearwing-bench-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
try {
  await setUp();
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: repositoryDirectory,
    entryPoints: { main: 'bench/main.ts', generator: 'bench/generator.ts' },
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Packages that are no ES modules ask for Node's modules with `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'warning',
  });
  const args = process.argv.slice(2);
  const { main } = await import(pathToFileURL(join(directory, 'main.mjs')).href);
  process.exitCode = await main({
    args,
    repositoryDirectory,
    generatorPath: join(directory, 'generator.mjs'),
    commandLine: ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
  });
} catch (error) {
  fail(error);
}
