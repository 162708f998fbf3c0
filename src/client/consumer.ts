/**
 * Hands messages to one reader at its own pace: to a callback, of which one at a time is running, or to a loop.
 *
 *     offer ─▶ callback idle ───▶ callback(message) ─┐
 *          └─▶ otherwise ─▶ queue ◀───── promise done┘       counted by `flow`, which holds the server back
 *          └─▶ loop ─▶ queue ─▶ next()                       done when the loop comes back for the next
 */
import { RingQueue } from '../base/ring-queue.ts';
import type { IncomingMessage } from './incoming.ts';
import type { ReceivedMessage } from './types.ts';

/** Counts what waits in all queues of a client, and stops and starts reading. */
export interface Flow {
  added(): void;
  removed(count: number): void;
}

export type MessageHandler = (message: ReceivedMessage) => void | Promise<void>;

export class CallbackConsumer {
  readonly #flow: Flow;
  readonly #handler: MessageHandler;
  readonly #onError: (error: unknown) => void;
  readonly #queue = new RingQueue<IncomingMessage>();
  #isBusy = false;

  constructor(flow: Flow, handler: MessageHandler, onError: (error: unknown) => void) {
    this.#flow = flow;
    this.#handler = handler;
    this.#onError = onError;
  }

  offer(message: IncomingMessage): void {
    message.begin();
    if (!this.#isBusy) {
      this.#call(message);
      return;
    }
    this.#queue.push(message);
    this.#flow.added();
  }

  /** Lets go of what waits, unread: after a crash-like end. */
  discard(): void {
    this.#flow.removed(this.#queue.length);
    this.#queue.clear();
  }

  #call(message: IncomingMessage): void {
    // Set during the call as well: a callback that makes another message come in must not be called from within itself.
    this.#isBusy = true;
    let result: void | Promise<void>;
    try {
      result = this.#handler(message);
    } catch (error) {
      this.#failed(message, error);
      this.#next();
      return;
    }
    if (result === undefined || typeof result.then !== 'function') {
      message.done();
      this.#next();
      return;
    }
    result.then(
      () => {
        message.done();
        this.#next();
      },
      (error: unknown) => {
        this.#failed(message, error);
        this.#next();
      },
    );
  }

  #next(): void {
    this.#isBusy = false;
    const message = this.#queue.shift();
    if (message === undefined) return;
    // First the call, which sets the callback busy: the room made may let more messages in at once.
    this.#call(message);
    this.#flow.removed(1);
  }

  #failed(message: IncomingMessage, error: unknown): void {
    message.fail();
    this.#onError(error);
  }
}

interface Waiter {
  give(message: IncomingMessage): void;
  end(error: Error | undefined): void;
}

const finished: IteratorResult<ReceivedMessage> = { done: true, value: undefined };

export class LoopConsumer {
  readonly #flow: Flow;
  /** Whether messages need not be kept for a loop that may never come, because somebody else takes them. */
  readonly #isReadElsewhere: () => boolean;
  readonly #onLeave: () => void;
  readonly #queue = new RingQueue<IncomingMessage>();
  /** Read elsewhere already, kept for a loop that may begin in this turn. They hold nobody back. */
  readonly #kept = new RingQueue<IncomingMessage>();
  #mayKeep = true;
  readonly #waiters = new RingQueue<Waiter>();
  #hasLoop = false;
  #isOver = false;
  #error: Error | undefined;

  /** @param onLeave called when a loop is left early */
  constructor(flow: Flow, isReadElsewhere: () => boolean, onLeave: () => void) {
    this.#flow = flow;
    this.#isReadElsewhere = isReadElsewhere;
    this.#onLeave = onLeave;
  }

  offer(message: IncomingMessage): void {
    if (this.#isOver) return;
    if (!this.#hasLoop && this.#isReadElsewhere()) {
      if (this.#mayKeep) this.#kept.push(message);
      return;
    }
    message.begin();
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.give(message);
      return;
    }
    this.#queue.push(message);
    this.#flow.added();
  }

  /** The turn in which the caller got the subscription is over: a loop that has not begun is not waited for. */
  stopKeeping(): void {
    this.#mayKeep = false;
    if (!this.#hasLoop) this.#kept.clear();
  }

  /** Gives away what waits for a loop that has not begun; the receiver must call `done` on each. */
  takeUnclaimed(): IncomingMessage[] {
    if (this.#hasLoop) return [];
    const messages = [...this.#queue];
    this.#queue.clear();
    this.#flow.removed(messages.length);
    return messages;
  }

  /** No more will come; what waits can still be read. */
  finish(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      waiter.end(this.#takeError());
    }
  }

  /** Lets go of what waits, unread. */
  discard(): void {
    const messages = [...this.#queue];
    this.#queue.clear();
    this.#kept.clear();
    for (const message of messages) message.done();
    this.#flow.removed(messages.length);
  }

  /** The error is thrown to one loop, once. */
  #takeError(): Error | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  iterate(): AsyncIterator<ReceivedMessage> {
    this.#hasLoop = true;
    let current: IncomingMessage | undefined;
    let hasLeft = false;
    const finishCurrent = (): void => {
      const message = current;
      current = undefined;
      message?.done();
    };
    return {
      next: () => {
        finishCurrent();
        if (hasLeft) return Promise.resolve(finished);
        const kept = this.#kept.shift();
        if (kept !== undefined) return Promise.resolve({ done: false, value: kept });
        const message = this.#queue.shift();
        if (message !== undefined) {
          current = message;
          this.#flow.removed(1);
          return Promise.resolve({ done: false, value: message });
        }
        if (this.#isOver) {
          const error = this.#takeError();
          return error === undefined ? Promise.resolve(finished) : Promise.reject(error);
        }
        return new Promise((resolve, reject) => {
          this.#waiters.push({
            give: (message) => {
              current = message;
              resolve({ done: false, value: message });
            },
            end: (error) => (error === undefined ? resolve(finished) : reject(error)),
          });
        });
      },
      return: () => {
        finishCurrent();
        if (!hasLeft) {
          hasLeft = true;
          this.#isOver = true;
          this.discard();
          this.#onLeave();
        }
        return Promise.resolve(finished);
      },
    };
  }
}
