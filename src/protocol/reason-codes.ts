/**
 * The Reason Codes of MQTT 5.0 with the packets each may stand in, as one table. [MQTT 5.0 §2.4]
 * Names, types and documentation are derived from it.
 */
import type { PacketTypeName } from './packet-types.ts';

interface ReasonCodeRow {
  readonly value: number;
  /** The specification's name; 0x00 has others in SUBACK (Granted QoS 0) and DISCONNECT (Normal disconnection). */
  readonly name: string;
  readonly packets: readonly PacketTypeName[];
}

const rows = {
  success: {
    value: 0x00,
    name: 'Success',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'UNSUBACK', 'AUTH', 'SUBACK', 'DISCONNECT'],
  },
  grantedQos1: { value: 0x01, name: 'Granted QoS 1', packets: ['SUBACK'] },
  grantedQos2: { value: 0x02, name: 'Granted QoS 2', packets: ['SUBACK'] },
  disconnectWithWillMessage: { value: 0x04, name: 'Disconnect with Will Message', packets: ['DISCONNECT'] },
  noMatchingSubscribers: { value: 0x10, name: 'No matching subscribers', packets: ['PUBACK', 'PUBREC'] },
  noSubscriptionExisted: { value: 0x11, name: 'No subscription existed', packets: ['UNSUBACK'] },
  continueAuthentication: { value: 0x18, name: 'Continue authentication', packets: ['AUTH'] },
  reAuthenticate: { value: 0x19, name: 'Re-authenticate', packets: ['AUTH'] },
  unspecifiedError: {
    value: 0x80,
    name: 'Unspecified error',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', 'DISCONNECT'],
  },
  malformedPacket: { value: 0x81, name: 'Malformed Packet', packets: ['CONNACK', 'DISCONNECT'] },
  protocolError: { value: 0x82, name: 'Protocol Error', packets: ['CONNACK', 'DISCONNECT'] },
  implementationSpecificError: {
    value: 0x83,
    name: 'Implementation specific error',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', 'DISCONNECT'],
  },
  unsupportedProtocolVersion: { value: 0x84, name: 'Unsupported Protocol Version', packets: ['CONNACK'] },
  clientIdentifierNotValid: { value: 0x85, name: 'Client Identifier not valid', packets: ['CONNACK'] },
  badUserNameOrPassword: { value: 0x86, name: 'Bad User Name or Password', packets: ['CONNACK'] },
  notAuthorized: {
    value: 0x87,
    name: 'Not authorized',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK', 'DISCONNECT'],
  },
  serverUnavailable: { value: 0x88, name: 'Server unavailable', packets: ['CONNACK'] },
  serverBusy: { value: 0x89, name: 'Server busy', packets: ['CONNACK', 'DISCONNECT'] },
  banned: { value: 0x8a, name: 'Banned', packets: ['CONNACK'] },
  serverShuttingDown: { value: 0x8b, name: 'Server shutting down', packets: ['DISCONNECT'] },
  badAuthenticationMethod: { value: 0x8c, name: 'Bad authentication method', packets: ['CONNACK', 'DISCONNECT'] },
  keepAliveTimeout: { value: 0x8d, name: 'Keep Alive timeout', packets: ['DISCONNECT'] },
  sessionTakenOver: { value: 0x8e, name: 'Session taken over', packets: ['DISCONNECT'] },
  topicFilterInvalid: { value: 0x8f, name: 'Topic Filter invalid', packets: ['SUBACK', 'UNSUBACK', 'DISCONNECT'] },
  topicNameInvalid: { value: 0x90, name: 'Topic Name invalid', packets: ['CONNACK', 'PUBACK', 'PUBREC', 'DISCONNECT'] },
  packetIdentifierInUse: {
    value: 0x91,
    name: 'Packet Identifier in use',
    packets: ['PUBACK', 'PUBREC', 'SUBACK', 'UNSUBACK'],
  },
  packetIdentifierNotFound: { value: 0x92, name: 'Packet Identifier not found', packets: ['PUBREL', 'PUBCOMP'] },
  receiveMaximumExceeded: { value: 0x93, name: 'Receive Maximum exceeded', packets: ['DISCONNECT'] },
  topicAliasInvalid: { value: 0x94, name: 'Topic Alias invalid', packets: ['DISCONNECT'] },
  packetTooLarge: { value: 0x95, name: 'Packet too large', packets: ['CONNACK', 'DISCONNECT'] },
  messageRateTooHigh: { value: 0x96, name: 'Message rate too high', packets: ['DISCONNECT'] },
  quotaExceeded: {
    value: 0x97,
    name: 'Quota exceeded',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'SUBACK', 'DISCONNECT'],
  },
  administrativeAction: { value: 0x98, name: 'Administrative action', packets: ['DISCONNECT'] },
  payloadFormatInvalid: {
    value: 0x99,
    name: 'Payload format invalid',
    packets: ['CONNACK', 'PUBACK', 'PUBREC', 'DISCONNECT'],
  },
  retainNotSupported: { value: 0x9a, name: 'Retain not supported', packets: ['CONNACK', 'DISCONNECT'] },
  qosNotSupported: { value: 0x9b, name: 'QoS not supported', packets: ['CONNACK', 'DISCONNECT'] },
  useAnotherServer: { value: 0x9c, name: 'Use another server', packets: ['CONNACK', 'DISCONNECT'] },
  serverMoved: { value: 0x9d, name: 'Server moved', packets: ['CONNACK', 'DISCONNECT'] },
  sharedSubscriptionsNotSupported: {
    value: 0x9e,
    name: 'Shared Subscriptions not supported',
    packets: ['SUBACK', 'DISCONNECT'],
  },
  connectionRateExceeded: { value: 0x9f, name: 'Connection rate exceeded', packets: ['CONNACK', 'DISCONNECT'] },
  maximumConnectTime: { value: 0xa0, name: 'Maximum connect time', packets: ['DISCONNECT'] },
  subscriptionIdentifiersNotSupported: {
    value: 0xa1,
    name: 'Subscription Identifiers not supported',
    packets: ['SUBACK', 'DISCONNECT'],
  },
  wildcardSubscriptionsNotSupported: {
    value: 0xa2,
    name: 'Wildcard Subscriptions not supported',
    packets: ['SUBACK', 'DISCONNECT'],
  },
} as const satisfies Record<string, ReasonCodeRow>;

