/**
 * Topic Name → receivers. The subscription tree answers once per topic; the answer is kept until a subscription changes.
 *
 *     subscribe / unsubscribe ──▶ tree ──match──▶ Route (one Receiver per Session) ──▶ cache by Topic Name
 *            └── literal filter: forgets that one topic · wildcard: all routes become stale (epoch)
 *
 * The cache is bounded: when it is full the oldest quarter goes.
 */
import type { QoS } from '../protocol/version.ts';
import type { Authority } from './auth.ts';
import type { Session } from './session.ts';
import type { SessionOutput } from './session-output.ts';
import { type SharedGroup, SharedSubscriptions } from './shared-subscriptions.ts';
import type { Subscription } from './subscription.ts';
import { SubscriptionTrie } from './subscription-trie.ts';

/** One Session that gets a message, with all of its subscriptions that match taken together. */
export class Receiver {
  readonly session: Session;
  /** The highest QoS of the subscriptions. [MQTT-3.3.4-2] */
  readonly qos: QoS;
  readonly retainAsPublished: boolean;
  readonly subscriptionIdentifiers: readonly number[] | undefined;
  /** Set if a subscription has No Local, which depends on who publishes: then the receiver is worked out again. */
  readonly noLocalAmong: readonly Subscription[] | undefined;

  constructor(subscriptions: readonly Subscription[]) {
    const first = subscriptions[0] as Subscription;
    let qos = first.qos;
    let retainAsPublished = first.retainAsPublished;
    let noLocal = first.noLocal;
    let identifiers: number[] | undefined;
    for (const subscription of subscriptions) {
      if (subscription.qos > qos) qos = subscription.qos;
      if (subscription.retainAsPublished) retainAsPublished = true;
      if (subscription.noLocal) noLocal = true;
      if (subscription.identifier !== 0) {
        identifiers ??= [];
        if (!identifiers.includes(subscription.identifier)) identifiers.push(subscription.identifier);
      }
    }
    this.session = first.session;
    this.qos = qos;
    this.retainAsPublished = retainAsPublished;
    this.subscriptionIdentifiers = identifiers;
    this.noLocalAmong = noLocal ? subscriptions : undefined;
  }

  /** The receiver as it is for a message that its own Session published; undefined if nothing is left. [MQTT-3.8.3-3] */
  withoutNoLocal(): Receiver | undefined {
    if (this.noLocalAmong === undefined) return this;
    const others = this.noLocalAmong.filter((subscription) => !subscription.noLocal);
    return others.length === 0 ? undefined : new Receiver(others);
  }
}

/** Who gets what is published on one topic. */
export class Route {
  readonly topicName: string;
  readonly receivers: readonly Receiver[];
  readonly sharedGroups: readonly SharedGroup<Subscription>[];
  /** Set once a subscription to this very topic changes, or the cache lets go of it. */
  isStale = false;
  readonly epoch: number;

  constructor(
    topicName: string,
    receivers: readonly Receiver[],
    sharedGroups: readonly SharedGroup<Subscription>[],
    epoch: number,
  ) {
    this.topicName = topicName;
    this.receivers = receivers;
    this.sharedGroups = sharedGroups;
    this.epoch = epoch;
  }

  /** Nobody would get a message on this topic. */
  get isEmpty(): boolean {
    return this.receivers.length === 0 && this.sharedGroups.length === 0;
  }
}

const nobody: readonly Receiver[] = [];
const noGroups: readonly SharedGroup<Subscription>[] = [];

type TrieValue = Subscription | SharedGroup<Subscription>;

export interface RoutesOptions {
  readonly routeCacheSize: number;
  readonly allowDuplicateMessages: boolean;
}

/** Every subscription of the broker, and the way from a Topic Name to them. */
export class Routes {
  readonly #trie = new SubscriptionTrie<TrieValue>();
  readonly #shared = new SharedSubscriptions<Subscription>();
  readonly #cache = new Map<string, Route>();
  readonly #matches: TrieValue[] = [];
  #options: RoutesOptions;
  #authority: Authority;
  #epoch = 0;
  #subscriptions = 0;
  #sharedSubscriptions = 0;

  constructor(options: RoutesOptions, authority: Authority) {
    this.#options = options;
    this.#authority = authority;
  }

