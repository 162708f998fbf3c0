/**
 * The Store on disk, in one LMDB file.
 *
 *     put… ─▶ staged Batch ──end of the turn──▶ encoded ──▶ one LMDB transaction ──▶ safe: callbacks
 *                  ▲                                              │
 *                  └── what comes meanwhile shares the next ──────┘ if it fails: trouble, and the same again until it works
 *
 * What a commit holds has been staged in whole turns of the event loop, so a crash leaves all of a turn or nothing. When it is safe depends
 * on the durability; docs/guarantees.md has the table.
 */
import type { Clock, TimerHandle } from '../../base/clock.ts';
import { RingQueue } from '../../base/ring-queue.ts';
import { StorageError } from '../../protocol/errors.ts';
import type { Delivery } from '../delivery.ts';
import type { Log } from '../log.ts';
import { type Message, withOwnPayload } from '../message.ts';
import {
  examineDirectory,
  formatVersion,
  makeDirectory,
  markComplete,
  textOf,
  whatToDo,
  writeFailureText,
} from './data-directory.ts';
import { DirectoryLock } from './directory-lock.ts';
import { messageKey } from './keys.ts';
import { Batch, BatchEncoder, type EncodedBatch } from './lmdb-batch.ts';
import { LmdbEnvironment } from './lmdb-environment.ts';
import { loadRetained, loadSessions } from './lmdb-load.ts';
import { LogEntry, type LogReader } from './log-entry.ts';
import { readPayload } from './message-record.ts';
import { checkProperties, RecordReader, unreadableRecord } from './record-codec.ts';
import type { InboundRecord, RecordCounts, SessionRecord, Store, StoredState, SubscriptionRecord } from './store.ts';

/**
 * When something counts as safe. `strict`: it is on the disk. `relaxed`: the system has it, so that it survives this process; the disk
 * follows. `none`: at once; it is written within a second.
 */
export type Durability = 'strict' | 'relaxed' | 'none';

export interface LmdbStoreOptions {
  /** Made if it is missing. */
  readonly directory: string;
  /** Default strict. */
  readonly durability?: Durability;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when trouble begins, with a sentence, and with undefined when it is over. */
  readonly onTrouble?: (trouble: string | undefined) => void;
  /** Bytes of payloads just committed that stay in memory, so that what is asked for at once is not read back. Default 32 MiB. */
  readonly payloadCacheBytes?: number;
}

/** Staged bytes from which on whoever stages more is asked to wait. */
const behindBytes = 64 * 1024 * 1024;
/** With durability `none`: how long changes are gathered, and how much of them at most. */
const gatherMs = 1000;
const gatherBytesMax = 8 * 1024 * 1024;
/** A commit that failed is tried again after this long at first, then after twice as long each time, up to the other. */
const retryMsMin = 1000;
const retryMsMax = 8000;
/** Messages whose payload stays in memory for now, however small they are. */
const cachedMessagesMax = 65_536;
/** Key of the one record of `meta`. */
const formatKey = Uint8Array.of(0);

/**
 * Opens the store in a directory, or begins one there.
 * @throws {StorageError} that says what is wrong with the directory and what can be done
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  const { directory, durability = 'strict' } = options;
  makeDirectory(directory);
  const lock = await lockOf(directory);
  let environment: LmdbEnvironment | undefined;
  try {
    const isStrict = durability === 'strict';
    const { isComplete, isUnflushed } = examineDirectory(directory, !isStrict);
    if (isStrict && isUnflushed) {
      // Its last process did not wait for the disk, and LMDB finds back to what was whole only in the way it was used last.
      environment = await openEnvironment(directory, 'relaxed');
      await settleFormat(environment, directory, isComplete);
      await writeFormat(environment, directory);
      await environment.close();
    }
    environment = await openEnvironment(directory, durability);
    await settleFormat(environment, directory, isComplete);
    return new LmdbStore(options, lock, environment);
  } catch (error) {
    await environment?.close();
    await lock.release();
    throw error;
  }
}

async function lockOf(directory: string): Promise<DirectoryLock> {
  try {
    return await DirectoryLock.take(directory);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(`${directory} cannot be locked: ${textOf(error)}.`, error);
  }
}

async function openEnvironment(directory: string, durability: Durability): Promise<LmdbEnvironment> {
  try {
    return await LmdbEnvironment.open(directory, durability === 'strict');
  } catch (error) {
    throw new StorageError(`${directory}: the store cannot be opened: ${textOf(error)}. ${whatToDo}`, error);
  }
}

/** The data file says itself what it is, too, so that it cannot be mixed up with that of another directory. */
async function settleFormat(environment: LmdbEnvironment, directory: string, isComplete: boolean): Promise<void> {
  const found = environment.get('meta', formatKey)?.[0];
  if (found !== undefined && found !== formatVersion) {
    throw new StorageError(
      `${directory}: the data file has format ${found}; this release of Clearwing knows format ${formatVersion}.`,
    );
  }
  if (isComplete && found === undefined) {
    throw new StorageError(`${directory}: the data file is not the one of this store. ${whatToDo}`);
  }
  if (isComplete) return;
  await writeFormat(environment, directory);
  markComplete(directory);
}

