/**
 * What outlives the broker's process, and when it is safe: the contract. `lmdb.ts` implements it on disk, `memory.ts` for tests and
 * simulations.
 *
 * The shape is a log of messages, each kept once however many Sessions wait for it, Sessions as records that refer to messages of the log,
 * and the last message of each topic. Nothing is ever rewritten as a whole.
 *
 *     put… / delete…   staged at once, in order; visible to nobody
 *     end of the turn  everything staged becomes one commit
 *     whenSafe         called back when the commit that holds all that was staged before is safe
 *     whenKept         the same for one message, or when all who were to have it have acknowledged it, and nothing is left to keep
 *
 * An acknowledgement leaves the broker only from one of them: it promises what is in the store. Only Sessions that outlive their connection
 * are stored; QoS 0 and Clean Start traffic neither touches the store nor waits for it.
 */
import type { WillMessage } from '../../codec/packets.ts';
import type { OutboundState } from '../../exchange/outbound-exchange.ts';
import type { QoS } from '../../protocol/version.ts';
import type { Delivery } from '../delivery.ts';
import type { Message } from '../message.ts';
import type { RestingDeliveries } from '../resting-deliveries.ts';

/** A Session without what hangs on it. */
export interface SessionRecord {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  /** The listener it was last connected through, by position. */
  readonly listenerIndex: number;
  /** Seconds. */
  readonly expiryInterval: number;
  /** Milliseconds since the epoch at which it ends; 0 while it is connected or if it never does. */
  readonly expiresAt: number;
  /** The will of its connection, or one whose delay runs. Its topic has the mount point before it. */
  readonly will: WillMessage | undefined;
  /** Milliseconds since the epoch at which the will is due; 0 while it is connected. */
  readonly willDueAt: number;
}

export interface SubscriptionRecord {
  /** As the client gave it. */
  readonly requestedFilter: string;
  /** With the mount point, without `$share/name/`. */
  readonly topicFilter: string;
  readonly shareName: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly identifier: number;
}

/** A message on its way to one Session, as the store has it. */
export interface DeliveryRecord {
  /** Its place in the Session's order; rises from 1. */
  readonly position: number;
  /** The same object for all Sessions that wait for it. */
  readonly message: Message;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[] | undefined;
  /** 0 while it is queued. */
  readonly packetIdentifier: number;
  readonly state: OutboundState;
}

/** A QoS 2 message that waits for its PUBREL. */
export interface InboundRecord {
  readonly packetIdentifier: number;
  readonly message: Message;
}

/** One Session with all that hangs on it, as `load` finds it. */
export interface StoredSession {
  readonly session: SessionRecord;
  readonly subscriptions: readonly SubscriptionRecord[];
  /** What is known of its deliveries before they are read; undefined if it has none. */
  readonly resting: RestingDeliveries | undefined;
  /** How many QoS 2 messages wait for their PUBREL. */
  readonly inboundCount: number;
  /** By position. Read when they are first asked for, all of them; they are taken then, as by `takeDeliveries`. */
  readonly deliveries: readonly DeliveryRecord[];
  /** Read when they are first asked for; they are taken then, as by `takeInbound`. */
  readonly inbound: readonly InboundRecord[];
}

/** Takes a retained message: its payload is `bytes[start..end)`, which stay as they are during the call only. */
export type RetainedTaker = (
  topicName: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  details: Pick<Message, 'qos' | 'properties' | 'expiresAt' | 'publisher'>,
) => void;

/**
 * To be gone through once, before anything is staged. What is damaged is found when it is come to, as a StorageError. Messages of Sessions
 * may have their payload in the store only.
 */
export interface StoredState {
  readonly sessions: Iterable<StoredSession>;
  readonly retained: Iterable<Message>;
  /** The same as `retained`, for whoever copies what he needs. */
  takeRetained(take: RetainedTaker): void;
}

