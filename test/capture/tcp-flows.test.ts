import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeaders } from '../../src/capture/decode-headers.ts';
import { FragmentTable } from '../../src/capture/fragments.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { readCapture } from '../../src/capture/read-capture.ts';
import type { StreamChunk } from '../../src/capture/stream-chunk.ts';
import { TcpFlows } from '../../src/capture/tcp-flows.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { flags, type SegmentFields, segmentFrame } from './made-frames.ts';

/** Feeds segments, and keeps what came of each. */
class Feed {
  readonly flows: TcpFlows;
  /** Bytes of both directions of each connection, as text, with `-n ` for missing ones. */
  readonly streams = new Map<string, string>();
  #number = 0;

  constructor(limits = {}) {
    this.flows = new TcpFlows(limits);
  }

  next(frame: Frame) {
    const result = this.flows.next(decodeHeaders(frame, new FragmentTable()))!;
    const { analysis } = result;
    const write = (direction: number, chunks: readonly StreamChunk[]) => {
      const key = `${analysis.flow.index}${direction === 0 ? '>' : '<'}`;
      const text = chunks.map((chunk) => `${chunk.missing > 0 ? `-${chunk.missing} ` : ''}${textOf(chunk)}`).join('');
      if (text !== '') this.streams.set(key, (this.streams.get(key) ?? '') + text);
    };
    write(1 - analysis.direction, result.released);
    write(analysis.direction, result.chunks);
    return { analysis, ended: result.ended, flow: analysis.flow };
  }

