import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Expiry, ExpiryHeap } from '../../src/broker/expiry-heap.ts';
import { Message, type MessageProperties } from '../../src/broker/message.ts';
import { messageOf, RetainedMessages, type RetainedRecord } from '../../src/broker/retained.ts';

interface Details {
  readonly expiresAt?: number;
  readonly properties?: MessageProperties;
  readonly publisher?: Message['publisher'];
}

function message(topicName: string, payload: string, details: Details = {}): Message {
  const bytes = new TextEncoder().encode(payload);
  return new Message(topicName, bytes, 1, true, details.properties, details.expiresAt ?? 0, details.publisher);
}

function text({ payload }: Message): string {
  return new TextDecoder().decode(payload);
}

/** What `match` gives, as sorted `topic=payload`. */
function matched(retained: RetainedMessages, topicFilter: string, now = 0): string[] {
  const into: Message[] = [];
  retained.match(topicFilter, into, now);
  return into.map((each) => `${each.topicName}=${text(each)}`).sort();
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

/** Few short names, so that topics share levels and lie above one another; enough of them that lists become Maps. */
const level = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', 'a', 'b', '$a') },
  { weight: 2, arbitrary: fc.nat(25).map((number) => `c${number}`) },
);
const topicName = fc
  .array(level, { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((name) => name !== '');
const topicFilter = fc
  .tuple(
    fc.array(fc.oneof({ weight: 2, arbitrary: level }, { weight: 1, arbitrary: fc.constant('+') }), {
      minLength: 0,
      maxLength: 4,
    }),
    fc.boolean(),
  )
  .map(([levels, hash]) => [...levels, ...(hash || levels.length === 0 ? ['#'] : [])].join('/'))
  .filter((filter) => filter !== '');
/** An empty text removes. */
const step = fc.record({ topicName, text: fc.oneof(fc.constant(''), fc.constantFrom('x', 'yy', 'zzz')) });

describe('RetainedMessages', () => {
  it('[MQTT-3.3.1-5] keeps the last message of each topic, with RETAIN set and what it carried', () => {
    const retained = new RetainedMessages(0);
    const properties: MessageProperties = { contentType: 'text/plain', userProperties: [['a', 'b']] };
    expect(retained.update(message('a/b', 'first'))).toBe('stored');
    expect(
      retained.update(
        message('a/b', 'second', {
          properties,
          expiresAt: 99,
          publisher: { clientIdentifier: 'c', username: 'u', listenerIndex: 1 },
        }),
      ),
    ).toBe('stored');
    const kept = retained.get('a/b')!;
    expect(text(kept)).toBe('second');
    expect(kept).toMatchObject({ topicName: 'a/b', qos: 1, retain: true, expiresAt: 99, properties });
    expect(kept.publisher).toEqual({ clientIdentifier: 'c', username: 'u', listenerIndex: 1 });
    expect(retained.count).toBe(1);
    expect(retained.bytes).toBe(6);
    expect(retained.get('a')).toBeUndefined();
    expect(retained.get('a/b/c')).toBeUndefined();
    expect(retained.get('')).toBeUndefined();
  });

  it('[MQTT-3.3.1-6] [MQTT-3.3.1-7] removes the message of a topic on an empty payload, which is not kept itself', () => {
    const retained = new RetainedMessages(0);
    expect(retained.update(message('a', ''))).toBe('unchanged');
    expect(retained.count).toBe(0);
    retained.update(message('a', 'text'));
    expect(retained.update(message('a', ''))).toBe('removed');
    expect(retained.get('a')).toBeUndefined();
    expect(matched(retained, '#')).toEqual([]);
    expect(retained.count).toBe(0);
    expect(retained.bytes).toBe(0);
  });

  it('gives back payloads of every length and every byte as they came', () => {
    const retained = new RetainedMessages(0);
    for (const length of [1, 2, 255, 256, 511, 512, 513, 70_000]) {
      const payload = Uint8Array.from({ length }, (_, index) => (index * 7 + length) & 255);
      retained.update(new Message(`length/${length}`, payload, 2, true, undefined, 0, undefined));
      const kept = retained.get(`length/${length}`)!.payload;
      expect(kept.length).toBe(length);
      expect(Buffer.compare(kept, payload)).toBe(0);
    }
    expect(retained.bytes).toBe(1 + 2 + 255 + 256 + 511 + 512 + 513 + 70_000);
  });

  it('copies payload and Correlation Data, so that neither a reused nor a large buffer behind them matters', () => {
    const retained = new RetainedMessages(0);
    const chunk = new Uint8Array(65_536).fill(1);
    const properties = { correlationData: chunk.subarray(10, 14) };
    retained.update(new Message('short', chunk.subarray(0, 8), 0, true, properties, 0, undefined));
    retained.update(new Message('long', chunk.subarray(0, 1000), 0, true, undefined, 0, undefined));
    chunk.fill(2);
    expect([...retained.get('short')!.payload]).toEqual(Array(8).fill(1));
    expect([...retained.get('short')!.properties!.correlationData!]).toEqual([1, 1, 1, 1]);
    expect(retained.get('short')!.properties!.correlationData!.buffer.byteLength).toBe(4);
    expect(new Set(retained.get('long')!.payload)).toEqual(new Set([1]));
    expect(retained.get('long')!.payload.buffer.byteLength).toBe(1000);
  });

  it('keeps of a publisher only its names', () => {
    const retained = new RetainedMessages(0);
    const publisher = { clientIdentifier: 'c', username: undefined, listenerIndex: 0, connection: { large: true } };
    retained.update(message('a', '1', { publisher }));
    retained.update(message('b', '2', { publisher }));
    expect(retained.get('a')!.publisher).toEqual({ clientIdentifier: 'c', username: undefined, listenerIndex: 0 });
    expect(retained.get('a')!.publisher).not.toHaveProperty('connection');
    expect(retained.get('b')!.publisher).toBe(retained.get('a')!.publisher);
  });

  it('refuses a new topic when full, but still replaces and removes', () => {
    const retained = new RetainedMessages(2);
    expect(retained.update(message('a', '1'))).toBe('stored');
    expect(retained.update(message('b', '1'))).toBe('stored');
    expect(retained.update(message('c', '1'))).toBe('full');
    expect(retained.get('c')).toBeUndefined();
    expect(retained.update(message('b', '2'))).toBe('stored');
    expect(retained.update(message('a', ''))).toBe('removed');
    expect(retained.update(message('c', '1'))).toBe('stored');
    expect(matched(retained, '#')).toEqual(['b=2', 'c=1']);
    retained.maxMessages = 3;
    expect(retained.update(message('d', '1'))).toBe('stored');
    expect(retained.update(message('e', '1'))).toBe('full');
  });

  it('[MQTT-4.7.2-1] leaves topics that start with $ out of filters that start with a wildcard', () => {
    const retained = new RetainedMessages(0);
    for (const name of ['$SYS', '$SYS/a', 'a', 'a/$SYS']) retained.update(message(name, '1'));
    // The same with so many siblings that they are in a Map.
    for (let index = 0; index < 20; index++) retained.update(message(`$${index}`, '1'));
    expect(matched(retained, '#')).toEqual(['a/$SYS=1', 'a=1']);
    expect(matched(retained, '+')).toEqual(['a=1']);
    expect(matched(retained, '+/#')).toEqual(['a/$SYS=1', 'a=1']);
    expect(matched(retained, '+/+')).toEqual(['a/$SYS=1']);
    expect(matched(retained, '$SYS/#')).toEqual(['$SYS/a=1', '$SYS=1']);
    expect(matched(retained, 'a/+')).toEqual(['a/$SYS=1']);
  });

  it('agrees with a Map of topics under any sequence of updates, for any filter and however the cursor is stepped', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.array(topicFilter, { minLength: 8, maxLength: 8 }),
        fc.integer({ min: 1, max: 7 }),
        (steps, filters, limit) => {
          const retained = new RetainedMessages(0);
          const model = new Map<string, string>();
          for (const each of steps) {
            const had = model.has(each.topicName);
            const outcome = retained.update(message(each.topicName, each.text));
            if (each.text === '') {
              expect(outcome).toBe(had ? 'removed' : 'unchanged');
              model.delete(each.topicName);
            } else {
              expect(outcome).toBe('stored');
              model.set(each.topicName, each.text);
            }
            expect(retained.count).toBe(model.size);
          }
          expect(retained.bytes).toBe([...model.values()].reduce((sum, each) => sum + each.length, 0));
          for (const [name, value] of model) expect(text(retained.get(name)!)).toBe(value);
          for (const { topicName: name } of steps) expect(retained.get(name) !== undefined).toBe(model.has(name));
          for (const filter of filters) {
            const expected = [...model]
              .filter(([name]) => reference(filter, name))
              .map(([name, value]) => `${name}=${value}`)
              .sort();
            expect(matched(retained, filter), filter).toEqual(expected);
            const cursor = retained.cursor(filter);
            const stepped: RetainedRecord[] = [];
            let more = true;
            while (more) {
              const before = stepped.length;
              more = cursor.next(limit, stepped, 0);
              expect(stepped.length - before).toBeLessThanOrEqual(limit);
            }
            expect(cursor.next(limit, stepped, 0)).toBe(false);
            expect(stepped.map((each) => `${each.topicName}=${text(messageOf(each))}`).sort()).toEqual(expected);
          }
          for (const name of model.keys()) retained.update(message(name, ''));
          expect(matched(retained, '#')).toEqual([]);
          expect(retained.bytes).toBe(0);
        },
      ),
      { seed: 11, numRuns: 250 },
    );
  });

  it('gives a cursor everything that stays exactly once, and nothing that is gone, while others publish', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 30 }),
        topicFilter,
        (before, during, filter) => {
          const retained = new RetainedMessages(0);
          const present = new Map<string, string>();
          const apply = (each: { topicName: string; text: string }) => {
            retained.update(message(each.topicName, each.text));
            if (each.text === '') present.delete(each.topicName);
            else present.set(each.topicName, each.text);
          };
          for (const each of before) apply(each);
          const stayed = new Set([...present.keys()].filter((name) => reference(filter, name)));
          const given = new Map<string, number>();
          const cursor = retained.cursor(filter);
          let round = 0;
          for (let more = true; more; round++) {
            const into: RetainedRecord[] = [];
            more = cursor.next(1, into, 0);
            for (const each of into) {
              expect(reference(filter, each.topicName)).toBe(true);
              expect(text(messageOf(each))).toBe(present.get(each.topicName));
              given.set(each.topicName, (given.get(each.topicName) ?? 0) + 1);
            }
            for (const each of during[round] ?? []) {
              apply(each);
              if (each.text === '') stayed.delete(each.topicName);
            }
          }
          for (const name of stayed) expect(given.get(name), name).toBe(1);
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  it('returns from each step of a cursor after a bounded search, also if nothing matches', () => {
    const retained = new RetainedMessages(0);
    for (let index = 0; index < 20_000; index++) retained.update(message(`a/${index}/b`, 'x'));
    retained.update(message('a/last/c', 'found'));
    const cursor = retained.cursor('a/+/c');
    const into: RetainedRecord[] = [];
    let emptySteps = 0;
    while (cursor.next(10, into, 0)) if (into.length === 0) emptySteps++;
    expect(into.map((each) => text(messageOf(each)))).toEqual(['found']);
    expect(emptySteps).toBeGreaterThan(10);
  });

  it('leaves out and drops what has expired, when matched and when asked to', () => {
    const retained = new RetainedMessages(0);
    retained.update(message('a/1', 'soon', { expiresAt: 1000 }));
    retained.update(message('a/2', 'later', { expiresAt: 2000 }));
    retained.update(message('a/3', 'never'));
    retained.update(message('b/1', 'soon', { expiresAt: 1000 }));
    expect(retained.get('a/1')!.expiresAt).toBe(1000);
    expect(matched(retained, 'a/#', 999)).toEqual(['a/1=soon', 'a/2=later', 'a/3=never']);
    expect(matched(retained, 'a/#', 1000)).toEqual(['a/2=later', 'a/3=never']);
    expect(retained.count).toBe(3);
    expect(retained.removeExpired(1500)).toBe(1);
    expect(retained.get('b/1')).toBeUndefined();
    // A new message on the topic has its own expiry, or none.
    retained.update(message('a/2', 'for ever'));
    expect(retained.removeExpired(1e15)).toBe(0);
    expect(matched(retained, '#', 1e15)).toEqual(['a/2=for ever', 'a/3=never']);
  });

  it('drops what has expired in any order of expiries and changes', () => {
    const change = fc.record({
      topic: fc.nat(40),
      expiresAt: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 120 }), fc.array(fc.nat(100), { maxLength: 6 }), (changes, nows) => {
        const retained = new RetainedMessages(0);
        const model = new Map<string, number>();
        for (const { topic, expiresAt } of changes) {
          retained.update(message(`t/${topic}`, 'x', { expiresAt }));
          model.set(`t/${topic}`, expiresAt);
        }
        for (const now of nows.sort((a, b) => a - b)) {
          const gone = [...model].filter(([, expiresAt]) => expiresAt !== 0 && expiresAt <= now);
          for (const [name] of gone) model.delete(name);
          expect(retained.removeExpired(now)).toBe(gone.length);
          expect(retained.count).toBe(model.size);
        }
        for (const name of model.keys()) expect(retained.get(name)).toBeDefined();
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it('serves topics of 32,768 levels without recursing', () => {
    const retained = new RetainedMessages(0);
    const deep = `${'x/'.repeat(32_767)}x`;
    retained.update(message(deep, 'deep'));
    retained.update(message('/'.repeat(32_767), 'empty levels'));
    expect(text(retained.get(deep)!)).toBe('deep');
    const into: Message[] = [];
    retained.match('#', into, 0);
    expect(into.map(text).sort()).toEqual(['deep', 'empty levels']);
    into.length = 0;
    retained.match(Array(32_768).fill('+').join('/'), into, 0);
    expect(into).toHaveLength(2);
    retained.update(message(deep, ''));
    retained.update(message('/'.repeat(32_767), ''));
    expect(matched(retained, '#')).toEqual([]);
  });

  it('gives the messages of one level in the order in which their topics were first published to', () => {
    for (const count of [1, 2, 8, 9, 40]) {
      const retained = new RetainedMessages(0);
      const topics = Array.from({ length: count }, (_, index) => `order/${(index * 7) % count}x${index}`);
      for (const topicName of topics) retained.update(message(topicName, '1'));
      for (const topicName of [...topics].reverse()) retained.update(message(topicName, '2'));
      for (const topicFilter of ['order/#', 'order/+', '#']) {
        const into: Message[] = [];
        retained.match(topicFilter, into, 0);
        expect(into.map(({ topicName }) => topicName)).toEqual(topics);
      }
    }
  });
});

describe('ExpiryHeap', () => {
  it('always shows the earliest entry, whatever is added and taken out', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -60, max: 60 }), { maxLength: 200 }), (steps) => {
        const heap = new ExpiryHeap<string>();
        const model: Expiry<string>[] = [];
        for (const each of steps) {
          if (each >= 0 || model.length === 0) {
            const entry = new Expiry('owner', Math.abs(each));
            heap.add(entry);
            model.push(entry);
          } else {
            const [entry] = model.splice(-each % model.length, 1);
            heap.remove(entry!);
          }
          expect(heap.size).toBe(model.length);
          const earliest = Math.min(...model.map(({ expiresAt }) => expiresAt));
          if (model.length > 0) expect(heap.peek()!.expiresAt).toBe(earliest);
          else expect(heap.peek()).toBeUndefined();
        }
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});
