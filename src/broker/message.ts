/** The Application Message inside the broker: read-only and shared by all its receivers. */
import type { PropertiesOf } from '../protocol/properties.ts';
import type { QoS } from '../protocol/version.ts';

/** The properties that go from publisher to subscriber unaltered. [MQTT 5.0 §3.3.2.3] */
export type MessageProperties = Omit<
  PropertiesOf<'PUBLISH'>,
  'topicAlias' | 'subscriptionIdentifiers' | 'messageExpiryInterval'
>;

/** Who published a message, for No Local and for `check_retain_source`. */
export interface Publisher {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
}

export class Message {
  readonly topicName: string;
  readonly payload: Uint8Array;
  /** As published. */
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  /** Milliseconds since the epoch after which it is not to be delivered any more; 0 if it never expires. */
  readonly expiresAt: number;
  /** Undefined for what the broker itself publishes. */
  readonly publisher: Publisher | undefined;

  constructor(
    topicName: string,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    properties: MessageProperties | undefined,
    expiresAt: number,
    publisher: Publisher | undefined,
  ) {
    this.topicName = topicName;
    this.payload = payload;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties;
    this.expiresAt = expiresAt;
    this.publisher = publisher;
  }
}
