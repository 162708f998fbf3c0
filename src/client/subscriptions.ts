/** All subscriptions of a client, and which of them a message is for. */
import { OptionError } from '../protocol/errors.ts';
import { isTopicFilter, parseSharedFilter } from '../protocol/topics.ts';
import type { IncomingMessage } from './incoming.ts';
import { show } from './options.ts';
import type { ActiveSubscription } from './subscription.ts';

/** Topic Names whose receivers are remembered; then the memory starts over. */
const routesMax = 4_096;

export class Subscriptions {
  readonly #active = new Set<ActiveSubscription>();
  readonly #routes = new Map<string, readonly ActiveSubscription[]>();

  add(subscription: ActiveSubscription): void {
    this.#active.add(subscription);
    this.#routes.clear();
  }

  remove(subscription: ActiveSubscription): void {
    this.#active.delete(subscription);
    this.#routes.clear();
  }

  all(): ActiveSubscription[] {
    return [...this.#active];
  }

  /** Those filters of a subscription that no other one has as well. */
  filtersOnlyOf(subscription: ActiveSubscription): string[] {
    return subscription.topicFilters.filter((filter) => {
      if (!subscription.has(filter)) return false;
      for (const other of this.#active) if (other !== subscription && other.has(filter)) return false;
      return true;
    });
  }

  /** The server confirmed that it forgot these filters; subscriptions without any other end. */
  dropFilters(topicFilters: readonly string[]): void {
    for (const subscription of this.#active) {
      for (const filter of topicFilters) subscription.drop(filter);
      if (!subscription.isOver) continue;
      this.#active.delete(subscription);
      subscription.finish();
    }
    this.#routes.clear();
  }

  /** A filter of a subscription was refused. */
  changed(): void {
    this.#routes.clear();
  }

  /** Whom a message is for. */
  receiversOf(message: IncomingMessage): readonly ActiveSubscription[] {
    const identifiers = message.properties?.subscriptionIdentifiers;
    if (identifiers === undefined) return this.#matching(message.topicName);
    const { topicName } = message;
    // A server may send one copy for all overlapping subscriptions, and only those with an identifier are named in it.
    const named = this.all().filter(({ identifier }) => identifier !== undefined && identifiers.includes(identifier));
    if (named.length === 0) return this.#matching(topicName);
    const unnamed = this.all().filter((other) => other.identifier === undefined && other.matches(topicName));
    return [...named, ...unnamed];
  }

  #matching(topicName: string): readonly ActiveSubscription[] {
    const known = this.#routes.get(topicName);
    if (known !== undefined) return known;
    let found = this.all().filter((subscription) => subscription.matches(topicName));
    // Of those with an identifier it would have said so.
    const unnamed = found.filter((subscription) => subscription.identifier === undefined);
    if (unnamed.length > 0) found = unnamed;
    if (this.#routes.size >= routesMax) this.#routes.clear();
    this.#routes.set(topicName, found);
    return found;
  }
}

/**
 * One filter or several, checked.
 * @throws {OptionError} `MQTT_ERR_TOPIC`
 */
export function checkTopicFilters(given: string | readonly string[]): string[] {
  const topicFilters = typeof given === 'string' ? [given] : [...given];
  if (topicFilters.length === 0) throw new OptionError('no Topic Filter was given; expected at least one');
  for (const filter of topicFilters) {
    if (typeof filter !== 'string' || !isTopicFilter(filter)) {
      throw new OptionError(`topicFilter ${show(filter)} is no Topic Filter`, 'MQTT_ERR_TOPIC');
    }
    if (parseSharedFilter(filter) === 'invalid') {
      throw new OptionError(`topicFilter ${show(filter)}; expected $share/{name}/{filter}`, 'MQTT_ERR_TOPIC');
    }
  }
  return topicFilters;
}
