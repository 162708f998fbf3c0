/**
 * A Session: what the broker remembers of a Client beyond its Network Connection. [MQTT 5.0 §4.1]
 *
 * What waits for an absent Session may rest in the store (`rest`, `beginResting`); `attached` brings back what is in flight, the queue the
 * others as they are sent.
 */

import { assert } from '../base/assert.ts';
import type { WillMessage } from '../codec/packets.ts';
import { InboundExchange } from '../exchange/inbound-exchange.ts';
import { StorageError } from '../protocol/errors.ts';
import { packetIdentifierMax } from '../protocol/version.ts';
import type { Connection } from './connection.ts';
import type { Delivery } from './delivery.ts';
import type { Message } from './message.ts';
import type { Store, StoredSession } from './persistence/store.ts';
import { RestingDeliveries } from './resting-deliveries.ts';
import { restingWindow, storedDelivery } from './resting-expiry.ts';
import { SessionOutput } from './session-output.ts';
import type { Subscription } from './subscription.ts';
import type { PendingWill } from './will.ts';

/** Session Expiry Interval of a Session that never expires. [MQTT 5.0 §3.1.2.11.2] */
export const neverExpires = 0xffff_ffff;

const noSubscriptions: ReadonlyMap<string, Subscription> = new Map();

/** It has no `#method` of its own: beside those of its other half, that would cost each Session another field. */
export class Session extends SessionOutput {
  /** The connection that will have it once the store has taken note of it. */
  claimant: Connection | undefined = undefined;
  /** Seconds the Session outlives its connection; 0 ends it with the connection. */
  expiryInterval = 0;
  /** A will that waits for its delay. */
  pendingWill: PendingWill | undefined = undefined;
  /** Milliseconds since the epoch at which an absent Session ends; 0 while it is connected or if it never does. */
  expiresAt = 0;
  /** Payload bytes of QoS 2 messages in `inbound`. */
  inboundBytes = 0;
  /** Made when they are first needed: most Sessions of most brokers are absent or idle. */
  #subscriptions: Map<string, Subscription> | undefined = undefined;
  #inboundMaximum = packetIdentifierMax;
  #inbound: InboundExchange<Message> | undefined = undefined;
  /** QoS 2 messages that are in the store and not in `inbound` yet. */
  #restingInbound = 0;
  #isRecorded = false;

  /** QoS 2 messages that wait for their PUBREL to be routed. */
  get inbound(): InboundExchange<Message> {
    this.#inbound ??= new InboundExchange<Message>(this.#inboundMaximum);
    return this.#inbound;
  }

  /** How many QoS 1 and 2 messages its client may have open, 1–65,535. */
  set inboundMaximum(receiveMaximum: number) {
    this.#inboundMaximum = receiveMaximum;
    if (this.#inbound !== undefined) this.#inbound.receiveMaximum = receiveMaximum;
  }

  /** By Topic Filter as the client gave it, `$share/…` included. */
  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions ?? noSubscriptions;
  }

  /** Notes a subscription, in the place of the one that was made with the same Topic Filter. */
  subscribed(requestedFilter: string, subscription: Subscription): void {
    this.#subscriptions ??= new Map();
    this.#subscriptions.set(requestedFilter, subscription);
  }

