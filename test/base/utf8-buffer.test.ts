import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textOf, Utf8Buffer } from '../../src/base/utf8-buffer.ts';

const encoder = new TextEncoder();

describe('Utf8Buffer', () => {
  it('holds what was appended, as UTF-8', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      fc.string({ unit: 'binary-ascii', maxLength: 200 }).map((text) => encoder.encode(text)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const buffer = new Utf8Buffer(1);
        let expected = '';
        for (const one of pieces) {
          if (typeof one === 'string') buffer.text(one);
          else if (typeof one === 'number') buffer.decimal(one);
          else if (one.length % 2 === 0) buffer.raw(one, 0, one.length);
          else expect(buffer.ascii(one, 0, one.length)).toBe(true);
          expected += typeof one === 'object' ? new TextDecoder().decode(one) : one;
        }
        expect(buffer.view()).toEqual(encoder.encode(expected));
      }),
    );
  });

  it.each([
    0,
    9,
    10,
    99,
    100,
    65_535,
    99_999,
    2_147_483_647,
    2_147_483_648,
    4_294_967_295,
    1_000_000_000_000,
    2 ** 53 - 1,
  ])('writes %d as wide as it is asked for', (value) => {
    for (const width of [1, 5, 9, 12, 17]) {
      expect(textOf((output) => output.decimal(value, width))).toBe(String(value).padStart(width, '0'));
      expect(textOf((output) => output.decimal(value, width, 0x20))).toBe(String(value).padStart(width));
    }
  });

  it('takes nothing of bytes that are not all ASCII', () => {
    const buffer = new Utf8Buffer();
    buffer.text('a');
    expect(buffer.ascii(Uint8Array.of(0x62, 0xc3, 0xa4), 0, 3)).toBe(false);
    expect(buffer.ascii(Uint8Array.of(0x62, 0xc3, 0xa4), 0, 1)).toBe(true);
    expect(new TextDecoder().decode(buffer.view())).toBe('ab');
    buffer.clear();
    expect(buffer.view()).toHaveLength(0);
  });

  it('writes a lone surrogate as U+FFFD', () => {
    expect(textOf((output) => output.text('\ud800x'))).toBe('\ufffdx');
    expect(textOf((output) => output.text(`${'x'.repeat(100)}\udfff`))).toBe(`${'x'.repeat(100)}\ufffd`);
  });
});
