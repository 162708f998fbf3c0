import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../src/capture/frame.ts';
import { readCapture } from '../../src/capture/read-capture.ts';
import { ownCaptures, realCaptures, skippedCaptures } from '../support/captures.ts';
import { describeWithPeer } from '../support/peers.ts';
import { conversationFrames } from './made-conversations.ts';
import { differences, ourFields, tsharkFields, tsharkFieldsOfFrames } from './tshark-fields.ts';

async function framesOf(path: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  try {
    for await (const batch of readCapture(readFileSync(path))) frames.push(...batch);
  } catch {
    // A file whose end is missing: what is there counts.
  }
  return frames;
}

const seeds = (from: number, to: number, trouble: number) =>
  Array.from({ length: to - from }, (_, index) => ({ seed: from + index, port: 20_000 + from + index, trouble }));

describe('analyseSegment', () => {
  it('counts a connection from its SYN, also where the numbers wrap around', () => {
    for (const { seed, port, trouble } of seeds(0, 40, 0)) {
      const rows = [...ourFields(conversationFrames([{ seed, port, trouble }])).values()];
      expect(rows.slice(0, 3).map((row) => `${row.get('tcp.seq')} ${row.get('tcp.ack')}`)).toEqual([
        '0 0',
        '0 1',
        '1 1',
      ]);
      for (const row of rows) expect(Number(row.get('tcp.nxtseq'))).toBeLessThan(10_000);
    }
  });
});

describeWithPeer('tshark', 'analyseSegment beside tshark', () => {
  it('says the same of conversations without fault', () => {
    const frames = conversationFrames(seeds(0, 100, 0));
    expect(differences(ourFields(frames), tsharkFieldsOfFrames(frames))).toEqual([]);
  }, 60_000);

  it('says the same of conversations with loss, repetition, reordering, keep-alives and gaps', () => {
    const frames = conversationFrames(seeds(100, 200, 1));
    expect(differences(ourFields(frames), tsharkFieldsOfFrames(frames))).toEqual([]);
  }, 60_000);

  /** Of these, test/dissect/tshark.test.ts leaves something out when it compares the trees, in which the same numbers are. */
  const own = ['lab-out-of-order.pcap', 'lab-tls12-dsb.pcapng'];
  const real = ['real-ndn-project-mqtt.pcapng'];
  for (const { name, path } of [...ownCaptures, ...realCaptures]) {
    if (!own.includes(name) && !real.includes(name)) continue;
    it(`says the same of ${name}`, async () => {
      const lines = differences(ourFields(await framesOf(path)), tsharkFields(path));
      // Segments that ICMP quotes set tshark's clock of the connection, too.
      expect(lines.filter((line) => !real.includes(name) || !line.includes('tcp.time_delta'))).toEqual([]);
    }, 60_000);
  }

  it('is asked about captures that are there', () => {
    const names = [...ownCaptures, ...realCaptures].map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(skippedCaptures === undefined ? [...own, ...real] : own));
  });
});
