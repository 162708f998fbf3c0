/** Messages that came into a broker, and what of each came out. */
import type { ConnectionRecord } from './connection-record.ts';
import type { Moment } from './moment.ts';
import type { KeptPayload } from './payload-print.ts';
import type { SessionRecord } from './session-book.ts';
import type { SubscriptionRecord } from './subscription-record.ts';
import type { WillRecord } from './will-record.ts';

/** A PUBLISH of a client, or a will that was due: what the broker has to deliver. */
export class MessageSource {
  /** From 1, in the order in which they came, over all brokers. */
  readonly number: number;
  /** Whose message it is. */
  readonly connection: ConnectionRecord;
  readonly session: SessionRecord;
  /** undefined for a PUBLISH. */
  readonly will: WillRecord | undefined;
  readonly topic: string;
  /** Of the payload, as `payloadPrint` makes it. */
  readonly print: number;
  /** Bytes of the payload on the wire. */
  readonly payloadLength: number;
  /** undefined if nobody asks for it. */
  readonly payload: KeptPayload | undefined;
  readonly qos: number;
  readonly retain: boolean;
  /** 0 if it has none. */
  readonly packetIdentifier: number;
  /** When it came; of a will, when it was due. */
  readonly moment: Moment;
  readonly isCounted: boolean;
  /** Times that the client has sent it again. */
  repeats = 0;
  deliveryCount = 0;
  /** Sessions that have it, while later deliveries are looked for: the first, as there is seldom another, and the rest. */
  #first: SessionRecord | undefined = undefined;
  #rest: Set<SessionRecord> | undefined = undefined;
  /** Shared Subscriptions that have it. */
  sharedWith: Set<string> | undefined = undefined;
  /** A will that was not sent after all. */
  isCancelled = false;

  constructor(
    number: number,
    connection: ConnectionRecord,
    session: SessionRecord,
    will: WillRecord | undefined,
    topic: string,
    print: number,
    payloadLength: number,
    payload: KeptPayload | undefined,
    qos: number,
    retain: boolean,
    packetIdentifier: number,
    moment: Moment,
    isCounted: boolean,
  ) {
    this.number = number;
    this.connection = connection;
    this.session = session;
    this.will = will;
    this.topic = topic;
    this.print = print;
    this.payloadLength = payloadLength;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.packetIdentifier = packetIdentifier;
    this.moment = moment;
    this.isCounted = isCounted;
  }

  /** How many Sessions are known to have it. */
  get holderCount(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#rest?.size ?? 0);
  }

  isHeldBy(session: SessionRecord): boolean {
    return this.#first === session || this.#rest?.has(session) === true;
  }

  addHolder(session: SessionRecord): void {
    if (this.#first === undefined) {
      this.#first = session;
      return;
    }
    if (this.#first === session) return;
    this.#rest ??= new Set();
    this.#rest.add(session);
  }

  /** No later deliveries are looked for. */
  forgetHolders(): void {
    this.#first = undefined;
    this.#rest = undefined;
    this.sharedWith = undefined;
  }
}

/**
 * How a message came to a client. `live`: as it was published; `retained`: because the client subscribed to a topic that has a retained message;
 * `queued`: it waited for the client to connect.
 */
export type DeliveryWay = 'live' | 'retained' | 'queued';

/** A PUBLISH of the broker. */
export class DeliveryRecord {
  /** undefined: what it is a copy of was not seen. */
  readonly source: MessageSource | undefined;
  readonly connection: ConnectionRecord;
  readonly topic: string;
  readonly payloadLength: number;
  /** undefined if nobody asks for it. */
  readonly payload: KeptPayload | undefined;
  readonly qos: number;
  readonly retain: boolean;
  readonly packetIdentifier: number;
  readonly moment: Moment;
  readonly way: DeliveryWay;
  /** The client's subscriptions that it came through; several if it matches several and nothing tells which. */
  readonly subscriptions: readonly SubscriptionRecord[];
  readonly isCounted: boolean;
  /** Times that the broker has sent it again. */
  repeats = 0;

  constructor(
    source: MessageSource | undefined,
    connection: ConnectionRecord,
    topic: string,
    payloadLength: number,
    payload: KeptPayload | undefined,
    qos: number,
    retain: boolean,
    packetIdentifier: number,
    moment: Moment,
    way: DeliveryWay,
    subscriptions: readonly SubscriptionRecord[],
    isCounted: boolean,
  ) {
    this.source = source;
    this.connection = connection;
    this.topic = topic;
    this.payloadLength = payloadLength;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.packetIdentifier = packetIdentifier;
    this.moment = moment;
    this.way = way;
    this.subscriptions = subscriptions;
    this.isCounted = isCounted;
  }
}
