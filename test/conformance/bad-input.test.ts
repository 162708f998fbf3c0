/** What hostile and broken peers send: the broker closes what it must, stays within its memory and serves the others. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { brokerUnderTest } from '../support/broker-process.ts';
import { randomBytes, seededRandom } from '../support/random-bytes.ts';
import { openClient, RawClient, uniqueName } from '../support/raw-client.ts';
import {
  connect,
  disconnect,
  hex,
  join,
  packet,
  pingreq,
  property,
  publish,
  publish5,
  subscribe,
  subscribe5,
  text,
  uint16,
  unsubscribe,
  unsubscribe5,
} from '../support/raw-packets.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';

const mebibyte = 1024 * 1024;

describe('bad input', () => {
  const isOurs = brokerUnderTest === 'clearwing';
  const broker = useBroker({ config: isOurs ? 'connect_timeout 1' : '' });

  // Somebody else who uses the broker all the while and must not notice.
  let bystander: RawClient;
  let isWatching = true;
  let watching: Promise<number>;
  beforeEach(async () => {
    bystander = await openClient(broker.port, { version: 4 });
    const topic = uniqueName('bystander/');
    bystander.send(subscribe(1, [[topic, 0]]));
    await bystander.expect('SUBACK');
    isWatching = true;
    watching = (async () => {
      let rounds = 0;
      while (isWatching) {
        bystander.send(publish(topic, `${rounds}`));
        await bystander.expectBytes(publish(topic, `${rounds++}`));
        await delay(10);
      }
      return rounds;
    })();
  });
  afterEach(async () => {
    isWatching = false;
    expect(await watching).toBeGreaterThan(0);
    await bystander.expectNothing();
    bystander.destroy();
  });

  /** Lets a connection end by itself, whatever it is told meanwhile. */
  const untilClosed = async (client: RawClient) => {
    for (let next = await nextOf(client); next; next = await nextOf(client));
  };
  // What comes back to random bytes need not be readable by a client that never agreed on a version.
  const nextOf = (client: RawClient) =>
    client.nextOrEnd().catch((error) => (client.ending ? undefined : Promise.reject(error)));

  it(
    'random bytes instead of a CONNECT',
    async () => {
      const random = seededRandom(20_260_101);
      const clients = await Promise.all(Array.from({ length: 100 }, () => RawClient.open(broker.port)));
      for (const client of clients) {
        client.version = 4;
        client.send(randomBytes(random, 1 + Math.floor(random() * 300)));
        client.finish();
      }
      for (const client of clients) await untilClosed(client);
    },
    testPatienceMs,
  );

  for (const version of [4, 5] as const) {
    it(
      `random bytes from connected clients, version ${version}`,
      async () => {
        const random = seededRandom(version);
        for (let round = 0; round < 5; round++) {
          const clients = await Promise.all(Array.from({ length: 40 }, () => openClient(broker.port, { version })));
          for (const client of clients) {
            client.send(randomBytes(random, 1 + Math.floor(random() * 200)));
            client.finish();
          }
          for (const client of clients) await untilClosed(client);
        }
      },
      testPatienceMs,
    );

    it(
      `valid packets with one byte changed, version ${version}`,
      async () => {
        const random = seededRandom(100 + version);
        const packets = validPackets(version);
        for (let round = 0; round < 10; round++) {
          const clients = await Promise.all(Array.from({ length: 30 }, () => openClient(broker.port, { version })));
          for (const client of clients) {
            const bytes = Uint8Array.from(packets[Math.floor(random() * packets.length)] ?? []);
            bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
            client.send(bytes, pingreq);
            client.finish();
          }
          for (const client of clients) await untilClosed(client);
        }
      },
      testPatienceMs,
    );

    it(
      `every truncation of a CONNECT and of each other packet, version ${version}`,
      async () => {
        const whole = connect({
          version,
          clientIdentifier: 'truncated',
          will: { topic: 'a/b', payload: text('w') },
          username: 'u',
          password: 'p',
          ...(version === 5
            ? { properties: [property.sessionExpiryInterval(1), property.userProperty('a', 'b')] }
            : {}),
        });
        const half = async (prefix: Uint8Array, isConnected: boolean) => {
          const client = isConnected ? await openClient(broker.port, { version }) : await RawClient.open(broker.port);
          client.version = version;
          client.send(prefix);
          client.finish();
          await untilClosed(client);
        };
        const lengths = Array.from({ length: whole.length }, (_, length) => length);
        await Promise.all(lengths.map((length) => half(whole.subarray(0, length), false)));
        for (const bytes of validPackets(version)) {
          await Promise.all(Array.from({ length: bytes.length }, (_, length) => half(bytes.subarray(0, length), true)));
        }
      },
      testPatienceMs,
    );

    it(
      `a body that ends before its fields do, version ${version}`,
      async () => {
        for (const bytes of validPackets(version)) {
          const body = bytes.subarray(2);
          for (let length = 0; length < body.length; length++) {
            const client = await openClient(broker.port, { version });
            client.send(packet(bytes[0] as number, body.subarray(0, length)), pingreq);
            client.finish();
            await untilClosed(client);
          }
        }
      },
      testPatienceMs,
    );
  }

  it.skipIf(!isOurs)(
    'a CONNECT that comes byte by byte is not waited for longer than connect_timeout',
    async () => {
      const startedAt = performance.now();
      const bytes = connect({ version: 4, clientIdentifier: 'slowloris' });
      const drip = async () => {
        const client = await RawClient.open(broker.port);
        client.version = 4;
        for (let index = 0; index < bytes.length && !client.ending; index++) {
          client.send(bytes.subarray(index, index + 1));
          await delay(150);
        }
        expect(client.received).toBe(0);
        await untilClosed(client);
      };
      const silence = async () => {
        const client = await RawClient.open(broker.port);
        await client.expectClosed();
      };
      await Promise.all([...Array.from({ length: 30 }, drip), ...Array.from({ length: 30 }, silence)]);
      expect(performance.now() - startedAt).toBeGreaterThan(900);
    },
    testPatienceMs,
  );

  it(
    'announcements of 268,435,455 bytes are not taken at their word',
    async () => {
      const before = broker.residentBytes();
      const announcement = hex('30 ff ff ff 7f 00 01 61');
      const clients = await Promise.all(Array.from({ length: 100 }, () => openClient(broker.port, { version: 4 })));
      for (const client of clients) client.send(announcement, Buffer.alloc(10_000, 120));
      const strangers = await Promise.all(Array.from({ length: 50 }, () => RawClient.open(broker.port)));
      for (const stranger of strangers) stranger.send(hex('10 ff ff ff 7f'), Buffer.alloc(10_000, 120));
      await (await openClient(broker.port, { version: 4 })).expectNothing();
      await delay(100);
      if (isOurs) expect(broker.residentBytes() - before).toBeLessThan(100 * mebibyte);
      for (const client of [...clients, ...strangers]) client.destroy();
    },
    testPatienceMs,
  );

  it(
    '10,000 filters in one SUBSCRIBE are answered one by one, and so is their UNSUBSCRIBE',
    async () => {
      const root = uniqueName('many/');
      const filters = Array.from({ length: 10_000 }, (_, index) => `${root}/${index}/+`);
      const client = await openClient(broker.port);
      client.send(
        subscribe5(
          1,
          filters.map((filter) => [filter, 1]),
        ),
      );
      const suback = await client.expect('SUBACK');
      expect(suback.codes).toHaveLength(10_000);
      expect(new Set(suback.codes)).toEqual(new Set([1]));
      client.send(publish5(`${root}/9999/x`, 'found'));
      await client.expectBytes(publish5(`${root}/9999/x`, 'found'));
      client.send(unsubscribe5(2, filters));
      const unsuback = await client.expect('UNSUBACK');
      expect(new Set(unsuback.codes)).toEqual(new Set([0]));
      client.send(publish5(`${root}/9999/x`, 'lost'));
      await client.expectNothing();
    },
    testPatienceMs,
  );

  it(
    'topics of 65,535 bytes with 32,767 levels',
    async () => {
      const deep = '/'.repeat(65_535);
      const plus = `${'+/'.repeat(32_767)}+`;
      expect(plus).toHaveLength(65_535);
      for (const version of [4, 5] as const) {
        const list = version === 5 ? [] : undefined;
        for (const bytes of [
          subscribe(1, [[plus, 0]], list),
          subscribe(1, [[deep, 0]], list),
          publish(deep, 'x', version === 5 ? { properties: [] } : {}),
          publish(deep, 'x', { retain: true, ...(version === 5 ? { properties: [] } : {}) }),
          unsubscribe(2, [plus], list),
        ]) {
          const client = await openClient(broker.port, { version });
          client.send(bytes, pingreq);
          // Taken or refused, but dealt with.
          for (let next = await client.nextOrEnd(); next && next.name !== 'PINGRESP'; next = await client.nextOrEnd());
          client.destroy();
        }
      }
    },
    testPatienceMs,
  );

  it(
    'many deep subscriptions do not slow matching down without bound',
    async () => {
      const client = await openClient(broker.port, { version: 4 });
      // 2 to the power of 12 filters over 12 levels: all match the one topic.
      const root = uniqueName('wide/');
      const filters = Array.from({ length: 4_096 }, (_, bits) =>
        [root, ...Array.from({ length: 12 }, (_, level) => ((bits >> level) & 1 ? '+' : 'x'))].join('/'),
      );
      client.send(
        subscribe(
          1,
          filters.map((filter) => [filter, 0]),
        ),
      );
      expect((await client.expect('SUBACK')).codes).toHaveLength(4_096);
      const topic = [root, ...Array.from({ length: 12 }, () => 'x')].join('/');
      client.send(publish(topic, 'x'));
      expect((await client.collect()).every((message) => message.topic === topic)).toBe(true);
    },
    testPatienceMs,
  );

  it(
    'names that mean something to JavaScript are names like any other',
    async () => {
      for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype']) {
        const client = await openClient(broker.port, { clientIdentifier: name });
        client.send(
          subscribe5(1, [
            [name, 0],
            [`${name}/+/${name}`, 0],
          ]),
        );
        expect(await client.expect('SUBACK')).toMatchObject({ codes: [0, 0] });
        client.send(publish5(`${name}/${name}/${name}`, name, { properties: [property.userProperty(name, name)] }));
        expect(await client.receive()).toMatchObject({ topic: `${name}/${name}/${name}` });
        client.send(disconnect());
        await client.expectClosed();
      }
    },
    testPatienceMs,
  );

  it(
    'hundreds of connections that come and go leave nothing behind',
    async () => {
      for (let round = 0; round < 10; round++) {
        const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.open(broker.port)));
        for (const [index, client] of clients.entries()) {
          client.version = 4;
          if (index % 3 === 1) client.send(connect({ version: 4, clientIdentifier: `flood${index}` }));
          if (index % 3 === 2) client.send(join(connect({ version: 4 }), subscribe(1, [['flood/#', 1]])));
        }
        await (await openClient(broker.port, { version: 4 })).expectNothing();
        for (const client of clients) client.destroy();
      }
    },
    testPatienceMs,
  );
});

