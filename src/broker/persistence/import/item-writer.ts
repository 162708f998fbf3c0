/** Puts items into a store, as far as they go together. */
import { Delivery } from '../../delivery.ts';
import type { Message } from '../../message.ts';
import type { Store } from '../store.ts';
import type {
  DeliveryItem,
  InboundItem,
  LeaveOut,
  MessageNumber,
  RetainedItem,
  SessionItem,
  StoredItem,
  SubscriptionItem,
} from '../stored-item.ts';

/** What was taken over. */
export interface ImportCounts {
  sessions: number;
  subscriptions: number;
  queued: number;
  inFlight: number;
  inbound: number;
  retained: number;
  wills: number;
}

/** What one commit holds at most; its payloads are in memory until then. */
const commitItemsMax = 5000;
const commitBytesMax = 8 * 1024 * 1024;

/** A message that more items will refer to. */
interface Pending {
  readonly message: Message;
  references: number;
}

/** A Session that was not taken over, and what hung on it. */
interface RefusedSession {
  readonly reason: string;
  subscriptions: number;
  messages: number;
}

/** What was met of a Session that is taken over. */
interface AcceptedSession {
  position: number;
  /** In use towards the client. */
  outbound: Set<number> | undefined;
  inbound: Set<number> | undefined;
}

export class ItemWriter {
  readonly counts: ImportCounts = {
    sessions: 0,
    subscriptions: 0,
    queued: 0,
    inFlight: 0,
    inbound: 0,
    retained: 0,
    wills: 0,
  };
  readonly #store: Store;
  readonly #leaveOut: LeaveOut;
  readonly #messages = new Map<MessageNumber, Pending>();
  readonly #accepted = new Map<string, AcceptedSession>();
  readonly #refused = new Map<string, RefusedSession>();
  /** What the store had before. */
  readonly #formerSessions = new Set<string>();
  readonly #formerTopics = new Set<string>();
  #stagedItems = 0;
  #stagedBytes = 0;

  constructor(store: Store, leaveOut: LeaveOut) {
    this.#store = store;
    this.#leaveOut = leaveOut;
  }

