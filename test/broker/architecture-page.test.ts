/** docs/architecture.md is about the source as it is. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryDirectory } from '../support/paths.ts';

const pagePath = join(repositoryDirectory, 'docs', 'architecture.md');
const page = readFileSync(pagePath, 'utf8');
const sourceDirectory = join(repositoryDirectory, 'src');
const files = (readdirSync(sourceDirectory, { recursive: true }) as string[])
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => statSync(join(sourceDirectory, path)).isFile());
const source = files.map((path) => readFileSync(join(sourceDirectory, path), 'utf8')).join('\n');

const withoutDrawings = page.replaceAll(/^```[\s\S]*?^```$/gm, '');
const drawings = [...page.matchAll(/^```text\n([\s\S]*?)^```$/gm)].map((match) => match[1]).join('\n');
const quoted = [...new Set([...withoutDrawings.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string))];

const isPath = (text: string) =>
  /^[\w.-]+(\/[\w.-]*)*$/.test(text) && (/\.(ts|json|md)$/.test(text) || text.endsWith('/'));

/** The section below a heading. */
function section(heading: string): string {
  const start = page.indexOf(`\n## ${heading}\n`);
  const end = page.indexOf('\n## ', start + 1);
  return page.slice(start, end === -1 ? undefined : end);
}

/** Cells of the first table of a section, without its head. */
function tableOf(heading: string): string[][] {
  const lines = section(heading)
    .split('\n')
    .filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const quotedIn = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);

describe('docs/architecture.md', () => {
  const paths = quoted.filter(isPath);

  it('names many files and folders', () => {
    expect(paths.length).toBeGreaterThan(60);
  });

  it.each(paths)('names %s, which exists', (path) => {
    const places = [
      join(sourceDirectory, path),
      join(sourceDirectory, 'broker', path),
      join(repositoryDirectory, path),
    ];
    expect(places.some((place) => existsSync(place))).toBe(true);
  });

  const names = quoted.filter((text) => /^[A-Za-z]\w*(\.[A-Za-z]\w*)*$/.test(text) && !isPath(text));

  it.each(names)('names %s, which the source has', (name) => {
    // Of `Class.member` both; keys of the configuration file and words of a union stand in the source as texts.
    for (const part of name.split('.')) expect(source).toMatch(new RegExp(`\\b${part}\\b`));
  });

  it('draws with names that the source has', () => {
    const drawn = [...drawings.matchAll(/\b[A-Za-z]+\.[a-z]\w+\b|\b[a-z]+[A-Z]\w+\b/g)].map(([name]) => name);
    expect(drawn.length).toBeGreaterThan(8);
    for (const name of drawn) {
      for (const part of name.split('.')) expect(source, name).toMatch(new RegExp(`\\b${part}\\b`));
    }
  });

  it('links to pages that exist', () => {
    for (const [, target] of page.matchAll(/\]\(([^)#]+)/g)) {
      expect(existsSync(join(dirname(pagePath), target as string)), target).toBe(true);
    }
  });

  it('has a place for every file of the broker', () => {
    const named = tableOf('The broker, file by file').flatMap(([cell = '']) => quotedIn(cell));
    const places = [
      ...new Set(
        files
          .filter((path) => path.startsWith('broker/') && path !== 'broker/index.ts')
          .map((path) => path.slice('broker/'.length).replace(/\/.*$/, '/')),
      ),
    ];
    expect(named.toSorted()).toEqual(places.toSorted());
  });
});

describe('the table of layers', () => {
  const rows = tableOf('Layers').map(([folder = '', , imports = '']) => ({
    layer: (quotedIn(folder)[0] as string).replace(/\/$/, ''),
    imports: imports === '–' ? [] : imports.split(', '),
  }));
  const layers = rows.map(({ layer }) => layer);
  /** The row a file belongs to: the longest that its path begins with. */
  const layerOf = (path: string) =>
    layers.filter((layer) => path === layer || path.startsWith(`${layer}/`)).toSorted((a, b) => b.length - a.length)[0];
  const nameOf = (layer: string) => layer.replace(/\.ts$/, '');

  it('has a row for every folder', () => {
    for (const path of files) expect(layerOf(path), path).toBeDefined();
  });

  it.each(rows)('says of $layer what it imports', ({ layer, imports }) => {
    const seen = new Set<string>();
    for (const path of files.filter((one) => layerOf(one) === layer && one.endsWith('.ts'))) {
      const text = readFileSync(join(sourceDirectory, path), 'utf8');
      for (const [, specifier] of text.matchAll(
        /^(?:import|export|\} from).*?from '(\.[^']+)'|^\} from '(\.[^']+)'/gm,
      )) {
        if (specifier === undefined) continue;
        const target = layerOf(posix.join(posix.dirname(path), specifier));
        if (target !== undefined && target !== layer) seen.add(nameOf(target));
      }
    }
    for (const target of seen) expect(imports).toContain(target);
    for (const target of imports) expect(layers.map(nameOf)).toContain(target);
  });
});
