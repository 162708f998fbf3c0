/** How much of what a store holds. */
import type { RecordCounts } from '../store.ts';
import { SparseNumbers } from './sparse-numbers.ts';
import { type Damage, StoreContents } from './store-contents.ts';
import type { StoreFacts, StoreFile } from './store-file.ts';

/** What waits for one Session. */
export interface QueueSummary {
  readonly clientIdentifier: string;
  readonly queued: number;
  readonly inFlight: number;
  /** Of payloads. */
  readonly bytes: number;
}

export interface StoreSummary extends StoreFacts {
  readonly counts: RecordCounts & { readonly queued: number; readonly inFlight: number; readonly wills: number };
  /** Payloads, each message once. */
  readonly payloadBytes: { readonly messages: number; readonly retained: number };
  /** Still in the store, though their time is over. */
  readonly expired: { readonly messages: number; readonly sessions: number; readonly retained: number };
  /** The longest first. */
  readonly biggestQueues: readonly QueueSummary[];
  /** Records that cannot be read, and are not in the sums. */
  readonly damageCount: number;
}

/**
 * @param now milliseconds since the epoch
 * @param queuesMax how many of the biggest queues to name
 */
export function summarizeStore(file: StoreFile, now: number, queuesMax: number): StoreSummary {
  let damageCount = 0;
  const onDamage = (_: Damage) => {
    damageCount++;
  };
  const contents = new StoreContents(file, onDamage);
  const isOver = (time: number) => time !== 0 && time <= now;
  const expired = { messages: 0, sessions: 0, retained: 0 };
  const payloadBytes = { messages: 0, retained: 0 };

  const lengths = new SparseNumbers();
  for (const { sequence, message } of contents.messages()) {
    lengths.set(sequence, message.payloadLength);
    payloadBytes.messages += message.payloadLength;
    if (isOver(message.expiresAt)) expired.messages++;
  }
  for (const message of contents.retained()) {
    payloadBytes.retained += message.payloadLength;
    if (isOver(message.expiresAt)) expired.retained++;
  }

  let queued = 0;
  let inFlight = 0;
  const biggest: (Omit<QueueSummary, 'clientIdentifier'> & { session: number })[] = [];
  let current: { session: number; queued: number; inFlight: number; bytes: number } | undefined;
  const rank = () => {
    if (current === undefined) return;
    biggest.push(current);
    // Sorted now and then, so that it never holds many more than are asked for.
    if (biggest.length < 2 * queuesMax + 100) return;
    biggest.sort(byLength);
    biggest.length = queuesMax;
  };
  for (const { session, packetIdentifier, sequence } of contents.deliveries()) {
    if (current?.session !== session) {
      rank();
      current = { session, queued: 0, inFlight: 0, bytes: 0 };
    }
    if (packetIdentifier === 0) current.queued++;
    else current.inFlight++;
    if (packetIdentifier === 0) queued++;
    else inFlight++;
    current.bytes += lengths.get(sequence);
  }
  rank();
  biggest.sort(byLength);
  biggest.length = Math.min(biggest.length, queuesMax);

  let wills = 0;
  const names = new Map<number, string>();
  const isNamed = new Set(biggest.map(({ session }) => session));
  for (const { number, session } of contents.sessions()) {
    if (session.will !== undefined) wills++;
    if (isOver(session.expiresAt)) expired.sessions++;
    if (isNamed.has(number)) names.set(number, session.clientIdentifier);
  }
  return {
    ...file.facts,
    counts: {
      messages: file.count('messages'),
      sessions: file.count('sessions'),
      subscriptions: file.count('subscriptions'),
      deliveries: file.count('deliveries'),
      queued,
      inFlight,
      inbound: file.count('inbound'),
      retained: file.count('retained'),
      wills,
    },
    payloadBytes,
    expired,
    biggestQueues: biggest.map(({ session, ...rest }) => ({ clientIdentifier: names.get(session) ?? '?', ...rest })),
    damageCount,
  };
}

function byLength(one: QueueLength, other: QueueLength): number {
  return other.queued + other.inFlight - one.queued - one.inFlight || other.bytes - one.bytes;
}

type QueueLength = Omit<QueueSummary, 'clientIdentifier'>;
