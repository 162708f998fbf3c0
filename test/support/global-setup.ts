/** Before any test: dist/ is made from the sources as they are, since some tests start the program it holds, and the environment is made plain. */
import { setUp } from '../../scripts/setup.mjs';

export async function setup(): Promise<void> {
  try {
    await setUp();
  } catch (error) {
    // `npm test` sets up by itself and ends here; under plain vitest, tests of single modules can do without.
    console.warn(`dist/ is out of date: ${(error as Error).message}`);
  }
  // Tests trust the certificates that they make. Each Node that is started would read those of the machine, and take longer for that
  // than for all the rest.
  delete process.env.NODE_EXTRA_CA_CERTS;
}
