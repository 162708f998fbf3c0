/** SUBSCRIBE, UNSUBSCRIBE and their options. [MQTT 5.0 §3.8–3.11, §4.7] */
import { describe, expect } from 'vitest';
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import { openClient, uniqueName } from '../support/raw-client.ts';
import {
  property,
  puback,
  publish,
  publish5,
  subscribe,
  subscribe5,
  unsubscribe,
  unsubscribe5,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

const payloads = (packets: readonly ReadPacket[]) =>
  packets.filter((packet) => packet.name === 'PUBLISH').map((packet) => `${packet.payload}`);

describe('SUBSCRIBE', () => {
  const broker = useBroker();

  rule(
    '[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-2.2.1-6] [MQTT311-2.3.1-7] [MQTT311-3.8.4-1] [MQTT311-3.8.4-2] is answered with SUBACK and its identifier',
    async () => {
      const four = await openClient(broker.port, { version: 4 });
      four.send(subscribe(0xabcd, [['a', 0]]));
      await four.expectBytes('90 03 ab cd 00');
      const five = await openClient(broker.port);
      five.send(subscribe5(0xffff, [['a', 0]]));
      await five.expectBytes('90 04 ff ff 00 00');
    },
  );

  rule(
    '[MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT311-3.8.4-4] [MQTT311-3.8.4-5] [MQTT311-3.9.3-1] answers each filter, in order',
    async () => {
      const root = uniqueName('subs/');
      const filters = [
        [`${root}/2`, 2],
        [`${root}/0`, 0],
        [`${root}/1`, 1],
        [`${root}/+/x`, 2],
      ] as const;
      const four = await openClient(broker.port, { version: 4 });
      four.send(subscribe(1, filters));
      await four.expectBytes('90 06 00 01 02 00 01 02');
      const five = await openClient(broker.port);
      five.send(subscribe5(1, filters));
      await five.expectBytes('90 07 00 01 00 02 00 01 02');
    },
  );

  rule('[MQTT-3.8.4-3] [MQTT311-3.8.4-3] the same filter again replaces the subscription', async () => {
    const topic = uniqueName('subs/');
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [[topic, 2]]), subscribe(2, [[topic, 0]]));
    await client.expectBytes('90 03 00 01 02', '90 03 00 02 00');
    client.send(publish(topic, 'x', { qos: 1, id: 5 }));
    const packets = await client.collect();
    expect(packets.filter((packet) => packet.name === 'PUBLISH')).toMatchObject([{ qos: 0 }]);
  });

  rule('[MQTT-3.8.4-4] loses nothing while a subscription is replaced', async () => {
    const topic = uniqueName('subs/');
    const client = await openClient(broker.port);
    const publisher = await openClient(broker.port);
    client.send(subscribe5(1, [[topic, 0]]));
    await client.expect('SUBACK');
    for (let round = 1; round <= 50; round++) {
      publisher.send(publish5(topic, `${round}`));
      client.send(subscribe5(round + 1, [[topic, 0]]));
    }
    await publisher.expectNothing();
    expect(payloads(await client.collect())).toEqual(Array.from({ length: 50 }, (_, index) => `${index + 1}`));
  });

  rule('[MQTT-3.8.4-8] [MQTT311-3.8.4-6] delivers at the lower of published and granted QoS', async () => {
    for (const granted of [0, 1, 2]) {
      const topic = uniqueName('subs/');
      const client = await openClient(broker.port);
      client.send(subscribe5(1, [[topic, granted]]));
      await client.expect('SUBACK');
      for (const published of [0, 1, 2]) {
        const publisher = await openClient(broker.port);
        publisher.send(publish5(topic, 'x', { qos: published, id: 1 }));
        if (published === 1) await publisher.expect('PUBACK');
        if (published === 2) {
          await publisher.expect('PUBREC');
          publisher.send('62 02 00 01');
          await publisher.expect('PUBCOMP');
        }
        expect((await client.receive()).qos).toBe(Math.min(granted, published));
      }
    }
  });

  rule(
    '[MQTT-3.3.4-2] [MQTT311-3.3.5-1] overlapping subscriptions deliver once, at their highest QoS',
    async () => {
      const root = uniqueName('subs/');
      const client = await openClient(broker.port);
      client.send(
        subscribe5(1, [[`${root}/#`, 0]]),
        subscribe5(2, [[`${root}/+`, 2]]),
        subscribe5(3, [[`${root}/a`, 1]]),
      );
      await client.collect();
      client.send(publish5(`${root}/a`, 'x', { qos: 2, id: 1 }));
      await client.expect('PUBREC');
      client.send('62 02 00 01');
      const packets = await client.collect();
      expect(packets.filter((packet) => packet.name === 'PUBLISH')).toMatchObject([{ qos: 2 }]);
    },
    { mosquitto: 'delivers once for each, its default' },
  );

  rule(
    '[MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5] carries the Subscription Identifiers of all subscriptions that match',
    async () => {
      const root = uniqueName('subs/');
      const client = await openClient(broker.port);
      client.send(subscribe5(1, [[`${root}/#`, 0]], [property.subscriptionIdentifier(1)]));
      client.send(subscribe5(2, [[`${root}/+`, 0]], [property.subscriptionIdentifier(268_435_455)]));
      client.send(subscribe5(3, [[`${root}/a`, 0]]));
      client.send(subscribe5(4, [[`${root}/b`, 0]], [property.subscriptionIdentifier(4)]));
      await client.collect();
      client.send(publish5(`${root}/a`, 'x'));
      const packets = (await client.collect()).filter((packet) => packet.name === 'PUBLISH');
      // One copy with all identifiers, or a copy for each subscription: the specification allows both.
      const identifiers = packets.flatMap((packet) => valuesOf(packet, 0x0b));
      expect(identifiers.sort()).toEqual([1, 268_435_455]);
    },
  );

  rule('a replaced subscription has the identifier it was last given, or none', async () => {
    const topic = uniqueName('subs/');
    const client = await openClient(broker.port);
    const identifiers: unknown[] = [];
    for (const list of [[property.subscriptionIdentifier(7)], [property.subscriptionIdentifier(8)], []]) {
      client.send(subscribe5(1, [[topic, 0]], list));
      await client.expect('SUBACK');
      client.send(publish5(topic, 'x'));
      identifiers.push(valuesOf(await client.expect('PUBLISH'), 0x0b));
    }
    expect(identifiers).toEqual([[7], [8], []]);
  });

  rule('Subscription Identifiers belong to the session', async () => {
    const topic = uniqueName('subs/');
    const fields = {
      clientIdentifier: uniqueName('s'),
      cleanStart: false,
      properties: [property.sessionExpiryInterval(60)],
    };
    const first = await openClient(broker.port, fields);
    first.send(subscribe5(1, [[topic, 1]], [property.subscriptionIdentifier(42)]));
    await first.expect('SUBACK');
    await first.leave();
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'x', { qos: 1, id: 1 }));
    await publisher.expect('PUBACK');
    const second = await openClient(broker.port, fields);
    expect(valuesOf(await second.receive(), 0x0b)).toEqual([42]);
  });

  rule('retained messages carry the identifier of the subscription that brings them', async () => {
    const topic = uniqueName('subs/');
    const client = await openClient(broker.port);
    client.send(publish5(topic, 'kept', { retain: true }));
    client.send(subscribe5(1, [[topic, 0]], [property.subscriptionIdentifier(9)]));
    await client.expect('SUBACK');
    expect(valuesOf(await client.expect('PUBLISH'), 0x0b)).toEqual([9]);
  });

  rule('[MQTT-3.8.3-3] No Local keeps a message from its own publisher and from nobody else', async () => {
    const topic = uniqueName('subs/');
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [[topic, 0x04]]));
    await client.expect('SUBACK');
    const other = await openClient(broker.port);
    other.send(subscribe5(1, [[topic, 0x00]]));
    await other.expect('SUBACK');
    client.send(publish5(topic, 'mine', { qos: 1, id: 1 }));
    await client.expectBytes(puback(1));
    await client.expectNothing();
    await other.expectBytes(publish5(topic, 'mine'));
    other.send(publish5(topic, 'theirs'));
    await client.expectBytes(publish5(topic, 'theirs'));
  });

  rule('another overlapping subscription without No Local delivers all the same', async () => {
    const root = uniqueName('subs/');
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [[`${root}/a`, 0x04]]), subscribe5(2, [[`${root}/#`, 0x00]]));
    await client.collect();
    client.send(publish5(`${root}/a`, 'x'));
    expect(payloads(await client.collect())).toEqual(['x']);
  });

  rule('User Properties of a SUBSCRIBE are taken', async () => {
    const client = await openClient(broker.port);
    client.send(
      subscribe5(1, [['a', 0]], [property.userProperty('why', 'because'), property.userProperty('why', 'not')]),
    );
    expect(await client.expect('SUBACK')).toMatchObject({ codes: [0] });
  });

  rule('[MQTT-4.5.0-1] [MQTT311-4.5.0-1] one message reaches every session that matches', async () => {
    const topic = uniqueName('subs/');
    const clients = await Promise.all(Array.from({ length: 20 }, () => openClient(broker.port, { version: 4 })));
    for (const client of clients) {
      client.send(subscribe(1, [[topic, 0]]));
      await client.expect('SUBACK');
    }
    clients[0]?.send(publish(topic, 'all'));
    for (const client of clients) await client.expectBytes(publish(topic, 'all'));
  });
});

