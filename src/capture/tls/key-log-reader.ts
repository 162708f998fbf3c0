/**
 * Reads the lines of a key log into a table. The format is NSS's, of the environment variable SSLKEYLOGFILE, with what else Wireshark takes:
 *
 *     # comment
 *     CLIENT_RANDOM <client random> <master secret>
 *     PMS_CLIENT_RANDOM <client random> <premaster secret>
 *     RSA <first eight bytes of the encrypted premaster secret> <premaster secret>
 *     RSA Session-ID:<session identifier> Master-Key:<master secret>
 *     CLIENT_EARLY_TRAFFIC_SECRET, CLIENT_HANDSHAKE_TRAFFIC_SECRET, SERVER_HANDSHAKE_TRAFFIC_SECRET,
 *     CLIENT_TRAFFIC_SECRET_N, SERVER_TRAFFIC_SECRET_N <client random> <secret>
 */
import { masterSecretLength } from './key-schedule.ts';
import { applicationTraffic, type SecretTable, secretKinds, trafficGenerations } from './secret-table.ts';
import { latin1Bytes } from './tls-bytes.ts';

const newLine = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tabulator = 0x09;
const numberSign = 0x23;

/** Longer lines are skipped: the largest premaster secrets, of Diffie-Hellman with 8,192 bits, take 2,130. */
const lineBytesMax = 8192;
const randomLength = 32;
/** [RFC 5246 §7.4.1.2] */
const sessionIdentifierMax = 32;

interface Label {
  readonly bytes: Uint8Array;
  readonly kind: number;
  /** Of the secrets that it names; 0: any. */
  readonly secretLengths: readonly number[];
}

const trafficLengths = [32, 48];

function label(text: string, kind: number, secretLengths: readonly number[]): Label {
  return { bytes: latin1Bytes(text), kind, secretLengths };
}

/** Labels whose identifier is a client random. EARLY_TRAFFIC_SECRET is a name from a draft of TLS 1.3. */
const labels: readonly Label[] = [
  label('CLIENT_RANDOM', secretKinds.master, [masterSecretLength]),
  label('PMS_CLIENT_RANDOM', secretKinds.preMaster, []),
  label('CLIENT_EARLY_TRAFFIC_SECRET', secretKinds.clientEarlyTraffic, trafficLengths),
  label('EARLY_TRAFFIC_SECRET', secretKinds.clientEarlyTraffic, trafficLengths),
  label('CLIENT_HANDSHAKE_TRAFFIC_SECRET', secretKinds.clientHandshakeTraffic, trafficLengths),
  label('SERVER_HANDSHAKE_TRAFFIC_SECRET', secretKinds.serverHandshakeTraffic, trafficLengths),
];
/** With the number of the key generation behind. */
const numberedLabels: readonly Label[] = [
  label('CLIENT_TRAFFIC_SECRET_', applicationTraffic(0, 0), trafficLengths),
  label('SERVER_TRAFFIC_SECRET_', applicationTraffic(1, 0), trafficLengths),
];
/** Of secrets that open no records. */
const otherLabels: readonly Uint8Array[] = [
  'EXPORTER_SECRET',
  'EARLY_EXPORTER_SECRET',
  'EARLY_EXPORTER_MASTER_SECRET',
  'ECH_SECRET',
  'ECH_CONFIG',
].map(latin1Bytes);
const rsaLabel = latin1Bytes('RSA');
const sessionPrefix = latin1Bytes('Session-ID:');
const masterPrefix = latin1Bytes('Master-Key:');

/** Value of each hexadecimal digit; 255 for what is none. */
const digitValues = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  digitValues[digit.charCodeAt(0)] = value;
  digitValues[digit.toUpperCase().charCodeAt(0)] = value;
}

export class KeyLogReader {
  /** Lines with a secret that is of use. */
  secrets = 0;
  /** Lines that are neither that nor empty, a comment, or a secret of another use. */
  skippedLines = 0;
  readonly #table: SecretTable;
  /** The beginning of a line whose end has not come: `#partial[0..#partialLength)`. */
  readonly #partial = new Uint8Array(lineBytesMax);
  #partialLength = 0;
  /** In a line that is too long. */
  #isSkipping = false;
  readonly #identifier = new Uint8Array(randomLength);
  readonly #secret = new Uint8Array(lineBytesMax / 2);

  constructor(table: SecretTable) {
    this.#table = table;
  }

  push(bytes: Uint8Array): void {
    let start = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(newLine, start);
      if (end === -1) break;
      if (this.#partialLength > 0 || this.#isSkipping) {
        this.#append(bytes, start, end);
        if (!this.#isSkipping) this.#take(this.#partial, 0, this.#partialLength);
        this.#partialLength = 0;
        this.#isSkipping = false;
      } else if (end - start > lineBytesMax) this.skippedLines++;
      else this.#take(bytes, start, end);
      start = end + 1;
    }
    this.#append(bytes, start, bytes.length);
  }

  /** Takes a last line without its end, if it is one: there may come more of it, which then counts instead. */
  peek(): void {
    const { secrets, skippedLines } = this;
    this.#take(this.#partial, 0, this.#partialLength);
    this.skippedLines = skippedLines;
    this.secrets = Math.max(secrets, this.secrets);
  }

