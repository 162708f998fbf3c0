/** SUBSCRIBE and UNSUBSCRIBE as calls, and the subscriptions that come of them, across connections. */
import type { Clock } from '../base/clock.ts';
import type { SubackPacket, SubscriptionRequest, UnsubackPacket } from '../codec/packets.ts';
import { type MqttError, OptionError, RefusedError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import { ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { CallbackConsumer, type Flow, LoopConsumer } from './consumer.ts';
import { integer, qosOf, show } from './options.ts';
import type { Outbox } from './outbox.ts';
import { OutgoingSubscribe, OutgoingUnsubscribe } from './outgoing.ts';
import { abortError } from './requests.ts';
import type { MessageRouter } from './router.ts';
import { ActiveSubscription, type Consumer, type SubscriptionOwner } from './subscription.ts';
import { checkTopicFilters, type Subscriptions } from './subscriptions.ts';
import type { SubscribeOptions, Subscription } from './types.ts';

/** What the subscriber needs of its client. */
export interface SubscriberParts {
  readonly outbox: Outbox;
  readonly router: MessageRouter;
  readonly subscriptions: Subscriptions;
  readonly flow: Flow;
  readonly clock: Clock;
  readonly version: ProtocolVersion;
  /** Whether the client has a listener for all messages. */
  hasListener(): boolean;
  /** Something failed that nobody waits for. */
  failed(error: Error): void;
  /** A callback of the program threw. */
  handlerFailed(error: unknown): void;
}

export class Subscriber implements SubscriptionOwner {
  readonly #parts: SubscriberParts;

  constructor(parts: SubscriberParts) {
    this.#parts = parts;
  }

  /** @throws {OptionError} naming what is wrong; what comes later rejects */
  subscribe(given: string | readonly string[], options: SubscribeOptions): Promise<Subscription> {
    const { outbox, router, subscriptions, clock } = this.#parts;
    const requests = requestsOf(checkTopicFilters(given), options);
    if (options.properties !== undefined) this.#checkVersion();
    const { signal } = options;
    if (signal?.aborted) throw abortError(signal);
    const subscription = new ActiveSubscription(
      this,
      requests,
      options.properties,
      this.#consumerOf(options, () => subscription),
    );
    subscriptions.add(subscription);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        subscriptions.remove(subscription);
        subscription.finish(error);
        reject(error);
      };
      const request = new OutgoingSubscribe(requests, options.properties, (error, suback) => {
        if (suback === undefined) return fail(error!);
        const refused = this.#granted(subscription, suback);
        // Aborted meanwhile: the server has it, so it must be told.
        if (signal?.aborted) return this.#leave(subscription);
        if (subscription.isOver) return fail(refusal(requests, refused, suback));
        const { consumer } = subscription;
        if (consumer instanceof LoopConsumer) clock.defer(() => consumer.stopKeeping());
        resolve(subscription);
      });
      const onAbort = (): void => {
        if (outbox.withdraw(request)) fail(abortError(signal!));
        else if (subscription.isGranted) this.#leave(subscription);
        // Otherwise the answer is on its way, and then the server is told.
        reject(abortError(signal!));
      };
      signal?.addEventListener('abort', onAbort);
      subscription.onFinish = () => signal?.removeEventListener('abort', onAbort);
      try {
        outbox.request(request);
        router.claim(subscription);
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  #consumerOf(options: SubscribeOptions, subscription: () => ActiveSubscription): Consumer {
    const { flow, hasListener, handlerFailed } = this.#parts;
    if (options.onMessage !== undefined) return new CallbackConsumer(flow, options.onMessage, handlerFailed);
    return new LoopConsumer(flow, hasListener, () => this.#leave(subscription()));
  }

  /** Notes what the server granted and returns what it refused. */
  #granted(subscription: ActiveSubscription, suback: SubackPacket): ReasonCode[] {
    const refused = subscription.granted(suback);
    if (subscription.isOver) this.#parts.subscriptions.remove(subscription);
    else if (refused.length > 0) this.#parts.subscriptions.changed();
    return refused;
  }

  /** Unsubscribes when nobody waits for the outcome. */
  #leave(subscription: ActiveSubscription): void {
    subscription.unsubscribe().catch((error: Error) => {
      if (!isEnd(error)) this.#parts.failed(error);
    });
  }

  unsubscribe(
    subscription: ActiveSubscription,
    properties: PropertiesOf<'UNSUBSCRIBE'> | undefined,
  ): Promise<UnsubackPacket> {
    const { subscriptions } = this.#parts;
    const topicFilters = subscriptions.filtersOnlyOf(subscription);
    const end = (): void => {
      subscriptions.remove(subscription);
      subscription.finish();
    };
    if (topicFilters.length > 0) {
      return this.unsubscribeFilters(topicFilters, properties).then((unsuback) => {
        end();
        return unsuback;
      });
    }
    // Others have the same filters, so the server must not forget them, or it did already.
    end();
    const reasonCodes = subscription.topicFilters.map(() => ReasonCode.success);
    return Promise.resolve({ type: PacketType.UNSUBACK, packetIdentifier: 0, reasonCodes, properties: undefined });
  }

  /** @throws {OptionError} naming what is wrong; what comes later rejects */
  unsubscribeFilters(
    given: string | readonly string[],
    properties: PropertiesOf<'UNSUBSCRIBE'> | undefined,
  ): Promise<UnsubackPacket> {
    const topicFilters = checkTopicFilters(given);
    if (properties !== undefined) this.#checkVersion();
    return new Promise((resolve, reject) => {
      const request = new OutgoingUnsubscribe(topicFilters, properties, (error, unsuback) => {
        if (unsuback === undefined) return reject(error!);
        const { reasonCodes } = unsuback;
        this.#parts.subscriptions.dropFilters(topicFilters.filter((_, index) => (reasonCodes[index] ?? 0) < 0x80));
        resolve(unsuback);
      });
      this.#parts.outbox.request(request);
    });
  }

  #checkVersion(): void {
    if (this.#parts.version !== 5) {
      throw new OptionError(`properties with protocolVersion ${this.#parts.version}; only 5 has them`);
    }
  }

  /** The server lost the Session: asks again for all that was granted. */
  resubscribe(): void {
    const { outbox, subscriptions, failed } = this.#parts;
    for (const subscription of subscriptions.all()) {
      if (!subscription.isGranted || subscription.isAsking) continue;
      const { requests } = subscription;
      subscription.isAsking = true;
      const request = new OutgoingSubscribe(requests, subscription.properties, (error, suback) => {
        subscription.isAsking = false;
        if (suback === undefined) {
          if (!isEnd(error!)) failed(error!);
          return;
        }
        const refused = this.#granted(subscription, suback);
        if (refused.length === 0) return;
        const refusedError = refusal(requests, refused, suback);
        if (subscription.isOver) subscription.finish(refusedError);
        failed(refusedError);
      });
      try {
        outbox.request(request);
      } catch (error) {
        subscription.isAsking = false;
        failed(error as Error);
      }
    }
  }

  /** There will be no other connection. */
  close(error: Error | undefined): void {
    for (const subscription of this.#parts.subscriptions.all()) {
      this.#parts.subscriptions.remove(subscription);
      subscription.finish(error);
    }
  }
}

