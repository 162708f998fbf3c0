import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync, constants as zlib } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CaptureDecoder } from '../../src/capture/capture-decoder.ts';
import type { CaptureFileError } from '../../src/capture/capture-file-error.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { GzipReader } from '../../src/capture/gzip-reader.ts';
import { type CaptureSource, readCapture } from '../../src/capture/read-capture.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { joined, pcapFile } from './capture-bytes.ts';

const captures = join(repositoryDirectory, 'test/fixtures/captures');
const about = JSON.parse(readFileSync(join(captures, 'about.json'), 'utf8')) as Record<string, { frames: number }>;
const frame = Uint8Array.from({ length: 61 }, (_, index) => (index * 7) & 255);
const manyFrames = pcapFile(Array.from({ length: 300 }, (_, index) => [index, index, frame.subarray(index % 60)]));

async function readAll(source: CaptureSource): Promise<{ frames: Frame[]; problem: CaptureFileError | undefined }> {
  const frames: Frame[] = [];
  try {
    for await (const batch of readCapture(source)) {
      expect(batch.length).toBeGreaterThan(0);
      frames.push(...batch);
    }
  } catch (error) {
    return { frames, problem: error as CaptureFileError };
  }
  return { frames, problem: undefined };
}

async function* inStrings(): AsyncGenerator<string> {
  yield 'capture';
}

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

describe('the recorded captures', () => {
  const files = readdirSync(captures).filter((name) => name in about);

  it.each(files)('%s has the frames that tshark counts, with its times and lengths', async (name) => {
    const { frames, problem } = await readAll(createReadStream(join(captures, name), { highWaterMark: 1000 }));
    if (name === 'lab-cut-file.pcap') expect(problem).toMatchObject({ fault: 'cut-short', offset: 3583 });
    else expect(problem).toBeUndefined();
    // tshark counts a Custom Block as a frame, the one who counted for about.json did not.
    const customBlocks = frames.filter(({ interface: source }) => source.customBlock !== undefined).length;
    expect(frames.length - customBlocks).toBe(about[name]!.frames);
    const lines = readFileSync(join(captures, 'golden', name, 'fields.tsv'), 'utf8')
      .trimEnd()
      .split('\n');
    const columns = lines[0]!.split('\t');
    const column = (line: string, title: string) => line.split('\t')[columns.indexOf(title)]!;
    for (const line of lines.slice(1)) {
      const { length, bytes, seconds, nanoseconds } = frames[Number(column(line, 'frame.number')) - 1]!;
      expect(`${seconds}.${String(nanoseconds).padStart(9, '0')}`).toBe(column(line, 'frame.time_epoch'));
      expect(String(length)).toBe(column(line, 'frame.len'));
      expect(String(bytes.length)).toBe(column(line, 'frame.cap_len'));
    }
  });
});

describe('reading a capture', () => {
  it('is the same from memory, from chunks, from a stream, packed and not', async () => {
    const expected = (await readAll(manyFrames)).frames.map(({ seconds, bytes }) => [seconds, [...bytes]]);
    expect(expected).toHaveLength(300);
    const packed = gzipSync(manyFrames);
    const twice = joined(
      gzipSync(manyFrames.subarray(0, 5000)),
      gzipSync(manyFrames.subarray(5000)),
      new Uint8Array(512),
    );
    const sources: CaptureSource[] = [
      inChunks(manyFrames, 1),
      inChunks(manyFrames, 333),
      new Blob([manyFrames]).stream(),
      new Blob([manyFrames]),
      manyFrames.slice().buffer,
      packed,
      inChunks(packed, 1),
      inChunks(packed, 100),
      twice,
      inChunks(twice, 7),
    ];
    for (const source of sources) {
      const { frames, problem } = await readAll(source);
      expect(problem).toBeUndefined();
      expect(frames.map(({ seconds, bytes }) => [seconds, [...bytes]])).toEqual(expected);
    }
  });

  it('gives what has come while more is to come', async () => {
    let release = () => {};
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* growing(): AsyncGenerator<Uint8Array> {
      yield manyFrames.subarray(0, 24 + 77);
      await waiting;
      yield manyFrames.subarray(24 + 77);
    }
    const batches = readCapture(growing());
    expect((await batches.next()).value).toHaveLength(1);
    release();
    expect((await batches.next()).value).toHaveLength(299);
    expect((await batches.next()).done).toBe(true);
  });

  it('ends its source when the loop is left', async () => {
    let ended = false;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        while (true) yield pcapFile([[1, 1, frame]]);
      } finally {
        ended = true;
      }
    }
    for await (const _ of readCapture(source())) break;
    expect(ended).toBe(true);
  });

  it('hands on what the source throws', async () => {
    async function* source(): AsyncGenerator<Uint8Array> {
      yield manyFrames;
      throw new Error('the disk is gone');
    }
    const { frames, problem } = await readAll(source());
    expect(frames).toHaveLength(300);
    expect(problem?.message).toBe('the disk is gone');
  });

  it('says what it was given instead of a capture', async () => {
    const sources: readonly (readonly [source: unknown, message: string])[] = [
      [undefined, 'a capture cannot be undefined'],
      [null, 'a capture cannot be null'],
      ['capture.pcap', 'a capture cannot be a string'],
      [[1, 2], 'a capture cannot be an array'],
      [{}, 'a capture cannot be an object'],
      [inStrings(), 'a capture came as a string; expected bytes'],
    ];
    for (const [source, message] of sources) {
      const { problem } = await readAll(source as CaptureSource);
      expect(problem).toBeInstanceOf(TypeError);
      expect(problem!.message).toContain(message);
    }
  });

  it('lets the decoder be looked at between batches', async () => {
    const decoder = new CaptureDecoder();
    for await (const _ of readCapture(manyFrames, { decoder })) expect(decoder.interfaces).toHaveLength(1);
    expect(decoder.format).toBe('pcap');
    expect(decoder.isCompressed).toBe(false);
  });
});

