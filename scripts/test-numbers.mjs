/** The numbers that end `npm test`. */

/**
 * Counts what is in vitest's JSON report. A file that could not be read, or whose set-up failed, is one failure: none of its
 * tests says so.
 * @param {object} report
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countResults(report) {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * `12 passed, 0 failed`, and `, 3 skipped` if there are such.
 * @param {{ passed: number, failed: number, skipped: number }} numbers
 */
export function describeResults({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
