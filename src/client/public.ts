/** What both builds of `clearwing/client` export beside `connect`. */
export {
  ConnectionClosedError,
  type ErrorCode,
  errorCodes,
  MalformedPacketError,
  MqttError,
  OptionError,
  PacketTooLargeError,
  ProtocolError,
  RefusedError,
  TimeoutError,
} from '../protocol/errors.ts';
export { ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
export type { ProtocolVersion, QoS } from '../protocol/version.ts';
export type { Transport, TransportHandlers } from '../transport/transport.ts';
export type * from './types.ts';
