/** Every limit of the broker is reached: what the client sees at MQTT 5 and 3.1.1, what the log says, and which counter moves. */
import { describe, expect, it } from 'vitest';
import type { CounterName } from '../../src/broker/counters.ts';
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import { connect, hex, join, pingreq, property, puback, publish5, pubrel } from '../support/raw-packets.ts';
import { until } from '../support/until.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const session = (clientIdentifier: string, more: readonly Uint8Array[] = []) => ({
  clientIdentifier,
  cleanStart: false,
  properties: [property.sessionExpiryInterval(3600), ...more],
});

/** What a client that knocks is told: the code of its CONNACK, `closed` if it gets none, and whether it stays. */
async function knock(net: InMemoryBroker, fields: Parameters<typeof connect>[0] & { listener?: number } = {}) {
  const client = net.open({ version: fields.version ?? 5, ...fields });
  client.send(connect({ keepAlive: 0, ...fields }));
  const [connack] = await client.take();
  return { client, code: connack?.code ?? 'none', connack, isClosed: client.isClosed };
}

/** Runs something and gives how much each of the counters has moved. */
async function moved(net: InMemoryBroker, names: readonly CounterName[], run: () => Promise<void>) {
  const before = names.map((name) => net.counters[name]);
  await run();
  return names.map((name, index) => net.counters[name] - (before[index] as number));
}

const disconnectCodes = async (client: MemoryClient) =>
  (await client.take()).filter(({ name }) => name === 'DISCONNECT').map(({ code }) => code);

describe('connections', () => {
  it.each<[string, object]>([
    ['max_connections of the listener', { listeners: [{ maxConnections: 2 }] }],
    ['max_connections_total', { settings: { maxConnections: 2 } }],
  ])('over %s are told 0x97 or 3, and there is room again when one is gone', async (_, options) => {
    const net = new InMemoryBroker(options);
    const first = await net.connect();
    await net.connect();
    const [refused, connectRefused] = await moved(net, ['connectionsRefused', 'connectRefused'], async () => {
      expect(await knock(net)).toMatchObject({ code: 0x97, isClosed: true });
      expect(await knock(net, { version: 4, clientIdentifier: 'four' })).toMatchObject({ code: 3, isClosed: true });
    });
    expect([refused, connectRefused]).toEqual([2, 2]);
    expect(net.lines('warning')[0]).toContain('max_connections reached');
    await first.drop();
    expect((await knock(net)).code).toBe(0);
  });

  it('over max_connections of one listener do not keep others from another', async () => {
    const net = new InMemoryBroker({ listeners: [{ maxConnections: 0 }, { maxConnections: -1 }] });
    expect((await knock(net)).code).toBe(0x97);
    expect((await knock(net, { listener: 1 })).code).toBe(0);
  });

  it('far over the limit are closed without a word, so that asking costs nothing', async () => {
    const net = new InMemoryBroker({ settings: { maxConnections: 1 } });
    await net.connect();
    const crowd = Array.from({ length: 40 }, () => net.open());
    await net.settle();
    expect(crowd.filter(({ isClosed }) => isClosed).length).toBe(24);
    expect(net.counters.connectionsRefused).toBe(24);
    await net.pass(11_000);
    expect(crowd.every(({ isClosed }) => isClosed)).toBe(true);
    expect((await knock(net)).code).toBe(0x97);
  });

  it('have connect_timeout seconds for their CONNECT', async () => {
    const net = new InMemoryBroker({ settings: { connectTimeout: 4 } });
    const silent = net.open();
    const slow = net.open();
    slow.send(hex('10 20 00 04'));
    await net.pass(3_700);
    slow.send(hex('4d 51'));
    await net.pass(200);
    expect([silent.isClosed, slow.isClosed]).toEqual([false, false]);
    await net.pass(500);
    expect([silent.isClosed, slow.isClosed]).toEqual([true, true]);
    expect(net.counters.connectTimeouts).toBe(2);
    expect(net.lines('notice').at(-1)).toBe('Client memory-2 sent no CONNECT within 4 seconds, disconnecting.');
  });

  it('[MQTT-3.1.2-22] end at one and a half times their keep alive, in 5.0 with 0x8D', async () => {
    const net = new InMemoryBroker();
    const five = await net.connect({ keepAlive: 4, clientIdentifier: 'five' });
    const four = await net.connect({ keepAlive: 4, version: 4 });
    const none = await net.connect({ keepAlive: 0 });
    await net.pass(4_000);
    five.send(pingreq);
    await net.pass(5_900);
    expect([five.isClosed, four.isClosed]).toEqual([false, true]);
    await net.pass(500);
    expect(await five.texts()).toEqual(['PINGRESP', 'DISCONNECT code=0x8d']);
    expect(none.isClosed).toBe(false);
    expect(net.counters.keepAliveTimeouts).toBe(2);
    expect(net.lines('notice').at(-1)).toBe('Client five has exceeded timeout, disconnecting.');
  });

  it('with a keep alive over max_keepalive, or none, get Server Keep Alive; 3.1.1 is refused with 2', async () => {
    const net = new InMemoryBroker({ settings: { maxKeepAlive: 10 } });
    for (const keepAlive of [11, 0]) {
      const { code, connack, client } = await knock(net, { keepAlive });
      expect([code, ...valuesOf(connack as ReadPacket, 0x13)]).toEqual([0, 10]);
      await net.pass(14_900);
      expect(client.isClosed).toBe(false);
      await net.pass(500);
      expect(client.isClosed).toBe(true);
      expect(await knock(net, { keepAlive, version: 4, clientIdentifier: 'four' })).toMatchObject({ code: 2 });
    }
    expect(valuesOf((await knock(net, { keepAlive: 10 })).connack as ReadPacket, 0x13)).toEqual([]);
  });
});

