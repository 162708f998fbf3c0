import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectMentions, conformanceReport, unknownStatements } from '../support/conformance-report.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { statementsOf } from '../support/statements.ts';

const mentions = collectMentions(join(repositoryDirectory, 'test'));

describe('the statements that titles name', () => {
  it('are those of the specifications', () => {
    expect(statementsOf('MQTT-')).toHaveLength(251);
    expect(statementsOf('MQTT311-')).toHaveLength(137);
    expect(unknownStatements(mentions)).toEqual([]);
  });

  it('are collected in docs/conformance.md', async () => {
    // When this fails, run `npx vitest run test/conformance/report.test.ts -u` and commit the page.
    await expect(conformanceReport(mentions)).toMatchFileSnapshot('../../docs/conformance.md');
  });
});
