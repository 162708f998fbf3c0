/**
 * What turns records of TLS into what was said. The dissector knows no ciphers: who has secrets gives it one of these, for each connection a
 * decryptor of its own. Without one, TLS stays opaque.
 */
import type { Direction, Flow } from '../capture/flow.ts';

export interface TlsDecryption {
  begin(flow: Flow): TlsDecryptor;
}

/** One connection. Never throws, whatever the bytes. */
export interface TlsDecryptor {
  /**
   * Takes the next record of a direction, plain ones included: what it needs of handshakes it finds out itself.
   * @param contentType - as the record's header has it
   * @param version - as the record's header has it
   * @param fragment - the record without its five bytes of header
   * @returns undefined if the record is plain, or cannot be decrypted
   */
  receive(
    direction: Direction,
    contentType: number,
    version: number,
    fragment: Uint8Array,
  ): DecryptedRecord | undefined;
  /** Says that bytes of a direction are missing: how many records were in them, nobody knows. */
  lose(direction: Direction): void;
}

export interface DecryptedRecord {
  /** What it really is, which TLS 1.3 hides: 21 alert, 22 handshake, 23 application data. */
  readonly contentType: number;
  readonly bytes: Uint8Array;
}
