/** Which packet goes to which handler, and which packets a client may not send. */
import { decodePacket, shortAcknowledgeSize } from '../codec/index.ts';
import { ProtocolError } from '../protocol/errors.ts';
import { PacketType } from '../protocol/packet-types.ts';
import { handleConnect } from './connect.ts';
import type { Connection } from './connection.ts';
import { handleDisconnect } from './disconnect.ts';
import { handleAuth } from './enhanced-authentication.ts';
import { receivePublish, receivePubrel, untilStoreFollows } from './publish.ts';
import { takePublishRun, takePubrelRun } from './publish-run.ts';
import { receivePuback, receivePubcomp, receivePubrec, takeAcknowledgeRun } from './receive-acknowledge.ts';
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts';

/** First bytes of PUBLISH without DUP and RETAIN. */
const publishQos0 = 0x30;
const publishQos1 = 0x32;
const publishQos2 = 0x34;
const pubrelFirstByte = 0x62;

/**
 * Handles the packet that the connection's framer stands at.
 * @returns a promise if nothing more may be handled until it resolves
 */
export function processPacket(connection: Connection): Promise<void> | undefined {
  const { framer, context } = connection;
  const { bytes, packetStart, bodyStart, end } = framer;
  context.counters.messagesReceived++;
  if (connection.state === 'open') {
    const first = bytes[packetStart] as number;
    if (first === publishQos0) {
      if (connection.relay.take()) return undefined;
    } else if (first === publishQos1 || first === publishQos2) {
      connection.flushRelay();
      if (takePublishRun(connection)) return untilStoreFollows(context);
    } else if (end - packetStart === shortAcknowledgeSize && !context.logsPackets) {
      // Two bytes of identifier and success: no packet object is needed.
      if (first === pubrelFirstByte) {
        connection.flushRelay();
        if (takePubrelRun(connection)) return untilStoreFollows(context);
      } else if (takeAcknowledgeRun(connection)) {
        return undefined;
      }
    }
    connection.flushRelay();
    // Before it is decoded: what might be wrong with it does not matter any more.
    if (first >> 4 === PacketType.CONNECT) throw new ProtocolError('A second CONNECT', undefined, 'MQTT-3.1.0-2');
  } else {
    const type = (bytes[packetStart] as number) >> 4;
    if (connection.state === 'awaiting-connect') {
      if (type !== PacketType.CONNECT) {
        throw new ProtocolError('The first packet is not CONNECT', undefined, 'MQTT-3.1.0-1');
      }
    } else if (type !== PacketType.AUTH && type !== PacketType.DISCONNECT) {
      throw new ProtocolError('A packet before CONNACK that is not AUTH or DISCONNECT', undefined, 'MQTT-3.1.2-30');
    }
  }
  const packet = decodePacket(bytes, packetStart, bodyStart, end, connection.version);
  switch (packet.type) {
    case PacketType.CONNECT:
      if (connection.state !== 'awaiting-connect')
        throw new ProtocolError('A second CONNECT', undefined, 'MQTT-3.1.0-2');
      return handleConnect(connection, packet);
    case PacketType.PUBLISH:
      return receivePublish(connection, packet);
    case PacketType.PUBACK:
      if (context.logsPackets)
        logReceived(
          connection,
          `PUBACK from ${connection.name} (Mid: ${packet.packetIdentifier}, RC:${packet.reasonCode})`,
        );
      return void receivePuback(connection, packet.packetIdentifier);
    case PacketType.PUBREC:
      if (context.logsPackets)
        logReceived(connection, `PUBREC from ${connection.name} (Mid: ${packet.packetIdentifier})`);
      return void receivePubrec(connection, packet.packetIdentifier, packet.reasonCode);
    case PacketType.PUBREL:
      if (context.logsPackets)
        logReceived(connection, `PUBREL from ${connection.name} (Mid: ${packet.packetIdentifier})`);
      return receivePubrel(connection, packet);
    case PacketType.PUBCOMP:
      if (context.logsPackets)
        logReceived(
          connection,
          `PUBCOMP from ${connection.name} (Mid: ${packet.packetIdentifier}, RC:${packet.reasonCode})`,
        );
      return void receivePubcomp(connection, packet.packetIdentifier);
    case PacketType.SUBSCRIBE:
      return handleSubscribe(connection, packet);
    case PacketType.UNSUBSCRIBE:
      return handleUnsubscribe(connection, packet);
    case PacketType.PINGREQ:
      if (context.logsPackets) logReceived(connection, `PINGREQ from ${connection.name}`);
      connection.send({ type: PacketType.PINGRESP });
      if (context.logsPackets) context.log.write('debug', `Sending PINGRESP to ${connection.name}`);
      return undefined;
    case PacketType.DISCONNECT:
      return handleDisconnect(connection, packet);
    case PacketType.AUTH:
      return handleAuth(connection, packet);
    default:
      throw new ProtocolError(`A packet of type ${packet.type} is for servers to send, not for clients`);
  }
}

function logReceived(connection: Connection, text: string): void {
  connection.context.log.write('debug', `Received ${text}`);
}
