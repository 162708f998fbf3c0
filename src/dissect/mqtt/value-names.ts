/** What the numbers in MQTT packets are called, in the words that Wireshark's trees and filters use for them. */
import type { PacketTypeName } from '../../protocol/packet-types.ts';
import { propertyRows } from '../../protocol/properties.ts';
import { reasonCodeRows } from '../../protocol/reason-codes.ts';
import type { ValueNames } from '../field.ts';

export const packetTypeNames: ValueNames = {
  0: 'Reserved',
  1: 'Connect Command',
  2: 'Connect Ack',
  3: 'Publish Message',
  4: 'Publish Ack',
  5: 'Publish Received',
  6: 'Publish Release',
  7: 'Publish Complete',
  8: 'Subscribe Request',
  9: 'Subscribe Ack',
  10: 'Unsubscribe Request',
  11: 'Unsubscribe Ack',
  12: 'Ping Request',
  13: 'Ping Response',
  14: 'Disconnect Req',
  15: 'Authentication Exchange',
};

export const setNames: ValueNames = { 0: 'Not set', 1: 'Set' };

export const qosNames: ValueNames = {
  0: 'At most once delivery (Fire and Forget)',
  1: 'At least once delivery (Acknowledged deliver)',
  2: 'Exactly once delivery (Assured Delivery)',
  3: 'Reserved',
};

export const grantedQosNames: ValueNames = { ...qosNames, 128: 'Failure' };

export const versionNames: ValueNames = { 3: 'MQTT v3.1', 4: 'MQTT v3.1.1', 5: 'MQTT v5.0' };

export const returnCodeNames: ValueNames = {
  0: 'Connection Accepted',
  1: 'Connection Refused: unacceptable protocol version',
  2: 'Connection Refused: identifier rejected',
  3: 'Connection Refused: server unavailable',
  4: 'Connection Refused: bad user name or password',
  5: 'Connection Refused: not authorized',
};

export const retainHandlingNames: ValueNames = {
  0: 'Send msgs at subscription time',
  1: 'Send msgs if subscription does not exist',
  2: 'Do not send msgs at subscription time',
  3: 'Reserved',
};

/** Where Wireshark's name differs from the specification's. */
const reasonCodesInOtherWords: ValueNames = {
  158: 'Shared Subscription not supported',
  162: 'Wildcard Subscription not supported',
};
const successInOtherWords: Partial<Record<PacketTypeName, string>> = {
  SUBACK: 'Granted QoS 0',
  DISCONNECT: 'Normal disconnection',
};
/** Codes that Wireshark 4.0 has no name for in a packet that may carry them: it prints `Unknown`. */
const reasonCodesWithoutName: Partial<Record<PacketTypeName, readonly number[]>> = {
  CONNACK: [153],
  UNSUBACK: [128],
};

export function reasonCodeNames(packet: PacketTypeName): ValueNames {
  const names: Record<number, string> = {};
  for (const { value, name, packets } of Object.values(reasonCodeRows)) {
    if (!packets.includes(packet) || reasonCodesWithoutName[packet]?.includes(value)) continue;
    names[value] = (value === 0 ? successInOtherWords[packet] : reasonCodesInOtherWords[value]) ?? name;
  }
  return names;
}

export const propertyNames: ValueNames = Object.fromEntries(
  Object.values(propertyRows).map(({ identifier, name }) => [
    identifier,
    identifier === 0x02 ? 'Publication Expiry Interval' : name,
  ]),
);
