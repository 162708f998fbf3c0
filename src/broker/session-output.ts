/**
 * The sending half of a Session: what is on its way to the Client, and what waits to be.
 *
 * Messages come in through `offer`. At QoS 0 they go straight out. At QoS 1 and 2 they go out while the quota lasts, else they queue;
 * `drain` sends what waits, in this order: PUBLISH packets of an earlier connection, then the queue.
 */

import { OutboundExchange } from '../exchange/outbound-exchange.ts';
import { StorageError } from '../protocol/errors.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { packetIdentifierMax, type QoS } from '../protocol/version.ts';
import type { ClientIdentity } from './auth.ts';
import type { Connection } from './connection.ts';
import type { BrokerContext } from './context.ts';
import { Delivery } from './delivery.ts';
import { DeliveryQueue, type RestingSource } from './delivery-queue.ts';
import { behindMessages } from './flow-control.ts';
import { type Message, withOwnPayload } from './message.ts';
import type { Store } from './persistence/store.ts';
import type { RestingDeliveries } from './resting-deliveries.ts';
import { removeRestingExpired } from './resting-expiry.ts';
import type { RetainedReplay } from './retained-replay.ts';
import type { RetainedRecord } from './retained-tree.ts';
import type { Subscription } from './subscription.ts';

/** So many messages are offered at once at most. */
export const runMessagesMax = 256;
/** They are sent together until there are so many bytes, then it is looked again whether the connection has room. */
const runBytesMax = 65_536;
/** What is being sent together. */
const run = new Array<Delivery | undefined>(runMessagesMax).fill(undefined);

/** Of all Sessions for which nothing has ever waited. */
const emptyQueue = new DeliveryQueue();

export abstract class SessionOutput implements RestingSource {
  readonly context: BrokerContext;
  readonly clientIdentifier: string;
  /** Of the connection it has, or had last: access rules for absent clients are those. */
  identity: ClientIdentity;
  connection: Connection | undefined = undefined;
  /** Retained messages still to be sent, one after the other, for subscriptions just made: at most one replay for each. */
  replays: Map<Subscription, RetainedReplay> | undefined = undefined;
  /** Deliveries that its clients have acknowledged: the pace it keeps. */
  acknowledgements = 0;
  /** Made when they are first needed: most Sessions of most brokers are absent or idle. */
  #queue: DeliveryQueue | undefined = undefined;
  #outbound: OutboundExchange<Delivery> | undefined = undefined;
  /** Of the client, on its connection: 1–65,535. */
  #receiveMaximum = packetIdentifierMax;
  #inflightBytes = 0;
  /** Of the delivery stored last. */
  #lastPosition = 0;

  constructor(context: BrokerContext, identity: ClientIdentity) {
    this.context = context;
    this.clientIdentifier = identity.clientIdentifier;
    this.identity = identity;
  }

  /** The store, if this Session is kept in one. */
  abstract get store(): Store | undefined;

  /** Has everything that waits for the absent client rest in the store. False, and nothing happens, if that has not got all of it yet. */
  abstract rest(): boolean;

  abstract readResting(resting: RestingDeliveries): readonly Delivery[];

  /** Has what is in flight in memory, both ways. @throws {StorageError} if something cannot be read; it goes on resting */
  protected abstract awaken(): void;

  /** What waits to be sent; `#ownQueue` is what something may be put into. */
  get queue(): DeliveryQueue {
    return this.#queue ?? emptyQueue;
  }