  /** Subscriptions in force, shared ones included. */
  get subscriptionCount(): number {
    return this.#subscriptions;
  }

  get sharedSubscriptionCount(): number {
    return this.#sharedSubscriptions;
  }

  /** Topics remembered at this moment. */
  get cachedCount(): number {
    return this.#cache.size;
  }

  /** A stale route must be asked for again. */
  isCurrent(route: Route): boolean {
    return !route.isStale && route.epoch === this.#epoch;
  }

  add(subscription: Subscription): void {
    this.#subscriptions++;
    if (subscription.shareName === '') {
      this.#trie.add(subscription.topicFilter, subscription);
    } else {
      this.#sharedSubscriptions++;
      const { group, isNew } = this.#shared.add(subscription.shareName, subscription.topicFilter, subscription);
      if (isNew) this.#trie.add(subscription.topicFilter, group);
    }
    this.#forgetTopics(subscription.topicFilter);
  }

  remove(subscription: Subscription): void {
    subscription.isEnded = true;
    this.#subscriptions--;
    if (subscription.shareName === '') {
      this.#trie.remove(subscription.topicFilter, subscription);
    } else {
      this.#sharedSubscriptions--;
      const emptied = this.#shared.remove(subscription.shareName, subscription.topicFilter, subscription);
      if (emptied !== undefined) this.#trie.remove(subscription.topicFilter, emptied);
    }
    this.#forgetTopics(subscription.topicFilter);
  }

  /** Access rules or options changed: nothing remembered holds any more. */
  reset(options: RoutesOptions, authority: Authority): void {
    this.#options = options;
    this.#authority = authority;
    this.#forget();
  }

  /** The route of a topic, from the cache or worked out now. */
  of(topicName: string): Route {
    const known = this.#cache.get(topicName);
    if (known !== undefined) return known;
    const route = this.#work(topicName);
    if (this.#cache.size >= this.#options.routeCacheSize) this.#makeRoom();
    this.#cache.set(topicName, route);
    return route;
  }

  #work(topicName: string): Route {
    const matches = this.#matches;
    matches.length = 0;
    this.#trie.match(topicName, matches);
    if (matches.length === 0) return new Route(topicName, nobody, noGroups, this.#epoch);
    const bySession = new Map<Session, Subscription[]>();
    const receivers: Receiver[] = [];
    const sharedGroups: SharedGroup<Subscription>[] = [];
    for (const match of matches) {
      if (!('session' in match)) {
        sharedGroups.push(match);
      } else if (!this.mayReceive(match.session, topicName)) {
        // An access rule keeps the message from this client; the subscription itself stays.
      } else if (this.#options.allowDuplicateMessages) {
        receivers.push(new Receiver([match]));
      } else {
        const others = bySession.get(match.session);
        if (others === undefined) bySession.set(match.session, [match]);
        else others.push(match);
      }
    }
    for (const subscriptions of bySession.values()) receivers.push(new Receiver(subscriptions));
    matches.length = 0;
    // Many are in the cache, most with one receiver: a list that was pushed to has room for sixteen more.
    const groups = sharedGroups.length === 0 ? noGroups : sharedGroups;
    return new Route(topicName, receivers.slice(), groups, this.#epoch);
  }

  /** Whether access rules let this Session have messages on this topic. */
  mayReceive(session: SessionOutput, topicName: string): boolean {
    return this.#authority.receivesAll || this.#authority.mayReceive(session.identity, topicName);
  }

  #forgetTopics(topicFilter: string): void {
    if (topicFilter.includes('+') || topicFilter.includes('#')) {
      this.#forget();
      return;
    }
    const route = this.#cache.get(topicFilter);
    if (route === undefined) return;
    route.isStale = true;
    this.#cache.delete(topicFilter);
  }

  #forget(): void {
    this.#epoch++;
    if (this.#cache.size > 0) this.#cache.clear();
  }

  #makeRoom(): void {
    let toGo = Math.max(1, this.#options.routeCacheSize >> 2);
    for (const [topicName, route] of this.#cache) {
      if (toGo-- === 0) break;
      // Whoever holds on to it would not hear of changes any more.
      route.isStale = true;
      this.#cache.delete(topicName);
    }
  }
}
