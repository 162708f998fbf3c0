/** What the journal is for, and what becomes of one that was left behind. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { Delivery } from '../../../src/broker/delivery.ts';
import { silentLog } from '../../../src/broker/log.ts';
import { checkStore } from '../../../src/broker/persistence/inspection/check-store.ts';
import { StoreContents } from '../../../src/broker/persistence/inspection/store-contents.ts';
import { StoreFile } from '../../../src/broker/persistence/inspection/store-file.ts';
import { type LmdbStore, openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';
import { LmdbEnvironment } from '../../../src/broker/persistence/lmdb-environment.ts';
import { deliveryAt, loaded, messageOn, safe, sessionOf } from './store-contract.ts';

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-journal-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function openStore(directory: string): Promise<LmdbStore> {
  const store = await openLmdbStore({ directory, clock: systemClock, log: silentLog });
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

/** What a process that is killed now would leave. */
function leftBy(directory: string): string {
  const copy = temporaryDirectory();
  for (const name of ['data.mdb', 'format']) copyFileSync(join(directory, name), join(copy, name));
  return copy;
}

function sent(position: number, payload: string): Delivery {
  const delivery = deliveryAt(position, messageOn('t', payload), { qos: 2, packetIdentifier: position });
  delivery.state = 'awaiting-pubrec';
  return delivery;
}

/** A store with ten deliveries under way, the middle ones of which are further on, or over. */
async function storeUnderWay(directory: string): Promise<LmdbStore> {
  const store = await openStore(directory);
  await store.load();
  store.putSession(sessionOf('a'));
  const deliveries = Array.from({ length: 10 }, (_, index) => sent(index + 1, `payload ${index + 1}`));
  for (const delivery of deliveries) store.putDelivery('a', delivery);
  store.putInbound('a', { packetIdentifier: 9, message: messageOn('in', 'bound') });
  await safe(store);
  for (const delivery of deliveries.slice(2, 8)) {
    delivery.state = 'awaiting-pubcomp';
    store.updateDelivery('a', delivery);
  }
  await safe(store);
  for (const delivery of deliveries.slice(4, 6)) {
    delivery.state = 'done';
    store.deleteDelivery('a', delivery);
  }
  await safe(store);
  return store;
}

/** Records in the tables and in the journal, whatever they come to together. */
async function recordCounts(directory: string): Promise<{ readonly tables: number; readonly journal: number }> {
  const environment = await LmdbEnvironment.open(leftBy(directory), 'strict');
  const tables = (['messages', 'deliveries', 'inbound'] as const).reduce(
    (sum, name) => sum + environment.count(name),
    0,
  );
  const journal = environment.count('journal');
  await environment.close();
  return { tables, journal };
}

