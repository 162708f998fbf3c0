import { describe, expect, it } from 'vitest';
import { readCbor, SimpleValue, TaggedValue } from '../../src/payload/cbor.ts';
import { decodePayload } from '../../src/payload/decode-payload.ts';
import { printNode, spacedStyle } from '../../src/payload/payload-node.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

function notation(hex: string): string {
  return printNode(readCbor(bytesOf(hex)), spacedStyle, 100_000);
}

/** RFC 8949, appendix A: encoded, diagnostic notation. */
const examples: readonly (readonly [hex: string, notation: string])[] = [
  ['00', '0'],
  ['01', '1'],
  ['0a', '10'],
  ['17', '23'],
  ['1818', '24'],
  ['1819', '25'],
  ['1864', '100'],
  ['1903e8', '1000'],
  ['1a000f4240', '1000000'],
  ['1b000000e8d4a51000', '1000000000000'],
  ['1bffffffffffffffff', '18446744073709551615'],
  ['c249010000000000000000', '18446744073709551616'],
  ['3bffffffffffffffff', '-18446744073709551616'],
  ['c349010000000000000000', '-18446744073709551617'],
  ['20', '-1'],
  ['29', '-10'],
  ['3863', '-100'],
  ['3903e7', '-1000'],
  ['f90000', '0.0'],
  ['f98000', '-0.0'],
  ['f93c00', '1.0'],
  ['fb3ff199999999999a', '1.1'],
  ['f93e00', '1.5'],
  ['f97bff', '65504.0'],
  ['fa47c35000', '100000.0'],
  ['fa7f7fffff', '3.4028234663852886e+38'],
  ['fb7e37e43c8800759c', '1.0e+300'],
  ['f90001', '5.960464477539063e-8'],
  ['f90400', '0.00006103515625'],
  ['f9c400', '-4.0'],
  ['fbc010666666666666', '-4.1'],
  ['f97c00', 'Infinity'],
  ['f97e00', 'NaN'],
  ['f9fc00', '-Infinity'],
  ['fa7f800000', 'Infinity'],
  ['fa7fc00000', 'NaN'],
  ['faff800000', '-Infinity'],
  ['fb7ff0000000000000', 'Infinity'],
  ['fb7ff8000000000000', 'NaN'],
  ['fbfff0000000000000', '-Infinity'],
  ['f4', 'false'],
  ['f5', 'true'],
  ['f6', 'null'],
  ['f7', 'undefined'],
  ['f0', 'simple(16)'],
  ['f8ff', 'simple(255)'],
  ['c074323031332d30332d32315432303a30343a30305a', '0("2013-03-21T20:04:00Z")'],
  ['c11a514b67b0', '1(1363896240)'],
  ['c1fb41d452d9ec200000', '1(1363896240.5)'],
  ['d74401020304', "23(h'01020304')"],
  ['d818456449455446', "24(h'6449455446')"],
  ['d82076687474703a2f2f7777772e6578616d706c652e636f6d', '32("http://www.example.com")'],
  ['40', "h''"],
  ['4401020304', "h'01020304'"],
  ['60', '""'],
  ['6161', '"a"'],
  ['6449455446', '"IETF"'],
  ['62225c', '"\\"\\\\"'],
  ['62c3bc', '"\u00fc"'],
  ['63e6b0b4', '"\u6c34"'],
  ['64f0908591', '"\ud800\udd51"'],
  ['80', '[]'],
  ['83010203', '[1, 2, 3]'],
  ['8301820203820405', '[1, [2, 3], [4, 5]]'],
  [
    '98190102030405060708090a0b0c0d0e0f101112131415161718181819',
    '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]',
  ],
  ['a0', '{}'],
  ['a201020304', '{1: 2, 3: 4}'],
  ['a26161016162820203', '{"a": 1, "b": [2, 3]}'],
  ['826161a161626163', '["a", {"b": "c"}]'],
  ['a56161614161626142616361436164614461656145', '{"a": "A", "b": "B", "c": "C", "d": "D", "e": "E"}'],
  ['5f42010243030405ff', "(_ h'0102', h'030405')"],
  ['7f657374726561646d696e67ff', '(_ "strea", "ming")'],
  ['9fff', '[_ ]'],
  ['9f018202039f0405ffff', '[_ 1, [2, 3], [_ 4, 5]]'],
  ['9f01820203820405ff', '[_ 1, [2, 3], [4, 5]]'],
  ['83018202039f0405ff', '[1, [2, 3], [_ 4, 5]]'],
  ['83019f0203ff820405', '[1, [_ 2, 3], [4, 5]]'],
  [
    '9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff',
    '[_ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25]',
  ],
  ['bf61610161629f0203ffff', '{_ "a": 1, "b": [_ 2, 3]}'],
  ['826161bf61626163ff', '["a", {_ "b": "c"}]'],
  ['bf6346756ef563416d7421ff', '{_ "Fun": true, "Amt": -2}'],
];