describe('packets', () => {
  it('over max_packet_size end the connection, in 5.0 with 0x95, before their body has come', async () => {
    const net = new InMemoryBroker({ settings: { maxPacketSize: 1000 } });
    const five = await net.connect();
    expect(valuesOf(five.connack as ReadPacket, 0x27)).toEqual([1000]);
    five.send(publish5('t', 'x'.repeat(1000 - 3 - 4)));
    expect(await five.take()).toEqual([]);
    five.send(hex('30 e6 07'));
    expect(await disconnectCodes(five)).toEqual([0x95]);
    const four = await net.connect({ version: 4 });
    four.send(hex('30 e6 07'));
    await net.settle();
    expect([five.isClosed, four.isClosed]).toEqual([true, true]);
    expect(net.counters.packetsTooLarge).toBe(2);
  });

  it('of 1 MiB are too large for a CONNECT, whatever max_packet_size says', async () => {
    const net = new InMemoryBroker();
    const client = net.open();
    client.send(hex('10 80 80 40'));
    await net.settle();
    expect(client.isClosed).toBe(true);
    expect(net.counters.packetsTooLarge).toBe(1);
  });

  it('over the client’s own Maximum Packet Size are not sent, and the next ones are', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect({ properties: [property.maximumPacketSize(100)] });
    await client.subscribe(['t', 1]);
    const [tooLarge, dropped] = await moved(net, ['outboundTooLarge', 'publishMessagesDropped'], async () => {
      net.broker.publish('t', 'x'.repeat(100));
      net.broker.publish('t', 'x'.repeat(100), { qos: 1 });
      net.broker.publish('t', 'small');
      expect(await client.payloads()).toEqual(['small']);
    });
    expect([tooLarge, dropped]).toEqual([2, 2]);
  });
});

