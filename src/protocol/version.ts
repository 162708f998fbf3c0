/**
 * Protocol Level of a connection, as it stands in the CONNECT packet: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0.
 * [MQTT 5.0 §3.1.2.2]
 */
export type ProtocolVersion = 3 | 4 | 5;

/** Quality of Service: 0 at most once, 1 at least once, 2 exactly once. [MQTT 5.0 §4.3] */
export type QoS = 0 | 1 | 2;

/** The largest value a Variable Byte Integer, and so a Remaining Length, can have. [MQTT 5.0 §1.5.5] */
export const variableByteIntegerMax = 268_435_455;

/** The largest Packet Identifier; 0 is never one. [MQTT-2.2.1-2] */
export const packetIdentifierMax = 65_535;
