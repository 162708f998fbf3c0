/**
 * A proxy that stands between clients and a broker and writes down every packet, per connection and direction. It can also
 * lose chosen packets or cut a connection, to try what happens then.
 */
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { describePacket, PacketScanner, type ReadPacket, readPacket } from './packet-reader.ts';
import type { Bytes, Version } from './raw-packets.ts';
import { defaultPatienceMs, until } from './until.ts';

export type Direction = 'C>B' | 'B>C';

export interface RecordedPacket {
  /** Counts connections from 1, in the order in which they were made. */
  readonly connection: number;
  readonly direction: Direction;
  readonly packet: ReadPacket;
  readonly bytes: Bytes;
  /** Milliseconds on `performance.now()`'s clock. */
  readonly at: number;
}

export interface ConnectionEnd {
  readonly connection: number;
  /** Who closed first. */
  readonly by: 'client' | 'broker';
}

/** What to do with a packet: let it through, lose it, or lose it and drop both ends of the connection. */
export type Fate = 'pass' | 'lose' | 'cut';

export interface WireRecorder {
  readonly port: number;
  /** Everything so far, or one connection's part of it. */
  packets(connection?: number): RecordedPacket[];
  /** One line a packet: `C>B 82 14 SUBSCRIBE id=1 [counter/slow/q0] q0`. */
  ladder(connection?: number): string[];
  /** How each connection ended. */
  ends(): ConnectionEnd[];
  /** Resolves with the `count`-th packet whose ladder line matches. */
  waitFor(pattern: RegExp, connection?: number, count?: number, patienceMs?: number): Promise<RecordedPacket>;
  /** Resolves once this connection has ended. */
  waitForEnd(connection: number): Promise<ConnectionEnd>;
  close(): Promise<void>;
}

export interface WireRecorderOptions {
  /** Decides about each packet; the recording has the packet in any case. */
  readonly fate?: (packet: ReadPacket, direction: Direction, connection: number) => Fate;
}

export const ladderLine = (recorded: RecordedPacket): string =>
  `${recorded.direction} ${describePacket(recorded.packet)}`;

/** Starts a recorder on a free port of 127.0.0.1 that forwards to `targetPort` there. */
export async function startWireRecorder(targetPort: number, options: WireRecorderOptions = {}): Promise<WireRecorder> {
  const recording: RecordedPacket[] = [];
  const endings: ConnectionEnd[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const connection = ++connections;
    let version: Version = 4;
    const broker = connectSocket({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const pipe = (from: Socket, to: Socket, direction: Direction) => {
      sockets.add(from);
      from.setNoDelay(true);
      const scanner = new PacketScanner();
      const forward = (bytes: Bytes) => {
        // The version is in the CONNECT, so that packet must be looked at before it is read as a whole.
        if (bytes[0] === 0x10) version = readPacket(bytes, 4).connect?.version ?? version;
        const packet = readPacket(bytes, version);
        recording.push({ connection, direction, packet, bytes, at: performance.now() });
        const fate = options.fate?.(packet, direction, connection) ?? 'pass';
        if (fate === 'pass') to.write(bytes);
        if (fate === 'cut') {
          from.destroy();
          to.destroy();
        }
      };
      const end = () => {
        if (!endings.some((ending) => ending.connection === connection)) {
          endings.push({ connection, by: direction === 'C>B' ? 'client' : 'broker' });
        }
      };
      from.on('data', (chunk) => {
        for (const bytes of scanner.push(chunk)) if (!from.destroyed) forward(bytes);
      });
      from.on('end', () => {
        end();
        to.end();
      });
      from.on('error', () => {
        end();
        to.resetAndDestroy();
      });
      from.on('close', () => {
        end();
        sockets.delete(from);
        to.destroy();
      });
    };
    pipe(client, broker, 'C>B');
    pipe(broker, client, 'B>C');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const packets = (connection?: number) =>
    connection === undefined ? [...recording] : recording.filter((recorded) => recorded.connection === connection);
  const ladder = (connection?: number) => packets(connection).map(ladderLine);
  return {
    port: (server.address() as AddressInfo).port,
    packets,
    ladder,
    ends: () => [...endings],
    waitFor: (pattern, connection, count = 1, patienceMs = defaultPatienceMs) =>
      until(
        () => packets(connection).filter((recorded) => pattern.test(ladderLine(recorded)))[count - 1],
        `packet ${count} like ${pattern}`,
        patienceMs,
        () => ladder(connection).join('\n'),
      ),
    waitForEnd: (connection) =>
      until(
        () => endings.find((ending) => ending.connection === connection),
        `the end of connection ${connection}`,
        defaultPatienceMs,
        () => ladder(connection).join('\n'),
      ),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
