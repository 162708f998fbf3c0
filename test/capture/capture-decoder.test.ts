import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CaptureDecoder } from '../../src/capture/capture-decoder.ts';
import type { CaptureFileError } from '../../src/capture/capture-file-error.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { joined, PcapngBytes, pcapFile } from './capture-bytes.ts';

const frame = Uint8Array.from({ length: 61 }, (_, index) => index);
const ng = new PcapngBytes();

function decode(
  file: Uint8Array,
  chunkBytes = file.length,
): { frames: Frame[]; decoder: CaptureDecoder; problem: CaptureFileError | undefined } {
  const decoder = new CaptureDecoder();
  const frames: Frame[] = [];
  for (let start = 0; start < file.length; start += chunkBytes)
    frames.push(...decoder.push(file.subarray(start, start + chunkBytes)));
  return { frames, decoder, problem: decoder.end() };
}

/** What a frame says, without its interface. */
function facts({ number, seconds, nanoseconds, length, bytes, comments, flags, hasTime }: Frame) {
  return { number, seconds, nanoseconds, length, bytes: [...bytes], comments, flags, hasTime };
}

describe('pcap', () => {
  it.each([
    ['microseconds, little-endian', true, 0xa1b2c3d4, 0, 5_000, 6],
    ['microseconds, big-endian', false, 0xa1b2c3d4, 0, 5_000, 6],
    ['nanoseconds, little-endian', true, 0xa1b23c4d, 0, 5, 9],
    ['nanoseconds, big-endian', false, 0xa1b23c4d, 0, 5, 9],
    ['with longer records, little-endian', true, 0xa1b2cd34, 8, 5_000, 6],
    ['with longer records, big-endian', false, 0xa1b2cd34, 8, 5_000, 6],
  ] as const)('is read: %s', (_, isLittleEndian, magic, extraBytes, nanoseconds, timeDigits) => {
    const file = pcapFile(
      [
        [1_700_000_000, 5, frame],
        [4_294_967_295, 5, frame.subarray(0, 10), 2000],
        [0, 5, new Uint8Array(0)],
      ],
      { isLittleEndian, magic, extraBytes, linkType: 101 },
    );
    const { frames, decoder, problem } = decode(file);
    expect(problem).toBeUndefined();
    expect(decoder.format).toBe('pcap');
    const common = { nanoseconds, comments: undefined, flags: -1, hasTime: true };
    expect(frames.map(facts)).toEqual([
      { ...common, number: 1, seconds: 1_700_000_000, length: 61, bytes: [...frame] },
      { ...common, number: 2, seconds: 4_294_967_295, length: 2000, bytes: [...frame.subarray(0, 10)] },
      { ...common, number: 3, seconds: 0, length: 0, bytes: [] },
    ]);
    expect(decoder.interfaces).toEqual([
      {
        index: 0,
        linkType: 101,
        snapLength: 65_535,
        name: undefined,
        description: undefined,
        timeDigits,
        checkSequenceLength: undefined,
      },
    ]);
    expect(frames[0]!.interface).toBe(decoder.interfaces[0]);
  });

  it('has its link type in 16 bits, and the length of check sequences above', () => {
    const { decoder } = decode(pcapFile([], { linkType: 0x2400_0001 }));
    expect(decoder.interfaces[0]).toMatchObject({ linkType: 1, checkSequenceLength: 4 });
  });

  it('carries fractions of more than a second over', () => {
    const { frames } = decode(pcapFile([[10, 2_500_000, frame]]));
    expect(frames[0]).toMatchObject({ seconds: 12, nanoseconds: 500_000_000 });
  });

  it('gives views of the chunk, not copies', () => {
    const file = pcapFile([[1, 1, frame]]);
    const { frames } = decode(file);
    expect(frames[0]!.bytes.buffer).toBe(file.buffer);
  });
});

