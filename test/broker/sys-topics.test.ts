import { describe, expect, it } from 'vitest';
import { Counters, counterRows } from '../../src/broker/counters.ts';
import { LoadAverage } from '../../src/broker/load-average.ts';
import { type SysFormat, type SysSources, SysTopics, sysTopicRows } from '../../src/broker/sys-topics.ts';
import { startBroker } from '../support/broker-process.ts';
import { clientPrograms } from '../support/client-programs.ts';
import { describeWithPeer } from '../support/peers.ts';
import { until } from '../support/until.ts';

/** What BROKER STATUS of mosquitto(8) lists. Topics of bridges are published by bridges. */
const manualTopics = [
  'bytes/received',
  'bytes/sent',
  'clients/connected',
  'clients/active',
  'clients/expired',
  'clients/disconnected',
  'clients/inactive',
  'clients/maximum',
  'clients/total',
  'heap/current size',
  'heap/maximum size',
  ...['connections', 'bytes/received', 'bytes/sent', 'messages/received', 'messages/sent'].flatMap(loadTopics),
  ...['publish/dropped', 'publish/received', 'publish/sent', 'sockets'].flatMap(loadTopics),
  'messages/inflight',
  'messages/received',
  'messages/sent',
  'publish/messages/dropped',
  'publish/messages/received',
  'publish/messages/sent',
  'retained messages/count',
  'store/messages/count',
  'messages/stored',
  'store/messages/bytes',
  'subscriptions/count',
  'version',
].map((name) => `$SYS/broker/${name}`);

function loadTopics(name: string): string[] {
  return ['1min', '5min', '15min'].map((interval) => `load/${name}/${interval}`);
}

const formats: Readonly<Record<SysFormat, RegExp>> = {
  version: /^\w+ version \d+\.\d+\.\d+$/,
  uptime: /^\d+ seconds$/,
  count: /^\d+$/,
  load: /^\d+\.\d\d$/,
};

class TestSources implements SysSources {
  readonly version = 'clearwing version 1.2.3';
  readonly counters = new Counters();
  clientsDisconnected = 0;
  subscriptions = 0;
  sharedSubscriptions = 0;
  retainedMessages = 0;
  storedMessages = 0;
  storedBytes = 0;
  inflightMessages = 0;
  heapBytes = 1000;
}

function setUp() {
  const sources = new TestSources();
  const published: [topicName: string, text: string][] = [];
  const sys = new SysTopics(sources, (topicName, text, retain) => {
    expect(retain).toBe(true);
    published.push([topicName, text]);
  });
  /** What was published since the last call. */
  const take = () =>
    published.splice(0).map(([topicName, text]) => `${topicName.slice('$SYS/broker/'.length)} ${text}`);
  return { sources, sys, published, take };
}

