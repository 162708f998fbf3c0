/**
 * A Store that lives as long as its object: for tests, and for simulations of crashes. It commits like a real one, at the end of a turn or
 * later, and `crashed` is what a process would find that was killed before the next commit.
 */
import type { Clock } from '../../base/clock.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
import { RestingDeliveries } from '../resting-deliveries.ts';
import type {
  DeliveryRecord,
  InboundRecord,
  RecordCounts,
  SessionRecord,
  Store,
  StoredSession,
  StoredState,
  SubscriptionRecord,
} from './store.ts';

class SessionState {
  session: SessionRecord;
  readonly subscriptions = new Map<string, SubscriptionRecord>();
  readonly deliveries = new Map<number, DeliveryRecord>();
  readonly inbound = new Map<number, InboundRecord>();

  constructor(session: SessionRecord) {
    this.session = session;
  }

  /** By position. */
  deliveriesBetween(after: number, last: number): DeliveryRecord[] {
    const found = [...this.deliveries.values()].filter(({ position }) => position > after && position <= last);
    return found.sort((a, b) => a.position - b.position);
  }

  snapshot(): StoredSession {
    const deliveries = this.deliveriesBetween(0, Number.POSITIVE_INFINITY);
    let resting: RestingDeliveries | undefined;
    for (const delivery of deliveries) {
      resting ??= new RestingDeliveries(delivery.position);
      resting.add(delivery, delivery.message.payloadLength, delivery.message.expiresAt);
    }
    return {
      session: this.session,
      subscriptions: [...this.subscriptions.values()],
      resting,
      inboundCount: this.inbound.size,
      deliveries,
      inbound: [...this.inbound.values()],
    };
  }
}

class Committed {
  readonly sessions = new Map<string, SessionState>();
  readonly retained = new Map<string, Message>();
}

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Milliseconds a commit takes. Default 0: the end of the turn. */
  readonly commitDelayMs?: () => number;
  /** Default 65,536. */
  readonly residentDeliveriesMax?: number;
}

export class MemoryStore implements Store {
  stagedCount = 0;
  readonly trouble = undefined;
  readonly isRefusingWork = false;
  readonly isBehind = false;
  readonly residentDeliveriesMax: number;
  readonly #options: MemoryStoreOptions;
  readonly #committed: Committed;
  /** The last change of each delivery that is not committed yet. */
  readonly #unsettled = new Map<Delivery, DeliveryRecord>();
  /** Deliveries that are to go, by name. */
  readonly #deleted = new Set<string>();
  /** The deliveries of each message that are left. */
  readonly #undelivered = new WeakMap<Message, Set<Delivery>>();
  /** Whom to tell when there are none. */
  readonly #keeping = new WeakMap<Message, () => void>();
  #staged: ((state: Committed) => void)[] = [];
  #waiting: (() => void)[] = [];
  #isCommitting = false;
  #isCrashed = false;

  constructor(options: MemoryStoreOptions, committed = new Committed()) {
    this.#options = options;
    this.residentDeliveriesMax = options.residentDeliveriesMax ?? 65_536;
    this.#committed = committed;
  }

  /** The process is killed: what is not committed is gone. Returns the store as the next process opens it. */
  crashed(): MemoryStore {
    this.#isCrashed = true;
    return new MemoryStore(this.#options, this.#committed);
  }

  load(): Promise<StoredState> {
    const sessions = [...this.#committed.sessions.values()].map((state) => state.snapshot());
    const retained = [...this.#committed.retained.values()];
    return Promise.resolve({
      sessions,
      retained,
      takeRetained(take) {
        for (const message of retained) take(message.topicName, message.payload, 0, message.payloadLength, message);
      },
    });
  }

  putSession(record: SessionRecord): void {
    this.#stage((state) => {
      const known = state.sessions.get(record.clientIdentifier);
      if (known === undefined) state.sessions.set(record.clientIdentifier, new SessionState(record));
      else known.session = record;
    });
  }

  deleteSession(clientIdentifier: string): void {
    this.#stage((state) => state.sessions.delete(clientIdentifier));
  }

  putSubscription(clientIdentifier: string, record: SubscriptionRecord): void {
    this.#stageFor(clientIdentifier, (session) => session.subscriptions.set(record.requestedFilter, record));
  }

  deleteSubscription(clientIdentifier: string, requestedFilter: string): void {
    this.#stageFor(clientIdentifier, (session) => session.subscriptions.delete(requestedFilter));
  }

  putDelivery(clientIdentifier: string, delivery: Delivery): void {
    const undelivered = this.#undelivered.get(delivery.message) ?? new Set();
    this.#undelivered.set(delivery.message, undelivered.add(delivery));
    const record = recordOf(delivery);
    this.#unsettled.set(delivery, record);
    this.#stageFor(clientIdentifier, (session) => {
      session.deliveries.set(record.position, record);
      if (this.#unsettled.get(delivery) === record) this.#unsettled.delete(delivery);
    });
  }

  updateDelivery(clientIdentifier: string, delivery: Delivery): void {
    this.putDelivery(clientIdentifier, delivery);
  }

