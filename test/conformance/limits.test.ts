/** Limits in both directions: packet sizes, QoS, retain, problem information. [MQTT 5.0 §3.1.2.11, §3.2.2.3] */
import { describe, expect } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { exchangeUntilClosed, openClient, RawClient, uniqueName } from '../support/raw-client.ts';
import {
  connect,
  hex,
  property,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  subscribe5,
  text,
  unsubscribe5,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';
import { until } from '../support/until.ts';

const payloads = async (client: RawClient) =>
  (await client.collect()).filter((packet) => packet.name === 'PUBLISH').map((packet) => `${packet.payload}`);

describe('Maximum Packet Size of a Client', () => {
  const broker = useBroker();
  const subscriber = async (maximum: number, qos: number, list: readonly Uint8Array[] = []) => {
    const topic = uniqueName('size/');
    const client = await openClient(broker.port, {
      clientIdentifier: uniqueName('m'),
      properties: [property.maximumPacketSize(maximum), ...list],
    });
    client.send(subscribe5(1, [[topic, qos]]));
    await client.expect('SUBACK');
    return { topic, client };
  };

  for (const qos of [0, 1, 2] as const) {
    rule(
      `[MQTT-3.1.2-24] [MQTT-3.1.2-25] skips what is too large at QoS ${qos} and goes on with the rest`,
      async () => {
        const { topic, client } = await subscriber(200, qos);
        const publisher = await openClient(broker.port);
        const exactly = 200 - publish5(topic, '', { qos, id: 1 }).length - 1;
        const sizes = [1, exactly, exactly + 1, 10_000, 2];
        for (const [index, size] of sizes.entries()) {
          publisher.send(publish5(topic, 'x'.repeat(size), { qos, id: index + 1 }));
          if (qos === 2) {
            await publisher.expect('PUBREC');
            publisher.send(pubrel(index + 1));
            await publisher.expect('PUBCOMP');
          }
        }
        await publisher.collect();
        const received: number[] = [];
        for (let count = 0; count < 3; count++) received.push((await client.receive()).payload?.length ?? -1);
        expect(received).toEqual([1, exactly, 2]);
        await client.expectNothing();
      },
      { mosquitto: 'sends a packet that is one byte too large' },
    );
  }

  rule(
    '[MQTT-3.1.2-25] a message that is too large takes no place in the quota',
    async () => {
      const { topic, client } = await subscriber(100, 1, [property.receiveMaximum(1)]);
      const publisher = await openClient(broker.port);
      for (const [index, size] of [1_000, 1_000, 5].entries()) {
        publisher.send(publish5(topic, 'x'.repeat(size), { qos: 1, id: index + 1 }));
      }
      await publisher.collect();
      expect((await client.receive()).payload).toHaveLength(5);
    },
    { mosquitto: 'keeps the place taken' },
  );

  rule('[MQTT-3.1.2-25] a retained or queued message that is too large is skipped too', async () => {
    const topic = uniqueName('size/');
    const session = {
      clientIdentifier: uniqueName('m'),
      cleanStart: false,
      properties: [property.sessionExpiryInterval(60), property.maximumPacketSize(100)],
    };
    const publisher = await openClient(broker.port);
    publisher.send(publish5(`${topic}/retained`, 'x'.repeat(500), { retain: true, qos: 1, id: 1 }));
    await publisher.expect('PUBACK');
    const first = await openClient(broker.port, session);
    first.send(subscribe5(1, [[`${topic}/#`, 1]]));
    await first.expect('SUBACK');
    await first.expectNothing();
    await first.leave();
    publisher.send(publish5(`${topic}/queued`, 'x'.repeat(500), { qos: 1, id: 2 }));
    publisher.send(publish5(`${topic}/queued`, 'small', { qos: 1, id: 3 }));
    await publisher.collect();
    const second = await openClient(broker.port, session);
    expect(`${(await second.receive()).payload}`).toBe('small');
    await second.expectNothing();
  });

  rule(
    '[MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1] [MQTT-3.14.2-3] no acknowledgement is larger either',
    async () => {
      const maximum = 16;
      const { client } = await subscriber(maximum, 0);
      client.send(
        publish5('nobody/here', 'x', { qos: 1, id: 1 }),
        publish5('nobody/here', 'x', { qos: 2, id: 2 }),
        pubrec(77),
        pubrel(78),
        subscribe5(2, [['fine', 0]]),
        unsubscribe5(3, ['never']),
      );
      const seen = await client.collect();
      client.send('36 00');
      for (let packet = await client.nextOrEnd(); packet; packet = await client.nextOrEnd()) seen.push(packet);
      expect(new Set(seen.map((packet) => packet.name))).toEqual(
        new Set(['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK', 'DISCONNECT']),
      );
      for (const packet of seen) expect(packet.bytes.length).toBeLessThanOrEqual(maximum);
    },
  );

  rule('[MQTT-3.1.2-24] closes when not even its CONNACK would be small enough', async () => {
    const client = await RawClient.open(broker.port);
    client.send(connect({ properties: [property.maximumPacketSize(4)] }));
    const answer = await client.nextOrEnd();
    if (answer) expect(answer.bytes.length).toBeLessThanOrEqual(4);
    await client.expectClosed();
  });

  rule(
    '[MQTT-3.1.2-29] without problem information only PUBLISH, CONNACK and DISCONNECT may carry reasons',
    async () => {
      const client = await openClient(broker.port, { properties: [property.requestProblemInformation(0)] });
      client.send(
        publish5(uniqueName('nobody/'), 'x', { qos: 1, id: 1 }),
        publish5(uniqueName('nobody/'), 'x', { qos: 2, id: 2 }),
        pubrel(77),
        subscribe5(3, [['fine', 0]]),
        hex('a2 0b 00 04 00 00 06 61 62 73 65 6e 74'),
      );
      const packets = await client.collect();
      expect(packets.map((packet) => packet.name).sort()).toEqual([
        'PUBACK',
        'PUBCOMP',
        'PUBREC',
        'SUBACK',
        'UNSUBACK',
      ]);
      for (const packet of packets) {
        expect(valuesOf(packet, 0x1f)).toEqual([]);
        expect(valuesOf(packet, 0x26)).toEqual([]);
      }
    },
  );
});

describe('limits of the Server', () => {
  const broker = useBroker({ config: 'max_packet_size 2000\nmessage_size_limit 1000\nmax_inflight_messages 5' });

  rule('[MQTT-3.2.2-15] tells its Maximum Packet Size and Receive Maximum', async () => {
    const { connack } = await openClient(broker.port);
    expect(valuesOf(connack, 0x27)).toEqual([2_000]);
    expect(valuesOf(connack, 0x21)).toEqual([5]);
  });

  rule('answers a packet that is too large with 0x95, before its body has come', async () => {
    const five = await openClient(broker.port);
    five.send(hex('30 d1 0f'));
    await five.expectRefusal(0x95);
    const four = await openClient(broker.port, { version: 4 });
    four.send(hex('30 ff ff ff 7f'));
    await four.expectClosed();
  });

  rule('takes a packet of exactly the maximum', async () => {
    const client = await openClient(broker.port, { version: 4 });
    client.send(publish('t', 'x'.repeat(2_000 - 3 - 3)));
    await client.expectNothing();
  });

  rule('answers a message over the size limit with a failure and does not route it', async () => {
    const topic = uniqueName('limit/');
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [[topic, 0]]));
    await client.expect('SUBACK');
    client.send(publish5(topic, 'x'.repeat(1_001), { qos: 1, id: 1 }));
    const answer = await client.expect('PUBACK');
    expect([0x83, 0x95, 0x97]).toContain(answer.code);
    client.send(publish5(topic, 'x'.repeat(1_000), { qos: 1, id: 2 }));
    expect(await payloads(client)).toHaveLength(1);
  });

  rule('[MQTT-3.1.4-1] refuses a CONNECT that is too large', async () => {
    const will = { topic: 'a', payload: text('x'.repeat(3_000)) };
    const packets = await exchangeUntilClosed(broker.port, 5, connect({ will }));
    for (const packet of packets) expect(packet).toMatchObject({ name: 'CONNACK', code: 0x95 });
  });
});

