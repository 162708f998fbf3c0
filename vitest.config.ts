import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/support/global-setup.ts',
    // A process per file: tests open sockets, start programs and may end them.
    pool: 'forks',
    maxWorkers: 2,
    // Bounds for a test that hangs, not a measure: a loaded machine may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
