/**
 * The broker under a virtual clock on a network that delays, splits and cuts by a seed. `SIMULATION_SEED=n` replays one run,
 * `SIMULATION_RUNS=n` makes more of them.
 */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Broker, createBroker } from '../../src/broker/index.ts';
import { MemoryStore } from '../../src/broker/persistence/memory.ts';
import type { ProtocolVersion, QoS } from '../../src/protocol/version.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { Random } from './random.ts';
import { SimulatedClient } from './simulated-client.ts';

const topics: readonly { topicName: string; qos: QoS }[] = [
  { topicName: 'count/0', qos: 0 },
  { topicName: 'count/1', qos: 1 },
  { topicName: 'count/2', qos: 2 },
];
const messagesPerTopic = 150;

interface Outcome {
  readonly complaints: readonly string[];
  /** For each subscriber and topic what it got. */
  readonly received: readonly {
    readonly who: string;
    readonly topicName: string;
    readonly payloads: readonly string[];
  }[];
  readonly reconnects: number;
  readonly dropped: number;
}

interface Disturbance {
  /** Milliseconds between cuts of a connection, about; 0 none. */
  readonly cutEveryMs: number;
  /** Milliseconds between kills of the broker, about; 0 none. With kills it has a store that takes its time to commit. */
  readonly crashEveryMs: number;
}

/** One run: two publishers, three subscribers, cuts and crashes at random moments. */
async function simulate(seed: number, { cutEveryMs, crashEveryMs }: Disturbance): Promise<Outcome> {
  const random = new Random(seed);
  const clock = new VirtualClock();
  const settings = { sysInterval: 0, maxQueuedMessages: 0, maxInflightMessages: 1 + random.below(20) };
  // Of three runs one has everything rest that waits for absent clients, one a part, and one nothing.
  const residentDeliveriesMax = [0, 10, 65_536][seed % 3] as number;
  const storeOptions = { clock, residentDeliveriesMax, commitDelayMs: () => random.below(15) };
  let store = crashEveryMs === 0 ? undefined : new MemoryStore(storeOptions);
  const open = async (): Promise<Broker> => {
    const opened = createBroker({ clock, settings, ...(store === undefined ? undefined : { store }) });
    await opened.restore();
    return opened;
  };
  // A connection that waits for the store goes on with a promise, so promises must get their turn.
  const pass = async (ms: number): Promise<void> => {
    if (store === undefined) clock.advance(ms);
    else await clock.advanceAsync(ms);
  };
  let broker = await open();
  let dropped = 0;
  const countDropped = (): void => {
    dropped += broker.counters.queueDroppedCount + broker.counters.queueDroppedBytes;
  };
  const clients: SimulatedClient[] = [];
  const add = (name: string, version: ProtocolVersion, subscriptions: { topicFilter: string; qos: QoS }[]) => {
    const client = new SimulatedClient({
      name,
      version,
      receiveMaximum: 1 + random.below(10),
      subscriptions,
      answerDelayMs: random.below(20),
      clock,
      random,
      dial: () => {
        let lastDue = 0;
        const [ours, theirs] = memoryPair({
          // In order, each piece after a delay of its own.
          schedule: (task) => {
            lastDue = Math.max(lastDue, clock.monotonic() + random.below(30));
            clock.setTimer(lastDue - clock.monotonic(), task);
          },
          split: (bytes) => {
            if (bytes.length < 2 || random.oneIn(2)) return [bytes];
            const at = 1 + random.below(bytes.length - 1);
            return [bytes.subarray(0, at), bytes.subarray(at)];
          },
        });
        broker.accept(theirs);
        return ours;
      },
    });
    clients.push(client);
    return client;
  };
  const publishers = [add('publisher-4', 4, []), add('publisher-5', 5, [])];
  const everyTopic = topics.map(({ topicName, qos }) => ({ topicFilter: `+/${topicName}`, qos }));
  const subscribers = [add('subscriber-4', 4, everyTopic), add('subscriber-5', 5, everyTopic)];
  subscribers.push(add('wildcard-5', 5, [{ topicFilter: '#', qos: 2 }]));
  for (const client of clients) client.connect();
  await pass(1000);

  for (let count = 0; count < messagesPerTopic; count++) {
    for (const [index, publisher] of publishers.entries()) {
      for (const { topicName, qos } of topics) publisher.publish(`p${index}/${topicName}`, String(count), qos);
    }
    await pass(random.below(40));
    if (cutEveryMs > 0 && random.oneIn(cutEveryMs / 20)) clients[random.below(clients.length)]?.cut();
    if (store !== undefined && random.oneIn(crashEveryMs / 20)) {
      countDropped();
      store = store.crashed();
      for (const client of clients) client.cut();
      broker = await open();
    }
  }
  for (let patience = 0; patience < 1000 && publishers.some((one) => one.unfinished > 0); patience++) await pass(1000);
  await pass(60_000);
  countDropped();
  return {
    complaints: clients.flatMap((client) => client.complaints),
    received: subscribers.flatMap((subscriber, who) =>
      publishers.flatMap((_, index) =>
        topics.map(({ topicName }) => ({
          who: String(who),
          topicName: `p${index}/${topicName}`,
          payloads: subscriber.received.get(`p${index}/${topicName}`) ?? [],
        })),
      ),
    ),
    reconnects: clients.reduce((sum, client) => sum + client.connections - 1, 0),
    dropped,
  };
}

