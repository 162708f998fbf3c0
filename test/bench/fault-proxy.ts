/** A TCP proxy in front of a broker that spoils, on purpose, what the broker sends. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface FaultProxy {
  readonly port: number;
  /** PUBLISH packets that the broker has sent through it. */
  readonly published: () => number;
  /** Keeps back all bytes of both directions, in order, until `go`. */
  stall(): void;
  go(): void;
  /** Cuts all connections. */
  cut(): void;
  close(): void;
}

/** What becomes of a PUBLISH: the packets that are sent on instead of it, now. @param index of the packet, from 0, over all connections */
export type Spoil = (packet: Buffer, index: number) => readonly Buffer[];

export async function startFaultProxy(brokerPort: number, spoil: Spoil): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let published = 0;
  let isStalled = false;
  let waiting: (() => void)[] = [];
  const pass = (action: () => void): void => {
    if (isStalled) waiting.push(action);
    else action();
  };
  const server = createServer((client) => {
    const broker = connect({ port: brokerPort, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    client.setNoDelay(true);
    client.on('data', (chunk) => pass(() => void broker.write(chunk)));
    client.on('end', () => broker.end());
    broker.on('end', () => client.end());
    let rest: Buffer = Buffer.alloc(0);
    broker.on('data', (chunk) =>
      pass(() => {
        rest = Buffer.concat([rest, chunk]);
        const packets: Buffer[] = [];
        for (let size = packetSize(rest); size > 0; size = packetSize(rest)) {
          const packet = rest.subarray(0, size);
          rest = rest.subarray(size);
          packets.push(...(packet[0]! >> 4 === 3 ? spoil(packet, published++) : [packet]));
        }
        if (packets.length > 0) client.write(Buffer.concat(packets));
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    published: () => published,
    stall: () => {
      isStalled = true;
    },
    go: () => {
      isStalled = false;
      const actions = waiting;
      waiting = [];
      for (const action of actions) action();
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Bytes of the packet that begins the buffer; 0 if it is not whole. */
function packetSize(bytes: Buffer): number {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at++) {
    length += (bytes[at]! & 0x7f) * 128 ** (at - 1);
    if (bytes[at]! < 0x80) return at + 1 + length <= bytes.length ? at + 1 + length : 0;
  }
  return 0;
}