/** Whether this is only the end of the client, with which all subscriptions end. */
function isEnd(error: Error): boolean {
  const { code } = error as Partial<MqttError>;
  return code === 'MQTT_ERR_CONNECTION_CLOSED' || code === 'MQTT_ERR_ABORTED';
}

function requestsOf(topicFilters: readonly string[], options: SubscribeOptions): SubscriptionRequest[] {
  const qos = qosOf('qos', options.qos);
  const { noLocal = false, retainAsPublished = false } = options;
  const retainHandling = integer('retainHandling', options.retainHandling, 0, 0, 2, 'its meanings') as 0 | 1 | 2;
  return topicFilters.map((topicFilter) => {
    if (noLocal && topicFilter.startsWith('$share/')) {
      // [MQTT-3.8.3-4]
      throw new OptionError(`noLocal with the Shared Subscription ${show(topicFilter)}; the two exclude each other`);
    }
    return { topicFilter, qos, noLocal, retainAsPublished, retainHandling };
  });
}

function refusal(
  requests: readonly SubscriptionRequest[],
  refused: readonly ReasonCode[],
  suback: SubackPacket,
): RefusedError {
  const filters = requests
    .filter((_, index) => (suback.reasonCodes[index] ?? 0) >= 0x80)
    .map((request) => request.topicFilter);
  const text = `the server refused the subscription to ${filters.map(show).join(', ')}: ${reasonCodeName(refused[0]!)}`;
  const reason = suback.properties?.reasonString;
  return new RefusedError(reason === undefined ? text : `${text} (${reason})`, refused[0]!);
}
