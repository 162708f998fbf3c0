/** Publishers wait for receivers that keep up a fair pace, and for nobody else. */
import { describe, expect, it } from 'vitest';
import { join, property, puback, publish, publish5, pubrel } from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const kibibyte = 'x'.repeat(1024);

/** From now on the client reads one chunk, and then nothing for some milliseconds. */
function slowDown(net: InMemoryBroker, client: MemoryClient, ms: number): void {
  client.onChunk = () => {
    client.transport.pause();
    net.clock.setTimer(ms, () => client.transport.resume());
  };
}

/** From now on it acknowledges so many of the QoS 1 messages that came each millisecond. */
function acknowledgeSlowly(net: InMemoryBroker, client: MemoryClient, perMs: number): string[] {
  const received: string[] = [];
  const waiting: number[] = [];
  const tick = async (): Promise<void> => {
    for (const packet of client.packetsNow()) {
      received.push(`${packet.payload}`);
      waiting.push(packet.id as number);
    }
    const acknowledged = waiting.splice(0, perMs);
    if (acknowledged.length > 0) client.send(...acknowledged.map((id) => puback(id)));
    net.clock.setTimer(1, tick);
  };
  void tick();
  return received;
}

/** Bytes that the broker keeps for the client. */
const heldBytes = (net: InMemoryBroker, client: MemoryClient, others: readonly MemoryClient[]) =>
  net.counters.bytesSent - client.received - others.reduce((sum, other) => sum + other.received, 0);

/** Lets time pass until the condition holds; gives how many milliseconds that took. */
async function passUntil(net: InMemoryBroker, isDone: () => boolean, stepMs = 5, maxMs = 60_000): Promise<number> {
  for (let ms = 0; ms < maxMs; ms += stepMs) {
    if (isDone()) return ms;
    await net.pass(stepMs);
  }
  throw new Error(`not done after ${maxMs} ms of its time`);
}

describe('a fast publisher and a slower reader', () => {
  it('lose nothing at QoS 0: the publisher waits, and little is kept', async () => {
    const net = new InMemoryBroker();
    const reader = await net.connect();
    await reader.subscribe('t');
    const publisher = await net.connect({ version: 4 });
    // A write of 64 KiB every four milliseconds: 16 MB a second.
    slowDown(net, reader, 4);
    const messagesPerChunk = 64;
    let sent = 0;
    let heldMax = 0;
    for (let chunk = 0; chunk < 300; chunk++) {
      publisher.send(
        join(...Array.from({ length: messagesPerChunk }, () => publish('t', `${sent++}`.padEnd(1024, '.')))),
      );
      if (chunk % 20 !== 0) continue;
      await net.settle();
      heldMax = Math.max(heldMax, heldBytes(net, reader, [publisher]));
    }
    const received: string[] = [];
    const ms = await passUntil(net, () => {
      heldMax = Math.max(heldMax, heldBytes(net, reader, [publisher]));
      received.push(...reader.packetsNow().map(({ payload }) => `${payload}`.replace(/\.+$/, '')));
      return received.length === sent;
    });
    expect(received).toEqual(Array.from({ length: sent }, (_, count) => `${count}`));
    expect(net.counters.publishMessagesDropped).toBe(0);
    expect(net.counters.publishersHeld).toBeGreaterThan(3);
    expect(net.counters.receiversLeftBehind).toBe(0);
    expect(heldMax).toBeLessThan(1.5 * 1024 * 1024);
    expect(ms).toBeGreaterThan(1000);
  });

  it('lose nothing at QoS 1: the publisher waits for acknowledgements', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 300 } });
    const reader = await net.connect();
    await reader.subscribe(['t', 1]);
    const received = acknowledgeSlowly(net, reader, 2);
    const publisher = await net.connect({ version: 4 });
    const count = 4000;
    publisher.send(
      join(...Array.from({ length: count }, (_, index) => publish('t', `${index}`, { qos: 1, id: index + 1 }))),
    );
    await passUntil(net, () => received.length === count);
    expect(received).toEqual(Array.from({ length: count }, (_, index) => `${index}`));
    expect(await publisher.take()).toHaveLength(count);
    expect(net.counters.publishMessagesDropped).toBe(0);
    expect(net.counters.publishersHeld).toBeGreaterThan(3);
    expect(net.counters.receiversLeftBehind).toBe(0);
  });

  it('do not let the publisher’s keep alive run out while it is made to wait', async () => {
    const net = new InMemoryBroker();
    const reader = await net.connect();
    await reader.subscribe(['t', 1]);
    const received = acknowledgeSlowly(net, reader, 1);
    const publisher = await net.connect({ version: 4, keepAlive: 1 });
    publisher.send(join(...Array.from({ length: 5000 }, (_, index) => publish('t', 'x', { qos: 1, id: index + 1 }))));
    await passUntil(net, () => received.length === 5000);
    expect(net.counters.keepAliveTimeouts).toBe(0);
    await net.pass(2000);
    expect(net.counters.keepAliveTimeouts).toBe(1);
  });
});

