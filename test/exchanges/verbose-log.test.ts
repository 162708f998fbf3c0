/** EXCHANGES.md F: what `broker -v` prints, compared line by line with what mosquitto prints for the same exchanges. */
import { describe, expect, it } from 'vitest';
import {
  type BrokerProcess,
  type BrokerProcessOptions,
  brokerUnderTest,
  startBroker,
} from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import { openClient, RawClient } from '../support/raw-client.ts';
import {
  connect,
  disconnect,
  hex,
  pingreq,
  puback,
  pubcomp,
  publish,
  publish5,
  pubrec,
  pubrel,
  subscribe,
  subscribe5,
  text,
  unsubscribe,
} from '../support/raw-packets.ts';
import { testPatienceMs } from '../support/suite.ts';

/** The parts of a line that differ from run to run, and the name of the program, are replaced. */
function normalise(broker: BrokerProcess): string[] {
  return (
    broker
      .log()
      // The second points at mosquitto's web site.
      .filter((line) => !/should not be run as root|For more details see http/.test(line))
      .map((line) =>
        line
          .replace(/^\d{10}: /, 'STAMP: ')
          .replace(/(mosquitto|clearwing) version \S+ (starting|running|terminating)/i, 'BROKER $2')
          .replaceAll(broker.directory, 'DIRECTORY')
          .replaceAll(String(broker.port), 'PORT')
          .replaceAll(String(broker.wsPort), 'WSPORT')
          .replace(/(127\.0\.0\.1|::1):\d{4,5}/, '$1:CLIENTPORT')
          .replace(/auto-[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}/, 'auto-UUID'),
      )
  );
}

/** Lets both brokers live through the same and gives their logs. */
async function compare(
  options: BrokerProcessOptions,
  scenario: (broker: BrokerProcess) => Promise<void>,
): Promise<{ ours: string[]; reference: string[] }> {
  const log = async (program: 'clearwing' | 'mosquitto') => {
    const broker = await startBroker({ verbose: true, ...options, program });
    try {
      await scenario(broker);
    } finally {
      await broker.stop();
    }
    return normalise(broker);
  };
  const [ours, reference] = await Promise.all([log(brokerUnderTest), log('mosquitto')]);
  return { ours, reference };
}

/** Lines about one client, in order. What different clients' lines do between each other is left to the broker. */
const linesAbout = (lines: readonly string[], identifier: string) =>
  lines.filter((line) => new RegExp(`\\b${identifier}\\b`).test(line) || /^STAMP: \t/.test(line));

const saysGoodbye = async (client: RawClient, broker: BrokerProcess) => {
  client.send(disconnect());
  await client.expectClosed();
  await broker.waitForLog(new RegExp(`Client ${client.clientIdentifier} disconnected`));
};

describe('broker -v', () => {
  it(
    'prints the lines that the course shows, each stamped with the seconds since 1970',
    async () => {
      const before = Math.floor(Date.now() / 1000);
      const broker = await startBroker({ withoutConfig: true, verbose: true });
      const subscriber = await openClient(broker.port, { version: 4, clientIdentifier: '' });
      subscriber.send(subscribe(1, [['handong', 0]]));
      await subscriber.expectBytes('90 03 00 01 00');
      subscriber.send(pingreq);
      await subscriber.expectBytes('d0 00');
      subscriber.send(publish('handong', 'Hello'));
      await subscriber.expectBytes(publish('handong', 'Hello'));
      const connected = await broker.waitForLog(/New client connected/);
      const identifier = /as (auto-[0-9A-F-]{36}) \(p2, c1, k60\)\.$/.exec(connected)?.[1] ?? 'none';
      await broker.waitForLog(/Sending PUBLISH/);
      subscriber.destroy();
      expect(await broker.stop()).toBe(0);

      const stamps = broker.log().map((line) => Number(/^(\d{10}): /.exec(line)?.[1]));
      for (const stamp of stamps) {
        expect(stamp).toBeGreaterThanOrEqual(before);
        expect(stamp).toBeLessThanOrEqual(Date.now() / 1000);
      }
      const lines = normalise(broker).map((line) => line.replace('STAMP: ', '').replaceAll('auto-UUID', identifier));
      expect(lines).toEqual(
        expect.arrayContaining([
          'BROKER starting',
          'Using default config.',
          'Starting in local only mode. Connections will only be possible from clients running on this machine.',
          'Opening ipv4 listen socket on port PORT.',
          'Opening ipv6 listen socket on port PORT.',
          'BROKER running',
          'New connection from 127.0.0.1:CLIENTPORT on port PORT.',
          `New client connected from 127.0.0.1:CLIENTPORT as ${identifier} (p2, c1, k60).`,
          'No will message specified.',
          `Sending CONNACK to ${identifier} (0, 0)`,
          `Received SUBSCRIBE from ${identifier}`,
          '\thandong (QoS 0)',
          `${identifier} 0 handong`,
          `Sending SUBACK to ${identifier}`,
          `Received PINGREQ from ${identifier}`,
          `Sending PINGRESP to ${identifier}`,
          `Received PUBLISH from ${identifier} (d0, q0, r0, m0, 'handong', ... (5 bytes))`,
          `Sending PUBLISH to ${identifier} (d0, q0, r0, m0, 'handong', ... (5 bytes))`,
          'BROKER terminating',
        ]),
      );
    },
    testPatienceMs,
  );
});

