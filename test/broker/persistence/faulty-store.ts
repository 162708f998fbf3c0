/** A Store that can be made to fail: nothing becomes safe any more, as when the disk is full, until it is made to work again. */
import type { Delivery } from '../../../src/broker/delivery.ts';
import type { Message } from '../../../src/broker/message.ts';
import { MemoryStore, type MemoryStoreOptions } from '../../../src/broker/persistence/memory.ts';
import type {
  DeliveryRecord,
  InboundRecord,
  RecordCounts,
  SessionRecord,
  Store,
  StoredState,
  SubscriptionRecord,
} from '../../../src/broker/persistence/store.ts';

export class FaultyStore implements Store {
  trouble: string | undefined = undefined;
  isBehind = false;
  stagedCount = 0;
  readonly #inner: MemoryStore;
  readonly #waiting: { readonly callback: () => void; isSafe: boolean }[] = [];
  /** What was staged while nothing could be written. */
  #held: (() => void)[] = [];

  constructor(options: MemoryStoreOptions, inner = new MemoryStore(options)) {
    this.#inner = inner;
  }

  get residentDeliveriesMax(): number {
    return this.#inner.residentDeliveriesMax;
  }

  get isRefusingWork(): boolean {
    return this.trouble !== undefined;
  }

  fail(reason: string): void {
    this.trouble = reason;
  }

  work(): void {
    this.trouble = undefined;
    for (const step of this.#held.splice(0)) step();
    this.#callBack();
  }

  /** In the order of the calls. */
  #callBack(): void {
    while (this.trouble === undefined && this.#waiting[0]?.isSafe === true) this.#waiting.shift()?.callback();
  }

  /** The process is killed: the store as the next one finds it. */
  crashed(): MemoryStore {
    return this.#inner.crashed();
  }

  #stage(step: () => void): void {
    this.stagedCount++;
    this.#orLater(step);
  }

  #orLater(step: () => void): void {
    if (this.trouble === undefined) step();
    else this.#held.push(step);
  }

  load(): Promise<StoredState> {
    return this.#inner.load();
  }
  putSession(record: SessionRecord): void {
    this.#stage(() => this.#inner.putSession(record));
  }
  deleteSession(clientIdentifier: string): void {
    this.#stage(() => this.#inner.deleteSession(clientIdentifier));
  }
  putSubscription(clientIdentifier: string, record: SubscriptionRecord): void {
    this.#stage(() => this.#inner.putSubscription(clientIdentifier, record));
  }
  deleteSubscription(clientIdentifier: string, requestedFilter: string): void {
    this.#stage(() => this.#inner.deleteSubscription(clientIdentifier, requestedFilter));
  }
  putDelivery(clientIdentifier: string, delivery: Delivery): void {
    this.#stage(() => this.#inner.putDelivery(clientIdentifier, delivery));
  }
  updateDelivery(clientIdentifier: string, delivery: Delivery): void {
    this.#stage(() => this.#inner.updateDelivery(clientIdentifier, delivery));
  }
  deleteDelivery(clientIdentifier: string, delivery: Delivery): void {
    this.#stage(() => this.#inner.deleteDelivery(clientIdentifier, delivery));
  }
  takeDeliveries(clientIdentifier: string, after: number, last: number, limit: number): readonly DeliveryRecord[] {
    return this.#inner.takeDeliveries(clientIdentifier, after, last, limit);
  }
  dropDeliveries(clientIdentifier: string, after: number, last: number): void {
    this.#stage(() => this.#inner.dropDeliveries(clientIdentifier, after, last));
  }
  rest(clientIdentifier: string, deliveries: readonly Delivery[]): boolean {
    return this.trouble === undefined && this.#inner.rest(clientIdentifier, deliveries);
  }
  takeInbound(clientIdentifier: string): readonly InboundRecord[] {
    return this.#inner.takeInbound(clientIdentifier);
  }
  dropInbound(clientIdentifier: string): void {
    this.#stage(() => this.#inner.dropInbound(clientIdentifier));
  }
  putInbound(clientIdentifier: string, record: InboundRecord): void {
    this.#stage(() => this.#inner.putInbound(clientIdentifier, record));
  }
  deleteInbound(clientIdentifier: string, record: InboundRecord): void {
    this.#stage(() => this.#inner.deleteInbound(clientIdentifier, record));
  }
  putRetained(message: Message): void {
    this.#stage(() => this.#inner.putRetained(message));
  }
  deleteRetained(topicName: string): void {
    this.#stage(() => this.#inner.deleteRetained(topicName));
  }
  whenSafe(callback: () => void): void {
    const waiting = { callback, isSafe: false };
    this.#waiting.push(waiting);
    this.#orLater(() =>
      this.#inner.whenSafe(() => {
        waiting.isSafe = true;
        this.#callBack();
      }),
    );
  }
  whenKept(_message: Message, callback: () => void): void {
    this.whenSafe(callback);
  }
  sync(): Promise<void> {
    return this.trouble === undefined ? this.#inner.sync() : Promise.reject(new Error(this.trouble));
  }
  countRecords(): RecordCounts {
    return this.#inner.countRecords();
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
