/** Where things are, for tests that start programs or read reference data. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The checkout, without a trailing separator. */
export const repositoryDirectory: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** The built `clearwing` program, for `spawn(process.execPath, [clearwingMain, …])`; `npm test` and `npm run build` make it. */
export const clearwingMain: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const besideRepository = fileURLToPath(new URL('../../../shared', import.meta.url));

/** Reference captures that may lie beside the checkout; undefined where they do not. */
export const sharedDirectory: string | undefined = existsSync(besideRepository) ? besideRepository : undefined;
