import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printJson, printJsonNumber } from '../../src/payload/json-print.ts';
import { quoteJson, quoteJsonBytes } from '../../src/payload/json-string.ts';
import { JsonObject, type JsonValue, jsonDepthMax, parseJson } from '../../src/payload/json-value.ts';

function reprint(text: string): string | undefined {
  const value = parseJson(text);
  return value === undefined ? undefined : printJson(value);
}

function plain(value: JsonValue): unknown {
  if (value instanceof JsonObject) return Object.fromEntries(value.members.map(([name, item]) => [name, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

describe('parseJson', () => {
  it('agrees with JSON.parse on every value JSON.stringify can write', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        // A name that __proto__ or a repeated name would lose is compared by text instead, below.
        const text = JSON.stringify(value);
        expect(JSON.stringify(plain(parseJson(text) as JsonValue))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('keeps the order and the repetition of names', () => {
    expect(reprint('{"b":1,"a":2,"1":3,"a":4,"__proto__":5}')).toBe('{"b":1,"a":2,"1":3,"a":4,"__proto__":5}');
  });

  it('is as tolerant as the classic clients', () => {
    expect(reprint(' \u0001{"a" : 01 ,"b":\n1.e2}\t')).toBe('{"a":1,"b":100}');
    expect(reprint('"a\u0001b"')).toBe('"a\\u0001b"');
    expect(reprint('\ufeff[1]')).toBe('[1]');
    expect(reprint('-0')).toBe('-0');
    expect(reprint('1e400')).toBe('null');
  });

  it('reads every escape and joins pairs', () => {
    expect(parseJson(String.raw`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`)).toBe('"\\/\b\f\n\r\té😀');
  });

  it.each([
    '',
    ' ',
    'nul',
    'nope',
    "'x'",
    '[1,]',
    '[1',
    '{"a"}',
    '{"a":1,}',
    '{a:1}',
    '1 2',
    '+1',
    '.5',
    '-',
    '"a',
    String.raw`"\x"`,
    String.raw`"\u12g4"`,
    String.raw`"\ud83d"`,
    String.raw`"\ude00"`,
    String.raw`"\ud83d\u0041"`,
    'true false',
    '[]]',
  ])('refuses %j', (text) => {
    expect(parseJson(text)).toBeUndefined();
  });

  it('refuses what nests too deep, whatever its size', () => {
    expect(parseJson('['.repeat(jsonDepthMax) + ']'.repeat(jsonDepthMax))).toBeDefined();
    expect(parseJson('['.repeat(jsonDepthMax + 1) + ']'.repeat(jsonDepthMax + 1))).toBeUndefined();
    expect(parseJson('['.repeat(1_000_000))).toBeUndefined();
    expect(parseJson('{"a":'.repeat(1_000_000))).toBeUndefined();
  });
});

describe('printJson', () => {
  it('prints objects pretty with tabs and arrays on their line', () => {
    const text = '{"a":[1,2.50,{"b":{}},[]],"c":null}';
    expect(printJson(parseJson(text) as JsonValue, 'pretty')).toBe(
      '{\n\t"a":\t[1, 2.5, {\n\t\t\t"b":\t{\n\t\t\t}\n\t\t}, []],\n\t"c":\tnull\n}',
    );
  });

  it.each([
    [1, '1'],
    [-1.5, '-1.5'],
    [1000, '1000'],
    [0.1, '0.1'],
    [0.30000000000000004, '0.3'],
    [123456789012345680000, '1.2345678901234568e+20'],
    [1e22, '1e+22'],
    [1e-5, '1e-05'],
    [0.0001, '0.0001'],
    [4294967296, '4294967296'],
    [1e15, '1e+15'],
    [1e14, '100000000000000'],
    [2 ** 53, '9.00719925474099e+15'],
    [5e-324, '4.94065645841247e-324'],
    [Number.MAX_VALUE, '1.7976931348623157e+308'],
    [Number.NaN, 'null'],
  ])('prints the number %d as %s', (value, text) => {
    expect(printJsonNumber(value)).toBe(text);
  });

  it('prints numbers that read back within one part in 2^52', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const back = Number(printJsonNumber(value));
        expect(Math.abs(back - value)).toBeLessThanOrEqual(Math.max(Math.abs(back), Math.abs(value)) * Number.EPSILON);
      }),
    );
  });
});

describe('quoteJson', () => {
  it('writes strings that JSON.parse reads back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(quoteJson(text))).toBe(text);
      }),
    );
  });

  it('escapes no more than it must', () => {
    expect(quoteJson('a"\\/\u007fé\u0000\u001f\n')).toBe('"a\\"\\\\/\u007fé\\u0000\\u001f\\n"');
  });

  it('quotes bytes as it quotes their text, and leaves alone what is no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(Buffer.from(quoteJsonBytes(Buffer.from(text))).toString()).toBe(quoteJson(text));
      }),
    );
    expect([...quoteJsonBytes(Uint8Array.of(0xff, 0, 0x22))]).toEqual([
      0x22,
      0xff,
      ...Buffer.from(String.raw`\u0000\"`),
      0x22,
    ]);
  });
});
