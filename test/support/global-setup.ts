/** Before any test: dist/ is made from the sources as they are, since some tests start the program it holds. */
import { setUp } from '../../scripts/setup.mjs';

export async function setup(): Promise<void> {
  await setUp();
}
