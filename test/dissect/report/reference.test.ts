import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tableReference } from '../../../src/dissect/report/reference.ts';
import { repositoryDirectory } from '../../support/paths.ts';

it('docs/reference/dissect-tables.md has every column of every table', async () => {
  const page = join(repositoryDirectory, 'docs/reference/dissect-tables.md');
  await expect(tableReference()).toMatchFileSnapshot(page);
});