async function refusal(directory: string): Promise<string | undefined> {
  try {
    await (await openStore(directory)).close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('the journal', () => {
  it('has what is under way, one record for each commit, and the tables nothing of it', async () => {
    const directory = temporaryDirectory();
    const store = await storeUnderWay(directory);
    expect(await recordCounts(directory)).toEqual({ tables: 0, journal: 3 });
    expect(store.countRecords()).toMatchObject({ messages: 9, deliveries: 8, inbound: 1 });
  });

  it('is empty once the store is closed, and the tables have everything', async () => {
    const directory = temporaryDirectory();
    await (await storeUnderWay(directory)).close();
    expect(await recordCounts(directory)).toEqual({ tables: 18, journal: 0 });
  });

  it('is carried out at the next start after a crash', async () => {
    const directory = temporaryDirectory();
    const store = await storeUnderWay(directory);
    const left = leftBy(directory);
    await store.close();
    const again = await openStore(left);
    const { deliveries, inbound } = (await loaded(again)).sessions.a!;
    expect(deliveries).toMatchObject(
      [1, 2, 3, 4, 7, 8, 9, 10].map((position) => ({
        position,
        packetIdentifier: position,
        state: position > 2 && position < 9 ? 'awaiting-pubcomp' : 'awaiting-pubrec',
        message: { payload: `payload ${position}` },
      })),
    );
    expect(inbound).toMatchObject([{ packetIdentifier: 9, message: { payload: 'bound' } }]);
    await again.close();
    expect(await recordCounts(left)).toEqual({ tables: 18, journal: 0 });
  });

  it('never becomes long, however much goes through it', async () => {
    const directory = temporaryDirectory();
    const store = await storeUnderWay(directory);
    let longest = 0;
    for (let round = 0; round < 30; round++) {
      const deliveries = Array.from({ length: 500 }, (_, index) => sent(100 + index, 'x'.repeat(1000)));
      for (const delivery of deliveries) store.putDelivery('a', delivery);
      await safe(store);
      if (round % 5 === 0) longest = Math.max(longest, (await recordCounts(directory)).journal);
      for (const delivery of deliveries) store.deleteDelivery('a', delivery);
      await safe(store);
    }
    // 15 MB went through it.
    expect(longest).toBeLessThan(20);
    expect(store.countRecords()).toMatchObject({ messages: 9, deliveries: 8, inbound: 1 });
  });

  it('has neither a long queue nor large messages', async () => {
    const directory = temporaryDirectory();
    const store = await openStore(directory);
    await store.load();
    store.putSession(sessionOf('a'));
    for (let position = 1; position <= 1000; position++)
      store.putDelivery('a', deliveryAt(position, messageOn('t', 'x')));
    const large = deliveryAt(1001, messageOn('t', 'x'.repeat(10_000)), { packetIdentifier: 1 });
    large.state = 'awaiting-pubrec';
    store.putDelivery('a', large);
    await safe(store);
    const { tables } = await recordCounts(directory);
    expect(tables).toBeGreaterThan(1700);
  });

  it('is seen by whoever looks into the store, without a change to its files', async () => {
    const directory = temporaryDirectory();
    const store = await storeUnderWay(directory);
    const left = leftBy(directory);
    await store.close();
    const bytes = readFileSync(join(left, 'data.mdb'));
    const seen = async (): Promise<unknown> => {
      const file = await StoreFile.open(left);
      const damage: unknown[] = [];
      const items = [...new StoreContents(file, (one) => damage.push(one)).items()];
      const { damageCount } = checkStore(file, (one) => damage.push(one));
      const counts = (['deliveries', 'inbound'] as const).map((name) => file.count(name));
      await file.close();
      return { items, damage, damageCount, counts };
    };
    const before = await seen();
    expect(before).toMatchObject({ damage: [], damageCount: 0, counts: [8, 1] });
    expect(readFileSync(join(left, 'data.mdb'))).toEqual(bytes);
    const again = await openStore(left);
    await loaded(again);
    await again.close();
    expect(await seen()).toEqual(before);
  });

  it('is refused if it is damaged, wherever that is, with a word on which record', async () => {
    const directory = temporaryDirectory();
    const store = await storeUnderWay(directory);
    const left = leftBy(directory);
    await store.close();
    const path = join(left, 'data.mdb');
    const whole = readFileSync(path);
    // The first record, from its version to among the deliveries, in each page that has it or once had it.
    const starts: number[] = [];
    const head = Buffer.from([1, 0, 0, 0, 22, 0]);
    for (let at = whole.indexOf(head); at >= 0; at = whole.indexOf(head, at + 1)) starts.push(at);
    const [first = 0] = starts;
    const length = whole.indexOf('bound', first) + 300 - first;
    expect(length).toBeGreaterThan(700);
    for (let offset = 0; offset < length; offset += 41) {
      const damaged = Buffer.from(whole);
      for (const start of starts) damaged[start + offset]! ^= 0x55;
      writeFileSync(path, damaged);
      expect(await refusal(left), `byte ${offset}`).toMatch(
        /: record 1 of the journal cannot be read: .*\. Restore the directory from a copy/,
      );
    }
    writeFileSync(path, whole);
    expect(await refusal(left)).toBeUndefined();
  });
});

describe('a store of format 1', () => {
  it('is read, and has the new format from then on', async () => {
    const directory = temporaryDirectory();
    await (await storeUnderWay(directory)).close();
    const environment = await LmdbEnvironment.open(directory, 'strict');
    await environment.write({ databases: ['meta'], keys: [Uint8Array.of(0)], values: [Uint8Array.of(1)] });
    await environment.close();
    writeFileSync(join(directory, 'format'), 'clearwing store, format 1\n');
    const file = await StoreFile.open(directory);
    expect(file.facts.formatVersion).toBe(1);
    await file.close();
    const store = await openStore(directory);
    expect((await loaded(store)).sessions.a!.deliveries).toHaveLength(8);
    await store.close();
    expect(readFileSync(join(directory, 'format'), 'latin1')).toBe('clearwing store, format 2\n');
    const again = await StoreFile.open(directory);
    expect(again.facts.formatVersion).toBe(2);
    await again.close();
  });
});
