/** What everybody who was to have it acknowledges at once is not stored at all, and what is not acknowledged at once is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Delivery } from '../../../src/broker/delivery.ts';
import { silentLog } from '../../../src/broker/log.ts';
import { type LmdbStore, openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';
import { MemoryStore } from '../../../src/broker/persistence/memory.ts';
import { connect, property, puback, subscribe } from '../../support/raw-packets.ts';
import { until } from '../../support/until.ts';
import { InMemoryBroker, type MemoryClient } from '../in-memory.ts';
import { ManualClock } from './manual-clock.ts';
import { deliveryAt, messageOn, safe, sessionOf } from './store-contract.ts';

async function storeWithSessions(...names: readonly string[]): Promise<{ store: LmdbStore; clock: ManualClock }> {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-store-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const clock = new ManualClock();
  const store = await openLmdbStore({ directory, clock, log: silentLog });
  onTestFinished(async () => {
    const closing = store.close();
    clock.endTurn();
    await closing;
  });
  await store.load();
  for (const name of names) store.putSession(sessionOf(name));
  clock.endTurn();
  await safe(store);
  return { store, clock };
}

let position = 1;
/** A delivery that has just been sent at QoS 1. */
function sent(payload = 'x'): Delivery {
  const delivery = deliveryAt(position, messageOn('t', payload), { packetIdentifier: position });
  position++;
  delivery.state = 'awaiting-puback';
  return delivery;
}

function acknowledge(store: LmdbStore, name: string, delivery: Delivery): void {
  delivery.state = 'done';
  store.deleteDelivery(name, delivery);
}

describe('what is acknowledged at once', () => {
  it('is not written', async () => {
    const { store, clock } = await storeWithSessions('a');
    const before = store.commitCount;
    let kept = 0;
    for (let round = 0; round < 100; round++) {
      const delivery = sent();
      store.putDelivery('a', delivery);
      store.whenKept(delivery.message, () => kept++);
      clock.pass(1);
      expect(kept).toBe(round);
      acknowledge(store, 'a', delivery);
      expect(kept).toBe(round + 1);
    }
    clock.pass(100);
    expect(store.commitCount).toBe(before);
    expect(store.countRecords()).toMatchObject({ messages: 0, deliveries: 0 });
  });

  it('is not written either while there is always something under way', async () => {
    const { store, clock } = await storeWithSessions('a');
    const before = store.commitCount;
    let last = sent();
    store.putDelivery('a', last);
    for (let round = 0; round < 100; round++) {
      clock.pass(1);
      const next = sent();
      store.putDelivery('a', next);
      acknowledge(store, 'a', last);
      last = next;
    }
    expect(store.commitCount).toBe(before);
    acknowledge(store, 'a', last);
  });

  it('is written with what has to be written', async () => {
    const { store, clock } = await storeWithSessions('a', 'absent');
    const [delivery, queued] = [sent(), deliveryAt(position++, messageOn('t', 'y'))];
    let kept = 0;
    store.putDelivery('a', delivery);
    store.whenKept(delivery.message, () => kept++);
    clock.endTurn();
    store.putDelivery('absent', queued);
    store.whenKept(queued.message, () => kept++);
    expect(kept).toBe(0);
    clock.endTurn();
    await until(() => kept === 2, 'both to be safe');
    expect(store.countRecords()).toMatchObject({ messages: 2, deliveries: 2 });
    acknowledge(store, 'a', delivery);
  });
});

