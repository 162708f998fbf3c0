import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHeaders } from '../../src/capture/decode-headers.ts';
import { FragmentTable } from '../../src/capture/fragments.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { linkTypes } from '../../src/capture/link-types.ts';
import { ethernet, frameOf, ipv4, ipv6, tcpSegment, word16 } from './made-frames.ts';

const payload = new Uint8Array([0xc0, 0]);
const segment = tcpSegment({ sourcePort: 4000, destinationPort: 1883, sequence: 0xfffffff0, payload });

function decode(frame: Frame) {
  return decodeHeaders(frame, new FragmentTable());
}

/** What a decoded payload is, as bytes. */
function payloadOf(frame: Frame): number[] {
  const { source, payloadOffset, payloadLength } = decode(frame);
  return [...source.bytes.subarray(payloadOffset, payloadOffset + payloadLength)];
}

describe('decodeHeaders', () => {
  it('finds TCP over IPv4 over Ethernet', () => {
    const headers = decode(frameOf(ethernet(ipv4(segment))));
    expect(headers).toMatchObject({
      ethernetOffset: 0,
      etherType: 0x0800,
      vlanCount: 0,
      ipVersion: 4,
      ipOffset: 14,
      ipHeaderLength: 20,
      ipEnd: 56,
      ipProtocol: 6,
      tcpOffset: 34,
      udpOffset: -1,
      sourcePort: 4000,
      destinationPort: 1883,
      sequence: 0xfffffff0,
      tcpFlags: 0x10,
      window: 8000,
      payloadOffset: 54,
      payloadLength: 2,
      wirePayloadLength: 2,
    });
  });

  it('leaves padding of the link layer out of the payload', () => {
    expect(payloadOf(frameOf(ethernet([...ipv4(segment), 0, 0, 0, 0, 0, 0])))).toEqual([...payload]);
  });

  it('passes tags of 802.1Q, 802.1ad and 0x9100, any number of them', () => {
    const tags = [...word16(0x88a8), ...word16(100), ...word16(0x9100), ...word16(7), ...word16(0x8100), ...word16(5)];
    const headers = decode(frameOf(ethernet(ipv4(segment), 0x0800, tags)));
    expect(headers).toMatchObject({ vlanOffset: 14, vlanCount: 3, etherType: 0x0800, ipOffset: 26, payloadLength: 2 });
  });

  it('takes a length instead of a type for 802.3, without IP', () => {
    const headers = decode(frameOf(ethernet([0xaa, 0xaa, 3, ...ipv4(segment)], 0x0040)));
    expect(headers).toMatchObject({ etherType: 0, ipVersion: 0, tcpOffset: -1 });
  });

  it('passes PPPoE and MPLS', () => {
    const pppoe = [0x11, 0, 0, 1, ...word16(44), ...word16(0x21)];
    expect(payloadOf(frameOf(ethernet([...pppoe, ...ipv4(segment)], 0x8864)))).toEqual([...payload]);
    const labels = [0, 1, 0, 64, 0, 2, 1, 64];
    expect(payloadOf(frameOf(ethernet([...labels, ...ipv4(segment)], 0x8847)))).toEqual([...payload]);
  });

  it.each([
    ['little-endian', [2, 0, 0, 0], ipv4(segment)],
    ['big-endian', [0, 0, 0, 2], ipv4(segment)],
    ['NetBSD and OpenBSD', [24, 0, 0, 0], ipv6(segment)],
    ['FreeBSD', [0, 0, 0, 28], ipv6(segment)],
    ['macOS', [30, 0, 0, 0], ipv6(segment)],
  ])('finds IP behind the family of a loopback, %s', (_name, family, datagram) => {
    const bytes = new Uint8Array([...family, ...datagram]);
    for (const linkType of [linkTypes.null, linkTypes.loop]) {
      expect(decode(frameOf(bytes, { linkType }))).toMatchObject({ cookedOffset: 0, ipOffset: 4, payloadLength: 2 });
    }
  });

  it('finds nothing behind a family that is none of IP', () => {
    expect(decode(frameOf(new Uint8Array([7, 0, 0, 0, ...ipv4(segment)]), { linkType: linkTypes.null }))).toMatchObject(
      { ipVersion: 0, tcpOffset: -1 },
    );
  });

  it('finds raw IP of either version under each of its link types', () => {
    for (const linkType of [12, 14, 101, 228, 229]) {
      expect(payloadOf(frameOf(new Uint8Array(ipv4(segment)), { linkType }))).toEqual([...payload]);
      expect(payloadOf(frameOf(new Uint8Array(ipv6(segment)), { linkType }))).toEqual([...payload]);
    }
  });

  it('finds IP behind Linux cooked headers, version 1 and 2', () => {
    const first = [0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, ...word16(0x0800)];
    expect(payloadOf(frameOf(new Uint8Array([...first, ...ipv4(segment)]), { linkType: 113 }))).toEqual([...payload]);
    const second = [...word16(0x86dd), 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(payloadOf(frameOf(new Uint8Array([...second, ...ipv6(segment)]), { linkType: 276 }))).toEqual([...payload]);
  });

  it('passes the options of IPv4 and of TCP', () => {
    const withOptions = tcpSegment({ options: [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], payload });
    const headers = decode(frameOf(ethernet(ipv4(withOptions, { options: [7, 4, 4, 0] }))));
    expect(headers).toMatchObject({ ipHeaderLength: 24, tcpOffset: 38, payloadOffset: 70, payloadLength: 2 });
  });

  it('takes a total length of zero for all that was sent', () => {
    expect(payloadOf(frameOf(ethernet(ipv4(segment, { totalLength: 0 }))))).toEqual([...payload]);
    expect(payloadOf(frameOf(ethernet(ipv6(segment, 6, { payloadLength: 0 }), 0x86dd)))).toEqual([...payload]);
  });

  it('passes extension headers of IPv6', () => {
    const hopByHop = [43, 0, 1, 4, 0, 0, 0, 0];
    const routing = [51, 0, 0, 0, 0, 0, 0, 0];
    const authentication = [60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const destination = [6, 1, ...new Array<number>(14).fill(1)];
    const extensions = [...hopByHop, ...routing, ...authentication, ...destination];
    const headers = decode(frameOf(ethernet(ipv6([...extensions, ...segment], 0), 0x86dd)));
    expect(headers).toMatchObject({ ipExtensionOffset: 54, ipProtocol: 6, tcpOffset: 98, payloadLength: 2 });
  });

  it('takes an atomic fragment for what it is: a whole datagram', () => {
    const headers = decode(frameOf(ethernet(ipv6([6, 0, 0, 0, 0, 0, 0, 1, ...segment], 44), 0x86dd)));
    expect(headers).toMatchObject({ isFragment: false, tcpOffset: 62, payloadLength: 2 });
  });

  it('finds UDP, and believes its length as far as there is a datagram', () => {
    const udp = (length: number) => [...word16(53), ...word16(40_000), ...word16(length), 0, 0, 1, 2, 3];
    const frame = (length: number) => frameOf(ethernet(ipv4(udp(length), { protocol: 17 })));
    expect(decode(frame(11))).toMatchObject({ udpOffset: 34, sourcePort: 53, payloadOffset: 42, payloadLength: 3 });
    expect(decode(frame(10))).toMatchObject({ payloadLength: 2 });
    expect(decode(frame(500))).toMatchObject({ payloadLength: 3 });
    expect(decode(frame(0))).toMatchObject({ payloadLength: 3 });
  });

  it('counts what the capture cut off a frame', () => {
    const whole = ethernet(ipv4(tcpSegment({ payload: new Uint8Array(100) })));
    const headers = decode(frameOf(whole.subarray(0, 64), { length: whole.length }));
    expect(headers).toMatchObject({ payloadLength: 10, wirePayloadLength: 100, ipEnd: 64 });
  });

  it('finds no transport header that is cut before its window', () => {
    const whole = ethernet(ipv4(segment));
    const cutAt = (length: number) => decode(frameOf(whole.subarray(0, length), { length: whole.length }));
    expect(cutAt(49)).toMatchObject({ ipVersion: 4, tcpOffset: -1 });
    expect(cutAt(50)).toMatchObject({ ipVersion: 4, tcpOffset: 34, payloadLength: 0 });
    expect(decode(frameOf(whole.subarray(0, 50)))).toMatchObject({ ipVersion: 4, tcpOffset: -1 });
  });

  it('finds no payload where the header length of TCP makes no sense', () => {
    for (const words of [0, 4, 15]) {
      const bytes = ethernet(ipv4(segment));
      bytes[46] = words << 4;
      expect(decode(frameOf(bytes))).toMatchObject({ tcpOffset: 34, payloadLength: 0, wirePayloadLength: 0 });
    }
  });

  it('never throws nor points outside, whatever the bytes', () => {
    const seeds = [ethernet(ipv4(segment)), ethernet(ipv6([6, 0, 0, 1, 0, 0, 0, 1, ...segment], 44), 0x86dd)];
    const edits = fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 });
    const linkType = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276, 147);
    const table = new FragmentTable();
    fc.assert(
      fc.property(fc.constantFrom(...seeds), edits, fc.nat(90), linkType, (seed, changes, cut, type) => {
        const bytes = seed.slice(0, cut);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const headers = decodeHeaders(frameOf(bytes, { linkType: type, length: seed.length }), table);
        expect(headers.payloadOffset + headers.payloadLength).toBeLessThanOrEqual(headers.source.bytes.length);
        expect(headers.payloadLength).toBeLessThanOrEqual(headers.wirePayloadLength);
        expect(headers.ipEnd).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });
});
