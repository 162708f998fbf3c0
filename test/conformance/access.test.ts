/** What a client is told that may not do something, with an ACL file. [MQTT 5.0 §3.3, §3.4, §3.5, §3.9; MQTT 3.1.1 §3.3.5] */
import { describe, expect } from 'vitest';
import { exchangeUntilClosed, openClient, RawClient, uniqueName } from '../support/raw-client.ts';
import {
  connect,
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

describe('a client that may not', () => {
  const broker = useBroker({
    config: 'acl_file {directory}/access',
    files: {
      access: 'topic readwrite open/#\ntopic read readable/#\ntopic write writable/#\npattern readwrite own/%c/#\n',
    },
  });
  const watcher = async (filter: string) => {
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [[filter, 2]]));
    await client.expectBytes('90 03 00 01 02');
    return client;
  };

  rule('[MQTT-3.4.2-1] [MQTT-3.5.2-1] is told 0x87 in PUBACK and PUBREC, and nobody gets the message', async () => {
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [['readable/#', 2]]));
    await client.expect('SUBACK');
    client.send(publish5('readable/x', 'no'), publish5('readable/x', 'no', { qos: 1, id: 1 }));
    expect(await client.expect('PUBACK')).toMatchObject({ id: 1, code: 0x87 });
    client.send(publish5('readable/x', 'no', { qos: 2, id: 2 }));
    expect(await client.expect('PUBREC')).toMatchObject({ id: 2, code: 0x87 });
    await client.expectNothing();
  });

  rule('[MQTT-3.1.2-29] is told no reason that it did not want', async () => {
    const client = await openClient(broker.port, { properties: [property.requestProblemInformation(0)] });
    client.send(publish5('closed/x', 'no', { qos: 1, id: 1 }), publish5('closed/x', 'no', { qos: 2, id: 2 }));
    await client.expectBytes(puback(1, 0x87), pubrec(2, 0x87));
  });

  rule('[MQTT-4.3.3-9] may use the identifier of a refused QoS 2 message for another', async () => {
    const topic = uniqueName('open/');
    const heir = await watcher(topic);
    const client = await openClient(broker.port);
    client.send(publish5('closed/x', 'no', { qos: 2, id: 7 }));
    expect(await client.expect('PUBREC')).toMatchObject({ id: 7, code: 0x87 });
    client.send(publish5(topic, 'yes', { qos: 2, id: 7 }));
    expect(await client.expect('PUBREC')).toMatchObject({ id: 7, code: 0 });
    client.send(pubrel(7));
    await client.expect('PUBCOMP');
    expect(await heir.receive()).toMatchObject({ payload: Buffer.from('yes') });
    await heir.expectNothing();
  });

  rule('[MQTT311-3.3.5-2] is answered in 3.1.1 as if all were well, or closed', async () => {
    const client = await openClient(broker.port, { version: 4 });
    client.send(publish('closed/x', 'no', { qos: 1, id: 1 }));
    const answer = await client.nextOrEnd();
    if (!answer) return;
    expect(answer).toMatchObject({ name: 'PUBACK', id: 1 });
    client.send(publish('closed/x', 'no', { qos: 2, id: 2 }));
    await client.expectBytes(pubrec(2));
    client.send(pubrel(2));
    await client.expect('PUBCOMP');
  });

  rule(
    '[MQTT-3.9.3-2] [MQTT-3.8.4-7] [MQTT311-3.9.3-2] [MQTT311-3.8.4-5] has a refused filter among granted ones',
    async () => {
      const five = await openClient(broker.port);
      five.send(
        subscribe5(1, [
          ['open/a', 1],
          ['a/#/b', 1],
          ['open/b', 2],
        ]),
      );
      const answer = await five.next();
      if (answer.name === 'SUBACK') expect(answer.codes).toEqual([1, 0x8f, 2]);
      else expect(answer.name).toBe('DISCONNECT');
    },
  );

  rule('gets no message on a topic that it may not read, whatever its filter', async () => {
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [['#', 0]]));
    expect((await client.expect('SUBACK')).codes?.[0]).toBeDefined();
    const publisher = await openClient(broker.port);
    publisher.send(
      publish5('writable/x', 'secret', { qos: 1, id: 1 }),
      publish5(`own/${publisher.clientIdentifier}/x`, 'own'),
    );
    await publisher.collect();
    expect((await client.collect()).filter((packet) => /writable|own/.test(packet.topic ?? ''))).toEqual([]);
  });

  rule('has a place of its own by a pattern', async () => {
    const client = await openClient(broker.port);
    const topic = `own/${client.clientIdentifier}/x`;
    client.send(subscribe5(1, [[topic, 0]]), publish5(topic, 'mine'));
    await client.expect('SUBACK');
    await client.expectBytes(publish5(topic, 'mine'));
  });

  rule('leaves no will where it may not publish', async () => {
    const client = await RawClient.open(broker.port);
    client.send(connect({ clientIdentifier: uniqueName('w'), will: { topic: 'closed/will', payload: text('w') } }));
    const connack = await client.expect('CONNACK');
    if (connack.code !== 0) await client.expectClosed();
    else await client.drop();
  });
});

describe('identifiers that are refused', () => {
  const prefixed = useBroker({ config: 'clientid_prefixes good-\nallow_zero_length_clientid false' });

  for (const [title, clientIdentifier] of [
    ['without the prefix', 'bad-one'],
    ['of no length', ''],
  ] as const) {
    rule(
      `[MQTT-3.1.3-8] [MQTT311-3.1.3-9] an identifier ${title} is answered with 0x85, in 3.1.1 with 2`,
      async () => {
        const five = await exchangeUntilClosed(prefixed.port, 5, connect({ clientIdentifier }));
        for (const packet of five) expect(packet).toMatchObject({ name: 'CONNACK', code: 0x85 });
        const four = await exchangeUntilClosed(prefixed.port, 4, connect({ version: 4, clientIdentifier }));
        expect(four).toMatchObject([{ name: 'CONNACK', code: 2 }]);
      },
      { mosquitto: 'says 0x87 or 0x80' },
    );
  }

  rule('[MQTT-3.1.3-5] an identifier with the prefix is fine', async () => {
    await (await openClient(prefixed.port, { clientIdentifier: 'good-one' })).expectNothing();
  });
});
