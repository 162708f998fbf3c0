/** The sending of the retained messages that match a new subscription, as fast as the subscriber takes them. */
import type { BrokerContext } from './context.ts';
import type { Message } from './message.ts';
import type { RetainedCursor } from './retained.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription.ts';

/** Messages taken from the store at a time. */
const batchSize = 64;
/** Batches offered before others get their turn. */
const roundsMax = 64;

export class RetainedReplay {
  readonly subscription: Subscription;
  readonly #context: BrokerContext;
  readonly #cursor: RetainedCursor;
  readonly #batch: Message[] = [];
  #position = 0;

  constructor(context: BrokerContext, subscription: Subscription) {
    this.#context = context;
    this.subscription = subscription;
    this.#cursor = context.retained.cursor(subscription.topicFilter);
  }

  /** Offers what the Session takes now. True once all was offered, or the subscription has ended. */
  advance(session: Session): boolean {
    const batch = this.#batch;
    // What is left of the last time has waited, and may have been replaced meanwhile.
    let mayBeOutdated = true;
    for (let rounds = 0; rounds < roundsMax; rounds++) {
      while (this.#position < batch.length) {
        if (this.subscription.isEnded) return true;
        if (!session.takesReplay) return false;
        const message = batch[this.#position++] as Message;
        this.#offer(session, mayBeOutdated ? this.#context.retained.get(message.topicName) : message);
      }
      mayBeOutdated = false;
      batch.length = 0;
      this.#position = 0;
      if (!this.#cursor.next(batchSize, batch, this.#context.clock.now()) && batch.length === 0) return true;
    }
    this.#context.clock.setTimer(0, () => session.drain());
    return false;
  }

  #offer(session: Session, message: Message | undefined): void {
    const { authority, routes, settings } = this.#context;
    const { subscription } = this;
    if (message === undefined) return;
    if (message.expiresAt !== 0 && message.expiresAt <= this.#context.clock.now()) return;
    if (!routes.mayReceive(session, message.topicName)) return;
    if (settings.checkRetainSource && !authority.publishesAll && !this.#context.mayStillPublish(message)) return;
    const qos = settings.upgradeOutgoingQos || subscription.qos < message.qos ? subscription.qos : message.qos;
    session.offer(message, qos, true, subscription.identifier === 0 ? undefined : [subscription.identifier]);
  }
}