describe('gzip', () => {
  const packed = gzipSync(manyFrames);

  it.each([
    ['stored', { level: 0 }],
    ['fast', { level: 1 }],
    ['thorough', { level: 9 }],
    ['with fixed codes', { strategy: zlib.Z_FIXED }],
    ['without copies', { strategy: zlib.Z_HUFFMAN_ONLY }],
    ['with runs', { strategy: zlib.Z_RLE }],
  ])('unpacks what zlib packed: %s', (_, options) => {
    const random = fc.sample(fc.uint8Array({ minLength: 70_000, maxLength: 70_000, size: 'max' }), {
      numRuns: 1,
      seed: 5,
    })[0]!;
    const contents = [
      new Uint8Array(0),
      manyFrames,
      random,
      new Uint8Array(1_000_000),
      joined(random, manyFrames, random),
    ];
    for (const content of contents) {
      const bytes = gzipSync(content, options);
      for (const step of [4096, 100_000_000]) expect(Buffer.compare(unpack(bytes, step), content)).toBe(0);
    }
    expect(Buffer.compare(unpack(gzipSync(manyFrames, options), 1), manyFrames)).toBe(0);
  });

  it('unpacks members with all that a header may have', () => {
    const body = packed.subarray(10);
    const start = joined(
      Uint8Array.of(0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3),
      Uint8Array.of(3, 0, 1, 2, 3),
      new TextEncoder().encode('name\0'),
      new TextEncoder().encode('a comment\0'),
    );
    // The header's own checksum is the lower half of what gzip keeps of data.
    const summed = gzipSync(start);
    const header = joined(start, summed.subarray(summed.length - 8, summed.length - 6));
    for (const step of [1, 1000]) expect(Buffer.compare(unpack(joined(header, body), step), manyFrames)).toBe(0);
  });

  it('gives the frames before the place where it was cut, wherever that is', async () => {
    for (let length = 0; length < packed.length; length += 11) {
      const { frames, problem } = await readAll(packed.subarray(0, length));
      const unpackable = gunzipSync(packed.subarray(0, length), { finishFlush: zlib.Z_SYNC_FLUSH });
      const expected = new CaptureDecoder().push(unpackable).length;
      expect(frames.length).toBe(expected);
      expect(problem).toMatchObject(length === 0 ? { fault: 'empty' } : { fault: 'cut-short', offset: length });
    }
    expect((await readAll(packed.subarray(0, -1))).frames).toHaveLength(300);
  });

  it('gives the frames before damage, and says where it is', async () => {
    const wrongSum = Uint8Array.from(packed);
    wrongSum[packed.length - 8]! ^= 1;
    const wrongLength = Uint8Array.from(packed);
    wrongLength[packed.length - 1]! ^= 1;
    const followed = joined(packed, new TextEncoder().encode('and more'));
    const end = packed.length;
    for (const [bytes, message] of [
      [wrongSum, /^its gzip checksum is wrong, at byte /],
      [wrongLength, /^its gzip length is wrong, at byte /],
      [followed, /^something else follows its gzip data, at byte /],
    ] as const) {
      const { frames, problem } = await readAll(bytes);
      expect(frames).toHaveLength(300);
      expect(problem).toMatchObject({ fault: 'damaged', message: expect.stringMatching(message) });
      expect(Math.abs((problem as CaptureFileError).offset - end)).toBeLessThanOrEqual(8);
    }
    const method = Uint8Array.from(packed);
    method[2] = 9;
    expect((await readAll(method)).problem).toMatchObject({
      fault: 'damaged',
      message: expect.stringMatching(/^its gzip data cannot be: unknown compression method, at byte /),
    });
  });

  it('never hands out anything wrong as right', () => {
    fc.assert(
      fc.property(
        fc.nat(packed.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.integer({ min: 1, max: 500 }),
        (position, change, step) => {
          const changed = Uint8Array.from(packed);
          changed[position]! ^= change;
          let result: Uint8Array | undefined;
          try {
            result = unpack(changed, step);
          } catch (error) {
            expect(error).toMatchObject({ name: 'CaptureFileError' });
          }
          if (result !== undefined) expect(Buffer.compare(result, manyFrames)).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** @throws {CaptureFileError} */
function unpack(bytes: Uint8Array, step: number): Uint8Array {
  const reader = new GzipReader();
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += step)
    reader.push(bytes.subarray(start, start + step), (part) => parts.push(part));
  const problem = reader.end();
  if (problem !== undefined) throw problem;
  return Buffer.concat(parts);
}
