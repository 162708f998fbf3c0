/** Frames that no recording has, against tshark: other link layers, options, fragments, extension headers, padding, marks of the analysis, cut frames. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Frame } from '../../src/capture/frame.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { type PcapRecord, pcapFile } from '../capture/capture-bytes.ts';
import { ethernet, flags, ipv4, ipv6, type SegmentFields, tcpSegment, word16, word32 } from '../capture/made-frames.ts';
import { capturesDirectory, hasTshark, tsharkRowsAndTrees } from '../support/captures.ts';
import { dissectFile, framesOf, layersOf, layersOfText, rowOf, tidy } from './dissected.ts';

const directory = mkdtempSync(join(tmpdir(), 'clearwing-made-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const text = (letters: string) => new TextEncoder().encode(letters);
const port = { sourcePort: 40_000, destinationPort: 5000 };

/** A segment to a port that nobody knows. */
function segment(fields: SegmentFields = {}): number[] {
  return tcpSegment({ ...port, flags: flags.psh | flags.ack, payload: text('hello'), ...fields });
}

function udp(payload: Uint8Array, length = 8 + payload.length): number[] {
  return [...word16(40_000), ...word16(5000), ...word16(length), ...word16(0x1234), ...payload];
}

/** Both ends of a connection; each segment a frame. */
function conversation(
  segments: readonly (readonly [sender: 'client' | 'server', fields: SegmentFields])[],
): Uint8Array[] {
  return segments.map(([sender, fields]) => {
    const isClient = sender === 'client';
    const ports = isClient ? port : { sourcePort: 5000, destinationPort: 40_000 };
    const hosts = isClient ? { from: 1, to: 2 } : { from: 2, to: 1 };
    return ethernet(ipv4(tcpSegment({ flags: flags.ack, ...fields, ...ports }), hosts));
  });
}

const recorded = await framesOf(join(capturesDirectory, 'lab-many-per-segment.pcap'));

/** The recorded frames up to `length` bytes each, as a connection of its own. */
function cutFrames(length: number): [bytes: Uint8Array, length: number][] {
  return recorded.map((frame) => {
    const bytes = frame.bytes.slice();
    const ports = new DataView(bytes.buffer, 34, 4);
    ports.setUint16(ports.getUint16(0) === 1883 ? 2 : 0, 30_000 + length);
    return [bytes.subarray(0, length), frame.length];
  });
}

/** The same frame of a connection that began elsewhere. */
function renumbered({ bytes }: Frame): { bytes: Uint8Array } {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(38, view.getUint32(38) + 1000);
  if ((view.getUint8(47) & flags.ack) !== 0) view.setUint32(42, view.getUint32(42) + 1000);
  return { bytes: copy };
}

const synOptions = [2, 4, 5, 0xb4, 1, 3, 3, 2];
const letters = (count: number) => text('a'.repeat(count));
const data = { flags: flags.psh | flags.ack };
const raw = new Uint8Array(ipv4(segment()));
const pingRequest = segment({ destinationPort: 1883, payload: Uint8Array.of(0xc0, 0) });
const fast = [
  ['client', { flags: flags.syn, options: synOptions, sequence: 99 }],
  ['server', { flags: flags.syn | flags.ack, options: synOptions, sequence: 499, acknowledgement: 100 }],
  ['client', { sequence: 100, acknowledgement: 500 }],
  ['client', { ...data, sequence: 100, acknowledgement: 500, payload: letters(100) }],
  ['client', { ...data, sequence: 300, acknowledgement: 500, payload: letters(100) }],
  ['server', { sequence: 500, acknowledgement: 200 }],
  ['server', { sequence: 500, acknowledgement: 200 }],
  ['server', { sequence: 500, acknowledgement: 200 }],
  ['server', { sequence: 500, acknowledgement: 200 }],
  ['client', { ...data, sequence: 200, acknowledgement: 500, payload: letters(100) }],
  ['server', { sequence: 500, acknowledgement: 400 }],
  ['server', { sequence: 500, acknowledgement: 400, window: 4000 }],
] as const;
const windows = [
  ...fast.slice(0, 3),
  ['client', { ...data, sequence: 100, acknowledgement: 500, payload: letters(10) }],
  ['server', { sequence: 500, acknowledgement: 110 }],
  ['client', { sequence: 109, acknowledgement: 500 }],
  ['server', { sequence: 500, acknowledgement: 110 }],
  ['server', { sequence: 500, acknowledgement: 110, window: 0 }],
  ['client', { sequence: 110, acknowledgement: 500, payload: letters(1) }],
  ['server', { sequence: 500, acknowledgement: 110, window: 0 }],
  ['server', { sequence: 500, acknowledgement: 110, window: 25 }],
  ['client', { ...data, sequence: 110, acknowledgement: 500, payload: letters(100) }],
  ['client', { ...data, sequence: 110, acknowledgement: 500, payload: letters(100) }],
  ['server', { sequence: 500, acknowledgement: 210, window: 100 }],
  ['client', { flags: flags.fin | flags.ack, sequence: 210, acknowledgement: 500 }],
  ['server', { flags: flags.fin | flags.ack, sequence: 500, acknowledgement: 211 }],
  ['client', { sequence: 211, acknowledgement: 501 }],
  ['client', { flags: flags.rst | flags.ack, sequence: 211, acknowledgement: 501 }],
] as const;

