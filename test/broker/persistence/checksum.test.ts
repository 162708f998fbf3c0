import { describe, expect, it } from 'vitest';
import { crc32, crc32ByTables } from '../../../src/broker/persistence/checksum.ts';

/** One bit after the other, as the polynomial is defined. */
function reference(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('crc32', () => {
  const bytes = Uint8Array.from({ length: 700 }, (_, index) => (index * 167 + (index >> 3)) & 255);

  it('is the one of Ethernet, zip and PNG', () => {
    expect(crc32(Buffer.from('123456789'), 0, 9)).toBe(0xcbf4_3926);
    expect(crc32(bytes, 5, 5)).toBe(0);
  });

  it('is right for every length and start', () => {
    for (let start = 0; start < 9; start++) {
      for (let length = 0; length <= 330; length++) {
        const expected = reference(bytes.subarray(start, start + length));
        expect(crc32ByTables(bytes, start, start + length)).toBe(expected);
        expect(crc32(bytes, start, start + length)).toBe(expected);
      }
    }
  });

  it('goes on from what was before', () => {
    const whole = reference(bytes);
    for (const at of [0, 1, 7, 8, 299, 350, 699, 700]) {
      expect(crc32(bytes, at, 700, crc32(bytes, 0, at))).toBe(whole);
      expect(crc32ByTables(bytes, at, 700, crc32ByTables(bytes, 0, at))).toBe(whole);
    }
  });
});
