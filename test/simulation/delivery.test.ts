/**
 * The broker under a virtual clock on a network that delays, splits and cuts by a seed. `SIMULATION_SEED=n` replays one run,
 * `SIMULATION_RUNS=n` makes more of them.
 */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { createBroker } from '../../src/broker/index.ts';
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

/** One run: two publishers, three subscribers, cuts at random moments. */
function simulate(seed: number, cutEveryMs: number): Outcome {
  const random = new Random(seed);
  const clock = new VirtualClock();
  const broker = createBroker({
    clock,
    settings: { sysInterval: 0, maxQueuedMessages: 0, maxInflightMessages: 1 + random.below(20) },
  });
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
  clock.advance(1000);

  for (let count = 0; count < messagesPerTopic; count++) {
    for (const [index, publisher] of publishers.entries()) {
      for (const { topicName, qos } of topics) publisher.publish(`p${index}/${topicName}`, String(count), qos);
    }
    clock.advance(random.below(40));
    if (cutEveryMs > 0 && random.oneIn(cutEveryMs / 20)) clients[random.below(clients.length)]?.cut();
  }
  for (let patience = 0; patience < 1000 && publishers.some((one) => one.unfinished > 0); patience++)
    clock.advance(1000);
  clock.advance(60_000);
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
    dropped: broker.counters.queueDroppedCount + broker.counters.queueDroppedBytes,
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
  it('delivers everything once and in order at every QoS while nothing is cut', () => {
    const { complaints, received, reconnects, dropped } = simulate(Number(seedGiven ?? 1000), 0);
    expect(complaints).toEqual([]);
    expect(reconnects).toBe(0);
    expect(dropped).toBe(0);
    for (const { payloads } of received) expect(payloads).toEqual(everyPayload);
  });

  it.each(seeds)('keeps its promises while connections are cut at random (seed %i)', (seed) => {
    const { complaints, received, reconnects, dropped } = simulate(seed, 200);
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
  });
});
