/** EXCHANGES.md A, B and C: a subscriber of a slow counter at each QoS, packet by packet. */
import { describe, expect, it } from 'vitest';
import { forEachClientFamily } from '../support/client-programs.ts';
import { testPatienceMs, useBroker } from '../support/suite.ts';
import { startWireRecorder } from '../support/wire-recorder.ts';

/** Ethernet, IPv4 and TCP with timestamps. */
const headersBeforeMqtt = 66;

const acknowledgedBy = ['', 'PUBACK', 'PUBCOMP'] as const;

describe('a slow counter', () => {
  const broker = useBroker();

  forEachClientFamily('seen on the wire', (clients) => {
    const watch = async (qos: 0 | 1 | 2, values: readonly string[]) => {
      const topic = `counter/slow/q${qos}`;
      const recorder = await startWireRecorder(broker.port);
      const subscriber = clients.sub(recorder.port, ['-t', topic, '-q', `${qos}`, '-C', `${values.length}`]);
      await recorder.waitFor(/SUBACK/, 1);
      for (const [index, value] of values.entries()) {
        const publisher = await clients.pub(broker.port, ['-t', topic, '-m', value, '-q', `${qos}`]);
        expect(publisher).toMatchObject({ status: 0, stdout: '', stderr: '' });
        // Step by step, as a slow counter goes: the next value comes when this one is dealt with.
        if (qos > 0) await recorder.waitFor(new RegExp(`C>B .. .. ${acknowledgedBy[qos]}`), 1, index + 1);
        else await recorder.waitFor(/PUBLISH/, 1, index + 1);
      }
      const result = await subscriber.finished;
      await recorder.waitForEnd(1);
      await recorder.close();
      expect(result).toMatchObject({ status: 0, stdout: values.map((value) => `${value}\n`).join(''), stderr: '' });
      const sizes = recorder.packets(1).map((recorded) => recorded.bytes.length + headersBeforeMqtt);
      const ladder = recorder.ladder(1);
      // Who makes up the client identifier is the client's affair, so the length of CONNECT is left out.
      expect(ladder[0]).toMatch(/^C>B 10 .. CONNECT v4 flags=02 k60$/);
      return { ladder: ladder.slice(1), sizes: sizes.slice(1) };
    };

    it(
      'A: at QoS 0 each step is one PUBLISH',
      async () => {
        const { ladder, sizes } = await watch(0, ['315', '316', '317']);
        expect(ladder).toEqual([
          'B>C 20 02 CONNACK flags=0 code=0',
          'C>B 82 14 SUBSCRIBE id=1 [counter/slow/q0] q0',
          'B>C 90 03 SUBACK id=1 codes=0',
          'B>C 30 14 PUBLISH [counter/slow/q0] "315"',
          'B>C 30 14 PUBLISH [counter/slow/q0] "316"',
          'B>C 30 14 PUBLISH [counter/slow/q0] "317"',
          'C>B e0 00 DISCONNECT',
        ]);
        expect(sizes).toEqual([70, 88, 71, 88, 88, 88, 68]);
      },
      testPatienceMs,
    );

    it(
      'B: at QoS 1 each step is PUBLISH and PUBACK with the next identifier',
      async () => {
        const { ladder, sizes } = await watch(1, ['268', '269', '270']);
        expect(ladder).toEqual([
          'B>C 20 02 CONNACK flags=0 code=0',
          'C>B 82 14 SUBSCRIBE id=1 [counter/slow/q1] q1',
          'B>C 90 03 SUBACK id=1 codes=1',
          'B>C 32 16 PUBLISH id=1 [counter/slow/q1] "268"',
          'C>B 40 02 PUBACK id=1',
          'B>C 32 16 PUBLISH id=2 [counter/slow/q1] "269"',
          'C>B 40 02 PUBACK id=2',
          'B>C 32 16 PUBLISH id=3 [counter/slow/q1] "270"',
          'C>B 40 02 PUBACK id=3',
          'C>B e0 00 DISCONNECT',
        ]);
        expect(sizes).toEqual([70, 88, 71, 90, 70, 90, 70, 90, 70, 68]);
      },
      testPatienceMs,
    );

    it(
      'C: at QoS 2 each step is PUBLISH, PUBREC, PUBREL, PUBCOMP with one identifier',
      async () => {
        const { ladder } = await watch(2, ['41', '42']);
        const step = (id: number, value: string) => [
          `B>C 34 15 PUBLISH id=${id} [counter/slow/q2] "${value}"`,
          `C>B 50 02 PUBREC id=${id}`,
          `B>C 62 02 PUBREL id=${id}`,
          `C>B 70 02 PUBCOMP id=${id}`,
        ];
        expect(ladder).toEqual([
          'B>C 20 02 CONNACK flags=0 code=0',
          'C>B 82 14 SUBSCRIBE id=1 [counter/slow/q2] q2',
          'B>C 90 03 SUBACK id=1 codes=2',
          ...step(1, '41'),
          ...step(2, '42'),
          'C>B e0 00 DISCONNECT',
        ]);
      },
      testPatienceMs,
    );
  });
});
