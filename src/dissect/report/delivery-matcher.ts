/**
 * Which PUBLISH out of a broker is a copy of which PUBLISH into it, or of which will. Nothing in MQTT says so; what does:
 *
 * - topic and payload are the same, and the copy comes later;
 * - a client gets messages of a topic in their order, so the next one with that payload is meant, not any;
 * - a client gets what it was subscribed to at that time, and at QoS 0 only while it is connected;
 * - RETAIN says that a copy is of the topic's retained message, as the client has subscribed;
 * - of a shared subscription each message goes to one member.
 *
 * Where these leave nothing, they are taken less strictly, in this order: the same message again, for clients with several subscriptions that
 * match; a will whose connection has not been seen to end; any message of that topic and payload that the client does not have.
 */
import { PacketType } from '../../protocol/packet-types.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { packetMarks } from '../mqtt/packet-marks.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { ConnectionListener } from './connection-tracker.ts';
import { defaultLimits, type ReportLimits } from './limits.ts';
import { DeliveryRecord, type DeliveryWay, MessageSource } from './message-source.ts';
import type { Moment } from './moment.ts';
import { isRetained, type PublishContent, qosOf, readPublish } from './packet-contents.ts';
import { KeptPayload, payloadPrint } from './payload-print.ts';
import type { SessionBook, SessionRecord } from './session-book.ts';
import type { SubscriptionRecord } from './subscription-record.ts';
import { TopicSources } from './topic-sources.ts';
import type { WillBook } from './will-book.ts';
import type { WillRecord } from './will-record.ts';

/** What is on its way between a client and a broker, by Packet Identifier: for packets that are sent again. */
class InFlight {
  readonly sources = new Map<number, MessageSource>();
  readonly deliveries = new Map<number, DeliveryRecord>();
}

/** A PUBLISH of the broker, as it is looked for. */
interface Copy {
  readonly session: SessionRecord;
  readonly connection: ConnectionRecord;
  /** Those that it may have come through. */
  readonly subscriptions: readonly SubscriptionRecord[];
  /** Whether the client has several that match, and so may get several copies. */
  readonly isOneOfSeveral: boolean;
  readonly print: number;
  /** Key of a Shared Subscription, if it came through no other. */
  readonly share: string | undefined;
}

export class DeliveryMatcher implements ConnectionListener {
  onSource: ((source: MessageSource) => void) | undefined = undefined;
  onDelivery: ((delivery: DeliveryRecord) => void) | undefined = undefined;
  /** A PUBLISH that was sent again, by either end. */
  onRepeat: ((repeated: MessageSource | DeliveryRecord, moment: Moment) => void) | undefined = undefined;
  readonly #sessions: SessionBook;
  readonly #wills: WillBook;
  readonly #limits: Required<ReportLimits>;
  readonly #keepsPayloads: boolean;
  /** By broker and topic. */
  readonly #topics = new Map<string, TopicSources>();
  readonly #inFlight = new WeakMap<SessionRecord, InFlight>();
  /** All sources in order, from `#oldest` on. */
  #sources: MessageSource[] = [];
  #oldest = 0;
  #links = 0;
  #count = 0;
  /** Messages that were given up though copies of them may come. */
  forgotten = 0;

  /** @param keepsPayloads - whether payloads are to be shown */
  constructor(sessions: SessionBook, wills: WillBook, limits: ReportLimits = {}, keepsPayloads = false) {
    this.#sessions = sessions;
    this.#wills = wills;
    this.#limits = { ...defaultLimits, ...limits };
    this.#keepsPayloads = keepsPayloads;
    const cancelled = new WeakMap<WillRecord, MessageSource>();
    wills.onDue = (will, moment) => cancelled.set(will, this.#addWill(will, moment));
    wills.onCancelled = (will) => {
      const source = cancelled.get(will);
      if (source !== undefined) source.isCancelled = true;
    };
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    switch (packet.packetType) {
      case PacketType.PUBLISH:
        if (packet.isByClient) this.#receive(packet, connection, moment, isCounted);
        else this.#send(packet, connection, moment, isCounted);
        return;
      case PacketType.PUBACK:
      case PacketType.PUBCOMP: {
        const inFlight = this.#inFlight.get(this.#sessions.of(connection));
        if (packet.isByClient) inFlight?.deliveries.delete(packet.packetIdentifier);
        else inFlight?.sources.delete(packet.packetIdentifier);
        return;
      }
      default:
        return;
    }
  }

  #receive(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const session = this.#sessions.of(connection);
    const { packetIdentifier } = packet;
    const inFlight = packetIdentifier > 0 ? this.#inFlightOf(session) : undefined;
    if (isRepeat(packet)) {
      const former = inFlight?.sources.get(packetIdentifier);
      if (former !== undefined) {
        former.repeats++;
        this.onRepeat?.(former, moment);
        return;
      }
    }
    const content = readPublish(packet);
    if (content.topic === '') return;
    const source = new MessageSource(
      ++this.#count,
      connection,
      session,
      undefined,
      content.topic,
      printOf(packet, content),
      content.payloadLength,
      this.#keepsPayloads ? keptPayload(packet, content) : undefined,
      qosOf(packet),
      isRetained(packet),
      packetIdentifier,
      moment,
      isCounted,
    );
    inFlight?.sources.set(packetIdentifier, source);
    this.#add(source);
  }