  /**
   * Takes all items, and resolves when they are in the store; it is to be closed then.
   * @param failure rejects when the store cannot be written, or nobody wants it any more
   */
  async write(items: Iterable<StoredItem> | AsyncIterable<StoredItem>, failure: Promise<never>): Promise<void> {
    const former = await this.#store.load();
    for (const { session } of former.sessions) this.#formerSessions.add(session.clientIdentifier);
    for (const { topicName } of former.retained) this.#formerTopics.add(topicName);
    for await (const item of items) {
      this.#put(item);
      this.#stagedItems++;
      if (this.#stagedItems < commitItemsMax && this.#stagedBytes < commitBytesMax) continue;
      this.#stagedItems = 0;
      this.#stagedBytes = 0;
      await Promise.race([new Promise<void>((resolve) => this.#store.whenSafe(resolve)), failure]);
    }
    for (const [clientIdentifier, { reason, subscriptions, messages }] of this.#refused) {
      const rest = [count(subscriptions, 'subscription'), count(messages, 'message')].join(' and ');
      this.#leaveOut(`the session '${clientIdentifier}' with ${rest}`, reason);
    }
    await Promise.race([this.#store.sync(), failure]);
  }

  #put(item: StoredItem): void {
    switch (item.kind) {
      case 'session':
        this.#putSession(item);
        return;
      case 'subscription':
        this.#putSubscription(item);
        return;
      case 'message':
        this.#messages.set(item.number, { message: item.message, references: item.references });
        this.#stagedBytes += item.message.payloadLength;
        return;
      case 'delivery':
        this.#putDelivery(item);
        return;
      case 'inbound':
        this.#putInbound(item);
        return;
      case 'retained':
        this.#putRetained(item);
        return;
    }
  }

  #putSession({ session }: SessionItem): void {
    const { clientIdentifier } = session;
    if (this.#formerSessions.has(clientIdentifier)) {
      const reason = 'the store has one of that identifier, which stays';
      this.#refused.set(clientIdentifier, { reason, subscriptions: 0, messages: 0 });
      return;
    }
    if (this.#accepted.has(clientIdentifier)) {
      this.#leaveOut(`another session '${clientIdentifier}'`, 'there is one of that identifier already');
      return;
    }
    this.#accepted.set(clientIdentifier, { position: 0, outbound: undefined, inbound: undefined });
    this.#store.putSession(session);
    this.counts.sessions++;
    if (session.will !== undefined) this.counts.wills++;
  }

  #putSubscription({ clientIdentifier, subscription }: SubscriptionItem): void {
    if (this.#ownerOf(clientIdentifier, 'subscriptions', `the subscription '${subscription.requestedFilter}'`)) {
      this.#store.putSubscription(clientIdentifier, subscription);
      this.counts.subscriptions++;
    }
  }

  #putDelivery(item: DeliveryItem): void {
    const { clientIdentifier, number, packetIdentifier, position } = item;
    const message = this.#messageOf(number);
    const what = message === undefined ? 'a message' : `a message '${message.topicName}'`;
    const owner = this.#ownerOf(clientIdentifier, 'messages', what);
    if (owner === undefined) return;
    const name = `${what} for '${clientIdentifier}'`;
    if (message === undefined) {
      this.#leaveOut(name, `there is no message ${number} before it`);
      return;
    }
    if (position <= owner.position) {
      this.#leaveOut(name, `its position ${position} does not come after ${owner.position}`);
      return;
    }
    if (packetIdentifier !== 0) {
      owner.outbound ??= new Set();
      if (owner.outbound.has(packetIdentifier)) {
        this.#leaveOut(name, `its Packet Identifier ${packetIdentifier} is in use`);
        return;
      }
      owner.outbound.add(packetIdentifier);
    }
    owner.position = position;
    const delivery = new Delivery(message, item.qos, item.retain, item.subscriptionIdentifiers);
    delivery.position = position;
    delivery.packetIdentifier = packetIdentifier;
    delivery.state = item.state;
    this.#store.putDelivery(clientIdentifier, delivery);
    if (packetIdentifier === 0) this.counts.queued++;
    else this.counts.inFlight++;
  }

  #putInbound({ clientIdentifier, packetIdentifier, number }: InboundItem): void {
    const message = this.#messageOf(number);
    const what = message === undefined ? 'a QoS 2 message' : `a QoS 2 message '${message.topicName}'`;
    const owner = this.#ownerOf(clientIdentifier, 'messages', what);
    if (owner === undefined) return;
    const name = `${what} from '${clientIdentifier}'`;
    if (message === undefined) {
      this.#leaveOut(name, `there is no message ${number} before it`);
      return;
    }
    owner.inbound ??= new Set();
    if (owner.inbound.has(packetIdentifier)) {
      this.#leaveOut(name, `its Packet Identifier ${packetIdentifier} is in use`);
      return;
    }
    owner.inbound.add(packetIdentifier);
    this.#store.putInbound(clientIdentifier, { packetIdentifier, message });
    this.counts.inbound++;
  }

  #putRetained({ message }: RetainedItem): void {
    const name = `the retained message '${message.topicName}'`;
    if (this.#formerTopics.has(message.topicName)) {
      this.#leaveOut(name, 'the store has one for that topic, which stays');
      return;
    }
    if (message.payloadLength === 0) {
      this.#leaveOut(name, 'it is empty, which takes a retained message away');
      return;
    }
    this.#store.putRetained(message);
    this.#stagedBytes += message.payloadLength;
    this.counts.retained++;
  }

  /** The Session that something hangs on, if it was taken over. */
  #ownerOf(clientIdentifier: string, kind: 'subscriptions' | 'messages', what: string): AcceptedSession | undefined {
    const owner = this.#accepted.get(clientIdentifier);
    if (owner !== undefined) return owner;
    const refused = this.#refused.get(clientIdentifier);
    if (refused !== undefined) refused[kind]++;
    else this.#leaveOut(`${what} of '${clientIdentifier}'`, 'there is no session of that identifier before it');
    return undefined;
  }

  /** The message that something refers to; forgotten once nothing more will. */
  #messageOf(number: MessageNumber): Message | undefined {
    const pending = this.#messages.get(number);
    if (pending === undefined) return undefined;
    // Its references are counted whether they are taken over or not.
    if (pending.references-- <= 1) this.#messages.delete(number);
    return pending.message;
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
