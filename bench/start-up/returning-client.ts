/** A client that comes back for what waits for it, over a socket and the codec alone. */
import { connect as connectSocket } from 'node:net';
import { decodePacket, encodedBytes, PacketFramer } from '../../src/codec/index.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';

const patienceMs = 30_000;

export interface Collected {
  /** Milliseconds from CONNECT to the last message. */
  readonly elapsedMs: number;
  readonly isSessionPresent: boolean;
  /** In the order of their arrival. */
  readonly texts: readonly string[];
}

/** Resumes a Session, acknowledges what comes until there are so many messages, and leaves. */
export function collect(port: number, clientIdentifier: string, count: number): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1');
    const framer = new PacketFramer();
    const texts: string[] = [];
    let isSessionPresent = false;
    const start = performance.now();
    const finish = (): void => {
      clearTimeout(timer);
      resolve({ elapsedMs: performance.now() - start, isSessionPresent, texts });
      socket.end(encodedBytes({ type: PacketType.DISCONNECT, reasonCode: 0, properties: undefined }, 4));
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${clientIdentifier} got ${texts.length} of ${count} messages in ${patienceMs / 1000} s`));
    }, patienceMs);
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('connect', () => {
      const credentials = { username: undefined, password: undefined, willMessage: undefined, properties: undefined };
      socket.write(
        encodedBytes(
          {
            type: PacketType.CONNECT,
            protocolVersion: 4,
            cleanStart: false,
            keepAlive: 60,
            clientIdentifier,
            isBridge: false,
            ...credentials,
          },
          4,
        ),
      );
    });
    socket.on('data', (chunk) => {
      framer.push(chunk);
      while (framer.next()) {
        const packet = decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, 4);
        if (packet.type === PacketType.CONNACK) {
          isSessionPresent = packet.sessionPresent;
        } else if (packet.type === PacketType.PUBLISH) {
          texts.push(Buffer.from(packet.payload).toString('latin1').trimEnd());
          const { packetIdentifier } = packet;
          socket.write(
            encodedBytes({ type: PacketType.PUBACK, packetIdentifier, reasonCode: 0, properties: undefined }, 4),
          );
        }
      }
      if (texts.length >= count) finish();
    });
  });
}
