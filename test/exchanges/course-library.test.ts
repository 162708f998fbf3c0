/** EXCHANGES.md E: the lab of a course, scenario by scenario, with the keep alives and intervals shortened. */
import { describe, expect, it } from 'vitest';
import { forEachClientFamily } from '../support/client-programs.ts';
import { openClient } from '../support/raw-client.ts';
import { puback, publish, subscribe, text } from '../support/raw-packets.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';
import { ladderLine, startWireRecorder, type WireRecorder } from '../support/wire-recorder.ts';

const headersBeforeMqtt = 66;

const withRecorder = async (port: number, use: (recorder: WireRecorder) => Promise<void>) => {
  const recorder = await startWireRecorder(port);
  try {
    await use(recorder);
  } finally {
    await recorder.close();
  }
};

describe('a course lab', () => {
  const broker = useBroker();

  forEachClientFamily('E', (clients) => {
    const concurrently = (title: string, run: () => Promise<void>) => it.concurrent(title, run, testPatienceMs);
    /** Tests of both families and at the same time share a broker, so each has topics of its own of the same length. */
    const mark = clients.family === 'clearwing' ? 'c' : 'm';
    const name = (topic: string, letter: string) => topic.replace('paho', `p${mark}${letter}o`);

    concurrently('E1: publishes through the broker to a subscriber at QoS 0', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/test/topic', '1');
        const subscriber = clients.sub(recorder.port, ['-t', topic, '-C', '1']);
        await recorder.waitFor(/SUBACK/, 1);
        await clients.pub(recorder.port, ['-t', topic, '-m', 'Hello']);
        await subscriber.finished;
        await recorder.waitForEnd(1);
        expect(recorder.ladder(1).slice(1)).toEqual([
          'B>C 20 02 CONNACK flags=0 code=0',
          `C>B 82 14 SUBSCRIBE id=1 [${topic}] q0`,
          'B>C 90 03 SUBACK id=1 codes=0',
          `B>C 30 16 PUBLISH [${topic}] "Hello"`,
          'C>B e0 00 DISCONNECT',
        ]);
        expect(recorder.ladder(2).slice(1)).toEqual([
          'B>C 20 02 CONNACK flags=0 code=0',
          `C>B 30 16 PUBLISH [${topic}] "Hello"`,
          'C>B e0 00 DISCONNECT',
        ]);
      }),
    );

    for (const qos of [1, 2] as const) {
      concurrently(`E2: forwards a QoS ${qos} message to a QoS 0 subscriber at QoS 0`, () =>
        withRecorder(broker.port, async (recorder) => {
          const topic = name('paho/test/topic', qos === 1 ? '2' : '3');
          const subscriber = clients.sub(recorder.port, ['-t', topic, '-C', '1']);
          await recorder.waitFor(/SUBACK/, 1);
          await clients.pub(recorder.port, ['-t', topic, '-m', 'ten bytes!', '-q', `${qos}`]);
          await subscriber.finished;
          const copy = await recorder.waitFor(/B>C 3. .. PUBLISH/, 1);
          expect(ladderLine(copy)).toBe(`B>C 30 1b PUBLISH [${topic}] "ten bytes!"`);
          expect(copy.bytes.length + headersBeforeMqtt).toBe(95);
          const handshake = recorder.ladder(2).filter((line) => / (PUB\w+) /.test(line));
          if (qos === 1) {
            expect(handshake).toEqual([`C>B 32 1d PUBLISH id=1 [${topic}] "ten bytes!"`, 'B>C 40 02 PUBACK id=1']);
            return;
          }
          expect(handshake).toEqual([
            `C>B 34 1d PUBLISH id=1 [${topic}] "ten bytes!"`,
            'B>C 50 02 PUBREC id=1',
            'C>B 62 02 PUBREL id=1',
            'B>C 70 02 PUBCOMP id=1',
          ]);
          const order = recorder.packets();
          const release = order.findIndex((recorded) => /C>B 62 02 PUBREL/.test(ladderLine(recorded)));
          expect(order.indexOf(copy), 'the copy goes out once the PUBREL has come in').toBeGreaterThan(release);
        }),
      );
    }

    concurrently('E3: delivers what either of two wildcards matches, and nothing else', async () => {
      const root = name('paho', '4');
      const filters = [`${root}/test/+/temperature`, `${root}/test/#`];
      const subscriber = clients.sub(broker.port, ['-v', '-d', '-t', filters[0] as string, '-t', filters[1] as string]);
      await subscriber.waitForOutput(/received SUBACK/);
      for (const [topic, value] of [
        [`${root}/test/livingroom/humidity`, '1'],
        [`${root}/test2/livingroom/humidity`, '2'],
        [`${root}/test/livingroom/temperature`, '3'],
        [`${root}/test`, '4'],
      ] as const) {
        await clients.pub(broker.port, ['-t', topic, '-m', value]);
      }
      await subscriber.waitForOutput(`${root}/test 4\n`);
      const delivered = (await subscriber.stop('SIGINT')).stdout.split('\n').filter((line) => line.startsWith(root));
      const expected = [
        `${root}/test/livingroom/humidity 1`,
        `${root}/test/livingroom/temperature 3`,
        `${root}/test 4`,
      ];
      // mosquitto's default is one copy for each subscription that matches.
      if (broker.program === 'mosquitto') expect([...new Set(delivered)]).toEqual(expected);
      else expect(delivered).toEqual(expected);
    });

    concurrently('E4: hands a retained message to a later subscriber right after SUBACK', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/sensor/temperature', '5');
        await clients.pub(recorder.port, ['-t', topic, '-m', '20°', '-r']);
        expect(recorder.ladder(1).slice(2)).toEqual([`C>B 31 1d PUBLISH [${topic}] "20°"`, 'C>B e0 00 DISCONNECT']);
        const result = await clients.sub(recorder.port, ['-t', topic, '-C', '1']).finished;
        expect(result.stdoutBytes.toString('hex')).toBe(Buffer.from('20°\n', 'utf8').toString('hex'));
        expect(recorder.ladder(2).slice(2)).toEqual([
          `C>B 82 1c SUBSCRIBE id=1 [${topic}] q0`,
          'B>C 90 03 SUBACK id=1 codes=0',
          `B>C 31 1d PUBLISH [${topic}] "20°"`,
          'C>B e0 00 DISCONNECT',
        ]);
      }),
    );

    concurrently('E5: pings at the keep alive interval, and each ping is answered', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/test/topic', '6');
        // 5 seconds is the shortest that the classic clients take.
        const quick = clients.sub(recorder.port, ['-t', topic, '-k', '5']);
        await recorder.waitFor(/SUBACK/, 1);
        const slow = clients.sub(recorder.port, ['-t', topic, '-k', '10']);
        await recorder.waitFor(/SUBACK/, 2);
        await recorder.waitFor(/B>C d0 00 PINGRESP/, 1, 2, 30_000);
        await recorder.waitFor(/B>C d0 00 PINGRESP/, 2, 1, 30_000);
        const times = (connection: number, pattern: RegExp) =>
          recorder
            .packets(connection)
            .filter((recorded) => pattern.test(ladderLine(recorded)))
            .map((recorded) => recorded.at);
        const [firstPing, secondPing] = times(1, /C>B c0 00 PINGREQ/) as [number, number];
        const [quietSince] = times(1, /C>B 82/) as [number];
        expect(firstPing - quietSince).toBeGreaterThan(4_000);
        expect(secondPing - firstPing).toBeGreaterThan(4_000);
        const [slowQuietSince, slowPing] = [...times(2, /C>B 82/), ...times(2, /C>B c0 00 PINGREQ/)] as [
          number,
          number,
        ];
        expect(slowPing - slowQuietSince).toBeGreaterThan(8_000);
        expect(recorder.ends()).toEqual([]);
        quick.kill('SIGINT');
        slow.kill('SIGINT');
        await Promise.all([quick.finished, slow.finished]);
      }),
    );

    concurrently('E6: publishes the will of a client that is killed, at once', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/LWT', '7');
        const heir = clients.sub(broker.port, ['-v', '-d', '-t', topic]);
        await heir.waitForOutput(/received SUBACK/);
        const mortal = clients.sub(recorder.port, [
          ...['-t', name('paho/test', '7'), '--will-topic', topic, '--will-payload', 'LWT'],
        ]);
        await recorder.waitFor(/SUBACK/, 1);
        const [first] = recorder.packets(1);
        expect(ladderLine(first!)).toMatch(new RegExp(`^C>B 10 .. CONNECT v4 flags=06 k60 will \\[${topic}\\] "LWT"$`));
        mortal.kill('SIGKILL');
        await heir.waitForOutput(`${topic} LWT\n`);
        expect(recorder.ladder(1).at(-1)).not.toMatch(/DISCONNECT/);
        await heir.stop('SIGINT');
      }),
    );

    concurrently('E6: publishes nothing when the client says goodbye', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/LWT', '8');
        const heir = await openClient(broker.port, { version: 4 });
        heir.send(subscribe(1, [[topic, 0]]));
        await heir.expect('SUBACK');
        const polite = clients.sub(recorder.port, [
          ...['-t', name('paho/test', '8'), '--will-topic', topic, '--will-payload', 'LWT'],
        ]);
        await recorder.waitFor(/SUBACK/, 1);
        await polite.stop('SIGINT');
        await recorder.waitForEnd(1);
        expect(recorder.ladder(1).at(-1)).toBe('C>B e0 00 DISCONNECT');
        await heir.expectNothing();
      }),
    );

    concurrently('E7: keeps QoS 1 for an absent client and delivers it right after CONNACK', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/test', '9');
        const identity = ['-i', name('unique-paho', '9'), '-c', '-t', topic, '-q', '1'];
        const first = clients.sub(recorder.port, identity);
        await recorder.waitFor(/SUBACK/, 1);
        await first.stop('SIGINT');
        await recorder.waitForEnd(1);
        expect(recorder.ladder(1)[0]).toMatch(/CONNECT v4 flags=00 k60$/);
        await clients.pub(broker.port, ['-t', topic, '-m', 'at most once', '-q', '0']);
        await clients.pub(broker.port, ['-t', topic, '-m', 'at least once', '-q', '1']);

        const second = await clients.sub(recorder.port, [...identity, '-C', '1']).finished;
        expect(second.stdout).toBe('at least once\n');
        await recorder.waitForEnd(2);
        const fromBroker = recorder.ladder(2).filter((line) => line.startsWith('B>C'));
        expect(fromBroker.slice(0, 2)).toEqual([
          'B>C 20 02 CONNACK flags=1 code=0',
          `B>C 32 1a PUBLISH id=1 [${topic}] "at least once"`,
        ]);
      }),
    );

    concurrently('E8: takes readings from a sensor until the subscriber goes by itself', () =>
      withRecorder(broker.port, async (recorder) => {
        const topic = name('paho/temp', 'a');
        const subscriber = clients.sub(recorder.port, ['-t', topic, '-W', '8']);
        await recorder.waitFor(/SUBACK/, 1);
        const sensor = clients.startPub(broker.port, ['-t', topic, '-l', '-k', '30'], { keepInputOpen: true });
        const readings: string[] = [];
        const stopAt = performance.now() + 1_500;
        while (readings.length < 8 && performance.now() < stopAt) {
          readings.push(`${10 + Math.floor(Math.random() * 21)}`);
          sensor.write(`${readings.at(-1)}\n`);
          await recorder.waitFor(/B>C 30 .. PUBLISH/, 1, readings.length);
        }
        // 27 says that the time given with -W is over.
        expect(await subscriber.finished).toMatchObject({ status: 27, stdout: `${readings.join('\n')}\n` });
        await recorder.waitForEnd(1);
        expect(recorder.ladder(1).at(-1)).toBe('C>B e0 00 DISCONNECT');
        sensor.endInput();
        expect(await sensor.finished).toMatchObject({ status: 0 });
      }),
    );
  });

  it.concurrent(
    'E5: disconnects a client that is silent for one and a half keep alives, and publishes its will',
    async () => {
      const heir = await openClient(broker.port, { version: 4 });
      heir.send(subscribe(1, [['silent/will', 0]]));
      await heir.expect('SUBACK');
      const will = { topic: 'silent/will', payload: text('gone') };
      const startedAt = performance.now();
      const silent = await openClient(broker.port, { version: 4, keepAlive: 1, will });
      await silent.expectClosed();
      expect(performance.now() - startedAt).toBeGreaterThan(1_400);
      await heir.expectBytes(publish('silent/will', 'gone'));
    },
    testPatienceMs,
  );

  it.concurrent(
    'E7: delivers the backlog to a client that does not subscribe again',
    async () => {
      const session = { version: 4, clientIdentifier: 'unique-raw', cleanStart: false } as const;
      const first = await openClient(broker.port, session);
      first.send(subscribe(1, [['raw/session', 1]]));
      await first.expect('SUBACK');
      first.send('e0 00');
      await first.expectClosed();
      const publisher = await openClient(broker.port, { version: 4 });
      publisher.send(publish('raw/session', '0', { qos: 0 }), publish('raw/session', '1', { qos: 1, id: 5 }));
      await publisher.expectBytes(puback(5));
      const second = await openClient(broker.port, session);
      expect(second.connack.flags).toBe(1);
      await second.expectBytes(publish('raw/session', '1', { qos: 1, id: 1 }));
      second.send(puback(1));
      await second.expectNothing();
    },
    testPatienceMs,
  );
});

describe('E3: overlapping subscriptions of one client', () => {
  const deliveriesWith = (config: string, count: number, title: string) => {
    describe(config || 'by default', () => {
      const broker = useBroker({ config });
      it(
        title,
        async () => {
          const client = await openClient(broker.port, { version: 4 });
          client.send(subscribe(1, [['paho/test/+/temperature', 2]]), subscribe(2, [['paho/test/#', 0]]));
          await client.expectBytes('90 03 00 01 02', '90 03 00 02 00');
          client.send(publish('paho/test/room/temperature', 'x', { qos: 1, id: 9 }));
          const levels: (number | undefined)[] = [];
          for (const packet of await client.collect()) if (packet.name === 'PUBLISH') levels.push(packet.qos);
          expect(levels.sort()).toEqual(count === 1 ? [1] : [0, 1]);
        },
        testPatienceMs,
      );
    });
  };
  deliveriesWith('allow_duplicate_messages false', 1, 'are served once, at the highest QoS that was granted');
  deliveriesWith('allow_duplicate_messages true', 2, 'are served once each');
});
