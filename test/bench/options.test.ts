import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from '../../bench/options.ts';
import { spread } from '../../bench/outcomes.ts';
import {
  connectionsMax,
  distribute,
  filtersOf,
  parseFlow,
  parseShares,
  receiversOf,
  streamsOf,
  topicOf,
} from '../../src/bench/flow.ts';
import { matchesFilter } from '../../src/protocol/topics.ts';
import { repositoryDirectory } from '../support/paths.ts';

const read = (...args: string[]) => readOptions(args, repositoryDirectory);

describe('parseFlow', () => {
  it('tells pairs, fan-out and fan-in apart, with either kind of arrow', () => {
    expect(parseFlow('1-1')).toMatchObject({ name: '1→1', shape: 'pairs' });
    expect(parseFlow('50→50')).toMatchObject({ shape: 'pairs', publishers: 50, subscribers: 50 });
    expect(parseFlow('1->100')).toMatchObject({ shape: 'fan-out', publishers: 1, subscribers: 100 });
    expect(parseFlow('50-1')).toMatchObject({ shape: 'fan-in', publishers: 50, subscribers: 1 });
  });

  it.each(['', '1', '1-', '-1', '0-1', '1-0', '2-3', '1-1-1', 'a-b', `1-${connectionsMax + 1}`, '99999999999-1'])(
    'refuses %j',
    (text) => {
      expect(() => parseFlow(text)).toThrow(RangeError);
    },
  );
});

describe('topics', () => {
  it('are matched by the filter of those that should receive them, and have one length', () => {
    const pairs = parseFlow('50-50');
    expect(filtersOf(pairs, 7, 1)).toEqual([topicOf(7, 1)]);
    expect(topicOf(7 * 3 + 2, 3)).toBe('bench/0007/02');
    expect(filtersOf(pairs, 7, 3)).toEqual(['bench/0007/+']);
    expect(filtersOf(parseFlow('1-100'), 99, 1)).toEqual([topicOf(0, 1)]);
    expect(filtersOf(parseFlow('50-1'), 0, 1)).toEqual(['bench/+']);
    expect(new Set([0, 999, 64_000 - 1].map((stream) => topicOf(stream, 64).length)).size).toBe(1);
  });
});

describe('a mix', () => {
  it('gives every kind its share, and each subscriber a filter for what it should hear', () => {
    const flow = parseFlow('3-20', parseShares('exact=5,plus=3,hash=2'));
    expect(flow.name).toBe('3→20 10 exact 6 plus 4 hash');
    expect(distribute({ exact: 1, plus: 1, hash: 0 }, 4)).toEqual(['exact', 'plus', 'exact', 'plus']);
    for (let subscriber = 0; subscriber < flow.subscribers; subscriber++) {
      const filters = filtersOf(flow, subscriber, 2);
      const heard = [0, 1, 2, 3, 4, 5].filter((stream) =>
        filters.some((filter) => matchesFilter(topicOf(stream, 2), filter)),
      );
      const { first, count } = streamsOf(flow, subscriber, 2);
      expect(heard).toEqual(Array.from({ length: count }, (_, index) => first + index));
      const sources = new Set(heard.map((stream) => Math.floor(stream / 2)));
      expect(receiversOf(flow).flatMap((list, source) => (list.includes(subscriber) ? [source] : []))).toEqual([
        ...sources,
      ]);
    }
  });
});

