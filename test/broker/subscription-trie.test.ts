import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SubscriptionTrie } from '../../src/broker/subscription-trie.ts';

interface Value {
  readonly name: string;
}

function matched(trie: SubscriptionTrie<Value>, topicName: string): string[] {
  const into: Value[] = [];
  trie.match(topicName, into);
  return into.map(({ name }) => name).sort();
}

/** Section 4.7 read level by level. */
function reference(topicFilter: string, topicName: string): boolean {
  const filterLevels = topicFilter.split('/');
  const nameLevels = topicName.split('/');
  if (topicName.startsWith('$') && /^[+#]/.test(topicFilter)) return false;
  for (const [index, level] of filterLevels.entries()) {
    if (level === '#') return true;
    if (index >= nameLevels.length || (level !== '+' && level !== nameLevels[index])) return false;
  }
  return filterLevels.length === nameLevels.length;
}

/** All strings of one to `levelsMax` levels. */
function* paths(levels: readonly string[], levelsMax: number): Generator<string> {
  for (const level of levels) {
    yield level;
    if (levelsMax > 1) for (const rest of paths(levels, levelsMax - 1)) yield `${level}/${rest}`;
  }
}

const topicNames = [...paths(['', 'a', 'b', '$a'], 4)].filter((topicName) => topicName !== '');
const topicFilters = [...paths(['', 'a', '$a', '+', '#'], 4)].filter(
  (topicFilter) => topicFilter !== '' && !/#./.test(topicFilter),
);

describe('SubscriptionTrie', () => {
  it('[MQTT-4.7.3-4] matches every filter of up to four levels as section 4.7 says, with all of them present', () => {
    const trie = new SubscriptionTrie<Value>();
    for (const topicFilter of topicFilters) trie.add(topicFilter, { name: topicFilter });
    expect(trie.size).toBe(topicFilters.length);
    for (const topicName of topicNames) {
      const expected = topicFilters.filter((topicFilter) => reference(topicFilter, topicName)).sort();
      expect(matched(trie, topicName), topicName).toEqual(expected);
    }
  });

  it('matches every one of those filters also when it is alone', () => {
    const trie = new SubscriptionTrie<Value>();
    for (const topicFilter of topicFilters) {
      const value = { name: topicFilter };
      trie.add(topicFilter, value);
      for (const topicName of topicNames) {
        const into: Value[] = [];
        trie.match(topicName, into);
        if (into.length !== (reference(topicFilter, topicName) ? 1 : 0)) {
          expect.unreachable(`${topicFilter} on ${topicName} gave ${into.length} values`);
        }
      }
      expect(trie.remove(topicFilter, value)).toBe(true);
      expect(trie.nodeCount).toBe(0);
    }
  });

  it('[MQTT-4.7.2-1] does not match topics that start with $ by a filter that starts with a wildcard', () => {
    const trie = new SubscriptionTrie<Value>();
    for (const name of ['#', '+/#', '+/broker', '+', '$SYS/#', '$SYS/+']) trie.add(name, { name });
    expect(matched(trie, '$SYS/broker')).toEqual(['$SYS/#', '$SYS/+']);
    expect(matched(trie, '$SYS')).toEqual(['$SYS/#']);
    expect(matched(trie, 'a/$SYS')).toEqual(['#', '+/#']);
  });

  it('agrees with a list of pairs under any sequence of add and remove', () => {
    const level = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('', 'a', 'b', '+') },
      { weight: 2, arbitrary: fc.nat(30).map((number) => `c${number}`) },
    );
    const topicFilter = fc
      .tuple(fc.array(level, { minLength: 1, maxLength: 5 }), fc.boolean())
      .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
      .filter((filter) => filter !== '');
    const step = fc.record({ topicFilter, value: fc.nat(4), adds: fc.integer({ min: 0, max: 9 }).map((n) => n < 6) });
    const topicName = fc
      .array(
        fc.oneof(
          fc.constantFrom('', 'a', 'b'),
          fc.nat(30).map((number) => `c${number}`),
        ),
        {
          minLength: 1,
          maxLength: 6,
        },
      )
      .map((levels) => levels.join('/'));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.array(topicName, { minLength: 10, maxLength: 10 }),
        (steps, topics) => {
          const trie = new SubscriptionTrie<Value>();
          const values = Array.from({ length: 5 }, (_, index) => ({ name: `value ${index}` }));
          const model = new Map<string, { topicFilter: string; value: Value }>();
          for (const { topicFilter, value, adds } of steps) {
            const key = `${value} ${topicFilter}`;
            if (adds) {
              trie.add(topicFilter, values[value]!);
              model.set(key, { topicFilter, value: values[value]! });
            } else {
              expect(trie.remove(topicFilter, values[value]!)).toBe(model.delete(key));
            }
            expect(trie.size).toBe(model.size);
          }
          const pairs: string[] = [];
          trie.forEach((filter, value) => void pairs.push(`${filter} ${value.name}`));
          expect(pairs.sort()).toEqual(
            [...model.values()].map((pair) => `${pair.topicFilter} ${pair.value.name}`).sort(),
          );
          for (const topic of topics) {
            const expected = [...model.values()].filter((pair) => reference(pair.topicFilter, topic));
            expect(matched(trie, topic)).toEqual(expected.map((pair) => pair.value.name).sort());
          }
          for (const pair of model.values()) expect(trie.remove(pair.topicFilter, pair.value)).toBe(true);
          expect(trie.size).toBe(0);
          expect(trie.nodeCount).toBe(0);
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it('keeps several values under one filter apart by identity and gives each once', () => {
    const trie = new SubscriptionTrie<Value>();
    const values = Array.from({ length: 50 }, () => ({ name: 'same name' }));
    for (const value of values) {
      trie.add('a/+', value);
      trie.add('a/+', value);
    }
    expect(trie.size).toBe(50);
    expect(matched(trie, 'a/b')).toHaveLength(50);
    expect(trie.remove('a/+', { name: 'same name' })).toBe(false);
    for (const [index, value] of values.entries()) {
      expect(trie.remove('a/+', value)).toBe(true);
      expect(trie.remove('a/+', value)).toBe(false);
      const into: Value[] = [];
      trie.match('a/b', into);
      expect(into).toEqual(values.slice(index + 1));
    }
    expect(trie.nodeCount).toBe(0);
  });

  it('does not take a filter for another that begins or ends like it', () => {
    const trie = new SubscriptionTrie<Value>();
    const value = { name: 'a/b/c' };
    trie.add('a/b/c', value);
    for (const other of ['a', 'a/b', 'a/b/c/d', 'a/b/+', 'a/b/#', '#', '+', 'a/b/c/', '/a/b/c', '']) {
      expect(trie.remove(other, value), other).toBe(false);
    }
    expect(trie.size).toBe(1);
    expect(trie.nodeCount).toBe(3);
    expect(matched(trie, 'a/b/c')).toEqual(['a/b/c']);
  });

  it('takes level names for what they are, also those of every object', () => {
    const trie = new SubscriptionTrie<Value>();
    expect(matched(trie, 'constructor/__proto__')).toEqual([]);
    trie.add('__proto__/constructor', { name: 'strange' });
    expect(matched(trie, '__proto__/constructor')).toEqual(['strange']);
    expect(matched(trie, 'toString')).toEqual([]);
  });

  it('serves filters and topics of 32,768 levels, literal and with a + at each, in a depth-bounded way', () => {
    const trie = new SubscriptionTrie<Value>();
    const levels = 32_768;
    const names = {
      literal: '/'.repeat(levels - 1),
      plus: Array(levels).fill('+').join('/'),
      hash: `${'+/'.repeat(levels - 1)}#`,
      tooLong: Array(levels + 1)
        .fill('+')
        .join('/'),
    };
    const values = Object.values(names).map((name) => ({ name }));
    for (const value of values) trie.add(value.name, value);
    const topic = '/'.repeat(levels - 1);
    expect(matched(trie, topic)).toEqual([names.literal, names.plus, names.hash].sort());
    expect(matched(trie, 'a/'.repeat(levels - 1))).toEqual([names.plus, names.hash].sort());
    let count = 0;
    trie.forEach((filter, value) => {
      expect(filter === value.name).toBe(true);
      count++;
    });
    expect(count).toBe(values.length);
    for (const value of values) expect(trie.remove(value.name, value)).toBe(true);
    expect(trie.nodeCount).toBe(0);
  });

  it('visits no more nodes than there are for filters that mix + and a literal at every level', () => {
    const trie = new SubscriptionTrie<Value>();
    // 2^10 filters share 2^11 nodes; a matcher that forgets where it was would take 2^10 × 2^10 steps per topic.
    for (const filter of paths(['a', '+'], 10)) {
      if (filter.length === 19) trie.add(`${filter}/end`, { name: filter });
    }
    expect(trie.size).toBe(1024);
    expect(matched(trie, `${'a/'.repeat(10)}end`)).toHaveLength(1024);
    expect(matched(trie, `${'a/'.repeat(10)}other`)).toEqual([]);
    // One chain of 1,000 `+`, where trying every split would never end.
    trie.add(`${'+/'.repeat(999)}+/last`, { name: 'chain' });
    expect(matched(trie, `${'a/'.repeat(1000)}last`)).toEqual(['chain']);
    expect(matched(trie, `${'a/'.repeat(1000)}first`)).toEqual([]);
  });

  it('goes from few children to many and back without losing one', () => {
    const trie = new SubscriptionTrie<Value>();
    const values = Array.from({ length: 40 }, (_, index) => ({ name: `parent/child-${index}` }));
    for (let round = 0; round < 3; round++) {
      for (let present = 1; present <= values.length; present++) {
        trie.add(values[present - 1]!.name, values[present - 1]!);
        for (const [index, { name }] of values.entries()) {
          expect(matched(trie, name)).toEqual(index < present ? [name] : []);
        }
      }
      const order =
        round === 0 ? values : round === 1 ? [...values].reverse() : [...values.slice(20), ...values.slice(0, 20)];
      const left = new Set(values);
      for (const value of order) {
        expect(trie.remove(value.name, value)).toBe(true);
        left.delete(value);
        for (const other of values) expect(matched(trie, other.name)).toEqual(left.has(other) ? [other.name] : []);
      }
      expect(trie.nodeCount).toBe(0);
    }
  });

  it('says so when a filter that was not checked gets here', () => {
    expect(() => new SubscriptionTrie<Value>().add('a/#/b', { name: 'bad' })).toThrow(
      '# is not the last level of a/#/b',
    );
  });
});
