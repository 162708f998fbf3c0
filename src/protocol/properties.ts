/**
 * The properties of MQTT 5.0 as one table: identifier, name, wire type, where each may stand and within which bounds.
 * The packet types, the codec's property reader and writer and the reference documentation come from it. [MQTT 5.0 §2.2.2.2]
 */

/** Where a property may stand: a packet, or the Will Properties inside CONNECT. */
export type PropertyScope =
  | 'CONNECT'
  | 'CONNACK'
  | 'PUBLISH'
  | 'WILL'
  | 'PUBACK'
  | 'PUBREC'
  | 'PUBREL'
  | 'PUBCOMP'
  | 'SUBSCRIBE'
  | 'SUBACK'
  | 'UNSUBSCRIBE'
  | 'UNSUBACK'
  | 'DISCONNECT'
  | 'AUTH';

/** A name and a value; the same name may come more than once and order is kept. */
export type UserProperty = readonly [name: string, value: string];

/** What a value of each wire type is in a program. */
export interface PropertyValues {
  /** 0 or 1. */
  flag: boolean;
  byte: number;
  uint16: number;
  uint32: number;
  varint: number;
  utf8: string;
  binary: Uint8Array;
  pair: UserProperty;
}
export type PropertyWireType = keyof PropertyValues;

export interface PropertyRow {
  readonly identifier: number;
  /** The specification's name. */
  readonly name: string;
  readonly wireType: PropertyWireType;
  /** Numbers outside are a Protocol Error. */
  readonly range?: readonly [minimum: number, maximum: number];
  /** May stand more than once: the value is an array. */
  readonly repeatable?: true;
  /** The value is a topic name: no wildcard characters, not empty. */
  readonly topicName?: true;
  readonly unit?: 'seconds' | 'bytes';
  readonly scopes: readonly PropertyScope[];
  readonly section: string;
}

const anyAcknowledgement = [
  'CONNACK',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBACK',
  'UNSUBACK',
  'DISCONNECT',
  'AUTH',
] as const;
const anyPacket = ['CONNECT', 'PUBLISH', 'WILL', 'SUBSCRIBE', 'UNSUBSCRIBE', ...anyAcknowledgement] as const;

