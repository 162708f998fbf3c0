/** How often tests of properties run. Every run has other inputs: `CLEARWING_TEST_RUNS=100 npx vitest run test/dissect` looks at a hundred times as many. */
export function propertyRuns(usual: number): number {
  const factor = Number(process.env.CLEARWING_TEST_RUNS ?? '1');
  return Math.max(1, Math.round(usual * factor));
}
