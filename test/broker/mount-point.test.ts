/** A listener with a mount point: its clients see only a part of the topic tree, and as if it were the whole. */
import { describe, expect, it } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { property, unsubscribe5 } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';

const started = () => new InMemoryBroker({ listeners: [{}, { mountPoint: 'tenant/a/' }] });
const mounted = { listener: 1 };

describe('mount_point', () => {
  it('goes before the topics that its clients publish to', async () => {
    const net = started();
    const outside = await net.connect();
    await outside.subscribe('#');
    for (const version of [3, 4, 5] as const) {
      const inside = await net.connect({ ...mounted, version });
      inside.publish('t', 'x');
      inside.publish('t', 'x', { qos: 1 });
      await inside.take();
      expect(await outside.texts()).toEqual(new Array(2).fill('PUBLISH [tenant/a/t] "x"'));
    }
  });

  it('goes before the filters, and is taken off what they get', async () => {
    const net = started();
    const outside = await net.connect();
    for (const version of [4, 5] as const) {
      const inside = await net.connect({ ...mounted, version });
      await inside.subscribe('t/+');
      outside.publish('t/1', 'not theirs');
      outside.publish('tenant/a/t/1', 'theirs');
      outside.publish('tenant/b/t/1', 'not theirs');
      expect(await inside.texts()).toEqual(['PUBLISH [t/1] "theirs"']);
    }
  });

  it('does not change the filter that UNSUBSCRIBE names', async () => {
    const net = started();
    const inside = await net.connect(mounted);
    await inside.subscribe('t');
    inside.send(unsubscribe5(5, ['tenant/a/t', 't']));
    expect(await inside.texts()).toEqual(['UNSUBACK id=5 codes=17,0']);
  });

  it('stands behind $share/name/', async () => {
    const net = started();
    const inside = [await net.connect(mounted), await net.connect(mounted)];
    for (const client of inside) await client.subscribe('$share/g/t');
    for (const payload of ['1', '2']) net.broker.publish('tenant/a/t', payload);
    expect(await Promise.all(inside.map((client) => client.texts()))).toEqual([
      ['PUBLISH [t] "1"'],
      ['PUBLISH [t] "2"'],
    ]);
  });

  it('holds for retained messages in both directions', async () => {
    const net = started();
    const inside = await net.connect(mounted);
    inside.publish('kept', 'x', { retain: true });
    await net.settle();
    const outside = await net.connect();
    await outside.subscribe('#');
    expect(await outside.texts()).toEqual(['PUBLISH [tenant/a/kept] "x"']);
    await inside.subscribe('#');
    expect(await inside.texts()).toEqual(['PUBLISH [kept] "x"']);
  });

  it('holds for wills', async () => {
    const net = started();
    const outside = await net.connect();
    await outside.subscribe('#');
    const inside = await net.connect({ ...mounted, will: { topic: 'gone' } });
    await inside.drop();
    expect(await outside.texts()).toEqual(['PUBLISH [tenant/a/gone] ""']);
  });

  it('holds for topic aliases, which stand for the shorter name', async () => {
    const net = started();
    const outside = await net.connect();
    await outside.subscribe('#');
    const inside = await net.connect({ ...mounted, properties: [property.topicAliasMaximum(5)] });
    inside.publish('t', '1', { properties: [property.topicAlias(1)] });
    inside.publish('', '2', { properties: [property.topicAlias(1)] });
    expect(await outside.texts()).toEqual(['PUBLISH [tenant/a/t] "1"', 'PUBLISH [tenant/a/t] "2"']);
    await inside.subscribe('t');
    for (const payload of ['3', '4']) net.broker.publish('tenant/a/t', payload);
    const packets = await inside.take();
    expect(packets.map(({ topic }) => topic)).toEqual(['t', '']);
    expect(packets.map((packet) => valuesOf(packet, 0x23))).toEqual([[1], [1]]);
  });

  it('is seen by access rules and hooks', async () => {
    const asked: string[] = [];
    const ask = (topic: string) => {
      asked.push(topic);
      return true;
    };
    const net = new InMemoryBroker({
      listeners: [{ mountPoint: 'm/' }],
      hooks: {
        authorizePublish: (_, topic) => ask(`publish ${topic}`),
        authorizeSubscribe: (_, topic) => ask(`subscribe ${topic}`),
        authorizeReceive: (_, topic) => ask(`receive ${topic}`),
        onPublish(message) {
          asked.push(`on ${message.topicName}`);
          return undefined;
        },
      },
    });
    const client = await net.connect();
    await client.subscribe('t');
    client.publish('t', 'x');
    expect(await client.payloads()).toEqual(['x']);
    expect(asked).toEqual(['subscribe m/t', 'publish m/t', 'on m/t', 'receive m/t']);
  });

  it('hides $SYS, and nothing of it can be written from below', async () => {
    const net = started();
    const inside = await net.connect(mounted);
    const outside = await net.connect();
    await inside.subscribe('$SYS/#', '#');
    await outside.subscribe('$SYS/#');
    net.broker.publish('$SYS/broker/x', 'secret');
    expect(await inside.take()).toEqual([]);
    expect(await outside.payloads()).toEqual(['secret']);
    inside.publish('$SYS/broker/x', 'forged', { qos: 1 });
    await inside.take();
    expect(await outside.take()).toEqual([]);
  });

  it('sends nothing on the level above, which `#` behind the mount point matches', async () => {
    const net = started();
    for (const qos of [0, 1] as const) {
      const inside = await net.connect(mounted);
      await inside.subscribe(['#', qos]);
      net.broker.publish('tenant/a', 'above', { qos: 1 });
      net.broker.publish('tenant/a/t', 'below');
      expect(await inside.payloads()).toEqual(['below']);
    }
  });

  it('may be the beginning of a level', async () => {
    const net = new InMemoryBroker({ listeners: [{}, { mountPoint: 'pre-' }] });
    const inside = await net.connect(mounted);
    await inside.subscribe('a/#');
    net.broker.publish('pre-a/b', 'x');
    net.broker.publish('a/b', 'y');
    expect(await inside.texts()).toEqual(['PUBLISH [a/b] "x"']);
  });
});
