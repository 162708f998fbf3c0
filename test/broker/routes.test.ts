import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openAuthority } from '../../src/broker/auth.ts';
import type { BrokerContext } from '../../src/broker/context.ts';
import { type Receiver, Routes } from '../../src/broker/routes.ts';
import { Session } from '../../src/broker/session.ts';
import { Subscription } from '../../src/broker/subscription.ts';
import { unsubscribe5 } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';

/** A Session that is only there to be told from others. */
const sessionOf = (clientIdentifier: string) =>
  new Session({} as BrokerContext, {
    clientIdentifier,
    username: undefined,
    peer: { address: '', port: 0, family: 'memory' },
    listenerIndex: 0,
  });

interface More {
  qos?: 0 | 1 | 2;
  noLocal?: boolean;
  retainAsPublished?: boolean;
  identifier?: number;
  shareName?: string;
}

const subscriptionOf = (session: Session, topicFilter: string, more: More = {}) =>
  new Subscription(
    session,
    topicFilter,
    more.shareName ?? '',
    more.qos ?? 0,
    more.noLocal ?? false,
    more.retainAsPublished ?? false,
    more.identifier ?? 0,
  );

const routesOf = (routeCacheSize = 1000, allowDuplicateMessages = false, authority = openAuthority) =>
  new Routes({ routeCacheSize, allowDuplicateMessages }, authority);

const names = (receivers: readonly Receiver[]) => receivers.map(({ session }) => session.clientIdentifier).sort();

