/** What is to be said of a packet by its place in the conversation. */

/** Bits of `MqttPacket.marks`. */
export const packetMarks = {
  /** It was sent before, or says so by DUP. */
  repeated: 1,
  /** Its Packet Identifier was still in use; `relatedFrame` says where. */
  identifierReused: 2,
  /** An acknowledgement of what was never sent, as far as the capture can tell. */
  unexpected: 4,
  /** An acknowledgement of another kind than the packet asks for. */
  wrongAnswer: 8,
  /** Sent by the end that must not send it. */
  wrongDirection: 0x10,
  /** Sent before any CONNECT, in a connection seen from its beginning. */
  beforeConnect: 0x20,
  secondConnect: 0x40,
  afterDisconnect: 0x80,
  /** Its Topic Alias stands for nothing that was seen. */
  unknownAlias: 0x100,
  /** As many Reason Codes as Topic Filters there must be in a SUBACK or UNSUBACK, and there are not. */
  wrongCount: 0x200,
  /** The version is read off packets, not from a CONNECT. */
  inferredVersion: 0x400,
  /** CONNACK before the CONNECT was answered is fine, a second one is not. */
  secondConnack: 0x800,
  /** The server sent something else before its CONNACK. */
  beforeConnack: 0x1000,
  /** PUBREL without the PUBREC before it. */
  releasedEarly: 0x2000,
  /** Its Topic Alias is larger than the other end allows. */
  aliasTooLarge: 0x4000,
} as const;
