import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CaptureDecoder } from '../../src/capture/capture-decoder.ts';
import { type CaptureInterface, Frame } from '../../src/capture/frame.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { PcapWriter } from '../../src/capture/pcap-writer.ts';
import { tlsKeyLogSecrets } from '../../src/capture/pcapng-blocks.ts';
import { PcapngWriter } from '../../src/capture/pcapng-writer.ts';
import { repositoryDirectory } from '../support/paths.ts';
import { describeWithPeer, peerPath } from '../support/peers.ts';
import { run } from '../support/run.ts';

const captures = join(repositoryDirectory, 'test/fixtures/captures');
const captureFiles = readdirSync(captures).filter((name) => /\.pcap(ng)?(\.gz)?$/.test(name));
const body = Uint8Array.from({ length: 200 }, (_, index) => index);

function decode(...files: readonly Uint8Array[]): { decoder: CaptureDecoder; frames: Frame[] } {
  const decoder = new CaptureDecoder();
  const frames = files.flatMap((file) => decoder.push(file));
  expect(decoder.end()).toBeUndefined();
  return { decoder, frames };
}

/** All of a capture as pcapng. */
function rewritten(file: Uint8Array): Uint8Array {
  const decoder = new CaptureDecoder();
  const frames = decoder.push(file);
  const writer = new PcapngWriter(decoder.sections[0]);
  for (const source of decoder.interfaces) writer.interfaceOf(source);
  for (const { type, bytes } of decoder.secrets) writer.writeSecrets(type, bytes);
  if (decoder.names.length > 0) writer.writeNames(decoder.names);
  for (const frame of frames) writer.writeFrame(frame);
  writer.writeStatistics();
  return writer.take();
}

/** What a frame says. In pcap there is no place for comments and flags. */
function facts({ number, seconds, nanoseconds, length, bytes, comments, flags, hasTime }: Frame) {
  return { number, seconds, nanoseconds, length, bytes: [...bytes], comments, flags, hasTime };
}

/** The result of `take` is written over later. */
const taken = (writer: { take(): Uint8Array }) => writer.take().slice();

const arbitraryFrames = fc.array(
  fc.record({
    seconds: fc.integer({ min: 0, max: 4_294_967_295 }),
    nanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    size: fc.integer({ min: 0, max: 200 }),
    more: fc.integer({ min: 0, max: 2000 }),
    source: fc.integer({ min: 0, max: 2 }),
    comments: fc.option(
      fc.array(
        fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
        { minLength: 1, maxLength: 3 },
      ),
      { nil: undefined },
    ),
    flags: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 0xffff_ffff })),
  }),
  { maxLength: 20 },
);

const sources: readonly CaptureInterface[] = [linkTypes.ethernet, linkTypes.raw, linkTypes.linuxCooked2].map(
  (linkType, index) => ({
    index,
    linkType,
    snapLength: index * 1000,
    name: index === 0 ? undefined : `eth${index}`,
    description: index === 1 ? 'the grüne wire' : undefined,
    filter: index === 2 ? 'tcp' : undefined,
  }),
);

describe('pcap', () => {
  it.each([
    ['microseconds', 1000],
    ['nanoseconds', 1],
  ] as const)('written in %s is read back the same', (resolution, step) => {
    fc.assert(
      fc.property(arbitraryFrames, (list) => {
        const writer = new PcapWriter({ linkType: 101, resolution });
        const source = { ...sources[1]!, linkType: 101 };
        const frames = list.map(
          ({ seconds, nanoseconds, size, more }, index) =>
            new Frame(
              index + 1,
              seconds,
              nanoseconds - (nanoseconds % step),
              size + more,
              body.subarray(0, size),
              source,
              undefined,
            ),
        );
        for (const frame of frames) writer.writeFrame(frame);
        const { decoder, frames: read } = decode(writer.take());
        expect(read.map(facts)).toEqual(frames.map(facts));
        expect(decoder.interfaces[0]).toMatchObject({ linkType: 101, snapLength: 262_144 });
      }),
    );
  });

  it('cuts off what is finer than its resolution', () => {
    const writer = new PcapWriter({ linkType: 1 });
    writer.writePacket(5, 999_999_999, 3, body.subarray(0, 3));
    expect(decode(writer.take()).frames[0]).toMatchObject({ seconds: 5, nanoseconds: 999_999_000 });
  });

  it('takes frames of its link type only', () => {
    const writer = new PcapWriter({ linkType: 1 });
    const frame = new Frame(7, 0, 0, 3, body.subarray(0, 3), sources[1]!, undefined);
    expect(writer.accepts(frame)).toBe(false);
    expect(() => writer.writeFrame(frame)).toThrow('frame 7 has link type 101; the file has 1');
  });
});

