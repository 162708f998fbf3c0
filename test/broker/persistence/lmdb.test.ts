import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/broker/log.ts';
import type { Message } from '../../../src/broker/message.ts';
import { type LmdbStore, type LmdbStoreOptions, openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';
import { repositoryDirectory } from '../../support/paths.ts';
import { until } from '../../support/until.ts';
import { ManualClock } from './manual-clock.ts';
import {
  deliveryAt,
  describeStore,
  loaded,
  messageOn,
  plain,
  safe,
  sessionOf,
  subscriptionTo,
} from './store-contract.ts';

for (const durability of ['strict', 'relaxed'] as const) {
  describeStore(`LmdbStore, ${durability}`, () => {
    const directory = mkdtempSync(join(tmpdir(), 'clearwing-store-'));
    return {
      // Payloads do not stay in memory, so that they are read back.
      open: () => openLmdbStore({ directory, durability, clock: systemClock, log: silentLog, payloadCacheBytes: 0 }),
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    };
  });
}

/** Each time it is opened it finds what a process that was killed would have left. */
describeStore('LmdbStore, whose process is killed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-store-'));
  let life = 0;
  const options = { durability: 'strict', clock: systemClock, log: silentLog, payloadCacheBytes: 0 } as const;
  return {
    open: async () => {
      const own = join(directory, String(life));
      const next = join(directory, String(++life));
      const store = await openLmdbStore({ directory: own, ...options });
      const close = store.close.bind(store);
      store.close = async () => {
        await store.sync();
        mkdirSync(next);
        for (const name of ['data.mdb', 'format']) copyFileSync(join(own, name), join(next, name));
        await close();
      };
      return store;
    },
    remove: async () => rmSync(directory, { recursive: true, force: true }),
  };
});

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openStore(directory: string, more: Partial<LmdbStoreOptions> = {}): Promise<LmdbStore> {
  const store = await openLmdbStore({ directory, clock: systemClock, log: silentLog, ...more });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

/** Opens a store and reads all of it, as a broker does; the error's message, or undefined. */
async function refusal(directory: string, more: Partial<LmdbStoreOptions> = {}): Promise<string | undefined> {
  let store: LmdbStore | undefined;
  try {
    store = await openLmdbStore({ directory, clock: systemClock, log: silentLog, ...more });
    await loaded(store);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await store?.close();
  }
}

/** A store with some of everything, closed. */
async function makeStore(directory: string): Promise<void> {
  const store = await openStore(directory);
  for (let session = 0; session < 20; session++) {
    const name = `s${session}`;
    store.putSession(sessionOf(name));
    store.putSubscription(name, subscriptionTo(`t/${session}`));
    for (let position = 1; position <= 20; position++) {
      store.putDelivery(name, deliveryAt(position, messageOn(`t/${session}`, 'p'.repeat(position * 100))));
    }
    store.putInbound(name, { packetIdentifier: 1, message: messageOn('in', 'bound') });
    store.putRetained(messageOn(`r/${session}`, 'r'.repeat(session)));
  }
  await store.close();
}

describe('LmdbStore', () => {
  it('shares one commit among all that arrives while another is under way', async () => {
    let deferred: (() => void)[] = [];
    const clock: Clock = { ...systemClock, defer: (callback) => void deferred.push(callback) };
    const endTurn = (): void => {
      for (const callback of deferred.splice(0)) callback();
    };
    const store = await openStore(temporaryDirectory(), { clock });
    await store.load();
    const before = store.commitCount;
    store.putRetained(messageOn('t', '0'));
    store.putRetained(messageOn('u', '0'));
    // From here until this test waits for something the commit cannot end.
    endTurn();
    for (let number = 1; number <= 100; number++) {
      store.putRetained(messageOn(`t${number}`, 'x'));
      endTurn();
    }
    await safe(store);
    expect(store.commitCount - before).toBe(2);
    expect(store.countRecords().retained).toBe(102);
    deferred = [];
  });

  it('writes nothing of what is delivered and acknowledged before its commit begins', async () => {
    const store = await openStore(temporaryDirectory());
    await store.load();
    store.putSession(sessionOf('a'));
    await safe(store);
    const before = store.commitCount;
    const calls: string[] = [];
    const delivery = deliveryAt(1, messageOn('t', 'x'));
    store.putDelivery('a', delivery);
    store.whenSafe(() => calls.push('acknowledged'));
    store.deleteDelivery('a', delivery);
    store.whenSafe(() => calls.push('later'));
    expect(calls).toEqual([]);
    await safe(store);
    expect(calls).toEqual(['acknowledged', 'later']);
    expect(store.commitCount).toBe(before);
  });

  it('is in trouble while a commit does not come back, and works again when it does', async () => {
    const clock = new ManualClock();
    const troubles: (string | undefined)[] = [];
    const directory = temporaryDirectory();
    const store = await openStore(directory, { clock, onTrouble: (trouble) => troubles.push(trouble) });
    await store.load();
    for (let round = 0; round < 2; round++) {
      let isSafe = false;
      store.putRetained(messageOn('t', 'x'));
      store.whenSafe(() => {
        isSafe = true;
      });
      clock.endTurn();
      // From here until this test waits for something the commit cannot end.
      clock.pass(4999);
      expect(store.isRefusingWork).toBe(false);
      clock.pass(1);
      expect(store.isRefusingWork).toBe(true);
      expect(isSafe).toBe(false);
      await until(() => isSafe, 'the commit');
      expect(store.isRefusingWork).toBe(false);
    }
    const trouble = `${directory} does not answer: a commit has taken more than 5 seconds so far`;
    expect(troubles).toEqual([trouble, undefined, trouble, undefined]);
    const closing = store.close();
    clock.endTurn();
    await closing;
  });

  it('takes no more space however many messages go through it', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory, { durability: 'relaxed' });
    await store.load();
    store.putSession(sessionOf('a'));
    const size = (): number => statSync(join(directory, 'data.mdb')).size;
    const waiting: ReturnType<typeof deliveryAt>[] = [];
    let position = 0;
    const sizes: number[] = [];
    // 500 messages wait at any time, of up to 3 KB each.
    for (let round = 0; round < 400; round++) {
      for (let count = 0; count < 500; count++) {
        const delivery = deliveryAt(++position, messageOn('t', new Uint8Array((position * 7) % 3000)));
        waiting.push(delivery);
        store.putDelivery('a', delivery);
        if (waiting.length > 500) store.deleteDelivery('a', waiting.shift() as (typeof waiting)[0]);
      }
      await safe(store);
      sizes.push(size());
    }
    expect(position).toBe(200_000);
    expect(store.countRecords()).toMatchObject({ messages: 500, deliveries: 500 });
    const early = Math.max(...sizes.slice(0, 40));
    expect(size()).toBeLessThanOrEqual(early * 1.25);
    expect(size()).toBeLessThan(30_000_000);
  });

  it('takes no more space however often sessions come and go, messages rest and are taken, and topics change', async () => {
    const directory = temporaryDirectory();
    const sizes: number[] = [];
    let position = 0;
    for (let life = 0; life < 12; life++) {
      const store = await openStore(directory, { durability: 'relaxed' });
      for (const { session, resting } of (await store.load()).sessions) {
        // Half of what rested is delivered, the other half goes with its session.
        const { clientIdentifier } = session;
        const { after, last } = resting as NonNullable<typeof resting>;
        for (const record of store.takeDeliveries(clientIdentifier, after, last, 50)) {
          const delivery = deliveryAt(record.position, record.message);
          delivery.isWritten = true;
          store.deleteDelivery(clientIdentifier, delivery);
        }
        store.dropDeliveries(clientIdentifier, after, last);
        store.deleteSubscription(clientIdentifier, 't');
        store.deleteSession(clientIdentifier);
      }
      await safe(store);
      expect(store.countRecords()).toMatchObject({ messages: 0, deliveries: 0, sessions: 0, subscriptions: 0 });
      for (let session = 0; session < 100; session++) {
        const name = `life ${life}, session ${session}`;
        store.putSession(sessionOf(name));
        store.putSubscription(name, subscriptionTo('t'));
        for (let count = 0; count < 100; count++) {
          const message = messageOn('t', new Uint8Array((++position * 7) % 3000));
          store.putDelivery(name, deliveryAt(position, message));
        }
        store.putRetained(messageOn(`topic ${session}`, new Uint8Array((life * 997) % 3000)));
        await safe(store);
      }
      expect(store.countRecords()).toMatchObject({
        messages: 10_000,
        deliveries: 10_000,
        sessions: 100,
        retained: 100,
      });
      await store.close();
      sizes.push(statSync(join(directory, 'data.mdb')).size);
    }
    // 15 MB of payloads at any time, 180 MB in all.
    const early = Math.max(...sizes.slice(0, 3));
    expect(sizes.at(-1)).toBeLessThanOrEqual(early * 1.25);
    expect(sizes.at(-1)).toBeLessThan(60_000_000);
  });

  it('reads payloads back from the disk, and keeps none of them in memory', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory, { payloadCacheBytes: 25_000 });
    await store.load();
    store.putSession(sessionOf('a'));
    const messages = Array.from({ length: 20 }, (_, index) => messageOn('t', `${index} ${'x'.repeat(5000)}`));
    for (const [index, message] of messages.entries()) store.putDelivery('a', deliveryAt(index + 1, message));
    await safe(store);
    expect(messages.filter((message) => message.isInMemory).length).toBeLessThan(6);
    for (const [index, message] of messages.entries()) {
      expect(Buffer.from(message.payload).toString()).toBe(`${index} ${'x'.repeat(5000)}`);
      expect(message.payloadLength).toBe(message.payload.length);
    }
    await store.close();
    const again = await openStore(directory);
    const [session] = (await again.load()).sessions;
    const found = session?.deliveries.map((one) => one.message) ?? [];
    expect(found.some((message) => message.isInMemory)).toBe(false);
    expect(found.map(plain)).toEqual(messages.map((_, index) => plain(messageOn('t', `${index} ${'x'.repeat(5000)}`))));
  });

  it('leaves the payload of a message that a program may look at in memory', async () => {
    const store = await openStore(temporaryDirectory(), { payloadCacheBytes: 0 });
    await store.load();
    store.putSession(sessionOf('a'));
    const message = messageOn('t', 'held');
    message.pinPayload();
    const delivery = deliveryAt(1, message);
    store.putDelivery('a', delivery);
    await safe(store);
    store.deleteDelivery('a', delivery);
    await safe(store);
    expect(Buffer.from(message.payload).toString()).toBe('held');
  });

  it('is in trouble from the first payload that it cannot read, and says so', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const troubles: (string | undefined)[] = [];
    const store = await openStore(directory, { onTrouble: (trouble) => void troubles.push(trouble) });
    const [session] = (await store.load()).sessions;
    const message = session?.deliveries.at(-1)?.message as Message;
    // The map of the file shows what is written to it.
    const path = join(directory, 'data.mdb');
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf('p'.repeat(1900)); at >= 0; at = bytes.indexOf('p'.repeat(1900), at + 1900)) {
      bytes[at + 5] = 0;
    }
    writeFileSync(path, bytes, { flag: 'r+' });
    expect(() => message.payload).toThrow(/message \d+ cannot be read: the checksum of its payload is wrong/);
    expect(store.trouble).toContain(directory);
    expect(store.isRefusingWork).toBe(true);
    expect(troubles).toEqual([store.trouble]);
  });
});