describe('what is not acknowledged at once', () => {
  it('is written a moment later, and what came after it not yet', async () => {
    const { store, clock } = await storeWithSessions('a', 'b');
    const [first, second] = [sent(), sent()];
    const kept: string[] = [];
    store.putDelivery('a', first);
    store.whenKept(first.message, () => kept.push('first'));
    clock.pass(2);
    store.putDelivery('b', second);
    store.whenKept(second.message, () => kept.push('second'));
    clock.pass(2);
    await until(() => kept.length === 1, 'the first to be safe');
    expect(kept).toEqual(['first']);
    expect(store.countRecords()).toMatchObject({ messages: 1, deliveries: 1 });
    acknowledge(store, 'b', second);
    expect(kept).toEqual(['first', 'second']);
    acknowledge(store, 'a', first);
  });

  it('is held no more once its client has taken its time again and again, until that is quick again', async () => {
    const { store, clock } = await storeWithSessions('slow');
    const isHeld = async (acknowledgedAfterMs: number): Promise<boolean> => {
      const delivery = sent();
      store.putDelivery('slow', delivery);
      const isWaitedFor = clock.hasTimerWithin(20);
      clock.endTurn();
      clock.pass(acknowledgedAfterMs);
      acknowledge(store, 'slow', delivery);
      // Nothing is under way when the next is sent.
      const all = store.sync();
      clock.endTurn();
      await all;
      clock.pass(100);
      return isWaitedFor;
    };
    expect(await isHeld(50)).toBe(true);
    let slowRounds = 1;
    while (await isHeld(50)) expect(slowRounds++).toBeLessThan(20);
    let quickRounds = 1;
    while (!(await isHeld(1))) expect(quickRounds++).toBeLessThan(20);
  });
});

describe('a publisher', () => {
  const commitMs = 500;

  async function started() {
    let net: InMemoryBroker | undefined;
    const clock = {
      now: () => net!.clock.now(),
      monotonic: () => net!.clock.monotonic(),
      setTimer: (delay: number, callback: () => void) => net!.clock.setTimer(delay, callback),
      clearTimer: (handle: never) => net!.clock.clearTimer(handle),
      defer: (callback: () => void) => net!.clock.defer(callback),
    };
    net = new InMemoryBroker({ store: new MemoryStore({ clock, commitDelayMs: () => commitMs }) });
    await net.broker.restore();
    return net;
  }

  async function durableSubscriber(net: InMemoryBroker, topicFilter: string): Promise<MemoryClient> {
    const client = net.open();
    const properties = [property.sessionExpiryInterval(3600)];
    client.send(connect({ version: 5, clientIdentifier: topicFilter, cleanStart: false, keepAlive: 0, properties }));
    await net.pass(3 * commitMs);
    client.send(subscribe(1, [[topicFilter, 1]], []));
    await net.pass(3 * commitMs);
    expect((await client.take()).map(({ name }) => name)).toEqual(['CONNACK', 'SUBACK']);
    return client;
  }

  it('is answered when all subscribers have acknowledged, without waiting for the store', async () => {
    const net = await started();
    const [one, other] = [await durableSubscriber(net, 'a/b'), await durableSubscriber(net, 'a/+')];
    const publisher = await net.connect();
    publisher.publish('a/b', 'x', { qos: 1 });
    await net.pass(10);
    one.send(puback(1));
    await net.pass(10);
    expect(await publisher.texts()).toEqual([]);
    other.send(puback(1));
    await net.pass(10);
    expect(await publisher.texts()).toEqual(['PUBACK id=1']);
  });

  it('[MQTT-4.6.0-2] is answered in the order of its messages, whichever of them is acknowledged first', async () => {
    const net = await started();
    await durableSubscriber(net, 'slow');
    const quick = await durableSubscriber(net, 'quick');
    const publisher = await net.connect();
    publisher.publish('slow', 'x', { qos: 1 });
    publisher.publish('quick', 'y', { qos: 1 });
    await net.pass(10);
    quick.send(puback(1));
    await net.pass(commitMs - 100);
    expect(await publisher.texts()).toEqual([]);
    await net.pass(200);
    expect(await publisher.texts()).toEqual(['PUBACK id=1', 'PUBACK id=2']);
  });

  it('is answered when the store is safe if its message is retained, though all subscribers have it', async () => {
    const net = await started();
    const subscriber = await durableSubscriber(net, 't');
    const publisher = await net.connect();
    publisher.publish('t', 'x', { qos: 1, retain: true });
    await net.pass(10);
    subscriber.send(puback(1));
    await net.pass(commitMs - 100);
    expect(await publisher.texts()).toEqual([]);
    await net.pass(200);
    expect(await publisher.texts()).toEqual(['PUBACK id=1']);
  });
});