describe('a reader that stops', () => {
  it('holds nobody up: others get everything at once, what it would get is dropped and counted', async () => {
    const maxOutboundBufferBytes = 3 * 1024 * 1024;
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes } });
    const stopped = await net.connect();
    const reader = await net.connect();
    for (const client of [stopped, reader]) await client.subscribe('t');
    stopped.transport.pause();
    const publisher = await net.connect({ version: 4 });
    const run = join(...new Array(64).fill(publish('t', kibibyte)));
    let ms = 0;
    let received = 0;
    for (let chunk = 0; chunk < 400; chunk++) {
      publisher.send(run);
      await net.settle();
      ms += await passUntil(net, () => publisher.transport.bufferedBytes === 0);
      received += reader.packetsNow().length;
    }
    await net.settle();
    received += reader.packetsNow().length;
    expect(received).toBe(400 * 64);
    // 26 MB; it waited once or twice for the one that might have gone on.
    expect(ms).toBeLessThan(250);
    expect(net.counters.receiversLeftBehind).toBeGreaterThan(0);
    const { outboundBufferDropped } = net.counters;
    expect(heldBytes(net, stopped, [reader, publisher])).toBeLessThan(maxOutboundBufferBytes + run.length);
    stopped.transport.resume();
    expect((await stopped.take()).length + outboundBufferDropped).toBe(400 * 64);
  });

  it('holds a publisher up for a second at QoS 1, once, and its queue is bounded', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 500 } });
    const stopped = await net.connect();
    await stopped.subscribe(['t', 1]);
    const reader = await net.connect();
    reader.acknowledgeAll();
    await reader.subscribe(['t', 1]);
    const publisher = await net.connect({ version: 4 });
    const count = 5000;
    publisher.send(join(...Array.from({ length: count }, (_, index) => publish('t', 'x', { qos: 1, id: index + 1 }))));
    let received = 0;
    const ms = await passUntil(net, () => {
      received += reader.packetsNow().length;
      return received === count;
    });
    expect(ms).toBeLessThan(1250);
    expect(await publisher.take()).toHaveLength(count);
    expect(net.counters.queueDroppedCount).toBe(count - 500 - 20);
    await net.pass(2000);
    publisher.send(join(...Array.from({ length: count }, (_, index) => publish('t', 'x', { qos: 1, id: index + 1 }))));
    received = 0;
    const again = await passUntil(net, () => {
      received += reader.packetsNow().length;
      return received === count;
    });
    expect(again).toBeLessThan(250);
  });

  it('at QoS 1 costs no more when there are many', async () => {
    const net = new InMemoryBroker();
    for (let count = 0; count < 30; count++) await (await net.connect()).subscribe([`t/${count}`, 1]);
    const publisher = await net.connect({ version: 4 });
    let answered = 0;
    let waitedMs = 0;
    for (let count = 0; count < 30; count++) {
      const burst = Array.from({ length: 400 }, (_, index) => publish(`t/${count}`, 'x', { qos: 1, id: index + 1 }));
      publisher.send(join(...burst));
      const end = answered + 400;
      waitedMs += await passUntil(net, () => {
        answered += publisher.packetsNow().length;
        return answered === end;
      });
    }
    expect(waitedMs).toBeLessThan(1250 + 30 * 75);
  });

  it('is waited for a second at QoS 1 if it has kept up before: what a busy program pauses loses nothing', async () => {
    const net = new InMemoryBroker();
    const reader = await net.connect({ version: 4 });
    await reader.subscribe(['t', 1]);
    const publisher = await net.connect({ version: 4 });
    publisher.send(join(...Array.from({ length: 5000 }, (_, index) => publish('t', 'x', { qos: 1, id: index + 1 }))));
    await net.pass(800);
    const received = acknowledgeSlowly(net, reader, 20);
    await passUntil(net, () => received.length === 5000);
    expect(net.counters.publishMessagesDropped).toBe(0);
  });

  it('is waited for again later, if it goes on', async () => {
    const net = new InMemoryBroker();
    const reader = await net.connect();
    await reader.subscribe('t');
    const publisher = await net.connect({ version: 4 });
    const run = join(...new Array(1100).fill(publish('t', kibibyte)));
    for (const round of [1, 2]) {
      reader.transport.pause();
      publisher.send(run);
      publisher.send(run);
      await net.pass(200);
      expect(net.counters.receiversLeftBehind).toBe(round);
      expect(publisher.transport.bufferedBytes).toBe(0);
      reader.transport.resume();
      await net.pass(2000);
      expect(net.counters.publishersHeld).toBe(round);
    }
    expect((await reader.take()).length).toBe(4400);
    expect(net.counters.publishMessagesDropped).toBe(0);
  });
});

