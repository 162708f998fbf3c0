/** `clearwing store` as a program: what it says, and of which state of a store. */
import { existsSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StoredItem } from '../../src/broker/persistence/stored-item.ts';
import { temporaryFiles } from '../broker/config/temporary.ts';
import { startBroker } from '../support/broker-process.ts';
import { openClient } from '../support/raw-client.ts';
import { publish5 } from '../support/raw-packets.ts';
import { contentOf, edit, flip, mosquittoFixture, sample, storeCommand } from './store/program.ts';
import { message } from './store/sample-items.ts';

describe('clearwing store', () => {
  it('tells how it is used', async () => {
    const { status, stdout, stderr } = await storeCommand(['--help']);
    expect([status, stderr]).toEqual([0, '']);
    for (const word of ['info DIR', 'check DIR', 'export DIR', 'import DIR FILE', '--merge', 'Exit status']) {
      expect(stdout).toContain(word);
    }
    expect((await storeCommand(['info', '-h'])).stdout).toBe(stdout);
  });

  it.each([
    [[], "Error: which of info, check, export, import?\n'clearwing store --help' tells more.\n"],
    [['inof', 'x'], "Error: there is no 'store inof'; did you mean 'info'?\n"],
    [['--json'], "Error: the first argument must be one of info, check, export, import, not the option '--json'\n"],
    [['info'], 'Error: store info: the directory is missing\n'],
    [['info', 'a', 'b'], "Error: store info: 'b' is one argument too many\n"],
    [['info', 'a', '--jsno'], "Error: store info: unknown option '--jsno'; did you mean '--json'?\n"],
    [['check', 'a', '--merge'], "Error: store check: unknown option '--merge'\n"],
    [['info', 'a', '--json=yes'], 'Error: store info: --json takes no value\n'],
    [['export', 'a', '-o'], 'Error: store export: -o needs a value\n'],
    [['import', 'a'], 'Error: store import: the file to import is missing\n'],
    [['import', 'a', 'b', '--merge', '--replace'], 'Error: --merge and --replace cannot be used together\n'],
    [['import', 'a', 'b', '--from', 'redis'], 'Error: --from redis; expected clearwing or mosquitto\n'],
  ])('refuses %j with status 1', async (args, expected) => {
    const { status, stdout, stderr } = await storeCommand(args);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr.startsWith(expected)).toBe(true);
  });

  it('says what is wrong with a directory that is no store, and makes nothing there', async () => {
    const files = temporaryFiles({
      file: 'x',
      'empty/.keep': '',
      'other/clearwing.db/format': 'clearwing store, format 9\n',
    });
    for (const action of ['info', 'check', 'export']) {
      for (const [name, expected] of [
        ['missing', / There is no store in .*missing\/clearwing\.db: it does not exist\.\n/],
        ['empty', / There is no store in .*empty\/clearwing\.db: it does not exist\.\n/],
        ['file', /file\/clearwing\.db cannot be read: a part of the path is no directory\.\n/],
        ['other', /has a store of format 9; this release of Clearwing knows format 2\.\n/],
      ] as const) {
        const { status, stdout, stderr } = await storeCommand([action, files.path(name)]);
        expect([status, stdout]).toEqual([1, '']);
        expect(stderr).toMatch(expected);
      }
    }
    expect(existsSync(files.path('missing'))).toBe(false);
    expect(readdirSync(files.path('empty'))).toEqual(['.keep']);
  });

  it('says which process has the store', async () => {
    const { files, directory } = await sample([]);
    const broker = await startBroker({
      program: 'clearwing',
      config: `persistence true\npersistence_location ${directory}/\n`,
    });
    for (const args of [
      ['info', directory],
      ['check', directory],
      ['export', directory],
      ['import', directory, mosquittoFixture],
    ]) {
      const { status, stdout, stderr } = await storeCommand(args);
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toBe(
        `Error: ${join(directory, 'clearwing.db')} is in use by process ${broker.pid}. Stop it first.\n`,
      );
    }
    expect(await broker.stop()).toBe(0);
    expect((await storeCommand(['info', directory])).status).toBe(0);
    expect(readdirSync(files.path('data'))).toEqual(['clearwing.db']);
  });
});

