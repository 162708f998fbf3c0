/** QoS 1 and 2 on both sides: handshakes, redelivery, order, quotas. [MQTT 5.0 §3.4–3.7, §4.3, §4.4, §4.6, §4.9] */
import { describe, expect } from 'vitest';
import type { ReadPacket } from '../support/packet-reader.ts';
import { openClient, type RawClient, uniqueName } from '../support/raw-client.ts';
import {
  property,
  puback,
  pubcomp,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  subscribe5,
  type Version,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('acknowledged delivery', () => {
  const broker = useBroker();

  const subscriber = async (qos: number, fields: { version?: Version; properties?: readonly Uint8Array[] } = {}) => {
    const topic = uniqueName('qos/');
    const identity = { clientIdentifier: uniqueName('q'), cleanStart: false, ...fields };
    const client = await openClient(broker.port, identity);
    client.send(subscribe(1, [[topic, qos]], client.version === 5 ? [] : undefined));
    await client.expect('SUBACK');
    return { topic, client, identity };
  };
  const keep = (...list: readonly Uint8Array[]) => ({ properties: [property.sessionExpiryInterval(600), ...list] });
  /** Publishes at this QoS and goes through the whole handshake. */
  const deliver = async (publisher: RawClient, topic: string, payload: string, qos: number, id: number) => {
    publisher.send(publish5(topic, payload, { qos, id }));
    if (qos === 1) expect(await publisher.expect('PUBACK')).toMatchObject({ id });
    if (qos === 2) {
      expect(await publisher.expect('PUBREC')).toMatchObject({ id });
      publisher.send(pubrel(id));
      await publisher.expectBytes(pubcomp(id));
    }
  };
  const payloads = (packets: readonly ReadPacket[]) =>
    packets.filter((packet) => packet.name === 'PUBLISH').map((packet) => `${packet.payload}`);

  describe('from publishers', () => {
    rule(
      '[MQTT-4.3.2-4] [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT311-2.3.1-6] [MQTT311-3.3.4-1] [MQTT311-4.3.2-2] answers QoS 1 with PUBACK',
      async () => {
        const four = await openClient(broker.port, { version: 4 });
        four.send(publish(uniqueName('q/'), 'x', { qos: 1, id: 0x1234 }));
        await four.expectBytes('40 02 12 34');
      },
    );

    rule(
      '[MQTT-4.3.2-5] [MQTT311-4.3.2-2] takes the identifier of an acknowledged message as a new one, DUP or not',
      async () => {
        const { topic, client } = await subscriber(0);
        const publisher = await openClient(broker.port);
        for (const dup of [false, true, false]) {
          publisher.send(publish5(topic, 'x', { qos: 1, id: 7, dup }));
          await publisher.expectBytes(puback(7));
          await client.expect('PUBLISH');
        }
      },
    );

    rule('[MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT311-4.3.3-2] QoS 2 is PUBREC, then PUBCOMP', async () => {
      const client = await openClient(broker.port, { version: 4 });
      client.send(publish(uniqueName('q/'), 'x', { qos: 2, id: 65_535 }));
      await client.expectBytes('50 02 ff ff');
      client.send('62 02 ff ff');
      await client.expectBytes('70 02 ff ff');
    });

    rule('forwards a QoS 2 message once its PUBREL has come, and not before', async () => {
      const { topic, client } = await subscriber(0);
      const publisher = await openClient(broker.port);
      publisher.send(publish5(topic, 'x', { qos: 2, id: 1 }));
      await publisher.expect('PUBREC');
      await client.expectNothing();
      publisher.send(pubrel(1));
      await publisher.expectBytes(pubcomp(1));
      await client.expectBytes(publish5(topic, 'x'));
    });

    rule(
      '[MQTT-4.3.3-10] [MQTT311-4.3.3-2] answers a repeated PUBLISH with PUBREC and delivers once',
      async () => {
        for (const version of [4, 5] as const) {
          const { topic, client } = await subscriber(2);
          const publisher = await openClient(broker.port, { version });
          const list = version === 5 ? { properties: [] } : {};
          for (const dup of [false, true, true]) {
            publisher.send(publish(topic, 'once', { qos: 2, id: 9, dup, ...list }));
            expect(await publisher.expect('PUBREC')).toMatchObject({ id: 9 });
          }
          publisher.send(pubrel(9));
          await publisher.expectBytes(pubcomp(9));
          await client.receive();
          await client.expectNothing();
        }
      },
      { mosquitto: 'closes at the second repetition' },
    );

    rule('[MQTT-4.3.3-12] takes the identifier as a new one after PUBCOMP', async () => {
      const { topic, client } = await subscriber(0);
      const publisher = await openClient(broker.port);
      await deliver(publisher, topic, 'one', 2, 3);
      await deliver(publisher, topic, 'two', 2, 3);
      await client.expectBytes(publish5(topic, 'one'), publish5(topic, 'two'));
    });

    rule(
      'a second PUBREL is answered with PUBCOMP, 0x92 in MQTT 5, and delivers nothing',
      async () => {
        const { topic, client } = await subscriber(0);
        const four = await openClient(broker.port, { version: 4 });
        four.send(publish(topic, 'x', { qos: 2, id: 4 }), pubrel(4), pubrel(4));
        await four.expectBytes(pubrec(4), pubcomp(4), pubcomp(4));
        await client.receive();
        await client.expectNothing();
        const five = await openClient(broker.port);
        five.send(pubrel(99));
        await five.expectBytes(pubcomp(99, 0x92));
      },
      { mosquitto: 'says 0x00' },
    );

    rule('[MQTT-4.4.0-1] an interrupted QoS 2 message is delivered once in all', async () => {
      const { topic, client } = await subscriber(2);
      const identity = { clientIdentifier: uniqueName('p'), cleanStart: false, ...keep() };
      const first = await openClient(broker.port, identity);
      first.send(publish5(topic, 'once', { qos: 2, id: 21 }));
      await first.expect('PUBREC');
      await first.drop();
      const second = await openClient(broker.port, identity);
      expect(second.connack.flags).toBe(1);
      second.send(publish5(topic, 'once', { qos: 2, id: 21, dup: true }));
      await second.expect('PUBREC');
      second.send(pubrel(21));
      await second.expectBytes(pubcomp(21));
      await second.drop();
      const third = await openClient(broker.port, identity);
      third.send(pubrel(21));
      expect(await third.expect('PUBCOMP')).toMatchObject({ id: 21 });
      expect(await client.receive()).toMatchObject({ payload: Buffer.from('once') });
      await client.expectNothing();
    });

    rule('a clean start forgets the QoS 2 messages that were not released', async () => {
      const { topic, client } = await subscriber(2);
      const identity = { clientIdentifier: uniqueName('p') };
      const first = await openClient(broker.port, { ...identity, ...keep() });
      first.send(publish5(topic, 'never released', { qos: 2, id: 21 }));
      await first.expect('PUBREC');
      const second = await openClient(broker.port, identity);
      second.send(publish5(topic, 'another', { qos: 2, id: 21 }), pubrel(21));
      await second.expect('PUBREC');
      await second.expect('PUBCOMP');
      expect(await client.receive()).toMatchObject({ payload: Buffer.from('another') });
      await client.expectNothing();
    });

    rule(
      '[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT311-4.6.0-2] [MQTT311-4.6.0-3] acknowledges in the order of the messages',
      async () => {
        const client = await openClient(broker.port, { version: 4 });
        client.send(
          publish('order/t', 'x', { qos: 2, id: 9 }),
          publish('order/t', 'x', { qos: 1, id: 3 }),
          publish('order/t', 'x', { qos: 2, id: 5 }),
          publish('order/t', 'x', { qos: 1, id: 8 }),
        );
        const answers = await client.collect();
        const order = (name: string) => answers.filter((packet) => packet.name === name).map((packet) => packet.id);
        expect(order('PUBACK')).toEqual([3, 8]);
        expect(order('PUBREC')).toEqual([9, 5]);
      },
    );

    rule(
      '100 QoS 2 handshakes that a 3.1.1 client opens at once are all delivered',
      async () => {
        const { topic, client } = await subscriber(2);
        const publisher = await openClient(broker.port, { version: 4 });
        const ids = Array.from({ length: 100 }, (_, index) => index + 1);
        publisher.send(...ids.map((id) => publish(topic, `${id}`, { qos: 2, id })));
        for (const id of ids) await publisher.expectBytes(pubrec(id));
        publisher.send(...ids.map((id) => pubrel(id)));
        for (const id of ids) await publisher.expectBytes(pubcomp(id));
        const received: string[] = [];
        for (const _ of ids) received.push(`${(await client.receive()).payload}`);
        expect(received).toEqual(ids.map(String));
        await client.expectNothing();
      },
      { mosquitto: 'completes all handshakes and delivers 20' },
    );

    rule('1,000 QoS 1 messages in one write are all acknowledged, in order', async () => {
      const { topic, client } = await subscriber(0, { version: 4 });
      const publisher = await openClient(broker.port, { version: 4 });
      const ids = Array.from({ length: 1_000 }, (_, index) => index + 1);
      publisher.send(...ids.map((id) => publish(topic, `${id}`, { qos: 1, id })));
      await publisher.expectBytes(...ids.map((id) => puback(id)));
      expect(payloads(await client.collect())).toEqual(ids.map(String));
    });

    rule(
      '[MQTT-3.3.4-7] more than Receive Maximum unfinished messages are refused with 0x93',
      async () => {
        const publisher = await openClient(broker.port);
        const maximum = publisher.connack.properties.find(([identifier]) => identifier === 0x21)?.[1] as number;
        expect(maximum).toBeLessThan(65_535);
        for (let id = 1; id <= maximum + 1; id++) publisher.send(publish5('a', 'x', { qos: 2, id }));
        for (let id = 1; id <= maximum; id++) expect(await publisher.expect('PUBREC')).toMatchObject({ id });
        await publisher.expectRefusal(0x93);
      },
      { mosquitto: 'refuses the message alone, with PUBREC 0x97' },
    );

    rule('Receive Maximum unfinished messages are fine, again and again', async () => {
      const publisher = await openClient(broker.port);
      const maximum = publisher.connack.properties.find(([identifier]) => identifier === 0x21)?.[1] as number;
      const ids = Array.from({ length: maximum }, (_, index) => index + 1);
      for (let round = 0; round < 3; round++) {
        publisher.send(...ids.map((id) => publish5('a', 'x', { qos: 2, id })));
        for (const id of ids) expect(await publisher.expect('PUBREC')).toMatchObject({ id });
        publisher.send(...ids.map((id) => pubrel(id)));
        for (const id of ids) await publisher.expectBytes(pubcomp(id));
      }
    });
  });

  describe('to subscribers', () => {
    rule(
      '[MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-2.2.1-4] [MQTT311-4.3.2-1] sends QoS 1 with a fresh identifier and DUP 0',
      async () => {
        const { topic, client } = await subscriber(1);
        for (const id of [1, 2, 3]) {
          client.send(publish5(topic, 'x', { qos: 0 }), publish5(topic, 'y', { qos: 1, id: 50 }));
          await client.expectBytes(publish5(topic, 'x'));
          const both = [await client.next(), await client.next()];
          expect(both.find((packet) => packet.name === 'PUBLISH')).toMatchObject({ id, flags: 0x02 });
          client.send(puback(id));
        }
      },
    );

    rule('[MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-4] [MQTT311-4.3.3-1] QoS 2 is PUBLISH, PUBREL', async () => {
      const { topic, client } = await subscriber(2);
      await deliver(await openClient(broker.port), topic, 'x', 2, 77);
      await client.expectBytes(publish5(topic, 'x', { qos: 2, id: 1 }));
      client.send(pubrec(1));
      await client.expectBytes('62 02 00 01');
      client.send(pubcomp(1));
      await client.expectNothing();
    });

    rule(
      '[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] repeats what is unacknowledged after a reconnect, with DUP, in order',
      async () => {
        const { topic, client, identity } = await subscriber(2, keep());
        const publisher = await openClient(broker.port);
        for (const [index, qos] of [1, 2, 1].entries()) await deliver(publisher, topic, `${index}`, qos, index + 1);
        for (const id of [1, 2, 3]) expect(await client.expect('PUBLISH')).toMatchObject({ id });
        await client.drop();
        const again = await openClient(broker.port, identity);
        await again.expectBytes(
          publish5(topic, '0', { qos: 1, id: 1, dup: true }),
          publish5(topic, '1', { qos: 2, id: 2, dup: true }),
          publish5(topic, '2', { qos: 1, id: 3, dup: true }),
        );
        again.send(puback(1), pubrec(2), puback(3));
        await again.expectBytes(pubrel(2));
        again.send(pubcomp(2));
        await again.expectNothing();
      },
    );

    rule(
      '[MQTT311-4.4.0-1] [MQTT311-3.3.1-1] [MQTT311-2.3.1-4] [MQTT311-4.6.0-1] repeats it so to MQTT 3.1.1 clients, with the same identifiers',
      async () => {
        const { topic, client, identity } = await subscriber(2, { version: 4 });
        const publisher = await openClient(broker.port);
        for (const [index, qos] of [2, 1, 2].entries()) await deliver(publisher, topic, `${index}`, qos, index + 1);
        for (const id of [1, 2, 3]) expect(await client.expect('PUBLISH')).toMatchObject({ id });
        await client.drop();
        const again = await openClient(broker.port, identity);
        await again.expectBytes(
          publish(topic, '0', { qos: 2, id: 1, dup: true }),
          publish(topic, '1', { qos: 1, id: 2, dup: true }),
          publish(topic, '2', { qos: 2, id: 3, dup: true }),
        );
      },
    );

    rule('[MQTT-4.6.0-4] [MQTT311-4.6.0-4] sends PUBREL in the order of the PUBRECs', async () => {
      const { topic, client } = await subscriber(2);
      const publisher = await openClient(broker.port);
      for (const id of [1, 2, 3, 4]) await deliver(publisher, topic, `${id}`, 2, id);
      for (const id of [1, 2, 3, 4]) expect(await client.expect('PUBLISH')).toMatchObject({ id });
      client.send(pubrec(3), pubrec(1), pubrec(4), pubrec(2));
      await client.expectBytes(pubrel(3), pubrel(1), pubrel(4), pubrel(2));
    });

    rule('[MQTT-4.3.3-6] [MQTT-4.3.3-5] repeats PUBREL and not PUBLISH once PUBREC has come', async () => {
      const { topic, client, identity } = await subscriber(2, keep());
      await deliver(await openClient(broker.port), topic, 'x', 2, 1);
      await client.expect('PUBLISH');
      client.send(pubrec(1));
      await client.expectBytes(pubrel(1));
      await client.drop();
      const again = await openClient(broker.port, identity);
      await again.expectBytes(pubrel(1));
      again.send(pubcomp(1));
      await again.expectNothing();
    });

    rule('[MQTT-4.4.0-1] repeats nothing while the connection stays', async () => {
      const { topic, client } = await subscriber(1);
      await deliver(await openClient(broker.port), topic, 'x', 1, 1);
      await client.expect('PUBLISH');
      for (let count = 0; count < 5; count++) await client.expectNothing();
    });

    rule('[MQTT-4.4.0-1] a clean start is sent nothing of the old session', async () => {
      const { topic, client, identity } = await subscriber(1, keep());
      await deliver(await openClient(broker.port), topic, 'x', 1, 1);
      await client.expect('PUBLISH');
      const clean = await openClient(broker.port, { ...identity, cleanStart: true });
      await clean.expectNothing();
    });

    rule('[MQTT-4.4.0-2] a failure in PUBACK or PUBREC ends the delivery', async () => {
      const { topic, client, identity } = await subscriber(2, keep());
      const publisher = await openClient(broker.port);
      await deliver(publisher, topic, 'one', 1, 1);
      await deliver(publisher, topic, 'two', 2, 2);
      await client.expect('PUBLISH');
      await client.expect('PUBLISH');
      client.send(puback(1, 0x80), pubrec(2, 0x97));
      await client.expectNothing();
      await client.drop();
      await (await openClient(broker.port, identity)).expectNothing();
    });

    rule(
      'answers a PUBREC for nothing with PUBREL 0x92',
      async () => {
        const client = await openClient(broker.port);
        client.send(pubrec(1_234));
        await client.expectBytes(pubrel(1_234, 0x92));
      },
      { mosquitto: 'says 0x00' },
    );

    rule('takes a PUBACK and a PUBCOMP for nothing calmly', async () => {
      for (const version of [4, 5] as const) {
        const client = await openClient(broker.port, { version });
        client.send(puback(1_234), pubcomp(1_235));
        await client.expectNothing();
      }
    });

    rule(
      '[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] sends no more at once than Receive Maximum',
      async () => {
        const { topic, client } = await subscriber(2, { properties: [property.receiveMaximum(3)] });
        const publisher = await openClient(broker.port);
        for (let id = 1; id <= 8; id++) await deliver(publisher, topic, `${id}`, id % 2 === 0 ? 2 : 1, id);
        const first = await client.collect();
        expect(payloads(first)).toEqual(['1', '2', '3']);
        // A PUBREC frees no place; a PUBACK and a PUBCOMP do.
        client.send(pubrec(2));
        await client.expectBytes(pubrel(2));
        await client.expectNothing();
        client.send(puback(1));
        expect(await client.expect('PUBLISH')).toMatchObject({ payload: Buffer.from('4') });
        client.send(pubcomp(2));
        expect(await client.expect('PUBLISH')).toMatchObject({ payload: Buffer.from('5') });
        await client.expectNothing();
      },
      { mosquitto: 'sends one too many after a PUBREC' },
    );

    rule('[MQTT-3.3.4-10] [MQTT-4.9.0-3] an exhausted quota delays neither other packets nor QoS 0', async () => {
      const { topic, client } = await subscriber(1, { properties: [property.receiveMaximum(1)] });
      const publisher = await openClient(broker.port);
      await deliver(publisher, topic, 'one', 1, 1);
      await deliver(publisher, topic, 'two', 1, 2);
      await client.expect('PUBLISH');
      publisher.send(publish5(topic, 'zero'));
      await publisher.expectNothing();
      client.send(subscribe5(2, [[`${topic}/more`, 0]]));
      const packets = await client.collect();
      expect(packets.map((packet) => packet.name).sort()).toEqual(['PUBLISH', 'SUBACK']);
      expect(payloads(packets)).toEqual(['zero']);
    });

    rule(
      '[MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT311-4.6.0-5] [MQTT311-4.6.0-6] keeps the order of one publisher, topic and QoS',
      async () => {
        for (const qos of [0, 1, 2]) {
          const { topic, client } = await subscriber(2);
          const publisher = await openClient(broker.port);
          const count = 60;
          const ahead = async () => {
            for (let id = 1; id <= count; id++) await deliver(publisher, topic, `${id}`, qos, id);
          };
          const [received] = await Promise.all([
            (async () => {
              const list: string[] = [];
              for (let index = 0; index < count; index++) list.push(`${(await client.receive()).payload}`);
              return list;
            })(),
            ahead(),
          ]);
          expect(received).toEqual(Array.from({ length: count }, (_, index) => `${index + 1}`));
        }
      },
    );

    rule('[MQTT-4.6.0-5] keeps the order across a reconnect with a small Receive Maximum', async () => {
      const { topic, client, identity } = await subscriber(1, keep(property.receiveMaximum(5)));
      const publisher = await openClient(broker.port);
      for (let id = 1; id <= 30; id++) await deliver(publisher, topic, `${id}`, 1, id);
      for (let id = 1; id <= 5; id++) expect(await client.expect('PUBLISH')).toMatchObject({ id });
      client.send(puback(1), puback(2));
      await client.expect('PUBLISH');
      await client.drop();
      const again = await openClient(broker.port, {
        ...identity,
        properties: keep(property.receiveMaximum(2)).properties,
      });
      const received: string[] = [];
      while (received.at(-1) !== '30') received.push(`${(await again.receive()).payload}`);
      expect(received).toEqual(Array.from({ length: 28 }, (_, index) => `${index + 3}`));
    });

    rule('an identifier in use is not given to another message', async () => {
      const { topic, client } = await subscriber(1, { version: 4 });
      const publisher = await openClient(broker.port);
      await deliver(publisher, topic, 'held', 1, 1);
      expect(await client.expect('PUBLISH')).toMatchObject({ id: 1 });
      const seen = new Set([1]);
      for (let count = 0; count < 50; count++) {
        await deliver(publisher, topic, 'passing', 1, 2);
        const { id } = await client.receive();
        expect(id).not.toBe(1);
        seen.add(id as number);
      }
      expect(seen.size).toBeGreaterThan(1);
    });
  });
});