describe('Routes', () => {
  const a = sessionOf('a');
  const b = sessionOf('b');

  it('remember the route of a topic until a subscription to it changes', () => {
    const routes = routesOf();
    const subscription = subscriptionOf(a, 't/1');
    routes.add(subscription);
    const first = routes.of('t/1');
    expect(names(first.receivers)).toEqual(['a']);
    expect(routes.of('t/1')).toBe(first);
    routes.add(subscriptionOf(b, 't/1'));
    expect(routes.isCurrent(first)).toBe(false);
    expect(names(routes.of('t/1').receivers)).toEqual(['a', 'b']);
    routes.remove(subscription);
    expect(names(routes.of('t/1').receivers)).toEqual(['b']);
  });

  it('forget one topic for a filter without wildcards, and all for one with', () => {
    const routes = routesOf();
    const one = routes.of('t/1');
    const two = routes.of('t/2');
    routes.add(subscriptionOf(a, 't/1'));
    expect([routes.isCurrent(one), routes.isCurrent(two), routes.cachedCount]).toEqual([false, true, 1]);
    const wildcard = subscriptionOf(a, 'x/+');
    routes.add(wildcard);
    expect([routes.isCurrent(two), routes.cachedCount]).toEqual([false, 0]);
    const three = routes.of('t/2');
    routes.remove(wildcard);
    expect(routes.isCurrent(three)).toBe(false);
  });

  it('forget everything when access rules or settings are replaced', () => {
    const routes = routesOf();
    routes.add(subscriptionOf(a, 't'));
    const route = routes.of('t');
    routes.reset(
      { routeCacheSize: 10, allowDuplicateMessages: false },
      { ...openAuthority, receivesAll: false, mayReceive: () => false },
    );
    expect(routes.isCurrent(route)).toBe(false);
    expect(routes.of('t').isEmpty).toBe(true);
  });

  it.each([0, 1, 2, 8, 100])('remember no more than %d topics (one at least), and let the oldest go first', (size) => {
    const routes = routesOf(size);
    const bound = Math.max(1, size);
    for (let topic = 0; topic < 500; topic++) {
      routes.of(`t/${topic}`);
      expect(routes.cachedCount).toBeLessThanOrEqual(bound);
      const latest = routes.of(`t/${topic}`);
      expect(routes.of(`t/${topic}`)).toBe(latest);
    }
  });

  it('tell whoever holds a route that it was let go of', () => {
    const routes = routesOf(4);
    const held = routes.of('held');
    for (let topic = 0; topic < 10; topic++) routes.of(`t/${topic}`);
    expect(routes.isCurrent(held)).toBe(false);
  });

  it('take the subscriptions of one Session together, at the highest QoS [MQTT-3.3.4-2]', () => {
    const routes = routesOf();
    routes.add(subscriptionOf(a, 't/1', { qos: 1, identifier: 3 }));
    routes.add(subscriptionOf(a, 't/+', { qos: 2, identifier: 4, retainAsPublished: true }));
    routes.add(subscriptionOf(a, '#', { qos: 0, identifier: 3, noLocal: true }));
    const [receiver, ...others] = routes.of('t/1').receivers;
    expect(others).toEqual([]);
    expect(receiver?.qos).toBe(2);
    expect(receiver?.retainAsPublished).toBe(true);
    expect([...(receiver?.subscriptionIdentifiers ?? [])].sort()).toEqual([3, 4]);
    const own = receiver?.withoutNoLocal();
    expect([own?.qos, own?.subscriptionIdentifiers]).toEqual([2, [3, 4]]);
  });

  it('give one receiver for each subscription if duplicates are wanted', () => {
    const routes = routesOf(10, true);
    routes.add(subscriptionOf(a, 't/1', { qos: 1 }));
    routes.add(subscriptionOf(a, 't/+', { qos: 2 }));
    expect(
      routes
        .of('t/1')
        .receivers.map(({ qos }) => qos)
        .sort(),
    ).toEqual([1, 2]);
  });

  it('count subscriptions, shared ones among them', () => {
    const routes = routesOf();
    const shared = subscriptionOf(a, 't', { shareName: 'g' });
    routes.add(shared);
    routes.add(subscriptionOf(b, 't', { shareName: 'g' }));
    routes.add(subscriptionOf(b, 't'));
    expect([routes.subscriptionCount, routes.sharedSubscriptionCount]).toEqual([3, 2]);
    expect(routes.of('t').sharedGroups).toHaveLength(1);
    routes.remove(shared);
    expect([routes.subscriptionCount, routes.sharedSubscriptionCount]).toEqual([2, 1]);
  });

  it('give with the cache what they would give without, whatever changes in between', () => {
    const filters = ['t/1', 't/2', 't', 't/+', 't/#', '#', '+/1'];
    const topics = ['t', 't/1', 't/2', 't/1/x', 'u/1'];
    const sessions = ['a', 'b', 'c'].map(sessionOf);
    const operation = fc.oneof(
      fc.record({
        kind: fc.constantFrom('add' as const, 'remove' as const),
        who: fc.nat({ max: 2 }),
        filter: fc.constantFrom(...filters),
        shareName: fc.constantFrom('', '', 'g'),
      }),
      fc.record({ kind: fc.constant('ask' as const), topic: fc.constantFrom(...topics) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), fc.constantFrom(1, 3, 100), (operations, cacheSize) => {
        const routes = routesOf(cacheSize);
        const made = new Map<string, Subscription>();
        const held = new Map<string, ReturnType<Routes['of']>>();
        for (const one of operations) {
          if (one.kind === 'ask') {
            held.set(one.topic, routes.of(one.topic));
          } else {
            const key = `${one.who} ${one.shareName} ${one.filter}`;
            const known = made.get(key);
            if (one.kind === 'add' && known === undefined) {
              const { shareName } = one;
              const subscription = subscriptionOf(sessions[one.who] as Session, one.filter, { shareName });
              made.set(key, subscription);
              routes.add(subscription);
            } else if (one.kind === 'remove' && known !== undefined) {
              made.delete(key);
              routes.remove(known);
            }
          }
          const fresh = routesOf(0);
          for (const subscription of made.values()) fresh.add(subscription);
          for (const topic of topics) {
            const expected = fresh.of(topic);
            const before = held.get(topic);
            // One that is held and still current must be right, too.
            for (const route of [routes.of(topic), ...(before && routes.isCurrent(before) ? [before] : [])]) {
              expect(names(route.receivers)).toEqual(names(expected.receivers));
              expect(route.sharedGroups.map((group) => [...group.members()].length)).toEqual(
                expected.sharedGroups.map((group) => [...group.members()].length),
              );
            }
          }
        }
      }),
      { seed: 9, numRuns: 150 },
    );
  });
});

describe('a publisher that stays on one topic', () => {
  it('reaches a new subscriber, and no longer a former one, after others filled the cache', async () => {
    const net = new InMemoryBroker({ settings: { routeCacheSize: 4 } });
    const publisher = await net.connect();
    const other = await net.connect();
    const former = await net.connect();
    const subscriber = await net.connect();
    await former.subscribe('stay');
    publisher.publish('stay', '1');
    expect(await former.payloads()).toEqual(['1']);
    for (let topic = 0; topic < 20; topic++) other.publish(`pass/${topic}`, 'x');
    await net.settle();
    await subscriber.subscribe('stay');
    former.send(unsubscribe5(9, ['stay']));
    await former.expect('UNSUBACK');
    publisher.publish('stay', '2');
    expect(await subscriber.payloads()).toEqual(['2']);
    expect(await former.payloads()).toEqual([]);
  });
});
