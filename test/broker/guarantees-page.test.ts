/** docs/guarantees.md: each row names the test that shows it, and these tests exist. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryDirectory } from '../support/paths.ts';

const path = join(repositoryDirectory, 'docs', 'guarantees.md');
const page = readFileSync(path, 'utf8');

interface Reference {
  /** Relative to the page. */
  readonly file: string;
  readonly title: string;
}

/** `[name](../test/….test.ts): *title*, *title*` */
const referencePattern = /\[[^\]]+\]\((\.\.\/test\/[^)]+)\)((?::\s\*[^*]+\*(?:,\s\*[^*]+\*)*)?)/g;

function referencesOf(text: string): Reference[] {
  return [...text.matchAll(referencePattern)].flatMap(([, file = '', titles = '']) => {
    const found = [...titles.matchAll(/\*([^*]+)\*/g)].map((match) => (match[1] as string).replace(/\s+/g, ' '));
    // A file without a title would name every test in it, that is, none.
    return (found.length === 0 ? [''] : found).map((title) => ({ file, title }));
  });
}

/** What is said by a title of which `…` leaves out the beginning or the end. */
function matches(title: string, full: string): boolean {
  if (title.startsWith('… ')) return full.endsWith(title.slice(2));
  if (title.endsWith(' …')) return full.startsWith(title.slice(0, -2));
  return full === title;
}

/** The titles of a file's tests: the texts that open the brackets of `it(` and of `it.each(…)(`. */
function titlesIn(source: string): string[] {
  return [...source.matchAll(/\(\s*(['"`])((?:(?!\1).)+)\1/g)].map((match) => match[2] as string);
}

/** Rows of the tables whose last column says what shows it, as cells. */
const rows = page
  .split('\n\n')
  .filter((block) => /^\|.*\| shown by \|\n/.test(block))
  .flatMap((block) => block.trim().split('\n').slice(2))
  .map((line) => line.split('|').slice(1, -1));

/** There is nothing to show. */
const promisesNothing = 'QoS 0 promises nothing';

describe('docs/guarantees.md', () => {
  it('has rows of what happens and rows of what is kept', () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows.map((cells) => [cells[0]?.trim(), cells.at(-1)?.trim()]))(
    'names what shows it: %s',
    (_event, shownBy) => {
      if (shownBy !== promisesNothing) expect(referencesOf(shownBy ?? '')).not.toEqual([]);
    },
  );

  const references = new Map(referencesOf(page).map((one) => [`${one.file} ${one.title}`, one]));
  it.each([...references.values()])('names a test that exists: $title', ({ file, title }) => {
    const titles = titlesIn(readFileSync(join(dirname(path), file), 'utf8'));
    expect(
      titles.some((full) => title !== '' && matches(title, full)),
      `${file} has no test that is called '${title}'`,
    ).toBe(true);
  });
});
