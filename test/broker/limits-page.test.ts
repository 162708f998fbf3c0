/** docs/reference/limits.md names every limit there is, with the defaults that hold. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { keyRows } from '../../src/broker/config/keys.ts';
import { counterRows } from '../../src/broker/counters.ts';
import { defaultBrokerSettings, defaultListenerSettings } from '../../src/broker/options.ts';
import { repositoryDirectory } from '../support/paths.ts';

const page = readFileSync(join(repositoryDirectory, 'docs', 'reference', 'limits.md'), 'utf8');

interface Row {
  readonly limit: string;
  readonly names: string;
  readonly defaultText: string;
  readonly cells: readonly string[];
}

const rows: readonly Row[] = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| limit |'))
  .map((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { limit: cells[0] as string, names: cells[1] as string, defaultText: cells[2] as string, cells };
  });

const mentioned = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);

/** Numbers among the settings that are no limits. */
const noLimits = ['sysInterval', 'port'];
const numbersOf = (settings: object) =>
  Object.entries(settings).filter(([name, value]) => typeof value === 'number' && !noLimits.includes(name)) as [
    string,
    number,
  ][];

/** A number as the page writes it: 1,000 · 16 MiB · 10 s. */
function readNumber(text: string): number {
  const [, digits = '', unit = ''] = /^(-?[\d,]+) ?(\w*)/.exec(text) ?? [];
  const factor = { MiB: 1024 * 1024, KiB: 1024 }[unit] ?? 1;
  return Number(digits.replaceAll(',', '')) * factor;
}

describe('docs/reference/limits.md', () => {
  it('is one table whose rows are complete', () => {
    expect(rows.length).toBeGreaterThan(25);
    for (const { cells, limit } of rows) {
      expect(cells, limit).toHaveLength(6);
      for (const cell of cells) expect(cell, limit).not.toBe('');
    }
    expect(page.match(/^\|---/gm)).toHaveLength(1);
  });

  const options = [
    ...numbersOf(defaultBrokerSettings).map(([field, value]) => ({ where: 'broker', field, value })),
    ...numbersOf(defaultListenerSettings).map(([field, value]) => ({ where: 'listener', field, value })),
  ];

  it.each(options)('has $field of the $where, with its key and its default', ({ where, field, value }) => {
    const ofListener = where === 'listener';
    const found = rows.filter(
      ({ names }) => mentioned(names).includes(field) && names.includes('(listener)') === ofListener,
    );
    expect(found, field).not.toEqual([]);
    const key = keyRows.find(
      ({ target, aliasOf }) => target?.in === where && target.field === field && aliasOf === undefined,
    )?.key;
    for (const { names } of found) expect(mentioned(names)).toContain(key);
    expect(readNumber(found[0]?.defaultText as string), field).toBe(value);
  });

  it('has every counter of a limit, and no topic that there is not', () => {
    const topics = new Set(rows.flatMap(({ cells }) => mentioned(cells[5] as string)));
    const known = Object.values(counterRows).map(({ topic }) => topic.replace('$SYS/broker/', ''));
    for (const topic of known.filter((one) => one.startsWith('clearwing/limits/'))) expect(topics).toContain(topic);
    for (const topic of topics) expect(known).toContain(topic);
  });

  it('names keys, options and constants that exist', () => {
    const source = (readdirSync(join(repositoryDirectory, 'src'), { recursive: true }) as string[])
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join(repositoryDirectory, 'src', path), 'utf8'))
      .join('\n');
    const keys = new Set(keyRows.map(({ key }) => key));
    const fields = new Set([...Object.keys(defaultBrokerSettings), ...Object.keys(defaultListenerSettings)]);
    for (const { names, defaultText, cells } of rows) {
      for (const name of mentioned([names, defaultText, cells[3]].join())) {
        const isKnown =
          keys.has(name) || fields.has(name) || new RegExp(`^(export )?const ${name} = `, 'm').test(source);
        expect(isKnown, name).toBe(true);
      }
    }
  });
});
