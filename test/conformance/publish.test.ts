/** PUBLISH: flags, retained messages, properties on their way, expiry, Topic Aliases. [MQTT 5.0 §3.3] */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { openClient, type RawClient, uniqueName } from '../support/raw-client.ts';
import {
  hex,
  property,
  puback,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  subscribe5,
  text,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('PUBLISH', () => {
  const broker = useBroker();

  /** A client that is subscribed to a topic of its own, with these options. */
  const subscriber = async (
    options = 2,
    version: 4 | 5 = 5,
    fields = {},
  ): Promise<{ topic: string; client: RawClient }> => {
    const topic = uniqueName('pub/');
    const client = await openClient(broker.port, { version, ...fields });
    client.send(subscribe(1, [[topic, options]], version === 5 ? [] : undefined));
    await client.expect('SUBACK');
    return { topic, client };
  };
  const retained = async (topic: string, payload: string, list: readonly Uint8Array[] = []) => {
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, payload, { retain: true, qos: 1, id: 1, properties: list }));
    await publisher.expect('PUBACK');
    return publisher;
  };

  describe('flags', () => {
    rule('[MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT311-3.3.1-2] [MQTT311-4.3.1-1] forwards QoS 0 with DUP 0', async () => {
      for (const version of [4, 5] as const) {
        const { topic, client } = await subscriber(2, version);
        const message = publish(topic, 'x', version === 5 ? { properties: [] } : {});
        client.send(message);
        await client.expectBytes(message);
      }
    });

    rule(
      '[MQTT-3.3.1-2] [MQTT311-3.3.1-2] DUP 1 at QoS 0 closes the connection',
      async () => {
        const four = await openClient(broker.port, { version: 4 });
        four.send(publish('a', 'x', { dup: true }));
        await four.expectClosed();
        const five = await openClient(broker.port);
        five.send(publish5('a', 'x', { dup: true }));
        await five.expectRefusal(0x81);
      },
      { mosquitto: 'takes it' },
    );

    rule('[MQTT-3.3.1-3] [MQTT311-3.3.1-3] does not hand the DUP of the publisher on', async () => {
      const { topic, client } = await subscriber();
      client.send(publish5(topic, 'x', { qos: 1, id: 5, dup: true }));
      const packets = [await client.next(), await client.next()];
      expect(packets.find((packet) => packet.name === 'PUBLISH')?.flags).toBe(0x02);
    });

    rule('[MQTT-3.3.1-4] [MQTT311-3.3.1-4] QoS 3 closes the connection', async () => {
      const four = await openClient(broker.port, { version: 4 });
      four.send('36 05 00 01 61 00 01');
      await four.expectClosed();
      const five = await openClient(broker.port);
      five.send('36 06 00 01 61 00 01 00');
      await five.expectRefusal(0x81);
    });

    rule('[MQTT-2.2.1-2] [MQTT311-2.3.1-5] sends no Packet Identifier at QoS 0', async () => {
      for (const version of [4, 5] as const) {
        const { topic, client } = await subscriber(0, version);
        const list = version === 5 ? { properties: [] } : {};
        client.send(publish(topic, 'x', { qos: 1, id: 5, ...list }));
        const packets = [await client.next(), await client.next()];
        const message = packets.find((packet) => packet.name === 'PUBLISH');
        expect(Buffer.from(message?.bytes ?? [])).toEqual(Buffer.from(publish(topic, 'x', list)));
      }
    });
  });

  describe('retained messages', () => {
    rule(
      '[MQTT-3.3.1-5] [MQTT311-3.3.1-5] [MQTT311-3.3.1-6] [MQTT311-3.3.1-8] keeps the last one with its QoS, and sends it with RETAIN 1',
      async () => {
        const topic = uniqueName('retain/');
        await retained(topic, 'first');
        await retained(topic, 'last');
        for (const version of [4, 5] as const) {
          const reader = await openClient(broker.port, { version });
          reader.send(subscribe(1, [[topic, 2]], version === 5 ? [] : undefined));
          await reader.expect('SUBACK');
          expect(await reader.receive()).toMatchObject({ flags: 0x03, qos: 1, payload: Buffer.from('last') });
          await reader.expectNothing();
        }
      },
    );

    rule(
      '[MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT311-3.3.1-10] [MQTT311-3.3.1-11] an empty one is forwarded and deletes',
      async () => {
        const topic = uniqueName('retain/');
        const publisher = await retained(topic, 'kept');
        const present = await openClient(broker.port);
        present.send(subscribe5(1, [[topic, 0x20]]));
        await present.expect('SUBACK');
        publisher.send(publish5(topic, '', { retain: true, qos: 1, id: 2 }));
        await publisher.expect('PUBACK');
        await present.expectBytes(publish5(topic, ''));
        const late = await openClient(broker.port);
        late.send(subscribe5(1, [[topic, 0]]));
        await late.expect('SUBACK');
        await late.expectNothing();
      },
    );

    rule('[MQTT-3.3.1-8] [MQTT311-3.3.1-12] a message without RETAIN leaves the retained one alone', async () => {
      const topic = uniqueName('retain/');
      const publisher = await retained(topic, 'kept');
      publisher.send(publish5(topic, 'passing', { qos: 1, id: 2 }), publish5(topic, '', { qos: 1, id: 3 }));
      await publisher.expect('PUBACK');
      await publisher.expect('PUBACK');
      const late = await openClient(broker.port);
      late.send(subscribe5(1, [[topic, 0]]));
      await late.expect('SUBACK');
      await late.expectBytes(publish5(topic, 'kept', { retain: true }));
    });

    rule('[MQTT-3.3.1-12] [MQTT311-3.3.1-9] forwards to established subscriptions with RETAIN 0', async () => {
      for (const version of [4, 5] as const) {
        const { topic, client } = await subscriber(0, version);
        await retained(topic, 'x');
        expect(await client.receive()).toMatchObject({ flags: 0x00 });
      }
    });

    rule('[MQTT-3.3.1-13] keeps RETAIN as published for subscriptions that ask for it', async () => {
      const { topic, client } = await subscriber(0x08);
      client.send(publish5(topic, 'x', { retain: true }), publish5(topic, 'y'));
      await client.expectBytes(publish5(topic, 'x', { retain: true }), publish5(topic, 'y'));
    });

    rule(
      '[MQTT-3.3.1-9] [MQTT-3.8.4-4] [MQTT311-3.8.4-3] Retain Handling 0 sends them at every subscribe',
      async () => {
        const topic = uniqueName('retain/');
        await retained(topic, 'kept');
        const reader = await openClient(broker.port);
        for (const id of [1, 2]) {
          reader.send(subscribe5(id, [[topic, 0x00]]));
          await reader.expect('SUBACK');
          await reader.expectBytes(publish5(topic, 'kept', { retain: true }));
        }
      },
    );

    rule('[MQTT-3.3.1-10] Retain Handling 1 sends them to new subscriptions only', async () => {
      const topic = uniqueName('retain/');
      await retained(topic, 'kept');
      const reader = await openClient(broker.port);
      reader.send(subscribe5(1, [[topic, 0x10]]));
      await reader.expect('SUBACK');
      await reader.expectBytes(publish5(topic, 'kept', { retain: true }));
      reader.send(subscribe5(2, [[topic, 0x11]]));
      await reader.expect('SUBACK');
      await reader.expectNothing();
    });

    rule('[MQTT-3.3.1-11] Retain Handling 2 sends none', async () => {
      const topic = uniqueName('retain/');
      await retained(topic, 'kept');
      const reader = await openClient(broker.port);
      reader.send(subscribe5(1, [[topic, 0x20]]));
      await reader.expect('SUBACK');
      await reader.expectNothing();
    });

    rule('[MQTT311-3.3.1-7] one at QoS 0 takes the place of one at QoS 2', async () => {
      const topic = uniqueName('retain/');
      const publisher = await openClient(broker.port, { version: 4 });
      publisher.send(publish(topic, 'two', { qos: 2, id: 1, retain: true }), pubrel(1));
      publisher.send(publish(topic, 'zero', { retain: true }));
      await publisher.collect();
      const reader = await openClient(broker.port, { version: 4 });
      reader.send(subscribe(1, [[topic, 2]]));
      await reader.expectBytes('90 03 00 01 02', publish(topic, 'zero', { retain: true }));
    });

    rule('matches them with wildcards, at the lower QoS, not twice for one filter', async () => {
      const root = uniqueName('retain/');
      for (const name of ['a', 'b', 'b/c', '$d']) await retained(`${root}/${name}`, name);
      const reader = await openClient(broker.port);
      reader.send(subscribe5(1, [[`${root}/#`, 0]]));
      await reader.expect('SUBACK');
      const found = (await reader.collect()).map((packet) => [`${packet.payload}`, packet.flags]);
      expect(found.sort()).toEqual([
        ['$d', 1],
        ['a', 1],
        ['b', 1],
        ['b/c', 1],
      ]);
    });

    rule('[MQTT-3.3.2-6] counts the Message Expiry Interval of a retained message down', async () => {
      const topic = uniqueName('retain/');
      await retained(topic, 'kept', [property.messageExpiryInterval(50)]);
      await delay(1_100);
      const reader = await openClient(broker.port);
      reader.send(subscribe5(1, [[topic, 0]]));
      await reader.expect('SUBACK');
      const [left] = valuesOf(await reader.receive(), 0x02);
      expect(left).toBeGreaterThan(20);
      expect(left).toBeLessThan(50);
    });

    rule('[MQTT-3.3.2-5] forgets a retained message that has expired', async () => {
      const topic = uniqueName('retain/');
      await retained(topic, 'kept', [property.messageExpiryInterval(1)]);
      await delay(2_100);
      const reader = await openClient(broker.port);
      reader.send(subscribe5(1, [[topic, 0]]));
      await reader.expect('SUBACK');
      await reader.expectNothing();
    });
  });

  describe('properties', () => {
    rule(
      '[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20] hands them on unaltered and in order',
      async () => {
        const { topic, client } = await subscriber();
        const list = [
          property.payloadFormatIndicator(1),
          property.contentType('text/plain; charset=utf-8'),
          property.responseTopic('answers/für/mich'),
          property.correlationData(hex('00 ff 80 7f')),
          property.userProperty('z', 'last letter'),
          property.userProperty('a', ''),
          property.userProperty('', 'no name'),
          property.userProperty('z', 'again ✓'),
        ];
        client.send(publish5(topic, 'x', { properties: list }));
        const message = await client.receive();
        expect(valuesOf(message, 0x01)).toEqual([1]);
        expect(valuesOf(message, 0x03)).toEqual(['text/plain; charset=utf-8']);
        expect(valuesOf(message, 0x08)).toEqual(['answers/für/mich']);
        expect(valuesOf(message, 0x09).map((value) => Buffer.from(value as Uint8Array).toString('hex'))).toEqual([
          '00ff807f',
        ]);
        expect(valuesOf(message, 0x26)).toEqual([
          ['z', 'last letter'],
          ['a', ''],
          ['', 'no name'],
          ['z', 'again ✓'],
        ]);
        expect(message.properties).toHaveLength(8);
      },
    );

    rule('leaves them out for MQTT 3.1.1 subscribers', async () => {
      const { topic, client } = await subscriber(0, 4);
      const publisher = await openClient(broker.port);
      publisher.send(publish5(topic, 'x', { properties: [property.userProperty('a', 'b')] }));
      await client.expectBytes(publish(topic, 'x'));
    });

    rule('a request finds its answer', async () => {
      const { topic: requests, client: responder } = await subscriber(1);
      const { topic: answers, client: requester } = await subscriber(1);
      requester.send(
        publish5(requests, 'question', {
          qos: 1,
          id: 3,
          properties: [property.responseTopic(answers), property.correlationData(text('#7'))],
        }),
      );
      await requester.expect('PUBACK');
      const request = await responder.receive();
      const answerTopic = valuesOf(request, 0x08)[0] as string;
      const correlation = valuesOf(request, 0x09)[0] as Uint8Array;
      responder.send(publish5(answerTopic, 'answer', { properties: [property.correlationData(correlation)] }));
      const answer = await requester.receive();
      expect([`${answer.payload}`, ...valuesOf(answer, 0x09).map(String)]).toEqual(['answer', '#7']);
    });

    for (const [title, list, mosquitto] of [
      ['[MQTT-3.3.4-6] a Subscription Identifier', [property.subscriptionIdentifier(1)], 'takes it'],
      ['[MQTT-3.3.2-14] a Response Topic with a wildcard', [property.responseTopic('a/#')], 'takes it'],
      ['[MQTT-3.3.2-13] a Response Topic that is no UTF-8', [hex('08 00 02 c3 28')], 'sends no DISCONNECT'],
      ['[MQTT-3.3.2-19] a Content Type that is no UTF-8', [hex('03 00 02 c3 28')], 'sends no DISCONNECT'],
      ['[MQTT-1.5.7-1] a User Property that is no UTF-8', [hex('26 00 01 61 00 02 c3 28')], 'sends no DISCONNECT'],
      ['Payload Format Indicator 2', [property.payloadFormatIndicator(2)], 'takes it'],
      [
        'Payload Format Indicator twice',
        [property.payloadFormatIndicator(1), property.payloadFormatIndicator(1)],
        'sends no DISCONNECT',
      ],
      ['Topic Alias twice', [property.topicAlias(1), property.topicAlias(1)], 'sends no DISCONNECT'],
      ['Content Type twice', [property.contentType('a'), property.contentType('b')], 'sends no DISCONNECT'],
      ['Receive Maximum, which is none of PUBLISH', [property.receiveMaximum(1)], undefined],
    ] as const) {
      rule(
        `${title} is refused with 0x81 or 0x82`,
        async () => {
          const client = await openClient(broker.port);
          client.send(publish5('a', 'x', { properties: list }));
          await client.expectRefusal(0x81, 0x82);
        },
        mosquitto ? { mosquitto } : {},
      );
    }
  });

  describe('Message Expiry Interval', () => {
    const absent = async (options = 2) => {
      const topic = uniqueName('expiry/');
      const fields = {
        clientIdentifier: uniqueName('e'),
        cleanStart: false,
        properties: [property.sessionExpiryInterval(60)],
      };
      const client = await openClient(broker.port, fields);
      client.send(subscribe5(1, [[topic, options]]));
      await client.expect('SUBACK');
      await client.leave();
      return { topic, fields };
    };

    rule('[MQTT-3.3.2-5] deletes what has expired in the queue and keeps the rest', async () => {
      const { topic, fields } = await absent();
      const publisher = await openClient(broker.port);
      publisher.send(publish5(topic, 'short', { qos: 1, id: 1, properties: [property.messageExpiryInterval(1)] }));
      publisher.send(publish5(topic, 'long', { qos: 1, id: 2, properties: [property.messageExpiryInterval(1_000)] }));
      publisher.send(publish5(topic, 'endless', { qos: 1, id: 3 }));
      await publisher.collect();
      await delay(2_100);
      const client = await openClient(broker.port, fields);
      const messages = (await client.collect()).filter((packet) => packet.name === 'PUBLISH');
      expect(messages.map((packet) => `${packet.payload}`)).toEqual(['long', 'endless']);
      const [left] = valuesOf(messages[0]!, 0x02) as [number];
      // [MQTT-3.3.2-6]: what it was published with, less the time it has waited.
      expect(left).toBeGreaterThan(900);
      expect(left).toBeLessThanOrEqual(998);
      expect(valuesOf(messages[1]!, 0x02)).toEqual([]);
    });

    rule('[MQTT-3.3.2-6] forwards it at once with the full time', async () => {
      const { topic, client } = await subscriber();
      client.send(publish5(topic, 'x', { properties: [property.messageExpiryInterval(3_600)] }));
      const [left] = valuesOf(await client.receive(), 0x02) as [number];
      expect(left).toBeGreaterThan(3_500);
      expect(left).toBeLessThanOrEqual(3_600);
    });

    rule('[MQTT-4.3.3-7] [MQTT-4.3.3-13] does not let a message expire that it has begun to send', async () => {
      const topic = uniqueName('expiry/');
      const fields = {
        clientIdentifier: uniqueName('e'),
        cleanStart: false,
        properties: [property.sessionExpiryInterval(60)],
      };
      const first = await openClient(broker.port, fields);
      first.send(subscribe5(1, [[topic, 2]]));
      await first.expect('SUBACK');
      const publisher = await openClient(broker.port);
      publisher.send(publish5(topic, 'begun', { qos: 2, id: 1, properties: [property.messageExpiryInterval(1)] }));
      await publisher.expectBytes(pubrec(1));
      publisher.send(pubrel(1));
      await first.expect('PUBLISH');
      await delay(1_600);
      first.send(pubrec(1));
      await first.expectBytes(pubrel(1));
    });
  });

  describe('Topic Aliases', () => {
    rule('[MQTT-3.3.2-12] takes every alias up to its maximum, and changes of them', async () => {
      const { topic, client } = await subscriber();
      for (const alias of [1, 10]) {
        client.send(publish5(topic, 'named', { properties: [property.topicAlias(alias)] }));
        client.send(publish5('', 'short', { properties: [property.topicAlias(alias)] }));
        await client.expectBytes(publish5(topic, 'named'), publish5(topic, 'short'));
      }
      client.send(publish5(`${topic}/other`, 'elsewhere', { properties: [property.topicAlias(1)] }));
      client.send(publish5('', 'elsewhere', { properties: [property.topicAlias(1)] }));
      client.send(publish5('', 'here', { properties: [property.topicAlias(10)] }));
      await client.expectBytes(publish5(topic, 'here'));
    });

    for (const alias of [0, 11, 65_535]) {
      rule(
        `[MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.2.2-17] refuses alias ${alias} with 0x94`,
        async () => {
          const client = await openClient(broker.port);
          client.send(publish5('a', 'x', { properties: [property.topicAlias(alias)] }));
          await client.expectRefusal(0x94);
        },
        alias === 0 ? { mosquitto: 'says 0x81' } : {},
      );
    }

    rule('refuses an alias that stands for nothing yet', async () => {
      const client = await openClient(broker.port);
      client.send(publish5('', 'x', { properties: [property.topicAlias(3)] }));
      await client.expectRefusal(0x82, 0x94);
    });

    rule('refuses an empty Topic Name without an alias', async () => {
      const client = await openClient(broker.port);
      client.send(publish5('', 'x'));
      await client.expectRefusal(0x82, 0x81, 0x90);
    });

    rule('[MQTT-3.3.2-7] forgets aliases with the connection', async () => {
      const fields = {
        clientIdentifier: uniqueName('a'),
        cleanStart: false,
        properties: [property.sessionExpiryInterval(60)],
      };
      const first = await openClient(broker.port, fields);
      first.send(publish5('alias/t', 'x', { properties: [property.topicAlias(1)] }));
      await first.expectNothing();
      await first.drop();
      const second = await openClient(broker.port, fields);
      second.send(publish5('', 'x', { properties: [property.topicAlias(1)] }));
      await second.expectRefusal(0x82, 0x94);
    });

    rule('[MQTT-3.1.2-27] sends none to those who did not allow any', async () => {
      const { topic, client } = await subscriber();
      for (let count = 0; count < 3; count++)
        client.send(publish5(topic, 'x', { properties: [property.topicAlias(1)] }));
      for (const packet of await client.collect()) {
        expect(packet.topic).toBe(topic);
        expect(valuesOf(packet, 0x23)).toEqual([]);
      }
    });

    rule(
      '[MQTT-3.1.2-26] [MQTT-3.3.2-11] sends none above the maximum of the Client, and means the right topics',
      async () => {
        const client = await openClient(broker.port, { properties: [property.topicAliasMaximum(2)] });
        const root = uniqueName('alias/');
        client.send(subscribe5(1, [[`${root}/#`, 0]]));
        await client.expect('SUBACK');
        const order = [1, 2, 3, 1, 1, 2, 3, 4, 3, 2, 1];
        for (const number of order) client.send(publish5(`${root}/${number}`, `${number}`));
        const aliases = new Map<number, string>();
        for (const packet of await client.collect()) {
          const [alias] = valuesOf(packet, 0x23) as number[];
          if (alias !== undefined) {
            expect(alias).toBeGreaterThan(0);
            expect(alias).toBeLessThanOrEqual(2);
            if (packet.topic) aliases.set(alias, packet.topic);
          }
          expect(packet.topic || aliases.get(alias ?? 0)).toBe(`${root}/${packet.payload}`);
        }
      },
    );
  });

  rule('PUBACK says 0x10 when nobody is subscribed, and 0x00 when somebody is', async () => {
    const { topic, client } = await subscriber(0);
    client.send(publish5(uniqueName('nobody/'), 'x', { qos: 1, id: 1 }));
    await client.expectBytes(puback(1, 0x10));
    client.send(publish5(topic, 'x', { qos: 1, id: 2 }));
    const packets = await client.collect();
    expect(packets.find((packet) => packet.name === 'PUBACK')).toMatchObject({ id: 2, code: 0 });
  });

  rule('PUBREC says 0x10 when nobody is subscribed', async () => {
    const client = await openClient(broker.port);
    client.send(publish5(uniqueName('nobody/'), 'x', { qos: 2, id: 1 }));
    const answer = await client.expect('PUBREC');
    // Who is subscribed when the PUBREL comes cannot be known yet, so both answers are true.
    expect([0x00, 0x10]).toContain(answer.code);
    client.send(pubrel(1));
    await client.expect('PUBCOMP');
  });
});