/** How many records a store holds, by kind. */
export interface RecordCounts {
  readonly messages: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly deliveries: number;
  readonly inbound: number;
  readonly retained: number;
}

/**
 * Deliveries either are in memory, and the broker says what becomes of each, or they rest: they are in the store and nowhere else. They
 * rest after a start, and when `rest` is told so; `take…` brings them back.
 */
export interface Store {
  /** Deliveries of absent Sessions that may be in memory before some are to rest. */
  readonly residentDeliveriesMax: number;
  /** Grows with each thing staged: unchanged means that nothing was. */
  readonly stagedCount: number;
  /** What keeps it from making anything safe, as a sentence; undefined while all is well. */
  readonly trouble: string | undefined;
  /** Whether nothing new is to be asked of it: it is in trouble. What is staged all the same becomes safe once that is over. */
  readonly isRefusingWork: boolean;
  /** Whether so much is staged that whoever stages more should wait for `whenSafe`. */
  readonly isBehind: boolean;
  /** What was committed before. Asked once, before anything is staged. */
  load(): Promise<StoredState>;
  putSession(record: SessionRecord): void;
  /** Deletes the Session. Whoever calls it has deleted what hangs on it, piece by piece. */
  deleteSession(clientIdentifier: string): void;
  putSubscription(clientIdentifier: string, record: SubscriptionRecord): void;
  deleteSubscription(clientIdentifier: string, requestedFilter: string): void;
  /**
   * Its `position` is set. All Sessions that wait for a message have the same object as `message`: that is how the store knows to keep it
   * once. When the last that waited has it, its payload may be gone with the store's record; nobody needs it any more.
   */
  putDelivery(clientIdentifier: string, delivery: Delivery): void;
  /** The delivery moved on: it has an identifier, or waits for the next acknowledgement. */
  updateDelivery(clientIdentifier: string, delivery: Delivery): void;
  deleteDelivery(clientIdentifier: string, delivery: Delivery): void;
  /**
   * Resting deliveries with positions above `after` and up to `last`, by position, the first `limit` of them. They rest no more.
   * @throws {StorageError} if one cannot be read; all of them go on resting then, and the store is in trouble
   */
  takeDeliveries(clientIdentifier: string, after: number, last: number, limit: number): readonly DeliveryRecord[];
  /** Deletes resting deliveries unread, in the same range. What cannot be read is deleted as well. */
  dropDeliveries(clientIdentifier: string, after: number, last: number): void;
  /**
   * From now on they rest, and nobody has them. False, and nothing happens, if one of them is not committed as it is, or is where only the
   * start of the store would look for it; after `sync` neither is so.
   */
  rest(clientIdentifier: string, deliveries: readonly Delivery[]): boolean;
  putInbound(clientIdentifier: string, record: InboundRecord): void;
  deleteInbound(clientIdentifier: string, record: InboundRecord): void;
  /** All resting messages that wait for their PUBREL, which rest no more. @throws {StorageError} as `takeDeliveries` */
  takeInbound(clientIdentifier: string): readonly InboundRecord[];
  /** Deletes them unread. */
  dropInbound(clientIdentifier: string): void;
  putRetained(message: Message): void;
  deleteRetained(topicName: string): void;
  /** Calls back, in the order of the calls, when all that was staged before is safe; at once if it is already. */
  whenSafe(callback: () => void): void;
  /**
   * Calls back once when a message needs no more care: all that was staged before is safe, or everybody whose deliveries of it were put has
   * acknowledged it. Not in the order of the calls, and perhaps at once.
   */
  whenKept(message: Message, callback: () => void): void;
  /** Commits what is staged, whatever the durability, and resolves when it is as safe as the disk makes it. Rejects if that fails. */
  sync(): Promise<void>;
  /** What is committed, for tests and tools. */
  countRecords(): RecordCounts;
  /** Commits what is staged and closes. Rejects if that failed; it is closed then, too. */
  close(): Promise<void>;
}
