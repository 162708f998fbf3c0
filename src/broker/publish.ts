/**
 * PUBLISH and PUBREL of publishers, one at a time; many at once take the quick ways of `relay.ts` and `publish-run.ts`.
 *
 *     publisher ─PUBLISH─▶ receivePublish ─▶ (alias, limits) ─▶ mayPublish ─▶ onPublish hook ─▶ QoS 0, 1: context.publish
 *                                                                                        └▶ QoS 2: kept until receivePubrel
 */
import type { AcknowledgePacket, PublishPacket } from '../codec/packets.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { isFailure, ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { askOnPublish, type HookedMessage } from './hooks.ts';
import { Message, type MessageProperties, ownPayload } from './message.ts';
import { isReservedTopic } from './reserved-topics.ts';
import type { Session } from './session.ts';

/** Bytes of QoS 2 messages that one client may leave unreleased. */
export const unreleasedBytesMax = 64 * 1024 * 1024;

/** A PUBLISH came in on an open connection. */
export function receivePublish(connection: Connection, packet: PublishPacket): Promise<void> | undefined {
  const { context } = connection;
  const session = connection.session as Session;
  if (context.logsPackets) logReceivedPublish(connection, packet);
  context.counters.publishMessagesReceived++;
  context.counters.publishBytesReceived += packet.payload.length;
  const topicName = connection.listener.settings.mountPoint + topicOf(connection, packet);
  checkCapabilities(connection, packet);

  if (packet.qos === 2 && session.inbound.has(packet.packetIdentifier)) {
    acknowledge(connection, packet, ReasonCode.success);
    return undefined;
  }
  if (packet.qos !== 0 && session.inbound.isFull) {
    context.counters.receiveMaximumExceeded++;
    // Only what is not acknowledged yet counts. MQTT 3 clients were granted all 65,535 identifiers.
    throw new ProtocolError(
      `More than ${session.inbound.receiveMaximum} QoS 1 and 2 messages at once`,
      ReasonCode.receiveMaximumExceeded,
      'MQTT-3.3.4-7',
    );
  }
  const { messageSizeLimit, memoryLimit } = context.settings;
  if (messageSizeLimit !== 0 && packet.payload.length > messageSizeLimit) {
    context.counters.messageSizeRefused++;
    return refuse(
      connection,
      packet,
      topicName,
      ReasonCode.implementationSpecificError,
      'payload over message_size_limit',
    );
  }
  if (memoryLimit !== 0 && context.isShortOfMemory) {
    context.counters.memoryLimitRefused++;
    return refuse(connection, packet, topicName, ReasonCode.quotaExceeded, 'memory_limit reached');
  }
  if (isReservedTopic(topicName)) {
    const why = topicName.startsWith('$SYS') ? 'only the broker publishes to $SYS' : '$share is for Topic Filters only';
    return refuse(connection, packet, topicName, ReasonCode.notAuthorized, why);
  }
  if (hasMoreLevels(topicName, context.settings.maxTopicLevels)) {
    context.counters.topicLevelsRefused++;
    return refuse(connection, packet, topicName, ReasonCode.topicNameInvalid, 'more levels than max_topic_levels');
  }
  if (context.store?.isRefusingWork === true && wantsStore(session, packet, topicName, context)) {
    return refuseForStore(connection, packet, topicName);
  }
  if (context.authority.publishesAll) return admit(connection, packet, topicName);
  const verdict = context.authority.mayPublish(session.identity, topicName, packet);
  if (!(verdict instanceof Promise)) return decide(connection, packet, topicName, verdict);
  return verdict.then((answer) => decide(connection, packet, topicName, answer));
}

/** Whether taking the message would be a promise that only the store can keep. */
function wantsStore(session: Session, packet: PublishPacket, topicName: string, context: BrokerContext): boolean {
  if (packet.qos === 0) return false;
  if (packet.retain || (packet.qos === 2 && session.store !== undefined)) return true;
  const { receivers, sharedGroups } = context.routes.of(topicName);
  return sharedGroups.length > 0 || receivers.some((one) => one.qos > 0 && one.session.store !== undefined);
}

/** 3.1 and 3.1.1 have no way to refuse a message but to go. */
function refuseForStore(connection: Connection, packet: PublishPacket, topicName: string): undefined {
  connection.context.counters.storeRefused++;
  if (connection.version === 5) {
    return refuse(connection, packet, topicName, ReasonCode.quotaExceeded, 'the store takes nothing now');
  }
  connection.context.counters.publishRefused++;
  connection.disconnect(
    ReasonCode.quotaExceeded,
    `Client ${connection.name} disconnected because its message cannot be stored now`,
  );
}

