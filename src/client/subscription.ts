/** One call of `subscribe`: its filters, what the server granted, and who takes the messages. */
import type { SubackPacket, SubscriptionRequest, UnsubackPacket } from '../codec/packets.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { isFailure, type ReasonCode } from '../protocol/reason-codes.ts';
import { matchesFilter, parseSharedFilter } from '../protocol/topics.ts';
import { type CallbackConsumer, LoopConsumer } from './consumer.ts';
import type { IncomingMessage } from './incoming.ts';
import type { ReceivedMessage, Subscription } from './types.ts';

export type Consumer = CallbackConsumer | LoopConsumer;

interface LiveFilter {
  readonly request: SubscriptionRequest;
  /** What Topic Names are compared with: of a Shared Subscription the part behind its ShareName. */
  readonly pattern: string;
}

/** What a subscription needs of its client. */
export interface SubscriptionOwner {
  unsubscribe(
    subscription: ActiveSubscription,
    properties: PropertiesOf<'UNSUBSCRIBE'> | undefined,
  ): Promise<UnsubackPacket>;
}

export class ActiveSubscription implements Subscription {
  readonly topicFilters: readonly string[];
  readonly properties: PropertiesOf<'SUBSCRIBE'> | undefined;
  readonly consumer: Consumer;
  /** Asked for again, and not answered yet. */
  isAsking = false;
  /** Told when no more messages will come. */
  onFinish: (() => void) | undefined;
  readonly #owner: SubscriptionOwner;
  /** Filters that were neither refused nor unsubscribed. */
  #live: LiveFilter[];
  #suback: SubackPacket | undefined;
  #unsubscribing: Promise<UnsubackPacket> | undefined;

  constructor(
    owner: SubscriptionOwner,
    requests: readonly SubscriptionRequest[],
    properties: PropertiesOf<'SUBSCRIBE'> | undefined,
    consumer: Consumer,
  ) {
    this.#owner = owner;
    this.topicFilters = requests.map((request) => request.topicFilter);
    this.properties = properties;
    this.consumer = consumer;
    this.#live = requests.map((request) => {
      const shared = parseSharedFilter(request.topicFilter);
      return { request, pattern: typeof shared === 'object' ? shared.topicFilter : request.topicFilter };
    });
  }

  /** The Subscription Identifier given to the server, if any. */
  get identifier(): number | undefined {
    return this.properties?.subscriptionIdentifiers?.[0];
  }

  /** The newest one: subscriptions are made again after a Session was lost. */
  get suback(): SubackPacket {
    return this.#suback!;
  }

  get reasonCodes(): readonly ReasonCode[] {
    return this.#suback!.reasonCodes;
  }

  /** Whether the server has granted it, so that it is to be made again with the next Session. */
  get isGranted(): boolean {
    return this.#suback !== undefined && this.#live.length > 0;
  }

  get isOver(): boolean {
    return this.#live.length === 0;
  }

  /** What to ask for again. */
  get requests(): SubscriptionRequest[] {
    return this.#live.map((filter) => filter.request);
  }

  /** The SUBACK for `requests` came: drops what was refused and returns the Reason Codes of that. */
  granted(suback: SubackPacket): ReasonCode[] {
    this.#suback = suback;
    const refused = suback.reasonCodes.filter((code) => isFailure(code));
    this.#live = this.#live.filter((_, index) => !isFailure(suback.reasonCodes[index] ?? 0));
    return refused;
  }

  has(topicFilter: string): boolean {
    return this.#live.some((filter) => filter.request.topicFilter === topicFilter);
  }

  drop(topicFilter: string): void {
    this.#live = this.#live.filter((filter) => filter.request.topicFilter !== topicFilter);
  }

  matches(topicName: string): boolean {
    return this.#live.some((filter) => matchesFilter(topicName, filter.pattern));
  }

  offer(message: IncomingMessage): void {
    this.consumer.offer(message);
  }

  /** No more messages will come; loops end after what they still have. */
  finish(error?: Error): void {
    this.#live = [];
    this.onFinish?.();
    this.onFinish = undefined;
    if (this.consumer instanceof LoopConsumer) this.consumer.finish(error);
  }

  unsubscribe(options: { properties?: PropertiesOf<'UNSUBSCRIBE'> } = {}): Promise<UnsubackPacket> {
    this.#unsubscribing ??= this.#owner.unsubscribe(this, options.properties);
    return this.#unsubscribing;
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedMessage> {
    if (this.consumer instanceof LoopConsumer) return this.consumer.iterate();
    throw new TypeError('this subscription has an onMessage callback; it cannot be read with a loop as well');
  }
}