describe('UNSUBSCRIBE', () => {
  const broker = useBroker();

  rule(
    '[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] [MQTT-3.10.4-6] answers each filter, 0x11 where there was none',
    async () => {
      const client = await openClient(broker.port);
      client.send(
        subscribe5(1, [
          ['a', 0],
          ['b/#', 0],
        ]),
      );
      await client.expect('SUBACK');
      client.send(unsubscribe5(0x0102, ['x', 'b/#', 'a', 'a']));
      await client.expectBytes('b0 07 01 02 00 11 00 00 11');
    },
  );

  rule(
    '[MQTT311-3.10.4-4] [MQTT311-3.10.4-5] [MQTT311-3.10.4-6] answers once, with the identifier alone, in 3.1.1',
    async () => {
      const client = await openClient(broker.port, { version: 4 });
      client.send(unsubscribe(0x0203, ['nothing', 'neither/+', 'nor/#']));
      await client.expectBytes('b0 02 02 03');
      await client.expectNothing();
    },
  );

  rule(
    '[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT311-3.10.4-1] [MQTT311-3.10.4-2] ends the very subscription that it names',
    async () => {
      const root = uniqueName('unsub/');
      const client = await openClient(broker.port, { version: 4 });
      client.send(
        subscribe(1, [
          [`${root}/+`, 0],
          [`${root}/b`, 0],
        ]),
      );
      client.send(unsubscribe(2, [`${root}/a`, `${root}/#`, `${root}/+`]));
      client.send(publish(`${root}/a`, 'no'), publish(`${root}/b`, 'yes'));
      expect(payloads(await client.collect())).toEqual(['yes']);
    },
  );

  rule('[MQTT-3.10.4-3] [MQTT311-3.10.4-3] completes the delivery that has begun', async () => {
    const topic = uniqueName('unsub/');
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [[topic, 2]]));
    await client.expect('SUBACK');
    const publisher = await openClient(broker.port, { version: 4 });
    publisher.send(publish(topic, 'x', { qos: 2, id: 1 }), '62 02 00 01');
    await publisher.expect('PUBREC');
    await publisher.expect('PUBCOMP');
    await client.expectBytes(publish(topic, 'x', { qos: 2, id: 1 }));
    client.send(unsubscribe(2, [topic]));
    await client.expectBytes('b0 02 00 02');
    client.send('50 02 00 01');
    await client.expectBytes('62 02 00 01');
    client.send('70 02 00 01');
    await client.expectNothing();
  });

  rule('a subscription can be made, ended and made again', async () => {
    const topic = uniqueName('unsub/');
    const client = await openClient(broker.port, { version: 4 });
    for (let round = 0; round < 3; round++) {
      client.send(subscribe(1, [[topic, 0]]), publish(topic, 'x'), unsubscribe(2, [topic]), publish(topic, 'y'));
      expect(payloads(await client.collect())).toEqual(['x']);
    }
  });
});

