/** SUBSCRIBE and UNSUBSCRIBE. [MQTT 5.0 §3.8, §3.10] */
import type { SubscribePacket, SubscriptionRequest, UnsubscribePacket } from '../codec/packets.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { isFailure, ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import { isTopicFilter, parseSharedFilter } from '../protocol/topics.ts';
import type { QoS } from '../protocol/version.ts';
import type { Connection } from './connection.ts';
import { watch } from './hooks.ts';
import { abridged, hasMoreLevels } from './publish.ts';
import { RetainedReplay } from './retained-replay.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';
import { mayWatch, reachesTap } from './tap/tap-topic.ts';

/** One filter of a SUBSCRIBE, checked: what to do and what to answer. */
interface Examined {
  readonly request: SubscriptionRequest;
  readonly shareName: string;
  /** With the mount point, without `$share/name/`. */
  readonly topicFilter: string;
  readonly verdict: ReasonCode;
}

export function handleSubscribe(connection: Connection, packet: SubscribePacket): Promise<void> | undefined {
  const { context } = connection;
  if (context.logsPackets) context.log.write('debug', `Received SUBSCRIBE from ${connection.name}`);
  const examined = packet.subscriptions.map((request) => examine(connection, request));
  if (!examined.some((one) => one instanceof Promise)) {
    answerSubscribe(connection, packet, examined as Examined[]);
    return undefined;
  }
  return Promise.all(examined).then((all) => answerSubscribe(connection, packet, all));
}

export function handleUnsubscribe(connection: Connection, packet: UnsubscribePacket): undefined {
  const { context } = connection;
  const session = connection.session as Session;
  if (context.logsPackets) context.log.write('debug', `Received UNSUBSCRIBE from ${connection.name}`);
  const isRefused = session.store?.isRefusingWork === true;
  if (isRefused) {
    context.counters.storeRefused++;
    if (connection.version !== 5) {
      // UNSUBACK cannot refuse there.
      connection.disconnect(
        ReasonCode.quotaExceeded,
        `Client ${connection.name} disconnected because its UNSUBSCRIBE cannot be stored now`,
      );
      return undefined;
    }
  }
  const staged = context.store?.stagedCount;
  const reasonCodes = packet.topicFilters.map((topicFilter) => {
    if (context.logsPackets) context.log.write('debug', `\t${abridged(topicFilter)}`);
    if (context.log.isEnabled('unsubscribe')) {
      context.log.write('unsubscribe', `${connection.name} ${abridged(topicFilter)}`);
    }
    const subscription = session.subscriptions.get(topicFilter);
    if (subscription === undefined) {
      return isTopicFilter(topicFilter) ? ReasonCode.noSubscriptionExisted : ReasonCode.topicFilterInvalid;
    }
    if (isRefused) return ReasonCode.implementationSpecificError;
    session.unsubscribed(topicFilter);
    context.routes.remove(subscription);
    session.stopReplay(subscription);
    session.store?.deleteSubscription(session.clientIdentifier, topicFilter);
    const { onUnsubscribe } = context.hooks;
    if (onUnsubscribe !== undefined)
      watch(context.log, onUnsubscribe.call(context.hooks, session.identity, topicFilter));
    return ReasonCode.success;
  });
  const { packetIdentifier } = packet;
  whenStored(connection, staged, () => {
    if (context.logsPackets) context.log.write('debug', `Sending UNSUBACK to ${connection.name}`);
    connection.send({ type: PacketType.UNSUBACK, packetIdentifier, reasonCodes, properties: undefined });
  });
}

function examine(connection: Connection, request: SubscriptionRequest): Examined | Promise<Examined> {
  const { context, listener } = connection;
  const session = connection.session as Session;
  const shared = parseSharedFilter(request.topicFilter);
  const isWellFormed = isTopicFilter(request.topicFilter) && shared !== 'invalid';
  const bare = shared === undefined || shared === 'invalid' ? request.topicFilter : shared.topicFilter;
  const shareName = shared === undefined || shared === 'invalid' ? '' : shared.shareName;
  const topicFilter = listener.settings.mountPoint + bare;
  const { maxTopicLevels } = context.settings;
  const result = (verdict: ReasonCode): Examined => ({ request, shareName, topicFilter, verdict });
  if (!isWellFormed) return result(ReasonCode.topicFilterInvalid);
  if (hasMoreLevels(bare, maxTopicLevels)) {
    context.counters.topicLevelsRefused++;
    return result(ReasonCode.topicFilterInvalid);
  }
  if (reachesTap(topicFilter) && !mayWatch(connection)) return result(ReasonCode.notAuthorized);
  const verdict = context.authority.maySubscribe(session.identity, topicFilter, request.qos);
  return verdict instanceof Promise ? verdict.then(result) : result(verdict);
}