describe('clearwing store info', () => {
  it('tells as text how much there is', async () => {
    const { directory, store } = await sample();
    const { status, stdout, stderr } = await storeCommand(['info', directory]);
    expect([status, stderr]).toEqual([0, '']);
    const { size } = statSync(join(store, 'data.mdb'));
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2)).toEqual([`Directory      ${store}`, 'Format         2']);
    expect(lines[2]).toMatch(/^Created {8}\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(lines[4]).toMatch(
      new RegExp(`^Data file {6}${size.toLocaleString('en')} bytes, [\\d,]+ of them free for reuse$`),
    );
    expect(lines.slice(5)).toEqual([
      'Sessions       2, 1 will',
      'Subscriptions  2',
      'Messages       3, 7 bytes of payload',
      'Deliveries     2 queued, 3 in flight',
      'QoS 2 inbound  1',
      'Retained       2, 5 bytes of payload',
      'Expired        1 message, 1 retained message, 0 sessions',
      '',
      '   queued in flight          bytes  Biggest queues',
      '        1         3              9  away',
      '        1         0              5  ünïcode ☃ "quoted"\\u000a',
      '',
    ]);
  });

  it('tells the same as JSON', async () => {
    const { directory, store } = await sample();
    const { status, stdout } = await storeCommand(['info', '--json', directory]);
    expect(status).toBe(0);
    const facts = JSON.parse(stdout) as Record<string, unknown>;
    expect(facts).toMatchObject({
      directory: store,
      formatVersion: 2,
      fileBytes: statSync(join(store, 'data.mdb')).size,
      counts: {
        messages: 3,
        sessions: 2,
        subscriptions: 2,
        deliveries: 5,
        queued: 2,
        inFlight: 3,
        inbound: 1,
        retained: 2,
        wills: 1,
      },
      payloadBytes: { messages: 7, retained: 5 },
      expired: { messages: 1, sessions: 0, retained: 1 },
      damageCount: 0,
    });
    expect((facts.biggestQueues as unknown[])[0]).toEqual({
      clientIdentifier: 'away',
      queued: 1,
      inFlight: 3,
      bytes: 9,
    });
  });

  it('names the longest queues first, and no more than ten', async () => {
    const items: StoredItem[] = [{ kind: 'message', number: 1, references: 78, message: message('t', '12345') }];
    for (let session = 1; session <= 12; session++) {
      const clientIdentifier = `c${session}`;
      const rest = {
        username: undefined,
        listenerIndex: 0,
        expiryInterval: 9,
        expiresAt: 0,
        will: undefined,
        willDueAt: 0,
      };
      items.push({ kind: 'session', session: { clientIdentifier, ...rest } });
      for (let position = 1; position <= session; position++) {
        const common = {
          qos: 1,
          retain: false,
          subscriptionIdentifiers: undefined,
          packetIdentifier: 0,
          state: 'idle',
        } as const;
        items.push({ kind: 'delivery', clientIdentifier, position, number: 1, ...common });
      }
    }
    const { directory } = await sample(items);
    const { stdout } = await storeCommand(['info', '--json', directory]);
    const { biggestQueues, counts } = JSON.parse(stdout) as {
      biggestQueues: { clientIdentifier: string }[];
      counts: object;
    };
    expect(biggestQueues.map(({ clientIdentifier }) => clientIdentifier)).toEqual(
      [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((n) => `c${n}`),
    );
    expect(counts).toMatchObject({ messages: 1, queued: 78 });
  });

  it.each(['strict', 'relaxed'])(
    'reads what a broker that was killed has left, with durability %s',
    async (durability) => {
      const files = temporaryFiles();
      const config = `persistence true\npersistence_location ${files.directory}/\ndurability ${durability}\n`;
      const broker = await startBroker({ program: 'clearwing', config });
      const client = await openClient(broker.port);
      client.send(publish5('t', 'kept', { qos: 1, id: 1, retain: true }));
      await client.expect('PUBACK');
      broker.signal('SIGKILL');
      await broker.ended;
      const { status, stdout } = await storeCommand(['info', files.directory]);
      expect([status, stdout]).toEqual([0, expect.stringContaining('Retained       1, 4 bytes of payload\n')]);
      expect(await storeCommand(['check', files.directory])).toMatchObject({ status: 0, stderr: '' });
      expect((await storeCommand(['export', files.directory])).stdout).toContain('"text":"kept"');
      await broker.stop();
    },
  );

  it('changes nothing in the directory, and takes the store itself for DIR, too', async () => {
    const { store } = await sample();
    const before = contentOf(store);
    for (const action of ['info', 'check', 'export']) expect((await storeCommand([action, store])).status).toBe(0);
    expect(contentOf(store)).toEqual(before);
  });
});

