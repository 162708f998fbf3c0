/** Listening on, and connecting to, TCP ports and Unix sockets, with or without TLS. */
import { lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Listener, PeerAddress, Transport } from '../transport.ts';
import { peerOf, SocketTransport } from './socket.ts';
import { shareSocketShapes } from './socket-shapes.ts';
import { connectThroughSocks, proxyAddress } from './socks.ts';
import { startTls, type TlsClientOptions, type TlsServerOptions, tlsServerOptions } from './tls.ts';

/**
 * Bytes a socket buffers before `write` returns false, and a paused one before it stops reading. One read of Node's brings up to
 * 64 KiB, and one write per turn carries about as much.
 */
export const highWaterMark = 65_536;

export interface ListenTcpOptions {
  /** 0 takes a free port. Not used with `unixPath`. */
  readonly port?: number | undefined;
  /** Address or host name. Default: all addresses, IPv6 and IPv4. */
  readonly host?: string | undefined;
  /** Listens on a Unix socket at this path instead. A socket file that nobody listens on any more is replaced. */
  readonly unixPath?: string | undefined;
  /** With an IPv6 address: do not take IPv4 connections as well. Default false. */
  readonly ipv6Only?: boolean | undefined;
  /** TCP_NODELAY on accepted connections. Default true. */
  readonly noDelay?: boolean | undefined;
  /** Connections the system keeps until they are accepted. Default 511. */
  readonly backlog?: number | undefined;
  /** Speak TLS. */
  readonly tls?: TlsServerOptions | undefined;
  /** Milliseconds that an ended connection may stand still, or its peer take to close it, before it is destroyed. Default 5,000. */
  readonly lingerMs?: number | undefined;
  /** Hears of what fails after listening began: failed accepts and TLS handshakes. The peer is given where it is known. */
  readonly onError?: ((error: Error, peer: PeerAddress | undefined) => void) | undefined;
}

/**
 * Listens; each connection is handed on (with TLS: after its handshake) and must be started by the receiver.
 * Rejects with Node's error, e.g. `EADDRINUSE`.
 */
export async function listenTcp(
  options: ListenTcpOptions,
  onTransport: (transport: SocketTransport) => void,
): Promise<Listener> {
  const { unixPath } = options;
  const serverOptions = { noDelay: options.noDelay ?? true, highWaterMark };
  const accept = (socket: Socket): void => {
    // The peer may be gone before it was accepted; such a socket has no address and is closing.
    const peer = unixPath === undefined ? undefined : unixPeer(unixPath);
    onTransport(new SocketTransport(socket, peer, options.lingerMs));
  };
  const server =
    options.tls === undefined
      ? createServer(serverOptions, accept)
      : createTlsServer({ ...serverOptions, ...tlsServerOptions(options.tls) }, accept);
  reportTlsErrors(server, options);
  await bind(server, options);
  server.on('error', (error) => options.onError?.(error, undefined));
  return listenerOf(server, unixPath);
}

/** Reports failed TLS handshakes with the peer, whose address is asked for early: later the socket has none any more. */
export function reportTlsErrors(server: Server, { onError, tls }: ListenTcpOptions): void {
  // Without TLS there is nothing to report, and every connection would pay for it.
  if (onError === undefined || tls === undefined) return;
  const peers = new WeakMap<object, PeerAddress>();
  server.on('connection', (socket: Socket) => peers.set(socket, peerOf(socket)));
  server.on('tlsClientError', (error: Error, socket: Socket & { _parent?: Socket }) => {
    onError(error, peers.get(socket._parent ?? socket));
  });
}

/** Binds any server of Node's (also HTTP) to the port or path; rejects with Node's error. */
export async function bind(server: Server, options: ListenTcpOptions): Promise<void> {
  const { unixPath } = options;
  shareSocketShapes();
  try {
    await listen(server, options);
  } catch (error) {
    const isStale =
      unixPath !== undefined &&
      (error as NodeJS.ErrnoException).code === 'EADDRINUSE' &&
      (await isDeadSocket(unixPath));
    if (!isStale) throw error;
    unlinkSync(unixPath);
    await listen(server, options);
  }
}

