/**
 * A Store that lives as long as its object: for tests, and for simulations of crashes. It commits like a real one, at the end of a turn or
 * later, and `crashed` is what a process would find that was killed before the next commit.
 */
import type { Clock } from '../../base/clock.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
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

  snapshot(): StoredSession {
    return {
      session: this.session,
      subscriptions: [...this.subscriptions.values()],
      deliveries: [...this.deliveries.values()].sort((a, b) => a.position - b.position),
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
}

export class MemoryStore implements Store {
  stagedCount = 0;
  readonly trouble = undefined;
  readonly isRefusingWork = false;
  readonly isBehind = false;
  readonly #options: MemoryStoreOptions;
  readonly #committed: Committed;
  #staged: ((state: Committed) => void)[] = [];
  #waiting: (() => void)[] = [];
  #isCommitting = false;
  #isCrashed = false;

  constructor(options: MemoryStoreOptions, committed = new Committed()) {
    this.#options = options;
    this.#committed = committed;
  }

  /** The process is killed: what is not committed is gone. Returns the store as the next process opens it. */
  crashed(): MemoryStore {
    this.#isCrashed = true;
    return new MemoryStore(this.#options, this.#committed);
  }

  load(): Promise<StoredState> {
    const sessions = [...this.#committed.sessions.values()].map((state) => state.snapshot());
    return Promise.resolve({ sessions, retained: [...this.#committed.retained.values()] });
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
    const record = recordOf(delivery);
    this.#stageFor(clientIdentifier, (session) => session.deliveries.set(record.position, record));
  }

  updateDelivery(clientIdentifier: string, delivery: Delivery): void {
    const record = recordOf(delivery);
    this.#stageFor(clientIdentifier, (session) => session.deliveries.set(record.position, record));
  }

  deleteDelivery(clientIdentifier: string, { position }: Delivery): void {
    this.#stageFor(clientIdentifier, (session) => session.deliveries.delete(position));
  }

  putInbound(clientIdentifier: string, record: InboundRecord): void {
    this.#stageFor(clientIdentifier, (session) => session.inbound.set(record.packetIdentifier, record));
  }

  deleteInbound(clientIdentifier: string, { packetIdentifier }: InboundRecord): void {
    this.#stageFor(clientIdentifier, (session) => session.inbound.delete(packetIdentifier));
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

/** The delivery as it is now: what is committed later is what was staged. */
function recordOf(delivery: Delivery): DeliveryRecord {
  const { position, message, qos, retain, subscriptionIdentifiers, packetIdentifier, state } = delivery;
  return { position, message, qos, retain, subscriptionIdentifiers, packetIdentifier, state };
}
