/** What is kept, for how long, and how much of it. */
import { describe, expect, it } from 'vitest';
import { createBroker, type Message } from '../../src/broker/index.ts';
import { destroyRawClients, openClient } from '../support/raw-client.ts';
import { join, property, publish, publish5, pubrec, subscribe5 } from '../support/raw-packets.ts';
import { until } from '../support/until.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const inventoryTopics = [
  'clients/total',
  'clients/connected',
  'subscriptions/count',
  'shared_subscriptions/count',
  'store/messages/count',
  'retained messages/count',
  'messages/inflight',
];

/** Notes what `$SYS` says of how much there is; 0 is not always said. */
class Inventory {
  readonly #net: InMemoryBroker;
  readonly #watcher: MemoryClient;
  readonly #known = new Map<string, number>();

  private constructor(net: InMemoryBroker, watcher: MemoryClient) {
    this.#net = net;
    this.#watcher = watcher;
  }

  static async of(net: InMemoryBroker): Promise<Inventory> {
    const watcher = await net.connect();
    watcher.send(
      subscribe5(
        1,
        inventoryTopics.map((topic) => [`$SYS/broker/${topic}`, 0] as const),
      ),
    );
    await net.settle();
    return new Inventory(net, watcher);
  }

  async now() {
    await this.#net.pass(1000);
    for (const { topic = '', payload } of await this.#watcher.take()) {
      this.#known.set(topic.replace('$SYS/broker/', ''), Number(`${payload}`));
    }
    const count = (topic: string) => this.#known.get(topic) ?? 0;
    return {
      sessions: count('clients/total'),
      connected: count('clients/connected'),
      subscriptions: count('subscriptions/count'),
      shared: count('shared_subscriptions/count'),
      queued: count('store/messages/count') - count('retained messages/count'),
      inflight: count('messages/inflight'),
    };
  }
}

describe('a broker that has seen many clients', () => {
  it('is as it was once they have gone', async () => {
    const net = new InMemoryBroker({ settings: { sysInterval: 1 }, listeners: [] });
    await net.broker.listen();
    const inventory = await Inventory.of(net);
    const before = await inventory.now();
    expect(before).toMatchObject({ sessions: 1, connected: 1, shared: 0, queued: 0, inflight: 0 });
    for (let round = 0; round < 50; round++) {
      const client = await net.connect({
        clientIdentifier: `c${round % 7}`,
        version: round % 3 === 0 ? 4 : 5,
        cleanStart: round % 2 === 0,
        properties: [property.sessionExpiryInterval(20), property.receiveMaximum(3)],
        will: { topic: `will/${round}`, properties: [property.willDelayInterval(5)] },
      });
      await client.subscribe([`t/${round}`, 2], ['t/+', 1], ['$share/g/t/#', 1], ['#', 0]);
      for (let count = 0; count < 5; count++) net.broker.publish(`t/${round}`, 'x'.repeat(100), { qos: 2 });
      client.publish('t/own', 'x', { qos: 2 });
      net.broker.publish(`kept/${round}`, 'x', { retain: true });
      if (round % 5 === 0) client.send(pubrec(1));
      await net.settle();
      await client.drop();
    }
    const during = await inventory.now();
    expect(during.sessions).toBeGreaterThan(4);
    expect(during.subscriptions).toBeGreaterThan(before.subscriptions + 8);
    expect(Math.min(during.shared, during.queued, during.inflight)).toBeGreaterThan(3);
    // Sessions of 3.1.1 do not expire by themselves.
    for (let index = 0; index < 7; index++) {
      const last = await net.connect({ clientIdentifier: `c${index}`, version: 4 });
      await last.drop();
    }
    for (let round = 0; round < 50; round++) net.broker.publish(`kept/${round}`, '', { retain: true });
    await net.pass(30_000);
    expect(await inventory.now()).toEqual(before);
    await net.broker.close();
  });

  it('holds as many bytes for a client as max_outbound_buffer allows, on a real socket, too', async () => {
    const maxOutboundBufferBytes = 2 * 1024 * 1024;
    const broker = createBroker({
      listeners: [{ port: 0, host: '127.0.0.1' }],
      settings: { maxOutboundBufferBytes, sysInterval: 0 },
    });
    await broker.listen();
    try {
      const stopped = await openClient(broker.port, { version: 4 });
      stopped.send('82 06 00 01 00 01 74 00');
      await stopped.expect('SUBACK');
      stopped.socket.pause();
      const publisher = await openClient(broker.port, { version: 4 });
      const run = join(...new Array(64).fill(publish('t', 'x'.repeat(1000))));
      // 48 MB: more than the system's buffers and ours together.
      for (let chunk = 0; chunk < 750; chunk++) {
        if (!publisher.socket.write(run)) await new Promise((resolve) => publisher.socket.once('drain', resolve));
      }
      await until(() => broker.counters.publishMessagesReceived === 750 * 64, 'all to be received');
      const { outboundBufferDropped, publishMessagesSent } = broker.counters;
      expect(outboundBufferDropped).toBeGreaterThan(10_000);
      expect(outboundBufferDropped + publishMessagesSent).toBe(750 * 64);
      stopped.socket.resume();
      await until(() => stopped.received >= publishMessagesSent * 1005, 'what was kept to be sent');
    } finally {
      destroyRawClients();
      await broker.close();
    }
  });
});

describe('a message that is kept', () => {
  it('does not pin the chunk that it came in', async () => {
    const kept: Message[] = [];
    const net = new InMemoryBroker({
      hooks: {
        onPublish(message) {
          kept.push(message);
          return undefined;
        },
      },
    });
    const publisher = await net.connect();
    publisher.send(
      join(
        publish5('t', 'x'.repeat(60_000)),
        ...Array.from({ length: 10 }, (_, index) => publish5('t', `small ${index}`, { qos: 1, id: index + 1 })),
        publish5('t', '', { qos: 1, id: 99 }),
      ),
    );
    await net.settle();
    expect(kept).toHaveLength(12);
    for (const { payload } of kept.slice(1)) {
      expect(payload.buffer.byteLength).toBeLessThanOrEqual(Math.max(16, payload.length * 4));
    }
  });

  it('is the same for all who wait for it', async () => {
    const net = new InMemoryBroker({ settings: { sysInterval: 1 }, listeners: [] });
    await net.broker.listen();
    const names = Array.from({ length: 20 }, (_, index) => `away-${index}`);
    for (const clientIdentifier of names) {
      const client = await net.connect({
        clientIdentifier,
        cleanStart: false,
        properties: [property.sessionExpiryInterval(60)],
      });
      await client.subscribe(['t', 1]);
      await client.drop();
    }
    const payload = Buffer.alloc(1024 * 1024, 'x');
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 5; count++) net.broker.publish('t', payload, { qos: 1 });
    await net.settle();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    for (const clientIdentifier of names) {
      const client = await net.connect({ clientIdentifier, cleanStart: false });
      expect((await client.take()).map((packet) => packet.payload?.length)).toEqual(new Array(5).fill(payload.length));
      await client.drop();
    }
    await net.broker.close();
  });
});
