/** What a store holds, record by record. What is damaged is told and left out, so that the rest can be seen. */
import type { Message } from '../../message.ts';
import { integerAt, longAt, messageKey, retainedKey, subscriptionKey } from '../keys.ts';
import type { DatabaseName, Entry } from '../lmdb-environment.ts';
import { readMessage } from '../message-record.ts';
import { RecordReader, viewOf } from '../record-codec.ts';
import {
  type DeliveryWithoutMessage,
  readDelivery,
  readInbound,
  readSession,
  readSubscription,
} from '../session-records.ts';
import type { SessionRecord, SubscriptionRecord } from '../store.ts';
import type { StoredItem } from '../stored-item.ts';
import { SparseNumbers } from './sparse-numbers.ts';
import type { StoreFile } from './store-file.ts';

export type RecordKind = 'message' | 'session' | 'subscription' | 'delivery' | 'inbound' | 'retained' | 'file';

/** A record that is damaged, or contradicts another. */
export interface Damage {
  readonly kind: RecordKind;
  /** What names the record: the number of a message or session, a topic, or both parts of a delivery's key. */
  readonly key: string;
  readonly reason: string;
}

export type OnDamage = (damage: Damage) => void;

export interface OwnedSubscription {
  readonly session: number;
  readonly subscription: SubscriptionRecord;
}

export interface OwnedDelivery extends DeliveryWithoutMessage {
  readonly session: number;
  readonly position: number;
}

export interface OwnedInbound {
  readonly session: number;
  readonly packetIdentifier: number;
  readonly sequence: number;
}

export interface NumberedMessage {
  readonly sequence: number;
  readonly message: Message;
}

export interface NumberedSession {
  readonly number: number;
  readonly session: SessionRecord;
}

const databaseOf = {
  message: 'messages',
  session: 'sessions',
  subscription: 'subscriptions',
  delivery: 'deliveries',
  inbound: 'inbound',
  retained: 'retained',
} as const satisfies Partial<Record<RecordKind, DatabaseName>>;

type ReadKind = keyof typeof databaseOf;

export class StoreContents {
  readonly #file: StoreFile;
  readonly #onDamage: OnDamage;
  readonly #reader = new RecordReader();

  /** @param onDamage may throw, to stop at the first */
  constructor(file: StoreFile, onDamage: OnDamage) {
    this.#file = file;
    this.#onDamage = onDamage;
  }

  messages(): IterableIterator<NumberedMessage> {
    return this.#read('message', ({ key, value }) => ({
      sequence: longAt(key, 0),
      message: readMessage(this.#reader, viewOf(key, value)),
    }));
  }

  sessions(): IterableIterator<NumberedSession> {
    return this.#read('session', ({ key, value }) => ({
      number: integerAt(key, 0),
      session: readSession(this.#reader, viewOf(key, value)),
    }));
  }

  subscriptions(): IterableIterator<OwnedSubscription> {
    return this.#read('subscription', ({ key, value }) => {
      const subscription = readSubscription(this.#reader, viewOf(key, value));
      const session = integerAt(key, 0);
      expectKey(key, subscriptionKey(session, subscription.requestedFilter), 'its Topic Filter');
      return { session, subscription };
    });
  }

  deliveries(): IterableIterator<OwnedDelivery> {
    return this.#read('delivery', ({ key, value }) => ({
      session: integerAt(key, 0),
      position: longAt(key, 4),
      ...readDelivery(this.#reader, viewOf(key, value)),
    }));
  }

  inbound(): IterableIterator<OwnedInbound> {
    return this.#read('inbound', ({ key, value }) => ({
      session: integerAt(key, 0),
      packetIdentifier: ((key[4] as number) << 8) | (key[5] as number),
      sequence: readInbound(this.#reader, viewOf(key, value)),
    }));
  }

  retained(): IterableIterator<Message> {
    return this.#read('retained', ({ key, value }) => {
      const message = readMessage(this.#reader, viewOf(key, value));
      expectKey(key, retainedKey(message.topicName), 'its topic');
      return message;
    });
  }

  /** How often each message of the log is referred to. */
  countReferences(): SparseNumbers {
    const references = new SparseNumbers();
    for (const { sequence } of this.deliveries()) references.add(sequence, 1);
    for (const { sequence } of this.inbound()) references.add(sequence, 1);
    return references;
  }

  /** Everything, in the order of items. */
  *items(): IterableIterator<StoredItem> {
    const references = new StoreContents(this.#file, () => {}).countReferences();
    const given = new SparseNumbers();
    const subscriptions = new Queue(
      this.subscriptions(),
      this.#strayOf('subscription', ({ session }) => String(session)),
    );
    const deliveries = new Queue(this.deliveries(), this.#strayOf('delivery', deliveryName));
    const inbound = new Queue(this.inbound(), this.#strayOf('inbound', inboundName));
    for (const { number, session } of this.sessions()) {
      const { clientIdentifier } = session;
      yield { kind: 'session', session };
      for (const { subscription } of subscriptions.of(number)) {
        yield { kind: 'subscription', clientIdentifier, subscription };
      }
      for (const delivery of deliveries.of(number)) {
        const { sequence, session: _, ...rest } = delivery;
        const hasMessage = yield* this.#message(sequence, references, given, 'delivery', deliveryName(delivery));
        if (hasMessage) yield { kind: 'delivery', clientIdentifier, number: sequence, ...rest };
      }
      for (const one of inbound.of(number)) {
        const { sequence, packetIdentifier } = one;
        const hasMessage = yield* this.#message(sequence, references, given, 'inbound', inboundName(one));
        if (hasMessage) yield { kind: 'inbound', clientIdentifier, packetIdentifier, number: sequence };
      }
    }
    for (const left of [subscriptions, deliveries, inbound]) left.tellRest();
    for (const message of this.retained()) yield { kind: 'retained', message };
  }

  /** The message, if it has not been given out yet. Returns whether it could be read. */
  *#message(
    sequence: number,
    references: SparseNumbers,
    given: SparseNumbers,
    kind: RecordKind,
    key: string,
  ): Generator<StoredItem, boolean> {
    const state = given.get(sequence);
    if (state === messageState.given) return true;
    const message = state === messageState.unknown ? this.#readMessage(sequence) : undefined;
    if (message !== undefined) {
      given.set(sequence, messageState.given);
      yield { kind: 'message', number: sequence, references: references.get(sequence), message };
      return true;
    }
    given.set(sequence, messageState.unreadable);
    this.#onDamage({ kind, key, reason: `message ${sequence}, which it refers to, cannot be read` });
    return false;
  }

  #readMessage(sequence: number): Message | undefined {
    const key = messageKey(sequence);
    try {
      const value = this.#file.get('messages', key);
      if (value === undefined) throw new Error('it is missing');
      return readMessage(this.#reader, viewOf(key, value));
    } catch (error) {
      this.#onDamage({ kind: 'message', key: String(sequence), reason: reasonOf(error) });
      return undefined;
    }
  }

  #strayOf<T extends { readonly session: number }>(kind: RecordKind, name: (record: T) => string): (record: T) => void {
    return (record) => {
      const reason = `session ${record.session}, which it belongs to, is missing or cannot be read`;
      this.#onDamage({ kind, key: name(record), reason });
    };
  }

  *#read<T>(kind: ReadKind, read: (entry: Entry) => T): IterableIterator<T> {
    const entries = this.#file.entries(databaseOf[kind])[Symbol.iterator]();
    for (;;) {
      let next: IteratorResult<Entry>;
      try {
        next = entries.next();
      } catch (error) {
        this.#onDamage({ kind: 'file', key: databaseOf[kind], reason: reasonOf(error) });
        return;
      }
      if (next.done) return;
      let record: T;
      try {
        record = read(next.value);
      } catch (error) {
        this.#onDamage({ kind, key: keyName(kind, next.value.key), reason: reasonOf(error) });
        continue;
      }
      yield record;
    }
  }
}

