/** From secrets to keys: the PRF of TLS 1.2 [RFC 5246 §5] and HKDF-Expand-Label of TLS 1.3 [RFC 8446 §7.1]. */
import { concatenate, latin1Bytes } from './tls-bytes.ts';
import type { HashName, TlsCiphers } from './tls-ciphers.ts';

export const masterSecretLength = 48;

/** Bytes of a hash. */
export function hashLength(hash: HashName): number {
  return hash === 'sha384' ? 48 : hash === 'sha256' ? 32 : 20;
}

/** PRF(secret, label, seed)[0..length) of TLS 1.2. [RFC 5246 §5] */
export function pseudoRandom(
  ciphers: TlsCiphers,
  hash: HashName,
  secret: Uint8Array,
  label: string,
  seed: Uint8Array,
  length: number,
): Uint8Array {
  const labelAndSeed = concatenate(latin1Bytes(label), seed);
  const output = new Uint8Array(length);
  let round = labelAndSeed;
  for (let at = 0; at < length; ) {
    round = ciphers.hmac(hash, secret, round);
    const part = ciphers.hmac(hash, secret, concatenate(round, labelAndSeed));
    output.set(part.subarray(0, length - at), at);
    at += part.length;
  }
  return output;
}

/** What a premaster secret comes to. [RFC 5246 §8.1] */
export function masterSecret(
  ciphers: TlsCiphers,
  hash: HashName,
  preMasterSecret: Uint8Array,
  clientRandom: Uint8Array,
  serverRandom: Uint8Array,
): Uint8Array {
  const seed = concatenate(clientRandom, serverRandom);
  return pseudoRandom(ciphers, hash, preMasterSecret, 'master secret', seed, masterSecretLength);
}

/**
 * The same with Extended Master Secret.
 * @param sessionHash - of all handshake messages up to the ClientKeyExchange [RFC 7627 §4]
 */
export function extendedMasterSecret(
  ciphers: TlsCiphers,
  hash: HashName,
  preMasterSecret: Uint8Array,
  sessionHash: Uint8Array,
): Uint8Array {
  return pseudoRandom(ciphers, hash, preMasterSecret, 'extended master secret', sessionHash, masterSecretLength);
}

/** HKDF-Expand-Label(secret, label, "", length). [RFC 8446 §7.1] */
export function expandLabel(
  ciphers: TlsCiphers,
  hash: HashName,
  secret: Uint8Array,
  label: string,
  length: number,
): Uint8Array {
  const name = latin1Bytes(`tls13 ${label}`);
  //  length (2) │ length of the name (1) │ name │ length of the context (1): 0 │ round of HKDF (1)
  const info = new Uint8Array(3 + name.length + 2);
  info[0] = length >>> 8;
  info[1] = length;
  info[2] = name.length;
  info.set(name, 3);
  const output = new Uint8Array(length);
  let previous = new Uint8Array(0);
  for (let at = 0, round = 1; at < length; round++) {
    info[info.length - 1] = round;
    previous = new Uint8Array(ciphers.hmac(hash, secret, concatenate(previous, info)));
    output.set(previous.subarray(0, length - at), at);
    at += previous.length;
  }
  return output;
}

/** The secret after a KeyUpdate. [RFC 8446 §7.2] */
export function nextTrafficSecret(ciphers: TlsCiphers, hash: HashName, secret: Uint8Array): Uint8Array {
  return expandLabel(ciphers, hash, secret, 'traffic upd', hashLength(hash));
}
