/** Keeps docs/reference/clients.md and `--help` true to the tables; `npx vitest run -u` writes the tables anew. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { helpText, optionForm, optionTables } from '../../../src/cli/client/help.ts';
import { optionRows } from '../../../src/cli/client/option-rows.ts';
import { isSettable, propertyOptionName, propertyTargets } from '../../../src/cli/client/property-option.ts';
import { type PropertyKey, propertyRows } from '../../../src/protocol/properties.ts';
import { repositoryDirectory } from '../../support/paths.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { runClient } from './compare.ts';

const path = join(repositoryDirectory, 'docs/reference/clients.md');

function replaceSection(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- ${name}: [^>]*-->\n)[^]*?(<!-- end of ${name} -->)`);
  expect(text).toMatch(pattern);
  return text.replace(pattern, (_, begin, end) => `${begin}\n${content}\n${end}`);
}

function propertyTable(): string {
  const rows = [...propertyTargets].map(([word, target]) => {
    const names = Object.entries(propertyRows)
      .filter(([key]) => isSettable(target, key as PropertyKey))
      .map(([, row]) => `\`${propertyOptionName(row)}\``);
    return `| \`${word}\` | ${names.join(', ')} |`;
  });
  return `| packet | properties |\n|---|---|\n${rows.join('\n')}\n`;
}

it('docs/reference/clients.md has the options and properties of the tables', async () => {
  const text = readFileSync(path, 'utf8');
  const withOptions = replaceSection(text, 'options', optionTables());
  await expect(replaceSection(withOptions, 'properties', propertyTable())).toMatchFileSnapshot(path);
});

describe('--help', () => {
  it.each(['pub', 'sub', 'rr'] as const)(
    'of %s has every option it takes and no other, in lines that fit a terminal',
    (command) => {
      const text = helpText(command, `clearwing ${command}`);
      for (const row of optionRows) {
        expect([row.flag, text.includes(`  ${optionForm(row)}`)]).toEqual([row.flag, row.commands.includes(command)]);
      }
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
      expect(text).toContain(`Usage: clearwing ${command} [options] -t `);
    },
  );
});

describeWithPeer(['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'], 'the option table', () => {
  it.each(['pub', 'sub', 'rr'] as const)('has every option that mosquitto_%s --help lists', async (command) => {
    const { stdout } = await runClient('real', command, ['--help']);
    const listed = [...stdout.matchAll(/^ (--?[A-Za-z0-9-]+) :/gm)].map(([, flag]) => flag!);
    expect(listed.length).toBeGreaterThan(30);
    const known = optionRows
      .filter((row) => row.commands.includes(command))
      .flatMap(({ flag, alias = flag }) => [flag, alias]);
    expect(listed.filter((flag) => !known.includes(flag))).toEqual([]);
  });
});
