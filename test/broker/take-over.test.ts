/** One Client Identifier, two connections. [MQTT 5.0 §3.1.4] */
import { describe, expect, it } from 'vitest';
import { property } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';

const twin = {
  clientIdentifier: 'twin',
  cleanStart: false,
  properties: [property.sessionExpiryInterval(60)],
};

describe('taking over', () => {
  it('[MQTT-3.1.4-3] ends the older connection with 0x8E, in 3.1.1 without a word, and keeps the Session', async () => {
    for (const version of [5, 4] as const) {
      const net = new InMemoryBroker();
      const first = await net.connect({ ...twin, version });
      await first.subscribe(['t', 1]);
      const second = await net.connect({ ...twin, version });
      expect(await first.texts()).toEqual(version === 5 ? ['DISCONNECT code=0x8e'] : []);
      expect(first.isClosed).toBe(true);
      expect(second.connack?.flags).toBe(1);
      net.broker.publish('t', 'x', { qos: 1 });
      expect(await second.payloads()).toEqual(['x']);
      expect([net.counters.sessionTakeOvers, net.counters.clientsConnected]).toEqual([1, 1]);
      expect(net.lines('notice')).toContain('Client twin already connected, closing old connection.');
    }
  });

  it('is no take-over once the older connection is gone', async () => {
    const net = new InMemoryBroker();
    await (await net.connect(twin)).drop();
    await net.connect(twin);
    expect(net.counters.sessionTakeOvers).toBe(0);
  });

  it('publishes the will of the older connection, unless its delay keeps it back for the newer one', async () => {
    const net = new InMemoryBroker();
    const watcher = await net.connect();
    await watcher.subscribe('will');
    const delayed = { topic: 'will', payload: Buffer.from('delayed'), properties: [property.willDelayInterval(10)] };
    await net.connect({ ...twin, will: delayed });
    await net.connect({ ...twin, will: { topic: 'will', payload: Buffer.from('at once') } });
    await net.pass(20_000);
    expect(await watcher.payloads()).toEqual([]);
    await net.connect(twin);
    expect(await watcher.payloads()).toEqual(['at once']);
  });
});

describe('two clients that keep taking over one identifier', () => {
  const warnings = (net: InMemoryBroker) => net.lines('warning').filter((line) => line.includes('keep taking over'));

  it('are named in the log, once, and named again if they go on much later', async () => {
    const net = new InMemoryBroker();
    for (let count = 0; count < 3; count++) {
      await net.connect(twin);
      await net.pass(1000);
    }
    expect(warnings(net)).toEqual([]);
    for (let count = 0; count < 10; count++) {
      await net.connect(twin);
      await net.pass(1000);
    }
    expect(warnings(net)).toEqual([
      "Clients at memory-2 and memory-2 keep taking over the Client Identifier 'twin' from each other; each client needs its own.",
    ]);
    await net.pass(31_000);
    for (let count = 0; count < 4; count++) await net.connect(twin);
    expect(warnings(net)).toHaveLength(2);
  });

  it('are not suspected for one take-over now and then', async () => {
    const net = new InMemoryBroker();
    for (let count = 0; count < 10; count++) {
      await net.connect(twin);
      await net.pass(20_000);
    }
    expect(net.counters.sessionTakeOvers).toBe(9);
    expect(warnings(net)).toEqual([]);
  });

  it('are told from others', async () => {
    const net = new InMemoryBroker();
    for (let count = 0; count < 3; count++) {
      for (const clientIdentifier of ['a', 'b', 'c']) await net.connect({ ...twin, clientIdentifier });
    }
    expect(warnings(net)).toEqual([]);
    await net.connect({ ...twin, clientIdentifier: 'b' });
    expect(warnings(net).join()).toContain("'b'");
  });
});