describe('shared subscriptions', () => {
  const broker = useBroker();
  const member = async (filter: string, options = 0, fields = {}) => {
    const client = await openClient(broker.port, fields);
    client.send(subscribe5(1, [[filter, options]]));
    await client.expect('SUBACK');
    return client;
  };

  rule('each message goes to one member, and every member has its share', async () => {
    const topic = uniqueName('shared/');
    const members = await Promise.all([1, 2, 3].map(() => member(`$share/crew/${topic}`)));
    const bystander = await member(topic);
    const other = await member(`$share/other/${topic}`);
    const publisher = await openClient(broker.port);
    const all = Array.from({ length: 60 }, (_, index) => `${index}`);
    for (const payload of all) publisher.send(publish5(topic, payload));
    await publisher.expectNothing();
    const shares = await Promise.all(members.map(async (client) => payloads(await client.collect())));
    expect(shares.flat().sort()).toEqual([...all].sort());
    for (const share of shares) expect(share.length).toBeGreaterThanOrEqual(10);
    expect(payloads(await bystander.collect())).toEqual(all);
    expect(payloads(await other.collect())).toEqual(all);
  });

  rule('[MQTT-4.8.2-1] [MQTT-4.8.2-2] matches the filter after the share name, wildcards included', async () => {
    const root = uniqueName('shared/');
    const client = await member(`$share/crew/${root}/+/x/#`);
    client.send(publish5(`${root}/a/x/y`, 'yes'), publish5(`${root}/a/y`, 'no'));
    expect(payloads(await client.collect())).toEqual(['yes']);
  });

  for (const filter of [
    '$share/crew',
    '$share//topic',
    '$share/a+b/topic',
    '$share/a#b/topic',
    '$share/crew/',
    '$share/crew/a/#/b',
  ]) {
    rule(
      `[MQTT-4.8.2-1] [MQTT-4.8.2-2] refuses ${filter}`,
      async () => {
        const client = await openClient(broker.port);
        client.send(subscribe5(1, [[filter, 0]]));
        const answer = await client.next();
        if (answer.name === 'SUBACK') expect(answer.codes).toEqual([0x8f]);
        else expect(answer).toMatchObject({ name: 'DISCONNECT' });
      },
      !/[+#]/.test(filter) ? { mosquitto: 'takes it' } : {},
    );
  }

  rule(
    '[MQTT-3.8.3-4] No Local on a shared subscription is a Protocol Error',
    async () => {
      const client = await openClient(broker.port);
      client.send(subscribe5(1, [['$share/crew/topic', 0x04]]));
      await client.expectRefusal(0x82);
    },
    { mosquitto: 'grants it' },
  );

  rule(
    'sends no retained messages',
    async () => {
      const topic = uniqueName('shared/');
      const publisher = await openClient(broker.port);
      publisher.send(publish5(topic, 'kept', { retain: true, qos: 1, id: 1 }));
      await publisher.expect('PUBACK');
      await (await member(`$share/crew/${topic}`)).expectNothing();
    },
    { mosquitto: 'sends them' },
  );

  rule('[MQTT-4.8.2-3] respects the QoS of each member', async () => {
    const topic = uniqueName('shared/');
    const low = await member(`$share/crew/${topic}`, 0);
    const high = await member(`$share/crew/${topic}`, 2);
    const publisher = await openClient(broker.port);
    for (let id = 1; id <= 10; id++) publisher.send(publish5(topic, 'x', { qos: 1, id }));
    await publisher.collect();
    const levels = async (client: typeof low) =>
      new Set((await client.collect()).filter((packet) => packet.name === 'PUBLISH').map((packet) => packet.qos));
    expect(await levels(low)).toEqual(new Set([0]));
    expect(await levels(high)).toEqual(new Set([1]));
  });

  rule(
    'prefers members that are there to those that are away',
    async () => {
      const topic = uniqueName('shared/');
      const session = { clientIdentifier: uniqueName('m'), properties: [property.sessionExpiryInterval(60)] };
      const absent = await member(`$share/crew/${topic}`, 1, session);
      await absent.leave();
      const present = await member(`$share/crew/${topic}`, 1);
      const publisher = await openClient(broker.port);
      for (let id = 1; id <= 10; id++) publisher.send(publish5(topic, `${id}`, { qos: 1, id }));
      await publisher.collect();
      expect(payloads(await present.collect())).toHaveLength(10);
    },
    { mosquitto: 'gives absent members their share' },
  );

  rule('a member that leaves gets no more, the others take over', async () => {
    const topic = uniqueName('shared/');
    const stays = await member(`$share/crew/${topic}`);
    const leaves = await member(`$share/crew/${topic}`);
    leaves.send(unsubscribe5(2, [`$share/crew/${topic}`]));
    expect(await leaves.expect('UNSUBACK')).toMatchObject({ codes: [0] });
    for (let count = 0; count < 5; count++) leaves.send(publish5(topic, `${count}`));
    await leaves.expectNothing();
    expect(payloads(await stays.collect())).toHaveLength(5);
  });

  rule('[MQTT-4.8.2-6] [MQTT-4.8.2-4] a message that its member refuses is not sent to another', async () => {
    const topic = uniqueName('shared/');
    const one = await member(`$share/crew/${topic}`, 1);
    const two = await member(`$share/crew/${topic}`, 1);
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'x', { qos: 1, id: 1 }));
    await publisher.expect('PUBACK');
    const received = [...(await one.collect()), ...(await two.collect())];
    expect(received).toHaveLength(1);
    for (const client of [one, two]) {
      client.send(puback(1, 0x80));
      await client.expectNothing();
    }
    await one.expectNothing();
  });

  rule('[MQTT-4.8.2-5] does not give what a member has received to another when its session ends', async () => {
    const topic = uniqueName('shared/');
    const one = await member(`$share/crew/${topic}`, 2);
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'x', { qos: 2, id: 1 }), '62 02 00 01');
    await publisher.collect();
    await one.expect('PUBLISH');
    const two = await member(`$share/crew/${topic}`, 2);
    await one.drop();
    await publisher.expectNothing();
    await two.expectNothing();
  });
});
