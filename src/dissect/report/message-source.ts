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
  readonly payload: KeptPayload;
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
  /** Sessions that have it, while later deliveries are looked for. */
  deliveredTo: Set<SessionRecord> | undefined = undefined;
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
    payload: KeptPayload,
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
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.packetIdentifier = packetIdentifier;
    this.moment = moment;
    this.isCounted = isCounted;
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
  readonly payload: KeptPayload;
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
    payload: KeptPayload,
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
