/** DISCONNECT from a client. [MQTT 5.0 §3.14] */
import type { DisconnectPacket } from '../codec/packets.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import type { Connection } from './connection.ts';

export function handleDisconnect(connection: Connection, packet: DisconnectPacket): undefined {
  const { context } = connection;
  const { session } = connection;
  if (context.logsPackets) context.log.write('debug', `Received DISCONNECT from ${connection.name}`);
  if (session === undefined) {
    // It gave up in the middle of its authentication.
    connection.finish(`Client ${connection.name} disconnected`, false);
    return;
  }
  const expiry = packet.properties?.sessionExpiryInterval;
  if (expiry !== undefined) {
    if (session.expiryInterval === 0 && expiry !== 0) {
      throw new ProtocolError(
        'Session Expiry Interval in DISCONNECT, although it was 0 in CONNECT',
        ReasonCode.protocolError,
        'MQTT-3.1.2-23',
      );
    }
    session.expiryInterval = expiry;
  }
  // Normal disconnection forgoes the will, any other Reason Code wants it published. [MQTT-3.14.4-3] [MQTT-3.1.2-10]
  connection.finish(`Client ${connection.name} disconnected`, packet.reasonCode !== ReasonCode.success);
}
