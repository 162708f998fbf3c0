/**
 * The Store on disk, in one LMDB file.
 *
 *     put… ─▶ staged Batch ──end of the turn──▶ encoded ──▶ one LMDB transaction ──▶ safe: callbacks
 *                  ▲                                              │
 *                  └── what comes meanwhile shares the next ──────┘ if it fails: trouble, and the same again until it works
 *
 * What a commit holds has been staged in whole turns of the event loop, so a crash leaves all of a turn or nothing. `lmdb-commits.ts` has
 * the rhythm, `message-log.ts` the messages and who waits for them, `lmdb-load.ts` the start; docs/guarantees.md says what is promised.
 */
import type { Clock } from '../../base/clock.ts';
import { RingQueue } from '../../base/ring-queue.ts';
import { StorageError } from '../../protocol/errors.ts';
import type { Delivery } from '../delivery.ts';
import type { Log } from '../log.ts';
import { type Message, withOwnPayload } from '../message.ts';
import { AcknowledgementPace } from './acknowledgement-pace.ts';
import type { DataFile } from './data-file.ts';
import type { DirectoryLock } from './directory-lock.ts';
import { inboundNumber } from './journal.ts';
import { deliveryKey, inboundKey, longAt } from './keys.ts';
import type { Batch } from './lmdb-batch.ts';
import { Commits, type Durability } from './lmdb-commits.ts';
import type { DatabaseName, Entry, LmdbEnvironment } from './lmdb-environment.ts';
import { LoadedData, type NumberedSession } from './lmdb-load.ts';
import { MessageLog } from './message-log.ts';
import { checkProperties, RecordReader, unreadableRecord, viewOf } from './record-codec.ts';
import { SessionEntry } from './session-entry.ts';
import { readDelivery, readInbound } from './session-records.ts';
import type {
  DeliveryRecord,
  InboundRecord,
  RecordCounts,
  SessionRecord,
  Store,
  StoredSession,
  StoredState,
  SubscriptionRecord,
} from './store.ts';

export interface LmdbStoreOptions {
  /** Made if it is missing. */
  readonly directory: string;
  /** Default strict. */
  readonly durability?: Durability;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when trouble begins, with a sentence, and with undefined when it is over. */
  readonly onTrouble?: (trouble: string | undefined) => void;
  /** Milliseconds after which a commit that has not come back counts as trouble until it does. Default 5000; Infinity: never. */
  readonly commitPatienceMs?: number;
  /** Bytes of payloads just committed that stay in memory, so that what is asked for at once is not read back. Default 32 MiB. */
  readonly payloadCacheBytes?: number;
  /** Deliveries of absent Sessions that may be in memory, about. Default 65,536. */
  readonly residentDeliveriesMax?: number;
}

/** Deliveries of absent Sessions in memory, about; some 40 MB. */
const residentDeliveriesDefault = 65_536;
/** Staged bytes from which on whoever stages more is asked to wait. */
const behindBytes = 64 * 1024 * 1024;
/** Messages whose payload stays in memory for now, however small they are. */
const cachedMessagesMax = 65_536;
const packetIdentifierCount = 65_536;

/** What a store is made of; it closes all of them. */
export interface OpenedDirectory {
  readonly lock: DirectoryLock;
  readonly environment: LmdbEnvironment;
  /** As it was before; undefined if the store is new. */
  readonly file: DataFile | undefined;
}

/** `openLmdbStore` makes one. */
export class LmdbStore implements Store {
  readonly residentDeliveriesMax: number;
  readonly #options: LmdbStoreOptions;
  readonly #lock: DirectoryLock;
  readonly #file: DataFile | undefined;
  readonly #commits: Commits;
  readonly #messages: MessageLog;
  readonly #reader = new RecordReader();
  readonly #sessions = new Map<string, SessionEntry>();
  #lastSession = 0;
  /** What was found unreadable; it does not go away by itself. */
  #damage: string | undefined = undefined;
  readonly #cached = new RingQueue<Message>();
  #cachedBytes = 0;
  #isClosing = false;

