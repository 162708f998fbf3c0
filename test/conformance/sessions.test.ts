/** Sessions: kept, resumed, taken over, expired; keep alive and DISCONNECT. [MQTT 5.0 §3.1.2, §3.14, §4.1] */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { startBroker } from '../support/broker-process.ts';
import { valuesOf } from '../support/packet-reader.ts';
import { openClient, type RawClient, uniqueName } from '../support/raw-client.ts';
import {
  disconnect,
  pingreq,
  property,
  puback,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  subscribe5,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

const leave = async (client: RawClient, ...packet: [Uint8Array?]) => {
  client.send(packet[0] ?? disconnect());
  await client.expectClosed();
};

describe('sessions of MQTT 3.1.1', () => {
  const broker = useBroker();
  const persistent = () => ({ version: 4, clientIdentifier: uniqueName('s'), cleanStart: false }) as const;

  rule(
    '[MQTT311-3.1.2-4] [MQTT311-3.2.2-2] [MQTT311-3.2.2-3] [MQTT311-4.1.0-1] [MQTT311-4.1.0-2] keeps a session with Clean Session 0 and says so',
    async () => {
      const fields = persistent();
      const first = await openClient(broker.port, fields);
      expect(first.connack.flags).toBe(0);
      first.send(subscribe(1, [[`${fields.clientIdentifier}/#`, 1]]));
      await first.expect('SUBACK');
      await leave(first);
      const second = await openClient(broker.port, fields);
      expect(second.connack.flags).toBe(1);
      second.send(publish(`${fields.clientIdentifier}/a`, 'x'));
      await second.expectBytes(publish(`${fields.clientIdentifier}/a`, 'x'));
    },
  );

  rule('[MQTT311-3.1.2-5] stores QoS 1 and 2 messages for an absent client, in order', async () => {
    const fields = persistent();
    const topic = `${fields.clientIdentifier}/t`;
    const first = await openClient(broker.port, fields);
    first.send(subscribe(1, [[topic, 2]]));
    await first.expect('SUBACK');
    await leave(first);
    const publisher = await openClient(broker.port, { version: 4 });
    publisher.send(publish(topic, '1', { qos: 1, id: 1 }), publish(topic, '2', { qos: 2, id: 2 }), pubrel(2));
    publisher.send(publish(topic, '3', { qos: 1, id: 3 }), publish(topic, '0'));
    await publisher.collect();
    const second = await openClient(broker.port, fields);
    await second.expectBytes(publish(topic, '1', { qos: 1, id: 1 }));
    await second.expectBytes(publish(topic, '2', { qos: 2, id: 2 }));
    await second.expectBytes(publish(topic, '3', { qos: 1, id: 3 }));
    await second.expectNothing();
  });

  rule('[MQTT311-3.1.2-6] [MQTT311-3.2.2-1] discards the session with Clean Session 1', async () => {
    const fields = persistent();
    const topic = `${fields.clientIdentifier}/t`;
    const first = await openClient(broker.port, fields);
    first.send(subscribe(1, [[topic, 1]]));
    await first.expect('SUBACK');
    await leave(first);
    const clean = await openClient(broker.port, { ...fields, cleanStart: true });
    expect(clean.connack.flags).toBe(0);
    clean.send(publish(topic, 'x'));
    await clean.expectNothing();
    await leave(clean);
    expect((await openClient(broker.port, fields)).connack.flags).toBe(0);
  });

  rule('[MQTT311-3.1.2-7] retained messages outlive the session of their publisher', async () => {
    const topic = uniqueName('retained/');
    const publisher = await openClient(broker.port, { version: 4 });
    publisher.send(publish(topic, 'kept', { retain: true }));
    await leave(publisher);
    const reader = await openClient(broker.port, { version: 4 });
    reader.send(subscribe(1, [[topic, 0]]));
    await reader.expectBytes('90 03 00 01 00', publish(topic, 'kept', { retain: true }));
  });

  rule('[MQTT311-3.1.4-2] disconnects the client whose identifier is used again', async () => {
    const fields = persistent();
    const first = await openClient(broker.port, fields);
    const second = await openClient(broker.port, fields);
    await first.expectClosed();
    expect(second.connack.flags).toBe(1);
    await second.expectNothing();
  });

  rule('[MQTT311-3.1.2-24] closes after one and a half keep alives without a packet', async () => {
    const startedAt = performance.now();
    const client = await openClient(broker.port, { version: 4, keepAlive: 1 });
    await client.expectClosed();
    expect(performance.now() - startedAt).toBeGreaterThan(1_400);
  });

  rule('[MQTT311-3.14.1-1] closes at DISCONNECT with reserved bits', async () => {
    const will = { topic: uniqueName('will/'), payload: Buffer.from('w') };
    const heir = await openClient(broker.port, { version: 4 });
    heir.send(subscribe(1, [[will.topic, 0]]));
    await heir.expect('SUBACK');
    const client = await openClient(broker.port, { version: 4, will });
    client.send('e1 00');
    await client.expectClosed();
    await heir.expectBytes(publish(will.topic, 'w'));
  });
});

describe('sessions of MQTT 5', () => {
  const broker = useBroker();
  const keep = (seconds: number) => ({
    clientIdentifier: uniqueName('s5'),
    cleanStart: false,
    properties: [property.sessionExpiryInterval(seconds)],
  });

  rule('[MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.2.2-3] resumes a session that has not expired', async () => {
    const fields = keep(60);
    const topic = `${fields.clientIdentifier}/t`;
    const first = await openClient(broker.port, fields);
    expect(first.connack.flags).toBe(0);
    first.send(subscribe5(1, [[topic, 1]]));
    await first.expect('SUBACK');
    await first.leave();
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'while away', { qos: 1, id: 9 }));
    await publisher.expect('PUBACK');
    const second = await openClient(broker.port, fields);
    expect(second.connack.flags).toBe(1);
    await second.expectBytes(publish5(topic, 'while away', { qos: 1, id: 1 }));
  });

  rule('[MQTT-3.1.2-6] [MQTT-3.2.2-3] makes a new session when there is none', async () => {
    expect((await openClient(broker.port, keep(60))).connack.flags).toBe(0);
  });

  rule('[MQTT-3.1.2-4] [MQTT-3.2.2-2] [MQTT-3.1.4-4] discards the session with Clean Start', async () => {
    const fields = keep(60);
    const first = await openClient(broker.port, fields);
    first.send(subscribe5(1, [[`${fields.clientIdentifier}/t`, 1]]));
    await first.expect('SUBACK');
    await leave(first);
    const second = await openClient(broker.port, { ...fields, cleanStart: true });
    expect(second.connack.flags).toBe(0);
    second.send(publish5(`${fields.clientIdentifier}/t`, 'x'));
    await second.expectNothing();
  });

  rule('[MQTT-4.1.0-2] discards the session at once when the Session Expiry Interval is absent or 0', async () => {
    for (const properties of [[], [property.sessionExpiryInterval(0)]]) {
      const fields = { clientIdentifier: uniqueName('s5'), cleanStart: false, properties };
      await leave(await openClient(broker.port, fields));
      const again = await openClient(broker.port, fields);
      expect(again.connack.flags).toBe(0);
    }
  });

  rule('[MQTT-4.1.0-2] discards the session when the Session Expiry Interval has passed', async () => {
    const fields = keep(1);
    await leave(await openClient(broker.port, fields));
    // Nothing announces the end of a Session, so it has to be waited for; each look would prolong it.
    await delay(2_200);
    expect((await openClient(broker.port, fields)).connack.flags).toBe(0);
  });

  rule('[MQTT-4.1.0-1] keeps the session while the connection is open', async () => {
    const fields = keep(1);
    const client = await openClient(broker.port, fields);
    client.send(subscribe5(1, [[`${fields.clientIdentifier}/t`, 0]]));
    await client.expect('SUBACK');
    await delay(2_200);
    client.send(publish5(`${fields.clientIdentifier}/t`, 'x'));
    await client.expectBytes(publish5(`${fields.clientIdentifier}/t`, 'x'));
  });

  rule('takes another Session Expiry Interval with DISCONNECT', async () => {
    const shorter = keep(60);
    await leave(await openClient(broker.port, shorter), disconnect(0, [property.sessionExpiryInterval(0)]));
    expect((await openClient(broker.port, shorter)).connack.flags).toBe(0);
    const longer = keep(1);
    await leave(await openClient(broker.port, longer), disconnect(0, [property.sessionExpiryInterval(600)]));
    await delay(2_200);
    expect((await openClient(broker.port, longer)).connack.flags).toBe(1);
  });

  rule('[MQTT-3.14.2-2] answers a Session Expiry Interval at DISCONNECT after none at CONNECT with 0x82', async () => {
    const client = await openClient(broker.port);
    client.send(disconnect(0, [property.sessionExpiryInterval(60)]));
    await client.expectRefusal(0x82);
  });

  rule('never ends a session with Session Expiry Interval 0xFFFFFFFF', async () => {
    const fields = keep(0xffffffff);
    await leave(await openClient(broker.port, fields));
    expect((await openClient(broker.port, fields)).connack.flags).toBe(1);
  });

  rule(
    '[MQTT-3.1.4-3] [MQTT-3.14.0-1] tells the client that is taken over, with 0x8E',
    async () => {
      const fields = keep(60);
      const first = await openClient(broker.port, fields);
      const second = await openClient(broker.port, fields);
      await first.expectRefusal(0x8e);
      expect(second.connack.flags).toBe(1);
      await second.expectNothing();
    },
    { mosquitto: 'closes without DISCONNECT' },
  );

  rule(
    'a session is taken over from an MQTT 3.1.1 client, and by one',
    async () => {
      const fields = keep(60);
      const older = { version: 4, clientIdentifier: fields.clientIdentifier, cleanStart: false } as const;
      const first = await openClient(broker.port, older);
      const second = await openClient(broker.port, fields);
      await first.expectClosed();
      expect(second.connack.flags).toBe(1);
      const third = await openClient(broker.port, older);
      await second.expectRefusal(0x8e);
      expect(third.connack.flags).toBe(1);
    },
    { mosquitto: 'closes without DISCONNECT' },
  );

  rule('what was in flight to the client that is taken over goes to its successor', async () => {
    const fields = keep(60);
    const topic = `${fields.clientIdentifier}/t`;
    const first = await openClient(broker.port, fields);
    first.send(subscribe5(1, [[topic, 2]]));
    await first.expect('SUBACK');
    const publisher = await openClient(broker.port);
    publisher.send(publish5(topic, 'one', { qos: 1, id: 1 }), publish5(topic, 'two', { qos: 2, id: 2 }), pubrel(2));
    await publisher.collect();
    expect([(await first.expect('PUBLISH')).id, (await first.expect('PUBLISH')).id]).toEqual([1, 2]);
    first.send(pubrec(2));
    await first.expectBytes(pubrel(2));
    const second = await openClient(broker.port, fields);
    // The PUBREL and the PUBLISH may come in either order.
    const again = (await second.collect()).map((packet) => Buffer.from(packet.bytes).toString('hex')).sort();
    const expected = [publish5(topic, 'one', { qos: 1, id: 1, dup: true }), pubrel(2)];
    expect(again).toEqual(expected.map((bytes) => Buffer.from(bytes).toString('hex')).sort());
  });

  rule(
    '[MQTT-3.1.2-22] closes after one and a half keep alives with DISCONNECT 0x8D',
    async () => {
      const startedAt = performance.now();
      const client = await openClient(broker.port, { keepAlive: 1 });
      await client.expectRefusal(0x8d);
      expect(performance.now() - startedAt).toBeGreaterThan(1_400);
    },
    { mosquitto: 'closes without DISCONNECT' },
  );

  rule('[MQTT-3.1.2-22] stays connected with packets that are closer together, of whatever kind', async () => {
    const client = await openClient(broker.port, { keepAlive: 1 });
    const topic = uniqueName('alive/');
    client.send(subscribe5(1, [[topic, 0]]));
    await client.expect('SUBACK');
    for (const bytes of [pingreq, publish5(topic, 'a'), subscribe5(2, [[topic, 0]]), pingreq, publish5(topic, 'b')]) {
      await delay(500);
      client.send(bytes);
      await client.next();
    }
    await client.expectNothing();
  });

  rule('[MQTT-3.1.2-22] never closes with keep alive 0', async () => {
    const client = await openClient(broker.port, { keepAlive: 0 });
    await delay(2_500);
    await client.expectNothing();
  });

  rule('[MQTT-3.12.4-1] [MQTT311-3.12.4-1] answers PINGREQ with PINGRESP', async () => {
    const client = await openClient(broker.port);
    client.send(pingreq, pingreq);
    await client.expectBytes('d0 00 d0 00');
  });

  rule('[MQTT-3.14.4-1] [MQTT-3.14.4-2] sends nothing after DISCONNECT and closes', async () => {
    const client = await openClient(broker.port);
    const topic = uniqueName('bye/');
    client.send(subscribe5(1, [[topic, 0]]), publish5(topic, 'before'));
    await client.expect('SUBACK');
    await client.expect('PUBLISH');
    client.send('30 00');
    await client.expectRefusal(0x81, 0x82);
  });

  rule('counts a subscription of another protocol version as the same session', async () => {
    const identifier = uniqueName('mixed');
    const older = { version: 4, clientIdentifier: identifier, cleanStart: false } as const;
    const first = await openClient(broker.port, older);
    first.send(subscribe(1, [[`${identifier}/t`, 1]]));
    await first.expect('SUBACK');
    await leave(first);
    const publisher = await openClient(broker.port);
    publisher.send(
      publish5(`${identifier}/t`, 'x', { qos: 1, id: 1, properties: [property.contentType('text/plain')] }),
    );
    await publisher.expect('PUBACK');
    const second = await openClient(broker.port, { clientIdentifier: identifier, cleanStart: false });
    expect(second.connack.flags).toBe(1);
    const message = await second.receive();
    expect(valuesOf(message, 0x03)).toEqual(['text/plain']);
    second.send(puback(1));
  });
});

