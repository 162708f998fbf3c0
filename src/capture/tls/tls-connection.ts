/**
 * One recorded connection: follows its handshakes, finds its secrets, and opens its records. Nothing throws, whatever the bytes. Where records
 * are missing, the numbers after the expected one are tried, a bounded number of them, until one opens.
 */
import type { Direction } from '../flow.ts';
import { Epoch } from './epoch.ts';
import { type HandshakeHandler, HandshakeReader, handshakeTypes } from './handshake-reader.ts';
import {
  type ClientHello,
  parseClientHello,
  parseServerHello,
  type ServerHello,
  ticketKey,
  tls12,
  tls13,
} from './hello.ts';
import { extendedMasterSecret, hashLength, masterSecret, nextTrafficSecret, pseudoRandom } from './key-schedule.ts';
import {
  keyBlockLength,
  type OpenedRecord,
  protectTls12,
  protectTls13,
  type RecordProtection,
} from './record-protection.ts';
import { applicationTraffic, secretKinds } from './secret-table.ts';
import type { SessionMemory } from './session-memory.ts';
import { concatenate, latin1Text, uint16At } from './tls-bytes.ts';
import type { TlsCiphers } from './tls-ciphers.ts';
import type { TlsSecrets } from './tls-secrets.ts';

const contentTypes = { changeCipherSpec: 20, handshake: 22, applicationData: 23 } as const;

/** How far ahead a record is looked for after a loss, and where nothing was said to be lost. */
const lostRecordsMax = 1024;
const missedRecordsMax = 3;
/** How far into the next epochs, after a loss. */
const lostOfNextMax = 64;
/**
 * Attempts in vain that a direction has, about 7 µs each with Node's ciphers; each record that opens gives some back. One with a record of 16 KiB
 * takes three times as long and counts as five.
 */
const attemptsMax = 2048;
const attemptsPerRecord = 16;
const bytesPerAttempt = 4096;
/** Handshake messages kept for Extended Master Secret, where a premaster secret is known. */
const transcriptBytesMax = 256 * 1024;
/** Generations of keys in which a first application secret is looked for. */
const firstGenerationsMax = 8;

/** One direction. */
class Half {
  readonly direction: Direction;
  readonly reader = new HandshakeReader();
  readonly handle: HandshakeHandler;
  /** undefined while records are plain. */
  epoch: Epoch | undefined = undefined;
  /** Records are missing before the next one, it is not known how many. */
  isLost = false;
  attempts = attemptsMax;

  constructor(direction: Direction, handle: HandshakeHandler) {
    this.direction = direction;
    this.handle = handle;
  }
}

export class TlsConnection {
  readonly #secrets: TlsSecrets;
  readonly #ciphers: TlsCiphers;
  readonly #sessions: SessionMemory;
  readonly #halves: readonly [Half, Half];
  #client: ClientHello | undefined = undefined;
  #server: ServerHello | undefined = undefined;
  /** What was negotiated; 0 before. */
  #version = 0;
  /** TLS 1.2: of the handshake that was seen last; undefined while it is not known. */
  #master: Uint8Array | undefined = undefined;
  /** TLS 1.2: the client sent a ClientKeyExchange, so it is no session resumed. */
  #exchangesKeys = false;
  /** TLS 1.2: the first eight bytes of what it encrypted for the server, if that is how they agree. */
  #encryptedPreMaster: Uint8Array | undefined = undefined;
  /** TLS 1.2: of the session's ticket, for resuming it. */
  #ticket = '';
  /** Handshake messages since the ClientHello, while they may be needed. */
  #transcript: Uint8Array = new Uint8Array(0);
  #sessionHash: Uint8Array | undefined = undefined;

