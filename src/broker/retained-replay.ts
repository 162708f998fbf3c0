/** The sending of the retained messages that match a new subscription, as fast as the subscriber takes them. */
import type { BrokerContext } from './context.ts';
import { messageOf, type RetainedCursor, type RetainedRecord } from './retained.ts';
import type { SessionOutput } from './session-output.ts';
import type { Subscription } from './subscription.ts';

/** Messages taken from the store at a time. */
const batchSize = 64;
/** Batches offered before others get their turn. */
const roundsMax = 64;

export class RetainedReplay {
  readonly subscription: Subscription;
  readonly #context: BrokerContext;
  readonly #cursor: RetainedCursor;
  readonly #batch: RetainedRecord[] = [];
  #position = 0;

  constructor(context: BrokerContext, subscription: Subscription) {
    this.#context = context;
    this.subscription = subscription;
    this.#cursor = context.retained.cursor(subscription.topicFilter);
  }

  /** Offers what the Session takes now. True once all was offered, or the subscription has ended. */
  advance(session: SessionOutput): boolean {
    const batch = this.#batch;
    for (let rounds = 0; rounds < roundsMax; rounds++) {
      while (this.#position < batch.length) {
        if (this.subscription.isEnded) return true;
        if (!session.takesReplay) return false;
        this.#offer(session, batch[this.#position++] as RetainedRecord);
      }
      batch.length = 0;
      this.#position = 0;
      if (!this.#cursor.next(batchSize, batch, this.#context.clock.now()) && batch.length === 0) return true;
    }
    this.#context.clock.defer(() => session.drain());
    return false;
  }

  #offer(session: SessionOutput, record: RetainedRecord): void {
    const { authority, routes, settings } = this.#context;
    const { subscription } = this;
    // What was left of the last time may have been removed meanwhile, or have expired.
    if (record.payload === undefined) return;
    if (record.expiry !== undefined && record.expiry.expiresAt <= this.#context.clock.now()) return;
    if (!routes.mayReceive(session, record.topicName)) return;
    const isSourceAsked = settings.checkRetainSource && !authority.publishesAll;
    if (!isSourceAsked && subscription.identifier === 0 && session.offerRetained(record, subscription.qos)) return;
    const message = messageOf(record);
    if (isSourceAsked && !this.#context.mayStillPublish(message)) return;
    const qos = settings.upgradeOutgoingQos || subscription.qos < message.qos ? subscription.qos : message.qos;
    session.offer(message, qos, true, subscription.identifier === 0 ? undefined : [subscription.identifier]);
  }
}
