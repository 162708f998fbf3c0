/**
 * Reads a store as the last process left it. Everything is read once, in the order of the keys: the log of messages first, then the
 * Sessions side by side with what hangs on them, which is sorted by the same numbers.
 */
import { StorageError } from '../../protocol/errors.ts';
import type { Message } from '../message.ts';
import { whatToDo } from './data-directory.ts';
import { integerAt, longAt } from './keys.ts';
import type { DatabaseName, Entry, LmdbEnvironment } from './lmdb-environment.ts';
import { LogEntry, type LogReader } from './log-entry.ts';
import { readMessage } from './message-record.ts';
import { RecordReader, unreadableRecord } from './record-codec.ts';
import { readDelivery, readInbound, readSession, readSubscription } from './session-records.ts';
import type { DeliveryRecord, InboundRecord, StoredSession, SubscriptionRecord } from './store.ts';

/** What was found besides the Sessions themselves. */
export interface Found {
  readonly sessions: readonly StoredSession[];
  /** By Client Identifier. */
  readonly sessionNumbers: Map<string, number>;
  readonly lastSession: number;
  readonly lastSequence: number;
  /** Messages of the log that nothing refers to. */
  readonly unreferenced: readonly LogEntry[];
}

/** @throws {StorageError} if a record is damaged or missing */
export function loadSessions(environment: LmdbEnvironment, path: string, log: LogReader): Found {
  const reader = new RecordReader();
  const messages = new Map<number, Message>();
  let lastSequence = 0;
  forEach(environment, path, 'messages', ({ key, value }) => {
    lastSequence = longAt(key, 0);
    const sequence = lastSequence;
    const entryOf = (length: number): LogEntry => {
      const entry = new LogEntry(log, sequence, length);
      entry.isCommitted = true;
      return entry;
    };
    messages.set(sequence, readMessage(reader, key, value, entryOf));
  });
  const referTo = (sequence: number): Message => {
    const message = messages.get(sequence);
    if (message === undefined) throw new Error(`message ${sequence}, which it refers to, is missing`);
    (message.stored as LogEntry).references++;
    return message;
  };

  const subscriptions = groups(
    environment,
    path,
    'subscriptions',
    ({ key, value }): SubscriptionRecord => readSubscription(reader, key, value),
  );
  const deliveries = groups(environment, path, 'deliveries', ({ key, value }): DeliveryRecord => {
    const { sequence, ...rest } = readDelivery(reader, key, value);
    return { ...rest, position: longAt(key, 4), message: referTo(sequence) };
  });
  const inbound = groups(environment, path, 'inbound', ({ key, value }): InboundRecord => {
    const packetIdentifier = ((key[4] as number) << 8) | (key[5] as number);
    return { packetIdentifier, message: referTo(readInbound(reader, key, value)) };
  });

  const sessions: StoredSession[] = [];
  const sessionNumbers = new Map<string, number>();
  let lastSession = 0;
  forEach(environment, path, 'sessions', ({ key, value }) => {
    lastSession = integerAt(key, 0);
    const session = readSession(reader, key, value);
    sessionNumbers.set(session.clientIdentifier, lastSession);
    sessions.push({
      session,
      subscriptions: subscriptions.of(lastSession),
      deliveries: deliveries.of(lastSession),
      inbound: inbound.of(lastSession),
    });
  });
  for (const left of [subscriptions, deliveries, inbound]) left.expectEnd();
  const unreferenced: LogEntry[] = [];
  for (const message of messages.values()) {
    const entry = message.stored as LogEntry;
    if (entry.references === 0) unreferenced.push(entry);
  }
  return { sessions, sessionNumbers, lastSession, lastSequence, unreferenced };
}

/** The retained messages, one after the other. @throws {StorageError} at the first that is damaged */
export function* loadRetained(environment: LmdbEnvironment, path: string): IterableIterator<Message> {
  const reader = new RecordReader();
  for (const { key, value } of guarded(environment, path, 'retained')) {
    try {
      yield readMessage(reader, key, value);
    } catch (error) {
      throw damaged(path, 'retained', key, error);
    }
  }
}

/** The records of one database, which belong to the session that their key begins with. */
interface Groups<T> {
  /** Those of a session; asked for by rising numbers. */
  of(session: number): T[];
  /** @throws {StorageError} if there are some that nobody asked for */
  expectEnd(): void;
}

function groups<T>(
  environment: LmdbEnvironment,
  path: string,
  name: DatabaseName,
  read: (entry: Entry) => T,
): Groups<T> {
  const entries = guarded(environment, path, name)[Symbol.iterator]();
  let next = entries.next();
  const refuseStray = (key: Uint8Array): never => {
    throw damaged(path, name, key, new Error(`session ${integerAt(key, 0)}, which it belongs to, is missing`));
  };
  return {
    of(session) {
      const found: T[] = [];
      while (!next.done) {
        const entry = next.value as Entry;
        const owner = integerAt(entry.key, 0);
        if (owner > session) break;
        if (owner < session) refuseStray(entry.key);
        try {
          found.push(read(entry));
        } catch (error) {
          throw damaged(path, name, entry.key, error);
        }
        next = entries.next();
      }
      return found;
    },
    expectEnd() {
      if (!next.done) refuseStray((next.value as Entry).key);
    },
  };
}

function forEach(environment: LmdbEnvironment, path: string, name: DatabaseName, use: (entry: Entry) => void): void {
  for (const entry of guarded(environment, path, name)) {
    try {
      use(entry);
    } catch (error) {
      throw damaged(path, name, entry.key, error);
    }
  }
}

/** All records of a database; what LMDB itself cannot read is told as damage. */
function* guarded(environment: LmdbEnvironment, path: string, name: DatabaseName): IterableIterator<Entry> {
  let isOurs = false;
  try {
    for (const entry of environment.entries(name)) {
      isOurs = true;
      yield entry;
      isOurs = false;
    }
  } catch (error) {
    if (isOurs) throw error;
    throw new StorageError(
      `${path} is damaged: ${error instanceof Error ? error.message : error} (${name}). ${whatToDo}`,
      error,
    );
  }
}

const names: Readonly<Record<DatabaseName, string>> = {
  meta: 'the record of the format',
  messages: 'message',
  sessions: 'session',
  subscriptions: 'a subscription of session',
  deliveries: 'a delivery of session',
  inbound: 'a QoS 2 message of session',
  retained: 'the retained message of',
};

function damaged(path: string, name: DatabaseName, key: Uint8Array, error: unknown): StorageError {
  const which = name === 'messages' ? longAt(key, 0) : name === 'retained' ? topicOf(key) : integerAt(key, 0);
  const fault = unreadableRecord(path, `${names[name]} ${which}`, error);
  return new StorageError(`${fault.message}. ${whatToDo}`, error);
}

function topicOf(key: Uint8Array): string {
  return key[0] === 0 ? `'${Buffer.from(key.subarray(1)).toString('utf8')}'` : 'a long topic';
}
