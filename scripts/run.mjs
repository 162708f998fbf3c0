/** Runs the `clearwing` program of the checkout. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryDirectory } from './repository.mjs';
import { fail, setUp } from './setup.mjs';

/** The program as it is built. */
export const clearwingMain = join(repositoryDirectory, 'dist', 'cli', 'main.js');

/**
 * Sets up, then runs the program in this process, so that signals reach it and its exit status is ours.
 * @param {string} programPath whose name decides what it behaves as
 * @param {readonly string[]} args
 */
export async function runClearwing(programPath, args) {
  try {
    await setUp();
  } catch (error) {
    fail(error);
    return;
  }
  process.argv.splice(1, process.argv.length, programPath, ...args);
  await import(pathToFileURL(clearwingMain).href);
}
