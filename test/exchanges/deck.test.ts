/** EXCHANGES.md G: what a class is shown, from the commands to `$SYS`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { brokerUnderTest, commandLine, freePort, startBroker } from '../support/broker-process.ts';
import { forEachClientFamily } from '../support/client-programs.ts';
import { openClient } from '../support/raw-client.ts';
import { puback, pubcomp, publish, pubrec, pubrel, subscribe } from '../support/raw-packets.ts';
import { run } from '../support/run.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';
import { until } from '../support/until.ts';
import { startWireRecorder } from '../support/wire-recorder.ts';

describe('the teaching deck', () => {
  const broker = useBroker();

  forEachClientFamily('G: the commands', (clients) => {
    const topic = `${clients.family}/deck`;

    it(
      'take host, port, topic, qos, debug, verbose, identifier and a persistent session',
      async () => {
        const subscriberId = `${clients.family}-deck-sub`;
        const publisherId = `${clients.family}-deck-pub`;
        const subscriber = clients.sub(broker.port, [
          ...['-h', 'localhost', '-t', topic, '-q', '1', '-d', '-v', '-i', subscriberId, '-c'],
        ]);
        await subscriber.waitForOutput(`Client ${subscriberId} received SUBACK\n`);
        const publisher = await clients.pub(broker.port, [
          ...['-h', 'localhost', '-t', topic, '-m', 'Hello', '-q', '1', '-d', '-r', '-i', publisherId, '-c'],
        ]);
        expect(publisher.stdout.split('\n')).toEqual([
          `Client ${publisherId} sending CONNECT`,
          `Client ${publisherId} received CONNACK (0)`,
          `Client ${publisherId} sending PUBLISH (d0, q1, r1, m1, '${topic}', ... (5 bytes))`,
          `Client ${publisherId} received PUBACK (Mid: 1, RC:0)`,
          `Client ${publisherId} sending DISCONNECT`,
          '',
        ]);
        await subscriber.waitForOutput(`${topic} Hello\n`);
        const { stdout, status } = await subscriber.stop('SIGINT');
        expect(status).toBe(0);
        expect(stdout.split('\n')).toEqual([
          `Client ${subscriberId} sending CONNECT`,
          `Client ${subscriberId} received CONNACK (0)`,
          `Client ${subscriberId} sending SUBSCRIBE (Mid: 1, Topic: ${topic}, QoS: 1, Options: 0x00)`,
          `Client ${subscriberId} received SUBACK`,
          'Subscribed (mid: 1): 1',
          `Client ${subscriberId} received PUBLISH (d0, q1, r0, m1, '${topic}', ... (5 bytes))`,
          `Client ${subscriberId} sending PUBACK (m1, rc0)`,
          `${topic} Hello`,
          `Client ${subscriberId} sending DISCONNECT`,
          '',
        ]);
      },
      testPatienceMs,
    );

    it(
      'at QoS 1 a lost PUBACK makes the publisher send again with DUP, and the subscriber gets a duplicate',
      async () => {
        const lossTopic = `${topic}/loss`;
        let losses = 0;
        const recorder = await startWireRecorder(broker.port, {
          fate: (packet, direction) =>
            direction === 'B>C' && packet.name === 'PUBACK' && losses++ === 0 ? 'cut' : 'pass',
        });
        const subscriber = await openClient(broker.port, { version: 4 });
        subscriber.send(subscribe(1, [[lossTopic, 1]]));
        await subscriber.expect('SUBACK');
        const published = await clients.pub(
          recorder.port,
          [...['-t', lossTopic, '-l', '-q', '1', '-i', `${clients.family}-loss`, '-c']],
          { input: 'once?\n' },
        );
        expect(published.status).toBe(0);
        const sent = (connection: number) => recorder.ladder(connection).filter((line) => / PUB/.test(line));
        expect(sent(1)).toEqual([expect.stringMatching(/^C>B 32 .. PUBLISH id=1 /), 'B>C 40 02 PUBACK id=1']);
        expect(sent(2)).toEqual([expect.stringMatching(/^C>B 3a .. PUBLISH id=1 dup /), 'B>C 40 02 PUBACK id=1']);
        for (const id of [1, 2]) await subscriber.expectBytes(publish(lossTopic, 'once?', { qos: 1, id }));
        await recorder.close();
      },
      testPatienceMs,
    );

    it(
      'at QoS 2 a lost PUBREC makes no duplicate',
      async () => {
        const lossTopic = `${topic}/loss2`;
        let losses = 0;
        const recorder = await startWireRecorder(broker.port, {
          fate: (packet, direction) =>
            direction === 'B>C' && packet.name === 'PUBREC' && losses++ === 0 ? 'cut' : 'pass',
        });
        const subscriber = await openClient(broker.port, { version: 4 });
        subscriber.send(subscribe(1, [[lossTopic, 1]]));
        await subscriber.expect('SUBACK');
        const published = await clients.pub(
          recorder.port,
          [...['-t', lossTopic, '-l', '-q', '2', '-i', `${clients.family}-loss2`, '-c']],
          { input: 'once!\n' },
        );
        expect(published.status).toBe(0);
        const sent = (connection: number) => recorder.ladder(connection).filter((line) => / PUB/.test(line));
        expect(sent(1)).toEqual([expect.stringMatching(/^C>B 34 .. PUBLISH id=1 /), 'B>C 50 02 PUBREC id=1']);
        expect(sent(2)).toEqual([
          expect.stringMatching(/^C>B 3c .. PUBLISH id=1 dup /),
          'B>C 50 02 PUBREC id=1',
          'C>B 62 02 PUBREL id=1',
          'B>C 70 02 PUBCOMP id=1',
        ]);
        await subscriber.expectBytes(publish(lossTopic, 'once!', { qos: 1, id: 1 }));
        subscriber.send(puback(1));
        await subscriber.expectNothing();
        await recorder.close();
      },
      testPatienceMs,
    );
  });

  describe('G: wildcards', () => {
    const cases: readonly (readonly [filter: string, topic: string, matches: boolean])[] = [
      ['deib/+/temperature', 'deib/eg1/temperature', true],
      ['deib/+/temperature', 'deib/L26/room.1/temperature', false],
      ['deib/+/temperature', 'deib/eg1/humidity', false],
      ['deib/eg1/#', 'deib/eg1/temperature', true],
      ['deib/eg1/#', 'deib/eg1/humidity', true],
      ['deib/eg1/#', 'deib/L26.1/temperature', false],
      ['deib/eg2/+', 'deib/eg2/temperature', true],
      ['deib/eg2/+', 'deib/eg2', false],
    ];
    for (const [filter, topic, matches] of cases) {
      it.concurrent(`${filter} ${matches ? 'matches' : 'does not match'} ${topic}`, async () => {
        const client = await openClient(broker.port, { version: 4 });
        client.send(subscribe(1, [[filter, 0]]), publish(topic, client.clientIdentifier));
        await client.expect('SUBACK');
        // Other tests publish to the same topics.
        const own = (await client.collect()).filter((packet) => `${packet.payload}` === client.clientIdentifier);
        expect(own).toHaveLength(matches ? 1 : 0);
      });
    }
    for (const filter of ['deib/#/temperature', 'deib/eg1#', 'deib/eg+/temperature', '#/deib', '+deib']) {
      it.concurrent(`[MQTT311-4.7.1-2] [MQTT311-4.7.1-3] ${filter} is no filter`, async () => {
        const client = await openClient(broker.port, { version: 4 });
        client.send(subscribe(1, [[filter, 0]]));
        // The specification leaves open whether the filter or the connection is refused.
        const answer = await client.nextOrEnd();
        if (answer) expect(answer).toMatchObject({ name: 'SUBACK', codes: [0x80] });
      });
    }
  });

  describe('G: delivered QoS is the lower of the publisher’s and the subscriber’s', () => {
    for (const published of [0, 1, 2] as const) {
      for (const granted of [0, 1, 2] as const) {
        const delivered = Math.min(published, granted);
        it.concurrent(`[MQTT311-3.8.4-6] published at ${published}, granted ${granted}: ${delivered}`, async () => {
          const topic = `deck/qos/${published}${granted}`;
          const client = await openClient(broker.port, { version: 4 });
          client.send(subscribe(1, [[topic, granted]]));
          await client.expectBytes('90 03 00 01', Uint8Array.of(granted));
          const publisher = await openClient(broker.port, { version: 4 });
          publisher.send(publish(topic, 'x', { qos: published, id: 77 }));
          if (published === 1) await publisher.expectBytes(puback(77));
          if (published === 2) {
            await publisher.expectBytes(pubrec(77));
            await client.expectNothing();
            publisher.send(pubrel(77));
            await publisher.expectBytes(pubcomp(77));
          }
          await client.expectBytes(publish(topic, 'x', { qos: delivered, id: 1 }));
          if (delivered === 1) client.send(puback(1));
          if (delivered === 2) {
            client.send(pubrec(1));
            await client.expectBytes(pubrel(1));
            client.send(pubcomp(1));
          }
          await client.expectNothing();
        });
      }
    }
  });

  it('keeps subscriptions and QoS 1 and 2 messages that are neither sent nor acknowledged', async () => {
    const session = { version: 4, clientIdentifier: 'deck-session', cleanStart: false } as const;
    const first = await openClient(broker.port, session);
    first.send(subscribe(1, [['deck/session/+', 2]]));
    await first.expect('SUBACK');
    const publisher = await openClient(broker.port, { version: 4 });
    publisher.send(publish('deck/session/1', 'sent', { qos: 1, id: 1 }));
    await publisher.expectBytes(puback(1));
    await first.expectBytes(publish('deck/session/1', 'sent', { qos: 1, id: 1 }));
    await first.leave();
    publisher.send(publish('deck/session/2', 'not sent', { qos: 2, id: 2 }), pubrel(2));
    await publisher.expectBytes(pubrec(2), pubcomp(2));
    const second = await openClient(broker.port, session);
    await second.expectBytes(publish('deck/session/1', 'sent', { qos: 1, id: 1, dup: true }));
    await second.expectBytes(publish('deck/session/2', 'not sent', { qos: 2, id: 2 }));
    second.send(puback(1), pubrec(2));
    await second.expectBytes(pubrel(2));
    second.send(pubcomp(2), publish('deck/session/3', 'still subscribed'));
    await second.expectBytes(publish('deck/session/3', 'still subscribed'));
  });
});

describe('$SYS', () => {
  const broker = useBroker({ config: 'sys_interval 1' });
  it(
    'has the state of the broker, again and again, and stays out of leading wildcards',
    async () => {
      const watcher = await openClient(broker.port, { version: 4 });
      watcher.send(subscribe(1, [['#', 0]]), subscribe(2, [['+/broker/uptime', 0]]));
      await watcher.expectBytes('90 03 00 01 00', '90 03 00 02 00');
      const reader = await openClient(broker.port, { version: 4 });
      reader.send(subscribe(1, [['$SYS/#', 0]]));
      await reader.expect('SUBACK');
      const seen = new Map<string, string[]>();
      const wanted = [
        '$SYS/broker/clients/connected',
        '$SYS/broker/messages/received',
        '$SYS/broker/uptime',
        '$SYS/broker/version',
      ];
      while ((seen.get('$SYS/broker/uptime')?.length ?? 0) < 3 || wanted.some((topic) => !seen.has(topic))) {
        const packet = await reader.expect('PUBLISH');
        const values = seen.get(packet.topic ?? '') ?? [];
        seen.set(packet.topic ?? '', [...values, `${packet.payload}`]);
      }
      expect(seen.get('$SYS/broker/clients/connected')?.at(-1)).toBe('2');
      expect(seen.get('$SYS/broker/uptime')?.at(-1)).toMatch(/^\d+ seconds$/);
      expect(Number(seen.get('$SYS/broker/messages/received')?.at(-1))).toBeGreaterThanOrEqual(5);
      await watcher.expectNothing();
    },
    testPatienceMs,
  );
});

describe('broker -d', () => {
  it(
    'goes on in the background, listens, and notes its process',
    async () => {
      // The directory and the files come with a broker that is stopped at once.
      const port = await freePort();
      const host = await startBroker({
        files: {
          'daemon.conf': `user root\nallow_anonymous true\npid_file {directory}/daemon.pid\nlistener ${port} 127.0.0.1\n`,
        },
      });
      const [command, ...args] = commandLine(brokerUnderTest, 'broker');
      const daemonArgs = [...args, '-c', `${host.directory}/daemon.conf`, '-d'];
      const started = await run(command as string, daemonArgs, { timeoutMs: 20_000 });
      expect(started.status).toBe(0);
      const pid = await until(() => readPid(`${host.directory}/daemon.pid`), 'the pid file');
      try {
        const client = await until(
          () => openClient(port, { version: 4 }).catch(() => undefined),
          'the broker to listen',
        );
        client.send('e0 00');
        await client.expectClosed();
      } finally {
        process.kill(pid, 'SIGTERM');
      }
      await until(() => !isAlive(pid), 'the daemon to end');
      await host.stop();
    },
    testPatienceMs,
  );
});

function readPid(path: string): number | undefined {
  try {
    return Number(/^(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
