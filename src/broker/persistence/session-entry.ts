/** A Session's place in the store. */
import type { AcknowledgementPace } from './acknowledgement-pace.ts';

export class SessionEntry {
  /** Begins the keys of what hangs on it. */
  readonly number: number;
  /** Undefined until something is sent to its client. */
  pace: AcknowledgementPace | undefined = undefined;

  constructor(number: number) {
    this.number = number;
  }
}
