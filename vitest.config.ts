import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/support/slowest-first.ts';

/**
 * Tests that call modules, and end what they start: they share three processes, one file after the other, which saves half a second of
 * processor time for each.
 */
const sharing = [
  'base',
  'protocol',
  'codec',
  'exchange',
  'payload',
  'transport',
  'capture',
  'dissect',
  'broker',
  'simulation',
].map((folder) => `test/${folder}/**/*.test.ts`);

const common = {
  pool: 'forks',
  // Bounds for a test that hangs, not a measure: a loaded machine may be slow.
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    // One more than the cores of a small machine: a third of the time tests wait for other programs, or for a time to pass.
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    projects: [
      { test: { ...common, name: 'modules', include: sharing, isolate: false } },
      // A process per file: these are about programs, signals and the environment.
      { test: { ...common, name: 'programs', include: ['test/**/*.test.ts'], exclude: sharing } },
    ],
  },
});