describe('a store that cannot be opened', () => {
  it('is refused to a second broker, until the first is gone', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    expect(await refusal(directory)).toBe(
      `${directory} is in use by another broker. Stop that one, or give this one a directory of its own (persistence_location, or --data).`,
    );
    await store.close();
    expect(await refusal(directory)).toBeUndefined();
  });

  it('is refused to a second broker also where the path is too long for a socket', async () => {
    const directory = join(temporaryDirectory(), 'd'.repeat(120));
    const store = await openStore(directory);
    expect(await refusal(directory)).toContain('is in use by another broker');
    await store.close();
    expect(await refusal(directory)).toBeUndefined();
  });

  it('is refused to a second broker that comes by another path, however long either is', async () => {
    for (const name of ['d', 'd'.repeat(120)]) {
      const directory = join(temporaryDirectory(), name);
      mkdirSync(directory);
      const paths = [directory, join(temporaryDirectory(), 'link'), join(temporaryDirectory(), 'l'.repeat(120))];
      for (const link of paths.slice(1)) symlinkSync(directory, link);
      for (const first of paths) {
        const store = await openStore(first);
        for (const second of paths) expect(await refusal(second)).toContain(`${second} is in use by another broker`);
        await store.close();
      }
    }
  });

  it('says so if the directory cannot be made', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, '');
    expect(await refusal(join(file, 'store'))).toBe(
      `${file}/store cannot be made: a part of the path is no directory.`,
    );
  });

  it('says so if LMDB could not open its own file, rather than end the process', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const path = join(directory, 'data.mdb-lock');
    rmSync(path, { force: true });
    mkdirSync(path);
    expect(await refusal(directory)).toMatch(`${path} cannot be opened for writing: EISDIR`);
    rmSync(path, { recursive: true });
    expect(await refusal(directory)).toBeUndefined();
  });

  it('says so if it is of another version', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    writeFileSync(join(directory, 'format'), 'clearwing store, format 3\n');
    expect(await refusal(directory)).toBe(
      `${directory} has a store of format 3; this release of Clearwing knows format 2. Use the release that wrote it, or another directory.`,
    );
    writeFileSync(join(directory, 'format'), 'something else\n');
    expect(await refusal(directory)).toContain('does not say that this is a store of Clearwing');
  });

  it('says so if the data file is gone, empty or another', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const path = join(directory, 'data.mdb');
    const rest = ', though the store was complete. Restore the directory from a copy, or move it away';
    cpSync(path, `${path}.copy`);
    truncateSync(path, 0);
    expect(await refusal(directory)).toContain(`${path} is empty${rest}`);
    rmSync(path);
    expect(await refusal(directory)).toContain(`${path} is missing${rest}`);
    writeFileSync(path, 'not a data file at all'.repeat(1000));
    expect(await refusal(directory)).toContain(`${path} is no data file of a store, or is damaged`);
    cpSync(`${path}.copy`, path);
    expect(await refusal(directory)).toBeUndefined();
  });

  it('says so wherever the data file is cut off, and never ends the process', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const path = join(directory, 'data.mdb');
    const whole = readFileSync(path);
    let refused = 0;
    for (let part = 1; part < 16; part++) {
      writeFileSync(path, whole.subarray(0, Math.floor((whole.length * part) / 16)));
      if ((await refusal(directory)) !== undefined) refused++;
    }
    // The last part of the file may be free pages.
    expect(refused).toBeGreaterThan(10);
    writeFileSync(path, whole);
    expect(await refusal(directory)).toBeUndefined();
  });

  it('says so whatever page of the data file is damaged, and never ends the process', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const path = join(directory, 'data.mdb');
    const whole = readFileSync(path);
    const original = await openStore(directory);
    const expected = JSON.stringify(await loaded(original));
    await original.close();
    let refused = 0;
    const pages = whole.length / 4096;
    for (let page = 0; page < pages; page += Math.max(1, Math.floor(pages / 40))) {
      for (const damage of [0, 0xff, 0x5a]) {
        const damaged = Buffer.from(whole);
        damaged.fill(damage, page * 4096, page * 4096 + 4096);
        writeFileSync(path, damaged);
        if ((await refusal(directory)) !== undefined) {
          refused++;
          continue;
        }
        // A page that is not in use: everything is there.
        const store = await openStore(directory);
        expect(JSON.stringify(await loaded(store))).toBe(expected);
        await store.close();
      }
    }
    expect(refused).toBeGreaterThan(20);
  });

  it('says which record is damaged', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    const path = join(directory, 'data.mdb');
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf('r/7'); at >= 0; at = bytes.indexOf('r/7', at + 1)) bytes[at + 1] = 0x2d;
    writeFileSync(path, bytes);
    expect(await refusal(directory)).toMatch(
      /the retained message of 'r-7' cannot be read: its checksum is wrong\. Restore/,
    );
  });

  it('begins anew what another process had not completed', async () => {
    const directory = temporaryDirectory();
    await makeStore(directory);
    rmSync(join(directory, 'format'));
    expect(await refusal(directory)).toBeUndefined();
    expect(existsSync(join(directory, 'format'))).toBe(true);
    mkdirSync(join(directory, 'other'));
    appendFileSync(join(directory, 'other', 'data.mdb'), '');
    appendFileSync(join(directory, 'other', 'format'), '');
    expect(await refusal(join(directory, 'other'))).toBeUndefined();
  });

  it('keeps everything when the durability changes between one process and the next', async () => {
    const directory = temporaryDirectory();
    for (const [index, durability] of (
      ['strict', 'relaxed', 'strict', 'none', 'relaxed', 'strict'] as const
    ).entries()) {
      const store = await openStore(directory, { durability });
      const { retained } = await loaded(store);
      expect(Object.keys(retained).length).toBe(index);
      store.putRetained(messageOn(`t${index}`, 'x'));
      await store.close();
    }
  });
});