  get #ownQueue(): DeliveryQueue {
    this.#queue ??= new DeliveryQueue(this);
    return this.#queue;
  }

  /** What is in flight to its client. */
  get outbound(): OutboundExchange<Delivery> {
    this.#outbound ??= new OutboundExchange<Delivery>(this.#receiveMaximum);
    return this.#outbound;
  }

  /** QoS 1 and 2 messages sent and not acknowledged, wherever they are kept. */
  get inflightCount(): number {
    return (this.#outbound?.count ?? 0) + (this.queue.resting?.inflight ?? 0);
  }

  /** Deliveries that take memory. */
  get residentCount(): number {
    return (this.#outbound?.count ?? 0) + this.queue.residentCount;
  }

  /** Deliveries that take memory, oldest first. */
  protected resident(): Delivery[] {
    return [...(this.#outbound?.pending() ?? []), ...this.queue.entries()];
  }

  /** Whether its client must be read for acknowledgements that others may wait for. */
  get owesAcknowledgements(): boolean {
    return this.inflightCount > 0 || this.queue.length > 0;
  }

  /**
   * The Client is there (again): acknowledged releases are repeated, then everything that waits is sent, oldest first.
   * @param receiveMaximum how many QoS 1 and 2 messages the client takes at once, 1–65,535
   */
  attached(connection: Connection, receiveMaximum: number): void {
    this.connection = connection;
    this.#inflightBytes = 0;
    try {
      this.awaken();
    } catch (error) {
      this.#refuse(connection, error);
      return;
    }
    this.#receiveMaximum = receiveMaximum;
    for (const released of this.#outbound?.connectionMade(receiveMaximum) ?? []) {
      this.#inflightBytes += released.message.payloadLength;
      connection.sendPubrel(released.packetIdentifier);
    }
    this.drain();
  }

  /** The connection is gone. */
  detached(): void {
    this.connection = undefined;
    this.context.flow.release(this);
    this.replays = undefined;
  }

  /** All that waits in memory rests from now on, and is in `resting` already. */
  protected restAll(resting: RestingDeliveries): void {
    this.#outbound = undefined;
    this.#ownQueue.restAll(resting);
  }

  /** The Session was found in the store, where all that waits for it rests. */
  protected restAsFound(resting: RestingDeliveries): void {
    this.#lastPosition = resting.last;
    this.#ownQueue.beginResting(resting);
  }

  /**
   * Takes a message for this client: sends it, queues it or, where the limits say so, drops and counts it.
   * @param qos the QoS it is to be delivered at
   */
  offer(message: Message, qos: QoS, retain: boolean, subscriptionIdentifiers: readonly number[] | undefined): void {
    const { connection } = this;
    if (qos === 0) {
      if (connection !== undefined && this.queue.qos0Count === 0) {
        connection.sendPublish(message, 0, retain, false, 0, subscriptionIdentifiers);
      } else if (connection === undefined && !this.context.settings.queueQos0Messages) {
        // Not kept for absent clients, and not a loss either: QoS 0 promises nothing to them. [MQTT 5.0 §4.1]
      } else {
        this.#enqueue(new Delivery(withOwnPayload(message), 0, retain, subscriptionIdentifiers));
      }
      return;
    }
    const delivery = new Delivery(message, qos, retain, subscriptionIdentifiers);
    if (connection !== undefined && this.queue.length === 0 && this.#maySend(message) && connection.hasRoom) {
      this.#send(connection, delivery);
    } else {
      if (connection !== undefined) this.context.counters.inflightWaits++;
      this.#enqueue(delivery);
    }
  }

  /** How many messages may be offered before its publishers might have to wait for it; 0 or less if they might now. */
  get runRoom(): number {
    return this.outbound.quota + Math.max(0, behindMessages - 1 - this.queue.length);
  }

  /**
   * `offer` for messages that come one after the other and go out in the packets they came in, at their own QoS of 1 or 2. They have the
   * form that the client takes, and the Session is connected and not in the store.
   */
  offerRun(messages: readonly Message[]): void {
    const { outbound } = this;
    const connection = this.connection as Connection;
    let count = Math.min(messages.length, outbound.quota, packetIdentifierMax - outbound.count);
    const isLimited = this.context.settings.maxInflightBytes !== 0;
    if (isLimited || this.queue.length > 0 || outbound.hasResends || !connection.hasRoom) count = 0;
    for (let index = 0; index < count; index++) {
      const message = messages[index] as Message;
      run[index] = new Delivery(message, message.qos, false, undefined);
    }
    if (count > 0) this.#sendRun(connection, count);
    for (let index = count; index < messages.length; index++) {
      const message = messages[index] as Message;
      this.offer(message, message.qos, false, undefined);
    }
  }

  /**
   * Sends a retained message to a new subscription without making a Message of it first.
   * @param qos of the subscription
   * @returns false, and nothing happens, if it must be offered as others are
   */
  offerRetained(record: RetainedRecord, qos: QoS): boolean {
    const { connection } = this;
    if (connection === undefined || this.queue.qos0Count > 0) return false;
    if (qos !== 0 && (record.qos !== 0 || this.context.settings.upgradeOutgoingQos)) return false;
    return connection.sendRetained(record);
  }

  /** Sends as much of what waits as quota and connection take. */
  drain(): void {
    const { connection } = this;
    if (connection === undefined) return;
    while (connection.hasRoom && connection.isOpen) {
      const again = this.#outbound?.nextResend();
      if (again === undefined) break;
      this.#inflightBytes += again.message.payloadLength;
      this.#write(connection, again, true);
    }
    while (connection.hasRoom && connection.isOpen) {
      const next = this.#peek(connection);
      if (next === undefined) break;
      if (next.message.expiresAt !== 0 && next.message.expiresAt <= this.context.clock.now()) {
        this.queue.shift();
        this.forget(next);
        this.context.counters.messagesExpired++;
        continue;
      }
      if (next.qos !== 0 && !this.#maySend(next.message)) break;
      if (this.#goesInRun(connection, next)) {
        this.#drainRun(connection);
        continue;
      }
      this.queue.shift();
      if (next.qos === 0) {
        if (this.#isReadable(next)) {
          connection.sendPublish(next.message, 0, next.retain, false, 0, next.subscriptionIdentifiers);
        }
        this.forget(next);
      } else {
        this.#send(connection, next);
      }
    }
    this.#replay();
  }

  /** A PUBREC came for one in flight: from now on it waits for PUBCOMP. */
  released(delivery: Delivery): void {
    if (delivery.position !== 0) this.store?.updateDelivery(this.clientIdentifier, delivery);
  }

  /** A PUBACK or PUBCOMP ended a delivery, or a PUBREC refused it. Once all that came with it are noted, `goOn` is to be called. */
  delivered(delivery: Delivery): void {
    this.acknowledgements++;
    if (delivery.position !== 0) this.forget(delivery);
    this.#inflightBytes -= delivery.message.payloadLength;
  }

  /** Deliveries ended: there is room for others. */
  goOn(): void {
    const { flow } = this.context;
    if (this.queue.length <= behindMessages >> 2 && flow.isAwaited(this)) flow.release(this);
    if (this.queue.length > 0 || this.replays !== undefined || this.#outbound?.hasResends === true) this.drain();
  }

  /** The next of the queue; undefined also if it cannot be read, and the connection has ended. */
  #peek(connection: Connection): Delivery | undefined {
    try {
      return this.queue.peek();
    } catch (error) {
      this.#refuse(connection, error);
      return undefined;
    }
  }

  /** What waits for the client cannot be read: it is told so, rather than served as if there were nothing. The store has logged it. */
  #refuse(connection: Connection, error: unknown): void {
    if (!(error instanceof StorageError)) throw error;
    const line = `Client ${this.clientIdentifier} disconnected: what waits for it cannot be read`;
    connection.disconnect(ReasonCode.implementationSpecificError, line, 'What waits for this client cannot be read');
  }

  /** Starts (or queues) the sending of retained messages. */
  startReplay(replay: RetainedReplay): void {
    if (replay.subscription.isEnded) return;
    this.replays ??= new Map();
    this.replays.set(replay.subscription, replay);
    if (this.replays.size === 1) this.#replay();
  }

  /**
   * The subscription is gone, or another stands in its place: what was still to be sent for it is not. [MQTT-3.10.4-2]
   * @returns whether there was something
   */
  stopReplay(subscription: Subscription): boolean {
    return this.replays?.delete(subscription) ?? false;
  }

  /** Whether a retained message may be offered now without being queued behind many others. */
  get takesReplay(): boolean {
    return this.connection?.hasRoom === true && this.queue.length === 0 && this.#outbound?.hasQuota !== false;
  }

  #replay(): void {
    while (this.replays !== undefined) {
      const replay = this.replays.values().next().value;
      if (replay === undefined) {
        this.replays = undefined;
      } else if (replay.advance(this)) {
        this.replays.delete(replay.subscription);
      } else {
        return;
      }
    }
  }

  #maySend(message: Message): boolean {
    const { outbound } = this;
    if (!outbound.hasQuota || outbound.hasResends || outbound.count >= packetIdentifierMax) return false;
    const limit = this.context.settings.maxInflightBytes;
    return limit === 0 || this.#inflightBytes <= 0 || this.#inflightBytes + message.payloadLength <= limit;
  }

  /** Whether a queued message may be sent together with others. */
  #goesInRun(connection: Connection, { message, qos, retain, subscriptionIdentifiers }: Delivery): boolean {
    return (
      message.packet !== undefined &&
      message.qos === qos &&
      !retain &&
      subscriptionIdentifiers === undefined &&
      this.store === undefined &&
      connection.takesPackets(message.isPacketV5) &&
      message.packetEnd - message.packetStart <= connection.peerMaximumPacketSize &&
      this.context.settings.maxInflightBytes === 0
    );
  }

  /** Sends what is first in the queue, and what goes together with it, as far as the quota goes. */
  #drainRun(connection: Connection): void {
    const { queue, outbound } = this;
    const limit = Math.min(runMessagesMax, outbound.quota, packetIdentifierMax - outbound.count);
    let count = 0;
    let bytes = 0;
    while (count < limit && bytes < runBytesMax) {
      const next = queue.peek();
      if (next === undefined || !this.#goesInRun(connection, next)) break;
      queue.shift();
      bytes += next.message.packetEnd - next.message.packetStart;
      run[count++] = next;
    }
    this.#sendRun(connection, count);
  }

  /** Sends the first `count` of `run`. */
  #sendRun(connection: Connection, count: number): void {
    const { outbound } = this;
    for (let index = 0; index < count; index++) {
      const delivery = run[index] as Delivery;
      outbound.begin(delivery);
      this.#inflightBytes += delivery.message.payloadLength;
    }
    connection.sendPackets(run as readonly Delivery[], count);
    for (let index = 0; index < count; index++) run[index] = undefined;
  }

  #send(connection: Connection, delivery: Delivery): void {
    this.outbound.begin(delivery);
    this.#inflightBytes += delivery.message.payloadLength;
    const { store } = this;
    if (store === undefined) {
      this.#write(connection, delivery, false);
      return;
    }
    if (delivery.position === 0) this.#keep(store, delivery);
    else store.updateDelivery(this.clientIdentifier, delivery);
    if (delivery.qos === 1) {
      this.#write(connection, delivery, false);
      return;
    }
    // A crash between sending and storing would give its identifier to another message, and this one out twice.
    store.whenSafe(() => {
      if (this.connection === connection && this.outbound.isHeld(delivery)) this.#write(connection, delivery, false);
    });
  }

  #keep(store: Store, delivery: Delivery): void {
    delivery.position = ++this.#lastPosition;
    store.putDelivery(this.clientIdentifier, delivery);
  }

  protected forget(delivery: Delivery): void {
    if (delivery.position !== 0) this.context.store?.deleteDelivery(this.clientIdentifier, delivery);
    delivery.position = 0;
  }

  /** Whether the payload can be had. If the store cannot read it, it has said so in the log, and the message stays where it is. */
  #isReadable({ message }: Delivery): boolean {
    if (message.isInMemory) return true;
    try {
      return message.payload.length === message.payloadLength;
    } catch {
      this.context.counters.publishMessagesDropped++;
      return false;
    }
  }

  #write(connection: Connection, delivery: Delivery, dup: boolean): void {
    if (!this.#isReadable(delivery)) return;
    const wasSent = connection.sendPublish(
      delivery.message,
      delivery.qos,
      delivery.retain,
      dup,
      delivery.packetIdentifier,
      delivery.subscriptionIdentifiers,
    );
    if (wasSent) return;
    // Too large for this client: as if it had been sent and acknowledged. [MQTT-3.1.2-25]
    this.#inflightBytes -= delivery.message.payloadLength;
    this.outbound.abandon(delivery);
    this.forget(delivery);
  }

  #enqueue(delivery: Delivery): void {
    const { counters, settings, flow } = this.context;
    const queue = this.#ownQueue;
    let outcome = queue.add(delivery, settings);
    if (outcome === 'too-many') outcome = queue.add(delivery, settings, flow.waitingFor(this));
    if (outcome !== 'queued' && this.#makeRoom()) outcome = queue.add(delivery, settings);
    if (this.connection !== undefined && queue.length >= behindMessages) flow.note(this);
    if (outcome === 'queued') {
      if (this.store !== undefined) this.#keep(this.store, delivery);
      else if (this.connection === undefined) delivery.message.compactPayload();
      if (this.connection === undefined) this.context.sessions.absent.note(this);
      return;
    }
    counters.publishMessagesDropped++;
    if (outcome === 'too-many') counters.queueDroppedCount++;
    else counters.queueDroppedBytes++;
    this.context.warnOfFullQueue(this);
  }

  /** Whether something that had expired could be taken out of the queue. */
  #makeRoom(): boolean {
    const before = this.queue.length;
    const now = this.context.clock.now();
    if (this.queue.firstExpiry === 0 || this.queue.firstExpiry > now) return false;
    try {
      this.removeExpired(now);
      for (const _ of removeRestingExpired(this.context, this, now));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
    return this.queue.length < before;
  }

  /** Takes out, and counts, what has expired of the queue in memory. `now` is in milliseconds since the epoch. */
  removeExpired(now: number): void {
    const expired = this.queue.removeExpired(now);
    for (const one of expired) this.forget(one);
    this.context.counters.messagesExpired += expired.length;
  }
}
