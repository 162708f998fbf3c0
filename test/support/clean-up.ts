/** Run for every test file, also for those that share a process: takes away what a test left that failed half-way. */
import { afterAll } from 'vitest';
import { removeDirectories } from './broker-process.ts';
import { killAll } from './run.ts';

afterAll(() => {
  killAll();
  removeDirectories();
});