  client(fields: SegmentFields) {
    return this.next(segmentFrame(fields, ++this.#number));
  }

  server(fields: SegmentFields) {
    const { sourcePort = 1883, destinationPort = 40_000 } = fields;
    return this.next(segmentFrame({ from: 2, to: 1, ...fields, sourcePort, destinationPort }, ++this.#number));
  }

  open(sequence = 1000, fields: SegmentFields = {}) {
    this.client({ ...fields, sequence, flags: flags.syn });
    this.server({ sequence: 5000, acknowledgement: sequence + 1, flags: flags.syn | flags.ack });
    return this.client({ ...fields, sequence: sequence + 1, acknowledgement: 5001 });
  }
}

function textOf(chunk: StreamChunk): string {
  return String.fromCharCode(...chunk.source.bytes.subarray(chunk.start, chunk.end));
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function streamsOf(file: string): Promise<ReadonlyMap<string, string>> {
  const feed = new Feed();
  const path = join(repositoryDirectory, 'test/fixtures/captures', file);
  for await (const batch of readCapture(readFileSync(path))) for (const frame of batch) feed.next(frame);
  return feed.streams;
}

describe('TcpFlows', () => {
  it('takes who sent the SYN for the client, whatever the ports', () => {
    const feed = new Feed();
    const { flow, analysis } = feed.client({ sourcePort: 1883, destinationPort: 40_000, flags: flags.syn });
    expect(analysis.direction).toBe(0);
    expect(flow.client).toEqual({ address: new Uint8Array([10, 0, 0, 1]), port: 1883 });
    expect(flow.server.port).toBe(40_000);
    expect(
      new Feed().client({ sourcePort: 9, destinationPort: 8, flags: flags.syn | flags.ack }).analysis.direction,
    ).toBe(1);
  });

  it('takes the end with the known port for the server in the middle of a connection, else that with the lower one', () => {
    const direction = (sourcePort: number, destinationPort: number) =>
      new Feed().client({ sourcePort, destinationPort }).analysis.direction;
    expect(direction(1883, 200)).toBe(1);
    expect(direction(200, 8883)).toBe(0);
    expect(direction(5000, 4000)).toBe(0);
    expect(direction(4000, 5000)).toBe(1);
    expect(direction(7, 7)).toBe(0);
  });

  it('numbers connections in the order in which they appear, and knows both directions of each', () => {
    const feed = new Feed();
    for (const port of [1, 2, 3]) expect(feed.client({ sourcePort: 40_000 + port }).flow.index).toBe(port - 1);
    for (const port of [3, 1, 2]) expect(feed.server({ destinationPort: 40_000 + port }).flow.index).toBe(port - 1);
    expect(feed.client({ from: 3, sourcePort: 40_001 }).flow.index).toBe(3);
  });

  it('begins another connection at a SYN with another number, and not even after its end with the same', () => {
    const feed = new Feed();
    feed.open(1000);
    expect(feed.client({ sequence: 1000, flags: flags.syn }).flow.index).toBe(0);
    expect(feed.client({ sequence: 2000, flags: flags.syn })).toMatchObject({
      flow: { index: 1 },
      analysis: { marks: 0x4000 },
    });
    feed.client({ sequence: 2001, flags: flags.rst });
    expect(feed.client({ sequence: 2000, flags: flags.syn }).flow.index).toBe(1);
  });

  it('hands on what a SYN carries', () => {
    const feed = new Feed();
    feed.client({ sequence: 1000, flags: flags.syn, payload: bytes('abc') });
    feed.server({ sequence: 5000, acknowledgement: 1004, flags: flags.syn | flags.ack });
    feed.client({ sequence: 1004, acknowledgement: 5001, payload: bytes('d') });
    expect(feed.streams.get('0>')).toBe('abcd');
  });

  it('does not take keep-alives for data', () => {
    const feed = new Feed();
    feed.open();
    feed.client({ sequence: 1001, acknowledgement: 5001, payload: bytes('ab') });
    feed.client({ sequence: 1002, acknowledgement: 5001, payload: bytes('x') });
    feed.client({ sequence: 1003, acknowledgement: 5001, payload: bytes('c') });
    expect(feed.streams.get('0>')).toBe('abc');
  });

  it('gives lost bytes up when the other end acknowledges what is behind them', () => {
    const feed = new Feed();
    feed.open();
    feed.client({ sequence: 1004, acknowledgement: 5001, payload: bytes('def') });
    expect(feed.streams.size).toBe(0);
    feed.server({ sequence: 5001, acknowledgement: 1007, payload: bytes('yes') });
    expect(Object.fromEntries(feed.streams)).toEqual({ '0>': '-3 def', '0<': 'yes' });
  });

  it('ends each direction once, by FIN', () => {
    const feed = new Feed();
    feed.open();
    expect(
      feed.client({ sequence: 1001, acknowledgement: 5001, flags: flags.fin | flags.ack, payload: bytes('a') }).ended,
    ).toBe(1);
    expect(
      feed.client({ sequence: 1001, acknowledgement: 5001, flags: flags.fin | flags.ack, payload: bytes('a') }).ended,
    ).toBe(0);
    expect(feed.server({ sequence: 5001, acknowledgement: 1003, flags: flags.fin | flags.ack }).ended).toBe(2);
    expect(feed.client({ sequence: 1003, acknowledgement: 5002 }).ended).toBe(0);
    expect(feed.streams.get('0>')).toBe('a');
  });

  it('ends both directions by RST, and takes its payload for no data', () => {
    const feed = new Feed();
    feed.open();
    feed.client({ sequence: 1003, acknowledgement: 5001, payload: bytes('c') });
    expect(feed.server({ sequence: 5001, acknowledgement: 1001, flags: flags.rst, payload: bytes('why') }).ended).toBe(
      3,
    );
    expect(Object.fromEntries(feed.streams)).toEqual({ '0>': '-2 c' });
  });

  it('remembers no more connections than its limits say, and forgets those used longest ago', () => {
    const feed = new Feed({ openFlowsMax: 100, closedFlowsMax: 10 });
    for (let port = 1; port <= 1000; port++) {
      feed.client({ sourcePort: port, destinationPort: 9000, flags: flags.ack, payload: bytes('x') });
      feed.client({ sourcePort: 1, destinationPort: 9000, flags: flags.ack });
    }
    expect(feed.flows.size).toBe(100);
    expect(feed.client({ sourcePort: 1, destinationPort: 9000 }).flow.index).toBe(0);
    expect(feed.client({ sourcePort: 950, destinationPort: 9000 }).flow.index).toBe(949);
    expect(feed.client({ sourcePort: 2, destinationPort: 9000 }).flow.index).toBe(1000);
  });

  it('forgets connections that have ended sooner', () => {
    const feed = new Feed({ openFlowsMax: 100, closedFlowsMax: 10 });
    for (let port = 1; port <= 50; port++) {
      feed.client({ sourcePort: port, destinationPort: 9000, flags: flags.syn });
      feed.client({ sourcePort: port, destinationPort: 9000, sequence: 1, flags: flags.rst });
    }
    expect(feed.flows.size).toBe(10);
    expect(feed.client({ sourcePort: 45, destinationPort: 9000, sequence: 1 }).flow.index).toBe(44);
    expect(feed.client({ sourcePort: 5, destinationPort: 9000, sequence: 1 }).flow.index).toBe(50);
  });

  it('gives the same streams of a capture that is cut at random, reordered and repeated', async () => {
    const expected = await streamsOf('lab-split-random.pcap');
    expect([...expected.values()].join('').length).toBeGreaterThan(8000);
    expect(await streamsOf('lab-out-of-order.pcap')).toEqual(expected);
    expect(await streamsOf('lab-retransmission.pcap')).toEqual(expected);
  });

  it('gives the stream of a capture with every byte in a segment of its own', async () => {
    const streams = await streamsOf('lab-byte-by-byte.pcap');
    expect(streams.get('0>')!.slice(4, 8)).toBe('MQTT');
    for (const text of streams.values()) expect(text).not.toMatch(/^-\d+ /);
  });

  it('never throws, whatever the segments', () => {
    const near = fc.oneof(fc.nat(300), fc.integer({ min: -300, max: -1 }), fc.integer()).map((value) => value >>> 0);
    const segment = fc.record({
      from: fc.constantFrom(1, 2),
      sourcePort: fc.constantFrom(1883, 40_000),
      destinationPort: fc.constantFrom(1883, 40_000),
      sequence: near,
      acknowledgement: near,
      flags: fc.nat(63),
      window: fc.constantFrom(0, 1, 500),
      options: fc.array(fc.nat(255), { maxLength: 24 }),
      payload: fc.uint8Array({ maxLength: 30 }),
    });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 60 }), (segments) => {
        const feed = new Feed({ openFlowsMax: 3, closedFlowsMax: 2 });
        for (const fields of segments) {
          const { analysis } = feed.client({ ...fields, to: 3 - fields.from });
          expect(analysis.bytesInFlight).toBeGreaterThanOrEqual(0);
          expect(analysis.windowSize).toBeGreaterThanOrEqual(0);
        }
        expect(feed.flows.size).toBeLessThanOrEqual(5);
      }),
      { numRuns: 500 },
    );
  });

  it('says nothing of frames that are no TCP', () => {
    const frame = segmentFrame({});
    frame.bytes[23] = 17;
    expect(new TcpFlows().next(decodeHeaders(frame, new FragmentTable()))).toBeUndefined();
  });
});