  #addWill(will: WillRecord, moment: Moment): MessageSource {
    const { connection, topic, print, payload, qos, retain, isCounted } = will;
    const session = this.#sessions.of(connection);
    const number = ++this.#count;
    const source = new MessageSource(
      number,
      connection,
      session,
      will,
      topic,
      print,
      payload.length,
      payload,
      qos,
      retain,
      0,
      moment,
      isCounted,
    );
    this.#add(source);
    return source;
  }

  #add(source: MessageSource): void {
    const key = topicKey(source.connection, source.topic);
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      topic = new TopicSources();
      this.#topics.set(key, topic);
    }
    topic.add(source);
    this.#sources.push(source);
    this.onSource?.(source);
    while (
      this.#sources.length > this.#oldest &&
      (this.#sources.length - this.#oldest > this.#limits.sourcesMax || this.#links > this.#limits.linksMax)
    ) {
      this.#forgetOldest();
    }
  }

  #forgetOldest(): void {
    const source = this.#sources[this.#oldest++]!;
    this.forgotten++;
    if (this.#oldest > 4096 && this.#oldest * 2 > this.#sources.length) {
      this.#sources = this.#sources.slice(this.#oldest);
      this.#oldest = 0;
    }
    this.#links -= source.holderCount;
    source.forgetHolders();
    const key = topicKey(source.connection, source.topic);
    const topic = this.#topics.get(key);
    if (topic === undefined) return;
    topic.remove(source);
    if (topic.retained === source) topic.retained = undefined;
    if (!topic.isEmpty) return;
    this.#links -= topic.last.size;
    this.#topics.delete(key);
  }

  #send(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const session = this.#sessions.of(connection);
    const { packetIdentifier } = packet;
    const inFlight = packetIdentifier > 0 ? this.#inFlightOf(session) : undefined;
    if (isRepeat(packet)) {
      const former = inFlight?.deliveries.get(packetIdentifier);
      if (former !== undefined) {
        former.repeats++;
        this.onRepeat?.(former, moment);
        return;
      }
    }
    const content = readPublish(packet);
    const print = printOf(packet, content);
    const found = this.#find(packet, content, print, session, connection, moment);
    const delivery = new DeliveryRecord(
      found.source,
      connection,
      content.topic,
      content.payloadLength,
      found.source?.payload ?? (this.#keepsPayloads ? keptPayload(packet, content) : undefined),
      qosOf(packet),
      isRetained(packet),
      packetIdentifier,
      moment,
      found.way,
      found.subscriptions,
      isCounted,
    );
    inFlight?.deliveries.set(packetIdentifier, delivery);
    for (const subscription of found.subscriptions) subscription.deliveries++;
    if (found.source !== undefined) {
      found.source.deliveryCount++;
      found.source.will?.addDelivery(delivery);
      if (found.source.will?.state === 'delayed') found.source.will.state = 'due';
    }
    this.onDelivery?.(delivery);
  }

  #find(
    packet: MqttPacket,
    content: PublishContent,
    print: number,
    session: SessionRecord,
    connection: ConnectionRecord,
    moment: Moment,
  ): {
    readonly source: MessageSource | undefined;
    readonly way: DeliveryWay;
    readonly subscriptions: readonly SubscriptionRecord[];
  } {
    const { subscriptionIdentifiers } = content;
    let subscriptions = session.matching(content.topic);
    const isOneOfSeveral = subscriptions.length > 1;
    if (subscriptionIdentifiers.length > 0) {
      subscriptions = subscriptions.filter(({ identifier }) => subscriptionIdentifiers.includes(identifier));
    }
    const share = shareOf(subscriptions);
    const copy: Copy = { session, connection, subscriptions, isOneOfSeveral, print, share };
    const topic = this.#topics.get(topicKey(connection, content.topic));
    const mayBeLive = !isRetained(packet) || subscriptions.some((one) => one.content.retainAsPublished);
    if (mayBeLive) {
      const source =
        this.#findNext(topic, copy) ??
        this.#findAgain(topic, copy) ??
        this.#findWill(content.topic, copy, moment) ??
        (isRetained(packet) ? undefined : this.#findAny(topic, copy));
      if (source !== undefined) {
        this.#note(this.#topics.get(topicKey(connection, content.topic)), copy, source);
        const isLater = source.moment.frame < (connection.connectedAt?.frame ?? 0);
        return { source, way: isLater ? 'queued' : 'live', subscriptions };
      }
      if (!isRetained(packet)) return { source: undefined, way: 'live', subscriptions };
    }
    const { retained } = topic ?? {};
    const source =
      retained?.print === print
        ? retained
        : topic?.findLast(print, ({ retain, isCancelled }) => retain && !isCancelled);
    return { source, way: 'retained', subscriptions: latestOf(subscriptions) };
  }

  /** The next message with this payload that the client is to get. */
  #findNext(topic: TopicSources | undefined, copy: Copy): MessageSource | undefined {
    const after = topic?.last.get(copy.session) ?? 0;
    return topic?.find(copy.print, after, (source) => isDue(source, copy));
  }

  /** The message that the client got last, once more: each subscription that matches may give a copy. */
  #findAgain(topic: TopicSources | undefined, { session, print, isOneOfSeveral }: Copy): MessageSource | undefined {
    const last = topic?.last.get(session);
    if (topic === undefined || last === undefined || !isOneOfSeveral) return undefined;
    return topic.find(print, last - 1, ({ number }) => number === last);
  }

  #findWill(topicName: string, { connection, print }: Copy, moment: Moment): MessageSource | undefined {
    const will = this.#wills.findAnnounced(connection.ends.brokerKey, topicName, print);
    if (will === undefined) return undefined;
    this.#wills.due(will, moment);
    return this.#sources.at(-1);
  }

  #findAny(topic: TopicSources | undefined, { session, print, share }: Copy): MessageSource | undefined {
    return topic?.find(print, 0, (source) => {
      if (source.isCancelled || source.isHeldBy(session)) return false;
      return share === undefined || source.sharedWith?.has(share) !== true;
    });
  }

  #note(topic: TopicSources | undefined, { session, share }: Copy, source: MessageSource): void {
    if (topic !== undefined) {
      const last = topic.last.get(session);
      if (last === undefined) this.#links++;
      if (last === undefined || last < source.number) topic.last.set(session, source.number);
    }
    if (!source.isHeldBy(session)) {
      source.addHolder(session);
      this.#links++;
    }
    if (share === undefined) return;
    source.sharedWith ??= new Set();
    source.sharedWith.add(share);
  }

  #inFlightOf(session: SessionRecord): InFlight {
    let inFlight = this.#inFlight.get(session);
    if (inFlight === undefined) {
      inFlight = new InFlight();
      this.#inFlight.set(session, inFlight);
    }
    return inFlight;
  }
}

