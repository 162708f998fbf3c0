/** Captures that several threads read: whatever is printed of them, it is what one thread prints. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Utf8Buffer } from '../../../src/base/utf8-buffer.ts';
import { CaptureFileError } from '../../../src/capture/capture-file-error.ts';
import { type DissectRequest, parseDissectArguments } from '../../../src/cli/dissect/arguments.ts';
import { BlockStock, type LineBlock } from '../../../src/cli/dissect/line-block.ts';
import { LineMerger, UnequalReadersError } from '../../../src/cli/dissect/line-merger.ts';
import { openBlocks } from '../../../src/cli/dissect/reader-task.ts';
import { capturesDirectory, ownCaptures } from '../../support/captures.ts';
import { clearwingMain, repositoryDirectory } from '../../support/paths.ts';
import { run } from '../../support/run.ts';
import { inFolder, printed } from './printed.ts';

const few = ['frame.number', 'frame.time_delta', 'tcp.stream', 'tcp.analysis.ack_rtt', 'mqtt.topic', '_ws.col.Info'];
const fieldArguments = (names: readonly string[]): string[] => [
  '-T',
  'fields',
  ...names.flatMap((name) => ['-e', name]),
];

/** Connections divided, and frames of connections that everybody follows. */
const forms: readonly (readonly string[])[] = [
  [],
  ['-Y', 'mqtt.msgtype == 3 || tcp.stream > 3', '--color=always'],
  fieldArguments(few),
  [...fieldArguments(['mqtt.qos_state', 'mqtt.ack_time', 'mqtt.client', '_ws.expert.message']), '-c', '2000'],
  ['-T', 'json', '--more', '-c', '100'],
];

function requestOf(path: string, args: readonly string[]): DissectRequest {
  const parsed = parseDissectArguments(['-r', path, ...args.map((arg) => inFolder(arg, capturesDirectory))], 'dissect');
  if (parsed.action !== 'dissect') throw new Error(`${args.join(' ')} dissects nothing`);
  return parsed.request;
}

/** What so many readers print together, without what stands before and behind all frames. */
async function merged(path: string, args: readonly string[], readers: number): Promise<string> {
  const request = requestOf(path, args);
  const separator = request.format === 'json' ? ',' : '';
  const merger = new LineMerger(readers, separator, () => {});
  for (let reader = 0; reader < readers; reader++) {
    const task = { request, file: path, length: statSync(path).size, readers, reader };
    try {
      for await (const block of openBlocks(task, new BlockStock())) merger.add(reader, block);
    } catch (error) {
      if (!(error instanceof CaptureFileError)) throw error;
    }
    merger.end(reader);
  }
  const lines = new Utf8Buffer();
  while (merger.step(lines));
  expect(merger.isDone).toBe(true);
  return Buffer.from(lines.view()).toString();
}

function block(lines: readonly string[]): LineBlock {
  const text = new TextEncoder().encode(lines.join(''));
  return { frames: lines.length, lengths: Uint32Array.from(lines, (line) => line.length), text };
}

describe('several readers of a capture', () => {
  it.each(ownCaptures)('print the same of $name', async ({ path, about }) => {
    for (const form of forms) {
      const args = [...about.args, ...form];
      const alone = await printed(path, args);
      const isJson = form.includes('json');
      const expected = isJson ? alone.replace(/^\[/, '').replace(/\n?\]\n$/, '') : alone;
      const readers = 2 + (form.length % 2);
      expect(await merged(path, args, readers), form.join(' ')).toBe(expected);
    }
  });

  it('put lines in order, and separate them', () => {
    const used: number[] = [];
    const merger = new LineMerger(2, ',', (reader) => used.push(reader));
    const lines = new Utf8Buffer();
    merger.add(0, block(['a', '', '', 'd']));
    expect(merger.step(lines)).toBe(false);
    merger.add(1, block(['', 'bb']));
    expect(merger.step(lines)).toBe(true);
    expect(used).toEqual([1]);
    merger.add(1, block(['c', '', 'e']));
    expect(merger.step(lines)).toBe(true);
    merger.add(0, block(['']));
    merger.end(0);
    merger.end(1);
    expect(merger.isDone).toBe(false);
    expect(merger.step(lines)).toBe(true);
    expect(new TextDecoder().decode(lines.view())).toBe('a,bb,c,d,e');
    expect(merger.isDone).toBe(true);
  });

  it('notice that one has read more than another', () => {
    const merger = new LineMerger(2, '', () => {});
    merger.add(0, block(['a']));
    merger.end(1);
    expect(() => merger.step(new Utf8Buffer())).toThrow(UnequalReadersError);
  });
});

describe('clearwing dissect --threads', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-threads-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  /** A hundred connections, one after the other and at the same time. */
  const many = join(directory, 'made.pcap');
  beforeAll(async () => {
    const maker = join(repositoryDirectory, 'bench', 'capture', 'make-capture.mjs');
    await run(process.execPath, [maker, '--packets', '12000', '--connections', '30', '--lifetime', '200', '-o', many]);
  });
  const dissect = (args: readonly string[]) =>
    run(process.execPath, [clearwingMain, 'dissect', ...args], { environment: { TZ: 'UTC' } });

  it('prints the same with two threads', async () => {
    const args = ['-r', many];
    const [one, two] = await Promise.all([dissect([...args, '--threads', '1']), dissect([...args, '--threads', '2'])]);
    expect({ ...two, stdoutBytes: undefined }).toEqual({ ...one, stdoutBytes: undefined });
    expect(two.status).toBe(0);
    expect(two.stdout.split('\n').length).toBeGreaterThan(10_000);
  });

  it('divides connections evenly', async () => {
    const request = requestOf(many, []);
    const shares: number[] = [];
    for (let reader = 0; reader < 3; reader++) {
      const task = { request, file: many, length: statSync(many).size, readers: 3, reader };
      let shown = 0;
      for await (const { frames, lengths } of openBlocks(task, new BlockStock())) {
        for (let frame = 0; frame < frames; frame++) if (lengths[frame]! > 0) shown++;
      }
      shares.push(shown);
    }
    const all = shares.reduce((sum, share) => sum + share);
    expect(Math.min(...shares) / all).toBeGreaterThan(0.3);
    expect(await merged(many, [], 3)).toBe(await printed(many, []));
  });

  it('says at the same place that a file was cut, with the same status', async () => {
    const cut = join(directory, 'cut.pcap');
    writeFileSync(cut, readFileSync(many).subarray(0, 700_003));
    const args = ['-r', cut, '-T', 'json', '-e', 'mqtt.topic'];
    const [one, two] = await Promise.all([dissect([...args, '--threads', '1']), dissect([...args, '--threads', '3'])]);
    expect({ ...two, stdoutBytes: undefined }).toEqual({ ...one, stdoutBytes: undefined });
    expect(two.status).toBe(2);
    expect(two.stderr).toContain('cut short');
  });

  it('ends quietly when nobody reads on', async () => {
    const shell = `"${process.execPath}" "${clearwingMain}" dissect -r "${many}" --threads 2 -V | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await run('bash', ['-c', shell], { environment: { TZ: 'UTC' } });
    expect({ stdout: stdout.split('\n').slice(2), stderr }).toEqual({ stdout: ['0', ''], stderr: '' });
  });

  it('is a number from 1', async () => {
    for (const threads of ['0', 'many', '65']) {
      expect(await dissect(['-r', many, '--threads', threads])).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(`--threads ${threads}: expected a number from 1 to 64`),
      });
    }
  });
});
