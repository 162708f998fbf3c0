/** Retained messages for a new subscription, when the subscriber cannot take them all at once. */
import { describe, expect, it } from 'vitest';
import { property, puback, subscribe5, unsubscribe5 } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';

/** A broker with so many retained messages `r/0`, `r/1`, … of that many bytes. */
async function withRetained(
  count: number,
  size: number,
  options: ConstructorParameters<typeof InMemoryBroker>[0] = {},
) {
  const net = new InMemoryBroker(options);
  for (let index = 0; index < count; index++) {
    net.broker.publish(`r/${index}`, `${index}`.padEnd(size, '.'), { qos: 1, retain: true });
  }
  await net.settle();
  return net;
}
const small = { settings: { maxOutboundBufferBytes: 64 * 1024 } };
const numbers = (payloads: readonly string[]) => payloads.map((payload) => Number.parseInt(payload, 10));
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('the replay of retained messages', () => {
  it('goes on as the subscriber takes them, each once', async () => {
    const net = await withRetained(200, 10_000, small);
    const client = await net.connect();
    client.transport.pause();
    client.send(subscribe5(1, [['r/#', 0]]));
    await net.settle();
    expect(net.counters.bytesSent).toBeLessThan(200_000);
    client.transport.resume();
    const [suback, ...messages] = await client.take();
    expect(suback?.name).toBe('SUBACK');
    expect(sorted(numbers(messages.map(({ payload }) => `${payload}`)))).toEqual(upTo(200));
    expect(net.counters.publishMessagesDropped).toBe(0);
  });

  it('keeps to the quota at QoS 1, and to the order of several subscriptions', async () => {
    const net = await withRetained(10, 10);
    const client = await net.connect({ properties: [property.receiveMaximum(2)] });
    client.send(subscribe5(1, [['r/+', 1]]), subscribe5(2, [['r/3', 1]]));
    const received: string[] = [];
    for (;;) {
      const packets = (await client.take()).filter(({ name }) => name === 'PUBLISH');
      expect(packets.length).toBeLessThanOrEqual(2);
      if (packets.length === 0) break;
      received.push(...packets.map(({ payload }) => `${payload}`));
      client.send(...packets.map(({ id }) => puback(id as number)));
    }
    expect(sorted(numbers(received.slice(0, 10)))).toEqual(upTo(10));
    expect(numbers(received.slice(10))).toEqual([3]);
  });

  it('[MQTT-3.10.4-2] ends with its subscription', async () => {
    const net = await withRetained(50, 10);
    const client = await net.connect({ properties: [property.receiveMaximum(1)] });
    client.send(subscribe5(1, [['r/+', 1]]));
    expect((await client.take()).map(({ name }) => name)).toEqual(['SUBACK', 'PUBLISH']);
    client.send(unsubscribe5(2, ['r/+']), puback(1));
    expect(await client.texts()).toEqual(['UNSUBACK id=2 codes=0']);
    client.send(subscribe5(3, [['r/7', 1]]));
    expect((await client.take()).map(({ name }) => name)).toEqual(['SUBACK', 'PUBLISH']);
  });

  it('begins anew when the same filter is subscribed to again, so that asking often fills no memory', async () => {
    const net = await withRetained(100, 10_000, small);
    const client = await net.connect();
    client.transport.pause();
    for (let count = 0; count < 20; count++) client.send(subscribe5(count + 1, [['r/#', 0]]));
    await net.settle();
    client.transport.resume();
    const packets = await client.take();
    expect(packets.filter(({ name }) => name === 'SUBACK')).toHaveLength(20);
    const messages = packets.filter(({ name }) => name === 'PUBLISH');
    // All of them for the last one; before it a few for the first, until its connection was full.
    expect(messages.length).toBeLessThan(130);
    expect(sorted(numbers(messages.slice(-100).map(({ payload }) => `${payload}`)))).toEqual(upTo(100));
  });

  it('is not lost to a second SUBSCRIBE that wants none of its own', async () => {
    for (const retainHandling of [0x10, 0x20]) {
      const net = await withRetained(20, 10);
      const client = await net.connect({ properties: [property.receiveMaximum(1)] });
      client.acknowledgeAll();
      client.send(subscribe5(1, [['r/+', 1]]), subscribe5(2, [['r/+', 1 | retainHandling]]));
      const messages = (await client.take()).filter(({ name }) => name === 'PUBLISH');
      expect(new Set(numbers(messages.map(({ payload }) => `${payload}`))).size).toBe(20);
      client.send(subscribe5(3, [['r/+', 1 | retainHandling]]));
      expect(await client.texts()).toEqual(['SUBACK id=3 codes=1']);
    }
  });

  it('sends nothing outdated behind what was published meanwhile', async () => {
    const net = await withRetained(60, 10_000, small);
    const client = await net.connect();
    client.transport.pause();
    client.send(subscribe5(1, [['r/#', 0]]));
    await net.settle();
    const { publishMessagesSent } = net.counters;
    expect(publishMessagesSent).toBeLessThan(60);
    for (let index = 0; index < 60; index++) net.broker.publish(`r/${index}`, '', { retain: true });
    for (let index = 0; index < 30; index++) net.broker.publish(`r/${index}`, `new ${index}`, { retain: true });
    client.transport.resume();
    const messages = (await client.take()).filter(({ name }) => name === 'PUBLISH');
    const last = new Map<string, string>();
    for (const { topic = '', payload } of messages.slice(publishMessagesSent)) last.set(topic, `${payload}`);
    for (const payload of last.values()) expect(payload === '' || payload.startsWith('new')).toBe(true);
  });
});
