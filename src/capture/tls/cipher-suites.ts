/** Cipher suites whose records can be opened, by the numbers of IANA's registry "TLS Cipher Suites". */
import type { AeadName, CbcName, HashName } from './tls-ciphers.ts';

/** How keys and nonces are made. */
export type SuiteKind =
  /** TLS 1.3: nonce from the IV and the sequence number. [RFC 8446 §5.3] */
  | 'tls13'
  /** TLS 1.2, GCM and CCM: eight bytes of the nonce are in the record. [RFC 5288 §3] */
  | 'explicit'
  /** TLS 1.2, ChaCha20: nonce as in TLS 1.3. [RFC 7905 §2] */
  | 'implicit'
  /** TLS 1.2, a block cipher and an HMAC. [RFC 5246 §6.2.3.2] */
  | 'cbc';

export interface CipherSuite {
  readonly code: number;
  readonly kind: SuiteKind;
  readonly cipher: AeadName | CbcName;
  /** Of the key schedule or the PRF. */
  readonly hash: HashName;
  /** Bytes. */
  readonly keyLength: number;
  /** Bytes of the tag; of `cbc` of the HMAC. */
  readonly tagLength: number;
  /** Of `cbc`. */
  readonly mac: HashName;
}

const suites = new Map<number, CipherSuite>();

export function findCipherSuite(code: number): CipherSuite | undefined {
  return suites.get(code);
}

/** Those that there are, in no order. */
export function allCipherSuites(): IterableIterator<CipherSuite> {
  return suites.values();
}

function define(
  kind: SuiteKind,
  cipher: AeadName | CbcName,
  hash: HashName,
  tagLength: number,
  codes: readonly number[],
  mac: HashName = hash,
): void {
  const keyLength = cipher === 'chacha20-poly1305' || cipher.includes('256') ? 32 : 16;
  for (const code of codes) suites.set(code, { code, kind, cipher, hash, keyLength, tagLength, mac });
}

/** Pairs of suites: the one given has 128 bits, the next number 256. */
function following(codes: readonly number[]): number[] {
  return codes.map((code) => code + 1);
}

define('tls13', 'aes-128-gcm', 'sha256', 16, [0x1301]);
define('tls13', 'aes-256-gcm', 'sha384', 16, [0x1302]);
define('tls13', 'chacha20-poly1305', 'sha256', 16, [0x1303]);
define('tls13', 'aes-128-ccm', 'sha256', 16, [0x1304]);
define('tls13', 'aes-128-ccm', 'sha256', 8, [0x1305]);

/** RSA, DHE_RSA, DH_RSA, DHE_DSS, DH_DSS, DH_anon; PSK, DHE_PSK, RSA_PSK; ECDHE_ECDSA, ECDH_ECDSA, ECDHE_RSA, ECDH_RSA; ECDHE_PSK. */
const gcm = [0x9c, 0x9e, 0xa0, 0xa2, 0xa4, 0xa6, 0xa8, 0xaa, 0xac, 0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001];
define('explicit', 'aes-128-gcm', 'sha256', 16, gcm);
define('explicit', 'aes-256-gcm', 'sha384', 16, following(gcm));

/** RSA, DHE_RSA; PSK, DHE_PSK; ECDHE_ECDSA. ECDHE_PSK and ECJPAKE have 128 bits only. */
const ccm = [0xc09c, 0xc09e, 0xc0a4, 0xc0a6, 0xc0ac];
define('explicit', 'aes-128-ccm', 'sha256', 16, [...ccm, 0xd005]);
define('explicit', 'aes-256-ccm', 'sha256', 16, following(ccm));
const ccm8 = [0xc0a0, 0xc0a2, 0xc0a8, 0xc0aa, 0xc0ae];
define('explicit', 'aes-128-ccm', 'sha256', 8, [...ccm8, 0xc0ff, 0xd003]);
define('explicit', 'aes-256-ccm', 'sha256', 8, following(ccm8));

/** RSA, DHE_RSA, DH_RSA, DHE_DSS, DH_DSS, DH_anon; ECDHE_ECDSA, ECDH_ECDSA, ECDHE_RSA, ECDH_RSA; PSK, DHE_PSK, RSA_PSK. */
const aria = [0xc050, 0xc052, 0xc054, 0xc056, 0xc058, 0xc05a, 0xc05c, 0xc05e, 0xc060, 0xc062, 0xc06a, 0xc06c, 0xc06e];
define('explicit', 'aria-128-gcm', 'sha256', 16, aria);
define('explicit', 'aria-256-gcm', 'sha384', 16, following(aria));

/** ECDHE_RSA, ECDHE_ECDSA, DHE_RSA; PSK, ECDHE_PSK, DHE_PSK, RSA_PSK. */
define('implicit', 'chacha20-poly1305', 'sha256', 16, [0xcca8, 0xcca9, 0xccaa, 0xccab, 0xccac, 0xccad, 0xccae]);

/** RSA, DH_DSS, DH_RSA, DHE_DSS, DHE_RSA, DH_anon. */
const sha1Of128 = [0x2f, 0x30, 0x31, 0x32, 0x33, 0x34];
const sha1Of256 = sha1Of128.map((code) => code + 6);
/** PSK, DHE_PSK, RSA_PSK; ECDH_ECDSA, ECDHE_ECDSA, ECDH_RSA, ECDHE_RSA, ECDH_anon; ECDHE_PSK. */
const sha1Pairs = [0x8c, 0x90, 0x94, 0xc004, 0xc009, 0xc00e, 0xc013, 0xc018, 0xc035];
/** SRP_SHA, SRP_SHA_RSA, SRP_SHA_DSS. */
const sha1Srp = [0xc01d, 0xc01e, 0xc01f];
define('cbc', 'aes-128-cbc', 'sha256', 20, [...sha1Of128, ...sha1Pairs, ...sha1Srp], 'sha1');
define(
  'cbc',
  'aes-256-cbc',
  'sha256',
  20,
  [...sha1Of256, ...following(sha1Pairs), ...sha1Srp.map((code) => code + 3)],
  'sha1',
);
/** PSK, DHE_PSK, RSA_PSK; ECDHE_ECDSA, ECDH_ECDSA, ECDHE_RSA, ECDH_RSA; ECDHE_PSK: SHA-256 with 128 bits, SHA-384 with 256. */
const shaPairs = [0xae, 0xb2, 0xb6, 0xc023, 0xc025, 0xc027, 0xc029, 0xc037];
/** RSA, DH_DSS, DH_RSA, DHE_DSS, DHE_RSA, DH_anon: SHA-256 with both. */
define('cbc', 'aes-128-cbc', 'sha256', 32, [...shaPairs, 0x3c, 0x3e, 0x3f, 0x40, 0x67, 0x6c]);
define('cbc', 'aes-256-cbc', 'sha256', 32, [0x3d, 0x68, 0x69, 0x6a, 0x6b, 0x6d]);
define('cbc', 'aes-256-cbc', 'sha384', 48, following(shaPairs));
