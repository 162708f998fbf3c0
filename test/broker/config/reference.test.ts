import { expect, it } from 'vitest';
import { configurationReference } from '../../../src/broker/config/reference.ts';

it('docs/reference/configuration.md is what the table of keys says', async () => {
  // When this fails, run `npx vitest run test/broker/config/reference.test.ts -u` and commit the page.
  await expect(configurationReference()).toMatchFileSnapshot('../../../docs/reference/configuration.md');
});
