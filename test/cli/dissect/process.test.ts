/** `clearwing dissect` as a process: pipes, signals, outputs that fail. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { readCapture } from '../../../src/capture/read-capture.ts';
import { capturesDirectory } from '../../support/captures.ts';
import { clearwingMain } from '../../support/paths.ts';
import { type RunOptions, run, start } from '../../support/run.ts';
import { testPatienceMs } from '../../support/suite.ts';

const environment = { TZ: 'UTC', HOME: '/nonexistent' };
const command = (args: readonly string[]): [string, string[]] => [
  process.execPath,
  [clearwingMain, 'dissect', ...args],
];
const dissect = (args: readonly string[], options: RunOptions = {}) =>
  run(...command(args), { environment, ...options });
const capture = (name: string): string => join(capturesDirectory, name);
const temperature = capture('temperature-14-frames.pcap');

describe('clearwing dissect', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-dissect-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('prints one temperature reading, from SYN to the last ACK', async () => {
    const { stdout, stderr, status } = await dissect(['-r', temperature]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const rows = stdout.trimEnd().split('\n');
    expect(rows).toHaveLength(14);
    expect(rows.filter((row) => row.includes(' MQTT ')).map((row) => row.replace(/^.* MQTT \d+ /, ''))).toEqual([
      'Connect Command',
      'Connect Ack',
      expect.stringMatching(/^Publish Message \[.+\]$/),
      'Disconnect Req',
    ]);
  });

  it(
    'shows what comes on its standard input before more comes',
    async () => {
      const bytes = readFileSync(temperature);
      const program = start(...command(['-r', '-']), { environment, keepInputOpen: true });
      program.write(bytes.subarray(0, 24 + 16 + 74 + 30));
      expect(await program.waitForLines(1)).toHaveLength(1);
      program.write(bytes.subarray(24 + 16 + 74 + 30));
      expect(await program.waitForLines(14)).toHaveLength(14);
      program.endInput();
      expect(await program.finished).toMatchObject({ status: 0, stderr: '' });
    },
    testPatienceMs,
  );

  it('says that its input was cut, after what there is of it', async () => {
    const bytes = readFileSync(temperature);
    const { stdout, stderr, status } = await dissect(['-r', '-'], { input: bytes.subarray(0, bytes.length - 3) });
    expect(stdout.trimEnd().split('\n')).toHaveLength(13);
    expect(stderr).toMatch(
      /^clearwing: The file "-" appears to have been cut short in the middle of a packet \(.+\)\.\n$/,
    );
    expect(status).toBe(2);
  });

  it('ends quietly when nobody reads on', async () => {
    const shell = `"${process.execPath}" "${clearwingMain}" dissect -r "${capture('lab-byte-by-byte.pcap')}" -V | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await run('bash', ['-c', shell], { environment });
    expect(stdout.split('\n')).toHaveLength(4);
    expect(stdout).toMatch(/^Frame 1: /);
    expect(stdout).toMatch(/\n0\n$/);
    expect(stderr).toBe('');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends at %s',
    async (signal) => {
      const program = start(...command(['-r', '-']), { environment, keepInputOpen: true });
      program.write(readFileSync(temperature));
      await program.waitForLines(14);
      program.kill(signal);
      const { status, stderr } = await program.finished;
      expect({ status, stderr }).toEqual({ status: 130, stderr: '' });
    },
    testPatienceMs,
  );

  it('says what is wrong with a file that it cannot write', async () => {
    const missing = await dissect(['-r', temperature, '-w', '/nonexistent/out.pcapng']);
    expect(missing).toMatchObject({ status: 2, stdout: '' });
    expect(missing.stderr).toMatch(/^clearwing: The file to write could not be opened: .*\/nonexistent\/out\.pcapng/);
    if (!existsSync('/dev/full')) return;
    const full = await dissect(['-r', temperature, '-w', '/dev/full']);
    expect(full).toMatchObject({ status: 2, stdout: '' });
    expect(full.stderr).toMatch(/^clearwing: \/dev\/full: .*no space left/i);
  });

  it('says that its standard output is full', async () => {
    if (!existsSync('/dev/full')) return;
    const { status, stderr } = await run('bash', [
      '-c',
      `"${process.execPath}" "${clearwingMain}" dissect -r "${temperature}" > /dev/full`,
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/no space left/i);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('has colours only where somebody watches, and none with NO_COLOR', async () => {
    const plain = await dissect(['-r', temperature]);
    expect(plain.stdout).not.toContain('\x1b');
    const colored = await dissect(['-r', temperature, '--color']);
    expect(colored.stdout).toContain('\x1b[36m');
    expect(stripVTControlCharacters(colored.stdout)).toBe(plain.stdout);
    const never = await dissect(['-r', temperature, '--color=never']);
    expect(never.stdout).toBe(plain.stdout);
    // A terminal, as far as script(1) can make one.
    const watched = (extra: Record<string, string>) =>
      run('script', ['-qec', `"${process.execPath}" "${clearwingMain}" dissect -r "${temperature}"`, '/dev/null'], {
        environment: { ...environment, ...extra },
      });
    if (!existsSync('/usr/bin/script')) return;
    expect((await watched({ NO_COLOR: '' })).stdout).toContain('\x1b[36m');
    expect((await watched({ NO_COLOR: '1' })).stdout).not.toContain('\x1b[');
  });

  it('keeps comments, names, secrets and interfaces without frames in what it writes', async () => {
    for (const name of ['lab-pcapng-blocks-le.pcapng', 'lab-tls12-dsb.pcapng']) {
      const written = join(directory, name);
      await dissect(['-r', capture(name), '-Y', 'frame.number > 5', '-w', written]);
      const before = await contents(capture(name));
      const after = await contents(written);
      expect(after.frames).toEqual(before.frames.slice(5));
      expect({ ...after, frames: [] }).toEqual({ ...before, frames: [] });
    }
  });

  it(
    'writes a file whole, however small the pieces in which frames come',
    async () => {
      const path = capture('lab-byte-by-byte.pcap');
      const written = join(directory, 'pieces.pcapng');
      const program = start(...command(['-r', '-', '-w', written, '-l']), { environment, keepInputOpen: true });
      const bytes = readFileSync(path);
      for (let at = 0; at < bytes.length; at += 400) {
        program.write(bytes.subarray(at, at + 400));
        await new Promise((resolve) => setImmediate(resolve));
      }
      program.endInput();
      expect(await program.finished).toMatchObject({ status: 0, stderr: '' });
      expect((await contents(written)).frames).toEqual((await contents(path)).frames);
    },
    testPatienceMs,
  );

  it('writes to its standard output', async () => {
    const { stdoutBytes, stderr } = await dissect(['-r', temperature, '-w', '-', '-F', 'nsecpcap']);
    expect(stderr).toBe('');
    const again = spawn(...command(['-r', '-', '-T', 'fields', '-e', 'frame.time_epoch']), { stdio: 'pipe' });
    again.stdin.end(stdoutBytes);
    const chunks: Buffer[] = [];
    for await (const chunk of again.stdout) chunks.push(chunk as Buffer);
    const { stdout } = await dissect(['-r', temperature, '-T', 'fields', '-e', 'frame.time_epoch']);
    expect(Buffer.concat(chunks).toString()).toBe(stdout);
  });
});

interface Contents {
  readonly frames: readonly unknown[];
  readonly interfaces: readonly unknown[];
  readonly names: readonly unknown[];
  readonly secrets: readonly unknown[];
}

async function contents(path: string): Promise<Contents> {
  const { CaptureDecoder } = await import('../../../src/capture/capture-decoder.ts');
  const decoder = new CaptureDecoder();
  const frames: unknown[] = [];
  for await (const batch of readCapture(readFileSync(path), { decoder })) {
    for (const { seconds, nanoseconds, bytes, comments, flags, hasTime } of batch) {
      frames.push({ seconds, nanoseconds, bytes: Buffer.from(bytes).toString('hex'), comments, flags, hasTime });
    }
  }
  const interfaces = decoder.interfaces.map(({ name, description, linkType, comments }) => ({
    name,
    description,
    linkType,
    comments,
  }));
  return {
    frames,
    interfaces,
    names: decoder.names.map(({ address, names }) => [[...address].join('.'), names]),
    secrets: decoder.secrets.map(({ type, bytes }) => [type, Buffer.from(bytes).toString()]),
  };
}
