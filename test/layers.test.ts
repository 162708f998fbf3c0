/** Reads every import in src/ and compares it with the table of layers: who may know whom. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryDirectory } from './support/paths.ts';

interface Layer {
  /** Other layers it may import. */
  readonly layers: readonly string[];
  /** Whether it may use Node's own modules. */
  readonly node: boolean;
  /** npm packages it may import. */
  readonly packages: readonly string[];
}

/** Everything that runs in browsers too, in the order in which it is built up. */
const protocolStack = ['base', 'protocol', 'codec', 'exchange', 'transport', 'client'];

const table: Readonly<Record<string, Layer>> = {
  base: { layers: [], node: false, packages: [] },
  protocol: { layers: ['base'], node: false, packages: [] },
  codec: { layers: ['protocol', 'base'], node: false, packages: [] },
  /** What messages carry: JSON and hexadecimal digits, with no knowledge of MQTT. */
  payload: { layers: ['base'], node: false, packages: [] },
  exchange: { layers: ['codec', 'protocol', 'base'], node: false, packages: [] },
  transport: { layers: ['base'], node: false, packages: [] },
  'transport/node': { layers: ['transport', 'base'], node: true, packages: ['ws'] },
  client: { layers: ['exchange', 'codec', 'protocol', 'transport', 'base'], node: false, packages: [] },
  'client/node': {
    layers: ['client', 'transport/node', 'exchange', 'codec', 'protocol', 'transport', 'base'],
    node: true,
    packages: [],
  },
  capture: { layers: ['base'], node: false, packages: ['pako'] },
  /** What only Node has: ciphers, and programs that capture. */
  'capture/node': { layers: ['capture', 'base'], node: true, packages: [] },
  /** Not codec: the two read packets independently, and tests hold them against each other. */
  dissect: { layers: ['capture', 'payload', 'protocol', 'base'], node: false, packages: [] },
  broker: {
    /** The dissector for what the tap records. */
    layers: ['transport/node', 'dissect', 'capture', 'exchange', 'codec', 'protocol', 'transport', 'base'],
    node: true,
    packages: ['lmdb'],
  },
  /** Not the broker and not the client library: what measures them must not share their mistakes or their pace. */
  bench: {
    layers: ['transport/node', 'exchange', 'codec', 'protocol', 'transport', 'base'],
    node: true,
    packages: ['hdr-histogram-js'],
  },
  cli: {
    layers: [
      'broker',
      'bench',
      'client/node',
      'transport/node',
      'dissect',
      'capture',
      'capture/node',
      'payload',
      ...protocolStack,
    ],
    node: true,
    packages: [],
  },
  /** src/index.ts, what `import 'clearwing'` gives. */
  '.': { layers: ['broker', 'client/node', ...protocolStack], node: true, packages: [] },
};

interface Import {
  /** Relative to src/, with forward slashes. */
  readonly from: string;
  /** As it is written. */
  readonly specifier: string;
}

const sourceDirectory = join(repositoryDirectory, 'src');

/** The layer a file of src/ is in: the longest entry of the table that its path begins with. */
function layerOf(path: string): string {
  if (path === 'client/node.ts') return 'client/node';
  const directory = posix.dirname(path);
  for (let layer = directory; layer !== '.'; layer = posix.dirname(layer)) if (layer in table) return layer;
  return directory === '.' ? '.' : `${directory.split('/')[0]} (which the table does not have)`;
}

/** Every module that a source text imports or exports from, also with `import()` and in types. */
function specifiersOf(source: string): string[] {
  const withoutComments = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern = /(?:\b(?:import|export)\b[^'";]*?\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)(['"`])([^'"`]+)\1/gm;
  return [...withoutComments.matchAll(pattern)].map((match) => match[2]!);
}

/** Why an import is against the table, or undefined. */
function objection({ from, specifier }: Import): string | undefined {
  const layerName = layerOf(from);
  const layer = table[layerName];
  if (layer === undefined) return `${from} is in the layer ${layerName}`;
  if (specifier.startsWith('node:'))
    return layer.node ? undefined : `${from} imports ${specifier}, but must run in browsers`;
  if (!specifier.startsWith('.')) {
    if (layer.packages.includes(specifier)) return undefined;
    return `${from} imports the package ${specifier}, which ${layerName} may not`;
  }
  if (!specifier.endsWith('.ts')) return `${from} imports ${specifier} without its .ts`;
  const target = posix.join(posix.dirname(from), specifier);
  if (target.startsWith('..')) return `${from} imports ${specifier}, which is outside src/`;
  const targetLayer = layerOf(target);
  if (targetLayer === layerName || layer.layers.includes(targetLayer)) return undefined;
  return `${from} imports ${specifier}: ${layerName} may not know ${targetLayer}`;
}

function sourceFiles(): string[] {
  return readdirSync(sourceDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(sourceDirectory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
}

const imports: Import[] = sourceFiles().flatMap((from) =>
  specifiersOf(readFileSync(join(sourceDirectory, from), 'utf8')).map((specifier) => ({ from, specifier })),
);

describe('layers', () => {
  it('import only what the table allows', () => {
    expect(imports.map(objection).filter((reason) => reason !== undefined)).toEqual([]);
  });

  it('are read: the imports of a known file are found', () => {
    const known = imports.filter(({ from }) => from === 'codec/packets.ts').map(({ specifier }) => specifier);
    expect(known).toContain('../protocol/properties.ts');
    expect(imports.length).toBeGreaterThan(100);
  });

  it('have no circles between folders', () => {
    const circles = Object.entries(table).filter(([name, { layers }]) =>
      layers.some((below) => table[below]!.layers.includes(name)),
    );
    expect(circles).toEqual([]);
  });
});

describe('the reader of imports', () => {
  it.each([
    ["import { a } from './a.ts';", ['./a.ts']],
    ["import type {\n  A,\n  B,\n} from '../b/b.ts';", ['../b/b.ts']],
    ["export * from './c.ts';", ['./c.ts']],
    ["export { d } from './d.ts';", ['./d.ts']],
    ["import './effect.ts';", ['./effect.ts']],
    ["const e = await import('./e.ts');", ['./e.ts']],
    ["let f: import('./f.ts').F;", ['./f.ts']],
    ["import G, { type H } from 'g';", ['g']],
    ["/* import { a } from './a.ts'; */\n// import './b.ts';\n", []],
    ["const text = 'taken from here';\nexport const other = 'x';", []],
  ])('reads %j', (source, expected) => {
    expect(specifiersOf(source)).toEqual(expected);
  });

  it.each([
    ['base/bytes.ts', 'node:buffer'],
    ['base/bytes.ts', '../protocol/version.ts'],
    ['codec/publish.ts', '../broker/broker.ts'],
    ['client/client.ts', '../transport/node/tcp.ts'],
    ['client/web.ts', './node.ts'],
    ['broker/broker.ts', '../client/node.ts'],
    ['broker/broker.ts', '../cli/main.ts'],
    ['broker/broker.ts', 'lodash'],
    ['cli/pub.ts', '../client/node'],
    ['utils/helper.ts', '../base/bytes.ts'],
    ['cli/version.ts', '../../package.json'],
  ])('objects to %s importing %s', (from, specifier) => {
    expect(objection({ from, specifier })).toBeDefined();
  });
});
