/** What waits for absent clients, most of it in the store: order, counts, limits and ends are as if it were in memory. */
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/broker/persistence/memory.ts';
import { connect, property, puback, pubcomp, pubrec, pubrel } from '../support/raw-packets.ts';
import { InMemoryBroker, type InMemoryOptions, type MemoryClient } from './in-memory.ts';

/** A broker with a store, in which next to nothing of absent clients stays in memory, and the next one on what it leaves. */
class Lives {
  store: MemoryStore;
  net: InMemoryBroker;
  readonly #options: InMemoryOptions;

  constructor(residentDeliveriesMax = 0, options: InMemoryOptions = {}) {
    const clock = {
      now: () => this.net.clock.now(),
      monotonic: () => this.net.clock.monotonic(),
      setTimer: (delay: number, callback: () => void) => this.net.clock.setTimer(delay, callback),
      clearTimer: (handle: never) => this.net.clock.clearTimer(handle),
      defer: (callback: () => void) => this.net.clock.defer(callback),
    };
    this.#options = options;
    this.store = new MemoryStore({ clock, residentDeliveriesMax });
    this.net = new InMemoryBroker({ ...options, store: this.store });
  }

  async begin(): Promise<this> {
    await this.net.broker.restore();
    return this;
  }

  /** The process is killed, and another begins after a while. */
  async kill(awayMs = 0): Promise<void> {
    const now = this.net.clock.now();
    this.store = this.store.crashed();
    this.net = new InMemoryBroker({ ...this.#options, store: this.store });
    await this.net.pass(now + awayMs - this.net.clock.now());
    await this.net.broker.restore();
    await this.net.settle();
  }

  /** A client that may have a Session. */
  async connect(clientIdentifier: string, ...more: Uint8Array[]): Promise<MemoryClient> {
    const properties = [property.sessionExpiryInterval(3600), ...more];
    const client = await this.net.connect({ clientIdentifier, cleanStart: false, properties });
    client.clientIdentifier = clientIdentifier;
    return client;
  }

  /** A client with a Session that has subscribed and gone. */
  async away(clientIdentifier: string, topic = 't', qos = 2): Promise<void> {
    const client = await this.connect(clientIdentifier);
    await client.subscribe([topic, qos]);
    await client.drop();
  }

  async publish(payloads: Iterable<string>, qos = 1, topic = 't', ...properties: Uint8Array[]): Promise<void> {
    const client = await this.net.connect();
    for (const payload of payloads) {
      const id = client.publish(topic, payload, { qos, properties });
      await this.net.settle();
      if (qos === 2) client.send(pubrel(id));
      await this.net.settle();
    }
    await client.drop();
  }
}

/** Takes and acknowledges all that comes; the payloads. */
async function receiveAll(client: MemoryClient): Promise<string[]> {
  const payloads: string[] = [];
  for (let packets = await client.take(); packets.length > 0; packets = await client.take()) {
    for (const { name, id = 0, qos, payload } of packets) {
      if (name === 'PUBLISH') payloads.push(`${payload}`);
      if (name === 'PUBLISH' && qos === 1) client.send(puback(id));
      if (name === 'PUBLISH' && qos === 2) client.send(pubrec(id));
      if (name === 'PUBREL') client.send(pubcomp(id));
    }
  }
  return payloads;
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
const expiring = property.messageExpiryInterval;

describe('what waits for an absent client', () => {
  it('[MQTT-4.6.0-6] comes in order, whatever of it rests and however often its client comes and goes', async () => {
    for (const residentMax of [0, 3, 1000]) {
      const lives = await new Lives(residentMax).begin();
      await lives.away('a');
      await lives.publish(numbers(1, 150));
      await lives.kill();
      await lives.publish(numbers(151, 170));
      const seen: string[] = [];
      for (let visit = 0; visit < 8; visit++) {
        const client = await lives.connect('a', property.receiveMaximum(2));
        for (let answers = 0; answers < 10; answers++) {
          for (const { name, id, payload } of await client.take()) {
            if (name !== 'PUBLISH') continue;
            if (!seen.includes(`${payload}`)) seen.push(`${payload}`);
            client.send(puback(id as number));
          }
        }
        await client.drop();
        await lives.publish([String(171 + visit)]);
        if (visit === 3) await lives.kill();
      }
      const last = await lives.connect('a');
      for (const payload of await receiveAll(last)) if (!seen.includes(payload)) seen.push(payload);
      expect(seen).toEqual(numbers(1, 178));
      expect(lives.store.countRecords()).toMatchObject({ messages: 0, deliveries: 0 });
    }
  });

  it('[MQTT-4.4.0-1] is repeated with its identifiers if it was in flight, before anything new', async () => {
    for (const isKilled of [false, true]) {
      const lives = await new Lives().begin();
      await lives.away('a');
      await lives.publish(['1', '2'], 1);
      await lives.publish(['3', '4', '5'], 2);
      const first = await lives.connect('a', property.receiveMaximum(4));
      const sent = await first.take();
      expect(sent.map((one) => [`${one.payload}`, one.id])).toEqual([
        ['1', 1],
        ['2', 2],
        ['3', 3],
        ['4', 4],
      ]);
      first.send(pubrec(3), puback(2));
      await lives.net.settle();
      await first.drop();
      if (isKilled) await lives.kill();
      await lives.publish(['6'], 1);
      const back = await lives.connect('a');
      expect(await back.texts()).toEqual([
        'PUBREL id=3',
        'PUBLISH id=1 dup [t] "1"',
        'PUBLISH id=4 dup [t] "4"',
        'PUBLISH id=5 dup [t] "5"',
        'PUBLISH id=6 [t] "6"',
      ]);
      back.send(pubcomp(3));
    }
  });

  it('is counted where it is', async () => {
    const lives = await new Lives(0, { settings: { sysInterval: 1 }, listeners: [] }).begin();
    await lives.net.broker.listen();
    const counted = async (): Promise<string[]> => {
      await lives.net.pass(1000);
      const watcher = await lives.net.connect();
      await watcher.subscribe(
        ['$SYS/broker/store/messages/count', 0],
        ['$SYS/broker/retained messages/count', 0],
        ['$SYS/broker/messages/inflight', 0],
      );
      const found = new Map((await watcher.take()).map(({ topic, payload }) => [topic, Number(`${payload}`)]));
      await watcher.drop();
      const of = (topic: string): number => found.get(`$SYS/broker/${topic}`) ?? 0;
      return [
        `queued ${of('store/messages/count') - of('retained messages/count')}`,
        `inflight ${of('messages/inflight')}`,
      ];
    };
    await lives.away('a');
    await lives.away('b');
    await lives.publish(numbers(1, 10));
    expect(await counted()).toEqual(['queued 20', 'inflight 0']);
    const client = await lives.connect('a', property.receiveMaximum(3));
    expect(await counted()).toEqual(['queued 17', 'inflight 3']);
    await client.drop();
    await lives.publish(['11']);
    expect(await counted()).toEqual(['queued 19', 'inflight 3']);
    await lives.kill();
    await lives.net.broker.listen();
    expect(await counted()).toEqual(['queued 19', 'inflight 3']);
  });

  it('is limited by max_queued_messages and max_queued_bytes, what rests included', async () => {
    const lives = await new Lives(0, { settings: { maxQueuedMessages: 5, maxQueuedBytes: 1000 } }).begin();
    await lives.away('a');
    await lives.away('b', 'big');
    await lives.publish(['1', '2', '3']);
    await lives.publish(['x'.repeat(400), 'y'.repeat(400)], 1, 'big');
    await lives.kill();
    await lives.publish(['4', '5', '6', '7']);
    await lives.publish(['z'.repeat(201), 'w'.repeat(200)], 1, 'big');
    expect(lives.net.counters.queueDroppedCount).toBe(2);
    expect(lives.net.counters.queueDroppedBytes).toBe(1);
    expect(await (await lives.connect('a')).payloads()).toEqual(['1', '2', '3', '4', '5']);
    expect((await (await lives.connect('b')).payloads()).map((one) => one[0])).toEqual(['x', 'y', 'w']);
  });

  it('keeps QoS 0 messages in their place among the others', async () => {
    const lives = await new Lives(0, { settings: { queueQos0Messages: true } }).begin();
    await lives.away('a');
    await lives.publish(['1'], 1);
    await lives.publish(['2'], 0);
    await lives.publish(['3'], 1);
    await lives.kill();
    await lives.publish(['4'], 0);
    const client = await lives.connect('a');
    expect((await client.take()).map((one) => [`${one.payload}`, one.qos])).toEqual([
      ['1', 1],
      ['2', 0],
      ['3', 1],
      ['4', 0],
    ]);
  });

  it('leaves the store with its Session, by expiry and by a Clean Start', async () => {
    for (const isKilled of [false, true]) {
      const lives = await new Lives().begin();
      await lives.away('expires');
      await lives.away('cleaned');
      await lives.publish(numbers(1, 100));
      if (isKilled) await lives.kill();
      expect(lives.store.countRecords()).toMatchObject({ messages: 100, deliveries: 200, sessions: 2 });
      await lives.net.connect({ clientIdentifier: 'cleaned', cleanStart: true });
      await lives.net.settle();
      expect(lives.store.countRecords()).toMatchObject({ messages: 100, deliveries: 100, sessions: 1 });
      await lives.net.pass(3_601_000);
      expect(lives.store.countRecords()).toMatchObject({ messages: 0, deliveries: 0, subscriptions: 0, sessions: 0 });
    }
  });

  it('is in memory alone once its Session is to end with its connection', async () => {
    const lives = await new Lives().begin();
    await lives.away('a');
    await lives.publish(numbers(1, 100));
    await lives.kill();
    const client = await lives.net.connect({
      clientIdentifier: 'a',
      cleanStart: false,
      properties: [property.receiveMaximum(1)],
    });
    await lives.net.settle();
    expect(lives.store.countRecords()).toMatchObject({ messages: 0, deliveries: 0, sessions: 0 });
    expect(await receiveAll(client)).toEqual(numbers(1, 100));
  });

  it('waits for its PUBREL in the store, too', async () => {
    const lives = await new Lives().begin();
    await lives.away('subscriber');
    const publisher = await lives.connect('publisher');
    const id = publisher.publish('t', 'unreleased', { qos: 2 });
    await publisher.expect('PUBREC');
    await publisher.drop();
    await lives.kill();
    const back = await lives.connect('publisher');
    back.send(pubrel(id));
    await lives.net.settle();
    const subscriber = await lives.connect('subscriber');
    expect(await subscriber.payloads()).toEqual(['unreleased']);
  });
});

describe('what has expired of it', () => {
  it('[MQTT-3.3.2-5] leaves the store soon, whether its client comes back or not', async () => {
    for (const residentMax of [0, 1000]) {
      for (const isKilled of [false, true]) {
        const lives = await new Lives(residentMax).begin();
        await lives.away('a');
        await lives.publish(numbers(1, 100), 1, 't', expiring(60));
        await lives.publish(['stays']);
        await lives.publish(numbers(101, 200), 1, 't', expiring(3600));
        if (isKilled) await lives.kill();
        await lives.net.pass(59_000);
        expect(lives.store.countRecords().deliveries).toBe(201);
        await lives.net.pass(12_000);
        expect(lives.store.countRecords()).toMatchObject({ deliveries: 101, messages: 101 });
        expect(lives.net.counters.messagesExpired).toBe(100);
        expect(await receiveAll(await lives.connect('a'))).toEqual(['stays', ...numbers(101, 200)]);
      }
    }
  });

  it('goes also where nothing is stored', async () => {
    const net = new InMemoryBroker();
    const properties = [property.sessionExpiryInterval(3600)];
    const client = await net.connect({ clientIdentifier: 'a', cleanStart: false, properties });
    await client.subscribe(['t', 1]);
    await client.drop();
    const publisher = await net.connect();
    publisher.publish('t', 'x', { qos: 1, properties: [expiring(5)] });
    publisher.publish('t', 'y', { qos: 1, properties: [expiring(50)] });
    await net.pass(16_000);
    expect(net.counters.messagesExpired).toBe(1);
    await net.pass(60_000);
    expect(net.counters.messagesExpired).toBe(2);
  });

  it('makes room for what comes, wherever it is', async () => {
    for (const residentMax of [0, 1000]) {
      const lives = await new Lives(residentMax, { settings: { maxQueuedMessages: 100 } }).begin();
      await lives.away('a');
      await lives.publish(numbers(1, 60));
      await lives.publish(numbers(61, 100), 1, 't', expiring(5));
      await lives.net.pass(5_000);
      // At once, without waiting for a look at all queues.
      await lives.publish(numbers(101, 145));
      expect(lives.net.counters.queueDroppedCount).toBe(5);
      expect(lives.net.counters.messagesExpired).toBe(40);
      expect(await receiveAll(await lives.connect('a'))).toEqual([...numbers(1, 60), ...numbers(101, 140)]);
    }
  });

  it('went by absolute time while the broker was away', async () => {
    const lives = await new Lives().begin();
    await lives.away('a');
    await lives.publish(['over'], 1, 't', expiring(60));
    await lives.publish(['left'], 1, 't', expiring(100));
    await lives.kill(61_000);
    expect(await (await lives.connect('a')).payloads()).toEqual(['left']);
  });

  it('is not what is in flight: that was sent in time', async () => {
    const lives = await new Lives().begin();
    await lives.away('a');
    await lives.publish(['sent', 'queued'], 1, 't', expiring(30));
    const client = await lives.connect('a', property.receiveMaximum(1));
    expect(await client.payloads()).toEqual(['sent']);
    await client.drop();
    await lives.kill();
    await lives.net.pass(100_000);
    expect(lives.store.countRecords().deliveries).toBe(1);
    expect(await (await lives.connect('a')).payloads()).toEqual(['sent']);
  });
});

describe('a client that comes back while its queue is looked through', () => {
  it('gets what has not expired, once', async () => {
    const lives = await new Lives().begin();
    await lives.away('a');
    for (const count of numbers(1, 20)) {
      await lives.publish([`over ${count}`], 1, 't', expiring(10));
      await lives.publish([`kept ${count}`]);
    }
    await lives.kill();
    // Look and connection in one turn: what was deleted is not committed yet.
    let client: MemoryClient | undefined;
    lives.net.clock.setTimer(11_000, () => {
      client = lives.net.open();
      const properties = [property.sessionExpiryInterval(3600)];
      client.send(connect({ clientIdentifier: 'a', cleanStart: false, keepAlive: 0, properties }));
    });
    await lives.net.pass(11_000);
    expect(await receiveAll(client as MemoryClient)).toEqual(numbers(1, 20).map((count) => `kept ${count}`));
    expect(lives.store.countRecords()).toMatchObject({ deliveries: 0, messages: 0 });
  });
});
