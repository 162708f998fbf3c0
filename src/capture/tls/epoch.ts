/**
 * The time in which one direction uses the same keys.
 *
 *     TLS 1.2   plain ─▶ keyed (from each ChangeCipherSpec)
 *     TLS 1.3   plain ─▶ [early] ─▶ handshake ─▶ application 0 ─▶ application 1 … (from each KeyUpdate)
 */
import type { OpenedRecord, RecordProtection } from './record-protection.ts';

export type Stage = 'keyed' | 'early' | 'handshake' | 'application';

export class Epoch {
  readonly stage: Stage;
  /** Of `application`: key updates before it. */
  readonly generation: number;
  /** Keys that may be those in use: one as a rule, more while the cipher suite is not known, none while secrets are missing. */
  protections: readonly RecordProtection[] = [];
  /** Of `application`: what the next generation is made of; undefined while secrets are missing. */
  secret: Uint8Array | undefined = undefined;
  /** Number of the next record, if none was missed. */
  sequence = 0;
  /** What `SecretTable.changes` was when keys were looked for, -1 before. */
  lookedAt = -1;
  /** Whether a record was opened: then `protections` are right. */
  isProven = false;
  /** The one that follows, once it was looked for. */
  next: Epoch | undefined = undefined;

  constructor(stage: Stage, generation = 0) {
    this.stage = stage;
    this.generation = generation;
  }

  /** Tries a record as the one of that number. */
  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    for (const protection of this.protections) {
      const opened = protection.open(sequence, contentType, version, fragment);
      if (opened === undefined) continue;
      if (!this.isProven) {
        this.protections = [protection];
        this.isProven = true;
      }
      this.sequence = sequence + 1;
      return opened;
    }
    return undefined;
  }

  /** The number that the record itself shows, if it shows one. */
  suggest(fragment: Uint8Array): number | undefined {
    return this.protections[0]?.suggest(fragment, this.isProven ? this.sequence - 1 : -1);
  }
}
