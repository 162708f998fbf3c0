import { join } from 'node:path';
import { describe, it } from 'vitest';
import { repositoryDirectory } from '../../support/paths.ts';
import { expectCourseLab } from './course-lab-facts.ts';

describe('a lab that was recorded', () => {
  it('is told by the tables as it was arranged', async () => {
    await expectCourseLab(join(repositoryDirectory, 'test/fixtures/asking/course-lab.pcapng'));
  });
});
