/** Wills: when they are published and when not, delay, retain, properties. [MQTT 5.0 §3.1.2.5, §3.1.3.2] */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { exchangeUntilClosed, openClient, type RawClient, uniqueName } from '../support/raw-client.ts';
import {
  connect,
  disconnect,
  property,
  puback,
  publish,
  publish5,
  subscribe,
  subscribe5,
  text,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('wills', () => {
  const broker = useBroker();

  /** A topic, a will on it and a client of each version that waits for it. */
  const prepare = async (fields: { qos?: number; retain?: boolean; properties?: readonly Uint8Array[] } = {}) => {
    const topic = uniqueName('will/');
    const heir = await openClient(broker.port);
    heir.send(subscribe5(1, [[topic, 2]]));
    await heir.expect('SUBACK');
    return { topic, heir, will: { topic, payload: text('last words'), ...fields } };
  };

  /** Lets another client die with a will: if that is the first to come, the death before it brought none. */
  const expectNoneBefore = async (heir: RawClient, topic: string) => {
    await (await openClient(broker.port, { will: { topic, payload: text('another') } })).drop();
    await heir.expectBytes(publish5(topic, 'another'));
  };

  for (const version of [3, 4, 5] as const) {
    const prefix = version === 5 ? '[MQTT-3.1.2-8] [MQTT-3.1.2-7]' : '[MQTT311-3.1.2-8]';
    rule(`${prefix} publishes the will of a version ${version} client whose connection is lost`, async () => {
      const { topic, heir, will } = await prepare();
      const client = await openClient(broker.port, { version, will });
      client.finish();
      await heir.expectBytes(publish5(topic, 'last words'));
    });
  }

  rule('[MQTT-3.1.2-8] publishes the will when the connection is reset', async () => {
    const { topic, heir, will } = await prepare();
    await (await openClient(broker.port, { will })).drop();
    await heir.expectBytes(publish5(topic, 'last words'));
  });

  rule('[MQTT-3.1.2-8] publishes the will when the Client breaks the protocol', async () => {
    const { topic, heir, will } = await prepare();
    const client = await openClient(broker.port, { will });
    client.send('36 03 00 01 61');
    await client.expect('DISCONNECT');
    await client.expectClosed();
    await heir.expectBytes(publish5(topic, 'last words'));
  });

  rule('[MQTT-3.1.2-8] publishes the will when the keep alive runs out', async () => {
    const { topic, heir, will } = await prepare();
    await openClient(broker.port, { version: 4, will, keepAlive: 1 });
    await heir.expectBytes(publish5(topic, 'last words'));
  });

  rule('[MQTT-3.14.4-3] [MQTT-3.1.2-10] discards the will at a normal DISCONNECT', async () => {
    const { heir, will } = await prepare();
    for (const version of [4, 5] as const) {
      const client = await openClient(broker.port, { version, will });
      client.send(disconnect());
      await client.expectClosed();
    }
    const explicit = await openClient(broker.port, { will });
    explicit.send(disconnect(0x00));
    await explicit.expectClosed();
    await heir.expectNothing();
  });

  rule('[MQTT311-3.14.4-3] [MQTT311-3.1.2-10] discards the will of 3.1.1 at DISCONNECT, once and for all', async () => {
    const { heir, will } = await prepare();
    const fields = { version: 4, clientIdentifier: uniqueName('w'), cleanStart: false } as const;
    const client = await openClient(broker.port, { ...fields, will });
    client.send(disconnect());
    await client.expectClosed();
    const again = await openClient(broker.port, fields);
    await again.drop();
    await expectNoneBefore(heir, will.topic);
  });

  rule('[MQTT311-3.1.2-12] publishes nothing where there was no will', async () => {
    const { topic, heir } = await prepare();
    await (await openClient(broker.port, { version: 4 })).drop();
    await expectNoneBefore(heir, topic);
  });

  rule('publishes the will at DISCONNECT with Reason Code 0x04', async () => {
    const { topic, heir, will } = await prepare();
    const client = await openClient(broker.port, { will });
    client.send(disconnect(0x04));
    await client.expectClosed();
    await heir.expectBytes(publish5(topic, 'last words'));
  });

  rule(
    'publishes the will at DISCONNECT with a Reason Code of failure',
    async () => {
      const { topic, heir, will } = await prepare();
      const client = await openClient(broker.port, { will });
      client.send(disconnect(0x80));
      await client.expectClosed();
      await heir.expectBytes(publish5(topic, 'last words'));
    },
    { mosquitto: 'discards the will at every DISCONNECT but one with 0x04' },
  );

  rule('publishes the will of a client that is taken over', async () => {
    const { topic, heir, will } = await prepare();
    const fields = { version: 4, clientIdentifier: uniqueName('w') } as const;
    const first = await openClient(broker.port, { ...fields, will });
    await openClient(broker.port, fields);
    await first.expectClosed();
    await heir.expectBytes(publish5(topic, 'last words'));
  });

  for (const qos of [0, 1, 2] as const) {
    rule(`[MQTT-3.1.2-12] [MQTT311-3.1.2-14] publishes the will at its QoS ${qos}`, async () => {
      const { heir, will } = await prepare({ qos });
      (await openClient(broker.port, { will })).finish();
      expect(await heir.receive()).toMatchObject({ qos });
    });
  }

  rule('[MQTT-3.1.2-15] [MQTT311-3.1.2-17] retains a will with Will Retain 1', async () => {
    const { topic, heir, will } = await prepare({ retain: true });
    (await openClient(broker.port, { version: 4, will })).finish();
    await heir.expectBytes(publish5(topic, 'last words'));
    const late = await openClient(broker.port, { version: 4 });
    late.send(subscribe(1, [[topic, 0]]));
    await late.expectBytes('90 03 00 01 00', publish(topic, 'last words', { retain: true }));
  });

  rule('[MQTT-3.1.2-14] [MQTT311-3.1.2-16] does not retain a will with Will Retain 0', async () => {
    const { topic, heir, will } = await prepare();
    (await openClient(broker.port, { will })).finish();
    await heir.expectBytes(publish5(topic, 'last words'));
    heir.send(subscribe5(2, [[topic, 0]]));
    await heir.expect('SUBACK');
    await heir.expectNothing();
  });

  rule('[MQTT-3.1.3-10] publishes the will with its properties, User Properties in order', async () => {
    const { heir, will } = await prepare({
      properties: [
        property.payloadFormatIndicator(1),
        property.contentType('text/plain'),
        property.responseTopic('answers'),
        property.correlationData(text('c')),
        property.userProperty('b', '1'),
        property.userProperty('a', '2'),
        property.userProperty('b', '3'),
      ],
    });
    (await openClient(broker.port, { will })).finish();
    const message = await heir.expect('PUBLISH');
    expect(valuesOf(message, 0x01)).toEqual([1]);
    expect(valuesOf(message, 0x03)).toEqual(['text/plain']);
    expect(valuesOf(message, 0x08)).toEqual(['answers']);
    expect(valuesOf(message, 0x09).map(String)).toEqual(['c']);
    expect(valuesOf(message, 0x26)).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ]);
    expect(valuesOf(message, 0x18)).toEqual([]);
  });

  rule('publishes the will with its Message Expiry Interval, counted from its publication', async () => {
    const { heir, will } = await prepare({ properties: [property.messageExpiryInterval(100)] });
    (await openClient(broker.port, { will })).finish();
    const [seconds] = valuesOf(await heir.expect('PUBLISH'), 0x02);
    expect(seconds).toBeGreaterThan(90);
    expect(seconds).toBeLessThanOrEqual(100);
  });

  rule(
    '[MQTT-3.1.2-8] waits for the Will Delay Interval',
    async () => {
      const { topic, heir, will } = await prepare({ properties: [property.willDelayInterval(1)] });
      const client = await openClient(broker.port, { will, properties: [property.sessionExpiryInterval(60)] });
      const closedAt = performance.now();
      client.finish();
      await heir.expectBytes(publish5(topic, 'last words'));
      expect(performance.now() - closedAt).toBeGreaterThan(900);
    },
    { mosquitto: 'counts whole seconds of its clock, so that a delay of 1 may take less', skip: true },
  );

  rule(
    '[MQTT-3.1.2-8] does not wait longer than the Session lives',
    async () => {
      const { topic, heir, will } = await prepare({ properties: [property.willDelayInterval(3_600)] });
      const closedAt = performance.now();
      (await openClient(broker.port, { will })).finish();
      await heir.expectBytes(publish5(topic, 'last words'));
      (await openClient(broker.port, { will, properties: [property.sessionExpiryInterval(1)] })).finish();
      await heir.expectBytes(publish5(topic, 'last words'));
      expect(performance.now() - closedAt).toBeLessThan(3_000_000);
    },
    { mosquitto: 'waits longer' },
  );

  rule(
    'publishes a delayed will at once when Clean Start ends the Session',
    async () => {
      const { topic, heir, will } = await prepare({ properties: [property.willDelayInterval(3_600)] });
      const fields = { clientIdentifier: uniqueName('w'), properties: [property.sessionExpiryInterval(3_600)] };
      (await openClient(broker.port, { ...fields, will })).finish();
      await delay(50);
      await openClient(broker.port, fields);
      await heir.expectBytes(publish5(topic, 'last words'));
    },
    { mosquitto: 'forgets the will' },
  );

  rule('[MQTT-3.1.3-9] publishes nothing when the Client is back before the delay is over', async () => {
    const { heir, will } = await prepare({ properties: [property.willDelayInterval(2)] });
    const fields = {
      clientIdentifier: uniqueName('w'),
      cleanStart: false,
      properties: [property.sessionExpiryInterval(60)],
    };
    (await openClient(broker.port, { ...fields, will })).finish();
    const again = await openClient(broker.port, fields);
    await delay(3_200);
    await heir.expectNothing();
    await again.expectNothing();
  });

  rule(
    'a DISCONNECT with 0x04 and a Session Expiry Interval of 0 publishes a delayed will at once',
    async () => {
      const { topic, heir, will } = await prepare({ properties: [property.willDelayInterval(3_600)] });
      const client = await openClient(broker.port, { will, properties: [property.sessionExpiryInterval(3_600)] });
      client.send(disconnect(0x04, [property.sessionExpiryInterval(0)]));
      await client.expectClosed();
      await heir.expectBytes(publish5(topic, 'last words'));
    },
    { mosquitto: 'waits for the delay all the same' },
  );

  rule('a will may be empty, and an empty retained one clears the retained message', async () => {
    const { topic, heir } = await prepare();
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'kept', { qos: 1, id: 1, retain: true }));
    await publisher.expectBytes(puback(1));
    await heir.receive();
    (await openClient(broker.port, { version: 4, will: { topic, retain: true } })).finish();
    await heir.expectBytes(publish5(topic, ''));
    const late = await openClient(broker.port);
    late.send(subscribe5(1, [[topic, 0]]));
    await late.expect('SUBACK');
    await late.expectNothing();
  });

  for (const topic of ['a/#', 'a/+/b', '']) {
    rule(`[MQTT-4.7.0-1] refuses a will on "${topic}"`, async () => {
      const packets = await exchangeUntilClosed(broker.port, 5, connect({ will: { topic } }));
      for (const packet of packets) {
        expect(packet.name).toBe('CONNACK');
        expect([0x81, 0x82, 0x90]).toContain(packet.code);
      }
    });
  }
});