function listen(server: Server, options: ListenTcpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = (): void => {
      server.off('error', reject);
      resolve();
    };
    const backlog = options.backlog ?? 511;
    if (options.unixPath !== undefined) {
      server.listen({ path: options.unixPath, backlog }, onListening);
    } else {
      const { port = 0, host, ipv6Only = false } = options;
      server.listen({ port, backlog, ipv6Only, ...(host !== undefined && { host }) }, onListening);
    }
  });
}

/** A socket file that refuses connections was left behind by a process that ended without removing it. */
async function isDeadSocket(path: string): Promise<boolean> {
  // Ordinary files refuse connections as well.
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}

/** The Listener of a server that listens. */
export function listenerOf(server: Server, unixPath: string | undefined): Listener {
  let isOpen = true;
  return {
    address: unixPath === undefined ? boundAddress(server) : unixPeer(unixPath),
    close: () =>
      new Promise((resolve) => {
        // The server's own callback would wait for the last connection; the port is free at once.
        if (isOpen) server.close();
        isOpen = false;
        setImmediate(resolve);
      }),
  };
}

function boundAddress(server: Server): PeerAddress {
  const { address, port, family } = server.address() as AddressInfo;
  return { address, port, family: family === 'IPv6' ? 'IPv6' : 'IPv4' };
}

export function unixPeer(path: string): PeerAddress {
  return { address: path, port: 0, family: 'unix' };
}

export interface ConnectTcpOptions {
  /** Not used with `unixPath`. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly unixPath?: string | undefined;
  /** TCP_NODELAY. Default true. */
  readonly noDelay?: boolean | undefined;
  /** Address of this machine to connect from. */
  readonly localAddress?: string | undefined;
  /** SOCKS5 proxy: `socks5h://[username[:password]@]host[:port]`. */
  readonly proxy?: string | undefined;
  readonly tls?: TlsClientOptions | undefined;
  /** Gives up and closes the socket. */
  readonly signal?: AbortSignal | undefined;
}

/** Connects, and with `tls` completes the handshake. Rejects with Node's error (`code` such as `ECONNREFUSED`) or the signal's reason. */
export async function connectTcp(options: ConnectTcpOptions): Promise<Transport> {
  const socket = await connectSocket(options);
  return new SocketTransport(socket, options.unixPath === undefined ? undefined : unixPeer(options.unixPath));
}

/** The socket alone, for protocols that are spoken on top (WebSocket). */
export async function connectSocket(options: ConnectTcpOptions): Promise<Socket> {
  const { signal, tls } = options;
  signal?.throwIfAborted();
  const host = options.host ?? 'localhost';
  const port = options.port ?? 0;
  let current: Socket | undefined;
  const onAbort = (): void => {
    current?.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  };
  signal?.addEventListener('abort', onAbort);
  try {
    const via = options.proxy === undefined || options.unixPath !== undefined ? undefined : proxyAddress(options.proxy);
    current = openSocket(options, via?.host ?? host, via?.port ?? port);
    await connected(current);
    if (via !== undefined) await connectThroughSocks(current, via, host, port);
    if (tls !== undefined) current = await startTls(current, host, tls);
    signal?.throwIfAborted();
    return current;
  } catch (error) {
    current?.destroy();
    throw firstError(error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function openSocket(options: ConnectTcpOptions, host: string, port: number): Socket {
  const noDelay = options.noDelay ?? true;
  // Node's types leave highWaterMark out, its sockets take it.
  const common = { noDelay, highWaterMark };
  if (options.unixPath !== undefined) return connect({ ...common, path: options.unixPath });
  const { localAddress } = options;
  return connect({ ...common, host, port, ...(localAddress !== undefined && { localAddress }) });
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays, so that an error between here and the Transport's own listener does not end the process.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed while it was being made')));
    socket.once('connect', () => resolve());
  });
}

/** A name with several addresses fails with one error for each, gathered under an empty message: the first says what is wrong. */
function firstError(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}
