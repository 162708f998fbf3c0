/**
 * What is needed of a runtime to open recorded TLS: hashes and ciphers, at once (no promises, as packets are dissected in their order). Node brings
 * them in `capture/node/tls-ciphers.ts`.
 */

export type HashName = 'sha1' | 'sha256' | 'sha384';

/** Names as OpenSSL has them. */
export type AeadName =
  | 'aes-128-gcm'
  | 'aes-256-gcm'
  | 'aes-128-ccm'
  | 'aes-256-ccm'
  | 'aria-128-gcm'
  | 'aria-256-gcm'
  | 'chacha20-poly1305';

export type CbcName = 'aes-128-cbc' | 'aes-256-cbc';

export interface TlsCiphers {
  hash(hash: HashName, data: Uint8Array): Uint8Array;
  hmac(hash: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;
  /**
   * @param tagLength - bytes of the tag, 8 or 16
   * @returns undefined if the runtime has no such cipher
   */
  openAead(cipher: AeadName, key: Uint8Array, tagLength: number): AeadCipher | undefined;
  /** @returns undefined if the runtime has no such cipher */
  openCbc(cipher: CbcName, key: Uint8Array): CbcCipher | undefined;
}

/** One key. */
export interface AeadCipher {
  /**
   * @param nonce - 12 bytes; they may change afterwards
   * @param additional - likewise
   * @param sealed - what is encrypted, and the tag
   * @returns the plain bytes, in an array of their own; undefined if they were not sealed so
   */
  open(nonce: Uint8Array, additional: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

/** One key. */
export interface CbcCipher {
  /** @param blocks - whole blocks of 16 bytes. Padding is left in what is returned. */
  decrypt(initial: Uint8Array, blocks: Uint8Array): Uint8Array;
}