  deleteDelivery(clientIdentifier: string, delivery: Delivery): void {
    const { position } = delivery;
    const name = nameOf(clientIdentifier, position);
    this.#unsettled.delete(delivery);
    this.#deleted.add(name);
    this.#stage((state) => {
      this.#deleted.delete(name);
      state.sessions.get(clientIdentifier)?.deliveries.delete(position);
    });
    this.#tellKept(delivery);
  }

  #tellKept(delivery: Delivery): void {
    const { message, state } = delivery;
    const undelivered = this.#undelivered.get(message);
    undelivered?.delete(delivery);
    // Whoever will not have it although it was for him: that this is so is to be safe first.
    if (state !== 'done') this.#keeping.delete(message);
    else if (undelivered?.size === 0) this.#keeping.get(message)?.();
  }

  takeDeliveries(clientIdentifier: string, after: number, last: number, limit: number): readonly DeliveryRecord[] {
    const session = this.#committed.sessions.get(clientIdentifier);
    const found = session?.deliveriesBetween(after, last) ?? [];
    return found.filter(({ position }) => !this.#deleted.has(nameOf(clientIdentifier, position))).slice(0, limit);
  }

  dropDeliveries(clientIdentifier: string, after: number, last: number): void {
    this.#stageFor(clientIdentifier, ({ deliveries }) => {
      for (const position of deliveries.keys()) if (position > after && position <= last) deliveries.delete(position);
    });
  }

  rest(clientIdentifier: string, deliveries: readonly Delivery[]): boolean {
    const session = this.#committed.sessions.get(clientIdentifier);
    if (session === undefined) return false;
    return deliveries.every((one) => session.deliveries.has(one.position) && !this.#unsettled.has(one));
  }

  putInbound(clientIdentifier: string, record: InboundRecord): void {
    this.#stageFor(clientIdentifier, (session) => session.inbound.set(record.packetIdentifier, record));
  }

  deleteInbound(clientIdentifier: string, { packetIdentifier }: InboundRecord): void {
    this.#stageFor(clientIdentifier, (session) => session.inbound.delete(packetIdentifier));
  }

  takeInbound(clientIdentifier: string): readonly InboundRecord[] {
    return [...(this.#committed.sessions.get(clientIdentifier)?.inbound.values() ?? [])];
  }

  dropInbound(clientIdentifier: string): void {
    this.#stageFor(clientIdentifier, ({ inbound }) => inbound.clear());
  }

  putRetained(message: Message): void {
    this.#stage((state) => state.retained.set(message.topicName, message));
  }

  deleteRetained(topicName: string): void {
    this.#stage((state) => state.retained.delete(topicName));
  }

  whenSafe(callback: () => void): void {
    if (this.#staged.length === 0 && !this.#isCommitting) callback();
    else this.#waiting.push(callback);
  }

  whenKept(message: Message, callback: () => void): void {
    let isCalled = false;
    const once = (): void => {
      if (isCalled) return;
      isCalled = true;
      callback();
    };
    if ((this.#undelivered.get(message)?.size ?? 0) > 0) this.#keeping.set(message, once);
    this.whenSafe(once);
  }

  sync(): Promise<void> {
    return new Promise((resolve) => this.whenSafe(resolve));
  }

  countRecords(): RecordCounts {
    const { sessions, retained } = this.#committed;
    const counts = { messages: 0, sessions: sessions.size, subscriptions: 0, deliveries: 0, inbound: 0 };
    const messages = new Set<Message>();
    for (const { subscriptions, deliveries, inbound } of sessions.values()) {
      counts.subscriptions += subscriptions.size;
      counts.deliveries += deliveries.size;
      counts.inbound += inbound.size;
      for (const { message } of [...deliveries.values(), ...inbound.values()]) messages.add(message);
    }
    return { ...counts, messages: messages.size, retained: retained.size };
  }

  close(): Promise<void> {
    this.#apply(this.#staged.splice(0));
    for (const callback of this.#waiting.splice(0)) callback();
    return Promise.resolve();
  }

  #stageFor(clientIdentifier: string, change: (session: SessionState) => unknown): void {
    this.#stage((state) => {
      const session = state.sessions.get(clientIdentifier);
      if (session !== undefined) change(session);
    });
  }

  #stage(change: (state: Committed) => unknown): void {
    this.stagedCount++;
    this.#staged.push(change);
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    this.#options.clock.defer(() => this.#commit());
  }

  /** Takes all that is staged now into one commit; what comes meanwhile goes into the next. */
  #commit(): void {
    const changes = this.#staged.splice(0);
    const waiting = this.#waiting.splice(0);
    const done = (): void => {
      if (this.#isCrashed) return;
      this.#apply(changes);
      this.#isCommitting = this.#staged.length > 0;
      if (this.#isCommitting) this.#options.clock.defer(() => this.#commit());
      // Nothing was staged meanwhile: who began to wait during this commit waits for nothing but this commit.
      else waiting.push(...this.#waiting.splice(0));
      for (const callback of waiting) callback();
    };
    const delayMs = this.#options.commitDelayMs?.() ?? 0;
    if (delayMs === 0) done();
    else this.#options.clock.setTimer(delayMs, done);
  }

  #apply(changes: readonly ((state: Committed) => void)[]): void {
    for (const change of changes) change(this.#committed);
  }
}

/** Names a delivery. */
function nameOf(clientIdentifier: string, position: number): string {
  return `${position} ${clientIdentifier}`;
}

/** The delivery as it is now: what is committed later is what was staged. */
function recordOf(delivery: Delivery): DeliveryRecord {
  const { position, message, qos, retain, subscriptionIdentifiers, packetIdentifier, state } = delivery;
  return { position, message, qos, retain, subscriptionIdentifiers, packetIdentifier, state };
}
