/** `clearwing/dissect` as programs use it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CaptureFileError,
  compileFilter,
  type DissectedFrame,
  dissect,
  FilterSyntaxError,
  frameMatcher,
  printTree,
  readCapture,
  registry,
  ValueSink,
} from '../../src/dissect/index.ts';
import { capturesDirectory } from '../support/captures.ts';

const bytesOf = (name: string) => new Uint8Array(readFileSync(join(capturesDirectory, name)));
const temperature = bytesOf('temperature-14-frames.pcap');

async function gather(frames: AsyncIterable<DissectedFrame>): Promise<DissectedFrame[]> {
  const gathered: DissectedFrame[] = [];
  for await (const frame of frames) gathered.push(frame);
  return gathered;
}

describe('dissect', () => {
  it('takes a capture to rows, frame by frame', async () => {
    const frames = await gather(dissect(temperature));
    expect(frames.map((frame) => `${frame.protocol()} ${frame.info()}`)).toEqual([
      expect.stringMatching(/^TCP 57564 → 1883 \[SYN\] Seq=0 /),
      expect.stringMatching(/^TCP 1883 → 57564 \[SYN, ACK\] Seq=0 Ack=1 /),
      expect.stringMatching(/^TCP 57564 → 1883 \[ACK\] Seq=1 Ack=1 /),
      'MQTT Connect Command',
      expect.stringMatching(/^TCP 1883 → 57564 \[ACK\] Seq=1 Ack=15 /),
      'MQTT Connect Ack',
      expect.stringMatching(/^TCP 57564 → 1883 \[ACK\] Seq=15 Ack=5 /),
      'MQTT Publish Message [resources/0c350791-4971-46a0-8b00-9034df38a36c/temperature]',
      expect.stringMatching(/^TCP 1883 → 57564 \[ACK\] Seq=5 Ack=146 /),
      'MQTT Disconnect Req',
      expect.stringMatching(/^TCP 1883 → 57564 \[ACK\] Seq=5 Ack=148 /),
      expect.stringMatching(/^TCP 57564 → 1883 \[FIN, ACK\] Seq=148 Ack=5 /),
      expect.stringMatching(/^TCP 1883 → 57564 \[FIN, ACK\] Seq=5 Ack=149 /),
      expect.stringMatching(/^TCP 57564 → 1883 \[ACK\] Seq=149 Ack=6 /),
    ]);
  });

  it('gives the frames that match a filter, and the time since the one given before', async () => {
    const frames = await gather(dissect(temperature, { filter: 'mqtt' }));
    expect(frames.map(({ frame }) => frame.number)).toEqual([4, 6, 8, 10]);
    const delta = registry.find('frame.time_delta_displayed')![0]!;
    const sink = new ValueSink([delta]);
    frames[1]!.describe(sink);
    expect(sink.valuesOf(delta)).toEqual([{ seconds: 0, nanoseconds: 5_174_728 - 3_286_336 }]);
  });

  it('describes a frame at any time afterwards, as often as asked', async () => {
    const frames = await gather(dissect(temperature));
    const first = frames.map(printTree);
    expect(frames.map(printTree)).toEqual(first);
    expect(first[3]).toContain('MQ Telemetry Transport Protocol, Connect Command\n    Header Flags: 0x10');
    expect(first[7]).toContain('        0011 .... = Message Type: Publish Message (3)\n');
  });

  it('takes bytes as they come, and frames that somebody else read', async () => {
    async function* chunks() {
      for (let at = 0; at < temperature.length; at += 100) yield temperature.subarray(at, at + 100);
    }
    expect(await gather(dissect(chunks()))).toHaveLength(14);
    const frames = [];
    for await (const batch of readCapture(temperature)) frames.push(...batch);
    expect(await gather(dissect(frames))).toHaveLength(14);
    expect(await gather(dissect([]))).toEqual([]);
  });

  it('says what it was given instead of frames or of a filter', async () => {
    await expect(gather(dissect([1, 2] as never))).rejects.toThrow('a list to be dissected is one of frames');
    await expect(gather(dissect('capture.pcap' as never))).rejects.toThrow('a capture cannot be a string');
    expect(() => compileFilter(undefined as never)).toThrow('a filter is a string, not undefined');
  });

  it('refuses what is no filter before the first frame, and a damaged file behind the last', async () => {
    await expect(gather(dissect(temperature, { filter: 'mqtt.msgtype ==' }))).rejects.toThrow(FilterSyntaxError);
    const numbers: number[] = [];
    const read = async () => {
      for await (const { frame } of dissect(bytesOf('lab-cut-file.pcap'))) numbers.push(frame.number);
    };
    await expect(read()).rejects.toThrow(CaptureFileError);
    expect(numbers).toHaveLength(40);
  });

  it('dissects each capture by itself', async () => {
    const [one, two] = await Promise.all([gather(dissect(temperature)), gather(dissect(temperature))]);
    expect(one!.map(printTree)).toEqual(two!.map(printTree));
  });
});

describe('frameMatcher', () => {
  it('says of any frame whether it matches', async () => {
    const matches = frameMatcher(compileFilter('tcp.stream == 0 && tcp.flags.syn == 1 && ip.addr == 127.0.0.0/8'));
    const frames = await gather(dissect(temperature));
    expect(frames.filter(matches).map(({ frame }) => frame.number)).toEqual([1, 2]);
  });
});