describe('SysTopics', () => {
  it('publishes every topic once at the start, in the form its row says', () => {
    const { sys, published } = setUp();
    sys.start(5000);
    expect(published.map(([topicName]) => topicName)).toEqual(sysTopicRows.map(({ topic }) => topic));
    for (const [index, { topic, format }] of sysTopicRows.entries()) {
      expect(published[index]![1], topic).toMatch(formats[format]);
    }
    expect(new Set(published.map(([topicName]) => topicName)).size).toBe(published.length);
    expect(published[0]).toEqual(['$SYS/broker/version', 'clearwing version 1.2.3']);
  });

  it('has every topic of the manual of Mosquitto, and every counter', () => {
    const topics = new Set(sysTopicRows.map(({ topic }) => topic));
    expect(manualTopics.filter((topic) => !topics.has(topic))).toEqual([]);
    expect(Object.values(counterRows).filter(({ topic }) => !topics.has(topic))).toEqual([]);
  });

  it('publishes only what has changed', () => {
    const { sys, sources, take } = setUp();
    sys.start(0);
    take();
    sys.update(10_000);
    expect(take()).toEqual(['uptime 10 seconds']);
    sources.retainedMessages = 7;
    sources.counters.queueDroppedCount += 2;
    sources.counters.publishMessagesDropped += 2;
    sys.update(20_000);
    expect(take()).toEqual([
      'uptime 20 seconds',
      `load/publish/dropped/1min ${(12 * (1 - Math.exp(-10 / 60))).toFixed(2)}`,
      `load/publish/dropped/5min ${(12 * (1 - Math.exp(-10 / 300))).toFixed(2)}`,
      `load/publish/dropped/15min ${(12 * (1 - Math.exp(-10 / 900))).toFixed(2)}`,
      'retained messages/count 7',
      'publish/messages/dropped 2',
      'clearwing/limits/queue_dropped_count 2',
    ]);
  });

  it('counts every CONNECT that was answered as a connection', () => {
    const { sys, sources, take } = setUp();
    sys.start(0);
    take();
    sources.counters.socketsAccepted += 9;
    sources.counters.connectionsAccepted += 2;
    sources.counters.connectRefused += 4;
    sys.update(60_000);
    const minute = 1 - Math.exp(-1);
    expect(take()).toEqual(
      expect.arrayContaining([
        `load/sockets/1min ${(9 * minute).toFixed(2)}`,
        `load/connections/1min ${(6 * minute).toFixed(2)}`,
      ]),
    );
  });

  it('takes each value from where it belongs', () => {
    const { sys, sources, take } = setUp();
    sys.start(0);
    take();
    // Every number is another one, so that a mix-up shows.
    let next = 101;
    for (const name of Object.keys(counterRows) as (keyof typeof counterRows)[]) {
      if (name !== 'clientsConnected' && name !== 'clientsMaximum') sources.counters[name] = next++;
    }
    sources.counters.clientsConnected = 31;
    sources.counters.clientsConnected = 30;
    sources.clientsDisconnected = 4;
    sources.subscriptions = 5;
    sources.sharedSubscriptions = 6;
    sources.retainedMessages = 7;
    sources.storedMessages = 8;
    sources.storedBytes = 9;
    sources.inflightMessages = 10;
    sources.heapBytes = 2000;
    sys.update(0);
    sources.heapBytes = 1500;
    sys.update(0);
    const values = Object.fromEntries(take().map((line) => line.split(/ (?=[^ ]*$)/)));
    expect(values).toMatchObject({
      'clients/connected': '30',
      'clients/active': '30',
      'clients/disconnected': '4',
      'clients/inactive': '4',
      'clients/total': '34',
      'clients/maximum': '31',
      'subscriptions/count': '5',
      'shared_subscriptions/count': '6',
      'retained messages/count': '7',
      'store/messages/count': '8',
      'messages/stored': '8',
      'store/messages/bytes': '9',
      'messages/inflight': '10',
      'heap/current': '1500',
      'heap/current size': '1500',
      'heap/maximum': '2000',
      'heap/maximum size': '2000',
    });
    for (const [name, { topic }] of Object.entries(counterRows)) {
      expect(values[topic.slice('$SYS/broker/'.length)], topic).toBe(
        String(sources.counters[name as keyof typeof counterRows]),
      );
    }
  });

  it('publishes everything again when asked to', () => {
    const { sys, sources, published } = setUp();
    sys.start(0);
    sys.update(3000);
    published.length = 0;
    sources.subscriptions = 12;
    sys.publishAll();
    expect(published).toHaveLength(sysTopicRows.length);
    expect(published).toContainEqual(['$SYS/broker/uptime', '3 seconds']);
    expect(published).toContainEqual(['$SYS/broker/subscriptions/count', '12']);
  });

  it('is documented in docs/reference/sys-topics.md as it is', async () => {
    const lines = sysTopicRows.map(({ topic, format, description }) => `| \`${topic}\` | ${format} | ${description} |`);
    const text = `# Topics under \`$SYS\`

The broker publishes these messages, retained, when it starts and every \`sys_interval\` seconds if the value has changed.
Names and meaning are those of Mosquitto; \`$SYS/broker/clearwing/\` holds what it does not have. Every counter of a limit is
there.

This page is made from the table in \`src/broker/sys-topics.ts\` by \`npx vitest run test/broker/sys-topics -u\`.

| Form | Example |
|---|---|
| version | \`clearwing version 0.1.0\` |
| uptime | \`12 seconds\` |
| count | \`42\` |
| load | \`3.14\`, a rate per minute |

| Topic | Form | Meaning |
|---|---|---|
${lines.join('\n')}
`;
    await expect(text).toMatchFileSnapshot('../../docs/reference/sys-topics.md');
  });
});