describe('clearwing store check', () => {
  it('finds nothing in a store that is whole', async () => {
    const { directory } = await sample();
    expect(await storeCommand(['check', directory])).toMatchObject({
      status: 0,
      stdout: '15 records read, none damaged.\n',
      stderr: '',
    });
    const { stdout } = await storeCommand(['check', directory, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ damage: [], recordCount: 15, damageCount: 0, unreferencedCount: 0 });
  });

  it('names each record that is damaged, or refers to nothing', async () => {
    const { directory, store } = await sample();
    await edit(store, (records) => {
      records('messages', (key, value) => (key.at(-1) === 1 ? flip(value, value.length - 1) : value));
      records('deliveries', (key, value) => (key.at(-1) === 4 ? flip(value, 6) : value));
      records('retained', (_, value) => flip(value, value.length - 1));
      records('sessions', (key, value) => (key.at(-1) === 2 ? undefined : value));
    });
    const { status, stdout, stderr } = await storeCommand(['check', directory]);
    expect([status, stderr]).toEqual([2, '']);
    expect(stdout.split('\n')).toEqual([
      'Damaged: message 1: the checksum of its payload is wrong',
      'Damaged: delivery 3 of session 1: message 1, which it refers to, is missing or cannot be read',
      'Damaged: delivery 4 of session 1: its checksum is wrong',
      'Damaged: delivery 1 of session 2: session 2, which it belongs to, is missing or cannot be read',
      'Damaged: delivery 1 of session 2: message 1, which it refers to, is missing or cannot be read',
      'Damaged: inbound 7 of session 2: session 2, which it belongs to, is missing or cannot be read',
      'Damaged: retained over/retained: the checksum of its payload is wrong',
      'Damaged: retained retained: the checksum of its payload is wrong',
      '14 records read, 8 damaged.',
      '',
    ]);
    const json = await storeCommand(['check', directory, '--json']);
    expect(json.status).toBe(2);
    const { damage } = JSON.parse(json.stdout) as { damage: unknown[] };
    expect(damage).toHaveLength(8);
    expect(damage[0]).toEqual({ kind: 'message', key: '1', reason: 'the checksum of its payload is wrong' });
    expect((await storeCommand(['info', directory])).status).toBe(2);
  });

  it('does not mind messages that nothing refers to', async () => {
    const { directory, store } = await sample();
    await edit(store, (records) => records('inbound', () => undefined));
    await edit(store, (records) => records('deliveries', () => undefined));
    const { status, stdout } = await storeCommand(['check', directory]);
    expect([status, stdout]).toEqual([
      0,
      '9 records read, none damaged.\n3 messages that nothing refers to: freed when the broker starts.\n',
    ]);
  });

  it.each([
    ['cut off', (path: string) => truncateSync(path, 8192), /^Damaged: file .*: .*damaged or cut off at page \d+/],
    [
      'empty',
      (path: string) => truncateSync(path, 0),
      /^Damaged: file .*data\.mdb is empty, though the store was complete/,
    ],
    [
      'something else',
      (path: string) => writeFileSync(path, 'x'.repeat(20_000)),
      /^Damaged: file .*is no data file of a store/,
    ],
  ])('says so of a data file that is %s', async (_, spoil, expected) => {
    const { directory, store } = await sample();
    spoil(join(store, 'data.mdb'));
    const { status, stdout } = await storeCommand(['check', directory]);
    expect(status).toBe(2);
    expect(stdout).toMatch(expected);
    expect((await storeCommand(['info', directory])).status).toBe(1);
  });
});
