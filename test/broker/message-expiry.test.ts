/** Message Expiry Interval: what is left of it is told, and what is over is not delivered. [MQTT 5.0 §3.3.2.3.3] */
import { describe, expect, it } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { property, puback } from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const session = (clientIdentifier: string, ...more: Uint8Array[]) => ({
  clientIdentifier,
  cleanStart: false,
  properties: [property.sessionExpiryInterval(3600), ...more],
});
const expiring = (seconds: number, qos = 1) => ({ qos, properties: [property.messageExpiryInterval(seconds)] });

/** Payload and remaining interval of each PUBLISH that has come. */
const left = async (client: MemoryClient) =>
  (await client.take()).map((packet) => [`${packet.payload}`, ...valuesOf(packet, 0x02)]);

describe('a message that expires', () => {
  it('[MQTT-3.3.2-6] is told with the time it has left, in whole seconds, rounded up', async () => {
    const net = new InMemoryBroker();
    const away = await net.connect(session('away'));
    await away.subscribe(['t', 1]);
    await away.drop();
    const publisher = await net.connect();
    publisher.publish('t', 'a', expiring(100));
    publisher.publish('t', 'b', { qos: 1 });
    await net.pass(10_400);
    publisher.publish('t', 'c', expiring(100));
    await net.settle();
    expect(await left(await net.connect(session('away')))).toEqual([['a', 90], ['b'], ['c', 100]]);
  });

  it('[MQTT-3.3.2-5] is not delivered when its time is over, wherever it waited, and is counted', async () => {
    const net = new InMemoryBroker();
    const away = await net.connect(session('away'));
    const slow = await net.connect(session('slow', property.receiveMaximum(1)));
    for (const client of [away, slow]) await client.subscribe(['t', 1]);
    await away.drop();
    const publisher = await net.connect();
    publisher.publish('t', 'in flight', { qos: 1 });
    publisher.publish('t', 'over', expiring(10));
    publisher.publish('t', 'kept', expiring(11));
    await net.pass(10_000);
    expect(await left(await net.connect(session('away')))).toEqual([['in flight'], ['kept', 1]]);
    expect(await left(slow)).toEqual([['in flight']]);
    slow.send(puback(1));
    expect(await left(slow)).toEqual([['kept', 1]]);
    expect(net.counters.messagesExpired).toBe(2);
    expect(net.counters.publishMessagesDropped).toBe(0);
  });

  it('that was sent once is sent again after its time, since its delivery has begun', async () => {
    const net = new InMemoryBroker();
    const first = await net.connect(session('s'));
    await first.subscribe(['t', 1]);
    net.broker.publish('t', 'x', { qos: 1, properties: { messageExpiryInterval: 5 } });
    expect(await left(first)).toEqual([['x', 5]]);
    await first.drop();
    await net.pass(60_000);
    const second = await net.connect(session('s'));
    const packets = await second.take();
    expect(packets.map(({ flags, payload }) => [flags & 8, `${payload}`])).toEqual([[8, 'x']]);
    expect(valuesOf(packets[0] as NonNullable<(typeof packets)[0]>, 0x02)).toEqual([0]);
  });

  it('is delivered at once to who is there, even with an interval of 0', async () => {
    const net = new InMemoryBroker();
    const live = await net.connect();
    const away = await net.connect(session('away'));
    for (const client of [live, away]) await client.subscribe(['t', 1]);
    await away.drop();
    const publisher = await net.connect();
    publisher.publish('t', 'x', expiring(0));
    expect(await left(live)).toEqual([['x', 0]]);
    expect(await left(await net.connect(session('away')))).toEqual([]);
  });

  it('is no longer there if it was retained', async () => {
    const net = new InMemoryBroker();
    const publisher = await net.connect();
    publisher.publish('t/1', 'short', { ...expiring(10), retain: true });
    publisher.publish('t/2', 'long', { ...expiring(100), retain: true });
    await net.pass(9_500);
    const early = await net.connect();
    await early.subscribe('t/#');
    expect((await left(early)).sort()).toEqual([
      ['long', 91],
      ['short', 1],
    ]);
    await net.pass(500);
    const late = await net.connect();
    await late.subscribe('t/#');
    expect(await left(late)).toEqual([['long', 90]]);
  });

  it('takes no room among the retained ones for long', async () => {
    const net = new InMemoryBroker({ settings: { maxRetainedMessages: 1 }, listeners: [] });
    await net.broker.listen();
    const publisher = await net.connect();
    publisher.publish('a', 'x', { ...expiring(5), retain: true });
    publisher.publish('b', 'x', { retain: true });
    await net.settle();
    expect(net.counters.retainedRefused).toBe(1);
    await net.pass(20_000);
    publisher.publish('b', 'x', { retain: true });
    await net.settle();
    expect(net.counters.retainedRefused).toBe(1);
    await net.broker.close();
  });

  it('as a will counts from the moment it is published', async () => {
    const net = new InMemoryBroker();
    const away = await net.connect(session('away'));
    await away.subscribe(['will', 1]);
    await away.drop();
    const client = await net.connect({
      ...session('w'),
      will: { topic: 'will', qos: 1, properties: [property.messageExpiryInterval(10), property.willDelayInterval(30)] },
    });
    await client.drop();
    await net.pass(36_000);
    expect(await left(await net.connect(session('away')))).toEqual([['', 4]]);
  });

  it('goes to 3.1.1 clients too, which are told nothing of it', async () => {
    const net = new InMemoryBroker();
    const fields = { version: 4, clientIdentifier: 'four', cleanStart: false } as const;
    const four = await net.connect(fields);
    await four.subscribe(['t', 1]);
    await four.drop();
    const publisher = await net.connect();
    publisher.publish('t', 'over', expiring(5));
    publisher.publish('t', 'kept', expiring(50));
    await net.pass(6_000);
    expect(await (await net.connect(fields)).texts()).toEqual(['PUBLISH id=1 [t] "kept"']);
  });
});
