import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { memoryPair } from '../../src/transport/memory.ts';
import { connectTcp, type ListenTcpOptions, listenTcp } from '../../src/transport/node/tcp.ts';
import { connectWebSocket, type ListenWebSocketOptions, listenWebSocket } from '../../src/transport/node/websocket.ts';
import type { Listener, Transport } from '../../src/transport/transport.ts';
import { connectWebSocket as connectWeb, type WebSocketLike } from '../../src/transport/web.ts';
import { makeCertificate } from './certificate.ts';
import { type Pair, transportContract } from './contract.ts';

const certificate = makeCertificate();

async function pairOf(
  listen: (onTransport: (transport: Transport) => void) => Promise<Listener>,
  connect: (port: number) => Promise<Transport>,
): Promise<Pair> {
  let accept!: (transport: Transport) => void;
  const accepted = new Promise<Transport>((resolve) => {
    accept = resolve;
  });
  const listener = await listen(accept);
  const near = await connect(listener.address.port);
  return { near, far: await accepted, close: () => listener.close() };
}

const tcp = (options: ListenTcpOptions) => (accept: (transport: Transport) => void) =>
  listenTcp({ host: '127.0.0.1', port: 0, ...options }, accept);
const webSocket = (options: ListenWebSocketOptions) => (accept: (transport: Transport) => void) =>
  listenWebSocket({ host: '127.0.0.1', port: 0, ...options }, accept);

transportContract('memory', async () => {
  const [near, far] = memoryPair();
  return { near, far, close: async () => {} };
});

transportContract('memory (byte by byte at first, then in odd pieces)', async () => {
  let count = 0;
  const split = function* (bytes: Uint8Array): Iterable<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const size = count++ < 1_000 ? 1 : 4_099;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  };
  const [near, far] = memoryPair({ split });
  return { near, far, close: async () => {} };
});

transportContract('TCP', () => pairOf(tcp({}), (port) => connectTcp({ host: '127.0.0.1', port })));

transportContract('TLS', () =>
  pairOf(tcp({ tls: certificate }), (port) => connectTcp({ host: 'localhost', port, tls: { ca: certificate.cert } })),
);

transportContract('Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clearwing-unix-'));
  const unixPath = join(folder, 'socket');
  const pair = await pairOf(tcp({ unixPath }), () => connectTcp({ unixPath }));
  const close = async (): Promise<void> => {
    await pair.close();
    rmSync(folder, { recursive: true });
  };
  return { ...pair, close };
});

transportContract('WebSocket', () => pairOf(webSocket({}), (port) => connectWebSocket(`ws://127.0.0.1:${port}/mqtt`)));

transportContract('WebSocket (the server near)', async () => {
  const pair = await pairOf(webSocket({}), (port) => connectWebSocket(`ws://127.0.0.1:${port}/mqtt`));
  return { near: pair.far, far: pair.near, close: pair.close };
});

transportContract('secure WebSocket', () =>
  pairOf(webSocket({ tls: certificate }), (port) =>
    connectWebSocket(`wss://localhost:${port}/`, { tls: { ca: certificate.cert } }),
  ),
);

transportContract('browser WebSocket', () =>
  pairOf(webSocket({}), (port) =>
    connectWeb(`ws://127.0.0.1:${port}/mqtt`, {
      // The interface of the browser's class, in Node.
      open: (url, names) => new WebSocket(url, names, { perMessageDeflate: false }) as unknown as WebSocketLike,
    }),
  ),
);