describeWithPeer('mosquitto', 'broker -v prints what mosquitto -v prints', () => {
  const same = (
    title: string,
    options: BrokerProcessOptions,
    scenario: (broker: BrokerProcess) => Promise<void>,
    clients: readonly string[],
  ) =>
    it.concurrent(
      title,
      async () => {
        const { ours, reference } = await compare(options, scenario);
        for (const client of clients) {
          const expected = linesAbout(reference, client);
          expect(expected.length).toBeGreaterThan(2);
          expect(linesAbout(ours, client)).toEqual(expected);
        }
      },
      testPatienceMs,
    );

  it.concurrent(
    'for a start with a port and for one with a file',
    async () => {
      const bare = await compare({ withoutConfig: true }, async () => {});
      expect(bare.ours).toEqual(bare.reference);
      const config = { webSocket: true, unixSocket: true };
      const fromFile = await compare(config, async () => {});
      expect(fromFile.ours).toEqual(fromFile.reference);
    },
    testPatienceMs,
  );

  same(
    'for a connection with a will, a subscription, pings and a goodbye',
    {},
    async (broker) => {
      const will = { topic: 'handong/status', payload: text('gone'), qos: 1, retain: true };
      const client = await openClient(broker.port, { version: 4, clientIdentifier: 'one', keepAlive: 30, will });
      client.send(subscribe(1, [['a/#', 0]]), subscribe(2, [['b', 1]]), pingreq);
      await client.expectBytes('90 03 00 01 00', '90 03 00 02 01', 'd0 00');
      client.send(unsubscribe(3, ['b']));
      await client.expectBytes('b0 02 00 03');
      await saysGoodbye(client, broker);
    },
    ['one'],
  );

  same(
    'for messages at each QoS in both directions',
    {},
    async (broker) => {
      const subscriber = await openClient(broker.port, { version: 4, clientIdentifier: 'sub' });
      subscriber.send(subscribe(1, [['t', 2]]));
      await subscriber.expect('SUBACK');
      const publisher = await openClient(broker.port, { version: 4, clientIdentifier: 'pub' });
      publisher.send(publish('t', 'zero'));
      await subscriber.expect('PUBLISH');
      publisher.send(publish('t', 'one', { qos: 1, id: 7, dup: true }));
      await publisher.expectBytes(puback(7));
      await subscriber.expect('PUBLISH');
      subscriber.send(puback(1));
      publisher.send(publish('t', 'two', { qos: 2, id: 8, retain: true }));
      await publisher.expectBytes(pubrec(8));
      publisher.send(pubrel(8));
      await publisher.expectBytes(pubcomp(8));
      await subscriber.expect('PUBLISH');
      subscriber.send(pubrec(2));
      await subscriber.expectBytes(pubrel(2));
      subscriber.send(pubcomp(2));
      await subscriber.expectNothing();
      await saysGoodbye(publisher, broker);
      await saysGoodbye(subscriber, broker);
    },
    ['sub', 'pub'],
  );

  same(
    'for MQTT 5 and MQTT 3.1 clients',
    {},
    async (broker) => {
      const three = await openClient(broker.port, { version: 3, clientIdentifier: 'three', cleanStart: false });
      const five = await openClient(broker.port, { version: 5, clientIdentifier: 'five', keepAlive: 0 });
      five.send(subscribe5(1, [['v', 1]]));
      await five.expect('SUBACK');
      three.send(publish('v', 'x', { qos: 1, id: 3 }));
      await three.expectBytes(puback(3));
      await five.receive();
      five.send(publish5('elsewhere', 'y', { qos: 1, id: 4 }));
      await five.expect('PUBACK');
      await saysGoodbye(five, broker);
      await saysGoodbye(three, broker);
    },
    ['three', 'five'],
  );

  same(
    'for a session that is resumed and for one that is taken over',
    {},
    async (broker) => {
      const fields = { version: 4, clientIdentifier: 'keeper', cleanStart: false } as const;
      const first = await openClient(broker.port, fields);
      const second = await openClient(broker.port, fields);
      await first.expectClosed();
      expect(second.connack.flags).toBe(1);
      await saysGoodbye(second, broker);
    },
    ['keeper'],
  );

  same(
    'for a client that is cut off and for one that falls silent',
    {},
    async (broker) => {
      const silent = await openClient(broker.port, { version: 4, clientIdentifier: 'silent', keepAlive: 1 });
      const cut = await openClient(broker.port, { version: 4, clientIdentifier: 'cut' });
      cut.finish();
      await broker.waitForLog(/Client cut closed its connection/);
      await silent.expectClosed();
      await broker.waitForLog(/Client silent has exceeded timeout, disconnecting/);
    },
    ['silent', 'cut'],
  );

  it.concurrent(
    'for connections that never become clients',
    async () => {
      const { ours, reference } = await compare({ config: 'allow_anonymous false' }, async (broker) => {
        const anonymous = await RawClient.open(broker.port);
        anonymous.version = 4;
        anonymous.send(connect({ version: 4, clientIdentifier: 'nobody' }));
        await anonymous.expectBytes('20 02 00 05');
        await anonymous.expectClosed();
        const future = await RawClient.open(broker.port);
        future.version = 4;
        future.send(hex('10 0e 00 04 4d 51 54 54 06 02 00 3c 00 02 61 62'));
        await future.expectBytes('20 02 00 01');
        await future.expectClosed();
      });
      // Ours adds why; these lines must be there all the same.
      const lines = (log: string[]) =>
        log.filter((line) => /New connection|Sending CONNACK|protocol version/.test(line));
      expect(lines(ours)).toEqual(expect.arrayContaining(lines(reference)));
    },
    testPatienceMs,
  );
});
