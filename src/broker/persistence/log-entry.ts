/** A message's place in the log of a store. */
import type { StoredPayload } from '../message.ts';

/** What reads the log back. */
export interface LogReader {
  /** @throws {StorageError} if the record is missing or damaged */
  readPayload(sequence: number): Uint8Array;
}

export class LogEntry implements StoredPayload {
  readonly log: LogReader;
  /** Its key: rises with every message that is kept. */
  readonly sequence: number;
  /** Bytes of payload. */
  readonly length: number;
  /** Deliveries and unreleased QoS 2 messages that refer to it; at 0 its record goes. */
  references = 0;
  /** Called, once, when it needs no more care: it is committed, or all who waited for it have it. */
  onKept: (() => void) | undefined = undefined;
  /** Whether it is committed. */
  isCommitted = false;
  /** Whether somebody may let it wait for long. */
  isLasting = false;

  constructor(log: LogReader, sequence: number, length: number) {
    this.log = log;
    this.sequence = sequence;
    this.length = length;
  }

  /** It needs no more care. */
  callKept(): void {
    const { onKept } = this;
    this.onKept = undefined;
    onKept?.();
  }

  read(): Uint8Array {
    return this.log.readPayload(this.sequence);
  }
}