/** Commits something, and waits until it and all that was committed before is on the disk. */
async function writeFormat(environment: LmdbEnvironment, directory: string): Promise<void> {
  try {
    const value = Uint8Array.of(formatVersion);
    await environment.write({ databases: ['meta'], keys: [formatKey], values: [value] });
    await environment.sync();
  } catch (error) {
    throw new StorageError(`${directory}: the store cannot be written: ${writeFailureText(directory, error)}.`, error);
  }
}

export class LmdbStore implements Store, LogReader {
  stagedCount = 0;
  /** Commits that worked. */
  commitCount = 0;
  readonly #options: LmdbStoreOptions;
  readonly #durability: Durability;
  readonly #lock: DirectoryLock;
  #environment: LmdbEnvironment;
  #sessionNumbers = new Map<string, number>();
  #lastSession = 0;
  #lastSequence = 0;
  /** Messages that carry the note of another store. */
  readonly #foreign = new WeakMap<Message, LogEntry>();
  #staged = new Batch();
  /** Who waits for what is staged. */
  #waiting: (() => void)[] = [];
  /** Who waits for the commit that is under way. */
  #committing: (() => void)[] | undefined = undefined;
  /** Who waits for the end of the next commit, whether it works or not. */
  readonly #syncing: (() => void)[] = [];
  readonly #encoder = new BatchEncoder();
  #isScheduled = false;
  #gathering: TimerHandle | undefined = undefined;
  #retrying: TimerHandle | undefined = undefined;
  #retryMs = retryMsMin;
  /** Tries the commit that failed again at once. */
  #retryNow: () => void = () => {};
  #isClosing = false;
  #isClosed = false;
  /** Why commits fail. */
  #failure: string | undefined = undefined;
  /** What was found unreadable; it does not go away by itself. */
  #damage: string | undefined = undefined;
  readonly #reader = new RecordReader();
  #lastRead: { readonly sequence: number; readonly payload: Uint8Array } | undefined = undefined;
  readonly #cached = new RingQueue<Message>();
  #cachedBytes = 0;

  constructor(options: LmdbStoreOptions, lock: DirectoryLock, environment: LmdbEnvironment) {
    this.#options = options;
    this.#durability = options.durability ?? 'strict';
    this.#lock = lock;
    this.#environment = environment;
  }

  get trouble(): string | undefined {
    return this.#failure ?? this.#damage;
  }

  get isRefusingWork(): boolean {
    return this.trouble !== undefined;
  }

  get isBehind(): boolean {
    return this.#staged.bytes > behindBytes;
  }

  load(): Promise<StoredState> {
    // A promise, so that what is thrown here becomes its rejection.
    return new Promise((resolve) => {
      const { directory } = this.#options;
      const found = loadSessions(this.#environment, directory, this);
      this.#sessionNumbers = found.sessionNumbers;
      this.#lastSession = found.lastSession;
      this.#lastSequence = found.lastSequence;
      for (const entry of found.unreferenced) {
        this.#staged.deleteMessage(entry);
        this.#touch();
      }
      resolve({ sessions: found.sessions, retained: loadRetained(this.#environment, directory) });
    });
  }

  putSession(record: SessionRecord): void {
    const { clientIdentifier } = record;
    let session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) {
      session = ++this.#lastSession;
      this.#sessionNumbers.set(clientIdentifier, session);
    }
    this.#staged.setSession(session, record);
    this.#touch();
  }

  deleteSession(clientIdentifier: string): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#sessionNumbers.delete(clientIdentifier);
    this.#staged.setSession(session, undefined);
    this.#touch();
  }

  putSubscription(clientIdentifier: string, record: SubscriptionRecord): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.setSubscription(session, record.requestedFilter, record);
    this.#touch();
  }

  deleteSubscription(clientIdentifier: string, requestedFilter: string): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.setSubscription(session, requestedFilter, undefined);
    this.#touch();
  }

  putDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.putDelivery(session, delivery, this.#refer(delivery.message));
    this.#touch();
  }

  updateDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    const entry = this.#entryOf(delivery.message);
    if (session === undefined || entry === undefined) return;
    this.#staged.putDelivery(session, delivery, entry);
    this.#touch();
  }

  deleteDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.deleteDelivery(session, delivery);
    this.#release(delivery.message);
    this.#touch();
  }

  putInbound(clientIdentifier: string, { packetIdentifier, message }: InboundRecord): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.setInbound(session, packetIdentifier, this.#refer(message));
    this.#touch();
  }

  deleteInbound(clientIdentifier: string, { packetIdentifier, message }: InboundRecord): void {
    const session = this.#sessionNumbers.get(clientIdentifier);
    if (session === undefined) return;
    this.#staged.setInbound(session, packetIdentifier, undefined);
    this.#release(message);
    this.#touch();
  }

  putRetained(message: Message): void {
    if (message.properties !== undefined) checkProperties(message.properties);
    // It is written at the end of the turn, when its record in the log may be on its way out.
    message.keepPayload();
    this.#staged.setRetained(message.topicName, message.qos === 0 ? withOwnPayload(message) : message);
    this.#touch();
  }

  deleteRetained(topicName: string): void {
    this.#staged.setRetained(topicName, undefined);
    this.#touch();
  }

  whenSafe(callback: () => void): void {
    if (this.#durability === 'none') callback();
    // Also behind somebody who waits for what has cancelled itself out since: the order stays.
    else if (!this.#staged.isEmpty || this.#waiting.length > 0) this.#waiting.push(callback);
    else if (this.#committing !== undefined) this.#committing.push(callback);
    else callback();
  }

  async sync(): Promise<void> {
    while (!this.#staged.isEmpty || this.#waiting.length > 0 || this.#committing !== undefined) {
      await this.#nextCommit();
      if (this.#failure !== undefined) throw new StorageError(this.#failure);
    }
    await this.#environment.sync();
  }

  countRecords(): RecordCounts {
    const environment = this.#environment;
    return {
      messages: environment.count('messages'),
      sessions: environment.count('sessions'),
      subscriptions: environment.count('subscriptions'),
      deliveries: environment.count('deliveries'),
      inbound: environment.count('inbound'),
      retained: environment.count('retained'),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    try {
      const lastCommits = this.sync();
      if (this.#retrying !== undefined) this.#retryNow();
      await lastCommits;
    } finally {
      this.#isClosed = true;
      this.#stopTimers();
      await this.#environment.close();
      await this.#lock.release();
    }
  }

  readPayload(sequence: number): Uint8Array {
    if (this.#lastRead?.sequence === sequence) return this.#lastRead.payload;
    const key = messageKey(sequence);
    try {
      const value = this.#environment.get('messages', key);
      if (value === undefined) throw new Error('it is missing');
      const payload = readPayload(this.#reader, key, value);
      this.#lastRead = { sequence, payload };
      return payload;
    } catch (error) {
      const fault = unreadableRecord(this.#options.directory, `message ${sequence}`, error);
      this.#noteDamage(fault.message);
      throw fault;
    }
  }

  /** The message's place in the log, one reference more. */
  #refer(message: Message): LogEntry {
    let entry = this.#entryOf(message);
    if (entry === undefined || entry.references === 0) {
      if (message.properties !== undefined) checkProperties(message.properties);
      // Its former record may be gone with the next commit.
      message.keepPayload();
      entry = new LogEntry(this, ++this.#lastSequence, message.payloadLength);
      if (message.stored === undefined || this.#isOwn(message.stored)) message.stored = entry;
      else this.#foreign.set(message, entry);
      this.#staged.putMessage(entry, message);
    }
    entry.references++;
    return entry;
  }

  #release(message: Message): void {
    const entry = this.#entryOf(message);
    if (entry === undefined || entry.references === 0) return;
    if (--entry.references === 0) this.#staged.deleteMessage(entry);
  }

  #entryOf(message: Message): LogEntry | undefined {
    const { stored } = message;
    if (stored === undefined) return undefined;
    return this.#isOwn(stored) ? stored : this.#foreign.get(message);
  }

  #isOwn(stored: unknown): stored is LogEntry {
    return stored instanceof LogEntry && stored.log === this;
  }

  /** Something was staged: it is to be committed. */
  #touch(): void {
    this.stagedCount++;
    if (this.#isScheduled || this.#committing !== undefined) {
      if (this.#gathering !== undefined && this.#staged.bytes > gatherBytesMax) this.#commitSoon();
      return;
    }
    this.#isScheduled = true;
    if (this.#durability === 'none' && !this.#isClosing) {
      this.#gathering = this.#options.clock.setTimer(gatherMs, () => this.#commitSoon());
    } else {
      this.#options.clock.defer(() => this.#commit());
    }
  }

  /** Commits at the end of this turn what is gathered. */
  #commitSoon(): void {
    if (this.#gathering === undefined) return;
    this.#options.clock.clearTimer(this.#gathering);
    this.#gathering = undefined;
    this.#options.clock.defer(() => this.#commit());
  }

  /** Resolves after the commit that is under way, or the next one; also if it fails. */
  #nextCommit(): Promise<void> {
    this.#commitSoon();
    return new Promise((resolve) => {
      this.#syncing.push(resolve);
    });
  }

  /** Takes all that is staged now into one commit; what comes meanwhile goes into the next. */
  #commit(): void {
    this.#isScheduled = false;
    if (this.#isClosed) return;
    const batch = this.#staged;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (batch.isEmpty) {
      this.#call(waiting);
      return;
    }
    this.#staged = new Batch();
    this.#committing = waiting;
    const encoded = batch.encode(this.#encoder);
    this.#write(batch, encoded);
  }

  #write(batch: Batch, encoded: EncodedBatch): void {
    this.#environment.write(encoded).then(
      () => this.#committed(batch),
      (error) => this.#failed(batch, encoded, error),
    );
  }

  #committed(batch: Batch): void {
    if (this.#failure !== undefined) {
      this.#failure = undefined;
      this.#retryMs = retryMsMin;
      this.#tellTrouble();
    }
    this.commitCount++;
    this.#encoder.reset();
    const waiting = this.#committing ?? [];
    this.#committing = undefined;
    this.#cachePayloads(batch);
    // The next commit is on its way before anybody is told of this one.
    if (!this.#staged.isEmpty || this.#waiting.length > 0) {
      if (this.#durability === 'none' && !this.#isClosing && this.#syncing.length === 0) {
        this.#isScheduled = true;
        this.#gathering = this.#options.clock.setTimer(gatherMs, () => this.#commitSoon());
      } else {
        this.#commit();
      }
    }
    this.#call(waiting);
  }

  #call(waiting: readonly (() => void)[]): void {
    for (const callback of waiting) callback();
    for (const resolve of this.#syncing.splice(0)) resolve();
  }

  #failed(batch: Batch, encoded: EncodedBatch, error: unknown): void {
    const isNew = this.#failure === undefined;
    this.#failure = `${this.#options.directory} cannot be written: ${writeFailureText(this.#options.directory, error)}`;
    if (isNew) this.#tellTrouble();
    for (const resolve of this.#syncing.splice(0)) resolve();
    if (this.#isClosed) return;
    this.#retryNow = () => {
      if (this.#retrying !== undefined) this.#options.clock.clearTimer(this.#retrying);
      this.#retrying = undefined;
      this.#retry(batch, encoded);
    };
    this.#retrying = this.#options.clock.setTimer(this.#retryMs, () => this.#retryNow());
    this.#retryMs = Math.min(2 * this.#retryMs, retryMsMax);
  }

  /** LMDB may refuse everything after a write error until its file is opened anew. */
  async #retry(batch: Batch, encoded: EncodedBatch): Promise<void> {
    try {
      await this.#environment.close();
      this.#environment = await LmdbEnvironment.open(this.#options.directory, this.#durability === 'strict');
    } catch (error) {
      this.#failed(batch, encoded, error);
      return;
    }
    this.#write(batch, encoded);
  }

  #noteDamage(damage: string): void {
    const { log } = this.#options;
    log.write('error', `Error: ${damage}.`);
    if (this.#damage !== undefined) return;
    this.#damage = damage;
    this.#tellTrouble();
  }

  #tellTrouble(): void {
    this.#options.onTrouble?.(this.trouble);
  }

  /** The payloads of a commit stay in memory for a while; those committed longest ago are then read back when asked for. */
  #cachePayloads(batch: Batch): void {
    for (const [entry, message] of batch.messages) {
      entry.isCommitted = true;
      if (entry.references === 0 || message.stored !== entry) continue;
      this.#cached.push(message);
      this.#cachedBytes += entry.length;
    }
    const { payloadCacheBytes = 32 * 1024 * 1024 } = this.#options;
    while (this.#cachedBytes > payloadCacheBytes || this.#cached.length > cachedMessagesMax) {
      const oldest = this.#cached.shift();
      if (oldest === undefined) break;
      this.#cachedBytes -= oldest.payloadLength;
      const { stored } = oldest;
      if (this.#isOwn(stored) && stored.references > 0 && stored.isCommitted) oldest.releasePayload();
    }
  }

  #stopTimers(): void {
    const { clock } = this.#options;
    if (this.#gathering !== undefined) clock.clearTimer(this.#gathering);
    if (this.#retrying !== undefined) clock.clearTimer(this.#retrying);
    this.#gathering = undefined;
    this.#retrying = undefined;
  }
}
