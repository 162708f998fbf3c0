import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as onNode from '../../src/base/bytes.ts';

/** The module as it loads where there is no Buffer, as in a browser. */
async function loadWithoutBuffer(): Promise<typeof onNode> {
  const source = new URL('../../src/base/bytes.ts', import.meta.url);
  const { outputFiles } = await build({
    entryPoints: [source.pathname],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'loaded',
  });
  const context = createContext({ TextEncoder, TextDecoder, Uint8Array });
  return runInContext(`${outputFiles[0]!.text}; loaded`, context) as typeof onNode;
}

/** Text of every kind: ASCII, two, three and four bytes, lone surrogates, U+0000. */
const anyText = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
);

const places = [
  ['with Buffer', onNode],
  ['without Buffer', await loadWithoutBuffer()],
] as const;

describe.each(places)('text and bytes %s', (_, { decodeUtf8, isWellFormed, utf8Length, writeUtf8 }) => {
  it('[MQTT-1.5.4-1] [MQTT-1.5.4-2] decodes all well-formed sequences without U+0000, and nothing else', () => {
    const interesting = [
      0x00, 0x01, 0x2b, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf4, 0xff,
    ];
    let decoded = 0;
    const check = (...sequence: number[]) => {
      const bytes = Uint8Array.of(0x61, ...sequence, 0x62);
      // Ill-formed bytes come back as the replacement character, so that only well-formed ones come back as they were.
      const text = Buffer.from(sequence).toString();
      const expected = Buffer.from(text).equals(Buffer.from(sequence)) && !sequence.includes(0) ? text : undefined;
      if (expected !== undefined) decoded++;
      const actual = decodeUtf8(bytes, 1, 1 + sequence.length);
      if (actual !== expected) expect({ sequence, actual }).toEqual({ sequence, actual: expected });
    };
    for (let first = 0; first < 256; first++) {
      check(first);
      for (let second = 0; second < 256; second++) check(first, second);
      if (first < 0x7f) continue;
      for (const second of interesting) {
        for (const third of interesting) {
          check(first, second, third);
          if (first >= 0xf0) for (const fourth of interesting) check(first, second, third, fourth);
        }
      }
    }
    expect(decoded).toBeGreaterThan(20_000);
  });

  it('decodes text of every length around the one where it changes its way', () => {
    for (let length = 0; length < 100; length++) {
      for (const [character, isText] of [
        ['a', true],
        ['ä', true],
        ['🦋', true],
        ['\0', false],
      ] as const) {
        const text = 'x'.repeat(length) + character;
        const bytes = Buffer.from(`<${text}>`);
        expect(decodeUtf8(bytes, 1, bytes.length - 1)).toBe(isText ? text : undefined);
      }
      const illFormed = Buffer.concat([Buffer.from('x'.repeat(length)), Buffer.of(0xff)]);
      expect(decodeUtf8(illFormed, 0, illFormed.length)).toBeUndefined();
    }
  });

  it('[MQTT-1.5.4-3] keeps U+FEFF wherever it is', () => {
    for (const text of ['\ufeff', '\ufeffa', 'a\ufeffb\ufeff']) {
      const bytes = Buffer.from(text);
      expect(decodeUtf8(bytes, 0, bytes.length)).toBe(text);
    }
  });

  it('knows the length of any text and writes just as many bytes', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const expected = new TextEncoder().encode(text);
        expect(utf8Length(text)).toBe(expected.length);
        const bytes = new Uint8Array(expected.length + 3);
        expect(writeUtf8(text, bytes, 2)).toBe(expected.length);
        expect([...bytes]).toEqual([0, 0, ...expected, 0]);
      }),
    );
  });

  it('tells text that has no UTF-8 form', () => {
    const ofTheEngine = (text: string) => (text as unknown as { isWellFormed(): boolean }).isWellFormed();
    fc.assert(fc.property(anyText, (text) => isWellFormed(text) === ofTheEngine(text)));
  });
});
