import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandshakeReader } from '../../../src/capture/tls/handshake-reader.ts';

function message(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(4 + length, type + 100);
  bytes.writeUInt32BE(length, 0);
  bytes[0] = type;
  return bytes;
}

function readAll(chunks: readonly Uint8Array[]): [number, number | undefined][] {
  const reader = new HandshakeReader();
  const found: [number, number | undefined][] = [];
  for (const chunk of chunks) reader.push(chunk, (type, whole) => found.push([type, whole?.length]));
  return found;
}

describe('handshake messages', () => {
  it('are found in whatever records they lie', () => {
    const lengths = [0, 1, 3, 500, 0, 20_000, 32];
    const bytes = Buffer.concat(lengths.map((length, index) => message(index + 1, length)));
    const expected = lengths.map((length, index) => [index + 1, 4 + length]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 16_384 }), { minLength: 1 }), (sizes) => {
        const chunks: Uint8Array[] = [];
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const size = sizes[index % sizes.length]!;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(readAll(chunks)).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it.each([16_384, 3])('that are too long are passed over, in records of %d bytes', (size) => {
    const bytes = Buffer.concat([message(11, 200_000), message(20, 32)]);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    expect(readAll(chunks)).toEqual([
      [11, undefined],
      [20, 36],
    ]);
  });

  it('are not waited for where a type is none', () => {
    expect(readAll([Buffer.from([200, 0, 0, 9, 1]), message(20, 12)])).toEqual([[20, 16]]);
    expect(readAll([Buffer.from([200]), Buffer.from([0, 0, 9, 1]), message(20, 12)])).toEqual([[20, 16]]);
  });
});