describe('pcapng', () => {
  const resolution = (code: number, offset?: bigint): [number, Uint8Array][] => [
    [9, Uint8Array.of(code)],
    ...(offset === undefined ? [] : ([[14, ng.fields([BigInt.asUintN(64, offset), 8])]] as [number, Uint8Array][])),
  ];

  it.each([
    ['microseconds where nothing is said', [], 1_700_000_000_123_456n, 1_700_000_000, 123_456_000, 6],
    ['seconds', resolution(0), 1_700_000_000n, 1_700_000_000, 0, 0],
    ['milliseconds', resolution(3), 1_700_000_000_123n, 1_700_000_000, 123_000_000, 3],
    ['nanoseconds', resolution(9), 1_700_000_000_123_456_789n, 1_700_000_000, 123_456_789, 9],
    ['nanoseconds, as many as fit', resolution(9), 2n ** 64n - 1n, 18_446_744_073, 709_551_615, 9],
    ['microseconds, as many as fit', resolution(6), 2n ** 64n - 1n, 18_446_744_073_709, 551_615_000, 6],
    ['tenths of nanoseconds', resolution(10), 17_000_000_001_234_567_899n, 1_700_000_000, 123_456_789, 9],
    ['picoseconds', resolution(12), 1_234_567_891_234_567_899n, 1_234_567, 891_234_567, 9],
    ['steps of 2^-10 s', resolution(0x8a), 1_700_000_000n * 1024n + 512n, 1_700_000_000, 500_000_000, 3],
    ['steps of 2^-20 s', resolution(0x94), 1_700_000_000n * 1_048_576n + 1n, 1_700_000_000, 953, 6],
    ['steps of 2^-30 s', resolution(0x9e), 1_700_000_000n * 2n ** 30n + 2n ** 29n + 1n, 1_700_000_000, 500_000_000, 9],
    ['steps of 2^-40 s', resolution(0xa8), 1_234_567n * 2n ** 40n + 2n ** 39n, 1_234_567, 500_000_000, 9],
    ['an offset', resolution(6, 1_000n), 5_000_001n, 1_005, 1_000, 6],
    ['an offset before the epoch', resolution(6, -3n), 5_000_001n, 2, 1_000, 6],
  ] as const)('has times in %s', (_, options, ticks, seconds, nanoseconds, timeDigits) => {
    const { frames, decoder } = decode(joined(ng.section(), ng.interface(1, 0, options), ng.packet(0, ticks, frame)));
    expect(frames.map(facts)).toMatchObject([{ seconds, nanoseconds }]);
    expect(decoder.interfaces[0]!.timeDigits).toBe(timeDigits);
  });

  it.each([true, false])(
    'has sections, each with its byte order and its interfaces (little-endian first: %s)',
    (isLittleFirst) => {
      const first = new PcapngBytes(isLittleFirst);
      const second = new PcapngBytes(!isLittleFirst);
      const { frames, decoder, problem } = decode(
        joined(
          first.section([
            [1, 'a comment'],
            [1, 'another'],
            [2, 'machine'],
            [3, 'system'],
            [4, 'program'],
          ]),
          first.interface(1, 96, [
            [1, 'of the interface'],
            [2, 'eth0'],
            [3, 'the wire'],
            [11, '\0tcp port 1883'],
            [12, 'Linux'],
            [13, Uint8Array.of(4)],
            [15, 'card'],
            [32_000, 'unknown'],
          ]),
          first.interface(101),
          first.packet(1, 1n, frame, 99, [
            [1, 'hello'],
            [2, first.fields([0x8000_0001, 4])],
            [1, 'grüß dich'],
          ]),
          second.section(),
          second.interface(276),
          second.packet(0, 2n, frame),
        ),
      );
      expect(problem).toBeUndefined();
      expect(frames.map(facts)).toMatchObject([
        { number: 1, length: 99, comments: ['hello', 'grüß dich'], flags: 0x8000_0001 },
        { number: 2, length: 61, comments: undefined, flags: -1 },
      ]);
      expect(frames.map((each) => each.interface)).toMatchObject([
        { index: 1, linkType: 101, section: 1, indexInSection: 1 },
        { index: 2, linkType: 276, section: 2, indexInSection: 0 },
      ]);
      expect(decoder.interfaces).toHaveLength(3);
      expect(decoder.interfaces[0]).toEqual({
        index: 0,
        linkType: 1,
        snapLength: 96,
        name: 'eth0',
        description: 'the wire',
        section: 1,
        indexInSection: 0,
        timeDigits: 6,
        checkSequenceLength: 4,
        filter: 'tcp port 1883',
        hardware: 'card',
        operatingSystem: 'Linux',
        comments: ['of the interface'],
      });
      expect(decoder.sections).toEqual([
        { comments: ['a comment', 'another'], hardware: 'machine', operatingSystem: 'system', application: 'program' },
        { comments: undefined, hardware: undefined, operatingSystem: undefined, application: undefined },
      ]);
    },
  );

  it('has packets without a time', () => {
    const simple = (length: number, bytes: Uint8Array) => ng.block(3, joined(ng.fields([length, 4]), bytes));
    const { frames } = decode(
      joined(ng.section(), ng.interface(1, 40), simple(61, frame.subarray(0, 40)), simple(7, frame.subarray(0, 7))),
    );
    expect(frames.map(facts)).toMatchObject([
      { length: 61, bytes: [...frame.subarray(0, 40)], hasTime: false, seconds: 0, nanoseconds: 0 },
      { length: 7, bytes: [...frame.subarray(0, 7)], hasTime: false },
    ]);
  });

  it('has packets in the obsolete block', () => {
    const head = ng.fields([1, 2], [7, 2], [0, 4], [1_500_000, 4], [61, 4], [70, 4]);
    const { frames } = decode(
      joined(ng.section(), ng.interface(), ng.interface(101), ng.block(2, joined(head, frame), [[1, 'old']])),
    );
    expect(frames.map(facts)).toMatchObject([{ seconds: 1, nanoseconds: 500_000_000, length: 70, comments: ['old'] }]);
    expect(frames[0]!.interface.linkType).toBe(101);
  });

  it('counts Custom Blocks and journal entries as frames', () => {
    const journal = new TextEncoder().encode('MESSAGE=hello\n__REALTIME_TIMESTAMP=1467487045123456\n');
    const { frames } = decode(
      joined(
        ng.section(),
        ng.block(0xbad, joined(ng.fields([32_473, 4]), frame.subarray(0, 8))),
        ng.block(0x4000_0bad, ng.fields([7, 4])),
        ng.block(9, journal),
        ng.block(9, new TextEncoder().encode('MESSAGE=x\n')),
      ),
    );
    expect(frames.map((each) => [each.interface.linkType, each.interface.customBlock, each.hasTime])).toEqual([
      [-1, { enterpriseNumber: 32_473, mayBeCopied: true }, false],
      [-1, { enterpriseNumber: 7, mayBeCopied: false }, false],
      [-2, undefined, true],
      [-2, undefined, false],
    ]);
    expect(frames.map(({ number, length }) => [number, length])).toEqual([
      [1, 8],
      [2, 0],
      [3, journal.length],
      [4, 10],
    ]);
    expect(frames[2]).toMatchObject({ seconds: 1_467_487_045, nanoseconds: 123_456_000, interface: { section: 1 } });
  });

  it('hands out names and secrets, and passes over what it does not know', () => {
    const text = (value: string) => new TextEncoder().encode(value);
    const record = (type: number, value: Uint8Array) =>
      joined(ng.fields([type, 2], [value.length, 2]), value, new Uint8Array(-value.length & 3));
    const address6 = Uint8Array.from({ length: 16 }, (_, index) => index);
    const { decoder, problem, frames } = decode(
      joined(
        ng.section(),
        ng.block(
          4,
          joined(
            record(1, joined(Uint8Array.of(127, 0, 0, 1), text('one\0two\0'))),
            record(3, text('?')),
            record(2, joined(address6, text('six\0'))),
            ng.fields([0, 4]),
          ),
        ),
        ng.block(10, joined(ng.fields([0x544c_534b, 4], [6, 4]), text('CLIENT'))),
        ng.block(0x1234, frame),
        ng.block(5, ng.fields([0, 4], [0, 8])),
      ),
    );
    expect(problem).toBeUndefined();
    expect(frames).toEqual([]);
    expect(decoder.names).toEqual([
      { address: Uint8Array.of(127, 0, 0, 1), names: ['one', 'two'] },
      { address: address6, names: ['six'] },
    ]);
    expect(decoder.secrets).toEqual([{ type: 0x544c_534b, bytes: text('CLIENT') }]);
  });
});