const rows = {
  payloadFormatIndicator: {
    identifier: 0x01,
    name: 'Payload Format Indicator',
    wireType: 'byte',
    range: [0, 1],
    scopes: ['PUBLISH', 'WILL'],
    section: '3.3.2.3.2',
  },
  messageExpiryInterval: {
    identifier: 0x02,
    name: 'Message Expiry Interval',
    wireType: 'uint32',
    unit: 'seconds',
    scopes: ['PUBLISH', 'WILL'],
    section: '3.3.2.3.3',
  },
  contentType: {
    identifier: 0x03,
    name: 'Content Type',
    wireType: 'utf8',
    scopes: ['PUBLISH', 'WILL'],
    section: '3.3.2.3.9',
  },
  responseTopic: {
    identifier: 0x08,
    name: 'Response Topic',
    wireType: 'utf8',
    topicName: true,
    scopes: ['PUBLISH', 'WILL'],
    section: '3.3.2.3.5',
  },
  correlationData: {
    identifier: 0x09,
    name: 'Correlation Data',
    wireType: 'binary',
    scopes: ['PUBLISH', 'WILL'],
    section: '3.3.2.3.6',
  },
  /** In SUBSCRIBE at most one. */
  subscriptionIdentifiers: {
    identifier: 0x0b,
    name: 'Subscription Identifier',
    wireType: 'varint',
    range: [1, 268_435_455],
    repeatable: true,
    scopes: ['PUBLISH', 'SUBSCRIBE'],
    section: '3.8.2.1.2',
  },
  sessionExpiryInterval: {
    identifier: 0x11,
    name: 'Session Expiry Interval',
    wireType: 'uint32',
    unit: 'seconds',
    scopes: ['CONNECT', 'CONNACK', 'DISCONNECT'],
    section: '3.1.2.11.2',
  },
  assignedClientIdentifier: {
    identifier: 0x12,
    name: 'Assigned Client Identifier',
    wireType: 'utf8',
    scopes: ['CONNACK'],
    section: '3.2.2.3.7',
  },
  serverKeepAlive: {
    identifier: 0x13,
    name: 'Server Keep Alive',
    wireType: 'uint16',
    unit: 'seconds',
    scopes: ['CONNACK'],
    section: '3.2.2.3.14',
  },
  authenticationMethod: {
    identifier: 0x15,
    name: 'Authentication Method',
    wireType: 'utf8',
    scopes: ['CONNECT', 'CONNACK', 'AUTH'],
    section: '3.1.2.11.9',
  },
  authenticationData: {
    identifier: 0x16,
    name: 'Authentication Data',
    wireType: 'binary',
    scopes: ['CONNECT', 'CONNACK', 'AUTH'],
    section: '3.1.2.11.10',
  },
  requestProblemInformation: {
    identifier: 0x17,
    name: 'Request Problem Information',
    wireType: 'flag',
    scopes: ['CONNECT'],
    section: '3.1.2.11.7',
  },
  willDelayInterval: {
    identifier: 0x18,
    name: 'Will Delay Interval',
    wireType: 'uint32',
    unit: 'seconds',
    scopes: ['WILL'],
    section: '3.1.3.2.2',
  },
  requestResponseInformation: {
    identifier: 0x19,
    name: 'Request Response Information',
    wireType: 'flag',
    scopes: ['CONNECT'],
    section: '3.1.2.11.6',
  },
  responseInformation: {
    identifier: 0x1a,
    name: 'Response Information',
    wireType: 'utf8',
    scopes: ['CONNACK'],
    section: '3.2.2.3.15',
  },
  serverReference: {
    identifier: 0x1c,
    name: 'Server Reference',
    wireType: 'utf8',
    scopes: ['CONNACK', 'DISCONNECT'],
    section: '3.2.2.3.16',
  },
  reasonString: {
    identifier: 0x1f,
    name: 'Reason String',
    wireType: 'utf8',
    scopes: anyAcknowledgement,
    section: '3.2.2.3.9',
  },
  receiveMaximum: {
    identifier: 0x21,
    name: 'Receive Maximum',
    wireType: 'uint16',
    range: [1, 65_535],
    scopes: ['CONNECT', 'CONNACK'],
    section: '3.1.2.11.3',
  },
  topicAliasMaximum: {
    identifier: 0x22,
    name: 'Topic Alias Maximum',
    wireType: 'uint16',
    scopes: ['CONNECT', 'CONNACK'],
    section: '3.1.2.11.5',
  },
  /** 0 is not in range: it is refused as Topic Alias invalid (0x94) by whoever resolves aliases, not by the codec. */
  topicAlias: { identifier: 0x23, name: 'Topic Alias', wireType: 'uint16', scopes: ['PUBLISH'], section: '3.3.2.3.4' },
  maximumQos: {
    identifier: 0x24,
    name: 'Maximum QoS',
    wireType: 'byte',
    range: [0, 1],
    scopes: ['CONNACK'],
    section: '3.2.2.3.4',
  },
  retainAvailable: {
    identifier: 0x25,
    name: 'Retain Available',
    wireType: 'flag',
    scopes: ['CONNACK'],
    section: '3.2.2.3.5',
  },
  userProperties: {
    identifier: 0x26,
    name: 'User Property',
    wireType: 'pair',
    repeatable: true,
    scopes: anyPacket,
    section: '3.1.2.11.8',
  },
  maximumPacketSize: {
    identifier: 0x27,
    name: 'Maximum Packet Size',
    wireType: 'uint32',
    unit: 'bytes',
    range: [1, 4_294_967_295],
    scopes: ['CONNECT', 'CONNACK'],
    section: '3.1.2.11.4',
  },
  wildcardSubscriptionAvailable: {
    identifier: 0x28,
    name: 'Wildcard Subscription Available',
    wireType: 'flag',
    scopes: ['CONNACK'],
    section: '3.2.2.3.11',
  },
  subscriptionIdentifiersAvailable: {
    identifier: 0x29,
    name: 'Subscription Identifier Available',
    wireType: 'flag',
    scopes: ['CONNACK'],
    section: '3.2.2.3.12',
  },
  sharedSubscriptionAvailable: {
    identifier: 0x2a,
    name: 'Shared Subscription Available',
    wireType: 'flag',
    scopes: ['CONNACK'],
    section: '3.2.2.3.13',
  },
} as const satisfies Record<string, PropertyRow>;

type Rows = typeof rows;
export type PropertyKey = keyof Rows;
type KeysOf<S extends PropertyScope> = {
  [K in PropertyKey]: S extends Rows[K]['scopes'][number] ? K : never;
}[PropertyKey];
type ValueOf<R extends PropertyRow> = R extends { readonly repeatable: true }
  ? readonly PropertyValues[R['wireType']][]
  : PropertyValues[R['wireType']];

/** The properties a packet (or the will) may carry, by key; a key is present only if the property is. */
export type PropertiesOf<S extends PropertyScope> = { -readonly [K in KeysOf<S>]?: ValueOf<Rows[K]> };

/** The table, in the order of the identifiers. */
export const propertyRows: Readonly<Record<PropertyKey, PropertyRow>> = rows;
