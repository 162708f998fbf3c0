/**
 * From an open byte stream to an accepted CONNECT.
 *
 *     CONNECT ─▶ waiting ──CONNACK 0──▶ accepted
 *                │  ▲ └───CONNACK ≥ 0x80, DISCONNECT, end, abort──▶ failed
 *         AUTH 0x18 │
 *                ▼  │ AUTH 0x18
 *              authenticate
 */
import type { AuthPacket, ConnackPacket, ConnectPacket, Packet } from '../codec/packets.ts';
import {
  ConnectionClosedError,
  type MqttError,
  PacketTooLargeError,
  ProtocolError,
  RefusedError,
} from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { ReasonCode, reasonCodeName } from '../protocol/reason-codes.ts';
import type { Link, LinkHandlers } from './link.ts';
import type { ResolvedOptions } from './options.ts';

/** The CONNECT of these options, for this attempt. */
export function connectPacketOf(
  options: ResolvedOptions,
  clientIdentifier: string,
  cleanStart: boolean,
): ConnectPacket {
  return {
    type: PacketType.CONNECT,
    protocolVersion: options.protocolVersion,
    isBridge: false,
    cleanStart,
    keepAlive: options.keepAlive,
    clientIdentifier,
    willMessage: options.willMessage,
    username: options.username,
    password: options.password,
    properties: options.properties,
  };
}

/**
 * Sends CONNECT and rejects with why the connection failed, or resolves after `accepted` was called. That happens in the turn of the
 * CONNACK, before what follows it is looked at, so that `accepted` can take the link over.
 */
export function shakeHands(
  link: Link,
  packet: ConnectPacket,
  options: ResolvedOptions,
  signal: AbortSignal,
  accepted: (connack: ConnackPacket) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const onAbort = (): void => fail(signal.reason);
    const fail = (error: unknown): void => {
      if (isSettled) return;
      isSettled = true;
      signal.removeEventListener('abort', onAbort);
      link.destroy();
      reject(error);
    };
    const receive = (packet: Packet): void => {
      if (isSettled) return;
      switch (packet.type) {
        case PacketType.CONNACK: {
          const error = faultOfConnack(packet, options.protocolVersion === 5, isCleanStart);
          if (error !== undefined) {
            fail(error);
            return;
          }
          isSettled = true;
          signal.removeEventListener('abort', onAbort);
          accepted(packet);
          resolve();
          return;
        }
        case PacketType.AUTH:
          answerChallenge(link, packet, options).catch(fail);
          return;
        case PacketType.DISCONNECT:
          fail(closedByServer(packet.reasonCode, packet.properties?.reasonString));
          return;
        default:
          throw new ProtocolError('a packet before CONNACK', ReasonCode.protocolError, 'MQTT-3.2.0-1');
      }
    };
    const handlers: LinkHandlers = {
      packet: receive,
      drain: () => {},
      idle: () => {},
      fault: fail,
      close: (error) =>
        fail(new ConnectionClosedError('the connection was closed before CONNACK came', undefined, error)),
    };
    const isCleanStart = packet.cleanStart;
    if (signal.aborted) return fail(signal.reason);
    signal.addEventListener('abort', onAbort);
    link.handlers = handlers;
    try {
      link.send(packet);
    } catch (error) {
      fail(error);
    }
  });
}

/** The largest of the packets that a client must send whatever happens: an acknowledgement with a Reason Code. */
const acknowledgementBytes = 5;

function faultOfConnack(connack: ConnackPacket, isVersion5: boolean, isCleanStart: boolean): MqttError | undefined {
  const { reasonCode, properties } = connack;
  if (reasonCode >= 0x80) {
    const details = properties?.reasonString ?? properties?.serverReference;
    const text = `the server refused the connection: ${reasonCodeName(reasonCode)}`;
    return new RefusedError(details === undefined ? text : `${text} (${details})`, reasonCode);
  }
  if (connack.sessionPresent && isCleanStart && isVersion5) {
    // [MQTT-3.2.2-2]
    return new ProtocolError(
      'CONNACK with Session Present after Clean Start',
      ReasonCode.protocolError,
      'MQTT-3.2.2-2',
    );
  }
  const { maximumPacketSize } = properties ?? {};
  if (maximumPacketSize !== undefined && maximumPacketSize < acknowledgementBytes) {
    return new ProtocolError(
      `CONNACK with a Maximum Packet Size of ${maximumPacketSize}: not even acknowledgements fit`,
    );
  }
  return undefined;
}

/** Answers an AUTH that asks for more. [MQTT-4.12.0-3] */
export async function answerChallenge(link: Link, packet: AuthPacket, options: ResolvedOptions): Promise<void> {
  const { authenticate } = options.given;
  const method = options.properties?.authenticationMethod;
  if (authenticate === undefined || method === undefined || packet.reasonCode !== ReasonCode.continueAuthentication) {
    throw new ProtocolError('an AUTH packet that nobody asked for', ReasonCode.protocolError, 'MQTT-4.12.0-6');
  }
  if (packet.properties?.authenticationMethod !== method) {
    // [MQTT-4.12.0-5]
    throw new ProtocolError('AUTH with another Authentication Method than CONNECT had');
  }
  const data = await authenticate(packet.properties.authenticationData);
  sendAuth(link, ReasonCode.continueAuthentication, method, data);
}

export function sendAuth(link: Link, reasonCode: ReasonCode, method: string, data: Uint8Array | undefined): void {
  link.send({
    type: PacketType.AUTH,
    reasonCode,
    properties: { authenticationMethod: method, ...(data !== undefined && { authenticationData: data }) },
  });
}

/** The error for a DISCONNECT that the server sent. */
export function closedByServer(reasonCode: ReasonCode, reasonString: string | undefined): ConnectionClosedError {
  const text = `the server closed the connection: ${reasonCode === 0 ? 'Normal disconnection' : reasonCodeName(reasonCode)}`;
  return new ConnectionClosedError(reasonString === undefined ? text : `${text} (${reasonString})`, reasonCode);
}

/** The Reason Code to say goodbye with after a fault of the server's. */
export function reasonCodeOf(error: MqttError): ReasonCode {
  if (error.reasonCode !== undefined) return error.reasonCode;
  return error instanceof PacketTooLargeError ? ReasonCode.packetTooLarge : ReasonCode.unspecifiedError;
}