const messageState = { unknown: 0, given: 1, unreadable: 2 } as const;

/** Records that belong to sessions, in the order of both. */
class Queue<T extends { readonly session: number }> {
  readonly #records: Iterator<T>;
  readonly #onStray: (record: T) => void;
  #next: IteratorResult<T>;

  constructor(records: Iterator<T>, onStray: (record: T) => void) {
    this.#records = records;
    this.#onStray = onStray;
    this.#next = records.next();
  }

  /** Those of a session; asked for by rising numbers. */
  *of(session: number): IterableIterator<T> {
    while (!this.#next.done && this.#next.value.session <= session) {
      const record = this.#next.value;
      this.#next = this.#records.next();
      if (record.session === session) yield record;
      else this.#onStray(record);
    }
  }

  /** All that is left belongs to nobody. */
  tellRest(): void {
    for (; !this.#next.done; this.#next = this.#records.next()) this.#onStray(this.#next.value);
  }
}

export const deliveryName = ({ session, position }: { readonly session: number; readonly position: number }): string =>
  `${position} of session ${session}`;

export const inboundName = (inbound: { readonly session: number; readonly packetIdentifier: number }): string =>
  `${inbound.packetIdentifier} of session ${inbound.session}`;

/** What names a record that cannot be read. */
function keyName(kind: ReadKind, key: Uint8Array): string {
  if (key.length < keyBytesMin[kind]) return `0x${Buffer.from(key).toString('hex')}`;
  switch (kind) {
    case 'message':
      return String(longAt(key, 0));
    case 'session':
      return String(integerAt(key, 0));
    case 'subscription':
      return `${Buffer.from(key.subarray(4, 12)).toString('hex')}… of session ${integerAt(key, 0)}`;
    case 'delivery':
      return deliveryName({ session: integerAt(key, 0), position: longAt(key, 4) });
    case 'inbound':
      return inboundName({
        session: integerAt(key, 0),
        packetIdentifier: ((key[4] as number) << 8) | (key[5] as number),
      });
    case 'retained':
      return key[0] === 0 ? Buffer.from(key.subarray(1)).toString('utf8') : `0x${Buffer.from(key).toString('hex')}`;
  }
}

const keyBytesMin: Readonly<Record<ReadKind, number>> = {
  message: 8,
  session: 4,
  subscription: 36,
  delivery: 12,
  inbound: 6,
  retained: 2,
};

function expectKey(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(found, expected) !== 0) throw new Error(`it does not stand under ${what}`);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