type Rows = typeof rows;
export type ReasonCodeKey = keyof Rows;

/** Reason Codes by key: `ReasonCode.notAuthorized` is 0x87. */
export const ReasonCode = Object.fromEntries(Object.entries(rows).map(([key, row]) => [key, row.value])) as {
  readonly [K in ReasonCodeKey]: Rows[K]['value'];
};
export type ReasonCode = Rows[ReasonCodeKey]['value'];

/** The table itself, for documentation, completion and the dissector. */
export const reasonCodeRows: Readonly<Record<ReasonCodeKey, ReasonCodeRow>> = rows;

const rowByValue = new Map<number, ReasonCodeRow>(Object.values(rows).map((row) => [row.value, row]));

/** The specification's name of a Reason Code, e.g. `Not authorized`; `Unknown Reason Code 0x7f` for what is none. */
export function reasonCodeName(value: number): string {
  return rowByValue.get(value)?.name ?? `Unknown Reason Code 0x${value.toString(16).padStart(2, '0')}`;
}

/** Whether the specification allows this Reason Code in this packet type. */
export function isReasonCodeOf(packet: PacketTypeName, value: number): value is ReasonCode {
  return rowByValue.get(value)?.packets.includes(packet) ?? false;
}

/** Reason Codes of 0x80 and above say that something failed. [MQTT 5.0 §2.4] */
export function isFailure(value: number): boolean {
  return value >= 0x80;
}
