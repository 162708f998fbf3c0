/** docs/guides/client.md and examples/: what they show runs, and prints what they say. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, startBroker } from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import { run, start } from '../support/run.ts';

const root = join(import.meta.dirname, '..', '..');
const guide = readFileSync(join(root, 'docs', 'guides', 'client.md'), 'utf8');

interface Snippet {
  readonly title: string;
  readonly code: string;
  /** What it prints, if the guide says so. */
  readonly output: string | undefined;
}

function snippets(): Snippet[] {
  const found: Snippet[] = [];
  const fence = /^```ts\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm;
  for (const match of guide.matchAll(fence)) {
    const title =
      guide
        .slice(0, match.index)
        .match(/^## .*$/gm)
        ?.at(-1)
        ?.slice(3) ?? '';
    found.push({ title, code: match[1]!, output: match[2] });
  }
  return found;
}

describeWithPeer('mosquitto', 'the guide', () => {
  let broker: BrokerProcess;
  let folder: string;
  beforeAll(async () => {
    broker = await startBroker({ program: 'mosquitto' });
    // Where the packages that they import are found.
    folder = mkdtempSync(join(root, 'node_modules', '.clearwing-guide-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await broker.stop();
  });

  const bundle = async (name: string, options: BuildOptions): Promise<string> => {
    const outfile = join(folder, `${name}.mjs`);
    await build({
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outfile,
      logLevel: 'silent',
      ...options,
    });
    return outfile;
  };

  it('has snippets to run', () => {
    expect(snippets().length).toBeGreaterThanOrEqual(8);
  });

  it.each(snippets().map((snippet, index) => [index + 1, snippet.title, snippet] as const))(
    'runs snippet %i: %s',
    async (index, _title, { code, output }) => {
      const contents = code
        .replaceAll('mqtt://localhost', `mqtt://127.0.0.1:${broker.port}`)
        .replaceAll("'clearwing/client'", JSON.stringify(join(root, 'src', 'client', 'node.ts')));
      const program = await bundle(`snippet-${index}`, { stdin: { contents, loader: 'ts', resolveDir: root } });
      const result = await run(process.execPath, [program]);
      expect(result).toMatchObject({ status: 0, stderr: '' });
      if (output !== undefined) expect(result.stdout).toBe(output);
    },
  );

  it('goes with examples that run', async () => {
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const example = (name: string): Promise<string> =>
      bundle(name, { entryPoints: [join(root, 'examples', `${name}.ts`)] });
    const [publish, subscribe, ask] = await Promise.all(['publish', 'subscribe', 'request-response'].map(example));
    const first = start(process.execPath, [subscribe!, url]);
    await first.waitForOutput('a new Session');
    const published = await run(process.execPath, [publish!, url, '2']);
    expect(published).toMatchObject({ status: 0, stdout: 'published 2 readings\n', stderr: '' });
    expect(await first.waitForLines(5)).toEqual([
      'a new Session',
      'sensors/kitchen/status online',
      'sensors/kitchen/temperature 20.10',
      'sensors/kitchen/temperature 20.20',
      'sensors/kitchen/status offline',
    ]);
    await first.stop('SIGINT');
    await run(process.execPath, [publish!, url, '1']);
    const second = start(process.execPath, [subscribe!, url]);
    const lines = await second.waitForLines(5);
    // What was kept comes right after CONNACK, perhaps before the program has come to its first line.
    expect(lines).toContain('the server remembers us');
    expect(lines.filter((line) => line !== 'the server remembers us')).toEqual([
      'sensors/kitchen/status online',
      'sensors/kitchen/temperature 20.10',
      'sensors/kitchen/status offline',
      'sensors/kitchen/status offline (retained)',
    ]);
    await second.stop('SIGINT');
    const asked = await run(process.execPath, [ask!, url]);
    expect(asked).toMatchObject({ status: 0, stdout: '1 + 2 = 3\n3 + 4 + 5 = 12\n0.5 + 0.25 = 0.75\n', stderr: '' });
  });
});

describe('the page for browsers', () => {
  it('bundles without anything of Node', async () => {
    const result = await build({
      entryPoints: [join(root, 'examples', 'browser', 'page.ts')],
      bundle: true,
      platform: 'browser',
      format: 'esm',
      target: 'es2022',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    expect(Object.keys(result.metafile.inputs).filter((path) => path.includes('node'))).toEqual([]);
    expect(result.outputFiles[0]!.text).not.toMatch(/\b(?:from|require\()\s*["']node:/);
  });
});