describe('a file that is not as it should be', () => {
  const good = joined(ng.section(), ng.interface(), ng.packet(0, 1n, frame));
  const at = good.length;
  const withBlock = (...blocks: Uint8Array[]) => joined(good, ...blocks, ng.packet(0, 2n, frame));

  it.each([
    ['no bytes', new Uint8Array(0), 'empty', 0, 0, 'there are no bytes in it'],
    [
      'text',
      new TextEncoder().encode('hello world'),
      'unknown-format',
      0,
      0,
      'it begins with 68 65 6c 6c; expected pcap, pcapng or gzip',
    ],
    [
      'three bytes',
      Uint8Array.of(1, 2, 3),
      'unknown-format',
      0,
      0,
      'it begins with 01 02 03; expected pcap, pcapng or gzip',
    ],
    ['one byte', Uint8Array.of(0x1f), 'unknown-format', 0, 0, 'it begins with 1f; expected pcap, pcapng or gzip'],
    [
      'zstd',
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0),
      'unknown-format',
      0,
      0,
      'it is compressed with zstd; it has to be unpacked first',
    ],
    [
      'snoop',
      new TextEncoder().encode('snoop\0\0\0'),
      'unknown-format',
      0,
      0,
      'it is a capture of the snoop format, which is not read; editcap converts it',
    ],
    [
      'a cut header',
      pcapFile([]).subarray(0, 13),
      'cut-short',
      0,
      0,
      'it ends at byte 13, in the middle of what begins at byte 0 and has at least 24 bytes',
    ],
    [
      'a cut record',
      pcapFile([
        [1, 1, frame],
        [1, 1, frame],
      ]).subarray(0, -1),
      'cut-short',
      101,
      1,
      'it ends at byte 177, in the middle of what begins at byte 101 and has at least 77 bytes',
    ],
    [
      'a cut record header',
      pcapFile([
        [1, 1, frame],
        [1, 1, frame],
      ]).subarray(0, 105),
      'cut-short',
      101,
      1,
      'it ends at byte 105, in the middle of what begins at byte 101 and has at least 16 bytes',
    ],
    [
      'a frame too long',
      pcapFile([
        [1, 1, frame],
        [1, 1, frame, 9, 262_145],
      ]),
      'damaged',
      101,
      1,
      'frame 2, at byte 101, has 262145 bytes; at most 262144 can be',
    ],
    [
      'another version of the format',
      pcapFile([[1, 1, frame]]).fill(0, 4, 6),
      'damaged',
      4,
      0,
      'its header has version 0 of the format; there is only 2',
    ],
    [
      'bits beside the link type',
      pcapFile([[1, 1, frame]], { linkType: 0x80_0001 }),
      'damaged',
      20,
      0,
      'its header has bits set beside the link type: 0x00800001',
    ],
    [
      'a cut block',
      withBlock().subarray(0, -8),
      'cut-short',
      at,
      1,
      `it ends at byte ${at + 88}, in the middle of what begins at byte ${at} and has at least 96 bytes`,
    ],
    [
      'two lengths',
      withBlock(ng.block(7, frame, [], 44)),
      'damaged',
      at,
      1,
      `the block at byte ${at} has 76 bytes by its first length and 44 by its second`,
    ],
    [
      'a length too short',
      withBlock(ng.fields([7, 4], [8, 4], [8, 4])),
      'damaged',
      at,
      1,
      `the block at byte ${at} has 8 bytes; expected 12 to 16777216`,
    ],
    [
      'a length too long',
      withBlock(ng.fields([7, 4], [0xffff_fff0, 4], [8, 4])),
      'damaged',
      at,
      1,
      `the block at byte ${at} has 4294967280 bytes; expected 12 to 16777216`,
    ],
    [
      'an unknown interface',
      withBlock(ng.packet(3, 1n, frame)),
      'damaged',
      at,
      1,
      `the block at byte ${at} is of interface 3, but its section has described 1`,
    ],
    [
      'a frame longer than its block',
      withBlock(ng.block(6, ng.fields([0, 4], [0, 8], [900, 4], [900, 4]))),
      'damaged',
      at,
      1,
      `the block at byte ${at} has a frame of 900 bytes where there is room for 0`,
    ],
    [
      'a simple frame longer than its block',
      withBlock(ng.block(3, ng.fields([900, 4]))),
      'damaged',
      at,
      1,
      `the block at byte ${at} has a frame of 900 bytes where there is room for 0`,
    ],
    [
      'a body too short',
      withBlock(ng.block(6, new Uint8Array(16))),
      'damaged',
      at,
      1,
      `the block at byte ${at} has a body of 16 bytes; expected at least 20`,
    ],
    [
      'an option longer than its block',
      withBlock(ng.block(6, joined(ng.fields([0, 4], [0, 8], [0, 4], [0, 4], [1, 2], [99, 2])))),
      'damaged',
      at + 28,
      1,
      `option 1, at byte ${at + 28}, has 99 bytes where its block has room for 0`,
    ],
    [
      'a name longer than its block',
      withBlock(ng.block(4, ng.fields([1, 2], [50, 2]))),
      'damaged',
      at,
      1,
      `the block at byte ${at} has a name record of 50 bytes where 0 are left`,
    ],
    [
      'secrets longer than their block',
      withBlock(ng.block(10, ng.fields([1, 4], [50, 4]))),
      'damaged',
      at,
      1,
      `the block at byte ${at} has 50 bytes of secrets where there is room for 0`,
    ],
    [
      'an impossible resolution',
      joined(ng.section(), ng.interface(1, 0, [[9, Uint8Array.of(20)]])),
      'damaged',
      28,
      0,
      'the block at byte 28 has a time resolution of 20, finer than 64 bits can count',
    ],
    [
      'another version',
      ng.section([], 2),
      'damaged',
      0,
      0,
      'the block at byte 0 is a section of pcapng 2.0; expected 1.0',
    ],
    [
      'a version to come',
      ng.section([]).fill(1, 14, 15),
      'damaged',
      0,
      0,
      'the block at byte 0 is a section of pcapng 1.1; expected 1.0',
    ],
    [
      'no byte order',
      ng.block(0x0a0d0d0a, new Uint8Array(16)),
      'damaged',
      0,
      0,
      'the block at byte 0 begins a section without the byte order mark 1a2b3c4d',
    ],
  ] as const)('is named, after its good frames: %s', (_, file, fault, offset, frameCount, message) => {
    for (const chunkBytes of [1, 7, 1000]) {
      const { frames, problem } = decode(file, chunkBytes);
      expect(problem).toMatchObject({ name: 'CaptureFileError', fault, offset, message });
      expect(frames).toHaveLength(frameCount);
    }
  });

  it('is not read any further', () => {
    const decoder = new CaptureDecoder();
    decoder.push(Uint8Array.of(1, 2, 3, 4));
    expect(decoder.problem?.fault).toBe('unknown-format');
    expect(decoder.push(pcapFile([[1, 1, frame]]))).toEqual([]);
    expect(decoder.end()).toBe(decoder.problem);
  });

  it('never takes more memory than it has bytes for', () => {
    const claimed = joined(good, ng.fields([6, 4], [16_777_216, 4], [0, 4]));
    const decoder = new CaptureDecoder();
    decoder.push(claimed);
    const before = process.memoryUsage().arrayBuffers;
    for (let count = 0; count < 1000; count++) decoder.push(Uint8Array.of(0));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1_048_576);
  });

  it('never throws, whatever the bytes', () => {
    const files = [
      good,
      withBlock(ng.packet(0, 5n, frame, 61, [[1, 'comment']])),
      pcapFile([
        [1, 1, frame],
        [2, 2, frame],
      ]),
    ];
    const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...files), changes, fc.integer({ min: 1, max: 300 }), (file, list, chunkBytes) => {
        const changed = Uint8Array.from(file);
        for (const [position, value] of list) changed[position % changed.length] = value;
        const { frames } = decode(changed, chunkBytes);
        for (const each of frames) {
          expect(each.nanoseconds).toBeGreaterThanOrEqual(0);
          expect(each.nanoseconds).toBeLessThan(1e9);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('chunks', () => {
  const file = joined(
    ng.section([[1, 'comment']]),
    ng.interface(1, 0, [[9, Uint8Array.of(9)]]),
    ng.packet(0, 1_700_000_000_000_000_001n, frame, 61, [[1, 'first']]),
    ng.packet(0, 1_700_000_000_000_000_002n, frame.subarray(0, 3)),
    new PcapngBytes(false).section(),
    new PcapngBytes(false).interface(101),
    new PcapngBytes(false).packet(0, 77n, frame),
  );

  it.each([
    [
      'pcap',
      pcapFile([
        [1, 1, frame],
        [2, 2, frame.subarray(0, 5)],
        [3, 3, frame],
      ]),
    ],
    ['pcapng', file],
  ])('of %s may end anywhere', (_, whole) => {
    const expected = decode(whole).frames.map(facts);
    for (let chunkBytes = 1; chunkBytes < whole.length; chunkBytes++) {
      const { frames, problem } = decode(whole, chunkBytes);
      expect(problem).toBeUndefined();
      expect(frames.map(facts)).toEqual(expected);
    }
    for (let split = 0; split <= whole.length; split++) {
      const decoder = new CaptureDecoder();
      const frames = [...decoder.push(whole.subarray(0, split)), ...decoder.push(whole.subarray(split))];
      expect(decoder.end()).toBeUndefined();
      expect(frames.map(facts)).toEqual(expected);
    }
  });

  it('give their whole frames at once', () => {
    const decoder = new CaptureDecoder();
    const whole = pcapFile([
      [1, 1, frame],
      [2, 2, frame],
    ]);
    expect(decoder.push(whole.subarray(0, 100))).toHaveLength(0);
    expect(decoder.push(whole.subarray(100, 101))).toHaveLength(1);
    expect(decoder.push(whole.subarray(101))).toHaveLength(1);
  });
});
