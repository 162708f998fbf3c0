/**
 * The packet model: one interface per MQTT Control Packet, the MQTT 5.0 superset. Every field is always present, so that
 * each packet type has one object shape. `properties` is `undefined` when the packet carries none, and always for 3.1 and 3.1.1.
 * The codec is the only place that knows how the versions lay these out.
 */
import type { PacketType } from '../protocol/packet-types.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';

/** The Will Message of a CONNECT. [MQTT 5.0 §3.1.3.2] */
export interface WillMessage {
  readonly topicName: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: PropertiesOf<'WILL'> | undefined;
}

export interface ConnectPacket {
  readonly type: typeof PacketType.CONNECT;
  readonly protocolVersion: ProtocolVersion;
  /** Bit 7 of the protocol level byte: a bridge of another broker, as Mosquitto and others mark themselves (3.1 and 3.1.1). */
  readonly isBridge: boolean;
  /** Clean Start; for 3.1 and 3.1.1 the Clean Session flag, which also ends the Session with the connection. */
  readonly cleanStart: boolean;
  /** Seconds; 0 switches keep alive off. */
  readonly keepAlive: number;
  /** May be empty. */
  readonly clientIdentifier: string;
  readonly willMessage: WillMessage | undefined;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly properties: PropertiesOf<'CONNECT'> | undefined;
}

export interface ConnackPacket {
  readonly type: typeof PacketType.CONNACK;
  readonly sessionPresent: boolean;
  /**
   * A Reason Code of MQTT 5.0. The codec writes the nearest Connect Return Code (0–5) for 3.1 and 3.1.1 and, reading one,
   * gives the Reason Code that stands for it (1 → 0x84, 2 → 0x85, 3 → 0x88, 4 → 0x86, 5 → 0x87).
   */
  readonly reasonCode: ReasonCode;
  readonly properties: PropertiesOf<'CONNACK'> | undefined;
}

export interface PublishPacket {
  readonly type: typeof PacketType.PUBLISH;
  /** Empty only in MQTT 5.0, with a Topic Alias. */
  readonly topicName: string;
  /** A view of the bytes that were read, not a copy. */
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  /** 1–65,535 at QoS 1 and 2; 0 at QoS 0, which has none. */
  readonly packetIdentifier: number;
  readonly properties: PropertiesOf<'PUBLISH'> | undefined;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP share one layout. */
export interface AcknowledgePacket<T extends PublishAcknowledgeType = PublishAcknowledgeType> {
  readonly type: T;
  readonly packetIdentifier: number;
  /** 0 where the packet leaves it out, and in 3.1 and 3.1.1. */
  readonly reasonCode: ReasonCode;
  readonly properties: PropertiesOf<'PUBACK'> | undefined;
}
export type PublishAcknowledgeType =
  | typeof PacketType.PUBACK
  | typeof PacketType.PUBREC
  | typeof PacketType.PUBREL
  | typeof PacketType.PUBCOMP;
export type PubackPacket = AcknowledgePacket<typeof PacketType.PUBACK>;
export type PubrecPacket = AcknowledgePacket<typeof PacketType.PUBREC>;
export type PubrelPacket = AcknowledgePacket<typeof PacketType.PUBREL>;
export type PubcompPacket = AcknowledgePacket<typeof PacketType.PUBCOMP>;

/** One Topic Filter of a SUBSCRIBE with its Subscription Options. [MQTT 5.0 §3.8.3.1] */
export interface SubscriptionRequest {
  readonly topicFilter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 send retained messages, 1 only for a new subscription, 2 never. */
  readonly retainHandling: 0 | 1 | 2;
}

export interface SubscribePacket {
  readonly type: typeof PacketType.SUBSCRIBE;
  readonly packetIdentifier: number;
  /** At least one. */
  readonly subscriptions: readonly SubscriptionRequest[];
  readonly properties: PropertiesOf<'SUBSCRIBE'> | undefined;
}

export interface SubackPacket {
  readonly type: typeof PacketType.SUBACK;
  readonly packetIdentifier: number;
  /** In 3.1.1 every failure is written as 0x80. */
  readonly reasonCodes: readonly ReasonCode[];
  readonly properties: PropertiesOf<'SUBACK'> | undefined;
}

export interface UnsubscribePacket {
  readonly type: typeof PacketType.UNSUBSCRIBE;
  readonly packetIdentifier: number;
  readonly topicFilters: readonly string[];
  readonly properties: PropertiesOf<'UNSUBSCRIBE'> | undefined;
}

export interface UnsubackPacket {
  readonly type: typeof PacketType.UNSUBACK;
  readonly packetIdentifier: number;
  /** Empty in 3.1 and 3.1.1, which have none. */
  readonly reasonCodes: readonly ReasonCode[];
  readonly properties: PropertiesOf<'UNSUBACK'> | undefined;
}

export interface PingreqPacket {
  readonly type: typeof PacketType.PINGREQ;
}

export interface PingrespPacket {
  readonly type: typeof PacketType.PINGRESP;
}

export interface DisconnectPacket {
  readonly type: typeof PacketType.DISCONNECT;
  readonly reasonCode: ReasonCode;
  readonly properties: PropertiesOf<'DISCONNECT'> | undefined;
}

export interface AuthPacket {
  readonly type: typeof PacketType.AUTH;
  readonly reasonCode: ReasonCode;
  readonly properties: PropertiesOf<'AUTH'> | undefined;
}

export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | PubackPacket
  | PubrecPacket
  | PubrelPacket
  | PubcompPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | PingreqPacket
  | PingrespPacket
  | DisconnectPacket
  | AuthPacket;
