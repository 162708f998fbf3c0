import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressBytes } from '../../../src/broker/tap/address-bytes.ts';
import { SegmentFrames, segmentBytesMax } from '../../../src/broker/tap/segment-frames.ts';
import type { PeerAddress } from '../../../src/transport/transport.ts';

const client: PeerAddress = { address: '192.0.2.7', port: 50_000, family: 'IPv4' };
const broker: PeerAddress = { address: '192.0.2.1', port: 1883, family: 'IPv4' };
const client6: PeerAddress = { address: '2001:db8::7', port: 50_000, family: 'IPv6' };
const broker6: PeerAddress = { address: '::1', port: 1883, family: 'IPv6' };

interface Segment {
  readonly sourcePort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** The words of a header with its checksum in place add up to 0xffff; RFC 1071. */
function ones(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}

/** Takes a frame apart, and holds every length and checksum against the bytes. */
function read(frame: Uint8Array): Segment {
  const bytes = Buffer.from(frame);
  const isIpv6 = bytes.readUInt16BE(12) === 0x86dd;
  const tcp = isIpv6 ? 54 : 34;
  const segment = bytes.subarray(tcp);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(segment.length);
  const addresses = isIpv6 ? bytes.subarray(22, 54) : bytes.subarray(26, 34);
  if (isIpv6) {
    expect(bytes.readUInt16BE(18)).toBe(segment.length);
  } else {
    expect(bytes.readUInt16BE(16)).toBe(bytes.length - 14);
    expect(ones(bytes.subarray(14, 34))).toBe(0xffff);
  }
  expect(ones(Buffer.concat([addresses, Buffer.of(0, 6), length, segment]))).toBe(0xffff);
  return {
    sourcePort: segment.readUInt16BE(0),
    sequence: segment.readUInt32BE(4),
    acknowledgement: segment.readUInt32BE(8),
    flags: segment[13]!,
    payload: segment.subarray((segment[12]! >> 4) * 4),
  };
}

function collect(make: (use: (frame: Uint8Array) => void) => void): Segment[] {
  const segments: Segment[] = [];
  make((frame) => void segments.push(read(frame)));
  return segments;
}

describe('the frames of a connection', () => {
  for (const [family, ends] of Object.entries({ IPv4: [client, broker], IPv6: [client6, broker6] } as const)) {
    it(`have right lengths, checksums and numbers over ${family}`, () => {
      const frames = new SegmentFrames(ends[0], ends[1], 7);
      const segments = collect((use) => {
        frames.open(use);
        frames.data(true, Buffer.from('odd'), use);
        frames.data(false, Buffer.from('even'), use);
        frames.end(true, use);
        frames.end(false, use);
      });
      expect(
        segments.map(({ sourcePort, flags, payload }) => `${sourcePort} ${flags.toString(16)} ${payload}`),
      ).toEqual([
        '50000 2 ',
        '1883 12 ',
        '50000 10 ',
        '50000 18 odd',
        '1883 18 even',
        '50000 11 ',
        '1883 11 ',
        '50000 10 ',
      ]);
      const [syn, answer, , odd, even, , , last] = segments as [
        Segment,
        Segment,
        Segment,
        Segment,
        Segment,
        Segment,
        Segment,
        Segment,
      ];
      expect(answer.acknowledgement).toBe(syn.sequence + 1);
      expect(even.acknowledgement).toBe(odd.sequence + 3);
      expect(last.acknowledgement).toBe(even.sequence + 4 + 1);
    });
  }

  it('carry any bytes from both ends, whole and in order, through the turn of the sequence numbers', () => {
    const chunk = fc.record({ isClient: fc.boolean(), bytes: fc.uint8Array({ maxLength: 2000 }) });
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 20 }),
        fc.integer({ min: 2 ** 32 - 5000, max: 2 ** 32 - 1 }),
        (chunks, first) => {
          const frames = new SegmentFrames(client, broker, first);
          collect((use) => frames.open(use));
          const segments = collect((use) => {
            for (const { isClient, bytes } of chunks) frames.data(isClient, bytes, use);
          });
          for (const [isClient, port, start] of [
            [true, client.port, first + 1],
            [false, broker.port, first + 2 ** 31 + 1],
          ] as const) {
            const sent = chunks.filter((one) => one.isClient === isClient).map(({ bytes }) => bytes);
            const own = segments.filter(({ sourcePort, payload }) => sourcePort === port && payload.length > 0);
            expect(Buffer.concat(own.map(({ payload }) => payload))).toEqual(Buffer.concat(sent));
            let next = start % 2 ** 32;
            for (const { sequence, payload } of own) {
              expect(sequence).toBe(next);
              next = (next + payload.length) % 2 ** 32;
            }
          }
        },
      ),
    );
  });

  it('are no longer than an IP datagram, and show where bytes are missing', () => {
    const frames = new SegmentFrames(client, broker, 0);
    const large = collect((use) => frames.data(true, Buffer.alloc(3 * segmentBytesMax + 1), use));
    expect(large.map(({ payload }) => payload.length)).toEqual([segmentBytesMax, segmentBytesMax, segmentBytesMax, 1]);
    frames.skip(true, 1000);
    const [after] = collect((use) => frames.data(true, Buffer.from('x'), use));
    expect(after!.sequence).toBe(3 * segmentBytesMax + 1 + 1000);
  });

  it('acknowledge now and then where one end only listens', () => {
    const frames = new SegmentFrames(client, broker, 0);
    const segments = collect((use) => {
      for (let count = 0; count < 200; count++) frames.data(false, Buffer.alloc(segmentBytesMax), use);
    });
    const acknowledgements = segments.filter(({ sourcePort }) => sourcePort === client.port);
    expect(acknowledgements.length).toBeGreaterThan(1);
    expect(acknowledgements.every(({ payload }) => payload.length === 0)).toBe(true);
  });

  it('end with a reset where the connection broke off, and only once', () => {
    const frames = new SegmentFrames(client, broker, 0);
    expect(collect((use) => frames.reset(use)).map(({ flags }) => flags)).toEqual([0x14]);
    expect(collect((use) => frames.reset(use))).toEqual([]);
    expect(collect((use) => frames.end(true, use))).toEqual([]);
  });
});

describe('addresses as bytes', () => {
  it.each([
    ['127.0.0.1', '7f000001'],
    ['::ffff:10.1.2.3', '0a010203'],
    ['::1', '00000000000000000000000000000001'],
    ['::', '00000000000000000000000000000000'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
    ['2001:db8::5:6', '20010db8000000000000000000050006'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['/run/mqtt.sock', '7f000001'],
  ])('%s', (address, expected) => {
    expect(Buffer.from(addressBytes(address)).toString('hex')).toBe(expected);
  });
});
