import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

/** Tests of what a process has but once, its environment and its memory, and of programs that act on the whole checkout. */
const alone = [
  'test/*.test.ts',
  ...['bench', 'crash', 'scripts', 'support'].map((folder) => `test/${folder}/**/*.test.ts`),
  'test/broker/chunk-memory.test.ts',
  'test/cli/dissect/{golden,tshark}.test.ts',
];

const common = {
  pool: 'forks',
  setupFiles: ['test/support/clean-up.ts'],
  // Bounds for a test that hangs, not a measure: a loaded machine may be slow.
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    // Two more than the cores of a small machine: half of the time tests wait for other programs, or for a time to pass.
    maxWorkers: 4,
    sequence: { sequencer: SlowestFirst },
    projects: [
      // Tests that end what they start: they share four processes, one file after the other, which saves a quarter of a second of
      // processor time for each.
      { test: { ...common, name: 'sharing', include: ['test/**/*.test.ts'], exclude: alone, isolate: false } },
      { test: { ...common, name: 'alone', include: alone } },
    ],
  },
});
