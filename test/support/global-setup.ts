/** Before any test: dist/ is made from the sources as they are, since some tests start the program it holds. */
import { setUp } from '../../scripts/setup.mjs';

export async function setup(): Promise<void> {
  try {
    await setUp();
  } catch (error) {
    // `npm test` sets up by itself and ends here; under plain vitest, tests of single modules can do without.
    console.warn(`dist/ is out of date: ${(error as Error).message}`);
  }
}
