/** Opens records with the keys of one direction. Each kind makes nonce and additional data in its way. */
import type { CipherSuite } from './cipher-suites.ts';
import { expandLabel } from './key-schedule.ts';
import { isEqual, writeSequence } from './tls-bytes.ts';
import type { AeadCipher, AeadName, CbcCipher, CbcName, HashName, TlsCiphers } from './tls-ciphers.ts';

export interface OpenedRecord {
  readonly contentType: number;
  readonly bytes: Uint8Array;
}

export interface RecordProtection {
  /**
   * @param sequence - number of the record in its direction since the keys are in use, from 0
   * @param version - as the record's header has it
   * @returns undefined if it was not sealed with these keys and this number
   */
  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined;
  /**
   * The number that a record says it has, if the sender counts in what it shows of its nonce; undefined if it shows nothing.
   * @param known - number of the record that was opened last, -1 if none was
   */
  suggest(fragment: Uint8Array, known: number): number | undefined;
}

const nonceLength = 12;
/** TLS 1.2: sequence number, content type, version, length. [RFC 5246 §6.2.3.3] */
const additionalLength = 13;

function writeAdditional(
  additional: Uint8Array,
  sequence: number,
  contentType: number,
  version: number,
  length: number,
): void {
  writeSequence(additional, 0, sequence);
  additional[8] = contentType;
  additional[9] = version >>> 8;
  additional[10] = version;
  additional[11] = length >>> 8;
  additional[12] = length;
}

/** Puts IV xor sequence number into the nonce. [RFC 8446 §5.3] [RFC 7905 §2] */
function writeImplicitNonce(nonce: Uint8Array, initial: Uint8Array, sequence: number): void {
  nonce.set(initial);
  writeSequence(nonce, 4, sequence);
  for (let index = 4; index < nonceLength; index++) nonce[index] = nonce[index]! ^ initial[index]!;
}

/** TLS 1.3. [RFC 8446 §5.2] */
class Tls13Protection implements RecordProtection {
  readonly #cipher: AeadCipher;
  readonly #initial: Uint8Array;
  readonly #tagLength: number;
  readonly #nonce = new Uint8Array(nonceLength);
  readonly #additional = new Uint8Array(5);

  constructor(cipher: AeadCipher, initial: Uint8Array, tagLength: number) {
    this.#cipher = cipher;
    this.#initial = initial;
    this.#tagLength = tagLength;
  }

  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const { length } = fragment;
    if (length <= this.#tagLength) return undefined;
    writeImplicitNonce(this.#nonce, this.#initial, sequence);
    const additional = this.#additional;
    additional[0] = contentType;
    additional[1] = version >>> 8;
    additional[2] = version;
    additional[3] = length >>> 8;
    additional[4] = length;
    const inner = this.#cipher.open(this.#nonce, additional, fragment);
    if (inner === undefined) return undefined;
    // Content, its type, zeros. [RFC 8446 §5.4]
    let last = inner.length - 1;
    while (last >= 0 && inner[last] === 0) last--;
    if (last < 0) return undefined;
    return { contentType: inner[last]!, bytes: inner.subarray(0, last) };
  }

  suggest(): undefined {
    return undefined;
  }
}

const explicitLength = 8;

/** TLS 1.2 with GCM or CCM. [RFC 5288 §3] [RFC 6655 §3] */
class ExplicitProtection implements RecordProtection {
  readonly #cipher: AeadCipher;
  readonly #tagLength: number;
  readonly #nonce = new Uint8Array(nonceLength);
  readonly #additional = new Uint8Array(additionalLength);
  /** What the record that was opened last showed of its nonce, in two halves. */
  #lastHigh = 0;
  #lastLow = 0;

  constructor(cipher: AeadCipher, initial: Uint8Array, tagLength: number) {
    this.#cipher = cipher;
    this.#tagLength = tagLength;
    this.#nonce.set(initial);
  }

  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const length = fragment.length - explicitLength - this.#tagLength;
    if (length < 0) return undefined;
    const nonce = this.#nonce;
    for (let index = 0; index < explicitLength; index++) nonce[4 + index] = fragment[index]!;
    writeAdditional(this.#additional, sequence, contentType, version, length);
    const bytes = this.#cipher.open(nonce, this.#additional, fragment.subarray(explicitLength));
    if (bytes === undefined) return undefined;
    this.#lastHigh = uint32At(fragment, 0);
    this.#lastLow = uint32At(fragment, 4);
    return { contentType, bytes };
  }

  /** Senders count in these bytes, from 0 or from anywhere. */
  suggest(fragment: Uint8Array, known: number): number | undefined {
    if (fragment.length < explicitLength) return undefined;
    const high = uint32At(fragment, 0);
    const low = uint32At(fragment, 4);
    if (known < 0) return high === 0 ? low : undefined;
    const ahead = (high - this.#lastHigh) * 0x1_0000_0000 + (low - this.#lastLow);
    return ahead > 0 && ahead < 0x1_0000_0000 ? known + ahead : undefined;
  }
}

function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** TLS 1.2 with ChaCha20. [RFC 7905 §2] */
class ImplicitProtection implements RecordProtection {
  readonly #cipher: AeadCipher;
  readonly #initial: Uint8Array;
  readonly #tagLength: number;
  readonly #nonce = new Uint8Array(nonceLength);
  readonly #additional = new Uint8Array(additionalLength);

