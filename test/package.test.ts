/** What a person gets who installs the package: its entry points, its types, its files. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../src/cli/version.ts';
import { clearwingMain, repositoryDirectory } from './support/paths.ts';
import { run } from './support/run.ts';

const manifest = JSON.parse(readRepositoryFile('package.json'));
const entryPoints = ['clearwing', 'clearwing/broker', 'clearwing/client', 'clearwing/codec', 'clearwing/protocol'];

function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryDirectory, path), 'utf8');
}

describe('the manifest', () => {
  it('has the version that the program prints', () => {
    expect(manifest.version).toBe(version);
    expect(readRepositoryFile('CHANGELOG.md')).toContain(`## [${version}]`);
  });

  it('names the licence whose text is there', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(readRepositoryFile('LICENSE')).toMatch(/Apache License\s+Version 2\.0[\s\S]+END OF TERMS AND CONDITIONS/);
  });

  it('names files that exist', () => {
    const included = manifest.files.filter((path: string) => !path.startsWith('!'));
    for (const path of included) expect(existsSync(join(repositoryDirectory, path)), path).toBe(true);
  });

  it('leaves out the compiled code, which is for the Node that made it', () => {
    expect(manifest.files).toContain('!dist/**/*.v8');
  });

  it('needs no more than Node 20', () => {
    expect(manifest.engines.node).toBe('>=20');
  });
});

describe('the lock file', () => {
  const packages: Record<string, Record<string, unknown>> = JSON.parse(
    readRepositoryFile('package-lock.json'),
  ).packages;

  it('names no registry but the default one', () => {
    const elsewhere = Object.entries(packages).filter(
      ([, entry]) => entry.resolved !== undefined && !String(entry.resolved).startsWith('https://registry.npmjs.org/'),
    );
    expect(elsewhere).toEqual([]);
  });

  it('has the checksum of every package', () => {
    const unchecked = Object.entries(packages).filter(([path, entry]) => path !== '' && entry.integrity === undefined);
    expect(unchecked).toEqual([]);
  });

  it('holds the optional packages of every system, not only of the one it was written on', () => {
    const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')));
    const missing = Object.values(packages)
      .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
      .filter((name) => !names.has(name));
    expect(missing).toEqual([]);
  });
});

describe('the package as it is installed', () => {
  let directory: string;
  let installed: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'clearwing-package-'));
    installed = join(directory, 'node_modules', 'clearwing');
    // What npm would put there, and the declarations made anew.
    mkdirSync(installed, { recursive: true });
    cpSync(join(repositoryDirectory, 'package.json'), join(installed, 'package.json'));
    cpSync(join(repositoryDirectory, 'dist'), join(installed, 'dist'), {
      recursive: true,
      filter: (path) => path !== join(repositoryDirectory, 'dist', 'types'),
    });
    for (const name of [...Object.keys(manifest.dependencies), '@types', 'undici-types']) {
      symlinkSync(join(repositoryDirectory, 'node_modules', name), join(directory, 'node_modules', name));
    }
    const { status, stdout } = await compile('-p', 'tsconfig.types.json', '--outDir', join(installed, 'dist', 'types'));
    expect(status, stdout).toBe(0);
  });

  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const compile = (...args: string[]) =>
    run(process.execPath, [join(repositoryDirectory, 'node_modules', 'typescript', 'bin', 'tsc'), ...args], {
      directory: repositoryDirectory,
    });

  it.each(entryPoints)('exports %s with something in it', async (name) => {
    const file = join(directory, 'import.mjs');
    writeFileSync(file, `import * as all from '${name}'; console.log(Object.keys(all).length);`);
    const { status, stdout, stderr } = await run(process.execPath, [file]);
    expect(status, stderr).toBe(0);
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  it('exports nothing else', async () => {
    const file = join(directory, 'private.mjs');
    writeFileSync(file, "import 'clearwing/dist/cli/main.js';");
    const { status, stderr } = await run(process.execPath, [file]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('has types that a strict program compiles against, with the declarations checked, too', async () => {
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    writeFileSync(
      join(directory, 'consumer.ts'),
      `${entryPoints.map((name, index) => `import * as m${index} from '${name}';`).join('\n')}
import { createBroker } from 'clearwing/broker';
import { connect, type Client } from 'clearwing/client';
export const all = [${entryPoints.map((_, index) => `m${index}`).join(', ')}];
export async function use(client: Client): Promise<void> {
  await client.publish('a', 'b', { qos: 1 });
  // @ts-expect-error: there is no QoS 3
  await client.publish('a', 'b', { qos: 3 });
}
export const functions: readonly [(...args: never[]) => unknown, (...args: never[]) => unknown] = [createBroker, connect];
`,
    );
    const options = { strict: true, noEmit: true, target: 'es2023', module: 'nodenext', types: ['node'] };
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['consumer.ts'] }),
    );
    const { status, stdout } = await compile('-p', directory);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it.each(['clearwing/client', 'clearwing/codec', 'clearwing/protocol'])(
    'bundles %s for browsers without Node',
    async (name) => {
      const file = join(directory, 'page.mjs');
      writeFileSync(file, `export * from '${name}';`);
      // Fails on any import of a Node module, for which a browser has nothing.
      const { outputFiles } = await build({
        entryPoints: [file],
        bundle: true,
        write: false,
        format: 'esm',
        platform: 'browser',
        logLevel: 'silent',
      });
      expect(outputFiles[0]!.text).not.toMatch(/\bBuffer\.(from|alloc)|\bprocess\.(env|nextTick)/);
    },
  );

  it('has types for browsers that need nothing of Node', async () => {
    writeFileSync(
      join(directory, 'page.ts'),
      `import { connect, type Client } from 'clearwing/client';
export const client: Promise<Client> = connect('ws://localhost:8083');
`,
    );
    const options = {
      strict: true,
      noEmit: true,
      target: 'es2023',
      module: 'preserve',
      moduleResolution: 'bundler',
      customConditions: ['browser'],
      lib: ['es2023', 'dom'],
      types: [],
    };
    const file = join(directory, 'tsconfig.page.json');
    writeFileSync(file, JSON.stringify({ compilerOptions: options, files: ['page.ts'] }));
    const { status, stdout } = await compile('-p', file);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('has a program that can be started by its name', async () => {
    expect(join(repositoryDirectory, manifest.bin.clearwing)).toBe(clearwingMain);
    expect(readFileSync(clearwingMain, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    expect(statSync(clearwingMain).mode & 0o111).toBe(0o111);
  });
});