describe('a process that is killed', () => {
  it('leaves all of a turn of the event loop, or nothing', async () => {
    const directory = temporaryDirectory();
    const program = join(mkdtempSync(join(repositoryDirectory, 'node_modules', '.clearwing-turns-')), 'turns.mjs');
    onTestFinished(() => rmSync(join(program, '..'), { recursive: true, force: true }));
    await esbuild.build({
      entryPoints: [join(repositoryDirectory, 'test/broker/persistence/turns-program.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['lmdb'],
    });
    let lastTurn = 0;
    for (let kill = 0; kill < 8; kill++) {
      const child = spawn(process.execPath, [program, join(directory, 'store')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let acknowledged = 0;
      child.stdout.on('data', (chunk: Buffer) => {
        const lines = chunk.toString().trimEnd().split('\n');
        acknowledged = Number.parseInt(lines.at(-1) ?? '0', 10);
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, 5 + kill * 9));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('close', resolve));
      const store = await openStore(join(directory, 'store'));
      const { sessions, retained } = await loaded(store);
      const turn = sessions.a?.session.expiryInterval ?? 0;
      // All that a turn stages says which turn it was.
      expect(sessions.b?.session.expiryInterval).toBe(turn);
      expect(sessions.a?.subscriptions.map((one) => one.identifier)).toEqual([turn]);
      expect(sessions.b?.deliveries).toMatchObject([{ position: turn, message: { payload: String(turn) } }]);
      expect(retained).toMatchObject({ first: { payload: String(turn) }, second: { payload: String(turn) } });
      expect(turn).toBeGreaterThanOrEqual(acknowledged);
      expect(turn).toBeGreaterThan(lastTurn);
      lastTurn = turn;
      await store.close();
    }
  });
});
