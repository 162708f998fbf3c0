/** What of ClientHello and ServerHello matters for keys. RFC 8446 §4.1, RFC 5246 §7.4.1. */
import { type CipherSuite, findCipherSuite } from './cipher-suites.ts';
import { isEqual, latin1Text, uint16At, uint24At } from './tls-bytes.ts';

export const tls12 = 0x0303;
export const tls13 = 0x0304;

export interface ClientHello {
  /** 32 bytes. */
  readonly random: Uint8Array;
  /** Up to 32 bytes. */
  readonly sessionIdentifier: Uint8Array;
  /** Those of the offered ones that can be opened, TLS 1.3 only. */
  readonly tls13Suites: readonly CipherSuite[];
  /** Of a session to be resumed, as a key for maps; empty if none. [RFC 5077 §3.2] */
  readonly ticket: string;
  /** Whether data under early keys may follow. [RFC 8446 §4.2.10] */
  readonly offersEarlyData: boolean;
}

export interface ServerHello {
  /** 32 bytes. */
  readonly random: Uint8Array;
  readonly sessionIdentifier: Uint8Array;
  /** 0x0303 or 0x0304, or one of those that are not decrypted. */
  readonly version: number;
  /** undefined if it cannot be opened. */
  readonly suite: CipherSuite | undefined;
  readonly encryptsThenMacs: boolean;
  readonly extendsMasterSecret: boolean;
  /** It is a HelloRetryRequest: another ClientHello follows. [RFC 8446 §4.1.4] */
  readonly isRetryRequest: boolean;
}

const extension = {
  encryptThenMac: 22,
  extendedMasterSecret: 23,
  sessionTicket: 35,
  earlyData: 42,
  supportedVersions: 43,
} as const;

/** SHA-256 of "HelloRetryRequest". [RFC 8446 §4.1.3] */
const retryRandom = Uint8Array.from([
  0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
  0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
]);

/** header (4) │ version (2) │ random (32) │ length of the session identifier (1) */
const randomStart = 6;
const sessionStart = 38;
/** Bytes of a ticket that are compared: name of the key, IV, and the beginning of what is encrypted. */
const ticketBytesCompared = 128;

/** The first bytes of a ticket, as a key for maps. */
export function ticketKey(ticket: Uint8Array): string {
  return latin1Text(ticket.subarray(0, ticketBytesCompared));
}

/** @returns undefined if it is none */
export function parseClientHello(message: Uint8Array): ClientHello | undefined {
  const afterSession = skipSession(message);
  if (afterSession === undefined || afterSession + 2 > message.length) return undefined;
  const suitesEnd = afterSession + 2 + uint16At(message, afterSession);
  if (suitesEnd + 1 > message.length) return undefined;
  const tls13Suites: CipherSuite[] = [];
  for (let at = afterSession + 2; at + 2 <= suitesEnd; at += 2) {
    const suite = findCipherSuite(uint16At(message, at));
    if (suite?.kind === 'tls13' && !tls13Suites.includes(suite)) tls13Suites.push(suite);
  }
  let ticket = '';
  let offersEarlyData = false;
  const extensionsStart = suitesEnd + 1 + message[suitesEnd]!;
  forEachExtension(message, extensionsStart, (type, start, end) => {
    if (type === extension.sessionTicket) ticket = ticketKey(message.subarray(start, end));
    else if (type === extension.earlyData) offersEarlyData = true;
  });
  return {
    random: message.slice(randomStart, sessionStart),
    sessionIdentifier: message.slice(sessionStart + 1, afterSession),
    tls13Suites,
    ticket,
    offersEarlyData,
  };
}

/** @returns undefined if it is none */
export function parseServerHello(message: Uint8Array): ServerHello | undefined {
  const afterSession = skipSession(message);
  if (afterSession === undefined || afterSession + 3 > message.length) return undefined;
  let version = uint16At(message, 4);
  let encryptsThenMacs = false;
  let extendsMasterSecret = false;
  forEachExtension(message, afterSession + 3, (type, start, end) => {
    if (type === extension.supportedVersions && end - start === 2) version = uint16At(message, start);
    else if (type === extension.encryptThenMac) encryptsThenMacs = true;
    else if (type === extension.extendedMasterSecret) extendsMasterSecret = true;
  });
  const isCompressed = message[afterSession + 2] !== 0;
  const random = message.slice(randomStart, sessionStart);
  const suite = isCompressed ? undefined : findCipherSuite(uint16At(message, afterSession));
  return {
    random,
    sessionIdentifier: message.slice(sessionStart + 1, afterSession),
    version,
    suite: suite !== undefined && (suite.kind === 'tls13') === (version === tls13) ? suite : undefined,
    encryptsThenMacs,
    extendsMasterSecret,
    isRetryRequest: isEqual(random, retryRandom),
  };
}

/** Where the session identifier ends; undefined if it does not, or the message is not as long as it says. */
function skipSession(message: Uint8Array): number | undefined {
  if (message.length <= sessionStart || message[4] !== 3) return undefined;
  if (uint24At(message, 1) + 4 !== message.length) return undefined;
  const length = message[sessionStart]!;
  const end = sessionStart + 1 + length;
  return length > 32 || end > message.length ? undefined : end;
}

function forEachExtension(
  message: Uint8Array,
  start: number,
  handle: (type: number, start: number, end: number) => void,
): void {
  if (start + 2 > message.length) return;
  const end = Math.min(message.length, start + 2 + uint16At(message, start));
  for (let at = start + 2; at + 4 <= end; ) {
    const next = at + 4 + uint16At(message, at + 2);
    if (next > end) return;
    handle(uint16At(message, at), at + 4, next);
    at = next;
  }
}