  constructor(secrets: TlsSecrets, ciphers: TlsCiphers, sessions: SessionMemory) {
    this.#secrets = secrets;
    this.#ciphers = ciphers;
    this.#sessions = sessions;
    this.#halves = [
      new Half(0, (type, message) => this.#takeMessage(0, type, message)),
      new Half(1, (type, message) => this.#takeMessage(1, type, message)),
    ];
  }

  /**
   * Takes the next record of a direction.
   * @param contentType - as the record's header has it, like `version`
   * @param fragment - the record without its header
   * @returns undefined if the record is plain, or cannot be opened
   */
  receive(direction: Direction, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const half = this.#halves[direction];
    if (!this.#isEncrypted(half, contentType)) {
      if (contentType === contentTypes.handshake) half.reader.push(fragment, half.handle);
      else if (contentType === contentTypes.changeCipherSpec && this.#version === tls12) this.#changeCipher(half);
      return undefined;
    }
    const opened = this.#open(half, contentType, version, fragment);
    if (opened === undefined) return undefined;
    half.isLost = false;
    half.attempts = Math.min(attemptsMax, half.attempts + attemptsPerRecord);
    if (opened.contentType === contentTypes.handshake) half.reader.push(opened.bytes, half.handle);
    else if (opened.contentType === contentTypes.changeCipherSpec && this.#version === tls12) this.#changeCipher(half);
    return opened;
  }

  /** Says that bytes of a direction are missing. */
  lose(direction: Direction): void {
    const half = this.#halves[direction];
    half.isLost = true;
    half.reader.reset();
  }

  #isEncrypted(half: Half, contentType: number): boolean {
    if (this.#version === tls12) {
      if (half.epoch !== undefined) return true;
      if (contentType !== contentTypes.applicationData || this.#server === undefined) return false;
      // The ChangeCipherSpec was lost, and the Finished at least after it.
      this.#changeCipher(half);
      half.isLost = true;
      return true;
    }
    // Records of TLS 1.3 that are encrypted all say that they are data. [RFC 8446 §5.2]
    if (contentType !== contentTypes.applicationData || this.#client === undefined) return false;
    if (half.epoch === undefined) {
      if (this.#version !== 0) return false;
      // The ServerHello was lost: what the client offered will do.
      half.epoch = new Epoch('handshake');
      half.isLost = true;
    }
    return true;
  }

  #open(half: Half, contentType: number, version: number, fragment: Uint8Array): OpenedRecord | undefined {
    const epoch = half.epoch!;
    if (epoch.protections.length === 0) this.#findKeys(half, epoch, undefined);
    const opened = epoch.open(epoch.sequence, contentType, version, fragment);
    if (opened !== undefined) return opened;
    const found = half.attempts > 0 ? this.#search(half, epoch, contentType, version, fragment) : undefined;
    // After a loss the number stays what it is: the least that the next record can have.
    if (found === undefined && !half.isLost) epoch.sequence++;
    return found;
  }

  /** Tries what else a record can be: one further on, or one of the first with new keys. */
  #search(
    half: Half,
    epoch: Epoch,
    contentType: number,
    version: number,
    fragment: Uint8Array,
  ): OpenedRecord | undefined {
    // Where no record was opened with these keys, those that follow are as likely, and fewer records are to be tried.
    return epoch.isProven
      ? (this.#searchAhead(half, epoch, contentType, version, fragment) ??
          this.#searchNext(half, epoch, contentType, version, fragment))
      : (this.#searchNext(half, epoch, contentType, version, fragment) ??
          this.#searchAhead(half, epoch, contentType, version, fragment));
  }

  #searchAhead(
    half: Half,
    epoch: Epoch,
    contentType: number,
    version: number,
    fragment: Uint8Array,
  ): OpenedRecord | undefined {
    if (epoch.protections.length === 0) return undefined;
    const cost = attemptCost(fragment);
    const suggested = epoch.suggest(fragment);
    if (suggested !== undefined) {
      half.attempts -= cost;
      const opened = epoch.open(suggested, contentType, version, fragment);
      if (opened !== undefined) return opened;
    }
    const first = epoch.sequence + 1;
    const count = half.isLost ? lostRecordsMax : missedRecordsMax;
    for (let index = 0; index < count && half.attempts > 0; index++, half.attempts -= cost) {
      const opened = epoch.open(first + index, contentType, version, fragment);
      if (opened !== undefined) return opened;
    }
    return undefined;
  }

  #searchNext(
    half: Half,
    epoch: Epoch,
    contentType: number,
    version: number,
    fragment: Uint8Array,
  ): OpenedRecord | undefined {
    let before = epoch;
    const steps = half.isLost || epoch.stage === 'early' ? 2 : 1;
    for (let step = 0; step < steps; step++) {
      before.next ??= followingEpoch(before);
      const { next } = before;
      if (next === undefined) return undefined;
      this.#findKeys(half, next, before);
      const count = next.protections.length === 0 ? 0 : half.isLost ? lostOfNextMax : 1;
      for (let sequence = 0; sequence < count && half.attempts > 0; sequence++) {
        const opened = next.open(sequence, contentType, version, fragment);
        if (opened !== undefined) {
          half.epoch = next;
          return opened;
        }
        // The first record is tried each time: without secrets of what is before there is no telling when it comes.
        if (sequence > 0) half.attempts -= attemptCost(fragment);
      }
      before = next;
    }
    return undefined;
  }

  /**
   * Looks for the keys of an epoch, if there may be some that were not there when it was done last.
   * @param before - the epoch before it, if it is known
   */
  #findKeys(half: Half, epoch: Epoch, before: Epoch | undefined): void {
    if (epoch.protections.length > 0) return;
    this.#secrets.update(epoch.lookedAt < 0);
    const { changes } = this.#secrets.table;
    if (epoch.lookedAt === changes) return;
    epoch.lookedAt = changes;
    const { direction } = half;
    epoch.protections =
      epoch.stage === 'keyed' ? this.#findTls12Keys(direction) : this.#findTls13Keys(direction, epoch, before);
    // Records went by before there were keys; some of them may have belonged to the epoch before.
    if (epoch.protections.length > 0 && epoch.sequence > 0) half.isLost = true;
  }

  // ——— TLS 1.3

  #findTls13Keys(direction: Direction, epoch: Epoch, before: Epoch | undefined): RecordProtection[] {
    const client = this.#client!;
    const secret = this.#findTrafficSecret(direction, epoch, before);
    if (secret === undefined) return [];
    epoch.secret = secret;
    const chosen = epoch.stage === 'early' ? undefined : this.#server?.suite;
    const suites = chosen === undefined ? client.tls13Suites : [chosen];
    const protections: RecordProtection[] = [];
    for (const suite of suites) {
      if (hashLength(suite.hash) !== secret.length) continue;
      const protection = protectTls13(this.#ciphers, suite, secret);
      if (protection !== undefined) protections.push(protection);
    }
    return protections;
  }

  #findTrafficSecret(direction: Direction, epoch: Epoch, before: Epoch | undefined): Uint8Array | undefined {
    const { table } = this.#secrets;
    const { random } = this.#client!;
    if (epoch.stage === 'early') return table.find(secretKinds.clientEarlyTraffic, random);
    if (epoch.stage === 'handshake') {
      const { clientHandshakeTraffic, serverHandshakeTraffic } = secretKinds;
      return table.find(direction === 0 ? clientHandshakeTraffic : serverHandshakeTraffic, random);
    }
    const { generation } = epoch;
    const logged = table.find(applicationTraffic(direction, generation), random);
    if (logged !== undefined) return logged;
    if (generation === 0) {
      for (let later = 1; later < firstGenerationsMax; later++) {
        const secret = table.find(applicationTraffic(direction, later), random);
        if (secret !== undefined) return secret;
      }
      return undefined;
    }
    if (before?.secret === undefined) return undefined;
    const hash = before.secret.length === hashLength('sha384') ? 'sha384' : 'sha256';
    return nextTrafficSecret(this.#ciphers, hash, before.secret);
  }

  // ——— TLS 1.2

  /** From now on a direction uses what was negotiated last. */
  #changeCipher(half: Half): void {
    half.epoch = new Epoch('keyed');
    half.reader.reset();
  }

  #findTls12Keys(direction: Direction): RecordProtection[] {
    const client = this.#client;
    const server = this.#server;
    if (client === undefined || server?.suite === undefined) return [];
    this.#master ??= this.#findMaster(client, server);
    if (this.#master === undefined) return [];
    const { suite } = server;
    this.#rememberSession();
    const seed = concatenate(server.random, client.random);
    const length = keyBlockLength(suite);
    const keyBlock = pseudoRandom(this.#ciphers, suite.hash, this.#master, 'key expansion', seed, length);
    const protection = protectTls12(this.#ciphers, suite, keyBlock, direction, server.encryptsThenMacs);
    return protection === undefined ? [] : [protection];
  }

  #findMaster(client: ClientHello, server: ServerHello): Uint8Array | undefined {
    const { table } = this.#secrets;
    const logged = table.find(secretKinds.master, client.random);
    if (logged !== undefined) return logged.slice();
    if (this.#exchangesKeys) {
      const preMaster =
        table.find(secretKinds.preMaster, client.random) ??
        (this.#encryptedPreMaster && table.find(secretKinds.rsaPreMaster, this.#encryptedPreMaster));
      const computed = preMaster && this.#computeMaster(preMaster, client, server);
      return computed ?? table.find(secretKinds.sessionMaster, server.sessionIdentifier)?.slice();
    }
    const { sessionIdentifier } = server;
    const isResumed = sessionIdentifier.length > 0;
    return (
      (isResumed ? table.find(secretKinds.sessionMaster, sessionIdentifier)?.slice() : undefined) ??
      this.#sessions.find(latin1Text(sessionIdentifier)) ??
      this.#sessions.find(client.ticket)
    );
  }

  #computeMaster(preMaster: Uint8Array, client: ClientHello, server: ServerHello): Uint8Array | undefined {
    const { hash } = server.suite!;
    if (!server.extendsMasterSecret) {
      return masterSecret(this.#ciphers, hash, preMaster, client.random, server.random);
    }
    return this.#sessionHash && extendedMasterSecret(this.#ciphers, hash, preMaster, this.#sessionHash);
  }

  /** For when it is resumed, by identifier or by ticket. */
  #rememberSession(): void {
    if (this.#master === undefined) return;
    this.#sessions.remember(latin1Text(this.#server!.sessionIdentifier), this.#master);
    this.#sessions.remember(this.#ticket, this.#master);
  }

  // ——— handshakes

  #takeMessage(direction: Direction, type: number, message: Uint8Array | undefined): void {
    this.#keepTranscript(direction, type, message);
    if (message === undefined) return;
    const half = this.#halves[direction];
    switch (type) {
      case handshakeTypes.clientHello:
        if (direction === 0) this.#takeClientHello(message);
        break;
      case handshakeTypes.serverHello:
        if (direction === 1) this.#takeServerHello(message);
        break;
      case handshakeTypes.clientKeyExchange:
        if (direction === 0 && this.#version === tls12) this.#takeClientKeyExchange(message);
        break;
      case handshakeTypes.newSessionTicket:
        if (direction === 1 && this.#version === tls12) this.#takeTicket(message);
        break;
      case handshakeTypes.endOfEarlyData:
        if (half.epoch?.stage === 'early' && message.length === 4) this.#advance(half);
        break;
      case handshakeTypes.finished:
        if (half.epoch?.stage === 'handshake') this.#advance(half);
        break;
      case handshakeTypes.keyUpdate:
        if (half.epoch?.stage === 'application' && message.length === 5) this.#advance(half);
        break;
    }
  }

  /** To the keys that follow, which are known from those in use and so are looked for before these are gone. */
  #advance(half: Half): void {
    const before = half.epoch!;
    before.next ??= followingEpoch(before);
    if (before.next === undefined) return;
    this.#findKeys(half, before.next, before);
    half.epoch = before.next;
  }

  #takeClientHello(message: Uint8Array): void {
    const client = parseClientHello(message);
    if (client === undefined || (this.#client !== undefined && this.#version === tls13)) return;
    this.#client = client;
    this.#exchangesKeys = false;
    this.#encryptedPreMaster = undefined;
    this.#ticket = '';
    const half = this.#halves[0];
    if (client.offersEarlyData && this.#version === 0) half.epoch = new Epoch('early');
  }

  #takeServerHello(message: Uint8Array): void {
    const server = parseServerHello(message);
    if (server === undefined) return;
    const [clientHalf, serverHalf] = this.#halves;
    if (server.isRetryRequest) {
      // The client begins anew, and what it sent early is not read. [RFC 8446 §4.1.2]
      if (this.#version === 0) clientHalf.epoch = undefined;
      return;
    }
    if (this.#version === tls13) return;
    this.#server = server;
    this.#version = server.version;
    this.#master = undefined;
    if (server.version === tls13) {
      serverHalf.epoch = new Epoch('handshake');
      if (clientHalf.epoch === undefined) clientHalf.epoch = new Epoch('handshake');
      return;
    }
    // Epochs of TLS 1.3 were guesses.
    for (const half of this.#halves) if (half.epoch?.stage !== 'keyed') half.epoch = undefined;
  }

  #takeClientKeyExchange(message: Uint8Array): void {
    this.#exchangesKeys = true;
    // Length (2), and the premaster secret encrypted with RSA: as long as the key, unlike what other exchanges send. [RFC 5246 §7.4.7.1]
    if (message.length >= 14) this.#encryptedPreMaster = message.slice(6, 14);
  }

  /** lifetime (4) │ length (2) │ ticket [RFC 5077 §3.3] */
  #takeTicket(message: Uint8Array): void {
    if (message.length < 10) return;
    this.#ticket = ticketKey(message.subarray(10, Math.min(message.length, 10 + uint16At(message, 8))));
    this.#rememberSession();
  }

  /** Keeps what the session hash is made of, as long as it may be needed. [RFC 7627 §3] */
  #keepTranscript(direction: Direction, type: number, message: Uint8Array | undefined): void {
    if (!this.#secrets.table.hasPreMasters || this.#version === tls13) return;
    if (direction === 0 && type === handshakeTypes.clientHello) {
      this.#transcript = new Uint8Array(0);
      this.#sessionHash = undefined;
    }
    if (this.#sessionHash !== undefined || type === 0) return;
    if (message === undefined || this.#transcript.length + message.length > transcriptBytesMax) return;
    this.#transcript = concatenate(this.#transcript, message);
    if (type !== handshakeTypes.clientKeyExchange || this.#server?.suite === undefined) return;
    this.#sessionHash = this.#ciphers.hash(this.#server.suite.hash, this.#transcript);
    this.#transcript = new Uint8Array(0);
  }
}

function attemptCost({ length }: Uint8Array): number {
  return 1 + Math.floor(length / bytesPerAttempt);
}

function followingEpoch({ stage, generation }: Epoch): Epoch | undefined {
  switch (stage) {
    case 'early':
      return new Epoch('handshake');
    case 'handshake':
      return new Epoch('application');
    case 'application':
      return new Epoch('application', generation + 1);
    default:
      return undefined;
  }
}
