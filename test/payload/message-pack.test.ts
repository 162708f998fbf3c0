import { describe, expect, it } from 'vitest';
import { decodePayload } from '../../src/payload/decode-payload.ts';
import { ExtensionValue, readMessagePack } from '../../src/payload/message-pack.ts';
import { printNode, spacedStyle } from '../../src/payload/payload-node.ts';

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

const zeros = (count: number) => '00'.repeat(count);

/** Every format of the specification: bytes, text, value. */
const examples: readonly (readonly [hex: string, text: string, value: unknown])[] = [
  ['00', '0', 0],
  ['7f', '127', 127],
  ['e0', '-32', -32],
  ['ff', '-1', -1],
  ['c0', 'null', null],
  ['c2', 'false', false],
  ['c3', 'true', true],
  ['cc ff', '255', 255],
  ['cd ffff', '65535', 65535],
  ['ce ffffffff', '4294967295', 4294967295],
  ['cf 001fffffffffffff', '9007199254740991', Number.MAX_SAFE_INTEGER],
  ['cf ffffffffffffffff', '18446744073709551615', 18446744073709551615n],
  ['d0 80', '-128', -128],
  ['d0 7f', '127', 127],
  ['d1 8000', '-32768', -32768],
  ['d2 80000000', '-2147483648', -2147483648],
  ['d2 7fffffff', '2147483647', 2147483647],
  ['d3 8000000000000000', '-9223372036854775808', -9223372036854775808n],
  ['d3 ffffffffffffffff', '-1', -1],
  ['ca 3fc00000', '1.5', 1.5],
  ['ca 7f800000', 'Infinity', Number.POSITIVE_INFINITY],
  ['cb 4000000000000000', '2.0', 2],
  ['cb 7ff8000000000000', 'NaN', Number.NaN],
  ['a0', '""', ''],
  ['a3 616263', '"abc"', 'abc'],
  ['a2 c3bc', '"ü"', 'ü'],
  ['a1 ff', "h'ff'", Uint8Array.of(0xff)],
  ['d9 01 61', '"a"', 'a'],
  ['da 0001 61', '"a"', 'a'],
  ['db 00000001 61', '"a"', 'a'],
  ['c4 02 0102', "h'0102'", Uint8Array.of(1, 2)],
  ['c5 0001 ff', "h'ff'", Uint8Array.of(255)],
  ['c6 00000000', "h''", new Uint8Array(0)],
  ['90', '[]', []],
  ['92 01 c0', '[1, null]', [1, null]],
  ['dc 0002 01 02', '[1, 2]', [1, 2]],
  ['dd 00000001 a161', '["a"]', ['a']],
  ['80', '{}', {}],
  ['82 a161 01 a162 91c3', '{"a": 1, "b": [true]}', { a: 1, b: [true] }],
  ['81 01 02', '{1: 2}', new Map([[1, 2]])],
  ['de 0001 a161 c2', '{"a": false}', { a: false }],
  ['df 00000001 a161 c2', '{"a": false}', { a: false }],
  ['d4 05 0a', "ext(5, h'0a')", new ExtensionValue(5, Uint8Array.of(10))],
  ['d5 05 0a0b', "ext(5, h'0a0b')", new ExtensionValue(5, Uint8Array.of(10, 11))],
  [`d8 7f ${zeros(16)}`, `ext(127, h'${zeros(16)}')`, new ExtensionValue(127, new Uint8Array(16))],
  ['c7 03 80 010203', "ext(-128, h'010203')", new ExtensionValue(-128, Uint8Array.of(1, 2, 3))],
  ['c8 0001 01 ff', "ext(1, h'ff')", new ExtensionValue(1, Uint8Array.of(255))],
  ['c9 00000001 01 ff', "ext(1, h'ff')", new ExtensionValue(1, Uint8Array.of(255))],
  ['d6 ff 5d8c5a00', 'timestamp("2019-09-26T06:26:08Z")', new Date('2019-09-26T06:26:08Z')],
  ['d7 ff 0000000400000001', 'timestamp("1970-01-01T00:00:01.000000001Z")', new Date(1000)],
  ['d7 ff 77359400 5d8c5a00', 'timestamp("2019-09-26T06:26:08.5Z")', new Date('2019-09-26T06:26:08.500Z')],
  ['c7 0c ff 00000000 ffffffffffffffff', 'timestamp("1969-12-31T23:59:59Z")', new Date(-1000)],
  ['c7 0c ff 3b9aca00 0000000000000000', "ext(-1, h'3b9aca000000000000000000')", expect.any(ExtensionValue)],
];

describe('MessagePack', () => {
  it.each(examples)('%s is %s', (hex, text, value) => {
    const root = readMessagePack(bytesOf(hex));
    expect(printNode(root, spacedStyle, 1000)).toBe(text);
    expect(root.value).toEqual(value);
  });

  it.each(examples)('%s is refused when its last byte is missing', (hex) => {
    const { problem } = decodePayload(bytesOf(hex).subarray(0, -1), { format: 'msgpack' });
    expect(problem?.message).toMatch(/^no MessagePack: .* at byte \d+$/);
  });

  it.each([
    ['c1', '0xc1, which is never used, at byte 0'],
    ['92 01 c1', '0xc1, which is never used, at byte 2'],
    ['01 02', 'more bytes after the value, at byte 1'],
    ['91 a5 6162', 'text of 5, but 2 bytes left, at byte 1'],
    ['dd ffffffff 00', 'array of 4294967295, but 1 bytes left, at byte 0'],
    ['df ffffffff 0000', 'map of 8589934590, but 2 bytes left, at byte 0'],
    ['cd 01', 'number of 2, but 1 bytes left, at byte 0'],
    ['', 'it ends where more should follow, at byte 0'],
  ])('%s is refused: %s', (hex, message) => {
    expect(decodePayload(bytesOf(hex), { format: 'msgpack' }).problem?.message).toBe(`no MessagePack: ${message}`);
  });

  it('names where each value is', () => {
    const root = readMessagePack(bytesOf('82 a161 01 a162 91c3'));
    expect(root.children.map(({ name, start, end }) => [name, start, end])).toEqual([
      ['"a"', 3, 4],
      ['"b"', 6, 8],
    ]);
  });

  it('stops at 256 values inside each other', () => {
    const { problem } = decodePayload(new Uint8Array(10_000).fill(0x91), { format: 'msgpack' });
    expect(problem).toEqual({ message: 'values in values, 257 deep; at most 256', offset: 256 });
  });
});