interface SysMessage {
  readonly topic: string;
  readonly isRetained: boolean;
  readonly value: string;
}

/** One round of updates: the messages from one `uptime` up to the next. */
function roundsOf(messages: readonly SysMessage[]): SysMessage[][] {
  const rounds: SysMessage[][] = [];
  for (const message of messages) {
    if (message.topic === '$SYS/broker/uptime') rounds.push([]);
    rounds.at(-1)?.push(message);
  }
  return rounds;
}

/** What a real Mosquitto publishes from its first second on, over the given number of complete rounds and one more. */
async function record(roundCount: number): Promise<SysMessage[]> {
  const clients = clientPrograms('mosquitto');
  for (let attempt = 1; ; attempt++) {
    const broker = await startBroker({ program: 'mosquitto', config: 'sys_interval 1' });
    const subscriber = clients.sub(broker.port, ['-t', '$SYS/#', '-F', '%t\t%r\t%p']);
    const read = (): SysMessage[] =>
      subscriber.lines().map((line) => {
        const [topic = '', retained, value = ''] = line.split('\t');
        return { topic, isRetained: retained === '1', value };
      });
    try {
      await clients.pub(broker.port, ['-t', 'a', '-m', 'text', '-r', '-q', '1']);
      await until(() => roundsOf(read()).length > 2, 'two rounds of $SYS');
      await clients.pub(broker.port, ['-t', 'b', '-m', 'text', '-q', '2']);
      await until(() => roundsOf(read()).length > roundCount, `${roundCount} rounds of $SYS`, 60_000);
      // On a slow machine the subscriber may come after the first averages.
      if (roundsOf(read())[0]?.[0]?.value === '0 seconds') return read();
    } finally {
      await subscriber.stop();
      await broker.stop();
    }
    if (attempt === 5) throw new Error('five times the subscriber came too late');
  }
}

describeWithPeer(['mosquitto', 'mosquitto_sub', 'mosquitto_pub'], 'SysTopics beside a real Mosquitto', () => {
  it('has all its topics, forms and rules of republishing, and computes its averages', async () => {
    const messages = await record(4);
    const theirs = new Map<string, string>();
    for (const { topic, isRetained, value } of messages) {
      if (!isRetained) expect(value, `${topic} is published again only if it has changed`).not.toBe(theirs.get(topic));
      theirs.set(topic, value);
    }
    const rows = new Map(sysTopicRows.map((row) => [row.topic, row]));
    expect([...theirs.keys()].filter((topic) => !rows.has(topic))).toEqual([]);
    // All of ours but what only the manual names and what is our own.
    expect(
      [...rows.keys()].filter((topic) => !theirs.has(topic) && !topic.startsWith('$SYS/broker/clearwing/')),
    ).toEqual(['$SYS/broker/messages/inflight', '$SYS/broker/heap/current size', '$SYS/broker/heap/maximum size']);
    for (const [topic, value] of theirs) expect(value, topic).toMatch(formats[rows.get(topic)!.format]);

    const load = new LoadAverage();
    const latest = new Map<string, number>();
    let uptimeSeconds = 0;
    // The last round may be incomplete.
    for (const round of roundsOf(messages).slice(0, -1)) {
      for (const { topic, value } of round) latest.set(topic, Number.parseFloat(value));
      const uptime = latest.get('$SYS/broker/uptime')!;
      load.update(latest.get('$SYS/broker/bytes/received')!, uptime - uptimeSeconds);
      uptimeSeconds = uptime;
      for (const minutes of [1, 5, 15] as const) {
        // Mosquitto leaves out changes of less than 0.01.
        const difference = load.over(minutes) - latest.get(`$SYS/broker/load/bytes/received/${minutes}min`)!;
        expect(Math.abs(difference), `${minutes} min after ${uptime} s`).toBeLessThan(0.04);
      }
    }
    expect(load.over(1)).toBeGreaterThan(10);
  });
});
