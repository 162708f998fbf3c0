/**
 * Sessions, and what each is subscribed to at any time. A Session outlives its connection if its CONNECT asked for that; the CONNACK says whether it
 * was still there. [MQTT 5.0 §4.1]
 */
import { PacketType } from '../../protocol/packet-types.ts';
import { matchesFilter } from '../../protocol/topics.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { ConnectionListener } from './connection-tracker.ts';
import type { ReportLimits } from './limits.ts';
import { defaultLimits } from './limits.ts';
import type { Moment } from './moment.ts';
import { readCodes, readSubscribe, readUnsubscribe } from './packet-contents.ts';
import { type SubscriptionEnd, SubscriptionRecord } from './subscription-record.ts';

/** Topics of which it is remembered which subscriptions of a Session match. */
const matchedTopicsMax = 256;
/** SUBSCRIBEs and UNSUBSCRIBEs of a Session that wait for their answer. */
const requestsMax = 1024;

const nothing: readonly SubscriptionRecord[] = [];

export class SessionRecord {
  /** Connection it has, or had last. */
  connection: ConnectionRecord;
  /** Whether all its subscriptions are known: it began in the capture. */
  isComplete = false;
  readonly subscriptions = new Map<string, SubscriptionRecord>();
  /** By Packet Identifier. */
  readonly subscribing = new Map<number, readonly SubscriptionRecord[]>();
  readonly unsubscribing = new Map<number, readonly string[]>();
  #matches = new Map<string, readonly SubscriptionRecord[]>();

  constructor(connection: ConnectionRecord) {
    this.connection = connection;
  }

  /** Active subscriptions that match a Topic Name. */
  matching(topic: string): readonly SubscriptionRecord[] {
    const known = this.#matches.get(topic);
    if (known !== undefined) return known;
    let found: SubscriptionRecord[] | undefined;
    for (const subscription of this.subscriptions.values()) {
      if (!subscription.isActive || !matchesFilter(topic, subscription.filter)) continue;
      found ??= [];
      found.push(subscription);
    }
    if (this.#matches.size >= matchedTopicsMax) this.#matches.clear();
    const matches = found ?? nothing;
    this.#matches.set(topic, matches);
    return matches;
  }

  changed(): void {
    if (this.#matches.size > 0) this.#matches = new Map();
  }
}

export class SessionBook implements ConnectionListener {
  /** Every subscription, in the order of the capture. */
  onSubscription: ((subscription: SubscriptionRecord) => void) | undefined = undefined;
  readonly #limits: Required<ReportLimits>;
  /** By broker and Client Identifier, least recently connected first. */
  readonly #kept = new Map<string, SessionRecord>();
  readonly #byConnection = new WeakMap<ConnectionRecord, SessionRecord>();
  #subscriptionCount = 0;
  /** Subscriptions, and Sessions, that were not remembered. */
  forgotten = 0;

  constructor(limits: ReportLimits = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** The Session of a connection. */
  of(connection: ConnectionRecord): SessionRecord {
    let session = this.#byConnection.get(connection);
    if (session === undefined) {
      session = new SessionRecord(connection);
      this.#byConnection.set(connection, session);
    }
    return session;
  }

  opened(connection: ConnectionRecord): void {
    const key = keyOf(connection);
    const kept = key === undefined ? undefined : this.#kept.get(key);
    const isNew = connection.connect?.cleanStart === true;
    if (kept !== undefined && !isNew) {
      this.#byConnection.set(connection, kept);
      return;
    }
    const session = new SessionRecord(connection);
    session.isComplete = isNew;
    this.#byConnection.set(connection, session);
  }

  /** The broker has let the client in, or goes on as if: its Session takes the place of the one before. */
  #adopt(connection: ConnectionRecord, moment: Moment): SessionRecord {
    const session = this.of(connection);
    session.connection = connection;
    const key = keyOf(connection);
    if (key === undefined) return session;
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      if (kept !== session) this.#finish(kept, moment, 'session ended');
    }
    this.#keep(key, session);
    return session;
  }

  #keep(key: string, session: SessionRecord): void {
    this.#kept.set(key, session);
    if (this.#kept.size <= this.#limits.sessionsMax) return;
    for (const [oldest, { subscriptions }] of this.#kept) {
      this.#kept.delete(oldest);
      this.#subscriptionCount -= subscriptions.size;
      this.forgotten++;
      return;
    }
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    switch (packet.packetType) {
      case PacketType.CONNACK:
        this.#connack(connection, moment);
        return;
      case PacketType.SUBSCRIBE:
        this.#subscribe(packet, connection, moment, isCounted);
        return;
      case PacketType.SUBACK:
        this.#suback(packet, connection, moment);
        return;
      case PacketType.UNSUBSCRIBE: {
        const { unsubscribing } = this.of(connection);
        if (unsubscribing.size < requestsMax) unsubscribing.set(packet.packetIdentifier, readUnsubscribe(packet));
        return;
      }
      case PacketType.UNSUBACK:
        this.#unsuback(packet, connection, moment);
        return;
      default:
        return;
    }
  }

  ended(connection: ConnectionRecord): void {
    const session = this.of(connection);
    if (session.connection !== connection) return;
    const expiry = connection.connack?.sessionExpirySeconds ?? connection.connect?.sessionExpirySeconds;
    if (expiry !== 0) return;
    const key = keyOf(connection);
    if (key !== undefined && this.#kept.get(key) === session) this.#kept.delete(key);
    this.#finish(session, connection.endedAt!, 'session ended');
  }

  /** Without Session Present there is none of what was before. [MQTT-3.2.2-2] */
  #connack(connection: ConnectionRecord, moment: Moment): void {
    const { connack } = connection;
    if (connack === undefined || connack.code !== 0) return;
    const session = this.#adopt(connection, moment);
    if (connack.sessionPresent || connection.version === 3) return;
    for (const subscription of session.subscriptions.values()) {
      if (subscription.connection !== connection) this.#remove(session, subscription, moment, 'session ended');
    }
    session.isComplete = true;
  }

  #subscribe(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const session = this.#adopt(connection, moment);
    const { subscriptions, identifier } = readSubscribe(packet);
    const records: SubscriptionRecord[] = [];
    for (const content of subscriptions) {
      const record = new SubscriptionRecord(connection, content, identifier, moment, isCounted);
      records.push(record);
      this.onSubscription?.(record);
      const former = session.subscriptions.get(content.filter);
      if (former !== undefined) this.#remove(session, former, moment, 'replaced');
      if (this.#subscriptionCount >= this.#limits.subscriptionsMax) {
        this.forgotten++;
        session.isComplete = false;
        continue;
      }
      this.#subscriptionCount++;
      session.subscriptions.set(content.filter, record);
    }
    session.changed();
    if (session.subscribing.size < requestsMax) session.subscribing.set(packet.packetIdentifier, records);
  }