  constructor(cipher: AeadCipher, initial: Uint8Array, tagLength: number) {
    this.#cipher = cipher;
    this.#initial = initial;
    this.#tagLength = tagLength;
  }

  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const length = fragment.length - this.#tagLength;
    if (length < 0) return undefined;
    writeImplicitNonce(this.#nonce, this.#initial, sequence);
    writeAdditional(this.#additional, sequence, contentType, version, length);
    const bytes = this.#cipher.open(this.#nonce, this.#additional, fragment);
    return bytes === undefined ? undefined : { contentType, bytes };
  }

  suggest(): undefined {
    return undefined;
  }
}

const blockLength = 16;

/** TLS 1.2 with a block cipher: the HMAC is within [RFC 5246 §6.2.3.2], or around [RFC 7366 §3]. */
class CbcProtection implements RecordProtection {
  readonly #ciphers: TlsCiphers;
  readonly #cipher: CbcCipher;
  readonly #mac: HashName;
  readonly #macKey: Uint8Array;
  readonly #macLength: number;
  readonly #encryptsFirst: boolean;

  constructor(ciphers: TlsCiphers, cipher: CbcCipher, suite: CipherSuite, macKey: Uint8Array, encryptsFirst: boolean) {
    this.#ciphers = ciphers;
    this.#cipher = cipher;
    this.#mac = suite.mac;
    this.#macKey = macKey;
    this.#macLength = suite.tagLength;
    this.#encryptsFirst = encryptsFirst;
  }

  open(sequence: number, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const macLength = this.#macLength;
    const end = this.#encryptsFirst ? fragment.length - macLength : fragment.length;
    if (end < 2 * blockLength || end % blockLength !== 0) return undefined;
    const encrypted = fragment.subarray(0, end);
    if (this.#encryptsFirst) {
      const mac = this.#macOf(sequence, contentType, version, encrypted);
      if (!isEqual(mac, fragment.subarray(end))) return undefined;
    }
    const plain = this.#cipher.decrypt(encrypted.subarray(0, blockLength), encrypted.subarray(blockLength));
    const unpadded = plain.length - 1 - plain[plain.length - 1]!;
    if (this.#encryptsFirst) return unpadded < 0 ? undefined : { contentType, bytes: plain.subarray(0, unpadded) };
    const contentEnd = unpadded - macLength;
    if (contentEnd < 0) return undefined;
    const bytes = plain.subarray(0, contentEnd);
    const mac = this.#macOf(sequence, contentType, version, bytes);
    return isEqual(mac, plain.subarray(contentEnd, unpadded)) ? { contentType, bytes } : undefined;
  }

  suggest(): undefined {
    return undefined;
  }

  #macOf(sequence: number, contentType: number, version: number, bytes: Uint8Array): Uint8Array {
    const input = new Uint8Array(additionalLength + bytes.length);
    writeAdditional(input, sequence, contentType, version, bytes.length);
    input.set(bytes, additionalLength);
    return this.#ciphers.hmac(this.#mac, this.#macKey, input);
  }
}

/**
 * Keys of TLS 1.3 from a traffic secret. [RFC 8446 §7.3]
 * @returns undefined if the runtime has no such cipher
 */
export function protectTls13(
  ciphers: TlsCiphers,
  suite: CipherSuite,
  trafficSecret: Uint8Array,
): RecordProtection | undefined {
  const key = expandLabel(ciphers, suite.hash, trafficSecret, 'key', suite.keyLength);
  const cipher = ciphers.openAead(suite.cipher as AeadName, key, suite.tagLength);
  if (cipher === undefined) return undefined;
  return new Tls13Protection(
    cipher,
    expandLabel(ciphers, suite.hash, trafficSecret, 'iv', nonceLength),
    suite.tagLength,
  );
}

/** How many bytes of the key block a suite of TLS 1.2 takes, both directions together. */
export function keyBlockLength(suite: CipherSuite): number {
  return 2 * (macKeyLength(suite) + suite.keyLength + initialLength(suite));
}

function macKeyLength({ kind, tagLength }: CipherSuite): number {
  return kind === 'cbc' ? tagLength : 0;
}

function initialLength({ kind }: CipherSuite): number {
  return kind === 'explicit' ? 4 : kind === 'implicit' ? nonceLength : 0;
}

/**
 * Keys of TLS 1.2 from its key block: MAC keys, keys, IVs, of each the client's first. [RFC 5246 §6.3]
 * @param direction - whose records they open: 0 the client's, 1 the server's
 * @param encryptsFirst - whether Encrypt-then-MAC was agreed
 * @returns undefined if the runtime has no such cipher
 */
export function protectTls12(
  ciphers: TlsCiphers,
  suite: CipherSuite,
  keyBlock: Uint8Array,
  direction: 0 | 1,
  encryptsFirst: boolean,
): RecordProtection | undefined {
  const macLength = macKeyLength(suite);
  const keysStart = 2 * macLength;
  const initialsStart = keysStart + 2 * suite.keyLength;
  const part = (start: number, length: number): Uint8Array =>
    keyBlock.slice(start + direction * length, start + (direction + 1) * length);
  const key = part(keysStart, suite.keyLength);
  if (suite.kind === 'cbc') {
    const cipher = ciphers.openCbc(suite.cipher as CbcName, key);
    return cipher && new CbcProtection(ciphers, cipher, suite, part(0, macLength), encryptsFirst);
  }
  const cipher = ciphers.openAead(suite.cipher as AeadName, key, suite.tagLength);
  if (cipher === undefined) return undefined;
  const initial = part(initialsStart, initialLength(suite));
  const Protection = suite.kind === 'explicit' ? ExplicitProtection : ImplicitProtection;
  return new Protection(cipher, initial, suite.tagLength);
}
