/** What clients see of a store that is slow or fails. */
import { describe, expect, it } from 'vitest';
import { connect, property, publish, publish5, pubrel, subscribe, unsubscribe } from '../../support/raw-packets.ts';
import { InMemoryBroker, type InMemoryOptions, type MemoryClient } from '../in-memory.ts';
import { FaultyStore } from './faulty-store.ts';

const persistent = { cleanStart: false, properties: [property.sessionExpiryInterval(3600)] };
const commitMs = 500;

async function started(options: InMemoryOptions = {}, commitDelayMs = 0) {
  let net: InMemoryBroker | undefined;
  const clock = {
    now: () => net!.clock.now(),
    monotonic: () => net!.clock.monotonic(),
    setTimer: (delay: number, callback: () => void) => net!.clock.setTimer(delay, callback),
    clearTimer: (handle: never) => net!.clock.clearTimer(handle),
    defer: (callback: () => void) => net!.clock.defer(callback),
  };
  const store = new FaultyStore({ clock, commitDelayMs: () => commitDelayMs });
  net = new InMemoryBroker({ ...options, store });
  await net.broker.restore();
  return { net, store };
}

/** A client with a Session that stays, subscribed to `durable`. */
async function durableSubscriber(net: InMemoryBroker): Promise<MemoryClient> {
  const client = net.open();
  await openDurably(net, client, 'durable-subscriber');
  client.send(subscribe(1, [['durable', 1]], []));
  await net.pass(2 * commitMs);
  expect(await client.texts()).toEqual(['SUBACK id=1 codes=1']);
  return client;
}

/** A CONNACK waits for the store. */
async function openDurably(net: InMemoryBroker, client: MemoryClient, name: string): Promise<void> {
  client.send(connect({ ...persistent, version: client.version, clientIdentifier: name, keepAlive: 0 }));
  await net.pass(2 * commitMs);
  expect((await client.take()).map((packet) => [packet.name, packet.code])).toEqual([['CONNACK', 0]]);
}

describe('a store that takes its time', () => {
  it('has the acknowledgement of a message for a persistent Session wait, and nothing else', async () => {
    const { net } = await started({}, commitMs);
    const durable = await durableSubscriber(net);
    const clean = await net.connect();
    await clean.subscribe(['clean', 1], ['zero', 0]);
    const publisher = await net.connect();
    publisher.publish('zero', 'a');
    publisher.publish('clean', 'b', { qos: 1 });
    await net.pass(10);
    expect(await clean.payloads()).toEqual(['a', 'b']);
    expect(await publisher.texts()).toEqual(['PUBACK id=1']);
    publisher.publish('durable', 'c', { qos: 1 });
    await net.pass(commitMs - 100);
    // At QoS 1 it goes out at once: that it comes twice after a crash is allowed.
    expect(await durable.payloads()).toEqual(['c']);
    expect(await publisher.texts()).toEqual([]);
    await net.pass(200);
    expect(await publisher.texts()).toEqual(['PUBACK id=2']);
  });

  it('[MQTT-4.6.0-2] keeps the order of acknowledgements of which one waits', async () => {
    const { net } = await started({}, commitMs);
    await durableSubscriber(net);
    const publisher = await net.connect();
    publisher.publish('durable', 'waits', { qos: 1 });
    publisher.publish('nobody', 'does not', { qos: 1 });
    await net.pass(commitMs - 100);
    expect(await publisher.texts()).toEqual([]);
    await net.pass(200);
    expect(await publisher.texts()).toEqual(['PUBACK id=1', 'PUBACK id=2 code=0x10']);
  });

  it('has publishers wait that are faster than it, and others not', async () => {
    const { net, store } = await started({}, commitMs);
    const durable = await durableSubscriber(net);
    durable.acknowledgeAll();
    const fast = await net.connect();
    store.isBehind = true;
    fast.publish('durable', '1', { qos: 1 });
    await net.pass(10);
    fast.publish('durable', '2', { qos: 1 });
    const other = await net.connect();
    await other.subscribe(['zero', 0]);
    other.publish('zero', 'x');
    await net.pass(100);
    expect(await other.payloads()).toEqual(['x']);
    expect(await durable.payloads()).toEqual(['1']);
    store.isBehind = false;
    await net.pass(2 * commitMs);
    expect(await durable.payloads()).toEqual(['2']);
    await net.pass(2 * commitMs);
    expect(await fast.texts()).toEqual(['PUBACK id=1', 'PUBACK id=2']);
  });
});

