import { describe, expect, it } from 'vitest';
import { PacketCutter } from '../../src/bench/packet-cutter.ts';
import { publishForm } from '../../src/bench/wire.ts';

/** Everything that comes out of a cutter, as text; packets that begin with 0x30 are taken in runs. */
function cut(chunks: readonly Uint8Array[], publishBytes = 100): string[] {
  const packets: string[] = [];
  const hex = (bytes: Uint8Array, from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString('hex');
  const cutter = new PacketCutter(
    {
      takeRun(bytes, offset, end) {
        let at = offset;
        while (at + 4 <= end && bytes[at] === 0x30 && bytes[at + 1] === 2) {
          packets.push(hex(bytes, at, at + 4));
          at += 4;
        }
        return at;
      },
      takePacket(bytes, offset, body, end) {
        packets.push(`${hex(bytes, offset, body)}:${hex(bytes, body, end)}`);
      },
      endChunk() {},
    },
    publishBytes,
  );
  // The buffer is used again for every chunk, as the generator's is.
  const buffer = new Uint8Array(1000);
  for (const chunk of chunks) {
    buffer.fill(0xff);
    buffer.set(chunk);
    cutter.push(buffer, chunk.length);
  }
  return packets;
}

const long = [0x31, 0x82, 0x01, ...Array.from({ length: 130 }, (_, index) => index)];
const stream = Uint8Array.from([0x40, 2, 0, 1, 0x30, 2, 7, 8, 0x30, 2, 9, 10, 0xd0, 0, ...long, 0x30, 2, 11, 12]);
const expected = [
  '4002:0001',
  '30020708',
  '3002090a',
  'd000:',
  `318201:${Buffer.from(long.slice(3)).toString('hex')}`,
  '30020b0c',
];

describe('PacketCutter', () => {
  it('cuts the same packets wherever two chunks meet', () => {
    for (let at = 0; at <= stream.length; at++) {
      expect(cut([stream.subarray(0, at), stream.subarray(at)]), `cut at ${at}`).toEqual(expected);
    }
  });

  it('cuts the same packets byte by byte, and in pieces of every length', () => {
    for (let length = 1; length <= stream.length; length++) {
      const chunks = [];
      for (let at = 0; at < stream.length; at += length) chunks.push(stream.subarray(at, at + length));
      expect(cut(chunks), `pieces of ${length}`).toEqual(expected);
    }
  });

  it('refuses a length of five bytes and a packet that is larger than any it expects', () => {
    expect(() => cut([Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80, 1)])).toThrow('more than four bytes');
    expect(() => cut([Uint8Array.of(0x31, 0xff, 0xff, 0xff, 0x7f)])).toThrow('268435460 bytes');
  });
});

describe('publishForm', () => {
  it.each([
    ['3.1.1', 0, 64, 2],
    ['3.1.1', 1, 64, 2],
    ['5', 0, 64, 2],
    ['5', 2, 64, 2],
    ['5', 1, 200, 3],
    ['3.1.1', 2, 100_000, 4],
  ] as const)(
    'knows where the parts of an MQTT %s PUBLISH at QoS %i with %i bytes of payload are',
    (protocol, qos, payloadBytes, headerBytes) => {
      const form = publishForm(protocol, 'bench/0007', qos, 0x0102, payloadBytes);
      const { template } = form;
      expect(form.headerBytes).toBe(headerBytes);
      expect(template[0]).toBe(0x30 | (qos << 1));
      expect(template.length).toBe(form.payloadOffset + payloadBytes);
      expect([...template.subarray(form.payloadOffset, form.payloadOffset + 8)]).toEqual([
        0x0c, 0x1e, 1, 2, 0, 0, 0, 0,
      ]);
      expect(form.counterOffset).toBe(form.payloadOffset + 4);
      if (qos > 0) expect(form.packetIdentifierOffset).toBe(headerBytes + 2 + 'bench/0007'.length);
      // The cutter agrees on where it ends.
      expect(cut([template.subarray(0, 900)], 200_000)).toHaveLength(template.length <= 900 ? 1 : 0);
    },
  );
});