interface MadeCapture {
  readonly name: string;
  readonly linkType?: number;
  /** Lines that differ on purpose. */
  readonly except?: RegExp;
  readonly frames: readonly (Uint8Array | readonly [frame: Uint8Array, length: number])[];
  /** Default: one frame each second. */
  readonly secondOf?: (index: number) => number;
}

const captures: readonly MadeCapture[] = [
  {
    name: 'loopbacks in either byte order',
    linkType: linkTypes.null,
    frames: [
      new Uint8Array([2, 0, 0, 0, ...raw]),
      new Uint8Array([0, 0, 0, 2, ...ipv4(segment({ sourcePort: 40_001 }))]),
      new Uint8Array([30, 0, 0, 0, ...ipv6(segment())]),
      new Uint8Array([99, 0, 0, 0, 1, 2, 3]),
    ],
  },
  {
    name: 'loopbacks of OpenBSD',
    linkType: linkTypes.loop,
    frames: [new Uint8Array([0, 0, 0, 2, ...raw]), new Uint8Array([0, 0, 0, 24, ...ipv6(segment())])],
  },
  { name: 'raw IP', linkType: linkTypes.raw, frames: [raw, new Uint8Array(ipv6(segment()))] },
  { name: 'raw IP by another number', linkType: linkTypes.rawBsd, frames: [raw, new Uint8Array(ipv6(segment()))] },
  {
    name: 'protocols that are not assigned',
    linkType: linkTypes.raw,
    frames: [182, 223].map((protocol) => raw.with(9, protocol)),
  },
  { name: 'IPv4 alone', linkType: linkTypes.ipv4, frames: [raw] },
  { name: 'IPv6 alone', linkType: linkTypes.ipv6, frames: [new Uint8Array(ipv6(segment()))] },
  {
    name: 'Linux cooked captures',
    linkType: linkTypes.linuxCooked,
    frames: [
      new Uint8Array([0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0, ...raw]),
      new Uint8Array([0, 4, 3, 4, 0, 0, ...new Array(8).fill(0), 0x86, 0xdd, ...ipv6(segment())]),
    ],
  },
  {
    name: 'tags within tags',
    frames: [
      ethernet(ipv4(segment()), 0x0800, [0x81, 0, 0xb0, 1, 0x88, 0xa8, 0, 5, 0x81, 0, 0x20, 6]),
      ethernet(ipv4(segment({ sourcePort: 40_002 })), 0x0800, [0x88, 0xa8, 0xf0, 7]),
    ],
  },
  {
    name: 'padding, trailers and check sequences',
    frames: [
      ethernet([...ipv4(segment()), ...new Array(8).fill(0)]),
      ethernet([...ipv4(segment({ sourcePort: 40_001, payload: letters(1) })), 0, 0, 0, 0, 0]),
      ethernet([...ipv4(segment({ sourcePort: 40_003 })), ...text('trailer!')]),
      ethernet([...ipv4(segment({ sourcePort: 40_004, payload: letters(60) })), 1, 2, 3, 4, 5, 6]),
    ],
  },
  {
    name: 'ARP',
    frames: [
      ethernet([0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2], 0x0806),
      ethernet([0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 7, 10, 0, 0, 7, 2, 0, 0, 0, 0, 2, 10, 0, 0, 1], 0x0806),
    ],
  },
  {
    name: 'options of TCP',
    frames: [
      ethernet(ipv4(segment({ options: [5, 10, ...word32(5), ...word32(9), 1, 0] }))),
      ethernet(ipv4(segment({ sourcePort: 40_001, options: [28, 4, 0x80, 9] }))),
      ethernet(ipv4(segment({ sourcePort: 40_002, options: [3, 3, 20, 0] }))),
      ethernet(ipv4(segment({ sourcePort: 40_003, options: [3, 3, 14, 8, 10, ...word32(7), ...word32(8)] }))),
      ethernet(
        ipv4(
          segment({ sourcePort: 40_004, flags: flags.syn, payload: letters(0), options: [...synOptions, 4, 2, 34, 2] }),
        ),
      ),
    ],
  },
  {
    name: 'flags of TCP',
    frames: [
      ethernet(ipv4(segment({ sourcePort: 40_001, flags: 0xe2, payload: letters(0) }))),
      ethernet(ipv4(segment({ sourcePort: 40_002, flags: flags.rst, acknowledgement: 7, payload: letters(0) }))),
    ],
  },
  {
    name: 'duplicate acknowledgements and a fast retransmission',
    // What was sent again was never captured before: then it is shown.
    except: /^( {4}\[Protocols in frame|Data |.*Data: |.*\[Length: |.*Retransmitted TCP segment data)/,
    frames: conversation(fast),
  },
  { name: 'windows, keep-alives and the end of a connection', frames: conversation(windows) },
  {
    name: 'IPv4 with another service and fragments of UDP',
    frames: [
      ethernet(ipv4(segment()).map((byte, index) => (index === 1 ? 0xb9 : byte))),
      ethernet(ipv4(udp(letters(16)).slice(0, 16), { protocol: 17, identification: 77, hasMore: true })),
      ethernet(ipv4(udp(letters(16)).slice(16), { protocol: 17, identification: 77, fragmentOffset: 16 })),
    ],
  },
  {
    name: 'fragments of TCP',
    frames: [
      ethernet(ipv4(segment().slice(0, 16), { identification: 78, hasMore: true })),
      ethernet(ipv4(segment().slice(16), { identification: 78, fragmentOffset: 16 })),
    ],
  },
  {
    name: 'UDP',
    frames: [
      ethernet(ipv4(udp(text('hello')), { protocol: 17 })),
      ethernet(ipv4(udp(letters(0)), { protocol: 17 })),
      ethernet(ipv6(udp(letters(1)), 17), 0x86dd),
    ],
  },
  {
    name: 'fragments of TCP with a packet of MQTT',
    linkType: linkTypes.raw,
    frames: [
      new Uint8Array(ipv4(pingRequest.slice(0, 16), { identification: 79, hasMore: true })),
      new Uint8Array(ipv4(pingRequest.slice(16), { identification: 79, fragmentOffset: 16 })),
    ],
  },
  {
    name: 'fragments of IPv6',
    frames: [ethernet(ipv6([6, 0, 0, 0, ...word32(9), ...segment()], 44), 0x86dd)],
  },
  {
    name: 'frames that are cut',
    frames: [
      [ethernet(ipv4(segment({ payload: letters(50) }))).subarray(0, 70), 104],
      [ethernet(ipv4(segment({ sourcePort: 40_001 }))).subarray(0, 54), 59],
      // Nothing but padding is cut off.
      [ethernet(ipv4(pingRequest)), 60],
    ],
  },
  {
    name: 'a connection behind itself, and behind that another one of its ports, of which each segment comes twice',
    frames: [...recorded, ...recorded, ...recorded.map(renumbered).flatMap((frame) => [frame, frame])].map(
      ({ bytes }) => bytes,
    ),
    secondOf: (index) => index % recorded.length,
  },
  {
    name: 'what says to be another version than what announced it',
    frames: [0x05, 0x50, 0xf5].map((first) => ethernet([first, ...ipv4(segment()).slice(1)])),
  },
  {
    name: 'cooked headers with other versions behind them',
    linkType: linkTypes.linuxCooked,
    frames: [new Uint8Array([0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 9, 0, 0, 8, 0, 0, 1, 2, 3])],
  },
  {
    name: 'connections of which each is cut elsewhere',
    frames: [35, 38, 49, 50, 53, 54, 55, 56, 59, 60, 63, 66, 67, 68, 70, 71, 74, 75, 79, 90, 120].flatMap(cutFrames),
  },
];

describe.skipIf(!hasTshark)('tshark 4.0 and the dissector, on frames that no recording has', () => {
  it.each(captures)('show the same of $name', async (made) => {
    const { name, linkType = linkTypes.ethernet, frames, except, secondOf = (index: number) => index } = made;
    const path = join(directory, `${name}.pcap`);
    const records = frames.map((frame, index): PcapRecord => {
      const [bytes, length] = frame instanceof Uint8Array ? [frame, frame.length] : frame;
      return [1_700_000_000 + secondOf(index), 1000 * index, bytes, length];
    });
    writeFileSync(path, pcapFile(records, { linkType }));
    const dissected = await dissectFile(path);
    const shown = tsharkRowsAndTrees(path, []);
    const rows = shown.rows.map((row) => tidy(row).replace(/^(\d+) -?[\d.]+ /, '$1 '));
    // Where there are no addresses tshark says N/A, or nothing.
    const withoutAddresses = (row: string) => row.replace(/^(\d+) (N\/A )?→ (N\/A )?N\/A (\d+).*$/, '$1 → N/A $4');
    expect(dissected.map(rowOf).map(withoutAddresses)).toEqual(rows.map(withoutAddresses));
    const trees = layersOfText(shown.trees);
    dissected.forEach((frame, index) => {
      const isCompared = (line: string) => except?.test(line) !== true;
      const lines = layersOf(frame).flatMap((layer) => layer.lines);
      const expected = trees[index]!.flatMap((layer) => layer.lines);
      expect(lines.filter(isCompared), `frame ${index + 1}`).toEqual(expected.filter(isCompared));
    });
  });
});