  constructor(options: LmdbStoreOptions, { lock, environment, file }: OpenedDirectory) {
    const { directory, durability = 'strict', clock } = options;
    const { commitPatienceMs = 5000, residentDeliveriesMax = residentDeliveriesDefault } = options;
    this.#options = options;
    this.residentDeliveriesMax = residentDeliveriesMax;
    this.#lock = lock;
    this.#file = file;
    this.#commits = new Commits(
      {
        directory,
        durability,
        clock,
        patienceMs: commitPatienceMs,
        onCommitted: (batch) => this.#cachePayloads(batch),
        onFailure: () => this.#tellTrouble(),
      },
      environment,
    );
    this.#messages = new MessageLog(this.#commits, directory, (damage) => this.#noteDamage(damage));
  }

  get stagedCount(): number {
    return this.#commits.stagedCount;
  }

  /** Commits that worked. */
  get commitCount(): number {
    return this.#commits.count;
  }

  get trouble(): string | undefined {
    return this.#commits.failure ?? this.#damage;
  }

  get isRefusingWork(): boolean {
    return this.trouble !== undefined;
  }

  get isBehind(): boolean {
    return this.#commits.staged.bytes > behindBytes;
  }

  load(): Promise<StoredState> {
    // A promise, so that what is thrown here becomes its rejection.
    return new Promise((resolve) => {
      const data = new LoadedData(this.#file, this.#options.directory);
      this.#messages.resting = data.references;
      this.#messages.lastSequence = data.lastSequence;
      resolve({
        sessions: this.#loadSessions(data),
        retained: data.retained(),
        takeRetained: (take) => data.takeRetained(take),
      });
    });
  }

  *#loadSessions(data: LoadedData): IterableIterator<StoredSession> {
    for (const found of data.sessions()) {
      this.#lastSession = found.number;
      this.#sessions.set(found.session.clientIdentifier, new SessionEntry(found.number));
      yield new LoadedSession(this, found);
    }
    // Only now, because nothing may be committed before all was read.
    for (const sequence of data.references.withoutCount()) {
      data.references.delete(sequence);
      this.#commits.staged.deleteRecord(sequence);
      this.#commits.touch();
    }
  }

  putSession(record: SessionRecord): void {
    const { clientIdentifier } = record;
    let session = this.#sessions.get(clientIdentifier);
    if (session === undefined) {
      session = new SessionEntry(++this.#lastSession);
      this.#sessions.set(clientIdentifier, session);
    }
    this.#commits.staged.setSession(session.number, record);
    this.#commits.touch();
  }

  deleteSession(clientIdentifier: string): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#sessions.delete(clientIdentifier);
    this.#commits.staged.setSession(session.number, undefined);
    this.#commits.touch();
  }

  putSubscription(clientIdentifier: string, record: SubscriptionRecord): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#commits.staged.setSubscription(session.number, record.requestedFilter, record);
    this.#commits.touch();
  }

  deleteSubscription(clientIdentifier: string, requestedFilter: string): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#commits.staged.setSubscription(session.number, requestedFilter, undefined);
    this.#commits.touch();
  }

  putDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    const { staged } = this.#commits;
    const isBrief = session.expectsSoon(delivery);
    staged.putDelivery(session, delivery, this.#messages.refer(delivery.message), isBrief);
    if (!this.#endsSoon(session, delivery)) staged.isUrgent = true;
    this.#commits.touch();
  }

  updateDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessions.get(clientIdentifier);
    const entry = this.#messages.entryOf(delivery.message);
    if (session === undefined || entry === undefined) return;
    session.leftQueue(delivery);
    this.#endsSoon(session, delivery);
    this.#commits.staged.putDelivery(session, delivery, entry, !entry.isLasting);
    this.#commits.touch();
  }

  deleteDelivery(clientIdentifier: string, delivery: Delivery): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    session.leftQueue(delivery);
    session.pace?.ended(delivery, this.#commits.holdMs);
    this.#commits.staged.deleteDelivery(session, delivery);
    this.#messages.release(delivery.message, delivery.state === 'done');
    this.#commits.touch();
  }

  takeDeliveries(clientIdentifier: string, after: number, last: number, limit: number): readonly DeliveryRecord[] {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined || last <= after) return [];
    const rows = (): readonly Entry[] => this.#deliveryRows(session.number, after, last, limit);
    return this.#take(deliveryOf(clientIdentifier), rows, ({ key, value }) => {
      const { sequence, ...rest } = readDelivery(this.#reader, viewOf(key, value));
      return { sequence, record: { ...rest, position: longAt(key, 4) } };
    });
  }

  dropDeliveries(clientIdentifier: string, after: number, last: number): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined || last <= after) return;
    this.#commits.whenReadable(() => {
      for (const { key, value } of this.#deliveryRows(session.number, after, last, Number.POSITIVE_INFINITY)) {
        this.#drop(deliveryOf(clientIdentifier), () => readDelivery(this.#reader, viewOf(key, value)).sequence);
        this.#commits.staged.deleteDeliveryAt(session.number, longAt(key, 4));
        this.#commits.touch();
      }
    });
  }

  rest(clientIdentifier: string, deliveries: readonly Delivery[]): boolean {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return false;
    const { journal } = this.#commits;
    for (const delivery of deliveries) {
      if (delivery.position === 0 || !delivery.isWritten || this.#commits.changes(delivery)) return false;
      if (this.#isInJournal(delivery)) {
        journal.wantsCheckpoint = true;
        return false;
      }
    }
    for (const delivery of deliveries) {
      session.leftQueue(delivery);
      this.#messages.rest(delivery.message);
    }
    session.pace = undefined;
    return true;
  }

  putInbound(clientIdentifier: string, { packetIdentifier, message }: InboundRecord): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#commits.staged.putInbound(session.number, packetIdentifier, this.#messages.refer(message));
    this.#commits.touch();
  }

  deleteInbound(clientIdentifier: string, { packetIdentifier, message }: InboundRecord): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#commits.staged.deleteInbound(session.number, packetIdentifier);
    this.#messages.release(message, false);
    this.#commits.touch();
  }

  takeInbound(clientIdentifier: string): readonly InboundRecord[] {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return [];
    const rows = (): readonly Entry[] => this.#inboundRows(session.number);
    const taken = this.#take(inboundOf(clientIdentifier), rows, ({ key, value }) => ({
      sequence: readInbound(this.#reader, viewOf(key, value)),
      record: { packetIdentifier: packetIdentifierAt(key) },
    }));
    const { tabledInbound } = this.#commits.journal;
    for (const { packetIdentifier } of taken) tabledInbound.add(inboundNumber(session.number, packetIdentifier));
    return taken;
  }

  dropInbound(clientIdentifier: string): void {
    const session = this.#sessions.get(clientIdentifier);
    if (session === undefined) return;
    this.#commits.whenReadable(() => {
      for (const { key, value } of this.#inboundRows(session.number)) {
        this.#drop(inboundOf(clientIdentifier), () => readInbound(this.#reader, viewOf(key, value)));
        this.#commits.staged.deleteRestingInbound(session.number, packetIdentifierAt(key));
        this.#commits.touch();
      }
    });
  }

  putRetained(message: Message): void {
    if (message.properties !== undefined) checkProperties(message.properties);
    // It is written at the end of the turn, when its record in the log may be on its way out.
    message.keepPayload();
    this.#commits.staged.setRetained(message.topicName, message.qos === 0 ? withOwnPayload(message) : message);
    this.#commits.touch();
  }

  deleteRetained(topicName: string): void {
    this.#commits.staged.setRetained(topicName, undefined);
    this.#commits.touch();
  }

  whenSafe(callback: () => void): void {
    this.#commits.whenSafe(callback);
  }

  whenKept(message: Message, callback: () => void): void {
    if (this.#options.durability === 'none') callback();
    else this.#messages.whenKept(message, callback);
  }

  sync(): Promise<void> {
    return this.#commits.sync();
  }

  countRecords(): RecordCounts {
    const count = (name: DatabaseName): number => this.#commits.environment.count(name);
    const { contents } = this.#commits.journal;
    return {
      messages: count('messages') + contents.messages.size,
      sessions: count('sessions'),
      subscriptions: count('subscriptions'),
      deliveries: count('deliveries') + contents.deliveries.size,
      inbound: count('inbound') + contents.inbound.size,
      retained: count('retained'),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#file?.close();
    try {
      await this.#commits.close();
    } finally {
      await this.#lock.release();
    }
  }

  #isInJournal(delivery: Delivery): boolean {
    const { contents } = this.#commits.journal;
    if (contents.deliveries.has(delivery)) return true;
    const entry = this.#messages.entryOf(delivery.message);
    return entry !== undefined && contents.messages.has(entry);
  }

  /** Whether a delivery is on its way to a client that acknowledges at once. */
  #endsSoon(session: SessionEntry, delivery: Delivery): boolean {
    if (delivery.state !== 'awaiting-puback') return false;
    session.pace ??= new AcknowledgementPace(this.#options.clock);
    session.pace.sent(delivery);
    return session.pace.isSoon;
  }

  /** Those that are there once everything staged is committed. */
  #deliveryRows(session: number, after: number, last: number, limit: number): readonly Entry[] {
    const { environment } = this.#commits;
    const deleted = this.#commits.deletedPositions(session);
    const start = deliveryKey(session, after + 1).slice();
    const rows = environment.range('deliveries', start, deliveryKey(session, last + 1), limit + deleted.size);
    if (deleted.size === 0) return rows;
    return rows.filter(({ key }) => !deleted.has(longAt(key, 4))).slice(0, limit);
  }

  #inboundRows(session: number): readonly Entry[] {
    const start = inboundKey(session, 0).slice();
    const end = inboundKey(session, packetIdentifierCount - 1).slice();
    return this.#commits.environment.range('inbound', start, Uint8Array.of(...end, 0), Number.POSITIVE_INFINITY);
  }

  /** Reads rows with their messages, all of them before any counts as taken. @throws {StorageError} */
  #take<T extends object>(
    what: string,
    rows: () => readonly Entry[],
    read: (row: Entry) => { readonly sequence: number; readonly record: T },
  ): readonly (T & { readonly message: Message })[] {
    const { directory } = this.#options;
    if (!this.#commits.environment.isOpen) throw new StorageError(`${directory} cannot be read at this moment`);
    const messages = new Map<number, Message>();
    const sequences: number[] = [];
    const taken: (T & { readonly message: Message })[] = [];
    try {
      for (const row of rows()) {
        const { sequence, record } = read(row);
        let message = messages.get(sequence);
        if (message === undefined) {
          message = this.#messages.find(sequence);
          messages.set(sequence, message);
        }
        sequences.push(sequence);
        taken.push({ ...record, message });
      }
    } catch (error) {
      throw this.#damaged(what, error);
    }
    for (const [index, { message }] of taken.entries()) this.#messages.take(sequences[index] as number, message);
    return taken;
  }

  /** What cannot be read is told; which message it was for is not known then, and the next start finds that nothing refers to it. */
  #drop(what: string, read: () => number): void {
    try {
      this.#messages.drop(read());
    } catch (error) {
      this.#damaged(what, error);
    }
  }

  #damaged(what: string, error: unknown): Error {
    const fault = unreadableRecord(this.#options.directory, what, error);
    this.#noteDamage(fault.message);
    return fault;
  }

  #noteDamage(damage: string): void {
    this.#options.log.write('error', `Error: ${damage}.`);
    if (this.#damage !== undefined) return;
    this.#damage = damage;
    this.#tellTrouble();
  }

  #tellTrouble(): void {
    this.#options.onTrouble?.(this.trouble);
  }

  /** The payloads of a commit stay in memory for a while; those committed longest ago are then read back when asked for. */
  #cachePayloads(batch: Batch): void {
    for (const entry of batch.messages.keys()) entry.isCommitted = true;
    for (const [entry, message] of batch.tabledMessages()) {
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
      if (this.#messages.isOwn(stored) && stored.references > 0 && stored.isCommitted) oldest.releasePayload();
    }
  }
}