/** Whether clients may publish to a topic as far as its form goes. */
export function isRelayedTopic(context: BrokerContext, topicName: string): boolean {
  return !isReservedTopic(topicName) && !hasMoreLevels(topicName, context.settings.maxTopicLevels);
}

/** Whether a Topic Name or Filter has more than `limit` levels. */
export function hasMoreLevels(topic: string, limit: number): boolean {
  let levels = 1;
  for (let at = topic.indexOf('/'); at !== -1; at = topic.indexOf('/', at + 1)) if (++levels > limit) return true;
  return false;
}

/** A PUBREL came in: the message it releases is routed now. [MQTT-4.3.3-11] */
export function receivePubrel(connection: Connection, packet: AcknowledgePacket): Promise<void> | undefined {
  const { context } = connection;
  const session = connection.session as Session;
  const message = session.inbound.release(packet.packetIdentifier);
  if (message === undefined) {
    connection.sendAcknowledge(
      PacketType.PUBCOMP,
      packet.packetIdentifier,
      connection.version === 5 ? ReasonCode.packetIdentifierNotFound : ReasonCode.success,
    );
    return undefined;
  }
  session.inboundBytes -= message.payloadLength;
  const staged = context.store?.stagedCount;
  // A message that its hook dropped is kept as a mark, so that its identifier lives through the exchange.
  if (message.topicName !== '') context.publish(message, session);
  const { packetIdentifier } = packet;
  session.store?.deleteInbound(session.clientIdentifier, { packetIdentifier, message });
  connection.acknowledgeWhenSafe(PacketType.PUBCOMP, packet.packetIdentifier, ReasonCode.success, undefined, staged);
  return untilStoreFollows(context);
}

function decide(
  connection: Connection,
  packet: PublishPacket,
  topicName: string,
  verdict: ReasonCode,
): Promise<void> | undefined {
  if (isFailure(verdict)) return refuse(connection, packet, topicName, verdict, 'access denied');
  return admit(connection, packet, topicName);
}

/** Everything allows the message: it becomes one, passes the hook and is routed or kept. */
function admit(connection: Connection, packet: PublishPacket, topicName: string): Promise<void> | undefined {
  const { context } = connection;
  const session = connection.session as Session;
  const message = messageOf(context, packet, topicName, session);
  if (context.hooks.onPublish === undefined) return accept(connection, packet, message);
  const conclude = (outcome: HookedMessage): Promise<void> | undefined => {
    if (outcome === 'failed') refuse(connection, packet, topicName, ReasonCode.unspecifiedError, 'a hook failed');
    else return accept(connection, packet, outcome);
  };
  const outcome = askOnPublish(context, message, session.identity);
  return outcome instanceof Promise ? outcome.then(conclude) : conclude(outcome);
}

/** Routes the message (QoS 2: keeps it until PUBREL) and acknowledges. `undefined` is a message that its hook dropped. */
function accept(
  connection: Connection,
  packet: PublishPacket,
  message: Message | undefined,
): Promise<void> | undefined {
  const { context } = connection;
  const session = connection.session as Session;
  const staged = context.store?.stagedCount;
  if (packet.qos === 2) {
    // Its client repeats what was not acknowledged, perhaps already has on a new connection, and must not find the exchange open again.
    if (!connection.isOpen) return undefined;
    if (session.inboundBytes + packet.payload.length > unreleasedBytesMax && session.inbound.count > 0) {
      throw new ProtocolError(
        `More than ${unreleasedBytesMax} bytes of QoS 2 messages without PUBREL`,
        ReasonCode.quotaExceeded,
      );
    }
    const kept = message ?? droppedMark();
    session.inbound.begin(packet.packetIdentifier, kept);
    session.inboundBytes += kept.payloadLength;
    session.store?.putInbound(session.clientIdentifier, { packetIdentifier: packet.packetIdentifier, message: kept });
    acknowledge(connection, packet, ReasonCode.success, undefined, staged);
    return untilStoreFollows(context);
  }
  const route = message === undefined ? undefined : context.publish(message, session);
  if (packet.qos === 1) {
    const reasonCode = route?.isEmpty === true ? ReasonCode.noMatchingSubscribers : ReasonCode.success;
    // What is retained outlives its deliveries.
    const delivered = message?.retain === true ? undefined : message;
    acknowledge(connection, packet, reasonCode, undefined, staged, delivered);
  }
  return untilStoreFollows(context);
}

