/**
 * A Transport over a `net.Socket`: TCP, TLS (a `tls.TLSSocket` is one) and Unix sockets. There is as little as possible between
 * the socket and the handlers: no queue of our own, no promise, and a closure only where the caller asked to be told.
 */
import type { Socket } from 'node:net';
import type { PeerAddress, Transport, TransportHandlers } from '../transport.ts';

/** Milliseconds that a stream which was ended may stand still, or once to twice what a busy peer may take to close it, before it is destroyed. */
export const lingerMs = 5_000;
/** Milliseconds after which it is destroyed in any case. */
const lingerTotalMs = 60_000;

/** Under this, a socket has its transport: listeners that find it there are shared by all sockets. A closure each would cost a KB. */
const owner = Symbol('transport');
type OwnedSocket = Socket & { [owner]: SocketTransport };

function onError(this: OwnedSocket, error: Error): void {
  this[owner].onError(error);
}

function onClose(this: OwnedSocket): void {
  this[owner].onClose();
}

function onEnd(this: OwnedSocket): void {
  this[owner].onEnd();
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  this[owner].onData(chunk);
}

function onDrain(this: OwnedSocket): void {
  this[owner].onDrain();
}

function onTimeout(this: Socket): void {
  this.destroy();
}

export class SocketTransport implements Transport {
  #peer: PeerAddress | undefined;
  /** For what only a socket knows, such as the certificate of a TLS client. */
  readonly socket: Socket;
  #handlers: TransportHandlers | undefined;
  #error: Error | undefined;
  #isClosed: boolean;
  #isPaused = false;
  readonly #lingerMs: number;
  /** Runs from the end on. */
  #lingerTimer: NodeJS.Timeout | undefined;
  /** How often it has run out. */
  #lingerRounds = 0;
  /** Whether the last byte was sent when it ran out. */
  #wasSent = false;

  /**
   * @param peer given where the socket cannot say it: for Unix sockets
   * @param linger milliseconds, see `lingerMs`
   */
  constructor(socket: Socket, peer?: PeerAddress, linger: number = lingerMs) {
    this.#lingerMs = linger;
    this.socket = socket;
    this.#peer = peer;
    this.#isClosed = socket.closed;
    (socket as OwnedSocket)[owner] = this;
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.on('end', onEnd);
  }

  // What the listeners above call, and nobody else.

  /** The handlers are told of the first error, once the socket is closed. */
  onError(error: Error): void {
    this.#error ??= error;
  }

  onClose(): void {
    this.#isClosed = true;
    clearTimeout(this.#lingerTimer);
    this.#handlers?.close(this.#error);
  }

  onEnd(): void {
    this.#linger();
    this.#handlers?.end?.();
  }

  onData(chunk: Uint8Array): void {
    if (this.#lingerTimer === undefined) (this.#handlers as TransportHandlers).data(chunk);
  }

  onDrain(): void {
    (this.#handlers as TransportHandlers).drain();
  }

  /** Asked for first when the socket is closed, it is an empty address. */
  get peer(): PeerAddress {
    this.#peer ??= peerOf(this.socket);
    return this.#peer;
  }

  get local(): PeerAddress | undefined {
    return localOf(this.socket);
  }

  get isEncrypted(): boolean {
    return 'encrypted' in this.socket;
  }

  get bufferedBytes(): number {
    return this.socket.writableLength;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    if (this.#isClosed) {
      process.nextTick(() => handlers.close(this.#error));
      return;
    }
    const socket = this.socket;
    socket.on('data', onData);
    socket.on('drain', onDrain);
    // Explicitly, since a socket that was read by hand before (by a proxy's handshake) does not flow by itself.
    if (!this.#isPaused) socket.resume();
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const socket = this.socket;
    if (!socket.writable) {
      // Ended or destroyed: the bytes go nowhere, and no drain will come that the caller could wait for.
      if (released !== undefined) process.nextTick(released);
      return true;
    }
    return released === undefined ? socket.write(bytes) : socket.write(bytes, released);
  }

  pause(): void {
    // After end() the socket must flow, or the peer's FIN would never be seen.
    if (this.#lingerTimer !== undefined) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // Before start() there is nobody to flow to.
    if (this.#handlers !== undefined) this.socket.resume();
  }

  end(): void {
    if (this.#isClosed) return;
    this.socket.end();
    this.#linger();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /**
   * From now on incoming bytes are read and dropped: closing with unread bytes would make the system send RST, which can
   * overtake what was just written. A peer that neither takes the rest nor closes is cut off.
   */
  #linger(): void {
    if (this.#lingerTimer !== undefined) return;
    const { socket } = this;
    const ms = this.#lingerMs;
    socket.resume();
    // The socket counts its own progress, in both directions; hence the bounds for a peer that only ever sends.
    socket.setTimeout(ms);
    socket.on('timeout', onTimeout);
    this.#wasSent = socket.writableFinished;
    this.#lingerTimer = setTimeout(SocketTransport.#onLingered, ms, this).unref();
  }

  /** The peer has had its time to close, or will have had it the next time. */
  static #onLingered(transport: SocketTransport): void {
    const { socket } = transport;
    const isTooLong = ++transport.#lingerRounds * transport.#lingerMs >= lingerTotalMs;
    if (transport.#wasSent || isTooLong) {
      socket.destroy();
    } else {
      transport.#wasSent = socket.writableFinished;
      transport.#lingerTimer?.refresh();
    }
  }
}

/** The remote address; an IPv4 address that came in on an IPv6 socket is shown as the IPv4 address it is. */
export function peerOf(socket: Socket): PeerAddress {
  return addressOf(socket.remoteAddress ?? '', socket.remotePort ?? 0, socket.remoteFamily);
}

/** This end; undefined for Unix sockets and sockets that are closed. */
export function localOf({ localAddress, localPort, localFamily }: Socket): PeerAddress | undefined {
  if (localAddress === undefined || localPort === undefined) return undefined;
  return addressOf(localAddress, localPort, localFamily);
}

function addressOf(address: string, port: number, family: string | undefined): PeerAddress {
  if (address.startsWith('::ffff:') && address.includes('.')) {
    return { address: address.slice('::ffff:'.length), port, family: 'IPv4' };
  }
  return { address, port, family: family === 'IPv6' ? 'IPv6' : 'IPv4' };
}
