/** docs/guides/asking-captures.md: every command is run as it is written, and must print what the page says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryDirectory } from '../../support/paths.ts';
import { printed } from './printed.ts';

const path = join(repositoryDirectory, 'docs/guides/asking-captures.md');
const page = readFileSync(path, 'utf8');
const lab = join(repositoryDirectory, 'test/fixtures/asking/course-lab.pcapng');

/** Splits as a shell does, as far as single quotes go. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}

async function answer(command: string): Promise<string> {
  const all = words(command);
  const columns = /^COLUMNS=(\d+)$/.exec(all[0]!)?.[1];
  const [program, name, option, file, ...args] = columns === undefined ? all : all.slice(1);
  expect([program, name, option, file]).toEqual(['clearwing', 'dissect', '-r', 'course-lab.pcapng']);
  const before = process.env.COLUMNS;
  if (columns !== undefined) process.env.COLUMNS = columns;
  try {
    return (await printed(lab, args)).replaceAll('\r\n', '\n');
  } finally {
    if (before === undefined) delete process.env.COLUMNS;
    else process.env.COLUMNS = before;
  }
}

it('docs/guides/asking-captures.md shows what its commands print', async () => {
  let filled = '';
  let commands = 0;
  for (const [index, part] of page.split(/^```console\n(.*?)^```$/ms).entries()) {
    if (index % 2 === 0) {
      filled += part;
      continue;
    }
    filled += '```console\n';
    for (const line of part.split('\n').filter((one) => one.startsWith('$ '))) {
      filled += `${line}\n${await answer(line.slice(2))}`;
      commands++;
    }
    filled += '```';
  }
  expect(commands).toBeGreaterThan(25);
  // To write the page anew after a change: UPDATE_GUIDE=1 npx vitest run test/cli/dissect/asking-guide.test.ts
  if (process.env.UPDATE_GUIDE === '1') writeFileSync(path, filled);
  else expect(page).toBe(filled);
});