/** A Session as it was found; what hangs on it is read when it is asked for. */
class LoadedSession implements StoredSession {
  readonly session: SessionRecord;
  readonly subscriptions: readonly SubscriptionRecord[];
  readonly resting: StoredSession['resting'];
  readonly inboundCount: number;
  readonly #store: LmdbStore;
  #deliveries: readonly DeliveryRecord[] | undefined = undefined;
  #inbound: readonly InboundRecord[] | undefined = undefined;

  constructor(store: LmdbStore, { session, subscriptions, resting, inboundCount }: NumberedSession) {
    this.#store = store;
    this.session = session;
    this.subscriptions = subscriptions;
    this.resting = resting;
    this.inboundCount = inboundCount;
  }

  get deliveries(): readonly DeliveryRecord[] {
    if (this.resting === undefined) return [];
    const { after, last } = this.resting;
    const { clientIdentifier } = this.session;
    this.#deliveries ??= this.#store.takeDeliveries(clientIdentifier, after, last, Number.POSITIVE_INFINITY);
    return this.#deliveries;
  }

  get inbound(): readonly InboundRecord[] {
    if (this.inboundCount === 0) return [];
    this.#inbound ??= this.#store.takeInbound(this.session.clientIdentifier);
    return this.#inbound;
  }
}

const deliveryOf = (clientIdentifier: string): string => `a delivery of ${clientIdentifier}`;
const inboundOf = (clientIdentifier: string): string => `a QoS 2 message of ${clientIdentifier}`;

function packetIdentifierAt(key: Uint8Array): number {
  return ((key[4] as number) << 8) | (key[5] as number);
}
