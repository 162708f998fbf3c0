import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PeerIdentifiers } from '../../src/exchange/peer-identifiers.ts';

describe('PeerIdentifiers', () => {
  // Close together, as clients choose them; far apart, in one slot whatever the size of the table; and anything.
  const identifier = fc.oneof(
    fc.integer({ min: 1, max: 40 }),
    fc.integer({ min: 1, max: 127 }).map((number) => number * 512),
    fc.integer({ min: 1, max: 65_535 }),
  );

  it('behaves as a Map under any sequence of add, take and get', () => {
    const step = fc.record({ kind: fc.constantFrom('add', 'add', 'take', 'get'), identifier });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const kept = new PeerIdentifiers<string>();
        const model = new Map<number, string>();
        steps.forEach(({ kind, identifier: one }, index) => {
          if (kind === 'add') {
            expect(kept.add(one, `${index}`)).toBe(!model.has(one));
            if (!model.has(one)) model.set(one, `${index}`);
          } else if (kind === 'take') {
            expect(kept.take(one)).toBe(model.get(one));
            model.delete(one);
          }
          expect(kept.get(one)).toBe(model.get(one));
          expect(kept.count).toBe(model.size);
        });
        expect(new Map(kept.entries())).toEqual(model);
        expect(kept.entries()).toHaveLength(model.size);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  it('keeps all 65,535 at once, and nothing under 0', () => {
    const kept = new PeerIdentifiers<number>();
    for (let one = 65_535; one > 0; one--) expect(kept.add(one, one)).toBe(true);
    expect(kept.count).toBe(65_535);
    expect(kept.get(0)).toBeUndefined();
    expect(kept.take(0)).toBeUndefined();
    for (let one = 1; one <= 65_535; one++) expect(kept.take(one)).toBe(one);
    expect(kept.count).toBe(0);
    expect(kept.entries()).toEqual([]);
  });
});