describe('published messages', () => {
  /** Publishes at each QoS, in both versions; gives the codes of what came back. */
  async function publishOne(net: InMemoryBroker, topic: string, payload: string) {
    const codes: Record<string, unknown> = {};
    for (const version of [5, 4] as const) {
      for (const qos of [0, 1, 2]) {
        const client = await net.connect({ version });
        client.publish(topic, payload, { qos });
        codes[`${version} ${qos}`] = (await client.take())
          .map(({ name, code }) => `${name} ${code?.toString(16)}`)
          .join();
        expect(client.isClosed).toBe(false);
      }
    }
    return codes;
  }
  const acknowledged = (code: string) => ({
    '5 0': '',
    '5 1': `PUBACK ${code}`,
    '5 2': `PUBREC ${code}`,
    '4 0': '',
    '4 1': 'PUBACK 0',
    '4 2': 'PUBREC 0',
  });

  it('over message_size_limit are answered with 0x83 and not routed', async () => {
    const net = new InMemoryBroker({ settings: { messageSizeLimit: 10 } });
    const subscriber = await net.connect();
    await subscriber.subscribe('#');
    expect(await publishOne(net, 't', 'x'.repeat(11))).toEqual(acknowledged('83'));
    expect([net.counters.messageSizeRefused, net.counters.publishRefused]).toEqual([6, 6]);
    expect(net.lines('warning')[0]).toMatch(/payload over message_size_limit/);
    const publisher = await net.connect();
    publisher.publish('t', 'x'.repeat(10));
    expect(await subscriber.payloads()).toEqual(['x'.repeat(10)]);
  });

  it('on topics with more than max_topic_levels are answered with 0x90', async () => {
    const net = new InMemoryBroker({ settings: { maxTopicLevels: 3 } });
    const subscriber = await net.connect();
    await subscriber.subscribe('#');
    expect(await publishOne(net, 'a/b/c/d', 'x')).toEqual(acknowledged('90'));
    expect(net.counters.topicLevelsRefused).toBe(6);
    const publisher = await net.connect();
    publisher.publish('a/b/c', 'x');
    expect(await subscriber.payloads()).toEqual(['x']);
  });

  it('while memory_limit is reached are answered with 0x97', async () => {
    const net = new InMemoryBroker({ settings: { memoryLimit: 1 } });
    const subscriber = await net.connect();
    await subscriber.subscribe('#');
    const publisher = await net.connect();
    // Memory is looked at once a second, by the real clock.
    await until(async () => {
      publisher.publish('t', 'x', { qos: 1 });
      return (await publisher.take()).some(({ name, code }) => name === 'PUBACK' && code === 0x97);
    }, 'PUBACK with 0x97');
    await subscriber.take();
    publisher.publish('t', 'x');
    expect(await subscriber.take()).toEqual([]);
    expect(net.counters.memoryLimitRefused).toBe(2);
    await net.broker.close();
  });

  it('at QoS 2 may be 64 MiB without PUBREL; what is more ends the connection with 0x97', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect();
    const block = Buffer.alloc(30 * 1024 * 1024);
    for (let count = 0; count < 2; count++) client.publish('t', block, { qos: 2 });
    expect(await client.texts()).toEqual(['PUBREC id=1', 'PUBREC id=2']);
    client.send(pubrel(1));
    client.publish('t', block, { qos: 2 });
    expect(await client.texts()).toEqual(['PUBCOMP id=1', 'PUBREC id=3']);
    client.publish('t', block, { qos: 2 });
    expect(await disconnectCodes(client)).toEqual([0x97]);
    expect(client.isClosed).toBe(true);
    expect(net.counters.protocolErrors).toBe(1);
  });

  it('over the Receive Maximum told end the connection with 0x93; 3.1.1 clients were told none', async () => {
    const net = new InMemoryBroker({ settings: { maxInflightMessages: 2 } });
    const five = await net.connect();
    expect(valuesOf(five.connack as ReadPacket, 0x21)).toEqual([2]);
    for (let count = 0; count < 3; count++) five.publish('t', 'x', { qos: 2 });
    expect(await disconnectCodes(five)).toEqual([0x93]);
    expect(net.counters.receiveMaximumExceeded).toBe(1);
    const four = await net.connect({ version: 4 });
    for (let count = 0; count < 100; count++) four.publish('t', 'x', { qos: 2 });
    expect(await four.take()).toHaveLength(100);
  });

  it('that are retained beyond max_retained_messages are delivered but not kept', async () => {
    const net = new InMemoryBroker({ settings: { maxRetainedMessages: 2 } });
    const live = await net.connect();
    await live.subscribe('#');
    const publisher = await net.connect();
    for (const topic of ['a', 'b', 'c', 'a']) publisher.publish(topic, topic, { retain: true });
    expect(await live.payloads()).toEqual(['a', 'b', 'c', 'a']);
    const late = await net.connect();
    await late.subscribe('#');
    expect((await late.payloads()).sort()).toEqual(['a', 'b']);
    expect(net.counters.retainedRefused).toBe(1);
    expect(net.lines('warning')).toEqual(["Retained message on 'c' not kept: max_retained_messages reached."]);
    publisher.publish('a', '', { retain: true });
    publisher.publish('c', 'c', { retain: true });
    await net.settle();
    expect(net.counters.retainedRefused).toBe(1);
  });
});