  #append(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isSkipping || start === end) return;
    if (this.#partialLength + (end - start) > lineBytesMax) {
      this.skippedLines++;
      this.#isSkipping = true;
      return;
    }
    this.#partial.set(bytes.subarray(start, end), this.#partialLength);
    this.#partialLength += end - start;
  }

  #take(bytes: Uint8Array, lineStart: number, lineEnd: number): void {
    let start = lineStart;
    let end = lineEnd;
    while (start < end && isBlank(bytes[start]!)) start++;
    while (end > start && (isBlank(bytes[end - 1]!) || bytes[end - 1] === carriageReturn)) end--;
    if (start === end || bytes[start] === numberSign) return;
    const labelEnd = wordEnd(bytes, start, end);
    const kind = this.#readSecret(bytes, start, labelEnd, end);
    if (kind === undefined) this.skippedLines++;
  }

  /** Whether the line is understood; undefined if not. */
  #readSecret(bytes: Uint8Array, start: number, labelEnd: number, end: number): true | undefined {
    const first = nextWord(bytes, labelEnd, end);
    const firstEnd = wordEnd(bytes, first, end);
    const second = nextWord(bytes, firstEnd, end);
    const secondEnd = wordEnd(bytes, second, end);
    if (second === secondEnd || secondEnd !== end) return undefined;
    if (isWord(bytes, start, labelEnd, rsaLabel)) return this.#readRsa(bytes, first, firstEnd, second, end);
    let kind: number | undefined;
    let secretLengths: readonly number[] = [];
    for (let index = 0; index < labels.length; index++) {
      const known = labels[index]!;
      if (!isWord(bytes, start, labelEnd, known.bytes)) continue;
      kind = known.kind;
      secretLengths = known.secretLengths;
      break;
    }
    if (kind === undefined) {
      for (const known of numberedLabels) {
        if (!startsWith(bytes, start, labelEnd, known.bytes)) continue;
        const generation = readNumber(bytes, start + known.bytes.length, labelEnd);
        if (generation === undefined || generation >= trafficGenerations) return undefined;
        kind = known.kind + 2 * generation;
        secretLengths = known.secretLengths;
      }
    }
    if (kind === undefined) return otherLabels.some((word) => isWord(bytes, start, labelEnd, word)) || undefined;
    if (readHexadecimal(bytes, first, firstEnd, this.#identifier) !== randomLength) return undefined;
    const length = readHexadecimal(bytes, second, secondEnd, this.#secret);
    if (length === 0 || (secretLengths.length > 0 && !secretLengths.includes(length))) return undefined;
    return this.#add(kind, randomLength, length);
  }

  #readRsa(bytes: Uint8Array, first: number, firstEnd: number, second: number, secondEnd: number): true | undefined {
    const hasSession = startsWith(bytes, first, firstEnd, sessionPrefix);
    if (hasSession !== startsWith(bytes, second, secondEnd, masterPrefix)) return undefined;
    const identifierStart = hasSession ? first + sessionPrefix.length : first;
    const identifierLength = readHexadecimal(bytes, identifierStart, firstEnd, this.#identifier);
    const secretStart = hasSession ? second + masterPrefix.length : second;
    const secretLength = readHexadecimal(bytes, secretStart, secondEnd, this.#secret);
    if (secretLength !== masterSecretLength) return undefined;
    if (hasSession) {
      if (identifierLength < 1 || identifierLength > sessionIdentifierMax) return undefined;
      return this.#add(secretKinds.sessionMaster, identifierLength, secretLength);
    }
    return identifierLength === 8 ? this.#add(secretKinds.rsaPreMaster, 8, secretLength) : undefined;
  }

  #add(kind: number, identifierLength: number, secretLength: number): true {
    this.#table.add(kind, this.#identifier.subarray(0, identifierLength), this.#secret.subarray(0, secretLength));
    this.secrets++;
    return true;
  }
}

function isBlank(byte: number): boolean {
  return byte === space || byte === tabulator;
}

function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && !isBlank(bytes[at]!)) at++;
  return at;
}

function nextWord(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at]!)) at++;
  return at;
}

function isWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  return end - start === word.length && startsWith(bytes, start, end, word);
}

function startsWith(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start < word.length) return false;
  for (let index = 0; index < word.length; index++) if (bytes[start + index] !== word[index]) return false;
  return true;
}

/** Decimal digits, up to four. */
function readNumber(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (start === end || end - start > 4) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = digitValues[bytes[at]!]!;
    if (digit > 9) return undefined;
    value = 10 * value + digit;
  }
  return value;
}

/** How many bytes the digits are, which `target` has then; 0 if they are none, -1 if it has no room for them. */
function readHexadecimal(bytes: Uint8Array, start: number, end: number, target: Uint8Array): number {
  const length = (end - start) >>> 1;
  if ((end - start) % 2 !== 0) return 0;
  if (length > target.length) return -1;
  for (let index = 0, at = start; index < length; index++, at += 2) {
    const high = digitValues[bytes[at]!]!;
    const low = digitValues[bytes[at + 1]!]!;
    if (high > 15 || low > 15) return 0;
    target[index] = (high << 4) | low;
  }
  return length;
}