/** Whether the client has to get the message, by what is known of its subscriptions and connection. */
function isDue(source: MessageSource, { session, connection, subscriptions, share }: Copy): boolean {
  if (source.isCancelled) return false;
  if (share !== undefined && source.sharedWith?.has(share) === true) return false;
  const isOwn = source.session === session;
  if (session.isComplete || subscriptions.length > 0) {
    const { frame } = source.moment;
    const isSubscribed = subscriptions.some(
      ({ requestedAt, content }) => requestedAt.frame <= frame && !(isOwn && content.noLocal),
    );
    if (!isSubscribed) return false;
  }
  return source.qos > 0 || source.moment.frame > (connection.connectedAt?.frame ?? 0);
}

function isRepeat(packet: MqttPacket): boolean {
  return packet.has(packetMarks.repeated) && packet.relatedFrame > 0;
}

function printOf({ source, end }: MqttPacket, { payloadStart, payloadLength, isPayloadCut }: PublishContent): number {
  return payloadPrint(source.bytes, payloadStart, end, payloadLength, isPayloadCut);
}

function keptPayload({ source, end }: MqttPacket, { payloadStart, payloadLength }: PublishContent): KeptPayload {
  return new KeptPayload(source.bytes, payloadStart, end, payloadLength);
}

function topicKey({ ends }: ConnectionRecord, topic: string): string {
  return `${ends.brokerKey} ${topic}`;
}

function shareOf(subscriptions: readonly SubscriptionRecord[]): string | undefined {
  const [first] = subscriptions;
  if (subscriptions.length !== 1 || first?.shareName === undefined) return undefined;
  return first.content.filter;
}

/** Retained messages come for the subscriptions that were made last, and never for shared ones. [MQTT-3.3.1-9] [MQTT 5.0 §4.8.2] */
function latestOf(subscriptions: readonly SubscriptionRecord[]): readonly SubscriptionRecord[] {
  const unshared = subscriptions.filter(({ shareName }) => shareName === undefined);
  const latest = unshared.reduce((frame, { requestedAt }) => Math.max(frame, requestedAt.frame), 0);
  return unshared.filter(({ requestedAt }) => requestedAt.frame === latest);
}
