/** Listening for, and opening, WebSockets that carry MQTT, on the npm package `ws`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Listener, Transport } from '../transport.ts';
import { peerOf } from './socket.ts';
import { refuse, serveFile } from './static-files.ts';
import {
  bind,
  type ConnectTcpOptions,
  connectSocket,
  type ListenTcpOptions,
  listenerOf,
  reportTlsErrors,
  unixPeer,
} from './tcp.ts';
import { tlsServerOptions } from './tls.ts';
import { WebSocketTransport } from './websocket-transport.ts';

/** Bytes of the largest MQTT packet: four bytes of length behind the first, and as many as these can count. */
const largestPacketBytes = 268_435_455 + 5;

/** The names of MQTT among WebSocket subprotocols; 3.1 clients of old use the second. [MQTT-6.0.0-3] */
const subprotocols = ['mqtt', 'mqttv3.1'] as const;

export interface ListenWebSocketOptions extends ListenTcpOptions {
  /** Only this path is a WebSocket. Default: every path, as with Mosquitto. */
  readonly path?: string | undefined;
  /** Serves the files of this directory to plain HTTP requests. Default: they are refused. */
  readonly httpDir?: string | undefined;
  /** Takes plain HTTP requests first; what it returns `false` for goes on to `httpDir`. */
  readonly onRequest?: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Further headers of every HTTP answer, also of the upgrade. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Bytes of one WebSocket message, which may hold many packets; larger ones are refused with 1009. Default: the largest MQTT packet. */
  readonly maxPayload?: number | undefined;
  /** Bytes of the request's headers. Default 16,384. */
  readonly maxHeaderSize?: number | undefined;
  /** Milliseconds a request may take to arrive. Default 10,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Values of the Origin header that a browser may come from. Default: all. */
  readonly origins?: readonly string[] | undefined;
}

/** Listens; each WebSocket is handed on and must be started by the receiver. Rejects with Node's error, e.g. `EADDRINUSE`. */
export async function listenWebSocket(
  options: ListenWebSocketOptions,
  onTransport: (transport: WebSocketTransport) => void,
): Promise<Listener> {
  const requestTimeout = options.requestTimeoutMs ?? 10_000;
  const serverOptions = {
    noDelay: options.noDelay ?? true,
    maxHeaderSize: options.maxHeaderSize ?? 16_384,
    headersTimeout: requestTimeout,
    requestTimeout,
    connectionsCheckingInterval: Math.min(requestTimeout, 5_000),
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => answer(options, request, response);
  const server =
    options.tls === undefined
      ? createServer(serverOptions, onRequest)
      : createSecureServer({ ...serverOptions, ...tlsServerOptions(options.tls) }, onRequest);
  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: options.maxPayload ?? largestPacketBytes,
    handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
  });
  webSockets.on('headers', (lines) => {
    for (const [name, value] of Object.entries(options.headers ?? {})) lines.push(`${name}: ${value}`);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const refusal = refusalOf(options, request);
    if (refusal !== undefined) return refuseUpgrade(socket, refusal);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const peer = options.unixPath === undefined ? peerOf(socket) : unixPeer(options.unixPath);
      onTransport(new WebSocketTransport(webSocket, socket, peer, options.lingerMs));
    });
  });
  webSockets.on('wsClientError', (error, socket) => {
    options.onError?.(error, peerOf(socket as Socket));
    refuseUpgrade(socket, [400, 'Bad Request', error.message]);
  });
  reportTlsErrors(server as Server, options);
  server.on('clientError', (error, socket) => {
    options.onError?.(error, peerOf(socket as Socket));
    if (socket.writable) refuseUpgrade(socket, [400, 'Bad Request', 'The request could not be understood.']);
    else socket.destroy();
  });
  await bind(server, options);
  server.on('error', (error) => options.onError?.(error, undefined));
  return listenerOf(server as Server, options.unixPath);
}

type Refusal = readonly [status: number, statusText: string, text: string];

/** Why a request for an upgrade is refused, or nothing. */
function refusalOf(options: ListenWebSocketOptions, request: IncomingMessage): Refusal | undefined {
  if (options.path !== undefined && pathOf(request) !== options.path) {
    return [404, 'Not Found', `No WebSocket here; MQTT is at ${options.path}.`];
  }
  const { origin } = request.headers;
  if (options.origins !== undefined && origin !== undefined && !options.origins.includes(origin)) {
    return [403, 'Forbidden', 'This origin is not allowed.'];
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!subprotocols.some((name) => offered.includes(name))) {
    // [MQTT-6.0.0-3]
    return [400, 'Bad Request', 'The WebSocket subprotocol "mqtt" must be offered.'];
  }
  return undefined;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!;
}

/** After 'upgrade' there is no response object: the answer is written by hand. */
function refuseUpgrade(socket: Duplex, [status, statusText, text]: Refusal): void {
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${statusText}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(text) + 1}\r\n\r\n${text}\n`,
    () => socket.destroy(),
  );
}

/** Answers a plain HTTP request. */
function answer(options: ListenWebSocketOptions, request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
  if (options.onRequest?.(request, response)) return;
  if (options.httpDir !== undefined) {
    serveFile(options.httpDir, request, response).catch(() => response.destroy());
  } else if (options.path === undefined || pathOf(request) === options.path) {
    refuse(response, 426, 'This is an MQTT server: upgrade to a WebSocket with the subprotocol "mqtt".\n', {
      Upgrade: 'websocket',
      Connection: 'Upgrade',
    });
  } else {
    refuse(response, 404, 'Not found.\n');
  }
}

export interface ConnectWebSocketOptions extends Omit<ConnectTcpOptions, 'host' | 'port' | 'unixPath'> {
  /** Further headers of the upgrade request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `['mqtt']`. */
  readonly subprotocols?: readonly string[] | undefined;
  /** Bytes of one WebSocket message. Default: the largest MQTT packet. */
  readonly maxPayload?: number | undefined;
}

/** Opens a WebSocket (`ws:` or `wss:`). Rejects with Node's error, with one that says how the server refused, or with the signal's reason. */
export async function connectWebSocket(url: string | URL, options: ConnectWebSocketOptions = {}): Promise<Transport> {
  const target = new URL(url);
  const isSecure = target.protocol === 'wss:';
  const { signal, headers } = options;
  const socket = await connectSocket({
    ...options,
    host: target.hostname.replace(/^\[|\]$/g, ''),
    port: target.port === '' ? (isSecure ? 443 : 80) : Number(target.port),
    tls: isSecure ? (options.tls ?? {}) : undefined,
  });
  // The socket is made and secured already: `ws` must not begin TLS a second time on it, so it is always told `ws:`.
  const plain = new URL(target);
  plain.protocol = 'ws:';
  const webSocket = new WebSocket(plain, [...(options.subprotocols ?? ['mqtt'])], {
    createConnection: () => socket,
    perMessageDeflate: false,
    maxPayload: options.maxPayload ?? largestPacketBytes,
    headers: { Host: target.host, ...headers },
  });
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      webSocket.terminate();
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', onAbort);
    const settle = (): void => signal?.removeEventListener('abort', onAbort);
    webSocket.on('error', (error) => {
      settle();
      reject(error);
    });
    // In this turn, so that no frame is lost between the upgrade and the Transport's listeners.
    webSocket.once('open', () => {
      settle();
      resolve(new WebSocketTransport(webSocket, socket, peerOf(socket)));
    });
  });
}
