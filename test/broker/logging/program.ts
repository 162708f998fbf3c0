/** Programs for tests that need a process of their own: its standard output, its time zone, its end. */
import { buildSync } from 'esbuild';
import { repositoryDirectory } from '../../support/paths.ts';

/** Writes a program that Node 20 runs; `source` imports from the repository as `./src/…`. */
export function buildProgram(path: string, source: string): void {
  buildSync({
    stdin: { contents: source, resolveDir: repositoryDirectory, loader: 'ts' },
    outfile: path,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
  });
}
