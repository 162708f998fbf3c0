/**
 * Kills a broker again and again while clients use it, and judges what they were promised.
 *
 *     start ─▶ publishers, subscribers, churners at work ─▶ retained messages looked at ─▶ SIGKILL ─┐
 *       ▲                                                                                          │
 *       └──────────────────────────── as often as asked, sometimes before it listens ──────────────┘
 *     then: publishers stop, everything is delivered, subscriptions are probed, a stop in peace, retained messages once more
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../simulation/random.ts';
import { Churner, churnedTopic, churnedTopicCount } from './churner.ts';
import { CrashBroker } from './crash-broker.ts';
import { judge, judgeRetained } from './journal.ts';
import { publishToAll, readRetained } from './once.ts';
import { Publisher } from './publisher.ts';
import { Subscriber } from './subscriber.ts';

export interface CrashRunOptions {
  readonly seed: number;
  readonly kills: number;
  readonly durability: 'strict' | 'relaxed' | 'none';
  /** Stops killing as soon as something is wrong. Default false. */
  readonly stopsAtFirstComplaint?: boolean;
  readonly onProgress?: (kills: number, acknowledged: number) => void;
}

export interface CrashReport {
  readonly complaints: readonly string[];
  readonly kills: number;
  /** Messages that publishers were acknowledged. */
  readonly acknowledged: number;
  /** Deliveries that subscribers noted. */
  readonly delivered: number;
  readonly retainedLooks: number;
}

/** Milliseconds the broker may run between two kills. */
const lifeMs = 450;
/** Milliseconds from its start at which it may be killed while it comes up. */
const infancyMs = 350;
/** How long the deliveries still open at the end may take. */
const patienceMs = 60_000;

export async function crashRun(options: CrashRunOptions): Promise<CrashReport> {
  const { seed, kills, durability } = options;
  const random = new Random(seed);
  const complaints: string[] = [];
  const broker = await CrashBroker.prepare(durability);
  const { port } = broker;
  const peer = (name: string, version: 4 | 5) => ({ port, name, version, random, complaints });
  const publishers = [new Publisher(peer('publisher-4', 4)), new Publisher(peer('publisher-5', 5))];
  const subscribers = [
    new Subscriber({ ...peer('subscriber-4', 4), qos: 2 }),
    new Subscriber({ ...peer('subscriber-5', 5), qos: 2 }),
    new Subscriber({ ...peer('subscriber-5-qos-1', 5), qos: 1 }),
  ];
  const churners = [new Churner(peer('churner-4', 4)), new Churner(peer('churner-5', 5))];
  const everybody = [...publishers, ...subscribers, ...churners];
  const topics = publishers.flatMap((one) => one.topics);
  const retainedTopics = publishers.flatMap((one) => one.retainedTopics);
  const acknowledgedCount = (): number =>
    [...topics, ...retainedTopics].reduce((sum, one) => sum + one.acknowledged.size, 0);
  let retainedLooks = 0;
  let killed = 0;

  const lookAtRetained = async (): Promise<void> => {
    const completed = new Map(retainedTopics.map((one) => [one.topic, one.completed]));
    const found = await readRetained(port, 'r/#');
    if (found === undefined) return;
    retainedLooks++;
    for (const record of retainedTopics) {
      const fault = judgeRetained(record, found.get(record.topic), completed.get(record.topic) ?? 0);
      if (fault !== undefined) complaints.push(fault);
    }
  };
  /** Waits until it is true; a complaint if it does not come true. */
  const settled = async (what: string, isTrue: () => boolean): Promise<boolean> => {
    for (const deadline = performance.now() + patienceMs; !isTrue(); await delay(10)) {
      if (performance.now() < deadline) continue;
      complaints.push(`${what} did not happen within ${patienceMs / 1000} s`);
      return false;
    }
    return true;
  };

  try {
    await broker.start();
    for (const one of subscribers) one.start();
    await settled('SUBACK', () => subscribers.every((one) => one.isSubscribed));
    for (const one of everybody) one.start();
    for (; killed < kills; killed++) {
      if (options.stopsAtFirstComplaint === true && complaints.length > 0) break;
      const look = lookAtRetained();
      // A subscriber that is away for a while has its messages queued.
      const absentee = subscribers[random.below(subscribers.length)] as Subscriber;
      if (random.oneIn(3)) absentee.stop(random.oneIn(2));
      await delay(20 + random.below(lifeMs));
      await broker.kill();
      await look;
      if (random.oneIn(5)) {
        broker.spawn();
        await delay(random.below(infancyMs));
        await broker.kill();
      }
      await broker.start();
      absentee.start();
      options.onProgress?.(killed + 1, acknowledgedCount());
    }

    for (const one of publishers) one.isPublishing = false;
    for (const one of churners) one.isChurning = false;
    await settled('the last acknowledgement', () => publishers.every((one) => one.unfinished === 0));
    await settled('the last SUBACK', () => churners.every((one) => one.isSettled));
    const judgeAll = (): string[] => subscribers.flatMap((one) => judge(topics, one.received));
    // What is still on its way is not lost; what never comes is.
    for (const deadline = performance.now() + patienceMs; judgeAll().length > 0 && performance.now() < deadline; ) {
      const before = deliveredCount(subscribers);
      await delay(1000);
      if (deliveredCount(subscribers) === before) break;
    }
    complaints.push(...judgeAll());
    await lookAtRetained();
    await probeSubscriptions(port, churners, complaints);
    const status = await broker.stop();
    if (status !== 0) complaints.push(`the broker ended with ${status}\n${broker.output}`);
    await broker.start();
    await lookAtRetained();
  } catch (error) {
    complaints.push((error as Error).message);
  } finally {
    for (const one of everybody) one.stop();
    await broker.remove();
  }
  return {
    complaints,
    kills: killed,
    acknowledged: acknowledgedCount(),
    delivered: deliveredCount(subscribers),
    retainedLooks,
  };
}

function deliveredCount(subscribers: readonly Subscriber[]): number {
  let count = 0;
  for (const { received } of subscribers) for (const numbers of received.byTopic.values()) count += numbers.length;
  return count;
}

/** Publishes to every topic that was subscribed or unsubscribed, and compares who gets what. */
async function probeSubscriptions(port: number, churners: readonly Churner[], complaints: string[]): Promise<void> {
  for (const churner of churners) {
    churner.probes.clear();
    const indexes = Array.from({ length: churnedTopicCount }, (_, index) => index);
    await publishToAll(
      port,
      indexes.map((index) => churnedTopic(churner.name, index)),
    );
    // Everything was sent before the publisher's acknowledgement; this is for the way.
    await delay(500);
    for (const index of indexes) {
      const topic = churnedTopic(churner.name, index);
      const identifier = churner.subscribed[index] as number;
      const got = churner.probes.get(topic);
      if ((got !== undefined) !== (identifier !== 0)) {
        complaints.push(
          `${churner.name}: ${topic} is ${identifier === 0 ? 'still subscribed' : 'not subscribed any more'}`,
        );
      } else if (got !== undefined && churner.version === 5 && got.join() !== String(identifier)) {
        complaints.push(`${churner.name}: ${topic} has Subscription Identifier ${got.join()}, not ${identifier}`);
      }
    }
  }
}
