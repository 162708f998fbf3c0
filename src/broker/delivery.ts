/** One subscriber's view of a Message: what is its own, while the Message itself is shared. */
import type { OutboundEntry, OutboundState } from '../exchange/outbound-exchange.ts';
import type { QoS } from '../protocol/version.ts';
import type { Message } from './message.ts';

export class Delivery implements OutboundEntry {
  readonly message: Message;
  /** The QoS it goes out at. [MQTT-3.8.4-8] */
  readonly qos: QoS;
  /** The RETAIN flag it goes out with. [MQTT-3.3.1-12] [MQTT-3.3.1-13] */
  readonly retain: boolean;
  /** The Subscription Identifiers of all subscriptions that it is for. [MQTT-3.3.4-3] */
  readonly subscriptionIdentifiers: readonly number[] | undefined;
  packetIdentifier: number;
  state: OutboundState;
  /** Its place in the store's order of this Session; 0 if it is not stored. */
  position: number;
  /** The store's own note that it has a record of it; nobody else's business. */
  isWritten: boolean;
  /** The store's own note that it counts it as waiting in the Session's queue. */
  isCounted: boolean;

  constructor(message: Message, qos: QoS, retain: boolean, subscriptionIdentifiers: readonly number[] | undefined) {
    this.message = message;
    this.qos = qos;
    this.retain = retain;
    this.subscriptionIdentifiers = subscriptionIdentifiers;
    this.packetIdentifier = 0;
    this.state = 'idle';
    this.position = 0;
    this.isWritten = false;
    this.isCounted = false;
  }
}
