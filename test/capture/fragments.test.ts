import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeaders } from '../../src/capture/decode-headers.ts';
import {
  FragmentTable,
  fragmentBytesMax,
  fragmentedDatagramsMax,
  fragmentsPerDatagramMax,
  fragmentTimeoutSeconds,
} from '../../src/capture/fragments.ts';
import { ethernet, frameOf, ipv4, ipv6, tcpSegment, word16, word32 } from './made-frames.ts';

const whole = tcpSegment({ payload: Uint8Array.from({ length: 60 }, (_, index) => index) });

/** One fragment of a datagram, as a frame. */
function fragment(
  bytes: readonly number[],
  offset: number,
  hasMore: boolean,
  { number = 1, seconds = 0, identification = 7 } = {},
) {
  const datagram = ipv4(bytes, { fragmentOffset: offset, hasMore, identification });
  return frameOf(ethernet(datagram), { number, seconds });
}

describe('FragmentTable', () => {
  it('puts a datagram together in whatever order its fragments come', () => {
    const starts = [0, 8, 32, 72];
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), (order) => {
        const table = new FragmentTable();
        const results = order.map((piece, index) => {
          const start = starts[piece]!;
          const end = starts[piece + 1] ?? whole.length;
          return decodeHeaders(fragment(whole.slice(start, end), start, piece < 3, { number: index + 1 }), table);
        });
        for (const headers of results.slice(0, 3)) expect(headers).toMatchObject({ isFragment: true, tcpOffset: -1 });
        const last = results[3]!;
        expect(last).toMatchObject({ isFragment: false, tcpOffset: 0, payloadOffset: 20, payloadLength: 60 });
        expect(last.source.name).toBe('Reassembled IPv4 (80 bytes)');
        expect([...last.source.bytes]).toEqual(whole);
        expect(last.fragments).toEqual(starts.map((_, piece) => order.indexOf(piece) + 1));
        expect(table.waitingBytes).toBe(0);
      }),
    );
  });

  it('puts a datagram of IPv6 together, extension headers behind the fragment header included', () => {
    const payload = [6, 0, 1, 4, 0, 0, 0, 0, ...whole];
    const table = new FragmentTable();
    const piece = (start: number, end: number, hasMore: boolean) => {
      const header = [60, 0, ...word16(start | (hasMore ? 1 : 0)), ...word32(0xabcdef)];
      return decodeHeaders(frameOf(ethernet(ipv6([...header, ...payload.slice(start, end)], 44), 0x86dd)), table);
    };
    expect(piece(40, payload.length, false)).toMatchObject({ isFragment: true, ipExtensionOffset: 54 });
    const headers = piece(0, 40, true);
    expect(headers.source.name).toBe('Reassembled IPv6 (88 bytes)');
    expect(headers).toMatchObject({ isFragment: false, ipProtocol: 6, tcpOffset: 8, payloadLength: 60 });
  });

  it('takes the bytes of the fragment that begins first where two overlap, of the first seen where they begin together', () => {
    const table = new FragmentTable();
    const filled = (value: number, length: number) => new Array<number>(length).fill(value);
    decodeHeaders(fragment(filled(1, 16), 0, true, { number: 1 }), table);
    decodeHeaders(fragment(filled(2, 16), 0, true, { number: 2 }), table);
    decodeHeaders(fragment(filled(3, 24), 8, true, { number: 3 }), table);
    const headers = decodeHeaders(fragment(filled(4, 16), 24, false, { number: 4 }), table);
    expect([...headers.source.bytes]).toEqual([...filled(1, 16), ...filled(3, 16), ...filled(4, 8)]);
    expect(headers.source.segments).toEqual([
      { frame: 1, start: 0, end: 16 },
      { frame: 3, start: 16, end: 32 },
      { frame: 4, start: 32, end: 40 },
    ]);
  });

  it('keeps datagrams apart by identification', () => {
    const table = new FragmentTable();
    decodeHeaders(fragment(whole.slice(0, 40), 0, true, { identification: 1 }), table);
    expect(decodeHeaders(fragment(whole.slice(40), 40, false, { identification: 2 }), table).isFragment).toBe(true);
    expect(decodeHeaders(fragment(whole.slice(40), 40, false, { identification: 1 }), table).isFragment).toBe(false);
  });

  it('shows the ports of a first fragment that the capture cut, and waits for nothing', () => {
    const table = new FragmentTable();
    const bytes = ethernet(ipv4(whole, { hasMore: true }));
    const headers = decodeHeaders(frameOf(bytes.subarray(0, 60), { length: bytes.length }), table);
    expect(headers).toMatchObject({ isFragment: false, destinationPort: 1883, payloadLength: 6 });
    expect(table.waitingBytes).toBe(0);
  });

  it('gives a datagram up after the time that RFC 8200 gives it', () => {
    const table = new FragmentTable();
    decodeHeaders(fragment(whole.slice(0, 40), 0, true), table);
    const late = fragmentTimeoutSeconds + 1;
    expect(decodeHeaders(fragment(whole.slice(40), 40, false, { seconds: late }), table).isFragment).toBe(true);
  });

  it('forgets the oldest datagrams beyond its limit', () => {
    const table = new FragmentTable();
    for (let identification = 0; identification <= fragmentedDatagramsMax; identification++)
      decodeHeaders(fragment(whole.slice(0, 40), 0, true, { identification }), table);
    const rest = (identification: number) =>
      decodeHeaders(fragment(whole.slice(40), 40, false, { identification }), table).isFragment;
    expect(rest(1)).toBe(false);
    expect(rest(0)).toBe(true);
  });

  it('gives up a datagram that comes in too many fragments', () => {
    const table = new FragmentTable();
    for (let count = 0; count < fragmentsPerDatagramMax; count++) decodeHeaders(fragment([], 8, true), table);
    expect(table.waitingBytes).toBe(0);
  });

  it('keeps to its limit of bytes', () => {
    const table = new FragmentTable();
    const large = new Array<number>(60_000).fill(0);
    for (let identification = 0; identification < 200; identification++) {
      decodeHeaders(fragment(large, 0, true, { identification }), table);
      expect(table.waitingBytes).toBeLessThanOrEqual(fragmentBytesMax);
    }
  });
});