describe('subscriptions', () => {
  it('over max_subscriptions_per_client are answered with 0x97, in 3.1.1 with 0x80', async () => {
    const net = new InMemoryBroker({ settings: { maxSubscriptionsPerClient: 2 } });
    const five = await net.connect();
    expect(await five.subscribe('a', 'b', 'c')).toEqual([0, 0, 0x97]);
    expect(await five.subscribe(['a', 1])).toEqual([1]);
    expect(await five.subscribe('$share/g/d')).toEqual([0x97]);
    const four = await net.connect({ version: 4 });
    expect(await four.subscribe('a', 'b', 'c')).toEqual([0, 0, 0x80]);
    expect([net.counters.subscriptionLimitRefused, net.counters.subscribeRefused]).toEqual([3, 3]);
  });

  it('to filters with more than max_topic_levels are answered with 0x8F, in 3.1.1 with 0x80', async () => {
    const net = new InMemoryBroker({ settings: { maxTopicLevels: 3 } });
    const five = await net.connect();
    expect(await five.subscribe('a/b/c', 'a/b/#', 'a/b/c/d', '$share/g/a/b/c', '$share/g/a/b/c/#')).toEqual([
      0, 0, 0x8f, 0, 0x8f,
    ]);
    const four = await net.connect({ version: 4 });
    expect(await four.subscribe('a/b/c/d')).toEqual([0x80]);
    expect(net.counters.topicLevelsRefused).toBe(3);
  });
});

