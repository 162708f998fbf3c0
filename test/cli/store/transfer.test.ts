/** `clearwing store export` and `import` as programs. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StoredItem } from '../../../src/broker/persistence/stored-item.ts';
import { temporaryFiles } from '../../broker/config/temporary.ts';
import { clearwingMain } from '../../support/paths.ts';
import { start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { contentOf, edit, flip, mosquittoFixture, sample, storeCommand } from './program.ts';
import { message } from './sample-items.ts';

/** util-linux has the program that sets them. */
const hasFileLimits = spawnSync('prlimit', ['--version']).status === 0;

describe('clearwing store export and import', () => {
  it('make the same store again, in a file or a pipe', async () => {
    const { files, directory } = await sample();
    const file = files.path('out.jsonl');
    expect(await storeCommand(['export', directory, '-o', file])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const text = withoutTime(readFileSync(file, 'utf8'));
    const piped = await storeCommand(['export', directory]);
    expect(withoutTime(piped.stdout)).toBe(text);
    expect(readdirSync(files.directory).sort()).toEqual(['data', 'out.jsonl']);

    const first = await storeCommand(['import', files.path('one'), file]);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toBe(`Imported ${file} into ${files.path('one/clearwing.db')}:
  2 sessions, 2 subscriptions, 1 will
  5 messages for them, 3 of these in flight
  1 QoS 2 message from them, not yet released
  2 retained messages
`);
    expect((await storeCommand(['import', files.path('two'), '-'], { input: piped.stdout })).status).toBe(0);
    for (const copy of ['one', 'two']) {
      expect((await storeCommand(['check', files.path(copy)])).status).toBe(0);
      expect(withoutTime((await storeCommand(['export', files.path(copy)])).stdout)).toBe(text);
    }
    expect(readdirSync(files.path('one/clearwing.db')).sort()).toEqual(['data.mdb', 'data.mdb-lock', 'format']);
  });

  it('write each message once, and first what is referred to', async () => {
    const { directory } = await sample();
    const lines = (await storeCommand(['export', directory])).stdout.trim().split('\n');
    const kinds = lines.map((line) => (JSON.parse(line) as { kind: string }).kind);
    expect(kinds[0]).toBe('header');
    expect(kinds.at(-1)).toBe('end');
    expect(kinds.filter((kind) => kind === 'message')).toHaveLength(3);
    const seen = new Set<number>();
    for (const line of lines.map((one) => JSON.parse(one) as { kind: string; number: number; message: number })) {
      if (line.kind === 'message') seen.add(line.number);
      if (line.kind === 'delivery' || line.kind === 'inbound') expect(seen).toContain(line.message);
    }
  });

  it('refuse a store that has something in it, and add to it or replace it when told to', async () => {
    const { files, directory, store } = await sample();
    const other = files.write(
      'other.jsonl',
      [
        '{"kind":"header","format":"clearwing store","version":1}',
        '{"kind":"session","clientIdentifier":"away","expiryInterval":9}',
        '{"kind":"message","number":1,"references":2,"topicName":"t","qos":1,"text":"x"}',
        '{"kind":"delivery","clientIdentifier":"away","position":1,"message":1,"qos":1,"state":"queued"}',
        '{"kind":"session","clientIdentifier":"new","expiryInterval":9}',
        '{"kind":"subscription","clientIdentifier":"new","requestedFilter":"t","qos":1}',
        '{"kind":"delivery","clientIdentifier":"new","position":1,"message":1,"qos":1,"state":"queued"}',
        '{"kind":"retained","topicName":"retained","qos":0,"text":"other"}',
        '{"kind":"retained","topicName":"new","qos":0,"text":"fresh"}',
        '{"kind":"end"}\n',
      ].join('\n'),
    );
    const before = contentOf(store);
    const refused = await storeCommand(['import', directory, other]);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toBe(
      `Error: ${store} holds a store already, with 2 sessions, 5 messages for them and 2 retained messages. Give --merge to add to it, or --replace to do without it.\n`,
    );
    expect(contentOf(store)).toEqual(before);

    const merged = await storeCommand(['import', directory, other, '--merge']);
    expect(merged.status).toBe(2);
    expect(merged.stderr.split('\n')).toEqual([
      "Left out: the retained message 'retained': the store has one for that topic, which stays",
      "Left out: the session 'away' with 0 subscriptions and 1 message: the store has one of that identifier, which stays",
      '',
    ]);
    expect(merged.stdout).toContain('1 session, 1 subscription, 0 wills\n  1 message for them, 0 of these in flight');
    expect(merged.stdout).toContain('2 left out, as told\n');
    expect((await storeCommand(['check', directory])).status).toBe(0);
    const info = JSON.parse((await storeCommand(['info', directory, '--json'])).stdout) as { counts: object };
    expect(info.counts).toMatchObject({ sessions: 3, messages: 4, deliveries: 6, retained: 3, subscriptions: 3 });

    expect((await storeCommand(['import', directory, other, '--replace'])).status).toBe(0);
    const replaced = (await storeCommand(['export', directory])).stdout;
    expect(replaced).toContain('"text":"other"');
    expect(replaced).not.toContain('first');
  });

  it('leave what cannot be put together out, and tell each', async () => {
    const files = temporaryFiles();
    const lines = files.write(
      'lines',
      [
        '{"kind":"header","format":"clearwing store","version":1}',
        '{"kind":"delivery","clientIdentifier":"nobody","position":1,"message":1,"qos":1,"state":"queued"}',
        '{"kind":"session","clientIdentifier":"c","expiryInterval":9}',
        '{"kind":"session","clientIdentifier":"c","expiryInterval":10}',
        '{"kind":"message","number":1,"references":6,"topicName":"t","qos":2,"text":"x"}',
        '{"kind":"delivery","clientIdentifier":"c","position":4,"message":1,"qos":1,"state":"awaiting-puback","packetIdentifier":5}',
        '{"kind":"delivery","clientIdentifier":"c","position":4,"message":1,"qos":1,"state":"queued"}',
        '{"kind":"delivery","clientIdentifier":"c","position":5,"message":1,"qos":1,"state":"awaiting-puback","packetIdentifier":5}',
        '{"kind":"delivery","clientIdentifier":"c","position":6,"message":2,"qos":1,"state":"queued"}',
        '{"kind":"inbound","clientIdentifier":"c","packetIdentifier":5,"message":1}',
        '{"kind":"inbound","clientIdentifier":"c","packetIdentifier":5,"message":1}',
        '{"kind":"retained","topicName":"t","qos":0}',
        '{"kind":"end"}\n',
      ].join('\n'),
    );
    const { status, stderr } = await storeCommand(['import', files.path('data'), lines]);
    expect(status).toBe(2);
    expect(stderr.trim().split('\n')).toEqual([
      "Left out: a message of 'nobody': there is no session of that identifier before it",
      "Left out: another session 'c': there is one of that identifier already",
      "Left out: a message 't' for 'c': its position 4 does not come after 4",
      "Left out: a message 't' for 'c': its Packet Identifier 5 is in use",
      "Left out: a message for 'c': there is no message 2 before it",
      "Left out: a QoS 2 message 't' from 'c': its Packet Identifier 5 is in use",
      "Left out: the retained message 't': it is empty, which takes a retained message away",
    ]);
    expect((await storeCommand(['check', files.path('data')])).status).toBe(0);
  });

  it('leave everything as it was when the file turns out to be bad half-way, or is none', async () => {
    const { files, directory, store } = await sample();
    const text = (await storeCommand(['export', directory])).stdout;
    const before = contentOf(store);
    const cut = files.write('cut', text.slice(0, text.lastIndexOf('{"kind":"end"')));
    const neither = files.write('neither', 'hello');
    const empty = files.write('empty', '');
    const cutDatabase = files.write('cut.db', readFileSync(mosquittoFixture).subarray(0, -3));
    for (const [file, expected] of [
      [cut, / is cut off: after line 16 the end is missing\.\n/],
      [neither, / is neither an export of a store nor a mosquitto\.db\.\n/],
      [empty, / is empty\.\n/],
      [files.path('missing'), / cannot be read: ENOENT/],
      [files.directory, / cannot be read: EISDIR/],
      [cutDatabase, / is damaged or cut off at byte \d+: a chunk \(retained message\) of 8 bytes where 5 are left\.\n/],
    ] as const) {
      const { status, stderr, stdout } = await storeCommand(['import', directory, file, '--replace']);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(expected);
      expect(contentOf(store)).toEqual(before);
      expect((await storeCommand(['import', files.path('fresh'), file])).status).toBe(1);
      expect(existsSync(files.path('fresh'))).toBe(false);
    }
    const forced = await storeCommand(['import', directory, neither, '--from', 'mosquitto', '--replace']);
    expect(forced.stderr).toBe(`Error: ${neither} is no database of Mosquitto: it does not begin as one.\n`);
  });

  it('leave everything as it was when they are interrupted', async () => {
    const { files, directory, store } = await sample();
    const before = contentOf(store);
    const running = start(process.execPath, [clearwingMain, 'store', 'import', directory, '-', '--replace'], {
      keepInputOpen: true,
    });
    running.write('{"kind":"header","format":"clearwing store","version":1}\n');
    await until(() => existsSync(join(store, 'import/data.mdb')), 'the import to begin');
    running.kill('SIGTERM');
    const { status, stderr } = await running.finished;
    expect([status, stderr]).toEqual([1, 'Error: interrupted; nothing has changed.\n']);
    expect(contentOf(store)).toEqual(before);
    expect(readdirSync(files.directory)).toEqual(['data']);
  });

  it('clear away what an import left that was killed', async () => {
    const { files, directory, store } = await sample();
    mkdirSync(join(store, 'import'));
    writeFileSync(join(store, 'import/data.mdb'), 'half');
    const file = files.path('f');
    await storeCommand(['export', directory, '-o', file]);
    expect((await storeCommand(['import', directory, file, '--replace'])).status).toBe(0);
    expect(readdirSync(store).sort()).toEqual(['data.mdb', 'format']);
  });

  it('touch no directory that has other files in it', async () => {
    const files = temporaryFiles({ 'clearwing.db/notes.txt': 'mine' });
    const { status, stderr } = await storeCommand(['import', files.directory, mosquittoFixture, '--replace']);
    expect(status).toBe(1);
    expect(stderr).toContain('has other files in it (notes.txt); a store has a directory of its own');
    expect(readdirSync(files.path('clearwing.db'))).toEqual(['notes.txt']);
  });

  it('stop at damage, or go on without it when told to', async () => {
    const { files, directory, store } = await sample();
    await edit(store, (records) => {
      records('messages', (key, value) => (key.at(-1) === 1 ? flip(value, value.length - 1) : value));
    });
    const stopped = await storeCommand(['export', directory, '-o', files.path('out')]);
    expect(stopped.status).toBe(1);
    expect(stopped.stderr).toMatch(
      /is damaged: message 1: the checksum of its payload is wrong\. With --keep-going it is left out/,
    );
    expect(readdirSync(files.directory)).toEqual(['data']);
    const rest = await storeCommand(['export', directory, '-o', files.path('out'), '--keep-going']);
    expect(rest.status).toBe(2);
    expect(rest.stderr.split('\n')).toEqual([
      'Left out: message 1: the checksum of its payload is wrong',
      'Left out: delivery 3 of session 1: message 1, which it refers to, cannot be read',
      'Left out: delivery 1 of session 2: message 1, which it refers to, cannot be read',
      '3 damaged records left out.',
      '',
    ]);
    expect((await storeCommand(['import', files.path('again'), files.path('out')])).status).toBe(0);
    expect((await storeCommand(['check', files.path('again')])).stdout).toBe('12 records read, none damaged.\n');
  });

  it('stop in peace when nobody reads any more', async () => {
    const items = Array.from({ length: 300 }, (_, index): StoredItem => {
      return { kind: 'retained', message: message(`t/${index}`, Buffer.alloc(10_000, 'x'), { retain: true }) };
    });
    const { directory } = await sample(items);
    const running = start('sh', [
      '-c',
      `"$0" "$1" store export "$2" | head -1; echo done`,
      process.execPath,
      clearwingMain,
      directory,
    ]);
    const { stdout, stderr, status } = await running.finished;
    expect([status, stderr, stdout.split('\n').length]).toEqual([0, '', 3]);
  });

  // Root may write everywhere.
  if (process.getuid?.() !== 0) {
    it('say so where they may not write', async () => {
      const files = temporaryFiles();
      mkdirSync(files.path('locked'));
      chmodSync(files.path('locked'), 0o500);
      const { status, stderr } = await storeCommand(['import', files.path('locked'), mosquittoFixture]);
      expect([status, stderr]).toEqual([1, expect.stringMatching(/cannot be made: permission denied/)]);
    });
  }

  it('say so where they cannot write', async () => {
    const { files, directory } = await sample();
    files.write('file', 'x');
    const made = await storeCommand(['import', files.path('file'), mosquittoFixture]);
    expect([made.status, made.stderr]).toEqual([
      1,
      expect.stringMatching(/file\/clearwing\.db cannot be made: a part of the path is no directory\.\n/),
    ]);
    const written = await storeCommand(['export', directory, '-o', files.path('no/such/file')]);
    expect([written.status, written.stderr]).toEqual([
      1,
      expect.stringMatching(/^Error: .*no\/such\/file cannot be written: ENOENT/),
    ]);
    if (existsSync('/dev/full')) {
      const full = start('sh', [
        '-c',
        `"$0" "$1" store export "$2" > /dev/full`,
        process.execPath,
        clearwingMain,
        directory,
      ]);
      const { status, stderr } = await full.finished;
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^Error: the standard output cannot be written: .*ENOSPC/),
      ]);
    }
  });

  it.skipIf(!hasFileLimits)('leave everything as it was when the disk takes no more', async () => {
    const { directory, store } = await sample();
    const before = contentOf(store);
    const command = [process.execPath, clearwingMain, 'store', 'import', directory, mosquittoFixture, '--merge'];
    const { status, stdout, stderr } = await start('prlimit', ['--fsize=40960', ...command]).finished;
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(
      /Error: .*clearwing\.db(\/import)? cannot be .*: the file would be larger than is allowed\.\n$/,
    );
    expect(contentOf(store)).toEqual(before);
  });

  it('read and write 100 MB of payloads with a heap of 64 MB', async () => {
    const files = temporaryFiles();
    const path = files.write(
      'big',
      '{"kind":"header","format":"clearwing store","version":1}\n{"kind":"session","clientIdentifier":"c","expiryInterval":9}\n',
    );
    // 100 MB of payloads, and twice as much text.
    const payload = Buffer.alloc(100_000, 'x').toString('base64');
    for (let number = 1; number <= 1000; number++) {
      appendFileSync(
        path,
        `{"kind":"message","number":${number},"references":1,"topicName":"t","qos":1,"payload":"${payload}"}\n{"kind":"delivery","clientIdentifier":"c","position":${number},"message":${number},"qos":1,"state":"queued"}\n`,
      );
    }
    appendFileSync(path, '{"kind":"end"}\n');
    const limited = { environment: { NODE_OPTIONS: '--max-old-space-size=64' } };
    expect((await storeCommand(['import', files.path('data'), path], limited)).stderr).toBe('');
    const running = start(
      process.execPath,
      [clearwingMain, 'store', 'export', files.path('data'), '-o', files.path('out')],
      limited,
    );
    expect((await running.finished).status).toBe(0);
    expect(statSync(files.path('out')).size).toBeGreaterThan(130_000_000);
  });
});

/** The first line has the time of the export. */
function withoutTime(text: string): string {
  return text.replace(/"exportedAt":"[^"]*"/, '');
}
