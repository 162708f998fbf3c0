/** docs/guides/embedding.md and examples/embedded-broker.ts: what they show compiles, runs, and prints what they say. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryDirectory } from '../support/paths.ts';
import { destroyRawClients, openClient, RawClient } from '../support/raw-client.ts';
import { connect, publish, subscribe } from '../support/raw-packets.ts';
import { run, start } from '../support/run.ts';

const guidePath = join(repositoryDirectory, 'docs', 'guides', 'embedding.md');
const guide = readFileSync(guidePath, 'utf8');

interface Snippet {
  readonly title: string;
  readonly code: string;
  /** What it prints; nothing if the guide shows nothing. */
  readonly output: string;
}

const snippets: readonly Snippet[] = [
  ...guide.matchAll(/^```ts\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm),
].map((match) => ({
  title:
    guide
      .slice(0, match.index)
      .match(/^## .*$/gm)
      ?.at(-1)
      ?.slice(3) ?? '',
  code: match[1] as string,
  output: match[2] ?? '',
}));

/** Where the packages that the snippets import are found. */
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(repositoryDirectory, 'node_modules', '.clearwing-embedding-'));
  for (const [index, { code }] of snippets.entries()) writeFileSync(join(folder, `snippet-${index}.ts`), code);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const entries = { 'clearwing/broker': ['broker', 'index.ts'], 'clearwing/client': ['client', 'node.ts'] } as const;
const sources = Object.fromEntries(
  Object.entries(entries).map(([name, path]) => [name, join(repositoryDirectory, 'src', ...path)]),
);

describe('docs/guides/embedding.md', () => {
  it('shows what compiles under the strictest settings', async () => {
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: join(repositoryDirectory, 'tsconfig.json'),
        compilerOptions: { paths: Object.fromEntries(Object.entries(sources).map(([name, path]) => [name, [path]])) },
        include: ['*.ts'],
      }),
    );
    const compiler = join(repositoryDirectory, 'node_modules', 'typescript', 'bin', 'tsc');
    const { status, stdout } = await run(process.execPath, [compiler, '-p', folder]);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('prints what it says', async () => {
    expect(snippets.length).toBeGreaterThanOrEqual(9);
    await build({
      entryPoints: snippets.map((_, index) => join(folder, `snippet-${index}.ts`)),
      alias: sources,
      bundle: true,
      splitting: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      logLevel: 'silent',
    });
    const divider = '=== next ===';
    const lines = snippets.map((_, index) => `await import('./snippet-${index}.mjs'); console.log('${divider}');`);
    writeFileSync(join(folder, 'all.mjs'), lines.join('\n'));
    const { status, stdout, stderr } = await run(process.execPath, [join(folder, 'all.mjs')]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const outputs = stdout.split(`${divider}\n`);
    for (const [index, { title, output }] of snippets.entries()) expect(outputs[index], title).toBe(output);
  });

  it('links to pages that exist', () => {
    const targets = [...guide.matchAll(/\]\(([^)#]+)/g)].map((match) => match[1] as string);
    expect(targets.length).toBeGreaterThan(3);
    for (const target of targets) expect(existsSync(join(dirname(guidePath), target)), target).toBe(true);
  });
});

describe('examples/embedded-broker.ts', () => {
  it('serves its users as it says, and stops when it is told to', async () => {
    const outfile = join(folder, 'example.mjs');
    await build({
      entryPoints: [join(repositoryDirectory, 'examples', 'embedded-broker.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outfile,
      logLevel: 'silent',
    });
    const program = start(process.execPath, [outfile, '0']);
    const [first = ''] = await program.waitForLines(1);
    const port = Number(/^listening on port (\d+)$/.exec(first)?.[1]);
    const stranger = await RawClient.open(port);
    stranger.version = 4;
    stranger.send(connect({ version: 4, clientIdentifier: 's', username: 'ada', password: 'wrong' }));
    expect((await stranger.expect('CONNACK')).code).toBe(4);
    const ada = await openClient(port, { version: 4, clientIdentifier: 'a', username: 'ada', password: 'engine' });
    ada.send(
      subscribe(1, [
        ['home/ada/#', 0],
        ['home/grace/#', 0],
      ]),
    );
    expect((await ada.expect('SUBACK')).codes).toEqual([0, 0x80]);
    ada.send(publish('home/ada/lamp', 'damn'), publish('home/ada/lamp', 'on'), publish('home/grace/lamp', 'off'));
    expect((await ada.collect()).map(({ payload }) => `${payload}`)).toEqual(['on']);
    const { stdout, stderr } = await program.stop('SIGTERM');
    await ada.expectClosed();
    destroyRawClients();
    expect(stdout.split('\n').slice(1)).toEqual([
      'ada is here as a',
      'ada is gone: The broker is shutting down',
      'stopped',
      '',
    ]);
    expect(stderr).toMatch(/^warning: Refused CONNECT .*\nwarning: Refused SUBSCRIBE .*\nwarning: Refused PUBLISH /);
  });
});
