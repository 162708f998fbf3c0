/**
 * The errors that cross a module's border. `code` is stable and listed in docs/reference/errors.md; `reasonCode` is what the peer
 * is or was told; `rule` is the statement of the specification that was broken, such as `MQTT-3.3.1-4`.
 */
import { ReasonCode } from './reason-codes.ts';

/** Every stable error code with its one-line meaning. */
export const errorCodes = {
  MQTT_ERR_MALFORMED: 'The bytes are no MQTT packet of this version.',
  MQTT_ERR_PROTOCOL: 'A well-formed packet that is not allowed here.',
  MQTT_ERR_PACKET_TOO_LARGE: 'A packet is larger than the Maximum Packet Size in force.',
  MQTT_ERR_REFUSED: 'The other side refused the request; see reasonCode.',
  MQTT_ERR_CONNECTION_CLOSED: 'The Network Connection ended.',
  MQTT_ERR_CONNECTION_FAILED: 'The Network Connection could not be made.',
  MQTT_ERR_TIMEOUT: 'The other side did not answer in time.',
  MQTT_ERR_ABORTED: 'The operation was aborted by its AbortSignal.',
  MQTT_ERR_QUEUE_FULL: 'The offline queue is full.',
  MQTT_ERR_OPTION: 'An option has no meaning or the wrong type.',
  MQTT_ERR_OPTION_RANGE: 'An option is outside its range.',
  MQTT_ERR_TOPIC: 'A Topic Name or Topic Filter is not valid.',
  MQTT_ERR_STORAGE: 'The store could not do what it was asked.',
  MQTT_ERR_FILTER: 'A display filter has no meaning; see position.',
} as const;
export type ErrorCode = keyof typeof errorCodes;

export interface MqttErrorDetails {
  readonly reasonCode?: ReasonCode | undefined;
  readonly rule?: string | undefined;
  readonly cause?: unknown;
}

export class MqttError extends Error {
  readonly code: ErrorCode;
  readonly reasonCode: ReasonCode | undefined;
  readonly rule: string | undefined;
  constructor(code: ErrorCode, message: string, details: MqttErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.reasonCode = details.reasonCode;
    this.rule = details.rule;
  }
}

/** 0x81: the bytes break the packet's layout. `offset` counts from the packet's first byte. */
export class MalformedPacketError extends MqttError {
  readonly offset: number;
  constructor(message: string, offset: number, rule?: string, reasonCode: ReasonCode = ReasonCode.malformedPacket) {
    super('MQTT_ERR_MALFORMED', message, { reasonCode, rule });
    this.offset = offset;
  }
}

/** 0x82 or a closer Reason Code: a well-formed packet that the protocol does not allow at this point. */
export class ProtocolError extends MqttError {
  constructor(message: string, reasonCode: ReasonCode = ReasonCode.protocolError, rule?: string) {
    super('MQTT_ERR_PROTOCOL', message, { reasonCode, rule });
  }
}

/** 0x95: announced larger than allowed; thrown before a byte of the body is kept. */
export class PacketTooLargeError extends MqttError {
  constructor(message: string) {
    super('MQTT_ERR_PACKET_TOO_LARGE', message, { reasonCode: ReasonCode.packetTooLarge });
  }
}

/** The peer answered with a Reason Code of 0x80 or above. */
export class RefusedError extends MqttError {
  constructor(message: string, reasonCode: ReasonCode, cause?: unknown) {
    super('MQTT_ERR_REFUSED', message, { reasonCode, cause });
  }
}

/** The connection ended before what was asked was done. `reasonCode` is that of the server's DISCONNECT, if it sent one. */
export class ConnectionClosedError extends MqttError {
  constructor(message: string, reasonCode?: ReasonCode, cause?: unknown) {
    super('MQTT_ERR_CONNECTION_CLOSED', message, { reasonCode, cause });
  }
}

/** The other side did not answer in the time that the message names. */
export class TimeoutError extends MqttError {
  constructor(message: string) {
    super('MQTT_ERR_TIMEOUT', message);
  }
}

/** What the program gave cannot be used. The message names the option or value, and what was expected. */
export class OptionError extends MqttError {
  constructor(
    message: string,
    code: 'MQTT_ERR_OPTION' | 'MQTT_ERR_OPTION_RANGE' | 'MQTT_ERR_TOPIC' = 'MQTT_ERR_OPTION',
  ) {
    super(code, message);
  }
}

/** A store cannot be opened, or cannot do what it was asked. The message names the path and says what can be done. */
export class StorageError extends MqttError {
  constructor(message: string, cause?: unknown) {
    super('MQTT_ERR_STORAGE', message, { cause });
  }
}

/** A display filter cannot be understood. `position` is the column of what was wrong, from 0, and `length` how much of the text it is. */
export class FilterSyntaxError extends MqttError {
  readonly position: number;
  readonly length: number;
  constructor(message: string, position: number, length: number) {
    super('MQTT_ERR_FILTER', message);
    this.position = position;
    this.length = length;
  }
}
