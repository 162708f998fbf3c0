import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeFilter, completionsMax } from '../../../src/dissect/filter/complete-filter.ts';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import { sampleRegistry } from './sample-fields.ts';

/** Completions where `|` stands. */
function completions(marked: string) {
  const cursor = marked.indexOf('|');
  return completeFilter(marked.replace('|', ''), cursor, sampleRegistry);
}

function texts(marked: string): string[] {
  return completions(marked).items.map(({ text }) => text);
}

describe('completeFilter', () => {
  it('gives fields that begin so, then those of which a part does', () => {
    expect(texts('mqtt.t|')).toEqual(['mqtt.temperature', 'mqtt.topic']);
    expect(texts('top|')).toEqual(['mqtt.topic']);
    expect(texts('MQTT.R|')).toEqual(['mqtt.retain']);
    expect(texts('le|')).toEqual(['mqtt.len', 'len(']);
  });

  it('gives everything that a filter can begin with', () => {
    const all = texts('|');
    for (const name of [...sampleRegistry.names(), 'len(', 'not', 'any', 'all']) expect(all).toContain(name);
    expect(all).not.toContain('==');
    expect(texts('mqtt and |')).toEqual(all);
    expect(texts('not (|')).toEqual(all);
  });

  it('says what it takes the place of', () => {
    expect(completions('mqtt and mqtt.to|pic == "a"')).toMatchObject({ from: 9, to: 19 });
    expect(completions('mqtt and |')).toMatchObject({ from: 9, to: 9 });
    expect(completions('mqtt.qos >| 1')).toMatchObject({ from: 9, to: 10 });
    expect(completions('mqtt.msgtype == "Pub|')).toMatchObject({ from: 16, to: 20 });
  });

  it('gives the operators that a field bears', () => {
    expect(texts('mqtt.topic |')).toEqual(expect.arrayContaining(['==', 'contains', 'matches', 'in', 'and']));
    expect(texts('mqtt.topic |')).not.toContain('&');
    expect(texts('mqtt.len |')).toContain('&');
    expect(texts('mqtt.len |')).not.toContain('contains');
    expect(texts('tcp.analysis.flags |')).toEqual(['and', 'or', 'xor']);
    expect(texts('mqtt.topic con|')).toEqual(['contains']);
    expect(texts('mqtt.len >|')).toEqual(['>', '>=']);
    expect(texts('mqtt.msg[0:2] |')).toContain('contains');
  });

  it('gives the names of values, and fields of the same kind once something is written', () => {
    expect(texts('mqtt.msgtype == |')).toEqual(['"Connect Command"', '"Publish Message"', '"Publish Ack"']);
    expect(texts('mqtt.msgtype == pub|')).toEqual(['"Publish Message"', '"Publish Ack"']);
    expect(texts('mqtt.msgtype == "publish a|')).toEqual(['"Publish Ack"']);
    expect(texts('mqtt.msgtype in {1, |')).toContain('"Publish Ack"');
    expect(texts('mqtt.retain == |')).toEqual(['"Not set"', '"Set"']);
    expect(texts('mqtt.topic == cl|')).toEqual(['mqtt.clientid']);
    expect(texts('mqtt.topic == |')).toEqual([]);
  });

  it('gives conjunctions after a comparison, and fields within a function', () => {
    expect(texts('mqtt.qos == 1 |')).toEqual(['and', 'or', 'xor']);
    expect(texts('(mqtt.qos == 1) a|')).toEqual(['and']);
    expect(texts('mqtt.qos in {1} |')).toEqual(['and', 'or', 'xor']);
    expect(texts('len(mqtt.t|')).toEqual(['mqtt.temperature', 'mqtt.topic']);
    expect(texts('len(mqtt.topic) |')).toContain('==');
    expect(texts('mqtt.len in |')).toEqual(['{']);
    expect(texts('mqtt.len not |')).toContain('in');
  });

  it('gives nothing inside of what cannot be read', () => {
    expect(texts('mqtt.topic == "a\\q" |')).toEqual([]);
    expect(texts('mqtt.topic = |')).toEqual([]);
  });

  it('gives texts that make a filter of what stands there', () => {
    for (const start of ['', 'mqtt and ', 'mqtt.msgtype == ', 'not ', 'all ', 'mqtt.qos & ']) {
      for (const { text, kind } of completions(`${start}|`).items) {
        if (kind !== 'field' && kind !== 'value') continue;
        // "all" and a missing comparison are no fault of the completion.
        const filter = `${start}${text}${start === 'all ' ? ' == 1' : ''}`;
        try {
          compileFilter(filter, sampleRegistry);
        } catch (error) {
          expect((error as Error).message, filter).not.toMatch(/unexpected|neither a field/);
        }
      }
    }
  });

  it('never throws, and never gives more than a page', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: -5, max: 30 }), (text, cursor) => {
        const { from, to, items } = completeFilter(text, cursor, sampleRegistry);
        expect(from).toBeLessThanOrEqual(to);
        expect(items.length).toBeLessThanOrEqual(completionsMax);
      }),
      { numRuns: 1000 },
    );
  });
});
