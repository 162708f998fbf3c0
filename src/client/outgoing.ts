/** What holds a Packet Identifier of the client's, or waits for one: messages, and SUBSCRIBE and UNSUBSCRIBE requests. */
import type { AcknowledgePacket, SubackPacket, SubscriptionRequest, UnsubackPacket } from '../codec/packets.ts';
import type { OutboundEntry, OutboundState } from '../exchange/outbound-exchange.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import type { QoS } from '../protocol/version.ts';

/** Told how it went, once: with the acknowledgement (none at QoS 0), or the error. */
export type Settle<T> = (error: Error | undefined, answer: T | undefined) => void;

export class OutgoingMessage implements OutboundEntry {
  readonly kind = 'message';
  readonly topicName: string;
  /** The caller named the topic by a Topic Alias of an earlier message alone. */
  readonly isNameless: boolean;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: PropertiesOf<'PUBLISH'> | undefined;
  readonly settle: Settle<AcknowledgePacket>;
  packetIdentifier = 0;
  state: OutboundState = 'idle';
  /** Given up by the caller while it waited to be sent. */
  isAborted = false;

  constructor(
    topicName: string,
    isNameless: boolean,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    properties: PropertiesOf<'PUBLISH'> | undefined,
    settle: Settle<AcknowledgePacket>,
  ) {
    this.topicName = topicName;
    this.isNameless = isNameless;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties;
    this.settle = settle;
  }
}

export class OutgoingSubscribe implements OutboundEntry {
  readonly kind = 'subscribe';
  readonly qos = 0;
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: PropertiesOf<'SUBSCRIBE'> | undefined;
  readonly settle: Settle<SubackPacket>;
  packetIdentifier = 0;
  state: OutboundState = 'idle';

  constructor(
    subscriptions: readonly SubscriptionRequest[],
    properties: PropertiesOf<'SUBSCRIBE'> | undefined,
    settle: Settle<SubackPacket>,
  ) {
    this.subscriptions = subscriptions;
    this.properties = properties;
    this.settle = settle;
  }
}

export class OutgoingUnsubscribe implements OutboundEntry {
  readonly kind = 'unsubscribe';
  readonly qos = 0;
  readonly topicFilters: readonly string[];
  readonly properties: PropertiesOf<'UNSUBSCRIBE'> | undefined;
  readonly settle: Settle<UnsubackPacket>;
  packetIdentifier = 0;
  state: OutboundState = 'idle';

  constructor(
    topicFilters: readonly string[],
    properties: PropertiesOf<'UNSUBSCRIBE'> | undefined,
    settle: Settle<UnsubackPacket>,
  ) {
    this.topicFilters = topicFilters;
    this.properties = properties;
    this.settle = settle;
  }
}

export type OutgoingRequest = OutgoingSubscribe | OutgoingUnsubscribe;
export type Outgoing = OutgoingMessage | OutgoingRequest;
