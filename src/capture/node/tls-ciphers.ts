/** Hashes and ciphers for recorded TLS, from Node's OpenSSL. */
import {
  type CipherCCMTypes,
  type CipherGCMTypes,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  type DecipherGCM,
  getCiphers,
  type KeyObject,
} from 'node:crypto';
import type { AeadCipher, AeadName, CbcCipher, CbcName, HashName, TlsCiphers } from '../tls/tls-ciphers.ts';

/** Those of OpenSSL, which may lack some. */
const available = new Set(getCiphers());

/** A key object saves a quarter of the time for records of 1,400 bytes against its bytes: 4.2 and 5.0 µs, AES-128-GCM, Node 20. */
class NodeAead implements AeadCipher {
  readonly #cipher: AeadName;
  readonly #key: KeyObject;
  readonly #tagLength: number;
  readonly #options: { authTagLength: number };

  constructor(cipher: AeadName, key: Uint8Array, tagLength: number) {
    this.#cipher = cipher;
    this.#key = createSecretKey(key);
    this.#tagLength = tagLength;
    this.#options = { authTagLength: tagLength };
  }

  open(nonce: Uint8Array, additional: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const plaintextLength = sealed.length - this.#tagLength;
    if (plaintextLength < 0) return undefined;
    // The three families are used alike; the types have one signature for each.
    const decipher = createDecipheriv(
      this.#cipher as CipherGCMTypes & CipherCCMTypes,
      this.#key,
      nonce,
      this.#options,
    ) as unknown as DecipherGCM;
    try {
      decipher.setAuthTag(sealed.subarray(plaintextLength));
      decipher.setAAD(additional, { plaintextLength });
      const plain = decipher.update(sealed.subarray(0, plaintextLength));
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

class NodeCbc implements CbcCipher {
  readonly #cipher: CbcName;
  readonly #key: KeyObject;

  constructor(cipher: CbcName, key: Uint8Array) {
    this.#cipher = cipher;
    this.#key = createSecretKey(key);
  }

  decrypt(initial: Uint8Array, blocks: Uint8Array): Uint8Array {
    const decipher = createDecipheriv(this.#cipher, this.#key, initial);
    decipher.setAutoPadding(false);
    return decipher.update(blocks);
  }
}

export const nodeTlsCiphers: TlsCiphers = {
  hash(hash: HashName, data: Uint8Array): Uint8Array {
    return createHash(hash).update(data).digest();
  },
  hmac(hash: HashName, key: Uint8Array, data: Uint8Array): Uint8Array {
    return createHmac(hash, key).update(data).digest();
  },
  openAead(cipher: AeadName, key: Uint8Array, tagLength: number): AeadCipher | undefined {
    return available.has(cipher) ? new NodeAead(cipher, key, tagLength) : undefined;
  },
  openCbc(cipher: CbcName, key: Uint8Array): CbcCipher | undefined {
    return available.has(cipher) ? new NodeCbc(cipher, key) : undefined;
  },
};
