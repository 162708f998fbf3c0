/** Clients for one question each, without a Session that stays. */
import { connect as connectSocket } from 'node:net';
import { PacketScanner, type ReadPacket, readPacket } from '../support/packet-reader.ts';
import { type Bytes, connect, join, pingreq, publish5, subscribe5 } from '../support/raw-packets.ts';

/** The number in the payload of each retained message below `filter`, by topic; undefined if the broker went away meanwhile. */
export async function readRetained(port: number, filter: string): Promise<Map<string, number> | undefined> {
  const found = new Map<string, number>();
  // Retained messages follow the SUBACK, so they are here before the answer to a PINGREQ that is sent after it.
  const isComplete = await converse(port, subscribe5(1, [[filter, 0]]), (packet, send) => {
    if (packet.name === 'SUBACK') send(pingreq);
    if (packet.name === 'PUBLISH') found.set(packet.topic ?? '', Number.parseInt(String(packet.payload), 10));
    return packet.name === 'PINGRESP';
  });
  return isComplete ? found : undefined;
}

/** Publishes one message to each topic at QoS 1. False if the broker went away meanwhile. */
export function publishToAll(port: number, topics: readonly string[]): Promise<boolean> {
  const messages = topics.map((topic, index) => publish5(topic, 'probe', { qos: 1, id: index + 1 }));
  let acknowledged = 0;
  return converse(port, join(...messages), (packet) => {
    if (packet.name === 'PUBACK') acknowledged++;
    return acknowledged === topics.length;
  });
}

/** Connects, sends, and hands over what comes until `take` says that it was all. */
function converse(
  port: number,
  request: Bytes,
  take: (packet: ReadPacket, send: (bytes: Bytes) => void) => boolean,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1');
    const scanner = new PacketScanner();
    socket.on('connect', () => socket.write(connect({ version: 5, clientIdentifier: '', keepAlive: 0 })));
    socket.on('data', (chunk) => {
      for (const bytes of scanner.push(chunk)) {
        const packet = readPacket(bytes, 5);
        if (packet.name === 'CONNACK') socket.write(request);
        else if (take(packet, (answer) => socket.write(answer))) {
          resolve(true);
          socket.destroy();
          return;
        }
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
  });
}
