/** MQTT Control Packet types, the high four bits of a packet's first byte. [MQTT 5.0 §2.1.2] */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

export type PacketTypeName = keyof typeof PacketType;
export type PacketType = (typeof PacketType)[PacketTypeName];

const names: readonly string[] = ['RESERVED', ...Object.keys(PacketType)];

/** `CONNECT`: the name of a type, `RESERVED` for 0. @param type 0–15 */
export function packetTypeName(type: number): string {
  return names[type] as string;
}