const everyPayload = Array.from({ length: messagesPerTopic }, (_, count) => String(count));

/** First appearances in order, which is what QoS 1 promises. [MQTT-4.6.0-6] */
function withoutRepetitions(payloads: readonly string[]): string[] {
  return [...new Set(payloads)];
}

const seedGiven = process.env.SIMULATION_SEED;
const runs = Number(process.env.SIMULATION_RUNS ?? 25);
const seeds = seedGiven === undefined ? Array.from({ length: runs }, (_, index) => index + 1) : [Number(seedGiven)];

describe('the broker on a simulated network', () => {
  it('delivers everything once and in order at every QoS while nothing is cut', async () => {
    const calm = { cutEveryMs: 0, crashEveryMs: 0 };
    const { complaints, received, reconnects, dropped } = await simulate(Number(seedGiven ?? 1000), calm);
    expect(complaints).toEqual([]);
    expect(reconnects).toBe(0);
    expect(dropped).toBe(0);
    for (const { payloads } of received) expect(payloads).toEqual(everyPayload);
  });

  it.each(seeds)('keeps its promises while connections are cut at random (seed %i)', async (seed) => {
    expectPromisesKept(await simulate(seed, { cutEveryMs: 200, crashEveryMs: 0 }));
  });

  it.each(seeds)(
    'keeps its promises while it is killed at random and comes back from its store (seed %i)',
    async (seed) => {
      expectPromisesKept(await simulate(seed, { cutEveryMs: 600, crashEveryMs: 300 }));
    },
  );
});

function expectPromisesKept({ complaints, received, reconnects, dropped }: Outcome): void {
  expect(complaints).toEqual([]);
  expect(dropped).toBe(0);
  expect(reconnects).toBeGreaterThan(3);
  for (const { topicName, payloads, who } of received) {
    const what = `subscriber ${who}, ${topicName}`;
    if (topicName.endsWith('/0')) {
      // At most once, in order.
      expect(new Set(payloads).size, what).toBe(payloads.length);
      expect(payloads, what).toEqual([...payloads].sort((a, b) => Number(a) - Number(b)));
    } else if (topicName.endsWith('/1')) {
      expect(withoutRepetitions(payloads), what).toEqual(everyPayload);
    } else {
      expect(payloads, what).toEqual(everyPayload);
    }
  }
}