describe('limits that the configuration sets on sessions', () => {
  const broker = useBroker({ config: 'max_keepalive 10\npersistent_client_expiration 1h\nmax_queued_messages 3' });

  rule('[MQTT-3.1.2-21] [MQTT-3.2.2-21] tells a Server Keep Alive when the keep alive is too long', async () => {
    const long = await openClient(broker.port, { keepAlive: 600 });
    expect(valuesOf(long.connack, 0x13)).toEqual([10]);
    const short = await openClient(broker.port, { keepAlive: 5 });
    expect(valuesOf(short.connack, 0x13)).toEqual([]);
  });

  rule('keeps no more messages for an absent client than it was told to', async () => {
    const fields = {
      clientIdentifier: uniqueName('q'),
      cleanStart: false,
      properties: [property.sessionExpiryInterval(60)],
    };
    const topic = `${fields.clientIdentifier}/t`;
    const first = await openClient(broker.port, fields);
    first.send(subscribe5(1, [[topic, 1]]));
    await first.expect('SUBACK');
    await leave(first);
    const publisher = await openClient(broker.port);
    for (let id = 1; id <= 100; id++) publisher.send(publish5(topic, `${id}`, { qos: 1, id }));
    await publisher.collect();
    const second = await openClient(broker.port, fields);
    const kept = (await second.collect()).map((packet) => `${packet.payload}`);
    expect(kept.length).toBeGreaterThanOrEqual(3);
    expect(kept.length).toBeLessThanOrEqual(23);
    expect(kept).toEqual(kept.map((_, index) => `${index + 1}`));
  });
});

describe('a broker that stops', () => {
  rule(
    'tells MQTT 5 clients that it shuts down, with 0x8B, and closes every connection',
    async () => {
      const broker = await startBroker();
      const five = await openClient(broker.port);
      const four = await openClient(broker.port, { version: 4 });
      broker.signal('SIGTERM');
      await five.expectRefusal(0x8b);
      await four.expectClosed();
      expect(await broker.ended).toBe(0);
      await broker.stop();
    },
    { mosquitto: 'closes without DISCONNECT' },
  );
});