describe('deliveries', () => {
  it('wait for acknowledgements at max_inflight_messages, or at the client’s lower Receive Maximum', async () => {
    const net = new InMemoryBroker({ settings: { maxInflightMessages: 3 } });
    for (const [list, window] of [
      [[], 3],
      [[property.receiveMaximum(2)], 2],
      [[property.receiveMaximum(100)], 3],
    ] as const) {
      const client = await net.connect({ properties: list });
      await client.subscribe(['t', 1]);
      const [waits] = await moved(net, ['inflightWaits'], async () => {
        for (let count = 0; count < 5; count++) net.broker.publish('t', `${count}`, { qos: 1 });
        expect((await client.payloads()).length).toBe(window);
      });
      expect(waits).toBe(5 - window);
      client.send(puback(1));
      expect(await client.payloads()).toEqual([`${window}`]);
      await client.drop();
    }
  });

  it('wait at max_inflight_bytes, but one may always go', async () => {
    const net = new InMemoryBroker({ settings: { maxInflightBytes: 100 } });
    const client = await net.connect();
    await client.subscribe(['t', 2]);
    for (const size of [60, 40, 1]) net.broker.publish('t', 'x'.repeat(size), { qos: 1 });
    net.broker.publish('t', 'x'.repeat(1000), { qos: 1 });
    net.broker.publish('t', 'last', { qos: 1 });
    const sizes = async () => (await client.payloads()).map(({ length }) => length);
    expect(await sizes()).toEqual([60, 40]);
    expect(net.counters.inflightWaits).toBe(3);
    client.send(puback(2));
    expect(await sizes()).toEqual([1]);
    client.send(puback(1));
    expect(await sizes()).toEqual([]);
    client.send(puback(3));
    expect(await sizes()).toEqual([1000]);
    client.send(puback(4));
    expect(await sizes()).toEqual([4]);
  });

  it('over max_queued_messages are dropped, the newest first, with one line in the log', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 3, maxInflightMessages: 1 } });
    const away = await net.connect(session('away'));
    await away.subscribe(['t', 1]);
    await away.drop();
    const [counted, dropped] = await moved(net, ['queueDroppedCount', 'publishMessagesDropped'], async () => {
      for (let count = 0; count < 6; count++) net.broker.publish('t', `${count}`, { qos: 1 });
    });
    expect([counted, dropped]).toEqual([3, 3]);
    expect(net.lines('notice').filter((line) => line.startsWith('Outgoing'))).toEqual([
      'Outgoing messages are being dropped for client away.',
    ]);
    await net.pass(61_000);
    net.broker.publish('t', 'late', { qos: 1 });
    expect(net.lines('notice').filter((line) => line.startsWith('Outgoing'))).toHaveLength(2);
    const back = await net.connect(session('away'));
    back.acknowledgeAll();
    expect(await back.payloads()).toEqual(['0']);
    back.send(puback(1));
    expect(await back.payloads()).toEqual(['1', '2']);
  });

  it('over max_queued_bytes are dropped, smaller ones still fit', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedBytes: 100 } });
    const away = await net.connect(session('away'));
    await away.subscribe(['t', 1]);
    await away.drop();
    for (const size of [60, 41, 40, 1]) net.broker.publish('t', 'x'.repeat(size), { qos: 1 });
    net.broker.publish('t', '', { qos: 1 });
    expect([net.counters.queueDroppedBytes, net.counters.publishMessagesDropped]).toEqual([2, 2]);
    const back = await net.connect(session('away'));
    expect((await back.payloads()).map(({ length }) => length)).toEqual([60, 40, 0]);
  });

  it('that have expired make room for others', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 2 } });
    const away = await net.connect(session('away'));
    await away.subscribe(['t', 1]);
    await away.drop();
    for (const name of ['a', 'b']) {
      net.broker.publish('t', name, { qos: 1, properties: { messageExpiryInterval: 10 } });
    }
    await net.pass(10_000);
    for (const name of ['c', 'd', 'e']) net.broker.publish('t', name, { qos: 1 });
    expect([net.counters.messagesExpired, net.counters.queueDroppedCount]).toEqual([2, 1]);
    const back = await net.connect(session('away'));
    expect(await back.payloads()).toEqual(['c', 'd']);
  });

  it('over max_outbound_buffer are dropped at QoS 0 and wait at QoS 1', async () => {
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes: 100_000, maxInflightMessages: 1000 } });
    const client = await net.connect();
    await client.subscribe(['t', 1]);
    client.transport.pause();
    const block = 'x'.repeat(10_000);
    for (let count = 0; count < 40; count++) {
      net.broker.publish('t', block);
      await net.settle();
    }
    const { outboundBufferDropped } = net.counters;
    expect(outboundBufferDropped).toBeGreaterThanOrEqual(29);
    expect(net.counters.publishMessagesDropped).toBe(outboundBufferDropped);
    for (let count = 0; count < 10; count++) net.broker.publish('t', `${count}`, { qos: 1 });
    await net.settle();
    expect(net.counters.bytesSent).toBeLessThan(120_000);
    client.transport.resume();
    const all = await client.payloads();
    expect(all.filter((payload) => payload === block)).toHaveLength(40 - outboundBufferDropped);
    expect(all.slice(-10)).toEqual(Array.from({ length: 10 }, (_, count) => `${count}`));
  });

  it('of runs of QoS 0 are counted and dropped alike', async () => {
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes: 100_000 } });
    const client = await net.connect();
    await client.subscribe('t');
    client.transport.pause();
    const publisher = await net.connect();
    const run = join(...new Array(10).fill(publish5('t', 'x'.repeat(1000))));
    for (let count = 0; count < 40; count++) {
      publisher.send(run);
      await net.settle();
    }
    client.transport.resume();
    const received = (await client.payloads()).length;
    expect(received).toBeLessThan(130);
    expect(received + net.counters.outboundBufferDropped).toBe(400);
    expect(net.counters.publishMessagesDropped).toBe(net.counters.outboundBufferDropped);
  });

  it('below a small max_outbound_buffer all come, queued and retained ones too', async () => {
    const net = new InMemoryBroker({ settings: { maxOutboundBufferBytes: 1024, queueQos0Messages: true } });
    const away = await net.connect(session('away'));
    await away.subscribe(['queued', 0]);
    await away.drop();
    for (let count = 0; count < 50; count++) {
      net.broker.publish('queued', 'x'.repeat(100));
      net.broker.publish(`retained/${count}`, 'x'.repeat(100), { retain: true });
    }
    const back = await net.connect(session('away'));
    expect(await back.take()).toHaveLength(50);
    await back.subscribe('retained/#');
    expect(await back.take()).toHaveLength(50);
  });
});
