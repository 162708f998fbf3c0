import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/cli/nearest-name.ts';

const names = ['broker', 'pub', 'sub', 'rr', 'passwd', 'bench', 'help', 'version'];

describe('nearestName', () => {
  it.each([
    ['borker', 'broker'],
    ['brokr', 'broker'],
    ['brokers', 'broker'],
    ['publish', 'pub'],
    ['subscribe', 'sub'],
    ['puv', 'pub'],
    ['password', 'passwd'],
    ['verison', 'version'],
    ['hepl', 'help'],
  ])('takes %s for %s', (word, name) => {
    expect(nearestName(word, names)).toBe(name);
  });

  it.each(['x', '', 'r', 'dissect', 'listener', 'p'])('takes %j for none of them', (word) => {
    expect(nearestName(word, names)).toBeUndefined();
  });

  it('takes each name for itself, whatever was mistyped elsewhere', () => {
    for (const name of names) expect(nearestName(name, names)).toBe(name);
  });

  it('finds a name of five letters or more after any one letter is changed', () => {
    const longNames = names.filter((name) => name.length >= 5);
    fc.assert(
      fc.property(fc.constantFrom(...longNames), fc.nat(), fc.constantFrom(...'äxyz01'), (name, at, letter) => {
        const index = at % name.length;
        expect(nearestName(name.slice(0, index) + letter + name.slice(index + 1), names)).toBe(name);
      }),
      { seed: 20, numRuns: 200 },
    );
  });
});
