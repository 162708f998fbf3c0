import { describe, expect, it } from 'vitest';
import { TextCache } from '../../src/base/text-cache.ts';

function find(cache: TextCache, text: string, before = ''): string | undefined {
  const bytes = Buffer.from(`${before}${text}..`);
  return cache.find(bytes, Buffer.byteLength(before), bytes.length - 2);
}

/** As a reader does with a text that it had to decode. */
function decode(cache: TextCache, text: string): boolean {
  const bytes = Buffer.from(text);
  const isKnown = cache.find(bytes, 0, bytes.length) !== undefined;
  if (!isKnown) cache.put(bytes, 0, bytes.length, text);
  return isKnown;
}

describe('TextCache', () => {
  it('gives back what was put, for equal bytes anywhere', () => {
    const cache = new TextCache();
    for (const text of ['a', 'ab', 'ba', 'sensors/1/temperature', 'sensors/2/temperature', 'x'.repeat(64)]) {
      expect([decode(cache, text), decode(cache, text)]).toEqual([false, true]);
      expect(find(cache, text, '.....')).toBe(text);
    }
    for (const other of ['b', 'aa', 'sensors/3/temperature', 'x'.repeat(63)])
      expect(find(cache, other)).toBeUndefined();
  });

  it('does not keep what is long, empty or not ASCII', () => {
    const cache = new TextCache();
    for (const text of ['', 'x'.repeat(65), 'é', 'ключ']) {
      for (let round = 0; round < 4; round++) expect(decode(cache, text)).toBe(false);
    }
  });

  it('never mistakes one text for another, with many more texts than it holds', () => {
    const cache = new TextCache();
    let found = 0;
    for (let index = 0; index < 60_000; index++) {
      const text = `device/${index % 20_000}/state`;
      decode(cache, text);
      decode(cache, text);
      const known = find(cache, text);
      if (known !== undefined) {
        if (known !== text) expect(known).toBe(text);
        found++;
      }
    }
    // Put twice in a row, each of them took its place.
    expect(found).toBe(60_000);
  });

  it('keeps a text that is used while many others pass by once', () => {
    const cache = new TextCache();
    for (let round = 0; round < 3; round++) decode(cache, 'often/used');
    for (let index = 0; index < 100_000; index++) decode(cache, `passing/${index}`);
    expect(find(cache, 'often/used')).toBe('often/used');
  });

  it('gives a place to another text once that is the only one used', () => {
    const cache = new TextCache();
    for (let index = 0; index < 50_000; index++) decode(cache, `old/${index}`);
    let known = 0;
    for (let index = 0; index < 100; index++) {
      for (let round = 0; round < 2; round++) decode(cache, `new/${index}`);
      if (find(cache, `new/${index}`) !== undefined) known++;
    }
    expect(known).toBe(100);
  });

  it('serves a thousand texts in turn, but for the few that share a place', () => {
    const cache = new TextCache();
    let known = 0;
    for (let round = 0; round < 3; round++) {
      known = 0;
      for (let index = 0; index < 1000; index++) if (decode(cache, `device/${index}/state`)) known++;
    }
    expect(known).toBeGreaterThan(800);
  });
});