  #suback(packet: MqttPacket, connection: ConnectionRecord, moment: Moment): void {
    const session = this.of(connection);
    const records = session.subscribing.get(packet.packetIdentifier);
    if (records === undefined) return;
    session.subscribing.delete(packet.packetIdentifier);
    const codes = readCodes(packet);
    for (const [index, record] of records.entries()) {
      record.grantedAt = moment;
      record.code = codes[index];
    }
    session.changed();
  }

  #unsuback(packet: MqttPacket, connection: ConnectionRecord, moment: Moment): void {
    const session = this.of(connection);
    const filters = session.unsubscribing.get(packet.packetIdentifier);
    if (filters === undefined) return;
    session.unsubscribing.delete(packet.packetIdentifier);
    for (const filter of filters) {
      const subscription = session.subscriptions.get(filter);
      if (subscription !== undefined) this.#remove(session, subscription, moment, 'unsubscribed');
    }
  }

  #finish(session: SessionRecord, moment: Moment, end: SubscriptionEnd): void {
    for (const subscription of session.subscriptions.values()) this.#remove(session, subscription, moment, end);
  }

  #remove(session: SessionRecord, subscription: SubscriptionRecord, moment: Moment, end: SubscriptionEnd): void {
    subscription.endedAt = moment;
    subscription.end = end;
    if (session.subscriptions.delete(subscription.content.filter)) this.#subscriptionCount--;
    session.changed();
  }
}

function keyOf({ ends, clientIdentifier }: ConnectionRecord): string | undefined {
  return clientIdentifier === '' ? undefined : `${ends.brokerKey} ${clientIdentifier}`;
}