/** One of each packet that a Client sends after CONNECT, with all that it can carry in this version. */
function validPackets(version: 4 | 5): Uint8Array[] {
  if (version === 4) {
    return [
      publish('a/b', 'payload'),
      publish('a/b', 'payload', { qos: 2, id: 5 }),
      hex('40 02 00 01'),
      hex('50 02 00 01'),
      hex('62 02 00 01'),
      hex('70 02 00 01'),
      subscribe(3, [
        ['a/#', 1],
        ['b/+/c', 2],
      ]),
      unsubscribe(4, ['a/#', 'b/+/c']),
      pingreq,
      disconnect(),
    ];
  }
  const user = property.userProperty('name', 'value');
  return [
    publish5('a/b', 'payload', {
      qos: 1,
      id: 5,
      properties: [
        property.payloadFormatIndicator(1),
        property.messageExpiryInterval(60),
        property.topicAlias(1),
        property.responseTopic('r'),
        property.correlationData(text('c')),
        property.contentType('t'),
        user,
      ],
    }),
    join(hex('40 0a'), uint16(1), hex('00 06 1f 00 03'), text('why')),
    hex('62 03 00 01 00'),
    subscribe5(
      3,
      [
        ['a/#', 1],
        ['$share/g/b', 2],
      ],
      [property.subscriptionIdentifier(300), user],
    ),
    unsubscribe5(4, ['a/#', '$share/g/b'], [user]),
    pingreq,
    disconnect(0, [property.reasonString('done'), user]),
  ];
}
