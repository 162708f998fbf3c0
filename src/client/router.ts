/** Brings a message to all it is for: the listeners of the client, and the subscriptions that match. */
import type { Clock, TimerHandle } from '../base/clock.ts';
import { RingQueue } from '../base/ring-queue.ts';
import { CallbackConsumer, type Flow, LoopConsumer, type MessageHandler } from './consumer.ts';
import type { IncomingMessage } from './incoming.ts';
import type { ActiveSubscription } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Milliseconds for which messages of a resumed Session wait for the program to say who takes them. */
const claimMs = 5_000;

export interface RouterEvents {
  hasListener(): boolean;
  tell(message: IncomingMessage): void;
  handlerFailed(error: unknown): void;
}

export class MessageRouter {
  readonly #subscriptions: Subscriptions;
  readonly #flow: Flow;
  readonly #clock: Clock;
  readonly #events: RouterEvents;
  /** Takes what no subscription explains. */
  readonly #fallback: CallbackConsumer | undefined;
  /** Messages of a resumed Session that came before anybody asked for them. */
  #unclaimed = new RingQueue<IncomingMessage>();
  #claimTimer: TimerHandle | undefined;

  constructor(
    subscriptions: Subscriptions,
    flow: Flow,
    clock: Clock,
    events: RouterEvents,
    fallback: MessageHandler | undefined,
  ) {
    this.#subscriptions = subscriptions;
    this.#flow = flow;
    this.#clock = clock;
    this.#events = events;
    this.#fallback =
      fallback === undefined ? undefined : new CallbackConsumer(flow, fallback, (error) => events.handlerFailed(error));
  }

  deliver(message: IncomingMessage): void {
    this.#events.tell(message);
    const receivers = this.#subscriptions.receiversOf(message);
    if (receivers.length > 0) {
      for (const subscription of receivers) subscription.offer(message);
    } else if (this.#fallback !== undefined) {
      this.#fallback.offer(message);
    } else if (this.#claimTimer !== undefined && !this.#events.hasListener()) {
      message.begin();
      this.#unclaimed.push(message);
      this.#flow.added();
    }
  }

  /** A Session was resumed that this client object knows nothing of: what it had kept comes before any `subscribe`. */
  awaitClaims(): void {
    if (this.#fallback !== undefined || this.#claimTimer !== undefined) return;
    this.#claimTimer = this.#clock.setTimer(claimMs, () => this.#letGo());
  }

  /** Gives a new subscription what is for it. */
  claim(subscription: ActiveSubscription): void {
    const unclaimed = [...this.#unclaimed];
    this.#unclaimed = new RingQueue();
    const mine: IncomingMessage[] = [];
    for (const message of unclaimed) {
      if (subscription.matches(message.topicName)) mine.push(message);
      else this.#unclaimed.push(message);
    }
    for (const message of mine) {
      subscription.offer(message);
      message.done();
    }
    this.#flow.removed(mine.length);
  }

  /** There is a listener for all messages now: it takes the place of loops that have not begun, and gets what waits for them. */
  listenerAdded(): void {
    // Not from within `on`, but before anything else can come in.
    void Promise.resolve().then(() => {
      const waiting = this.#takeUnclaimed();
      for (const { consumer } of this.#subscriptions.all()) {
        if (consumer instanceof LoopConsumer) waiting.push(...consumer.takeUnclaimed());
      }
      for (const message of waiting) {
        this.#events.tell(message);
        message.done();
      }
    });
  }

  close(): void {
    this.#letGo();
  }

  /** Nobody wanted them. */
  #letGo(): void {
    for (const message of this.#takeUnclaimed()) message.done();
  }

  #takeUnclaimed(): IncomingMessage[] {
    if (this.#claimTimer !== undefined) this.#clock.clearTimer(this.#claimTimer);
    this.#claimTimer = undefined;
    const unclaimed = [...this.#unclaimed];
    this.#unclaimed.clear();
    this.#flow.removed(unclaimed.length);
    return unclaimed;
  }
}
