/** Topic aliases towards clients: given while there are some, used from then on, and never one that the client has not heard of. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { property } from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

/** Topic and alias of each PUBLISH that has come, as `topic=alias`. */
const told = async (client: MemoryClient) =>
  (await client.take()).map((packet) => `${packet.topic}=${valuesOf(packet, 0x23).join()}`);

describe('topic aliases towards a client', () => {
  it('[MQTT-3.1.2-26] [MQTT-3.1.2-27] are given to as many topics as it allows, and to none by default', async () => {
    const net = new InMemoryBroker();
    const two = await net.connect({ properties: [property.topicAliasMaximum(2)] });
    const none = await net.connect();
    for (const client of [two, none]) await client.subscribe('#');
    for (const topic of ['a', 'b', 'c', 'a', 'b', 'c', 'a']) net.broker.publish(topic, 'x');
    expect(await told(two)).toEqual(['a=1', 'b=2', 'c=', '=1', '=2', 'c=', '=1']);
    expect(await told(none)).toEqual(['a=', 'b=', 'c=', 'a=', 'b=', 'c=', 'a=']);
  });

  it('end with the connection', async () => {
    const net = new InMemoryBroker();
    const fields = {
      clientIdentifier: 'a',
      cleanStart: false,
      properties: [property.topicAliasMaximum(2), property.sessionExpiryInterval(60)],
    };
    const first = await net.connect(fields);
    await first.subscribe(['#', 1]);
    net.broker.publish('a', 'x', { qos: 1 });
    expect(await told(first)).toEqual(['a=1']);
    await first.drop();
    net.broker.publish('a', 'y', { qos: 1 });
    const second = await net.connect(fields);
    // The first again with DUP, then the second.
    expect(await told(second)).toEqual(['a=1', '=1']);
  });

  it('are not spent on a message that is too large to be sent', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect({
      properties: [property.topicAliasMaximum(5), property.maximumPacketSize(2000)],
    });
    await client.subscribe('#');
    const properties = { userProperties: [['name', 'x'.repeat(2000)]] as [string, string][] };
    net.broker.publish('a', 'x', { properties });
    // Ten bytes around the payload with an alias, seven without.
    for (const size of [1994, 1993, 1991]) net.broker.publish('a', 'y'.repeat(size));
    net.broker.publish('a', 'y'.repeat(1990));
    net.broker.publish('a', 'z');
    expect(await told(client)).toEqual(['a=', 'a=', 'a=1', '=1']);
    expect(net.counters.outboundTooLarge).toBe(2);
  });

  it('always stand for what the client was told last, whatever is published in whichever size', async () => {
    const message = fc.record({
      topic: fc.constantFrom('a', 'b', 'ü', 'd/e'),
      size: fc.nat({ max: 60 }),
      propertySize: fc.constantFrom(0, 0, 10, 60),
      qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(message),
        fc.nat({ max: 4 }),
        fc.integer({ min: 20, max: 80 }),
        async (messages, maximum, packetSize) => {
          const net = new InMemoryBroker();
          const client = await net.connect({
            properties: [property.topicAliasMaximum(maximum), property.maximumPacketSize(packetSize)],
          });
          client.acknowledgeAll();
          await client.subscribe(['#', 2]);
          for (const { topic, size, propertySize, qos } of messages) {
            const properties = propertySize === 0 ? {} : { contentType: 'c'.repeat(propertySize) };
            net.broker.publish(topic, topic.padEnd(size, '.'), { qos, properties });
          }
          const known = new Map<number, string>();
          for (const packet of (await client.take()).filter(({ name }) => name === 'PUBLISH')) {
            const [alias] = valuesOf(packet, 0x23) as [number?];
            if (alias !== undefined) {
              expect(alias).toBeLessThanOrEqual(maximum);
              if (packet.topic !== '') known.set(alias, packet.topic as string);
            }
            const topic = packet.topic || known.get(alias as number);
            expect(`${packet.payload}`.replaceAll('.', '')).toBe(topic);
          }
        },
      ),
      { seed: 3, numRuns: 100 },
    );
  });
});
