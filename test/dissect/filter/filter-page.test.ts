/** docs/reference/display-filters.md: what it shows as a filter is one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import { functions } from '../../../src/dissect/filter/functions.ts';
import { pointAt } from '../../../src/dissect/filter/point-at.ts';
import { operators } from '../../../src/dissect/filter/token.ts';
import { registry } from '../../../src/dissect/registry.ts';
import type { FilterSyntaxError } from '../../../src/protocol/errors.ts';
import { repositoryDirectory } from '../../support/paths.ts';

const page = readFileSync(join(repositoryDirectory, 'docs', 'reference', 'display-filters.md'), 'utf8');
const blocks = [...page.matchAll(/```\n(.*?)```/gs)].map(([, text]) => text!.trimEnd());

describe('docs/reference/display-filters.md', () => {
  it('shows filters that are filters', () => {
    const [about] = page.split('## Where it differs');
    const inline = [...about!.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);
    const filters = inline.filter((text) => /^(?:any |all |string\()?(?:mqtt|tcp|ip|frame)\b.*[ [#]/.test(text));
    expect(filters.length).toBeGreaterThan(15);
    for (const filter of [...blocks[0]!.split('\n'), ...filters]) {
      expect(() => compileFilter(filter, registry), filter).not.toThrow();
    }
  });

  it('shows a mistake as it is shown', () => {
    const [filter, place, message] = blocks[1]!.split('\n');
    try {
      compileFilter(filter!, registry);
      expect.unreachable();
    } catch (error) {
      expect(pointAt(filter!, error as FilterSyntaxError)).toBe(`${filter}\n${place}`);
      expect((error as FilterSyntaxError).message).toBe(message);
    }
  });

  it('names every operator and function', () => {
    for (const operator of Object.keys(operators)) {
      if (/^(?:and|or|xor|not|any|all|\W+|in)$/.test(operator)) continue;
      expect(page).toContain(`\`${operator}\``);
    }
    for (const name of Object.keys(functions)) expect(page).toMatch(new RegExp(`\`${name}\\(`));
  });
});
