import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../src/capture/frame.ts';
import {
  HeldBudget,
  heldBytesMax,
  heldSegmentsMax,
  heldSegmentsOneSidedMax,
  StreamAssembler,
} from '../../src/capture/stream-assembler.ts';
import type { StreamChunk } from '../../src/capture/stream-chunk.ts';
import { frameOf } from './made-frames.ts';

/** Feeds an assembler, and writes down what comes out: `-3` for three missing bytes, then the text of each chunk. */
class Feed {
  readonly budget = new HeldBudget();
  readonly assembler = new StreamAssembler(this.budget);
  readonly chunks: StreamChunk[] = [];
  #number = 1;

  constructor(begin?: number) {
    if (begin !== undefined) this.assembler.begin(begin | 0);
  }

  /** @param length - as sent; default all of it was captured */
  receive(sequence: number, text: string, { length = text.length, isOneSided = false } = {}): this {
    const frame = frameOf(new TextEncoder().encode(`..${text}`), { number: this.#number++ });
    const end = frame.bytes.length;
    this.assembler.receive(sequence | 0, frame, 2, end, length, frame, isOneSided, this.chunks);
    return this;
  }

  acknowledge(sequence: number): this {
    this.assembler.acknowledge(sequence | 0, this.chunks);
    return this;
  }

  get text(): string {
    return this.chunks.map((chunk) => `${chunk.missing > 0 ? `-${chunk.missing} ` : ''}${textOf(chunk)}`).join('|');
  }
}

function textOf(chunk: StreamChunk): string {
  return new TextDecoder().decode(chunk.source.bytes.subarray(chunk.start, chunk.end));
}

describe('StreamAssembler', () => {
  it('hands segments that come in order on as they are, as views of their frames', () => {
    const feed = new Feed(1).receive(1, 'abc').receive(4, 'de');
    expect(feed.text).toBe('abc|de');
    expect(feed.chunks.map((chunk) => [chunk.source, chunk.start, chunk.end])).toEqual(
      feed.chunks.map((chunk) => [chunk.frame, 2, chunk.frame.bytes.length]),
    );
  });

  it('takes the first segment for the beginning where no SYN was seen', () => {
    expect(new Feed().receive(1000, 'abc').receive(1003, 'd').text).toBe('abc|d');
  });

  it('drops what comes again', () => {
    expect(new Feed(1).receive(1, 'abc').receive(1, 'abc').receive(2, 'b').receive(4, 'd').text).toBe('abc|d');
  });

  it('hands on only the new end of a segment that begins in what is known', () => {
    expect(new Feed(1).receive(1, 'abc').receive(2, 'xxde').text).toBe('abc|de');
  });

  it('holds what comes early, and says by which frame it came', () => {
    const feed = new Feed(1).receive(4, 'def').receive(7, 'g');
    expect(feed.text).toBe('');
    expect(feed.receive(1, 'abc').text).toBe('abc|def|g');
    expect(feed.chunks.map((chunk) => chunk.frame.number)).toEqual([3, 1, 2]);
    expect(feed.budget.bytes).toBe(0);
  });

  it('keeps the bytes that were seen first where held segments overlap', () => {
    const feed = new Feed(1).receive(5, 'EF').receive(9, 'I').receive(3, 'cdxxghxjk').receive(1, 'abyy');
    expect(feed.text).toBe('ab|cd|EF|gh|I|jk');
  });

  it('gives a hole up when the peer acknowledges bytes behind it', () => {
    const feed = new Feed(1).receive(1, 'a').receive(4, 'de').receive(8, 'h');
    expect(feed.acknowledge(3).text).toBe('a');
    expect(feed.acknowledge(5).text).toBe('a|-2 de');
    expect(feed.acknowledge(9).text).toBe('a|-2 de|-2 h');
    expect(feed.receive(2, 'bc').receive(9, 'i').text).toBe('a|-2 de|-2 h|i');
  });

  it('still waits where the acknowledgement says only that the hole is filled: the frame may come yet', () => {
    expect(new Feed(1).receive(3, 'cd').acknowledge(3).receive(1, 'ab').text).toBe('ab|cd');
  });

  it('gives up sooner where the peer was never seen', () => {
    const feed = new Feed(1);
    for (let index = 0; index < heldSegmentsOneSidedMax; index++) feed.receive(10 + index, 'x', { isOneSided: true });
    expect(feed.text).toBe('');
    feed.receive(10 + heldSegmentsOneSidedMax, 'x', { isOneSided: true });
    expect(feed.chunks).toHaveLength(heldSegmentsOneSidedMax + 1);
    expect(feed.chunks[0]!.missing).toBe(9);
  });

  it('gives up a hole when too many segments or bytes wait behind it', () => {
    const feed = new Feed(1);
    for (let index = 0; index <= heldSegmentsMax; index++) feed.receive(10 + 2 * index, 'x');
    expect(feed.chunks).toHaveLength(1);
    const large = new Feed(1);
    const text = 'x'.repeat(65_536);
    for (let index = 0; index <= heldBytesMax / text.length; index++) large.receive(10 + index * text.length, text);
    expect(large.chunks.length).toBe(heldBytesMax / text.length + 1);
    expect(large.assembler.heldBytes).toBe(0);
  });

  it('counts bytes that the capture cut off as missing', () => {
    expect(new Feed(1).receive(1, 'abc', { length: 10 }).receive(11, 'k').text).toBe('abc|-7 k');
    expect(new Feed(1).receive(1, '', { length: 10 }).receive(11, 'k').text).toBe('-10 k');
    expect(new Feed(1).receive(4, 'd', { length: 3 }).receive(7, 'g').receive(1, 'abc').text).toBe('abc|d|-2 g');
  });

  it('wraps around at 2^32, and at 2^31 of its counts', () => {
    for (const start of [0xffffffff, 0x7fffffff, -2]) {
      const feed = new Feed(start)
        .receive(start, 'abc')
        .receive(start + 5, 'fg')
        .receive(start + 3, 'de');
      expect(feed.text).toBe('abc|de|fg');
    }
  });

  it('finds its footing when the stream goes on far back, once a second segment confirms it', () => {
    const feed = new Feed(1).receive(1, 'a').receive(-900_000_000, 'uv').receive(-800_000_000, 'x');
    expect(feed.text).toBe('a');
    feed.receive(-799_999_999, 'y').receive(-799_999_998, 'z');
    expect(feed.text).toBe(`a|-${2 ** 32 - 799_999_999 - 2} y|z`);
  });

  it('ends at FIN, when everything before it came', () => {
    const feed = new Feed(1).receive(3, 'cd');
    feed.assembler.finish(5);
    expect(feed.assembler.isEnded).toBe(false);
    feed.receive(1, 'ab');
    expect(feed.assembler.isEnded).toBe(true);
    expect(feed.receive(5, 'x').receive(6, 'y').text).toBe('ab|cd');
  });

  it('ends at FIN with bytes missing before it, when FIN is acknowledged', () => {
    const feed = new Feed(1).receive(1, 'a');
    feed.assembler.finish(5);
    expect(feed.acknowledge(5).assembler.isEnded).toBe(false);
    expect(feed.acknowledge(6).assembler.isEnded).toBe(true);
  });

  it('hands everything on at a reset', () => {
    const feed = new Feed(1).receive(3, 'c').receive(6, 'f');
    feed.assembler.reset(feed.chunks);
    expect(feed.text).toBe('-2 c|-2 f');
    expect(feed.assembler.isEnded).toBe(true);
  });

  it('gives back what it held of the shared budget', () => {
    const feed = new Feed(1).receive(3, 'cde');
    expect(feed.budget.bytes).toBe(3);
    feed.assembler.release();
    expect(feed.budget.bytes).toBe(0);
  });
});

/**
 * A naive assembler: for each place of the stream the byte that was seen first, or that it was sent but cut off; nothing else. Whatever comes out of the
 * real one must be these bytes, in order, each once, and missing may only be what never came before it was given up.
 */
describe('StreamAssembler against a naive model', () => {
  interface Piece {
    readonly start: number;
    readonly length: number;
    readonly captured: number;
    /** What it was sent with: another content each time, so that the first is told from the rest. */
    readonly fill: number;
    /** The peer's acknowledgement after it, as a part of what was sent; -1: none. */
    readonly acknowledge: number;
  }

  const streamLength = 200;
  const none = fc.constant(-1);
  const acknowledge = fc.oneof({ weight: 4, arbitrary: none }, { weight: 1, arbitrary: fc.nat(streamLength) });
  const place = { start: fc.nat(streamLength - 1), length: fc.integer({ min: 1, max: 40 }), fill: fc.nat(255) };
  const whole: fc.Arbitrary<Piece> = fc.record({ ...place, captured: fc.constant(60), acknowledge });
  const cut: fc.Arbitrary<Piece> = fc.record({ ...place, captured: fc.nat(60), acknowledge: none });
  // Not both in one run: what is given up without a chunk behind it shows only in what is not taken afterwards.
  const captures = fc.oneof(fc.array(whole, { maxLength: 60 }), fc.array(cut, { maxLength: 60 }));
  const base = fc.constantFrom(0, 1, -100, 0x7fffffff - 100, 0x80000000 | 0);

  it('gives exactly the bytes seen first, each once, in order, and announces every other one as missing', () => {
    fc.assert(
      fc.property(captures, base, (pieces, zero) => {
        const budget = new HeldBudget();
        const assembler = new StreamAssembler(budget);
        assembler.begin(zero);
        const seen = new Map<number, number>();
        const taken = new Set<number>();
        let at = 0;
        for (const { start, length, captured, fill, acknowledge } of pieces) {
          const chunks: StreamChunk[] = [];
          const bytes = new Uint8Array(Math.min(captured, length)).fill(fill);
          for (let index = 0; index < length; index++) {
            const place = start + index;
            if (taken.has(place)) continue;
            taken.add(place);
            if (index < bytes.length) seen.set(place, fill);
          }
          const frame: Frame = frameOf(bytes);
          assembler.receive((zero + start) | 0, frame, 0, bytes.length, length, frame, false, chunks);
          if (acknowledge >= 0) assembler.acknowledge((zero + acknowledge) | 0, chunks);
          for (const chunk of chunks) {
            for (let index = 0; index < chunk.missing; index++) expect(seen.has(at + index)).toBe(false);
            // What is given up is over: should it come after all, it is as if it had been there already.
            for (let index = 0; index < chunk.missing; index++) taken.add(at + index);
            at += chunk.missing;
            for (let index = chunk.start; index < chunk.end; index++)
              expect(chunk.source.bytes[index]).toBe(seen.get(at++));
          }
        }
        const rest: StreamChunk[] = [];
        assembler.reset(rest);
        for (const chunk of rest) at += chunk.missing + (chunk.end - chunk.start);
        const last = Math.max(0, ...[...seen.keys()].map((place) => place + 1));
        expect(at).toBe(last);
        expect(budget.bytes).toBe(0);
      }),
      { numRuns: 1500 },
    );
  });

  it('gives back the whole stream if every byte came, however it was cut, repeated and mixed', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 499 }), { maxLength: 40 });
    fc.assert(
      fc.property(
        cuts,
        fc.array(fc.nat(1000), { maxLength: 40 }),
        fc.infiniteStream(fc.nat()),
        base,
        (points, again, random, zero) => {
          const stream = Uint8Array.from({ length: 500 }, (_, index) => (index * 7) & 0xff);
          const edges = [0, ...points.sort((a, b) => a - b), stream.length];
          const segments = edges.slice(1).map((end, index) => [edges[index]!, end] as const);
          for (const repeat of again) segments.push(segments[repeat % segments.length]!);
          const order = segments.map((segment) => ({ segment, key: random.next().value as number }));
          order.sort((a, b) => a.key - b.key);
          const assembler = new StreamAssembler(new HeldBudget());
          assembler.begin(zero);
          const chunks: StreamChunk[] = [];
          const frame = frameOf(stream);
          for (const {
            segment: [start, end],
          } of order)
            assembler.receive((zero + start) | 0, frame, start, end, end - start, frame, false, chunks);
          expect(chunks.every((chunk) => chunk.missing === 0)).toBe(true);
          expect(chunks.flatMap((chunk) => [...chunk.source.bytes.subarray(chunk.start, chunk.end)])).toEqual([
            ...stream,
          ]);
          expect(assembler.isHolding).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });
});