  unsubscribed(requestedFilter: string): void {
    this.#subscriptions?.delete(requestedFilter);
    if (this.#subscriptions?.size === 0) this.#subscriptions = undefined;
  }

  /** Nothing is subscribed to and nothing waits any more: it has ended. */
  clear(): void {
    this.#subscriptions = undefined;
    this.queue.clear();
  }

  /** Whether it lives on without a connection. */
  get isPersistent(): boolean {
    return this.expiryInterval > 0;
  }

  override get store(): Store | undefined {
    return this.expiryInterval > 0 ? this.context.store : undefined;
  }

  /** Stores the Session itself, without what hangs on it; nothing if it does not outlive its connection. */
  record(will: WillMessage | undefined, willDueAt: number): void {
    const { clientIdentifier, identity, expiryInterval, expiresAt, store } = this;
    if (store === undefined) {
      if (this.#isRecorded) this.keepAll();
      this.unrecord();
      return;
    }
    this.#isRecorded = true;
    store.putSession({
      clientIdentifier,
      username: identity.username,
      listenerIndex: identity.listenerIndex,
      expiryInterval,
      expiresAt,
      will,
      willDueAt,
    });
  }

  /** Takes the Session, and all that hangs on it, out of the store. */
  unrecord(): void {
    const { store } = this.context;
    if (!this.#isRecorded || store === undefined) return;
    this.#isRecorded = false;
    const { clientIdentifier } = this;
    const { resting } = this.queue;
    for (const delivery of this.resident()) this.forget(delivery);
    if (resting !== undefined) store.dropDeliveries(clientIdentifier, resting.after, resting.last);
    this.queue.loseResting();
    for (const [packetIdentifier, message] of this.#inbound?.entries() ?? []) {
      store.deleteInbound(clientIdentifier, { packetIdentifier, message });
    }
    if (this.#restingInbound > 0) store.dropInbound(clientIdentifier);
    this.#restingInbound = 0;
    for (const requestedFilter of this.subscriptions.keys())
      store.deleteSubscription(clientIdentifier, requestedFilter);
    store.deleteSession(clientIdentifier);
  }

  /** Everything that waits is in memory from now on, because it is about to leave the store. What cannot be read is lost; the log has it. */
  private keepAll(): void {
    try {
      this.awaken();
      while (this.queue.resting !== undefined) this.queue.readMore();
      for (const { message } of this.resident()) message.keepPayload();
      for (const [, message] of this.inbound.entries()) message.keepPayload();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.context.counters.publishMessagesDropped += this.queue.resting?.count ?? 0;
    }
  }

  /** The Session was found in the store, where everything that waits for it rests. */
  beginResting({ resting, inboundCount }: StoredSession): void {
    this.#isRecorded = true;
    this.#restingInbound = inboundCount;
    if (resting !== undefined) this.restAsFound(resting);
  }

  override rest(): boolean {
    const { store, clientIdentifier } = this;
    if (store === undefined || this.connection !== undefined) return false;
    const deliveries = this.resident();
    const [first] = deliveries;
    if (first === undefined || !store.rest(clientIdentifier, deliveries)) return false;
    const resting = this.queue.resting?.copy() ?? new RestingDeliveries(first.position);
    for (const one of deliveries) resting.add(one, one.message.payloadLength, one.message.expiresAt);
    this.restAll(resting);
    return true;
  }

  /** The next window of what rests; what of it is in flight goes to `outbound`. */
  override readResting(resting: RestingDeliveries): readonly Delivery[] {
    const { store } = this.context;
    assert(store !== undefined, `messages of ${this.clientIdentifier} rest in no store`);
    const records = store.takeDeliveries(this.clientIdentifier, resting.after, resting.last, restingWindow);
    const queued: Delivery[] = [];
    for (const record of records) {
      const delivery = storedDelivery(record);
      resting.after = record.position;
      resting.remove(delivery, record.message.payloadLength);
      if (record.packetIdentifier === 0) queued.push(delivery);
      else this.outbound.restore(delivery);
    }
    assert(
      resting.count === 0 || records.length === restingWindow,
      `${resting.count} messages of ${this.clientIdentifier} are not in the store`,
    );
    return queued;
  }

  protected override awaken(): void {
    while ((this.queue.resting?.inflight ?? 0) > 0) this.queue.readMore();
    if (this.#restingInbound === 0) return;
    const records = (this.context.store as Store).takeInbound(this.clientIdentifier);
    this.#restingInbound = 0;
    for (const { packetIdentifier, message } of records) {
      this.inbound.begin(packetIdentifier, message);
      this.inboundBytes += message.payloadLength;
    }
  }

  override attached(connection: Connection, receiveMaximum: number): void {
    this.claimant = undefined;
    this.context.sessions.absent.forget(this);
    super.attached(connection, receiveMaximum);
  }

  override detached(): void {
    super.detached();
    this.claimant = undefined;
    this.#inbound?.connectionLost();
  }
}
