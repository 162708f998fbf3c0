import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isTopicFilter,
  isTopicName,
  matchesFilter,
  parseSharedFilter,
  topicLevels,
} from '../../src/protocol/topics.ts';

/** All strings over `characters` of one to `lengthMax` characters. */
function allStrings(characters: string, lengthMax: number): string[] {
  let last = [''];
  const all: string[] = [];
  for (let length = 1; length <= lengthMax; length++) {
    last = last.flatMap((text) => [...characters].map((character) => text + character));
    all.push(...last);
  }
  return all;
}

const smallStrings = allStrings('a/+#', 5);
const smallNames = smallStrings.filter((text) => !/[+#]/.test(text));

/** What a valid filter is, in one line: whole-level wildcards, `#` only at the end. */
const filterPattern = /^([^+#/]*|\+)(\/([^+#/]*|\+))*(\/#)?$|^#$/;

/** Matching by levels, as plainly as it can be said. */
function matchesPlainly(name: string, filter: string): boolean {
  const levels = filter.split('/');
  const names = name.split('/');
  if (name.startsWith('$') && /^[+#]/.test(filter)) return false;
  for (const [index, level] of levels.entries()) {
    if (level === '#') return true;
    if (index === names.length || (level !== '+' && level !== names[index])) return false;
    if (index === names.length - 1 && levels.length === index + 2 && levels[index + 1] === '#') return true;
  }
  return levels.length === names.length;
}

describe('Topic Filters', () => {
  it('[MQTT-4.7.1-1] [MQTT-4.7.1-2] are told from what is none, for all 1,364 strings of "a", "/", "+" and "#" up to length five', () => {
    expect(smallStrings).toHaveLength(1364);
    const wrong = smallStrings.filter((text) => isTopicFilter(text) !== filterPattern.test(text));
    expect(wrong).toEqual([]);
  });

  it('[MQTT-4.7.3-1] [MQTT-4.7.3-2] [MQTT-4.7.3-3] have 1–65,535 bytes and no U+0000', () => {
    for (const isValid of [isTopicFilter, isTopicName]) {
      expect(isValid('')).toBe(false);
      expect(isValid('a\0')).toBe(false);
      expect(isValid('a'.repeat(65_535))).toBe(true);
      expect(isValid('a'.repeat(65_536))).toBe(false);
      expect(isValid(`${'é'.repeat(32_767)}a`)).toBe(true);
      expect(isValid('é'.repeat(32_768))).toBe(false);
      expect(isValid('/'.repeat(65_535))).toBe(true);
    }
  });

  it('[MQTT-1.5.4-1] have no lone surrogates', () => {
    for (const isValid of [isTopicFilter, isTopicName]) {
      expect(isValid('a/🦋')).toBe(true);
      expect(isValid('a/\ud83e')).toBe(false);
      expect(isValid('\udd8b/a')).toBe(false);
    }
  });
});

describe('Topic Names', () => {
  it('[MQTT-4.7.0-1] have no wildcards, for all small strings', () => {
    expect(smallStrings.filter(isTopicName)).toEqual(smallNames);
  });

  it('may begin with $ and hold empty levels and spaces', () => {
    for (const name of ['$SYS/broker', '/', '//', ' ', 'a b/ c', 'A', '$']) expect(isTopicName(name)).toBe(true);
  });
});

describe('matching', () => {
  it('is that of the plain definition for every small filter and every small name, also below $', () => {
    const filters = smallStrings.filter(isTopicFilter);
    const names = [...smallNames, ...smallNames.map((name) => `$${name}`)];
    const allFilters = [...filters, ...smallStrings.map((text) => `$${text}`).filter(isTopicFilter)];
    const wrong: string[] = [];
    let matches = 0;
    for (const filter of allFilters) {
      for (const name of names) {
        const expected = matchesPlainly(name, filter);
        if (expected) matches++;
        if (matchesFilter(name, filter) !== expected) wrong.push(`${name} ${filter}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(matches).toBeGreaterThan(1000);
  });

  it('is that of the plain definition for random names and filters of a few levels', () => {
    const level = fc.constantFrom('a', 'b', 'ab', '', 'é');
    const name = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'));
    const filter = fc
      .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 6 }), fc.boolean())
      .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'));
    fc.assert(
      fc.property(name, filter, (some, pattern) => {
        fc.pre(some !== '' && pattern !== '');
        expect(isTopicFilter(pattern)).toBe(true);
        expect(matchesFilter(some, pattern)).toBe(matchesPlainly(some, pattern));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['sport/tennis/player1', 'sport/tennis/player1/#', true],
    ['sport/tennis/player1/ranking', 'sport/tennis/player1/#', true],
    ['sport/tennis/player1/score/wimbledon', 'sport/tennis/player1/#', true],
    ['sport', 'sport/#', true],
    ['sport', 'sport/+', false],
    ['sport/', 'sport/+', true],
    ['/finance', '+/+', true],
    ['/finance', '/+', true],
    ['/finance', '+', false],
    ['ACCOUNTS', 'Accounts', false],
    ['sport/tennis/player1', 'sport/tennis', false],
    ['sporty', 'sport/#', false],
  ])('of %s by %s is %s, as the specification says', (name, filter, expected) => {
    expect(matchesFilter(name, filter)).toBe(expected);
  });

  it('[MQTT-4.7.2-1] of a name that begins with $ is not done by a leading wildcard', () => {
    expect(matchesFilter('$SYS/a', '#')).toBe(false);
    expect(matchesFilter('$SYS/a', '+/a')).toBe(false);
    expect(matchesFilter('$SYS', '+')).toBe(false);
    expect(matchesFilter('$SYS/a', '$SYS/#')).toBe(true);
    expect(matchesFilter('$SYS/a', '$SYS/+')).toBe(true);
    expect(matchesFilter('a/$SYS', '#')).toBe(true);
    expect(matchesFilter('a/$SYS', 'a/+')).toBe(true);
  });
});

describe('Shared Subscriptions', () => {
  it('[MQTT-4.8.2-1] [MQTT-4.8.2-2] are taken apart, or are invalid, or are none', () => {
    expect(parseSharedFilter('$share/group/a/+/#')).toEqual({ shareName: 'group', topicFilter: 'a/+/#' });
    expect(parseSharedFilter('$share/g//')).toEqual({ shareName: 'g', topicFilter: '/' });
    expect(parseSharedFilter('$share/g/$SYS/#')).toEqual({ shareName: 'g', topicFilter: '$SYS/#' });
    for (const invalid of [
      '$share/',
      '$share/g',
      '$share/g/',
      '$share//a',
      '$share/+/a',
      '$share/g#/a',
      '$share/#',
      '$share/g/a#',
      '$share/g/#/a',
    ]) {
      expect(parseSharedFilter(invalid), invalid).toBe('invalid');
    }
    for (const ordinary of ['$share', '$shared/g/a', 'a/$share/g/a', '$SHARE/g/a', '#', '']) {
      expect(parseSharedFilter(ordinary), ordinary).toBeUndefined();
    }
  });

  it('have whole filters of at most 65,535 bytes', () => {
    const longest = `$share/g/${'a'.repeat(65_535 - 9)}`;
    expect(parseSharedFilter(longest)).toEqual({ shareName: 'g', topicFilter: longest.slice(9) });
    expect(parseSharedFilter(`${longest}a`)).toBe('invalid');
  });
});

describe('levels', () => {
  it('include the empty ones', () => {
    expect(topicLevels('a/b')).toEqual(['a', 'b']);
    expect(topicLevels('/a/')).toEqual(['', 'a', '']);
    expect(topicLevels('a')).toEqual(['a']);
  });
});
