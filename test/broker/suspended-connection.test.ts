/** A connection that waits, for a hook or for its own client to read, while all others go on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Message } from '../../src/broker/index.ts';
import {
  connect,
  disconnect,
  join,
  pingreq,
  property,
  publish5,
  pubrel,
  subscribe5,
  unsubscribe5,
} from '../support/raw-packets.ts';
import { Gate } from './hook-ways.ts';
import { InMemoryBroker } from './in-memory.ts';

const payloadOf = (message: Message) => Buffer.from(message.payload).toString();

/** A broker whose onPublish holds messages on `slow` until their gate, by payload, is opened. */
async function withGates() {
  const gates = new Map<string, Gate<undefined | false>>();
  const seen: string[] = [];
  const net = new InMemoryBroker({
    hooks: {
      onPublish(message) {
        seen.push(payloadOf(message));
        if (message.topicName !== 'slow') return undefined;
        const gate = new Gate<undefined | false>();
        gates.set(payloadOf(message), gate);
        return gate.promise;
      },
    },
  });
  const subscriber = await net.connect();
  await subscriber.subscribe('#');
  return { net, gates, seen, subscriber };
}

describe('a connection whose hook takes its time', () => {
  it('is not read any further, and others go on', async () => {
    const { net, gates, seen, subscriber } = await withGates();
    const slow = await net.connect();
    const other = await net.connect();
    slow.publish('slow', '1');
    await net.settle();
    slow.publish('fast', '2');
    slow.publish('slow', '3');
    slow.publish('fast', '4');
    for (let count = 0; count < 5; count++) {
      other.publish('fast', `o${count}`);
      other.send(pingreq);
    }
    expect(await other.texts()).toEqual(new Array(5).fill('PINGRESP'));
    expect(await subscriber.payloads()).toEqual(['o0', 'o1', 'o2', 'o3', 'o4']);
    expect(seen).toEqual(['1', 'o0', 'o1', 'o2', 'o3', 'o4']);
    // What it sends stays on its side, so that it is slowed down instead of our memory filled.
    expect(slow.transport.bufferedBytes).toBeGreaterThan(20);
    gates.get('1')?.open(undefined);
    expect(await subscriber.payloads()).toEqual(['1', '2']);
    gates.get('3')?.open(false);
    expect(await subscriber.payloads()).toEqual(['4']);
    expect(slow.transport.bufferedBytes).toBe(0);
  });

  it('answers all packets of one chunk in their order', async () => {
    const { net, gates } = await withGates();
    const client = await net.connect();
    client.send(
      join(
        publish5('slow', 'a', { qos: 1, id: 1 }),
        subscribe5(2, [['fast', 1]]),
        publish5('slow', 'b', { qos: 2, id: 3 }),
        publish5('fast', 'c', { qos: 1, id: 4 }),
        unsubscribe5(5, ['fast']),
        pubrel(3),
        pingreq,
      ),
    );
    expect(await client.texts()).toEqual([]);
    gates.get('a')?.open(undefined);
    expect(await client.texts()).toEqual(['PUBACK id=1', 'SUBACK id=2 codes=1']);
    gates.get('b')?.open(undefined);
    expect(await client.texts()).toEqual([
      'PUBREC id=3',
      'PUBLISH id=1 [fast] "c"',
      'PUBACK id=4',
      'UNSUBACK id=5 codes=0',
      'PUBCOMP id=3',
      'PINGRESP',
    ]);
  });

  it('keeps the order of messages however long each hook takes and wherever chunks end', async () => {
    const message = fc.record({ qos: fc.constantFrom(0, 0, 1, 2), ms: fc.integer({ min: 0, max: 30 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), fc.nat(), async (messages, cut) => {
        let net: InMemoryBroker | undefined;
        net = new InMemoryBroker({
          hooks: {
            onPublish(given) {
              const ms = messages[Number(payloadOf(given))]?.ms ?? 0;
              if (ms === 0) return undefined;
              return new Promise((resolve) => net?.clock.setTimer(ms, () => resolve(undefined)));
            },
          },
        });
        const subscriber = await net.connect();
        await subscriber.subscribe('t');
        const publisher = await net.connect();
        const bytes = join(
          ...messages.map(({ qos }, index) => {
            const packet = publish5('t', `${index}`, { qos, id: qos === 0 ? 0 : index + 1 });
            return qos === 2 ? join(packet, pubrel(index + 1)) : packet;
          }),
        );
        publisher.send(bytes.subarray(0, cut % bytes.length));
        publisher.send(bytes.subarray(cut % bytes.length));
        await net.pass(1000);
        expect(await subscriber.payloads()).toEqual(messages.map((_, index) => `${index}`));
        expect((await publisher.take()).map(({ name, id }) => `${name} ${id}`)).toEqual(
          messages.flatMap(({ qos }, index) =>
            qos === 0 ? [] : qos === 1 ? [`PUBACK ${index + 1}`] : [`PUBREC ${index + 1}`, `PUBCOMP ${index + 1}`],
          ),
        );
      }),
      { seed: 12, numRuns: 100 },
    );
  });

  it('has what came before DISCONNECT dealt with before it', async () => {
    const { net, gates, subscriber } = await withGates();
    const client = await net.connect({ will: { topic: 'will' } });
    client.send(join(publish5('slow', '1'), publish5('slow', '2'), publish5('fast', '3'), disconnect()));
    await net.settle();
    gates.get('1')?.open(undefined);
    await net.settle();
    expect(client.isClosed).toBe(false);
    gates.get('2')?.open(undefined);
    expect(await subscriber.payloads()).toEqual(['1', '2', '3']);
    expect(client.isClosed).toBe(true);
  });

  it('may be gone when the hook answers: the message is routed all the same, and nothing is sent to nobody', async () => {
    const { net, gates, subscriber } = await withGates();
    for (const qos of [0, 1]) {
      const client = await net.connect();
      client.publish('slow', `q${qos}`, { qos });
      await net.settle();
      await client.drop();
      gates.get(`q${qos}`)?.open(undefined);
      expect(await subscriber.payloads()).toEqual([`q${qos}`]);
    }
    expect(net.lines('error')).toEqual([]);
  });

  it('may be taken over when the hook answers', async () => {
    const { net, gates, subscriber } = await withGates();
    const fields = { clientIdentifier: 'twin', properties: [property.sessionExpiryInterval(60)] };
    const first = await net.connect(fields);
    first.publish('slow', '1', { qos: 1 });
    await net.settle();
    first.publish('fast', '2');
    const second = await net.connect({ ...fields, cleanStart: false });
    expect(await first.texts()).toEqual(['DISCONNECT code=0x8e']);
    expect(first.isClosed).toBe(true);
    gates.get('1')?.open(undefined);
    expect(await subscriber.payloads()).toEqual(['1']);
    expect(await second.texts()).toEqual([]);
  });

  it('answers a SUBSCRIBE once all its filters are decided, and not on the connection that came after', async () => {
    const gates: Gate<boolean>[] = [];
    const net = new InMemoryBroker({
      hooks: {
        authorizeSubscribe: (_, topicFilter) => {
          if (topicFilter === 'open') return true;
          const gate = new Gate<boolean>();
          gates.push(gate);
          return gate.promise;
        },
      },
    });
    const fields = { clientIdentifier: 's', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const client = await net.connect(fields);
    client.send(
      subscribe5(7, [
        ['a', 0],
        ['open', 1],
        ['b', 2],
      ]),
    );
    await net.settle();
    gates[1]?.open(true);
    expect(await client.take()).toEqual([]);
    gates[0]?.open(false);
    expect(await client.texts()).toEqual(['SUBACK id=7 codes=135,1,2']);
    client.send(subscribe5(8, [['c', 0]]));
    await net.settle();
    const next = await net.connect(fields);
    gates[2]?.open(true);
    expect(await next.take()).toEqual([]);
    net.broker.publish('c', 'x');
    expect(await next.take()).toEqual([]);
  });

  it('sends packets behind its CONNECT, which wait for the CONNACK', async () => {
    const gate = new Gate<boolean>();
    const net = new InMemoryBroker({ hooks: { authenticate: () => gate.promise } });
    const client = net.open();
    client.send(join(connect(), subscribe5(1, [['t', 0]]), publish5('t', 'x'), pingreq));
    expect(await client.take()).toEqual([]);
    gate.open(true);
    expect((await client.take()).map(({ name }) => name)).toEqual(['CONNACK', 'SUBACK', 'PUBLISH', 'PINGRESP']);
  });
});

describe('a client that asks and does not read', () => {
  const maxOutboundBufferBytes = 64 * 1024;
  const started = async (keepAlive = 0) => {
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes } });
    const client = await net.connect({ keepAlive });
    client.transport.pause();
    return { net, client };
  };
  const ask = (count: number) => join(...new Array(count).fill(pingreq));

  it('is not read any further once twice max_outbound_buffer waits for it', async () => {
    const { net, client } = await started();
    for (let round = 0; round < 100; round++) {
      client.send(ask(10_000));
      await net.settle();
    }
    expect(net.counters.bytesSent).toBeLessThan(2 * maxOutboundBufferBytes + 65_536);
    // 2 MB of questions; what was not read waits on its side.
    expect(client.transport.bufferedBytes).toBeGreaterThan(1_500_000);
    const other = await net.connect();
    other.send(pingreq);
    await other.expect('PINGRESP');
  });

  it('gets every answer if it reads after all', async () => {
    const { net, client } = await started();
    for (let round = 0; round < 20; round++) client.send(ask(10_000));
    await net.settle();
    client.transport.resume();
    expect(await client.take()).toHaveLength(200_000);
  });

  it('is closed at one and a half times its keep alive', async () => {
    const { net, client } = await started(10);
    for (let second = 0; second < 10; second++) {
      client.send(ask(10_000));
      await net.pass(1000);
    }
    await net.pass(15_000);
    expect([...net.broker.clients()]).toEqual([]);
    expect(net.counters.keepAliveTimeouts).toBe(1);
  });

  it('is not closed as long as it takes some of it, however slowly', async () => {
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes } });
    const client = await net.connect({ keepAlive: 10, transport: { highWaterMark: 1024 } });
    client.onChunk = () => client.transport.pause();
    client.transport.pause();
    for (let round = 0; round < 10; round++) client.send(ask(10_000));
    await net.settle();
    for (let chunk = 0; chunk < 3; chunk++) {
      await net.pass(12_000);
      client.transport.resume();
      await net.settle();
      expect(client.isClosed).toBe(false);
    }
    expect(net.counters.bytesSent).toBeGreaterThan(200_000);
    expect(net.counters.keepAliveTimeouts).toBe(0);
  });
});
