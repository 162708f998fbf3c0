/** A Session's place in the store. */
import type { Delivery } from '../delivery.ts';
import type { AcknowledgementPace } from './acknowledgement-pace.ts';

/** A queue of more than this is not over soon. */
const shortQueueMax = 128;

export class SessionEntry {
  /** Begins the keys of what hangs on it. */
  readonly number: number;
  /** Undefined until something is sent to its client. */
  pace: AcknowledgementPace | undefined = undefined;
  /** Deliveries put while they could not be sent yet, and not sent since. */
  queuedCount = 0;

  constructor(number: number) {
    this.number = number;
  }

  /** A delivery is put. Returns whether it is likely to be over soon. */
  expectsSoon(delivery: Delivery): boolean {
    if (delivery.state !== 'idle') return true;
    delivery.isCounted = true;
    return ++this.queuedCount <= shortQueueMax;
  }

  /** A delivery is in the queue no more. */
  leftQueue(delivery: Delivery): void {
    if (!delivery.isCounted) return;
    delivery.isCounted = false;
    this.queuedCount--;
  }
}