/** Who publishes faster than the disk takes it is not read for a while. */
export function untilStoreFollows({ store }: BrokerContext): Promise<void> | undefined {
  return store?.isBehind === true ? new Promise((resolve) => store.whenSafe(resolve)) : undefined;
}

/** What stands for a message that its hook dropped. */
function droppedMark(): Message {
  return new Message('', new Uint8Array(0), 0, false, undefined, 0, undefined);
}

/** A message that will not be routed: the client is told as far as its version can tell. [MQTT 5.0 §3.4.2.1] */
function refuse(
  connection: Connection,
  packet: PublishPacket,
  topicName: string,
  reasonCode: ReasonCode,
  why: string,
): undefined {
  const { context } = connection;
  context.counters.publishRefused++;
  connection.warnOfRefusal(
    `Refused PUBLISH from ${connection.name} (${connection.userAndPeer}) to '${abridged(topicName)}': ${reasonCodeName(reasonCode)} (${why}).`,
  );
  acknowledge(connection, packet, reasonCode, why);
}

/**
 * @param staged the store's count before the packet was handled, if there is a store and the packet may have changed something in it
 * @param message if deliveries of it are all that it may have changed
 */
function acknowledge(
  connection: Connection,
  packet: PublishPacket,
  reasonCode: ReasonCode,
  why?: string,
  staged?: number,
  message?: Message,
): void {
  if (packet.qos === 0) return;
  const type = packet.qos === 1 ? PacketType.PUBACK : PacketType.PUBREC;
  const isExplained = why !== undefined && connection.version === 5 && connection.wantsProblemInformation;
  const properties = isExplained ? { reasonString: why } : undefined;
  connection.acknowledgeWhenSafe(type, packet.packetIdentifier, reasonCode, properties, staged, message);
}

function topicOf(connection: Connection, packet: PublishPacket): string {
  const alias = packet.properties?.topicAlias;
  if (alias === undefined) return packet.topicName;
  if (connection.inboundAliases === undefined) {
    throw new ProtocolError(
      `Topic Alias ${alias}, but none were granted`,
      ReasonCode.topicAliasInvalid,
      'MQTT-3.2.2-17',
    );
  }
  return connection.inboundAliases.resolve(packet.topicName, alias);
}

/** What CONNACK said is not supported must not be used [MQTT-3.2.2-11] [MQTT-3.2.2-14], nor what only servers may send. */
function checkCapabilities(connection: Connection, packet: PublishPacket): void {
  if (packet.properties?.subscriptionIdentifiers !== undefined) {
    throw new ProtocolError('Subscription Identifier in PUBLISH from a client', undefined, 'MQTT-3.3.4-6');
  }
  if (packet.qos > connection.listener.settings.maxQos) {
    throw new ProtocolError(
      `QoS ${packet.qos} in PUBLISH; this listener allows up to ${connection.listener.settings.maxQos}`,
      ReasonCode.qosNotSupported,
      'MQTT-3.2.2-11',
    );
  }
  if (packet.retain && !connection.context.settings.retainAvailable) {
    throw new ProtocolError(
      'Retained PUBLISH, but retain_available is false',
      ReasonCode.retainNotSupported,
      'MQTT-3.2.2-14',
    );
  }
}

function messageOf(context: BrokerContext, packet: PublishPacket, topicName: string, session: Session): Message {
  let expiresAt = 0;
  let kept: MessageProperties | undefined;
  if (packet.properties !== undefined) {
    const { topicAlias, messageExpiryInterval, subscriptionIdentifiers, ...others } = packet.properties;
    if (messageExpiryInterval !== undefined) expiresAt = context.clock.now() + messageExpiryInterval * 1000;
    if (Object.keys(others).length > 0) kept = others;
  }
  return new Message(
    topicName,
    packet.qos === 0 ? packet.payload : ownPayload(packet.payload),
    packet.qos,
    packet.retain,
    kept,
    expiresAt,
    session.identity,
  );
}

function logReceivedPublish(connection: Connection, packet: PublishPacket): void {
  const { context, name } = connection;
  context.log.write(
    'debug',
    `Received PUBLISH from ${name} (d${packet.dup ? 1 : 0}, q${packet.qos}, r${packet.retain ? 1 : 0}, m${packet.packetIdentifier}, '${packet.topicName}', ... (${packet.payload.length} bytes))`,
  );
}

/** Long topics fill no log. */
export function abridged(topic: string): string {
  return topic.length > 200 ? `${topic.slice(0, 200)}…` : topic;
}