function answerSubscribe(connection: Connection, packet: SubscribePacket, examined: readonly Examined[]): void {
  const { context } = connection;
  const session = connection.session as Session;
  if (session.connection !== connection) return;
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0;
  const staged = context.store?.stagedCount;
  const replays = new Map<Subscription, RetainedReplay>();
  const reasonCodes: ReasonCode[] = [];
  for (const one of examined) {
    const reasonCode = isFailure(one.verdict) ? one.verdict : subscribe(connection, one, identifier, replays);
    if (isFailure(reasonCode)) warnOfRefusal(connection, one.request.topicFilter, reasonCode);
    else logSubscription(connection, one.request.topicFilter, reasonCode as QoS);
    reasonCodes.push(reasonCode);
  }
  const { packetIdentifier } = packet;
  whenStored(connection, staged, () => {
    if (context.logsPackets) context.log.write('debug', `Sending SUBACK to ${connection.name}`);
    connection.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes, properties: undefined });
    for (const replay of replays.values()) session.startReplay(replay);
  });
}

/** What a SUBACK or UNSUBACK promises to a persistent Session is in the store before it is said. */
function whenStored(connection: Connection, staged: number | undefined, say: () => void): void {
  const store = connection.session?.store;
  if (store === undefined || (store.isRefusingWork && store.stagedCount === staged)) say();
  else connection.whenSafe(store, say);
}

/** Makes or replaces one subscription [MQTT-3.8.4-3] and notes the retained messages it is to be sent. */
function subscribe(
  connection: Connection,
  one: Examined,
  identifier: number,
  replays: Map<Subscription, RetainedReplay>,
): ReasonCode {
  const { context, listener } = connection;
  const session = connection.session as Session;
  const { request } = one;
  const qos = Math.min(request.qos, listener.settings.maxQos) as QoS;
  const former = session.subscriptions.get(request.topicFilter);
  if (session.store?.isRefusingWork === true) {
    context.counters.storeRefused++;
    return ReasonCode.quotaExceeded;
  }
  if (former === undefined && wouldExceedLimit(session, context.settings.maxSubscriptionsPerClient)) {
    context.counters.subscriptionLimitRefused++;
    return ReasonCode.quotaExceeded;
  }
  const subscription = new Subscription(
    session,
    one.topicFilter,
    one.shareName,
    qos,
    request.noLocal,
    request.retainAsPublished,
    identifier,
  );
  context.routes.add(subscription);
  if (reachesTap(one.topicFilter)) context.tapFeed.watch(connection);
  let isOwedRetained = false;
  if (former !== undefined) {
    context.routes.remove(former);
    // What was not sent for the former yet is begun anew, so that a client that asks again and again fills no memory.
    isOwedRetained = session.stopReplay(former) || replays.delete(former);
  }
  session.subscribed(request.topicFilter, subscription);
  session.store?.putSubscription(session.clientIdentifier, {
    requestedFilter: request.topicFilter,
    topicFilter: one.topicFilter,
    shareName: one.shareName,
    qos,
    noLocal: request.noLocal,
    retainAsPublished: request.retainAsPublished,
    identifier,
  });
  const { onSubscribe } = context.hooks;
  if (onSubscribe !== undefined) {
    watch(context.log, onSubscribe.call(context.hooks, session.identity, request.topicFilter, qos));
  }
  // Shared Subscriptions get no retained messages. [MQTT 5.0 §4.8.2]
  const wantsRetained =
    isOwedRetained || request.retainHandling === 0 || (request.retainHandling === 1 && former === undefined);
  if (wantsRetained && one.shareName === '') replays.set(subscription, new RetainedReplay(context, subscription));
  return qos;
}

/** A SUBSCRIBE of many filters is examined before any is made, so the limit is asked for again with each. */
function wouldExceedLimit(session: Session, limit: number): boolean {
  return limit !== 0 && session.subscriptions.size >= limit;
}

function logSubscription(connection: Connection, topicFilter: string, qos: QoS): void {
  const { context } = connection;
  if (context.logsPackets) context.log.write('debug', `\t${abridged(topicFilter)} (QoS ${qos})`);
  if (context.log.isEnabled('subscribe')) {
    context.log.write('subscribe', `${connection.name} ${qos} ${abridged(topicFilter)}`);
  }
}

function warnOfRefusal(connection: Connection, topicFilter: string, reasonCode: ReasonCode): void {
  const { context } = connection;
  context.counters.subscribeRefused++;
  connection.warnOfRefusal(
    `Refused SUBSCRIBE from ${connection.name} (${connection.userAndPeer}) to '${abridged(topicFilter)}': ${reasonCodeName(reasonCode)}.`,
  );
}