describe('a store that cannot write', () => {
  it('has QoS 0 and clean Sessions go on', async () => {
    const { net, store } = await started();
    const durable = await durableSubscriber(net);
    store.fail('no space left');
    const clean = await net.connect();
    expect(await clean.subscribe(['clean', 2], ['durable', 1])).toEqual([2, 1]);
    const publisher = await net.connect();
    publisher.publish('durable', 'zero');
    publisher.publish('clean', 'one', { qos: 1 });
    publisher.send(publish5('clean', 'two', { qos: 2, id: 9 }), pubrel(9));
    await net.pass(10);
    expect(await publisher.texts()).toEqual(['PUBACK id=1', 'PUBREC id=9', 'PUBCOMP id=9']);
    expect((await clean.payloads()).sort()).toEqual(['one', 'two', 'zero']);
    expect(await durable.payloads()).toEqual(['zero']);
  });

  it('[MQTT-3.4.2-1] refuses messages that it would have to keep with 0x97, and keeps the connection', async () => {
    const { net, store } = await started();
    const durable = await durableSubscriber(net);
    store.fail('no space left');
    const publisher = await net.connect();
    publisher.publish('durable', 'a', { qos: 1 });
    publisher.publish('durable', 'b', { qos: 2 });
    publisher.publish('anything', 'retained', { qos: 1, retain: true });
    await net.pass(10);
    const answers = await publisher.take();
    expect(answers.map(({ name, code }) => [name, code])).toEqual([
      ['PUBACK', 0x97],
      ['PUBREC', 0x97],
      ['PUBACK', 0x97],
    ]);
    expect(publisher.isClosed).toBe(false);
    expect(await durable.payloads()).toEqual([]);
    expect(net.counters.storeRefused).toBe(3);
    const reader = await net.connect();
    await reader.subscribe(['anything', 0]);
    expect(await reader.payloads()).toEqual([]);
  });

  it('disconnects 3.1.1 clients that publish such messages', async () => {
    const { net, store } = await started();
    const durable = await durableSubscriber(net);
    store.fail('no space left');
    const publisher = await net.connect({ version: 4 });
    publisher.send(publish('durable', 'a', { qos: 1, id: 1 }));
    await net.pass(10);
    expect(await publisher.texts()).toEqual([]);
    expect(publisher.isClosed).toBe(true);
    expect(await durable.payloads()).toEqual([]);
  });

  it('refuses persistent Sessions, and what they subscribe and unsubscribe', async () => {
    const { net, store } = await started();
    const durable = await durableSubscriber(net);
    const old = net.open({ version: 4 });
    await openDurably(net, old, 'old');
    store.fail('no space left');
    for (const [version, code] of [
      [5, 0x97],
      [4, 3],
    ] as const) {
      const newcomer = net.open({ version });
      newcomer.send(connect({ ...persistent, version, clientIdentifier: `new-${version}`, keepAlive: 0 }));
      await net.pass(10);
      expect((await newcomer.take()).map((packet) => [packet.name, packet.code])).toEqual([['CONNACK', code]]);
      expect(newcomer.isClosed).toBe(true);
    }
    durable.send(subscribe(2, [['other', 1]], []), unsubscribe(3, ['durable', 'unknown'], []));
    await net.pass(10);
    expect(await durable.texts()).toEqual([`SUBACK id=2 codes=${0x97}`, `UNSUBACK id=3 codes=${[0x83, 0x11].join()}`]);
    old.send(subscribe(2, [['other', 1]]));
    await net.pass(10);
    expect(await old.texts()).toEqual(['SUBACK id=2 codes=128']);
    old.send(unsubscribe(3, ['other']));
    await net.pass(10);
    expect(old.isClosed).toBe(true);
  });

  it('acknowledges what it already had once it can write again, and never before', async () => {
    const { net, store } = await started({}, commitMs);
    const durable = await durableSubscriber(net);
    const publisher = await net.connect();
    publisher.publish('durable', 'a', { qos: 1 });
    await net.pass(1);
    store.fail('no space left');
    publisher.publish('durable', 'b', { qos: 2 });
    await net.pass(10_000);
    // Not even the refusal overtakes the acknowledgement before it.
    expect(await publisher.texts()).toEqual([]);
    store.work();
    await net.pass(2 * commitMs);
    expect(await publisher.texts()).toEqual(['PUBACK id=1', 'PUBREC id=2 code=0x97']);
    expect(await durable.payloads()).toEqual(['a']);
    publisher.publish('durable', 'c', { qos: 1 });
    await net.pass(2 * commitMs);
    expect(await publisher.texts()).toEqual(['PUBACK id=3']);
    expect(await durable.payloads()).toEqual(['c']);
  });

  it('leaves a crash nothing that was acknowledged to lose', async () => {
    const { net, store } = await started();
    const durable = await durableSubscriber(net);
    await durable.drop();
    const publisher = await net.connect();
    publisher.publish('durable', 'kept', { qos: 1 });
    await net.pass(10);
    expect(await publisher.texts()).toEqual(['PUBACK id=1']);
    store.fail('no space left');
    publisher.publish('durable', 'refused', { qos: 1 });
    await net.pass(10);
    expect((await publisher.take()).map((packet) => packet.code)).toEqual([0x97]);
    const again = new InMemoryBroker({ store: store.crashed() });
    await again.broker.restore();
    const back = again.open();
    back.send(connect({ ...persistent, clientIdentifier: 'durable-subscriber', keepAlive: 0 }));
    await again.pass(10);
    // The store has the clock of the broker that is gone.
    await net.pass(10);
    expect(await back.texts()).toEqual(['CONNACK flags=1 code=0', 'PUBLISH id=1 [durable] "kept"']);
  });

  it('is seen under $SYS', async () => {
    const { net, store } = await started({ settings: { sysInterval: 1 } });
    store.fail('no space left');
    await net.broker.listen().catch(() => {});
    await net.broker.close();
    expect(net.counters.storeInTrouble).toBe(1);
  });
});