describe('CBOR', () => {
  it.each(examples)('%s is %s, as in RFC 8949 appendix A', (hex, expected) => {
    expect(notation(hex)).toBe(expected);
  });

  it.each(examples)('%s is refused when its last byte is missing', (hex) => {
    const cut = bytesOf(hex).subarray(0, -1);
    expect(decodePayload(cut, { format: 'cbor' }).problem?.message).toMatch(/^no CBOR: .* at byte \d+$/);
  });

  it('gives plain values', () => {
    const value = (hex: string) => readCbor(bytesOf(hex)).value;
    expect(value('a26161016162820203')).toEqual({ a: 1, b: [2, 3] });
    expect(value('a201020304')).toEqual(
      new Map([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(value('1bffffffffffffffff')).toBe(18446744073709551615n);
    expect(value('3b001fffffffffffff')).toBe(-9007199254740992n);
    expect(value('1b001fffffffffffff')).toBe(Number.MAX_SAFE_INTEGER);
    expect(value('c349010000000000000000')).toBe(-18446744073709551617n);
    expect(value('c11a514b67b0')).toEqual(new Date(1363896240000));
    expect(value('c074323031332d30332d32315432303a30343a30305a')).toEqual(new Date('2013-03-21T20:04:00Z'));
    expect(value('d818456449455446')).toBe('IETF');
    expect(value('c48221196ab3')).toBe(273.15);
    expect(value('c5822003')).toBe(1.5);
    expect(value('d9d9f7a0')).toEqual({});
    expect(value('d903e901')).toEqual(new TaggedValue(1001, 1));
    expect(value('f0')).toEqual(new SimpleValue(16));
    expect(value('7f657374726561646d696e67ff')).toBe('streaming');
    expect(value('5f42010243030405ff')).toEqual(bytesOf('0102030405'));
  });

  it('names where each value is', () => {
    const root = readCbor(bytesOf('a2616101616282024161'));
    expect(root.children.map(({ name, start, end }) => [name, start, end])).toEqual([
      ['"a"', 3, 4],
      ['"b"', 6, 10],
    ]);
    expect(root.children[1]!.children.map(({ start, end }) => [start, end])).toEqual([
      [7, 8],
      [8, 10],
    ]);
  });

  it('has the parts of embedded CBOR beside the bytes that it shows', () => {
    const root = readCbor(bytesOf('d8184482016161'));
    expect(root.opening).toBe("24(h'82016161')");
    expect(root.children[0]!.children.map(({ value }) => value)).toEqual([1, 'a']);
  });

  it.each([
    ['1c', 'initial byte 0x1c, which has no meaning, at byte 0'],
    ['3f', 'initial byte 0x3f, which has no meaning, at byte 0'],
    ['df00', 'initial byte 0xdf, which has no meaning, at byte 0'],
    ['fc', 'initial byte 0xfc, which has no meaning, at byte 0'],
    ['ff', 'a break without anything to end, at byte 0'],
    ['8201ff', 'a break without anything to end, at byte 2'],
    ['bf01ffff', 'a break without anything to end, at byte 2'],
    ['f818', 'simple value 24 in two bytes, at byte 0'],
    ['5f6161ff', 'initial byte 0x61 between the parts of a string, at byte 1'],
    ['5f5fffff', 'initial byte 0x5f between the parts of a string, at byte 1'],
    ['6261c3', 'a text that is not UTF-8, at byte 2'],
    ['7b7fffffffffffffff', 'text of 9223372036854775807, but 0 bytes left, at byte 0'],
    ['9affffffff00', 'array of 4294967295, but 1 bytes left, at byte 0'],
    ['0001', 'more bytes after the data item, at byte 1'],
    ['', 'it ends where a data item should be, at byte 0'],
  ])('%s is refused: %s', (hex, message) => {
    expect(decodePayload(bytesOf(hex), { format: 'cbor' }).problem?.message).toBe(`no CBOR: ${message}`);
  });

  it('is read in sequence where the content type says so', () => {
    const sequence = bytesOf('01a0616181f6');
    expect(decodePayload(sequence, { contentType: 'application/cbor-seq' })).toMatchObject({
      format: 'cbor',
      text: '1, {}, "a", [null]',
      value: [1, {}, 'a', [null]],
      problem: undefined,
    });
    expect(decodePayload(sequence, { contentType: 'application/cbor' }).problem?.message).toBe(
      'no CBOR: more bytes after the data item, at byte 1',
    );
  });

  it('stops at 256 values inside each other and at 100,000 in all', () => {
    const deep = decodePayload(new Uint8Array(10_000).fill(0x81), { format: 'cbor' });
    expect(deep.problem).toEqual({ message: 'values in values, 257 deep; at most 256', offset: 256 });
    const many = new Uint8Array(200_005);
    many.set(bytesOf('9a00030d40'));
    expect(decodePayload(many, { format: 'cbor' }).problem?.message).toBe('more than 100000 values');
  });
});
