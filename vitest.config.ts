import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // A process per file: tests open sockets, start programs and may end them.
    pool: 'forks',
    // One more than the cores of a small machine: a third of the time tests wait for other programs, or for a time to pass.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    // Bounds for a test that hangs, not a measure: a loaded machine may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