describe('more publishers than a queue has places', () => {
  it('lose nothing at QoS 1 and 2 to a reader that keeps up: they go on one after the other', async () => {
    for (const qos of [1, 2]) {
      const net = new InMemoryBroker();
      const reader = await net.connect({ version: 4 });
      await reader.subscribe(['t', 1]);
      const received = acknowledgeSlowly(net, reader, 3);
      const publishers: MemoryClient[] = [];
      for (let count = 0; count < 1500; count++) publishers.push(await net.connect({ version: 4 }));
      const burst = join(
        ...[1, 2, 3].map((id) => publish('t', 'x', { qos, id })),
        ...(qos === 2 ? [1, 2, 3].map((id) => pubrel(id)) : []),
      );
      for (const publisher of publishers) publisher.send(burst);
      await passUntil(net, () => received.length + net.counters.queueDroppedCount === 4500);
      expect(net.counters.queueDroppedCount).toBe(0);
      expect(net.counters.receiversLeftBehind).toBe(0);
    }
  });
});

describe('who is made to wait', () => {
  /** A receiver of `behind` that has stopped with more than 1 MiB unsent, and what it took to get there. */
  async function withStopped() {
    const net = new InMemoryBroker();
    const stopped = await net.connect({ clientIdentifier: 'stopped' });
    await stopped.subscribe('behind');
    stopped.transport.pause();
    for (let count = 0; count < 1200; count++) net.broker.publish('behind', kibibyte);
    await net.settle();
    return { net, stopped };
  }

  it('is the publisher whose message met the receiver, not another', async () => {
    const { net } = await withStopped();
    const unlucky = await net.connect();
    const other = await net.connect();
    unlucky.publish('behind', kibibyte);
    unlucky.publish('elsewhere', 'x', { qos: 1 });
    other.publish('elsewhere', 'x', { qos: 1 });
    await net.settle();
    other.publish('elsewhere', 'x', { qos: 1 });
    expect(await other.take()).toHaveLength(2);
    expect(await unlucky.take()).toHaveLength(0);
    expect(net.counters.publishersHeld).toBe(1);
    await net.pass(250);
    expect(await unlucky.take()).toHaveLength(1);
  });

  it('is nobody for what the program itself publishes', async () => {
    const { net } = await withStopped();
    const client = await net.connect();
    net.broker.publish('behind', kibibyte);
    client.publish('elsewhere', 'x', { qos: 1 });
    expect(await client.take()).toHaveLength(1);
    expect(net.counters.publishersHeld).toBe(0);
  });

  it('is freed when the receiver leaves', async () => {
    const { net, stopped } = await withStopped();
    const publisher = await net.connect();
    publisher.publish('behind', 'x');
    publisher.publish('elsewhere', 'x', { qos: 1 });
    expect(await publisher.take()).toEqual([]);
    await stopped.drop();
    expect(await publisher.take()).toHaveLength(1);
  });

  it('may leave meanwhile', async () => {
    const { net, stopped } = await withStopped();
    const publisher = await net.connect();
    publisher.publish('behind', 'x');
    await net.settle();
    await publisher.drop();
    await net.pass(200);
    stopped.transport.resume();
    await net.settle();
    expect(net.lines('error')).toEqual([]);
    expect(net.counters.clientsConnected).toBe(1);
  });

  it('is not the receiver itself, which may publish to its own subscription', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect();
    await client.subscribe('t');
    client.transport.pause();
    const run = join(...new Array(64).fill(publish5('t', kibibyte)));
    for (let chunk = 0; chunk < 30; chunk++) client.send(run);
    await net.settle();
    expect(client.transport.bufferedBytes).toBe(0);
    expect(net.counters.publishersHeld).toBe(0);
    client.transport.resume();
    expect(await client.take()).toHaveLength(30 * 64);
  });

  it('is never two clients for each other’s acknowledgements', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 0 } });
    const count = 2000;
    const clients: MemoryClient[] = [];
    for (const name of ['a', 'b']) {
      const client = await net.connect({ version: 4, clientIdentifier: name });
      client.acknowledgeAll();
      await client.subscribe([`to/${name}`, 1]);
      clients.push(client);
    }
    const [a, b] = clients as [MemoryClient, MemoryClient];
    const burst = (topic: string) =>
      join(...Array.from({ length: count }, (_, index) => publish(topic, `${index}`, { qos: 1, id: index + 1 })));
    a.send(burst('to/b'));
    b.send(burst('to/a'));
    const received = [0, 0];
    await passUntil(net, () => {
      for (const [index, client] of clients.entries()) {
        received[index] =
          (received[index] as number) + client.packetsNow().filter(({ name }) => name === 'PUBLISH').length;
      }
      return received[0] === count && received[1] === count;
    });
    expect(net.counters.publishMessagesDropped).toBe(0);
  });
});

describe('a burst for an absent client', () => {
  it('is not waited for: nobody there will take it', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 1000 } });
    const fields = { clientIdentifier: 'away', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const away = await net.connect(fields);
    await away.subscribe(['t', 1]);
    await away.drop();
    const publisher = await net.connect({ version: 4 });
    publisher.send(join(...Array.from({ length: 3000 }, (_, index) => publish('t', 'x', { qos: 1, id: index + 1 }))));
    expect(await publisher.take()).toHaveLength(3000);
    expect(net.counters.queueDroppedCount).toBe(2000);
    expect(net.counters.publishersHeld).toBe(0);
  });
});
