/** EXCHANGES.md F: a course lab with the classic command-line clients on `::1`. */
import { describe, expect, it } from 'vitest';
import { startBroker } from '../support/broker-process.ts';
import { forEachClientFamily } from '../support/client-programs.ts';
import { openClient } from '../support/raw-client.ts';
import { publish, subscribe } from '../support/raw-packets.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';
import { startWireRecorder } from '../support/wire-recorder.ts';

describe('the classic clients', () => {
  const broker = useBroker();

  forEachClientFamily('F', (clients) => {
    const prefix = clients.family;

    it.concurrent(
      'two wildcard subscribers each see their part of a topic tree',
      async () => {
        const root = `${prefix}/handong`;
        const all = clients.sub(broker.port, ['-v', '-d', '-t', `${root}/csee/#`]);
        const second = clients.sub(broker.port, ['-v', '-d', '-t', `${root}/+/b`]);
        await all.waitForOutput(/received SUBACK/);
        await second.waitForOutput(/received SUBACK/);
        for (const [topic, value] of [
          ['csee/a', '2222'],
          ['csee/b', '3333'],
          ['csee/c', '4444'],
          ['csee', '55555'],
          ['mec/a', '6666'],
          ['mec/b', '7777'],
          ['mec', '8888'],
        ] as const) {
          expect((await clients.pub(broker.port, ['-t', `${root}/${topic}`, '-m', value])).status).toBe(0);
        }
        await all.waitForOutput(' 55555\n');
        await second.waitForOutput(' 7777\n');
        const messages = (output: string) => output.split('\n').filter((line) => line.startsWith(root));
        expect(messages((await all.stop('SIGINT')).stdout)).toEqual([
          `${root}/csee/a 2222`,
          `${root}/csee/b 3333`,
          `${root}/csee/c 4444`,
          `${root}/csee 55555`,
        ]);
        expect(messages((await second.stop('SIGINT')).stdout)).toEqual([`${root}/csee/b 3333`, `${root}/mec/b 7777`]);
      },
      testPatienceMs,
    );

    for (const qos of [1, 2] as const) {
      it.concurrent(
        `two messages at QoS ${qos} to one subscriber make the ladder on both sides, identifiers per connection`,
        async () => {
          const topic = `${prefix}/qos${qos}`;
          const recorder = await startWireRecorder(broker.port);
          const subscriber = clients.sub(recorder.port, ['-t', topic, '-q', `${qos}`, '-C', '2']);
          await recorder.waitFor(/SUBACK/, 1);
          for (const [index, value] of ['first', 'second'].entries()) {
            await clients.pub(recorder.port, ['-t', topic, '-m', value, '-q', `${qos}`]);
            await recorder.waitFor(qos === 1 ? /C>B 40 02 PUBACK/ : /C>B 70 02 PUBCOMP/, 1, index + 1);
          }
          expect((await subscriber.finished).stdout).toBe('first\nsecond\n');
          await recorder.waitForEnd(1);
          const handshake = (connection: number) => recorder.ladder(connection).filter((line) => / PUB/.test(line));
          const length = (value: string) => (2 + topic.length + 2 + value.length).toString(16).padStart(2, '0');
          const ladder = (id: number, value: string, sender: 'C' | 'B', receiver: 'C' | 'B') => [
            `${sender}>${receiver} 3${qos * 2} ${length(value)} PUBLISH id=${id} [${topic}] "${value}"`,
            ...(qos === 1
              ? [`${receiver}>${sender} 40 02 PUBACK id=${id}`]
              : [
                  `${receiver}>${sender} 50 02 PUBREC id=${id}`,
                  `${sender}>${receiver} 62 02 PUBREL id=${id}`,
                  `${receiver}>${sender} 70 02 PUBCOMP id=${id}`,
                ]),
          ];
          expect(handshake(1)).toEqual([...ladder(1, 'first', 'B', 'C'), ...ladder(2, 'second', 'B', 'C')]);
          expect(handshake(2)).toEqual(ladder(1, 'first', 'C', 'B'));
          expect(handshake(3)).toEqual(ladder(1, 'second', 'C', 'B'));
          await recorder.close();
        },
        testPatienceMs,
      );
    }

    it.concurrent(
      'a will is published when the terminal of its subscriber is closed',
      async () => {
        // As long as in the lab, so that the lengths are those of the lab, yet of this family alone.
        const topic = `handong/statu${prefix[0]}`;
        const payload = 'Subscrber #1 is disconnected';
        const recorder = await startWireRecorder(broker.port);
        const heir = clients.sub(recorder.port, ['-v', '-d', '-t', topic]);
        await heir.waitForOutput(/received SUBACK/);
        const mortal = clients.sub(recorder.port, [
          ...['-t', `${prefix}/handong/csee/#`, '--will-topic', topic, '--will-payload', payload],
        ]);
        await recorder.waitFor(/SUBACK/, 2);
        const [connect] = recorder.packets(2);
        expect(connect?.packet.connect).toMatchObject({ flags: 0x06, keepAlive: 60 });
        expect(connect?.packet.connect?.will?.topic).toHaveLength(14);
        expect(connect?.packet.connect?.will?.payload).toHaveLength(28);
        // A closed terminal sends this, and the classic client does not catch it.
        mortal.kill('SIGHUP');
        await heir.waitForOutput(`${topic} ${payload}\n`);
        await recorder.waitForEnd(2);
        expect(recorder.ladder(1).at(-1)).toBe(`B>C 30 2c PUBLISH [${topic}] "${payload}"`);
        expect(recorder.ladder(2).at(-1)).not.toMatch(/DISCONNECT/);
        await heir.stop('SIGINT');
        await recorder.close();
      },
      testPatienceMs,
    );

    it.concurrent(
      'a late subscriber sees the last retained value alone, an early one sees all',
      async () => {
        const topic = `${prefix}/info/server`;
        const recorder = await startWireRecorder(broker.port);
        const early = clients.sub(recorder.port, ['-t', topic, '-C', '3']);
        await recorder.waitFor(/SUBACK/, 1);
        const addresses = ['192.168.120.24', '192.168.120.43', '192.168.120.49'];
        for (const address of addresses) await clients.pub(broker.port, ['-t', topic, '-m', address, '-r']);
        expect((await early.finished).stdout).toBe(`${addresses.join('\n')}\n`);
        const late = await clients.sub(recorder.port, ['-t', topic, '-C', '1']).finished;
        expect(late.stdout).toBe('192.168.120.49\n');
        const firstBytes = (connection: number) =>
          recorder
            .packets(connection)
            .filter((recorded) => recorded.packet.name === 'PUBLISH')
            .map((recorded) => recorded.bytes[0]);
        expect(firstBytes(1)).toEqual([0x30, 0x30, 0x30]);
        expect(firstBytes(2)).toEqual([0x31]);
        await recorder.close();
      },
      testPatienceMs,
    );
  });

  forEachClientFamily('F over IPv6', (clients) => {
    it(
      'meet on ::1 with a broker that was started with a port only',
      async () => {
        const localBroker = await startBroker({ withoutConfig: true });
        const address = ['-h', '::1', '-t', 'handong'];
        const subscriber = clients.sub(localBroker.port, [...address, '-d', '-C', '1']);
        await subscriber.waitForOutput(/received SUBACK/);
        await clients.pub(localBroker.port, [...address, '-m', 'Hello']);
        expect((await subscriber.finished).stdout).toContain('\nHello\n');
        expect(await localBroker.stop()).toBe(0);
      },
      testPatienceMs,
    );
  });
});

describe('identifiers', () => {
  const broker = useBroker();
  it('[MQTT-2.2.1-4] count per connection, whatever the publisher used', async () => {
    const [one, two, publisher] = await Promise.all([1, 2, 3].map(() => openClient(broker.port, { version: 4 })));
    for (const subscriber of [one!, two!]) {
      subscriber.send(subscribe(1, [['ids', 1]]));
      await subscriber.expect('SUBACK');
    }
    publisher!.send(publish('ids', 'x', { qos: 1, id: 4711 }));
    await publisher!.expectBytes('40 02 12 67');
    for (const subscriber of [one!, two!]) await subscriber.expectBytes(publish('ids', 'x', { qos: 1, id: 1 }));
  });
});