describe('pcapng', () => {
  it('is read back the same: frames, interfaces, comments, flags', () => {
    fc.assert(
      fc.property(arbitraryFrames, (list) => {
        const writer = new PcapngWriter();
        const frames = list.map(
          ({ seconds, nanoseconds, size, more, source, comments, flags }, index) =>
            new Frame(
              index + 1,
              seconds,
              nanoseconds,
              size + more,
              body.subarray(0, size),
              sources[source]!,
              comments,
              flags,
            ),
        );
        for (const frame of frames) writer.writeFrame(frame);
        writer.writeStatistics();
        const { frames: read } = decode(writer.take());
        expect(read.map(facts)).toEqual(frames.map(facts));
        for (const [index, { interface: source }] of read.entries()) {
          const { linkType, snapLength, name, description, filter } = frames[index]!.interface;
          expect(source).toMatchObject({ linkType, snapLength, name, description, filter, timeDigits: 9 });
        }
      }),
    );
  });

  it('describes its section and its interfaces', () => {
    const writer = new PcapngWriter({
      comments: ['one', 'two'],
      hardware: 'h',
      operatingSystem: 'o',
      application: 'a',
    });
    const options = {
      linkType: 1,
      snapLength: 96,
      name: 'n',
      description: 'd',
      filter: 'f',
      hardware: 'hw',
      operatingSystem: 'os',
      checkSequenceLength: 4,
      comments: ['c'],
    };
    expect(writer.addInterface(options)).toBe(0);
    expect(writer.addInterface({ linkType: 101 })).toBe(1);
    const { decoder } = decode(writer.take());
    expect(decoder.sections).toEqual([
      { comments: ['one', 'two'], hardware: 'h', operatingSystem: 'o', application: 'a' },
    ]);
    expect(decoder.interfaces).toMatchObject([options, { linkType: 101, snapLength: 0, name: undefined }]);
  });

  it('joins what lies apart, and hands out what was written in pieces', () => {
    const writer = new PcapngWriter();
    const index = writer.addInterface({ linkType: 1 });
    const files = [taken(writer)];
    expect(writer.pendingBytes).toBe(0);
    for (let count = 0; count < 5; count++) {
      writer.writePacket(index, count, 5, 100, body.subarray(0, count), body.subarray(count, 90 + count));
      expect(writer.pendingBytes).toBeGreaterThan(100);
      files.push(taken(writer));
    }
    const { frames } = decode(...files);
    expect(frames.map(({ seconds, bytes }) => [seconds, [...bytes]])).toEqual(
      [0, 1, 2, 3, 4].map((count) => [count, [...body.subarray(0, 90 + count)]]),
    );
  });

  it('keeps what was taken until the next time', () => {
    const writer = new PcapWriter({ linkType: 1 });
    const first = writer.take();
    const copy = first.slice();
    for (let count = 0; count < 2000; count++) writer.writePacket(1, 1, 200, body);
    expect(first).toEqual(copy);
    expect(writer.take()).toHaveLength(2000 * 216);
  });

  it('holds secrets and names', () => {
    const writer = new PcapngWriter();
    const text = new TextEncoder().encode('CLIENT_RANDOM 00 11\n');
    const names = [
      { address: Uint8Array.of(127, 0, 0, 1), names: ['localhost', 'grün'] },
      { address: new Uint8Array(16), names: ['any'] },
    ];
    writer.writeSecrets(tlsKeyLogSecrets, text);
    writer.writeNames(names);
    const { decoder } = decode(writer.take());
    expect(decoder.secrets).toEqual([{ type: tlsKeyLogSecrets, bytes: text }]);
    expect(decoder.names).toEqual(names);
  });

  it('cuts comments that are too long, between characters', () => {
    const writer = new PcapngWriter();
    writer.writeFrame(new Frame(1, 1, 1, 3, body.subarray(0, 3), sources[0]!, [`${'x'.repeat(65_534)}ü`, 'short']));
    expect(decode(writer.take()).frames[0]!.comments).toEqual(['x'.repeat(65_534), 'short']);
  });

  it('writes times before the epoch as the epoch', () => {
    const writer = new PcapngWriter();
    writer.writePacket(writer.addInterface({ linkType: 1 }), -5, 7, 1, body.subarray(0, 1));
    expect(decode(writer.take()).frames[0]).toMatchObject({ seconds: 0, nanoseconds: 7 });
  });

  it.each(captureFiles)('has all of %s', (name) => {
    const original = new CaptureDecoder().push(readFileSync(join(captures, name)));
    expect(decode(rewritten(readFileSync(join(captures, name)))).frames.map(facts)).toEqual(original.map(facts));
  });
});

describeWithPeer('tshark', 'tshark', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'clearwing-capture-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function tshark(path: string): Promise<string> {
    const fields = [
      'frame.number',
      'frame.time_epoch',
      'frame.len',
      'frame.cap_len',
      'frame.comment',
      'frame.interface_id',
      'frame.packet_flags',
      '_ws.col.Info',
    ];
    const result = await run(peerPath('tshark'), [
      '-n',
      '-r',
      path,
      '-T',
      'fields',
      ...fields.flatMap((field) => ['-e', field]),
    ]);
    expect(result.stderr.replace(/^Running as user .*\n/, '')).toBe('');
    expect(result.status).toBe(0);
    return result.stdout;
  }

  it.each(['lab-pcapng-blocks-le.pcapng', 'lab-tls12-dsb.pcapng', 'lab-websocket-frames.pcapng'])(
    'reads %s the same after it was written again',
    async (name) => {
      const path = join(directory, name);
      writeFileSync(path, rewritten(readFileSync(join(captures, name))));
      expect(await tshark(path)).toBe(await tshark(join(captures, name)));
    },
  );

  it('reads what was written as pcap', async () => {
    for (const resolution of ['microseconds', 'nanoseconds'] as const) {
      const { frames } = decode(readFileSync(join(captures, 'lab-v31.pcap')));
      const writer = new PcapWriter({ linkType: linkTypes.ethernet, resolution });
      for (const frame of frames) writer.writeFrame(frame);
      const path = join(directory, `${resolution}.pcap`);
      writeFileSync(path, writer.take());
      expect(await tshark(path)).toBe(await tshark(join(captures, 'lab-v31.pcap')));
    }
  });
});