describe('a listener with less', () => {
  const broker = useBroker({
    config:
      'allow_anonymous true\nretain_available false\nlistener {port} 127.0.0.1\nmax_qos 1\nmax_topic_alias 3\nmax_connections 8\n',
  });

  rule('[MQTT-3.2.2-9] [MQTT-3.2.2-14] says so in CONNACK', async () => {
    const { connack } = await openClient(broker.port);
    expect(valuesOf(connack, 0x24)).toEqual([1]);
    expect(valuesOf(connack, 0x25)).toEqual([0]);
    expect(valuesOf(connack, 0x22)).toEqual([3]);
  });

  rule('[MQTT-3.2.2-10] accepts SUBSCRIBE at any QoS', async () => {
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [['a', 2]]));
    const { codes } = await client.expect('SUBACK');
    expect(codes?.[0]).toBeLessThanOrEqual(2);
  });

  rule('[MQTT-3.2.2-11] refuses a PUBLISH at a higher QoS with 0x9B', async () => {
    const client = await openClient(broker.port);
    client.send(publish5('a', 'x', { qos: 2, id: 1 }));
    await client.expectRefusal(0x9b);
  });

  rule('[MQTT-3.2.2-14] refuses a retained PUBLISH with 0x9A', async () => {
    const client = await openClient(broker.port);
    client.send(publish5('a', 'x', { retain: true }));
    await client.expectRefusal(0x9a);
  });

  rule('[MQTT-3.2.2-12] refuses a will at a higher QoS with 0x9B', async () => {
    const packets = await exchangeUntilClosed(broker.port, 5, connect({ will: { topic: 'a', qos: 2 } }));
    expect(packets).toMatchObject([{ name: 'CONNACK', code: 0x9b }]);
  });

  rule('[MQTT-3.2.2-13] refuses a retained will with 0x9A', async () => {
    const packets = await exchangeUntilClosed(broker.port, 5, connect({ will: { topic: 'a', retain: true } }));
    expect(packets).toMatchObject([{ name: 'CONNACK', code: 0x9a }]);
  });
});

describe('max_connections', () => {
  const broker = useBroker({ config: 'allow_anonymous true\nlistener {port} 127.0.0.1\nmax_connections 3\n' });

  rule('takes so many connections and no more, until one goes', async () => {
    const clients = [];
    for (let count = 0; count < 3; count++) clients.push(await openClient(broker.port, { version: 4 }));
    const fourth = await RawClient.open(broker.port);
    fourth.version = 4;
    fourth.send(connect({ version: 4 }));
    const answer = await fourth.nextOrEnd();
    if (answer) expect(answer).toMatchObject({ name: 'CONNACK', code: 3 });
    await fourth.expectClosed();
    for (const client of clients) await client.expectNothing();
    clients[0]?.send('e0 00');
    await clients[0]?.expectClosed();
    // The Server may notice the end of the first a moment after the first itself.
    const successor = await until(() => openClient(broker.port, { version: 4 }).catch(() => undefined), 'a free place');
    successor.send(subscribe(1, [['a', 0]]));
    await successor.expect('SUBACK');
  });
});