describe('readOptions', () => {
  it('takes what is given before what --quick and the defaults say', () => {
    expect(read('--brokers', 'probe', '--quick', '--seconds', '3')).toMatchObject({
      groups: [
        {
          isDurable: false,
          brokers: [{ name: 'probe' }],
          flows: [{ name: '1→1' }, { name: '1→100' }, { name: '50→1' }, { name: '50→50' }],
          qos: [0, 1, 2],
        },
      ],
      payloadBytes: 64,
      rounds: 1,
      seconds: 3,
    });
    expect(read('--help')).toBe('help');
  });

  it('adds a broker of the user, whose command may have quoted words', () => {
    expect(read('--brokers', 'probe', '--broker', `mine=sh -c 'exec mine -p {port}' "a b"`)).toMatchObject({
      groups: [{ brokers: [{ name: 'probe' }, { name: 'mine', command: ['sh', '-c', 'exec mine -p {port}', 'a b'] }] }],
    });
  });

  it('has durable cases with --durable only, beside the others if nothing is said about cases, and else none', () => {
    const kinds = (...args: string[]) => {
      const options = read(...args);
      return options === 'help' ? [] : options.groups.map((group) => group.isDurable);
    };
    expect(kinds()).toEqual([false, true]);
    expect(kinds('--quick')).toEqual([false, true]);
    expect(kinds('--qos', '1')).toEqual([false]);
    expect(read('--durable', '--brokers', 'clearwing-strict,clearwing', '--flows', '2-2')).toMatchObject({
      groups: [
        {
          isDurable: true,
          brokers: [{ name: 'clearwing-strict' }, { name: 'clearwing' }],
          flows: [{ name: '2→2' }],
          qos: [1, 2],
        },
      ],
    });
  });

  it('has the cases that are named, each with what was said of it and otherwise its own', () => {
    const options = read('--cases', 'flows,payload,paced,connections,retained', '--flows', '2-2', '--count', '7');
    expect(options).toMatchObject({
      groups: [
        { name: 'flows', flows: [{ name: '2→2' }], payloads: [64], rate: undefined },
        { name: 'payload', flows: [{ name: '1→1' }, { name: '1→50' }], payloads: [1024, 16_384], qos: [0] },
        { name: 'paced', flows: [{ name: '20→20' }], rate: 20_000, qos: [0, 1] },
      ],
      storms: [
        { name: 'connections', count: 7 },
        { name: 'retained', count: 7 },
      ],
    });
    const all = read('--cases', 'all', '--brokers', 'clearwing');
    expect(all).toMatchObject({ groups: { length: 4 }, storms: { length: 5 } });
    expect(read('--cases', 'idle')).toMatchObject({ groups: [], storms: [{ count: 10_000 }] });
    expect(read('--cases', 'paced', '--flows', '3-3', '--rate', '9')).toMatchObject({
      groups: [{ flows: [{ name: '3→3' }], rate: 9 }],
    });
  });

  it('bounds what is under way by bytes, too', () => {
    const options = read('--cases', 'payload');
    if (options === 'help') throw new Error('help');
    expect([64, 16_384, 1_048_576].map((bytes) => options.deliveryWindow(0, bytes))).toEqual([16_384, 1024, 16]);
    expect(options.deliveryWindow(1, 64)).toBe(2000);
  });

  it.each([
    [['--cases', 'flows,most'], "--cases names 'most'; there are flows, durable, payload, paced"],
    [['--cases', 'idle', '--count', '0'], "--count is '0'"],
    [['--cases', 'paced', '--rate', '0'], "--rate is '0'"],
    [['--write-results', '--rounds', '4'], '--write-results with 4 rounds; expected 5 or more'],
    [['--seconds', 'x'], "--seconds is 'x'; expected 0.1 to 3600"],
    [['--seconds', '-1'], '--seconds'],
    [['--rounds', '1.5'], "--rounds is '1.5'; expected a whole number"],
    [['--qos', '3'], "--qos is '3'; expected 0 to 2"],
    [['--qos', '1,1'], "--qos has '1' twice"],
    [['--flows', '1-1,1→1'], "'1→1' is given twice"],
    [['--flows', '2-3'], 'not even'],
    [['--payload', '7'], '--payload'],
    [['--protocol', '3.1'], "--protocol is '3.1'; expected 3.1.1 or 5"],
    [['--brokers', 'nothing'], "--brokers names 'nothing'; there are clearwing"],
    [['--broker', 'x'], "--broker is 'x'; expected NAME=COMMAND"],
    [['--broker', 'x=y'], '{port}'],
    [['--cores', '0'], "--cores is '0'; expected BROKER:GENERATOR"],
    [['--json', '/nonexistent/file'], '--json cannot write'],
    [['--directory', '/nonexistent'], '--directory cannot write'],
    [['--unknown'], "Unknown option '--unknown'"],
    [['word'], "Unexpected argument 'word'"],
  ])('refuses %j and says why', (args, message) => {
    expect(() => read(...args)).toThrow(UsageError);
    expect(() => read(...args)).toThrow(message);
  });
});

describe('spread', () => {
  it('is the middle, the lowest and the highest', () => {
    expect(spread([])).toBeUndefined();
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([10, 1, 2, 4])).toEqual({ median: 3, min: 1, max: 10 });
  });
});
