/** The way to the broker below MQTT: a TCP socket, or a WebSocket, with what the generator needs of either and nothing else. */
import { connect, type Socket } from 'node:net';
import { connectWebSocket } from '../transport/node/websocket.ts';
import type { Transport } from '../transport/transport.ts';
import { LoadError } from './load-error.ts';
import type { Target } from './target.ts';

export interface ByteStreamHandlers {
  streamOpened(): void;
  /** `bytes` is used again for what is read next. */
  streamHasBytes(bytes: Uint8Array, length: number): void;
  /** The system has taken all that was written, after it had not for a while. */
  streamDrained(): void;
  /** Called at least once when the stream is over, with the reason if there is one. */
  streamClosed(error: Error | undefined): void;
}

export interface ByteStream {
  /** Bytes that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Bytes may be changed again once `bufferedBytes` is 0. */
  write(bytes: Uint8Array): void;
  /** Sends the last bytes and closes. */
  end(lastBytes: Uint8Array): void;
  /** Closes at once. */
  destroy(): void;
}

/** @param index of the connection: local addresses take turns */
export function openByteStream(target: Target, index: number, handlers: ByteStreamHandlers): ByteStream {
  const { localAddresses } = target;
  const localAddress = localAddresses.length === 0 ? undefined : localAddresses[index % localAddresses.length];
  return target.webSocketPath === undefined
    ? new TcpStream(target, localAddress, handlers)
    : new WebSocketStream(target, localAddress, handlers);
}

/**
 * What all TCP sockets read into, one after the other: each read is handled before the next begins. At 80 bytes per message this
 * takes 13,000 of them with one system call.
 */
const receiveBuffer = new Uint8Array(1_048_576);

const noBytes = new Uint8Array(0);

/** Under this, a socket has who is to be told: all sockets share their listeners, which are found there. */
const handlersOf = Symbol('handlers');
type OwnedSocket = Socket & { [handlersOf]: ByteStreamHandlers };

class TcpStream implements ByteStream {
  readonly #socket: Socket;
  readonly #handlers: ByteStreamHandlers;
  #isBehind = false;
  readonly #onWritten = (): void => {
    this.#isBehind = false;
    if (this.#socket.destroyed) return;
    if (this.#socket.writableLength > 0) this.#watch();
    else this.#handlers.streamDrained();
  };

  constructor({ host, port }: Target, localAddress: string | undefined, handlers: ByteStreamHandlers) {
    this.#handlers = handlers;
    const callback = (length: number, bytes: Uint8Array): boolean => {
      handlers.streamHasBytes(bytes, length);
      return true;
    };
    // The last four are what `Socket` adds to its copy of the options, as it sets them. With Node 20 an object that was spread and then grows
    // has a hidden class of its own, and every look at the options of a socket is a slow one: 20 µs and a KB for each of ten thousand.
    const options = {
      host,
      port,
      noDelay: true,
      localAddress,
      onread: { buffer: receiveBuffer, callback },
      allowHalfOpen: false,
      emitClose: false,
      autoDestroy: true,
      decodeStrings: false,
    };
    const socket = connect(options);
    this.#socket = socket;
    (socket as OwnedSocket)[handlersOf] = handlers;
    socket.on('connect', onConnect);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
    if (this.#socket.writableLength > 0) this.#watch();
  }

  /**
   * Has `#onWritten` called when the system has taken what is there now. Node's `drain` does not come for less than its high-water mark,
   * and a callback with every write costs a third of the pace where writes are small.
   */
  #watch(): void {
    if (this.#isBehind) return;
    this.#isBehind = true;
    this.#socket.write(noBytes, this.#onWritten);
  }

  end(lastBytes: Uint8Array): void {
    this.#socket.end(lastBytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function onConnect(this: Socket): void {
  (this as OwnedSocket)[handlersOf].streamOpened();
}

function onError(this: Socket, error: Error): void {
  (this as OwnedSocket)[handlersOf].streamClosed(firstError(error));
}

function onClose(this: Socket): void {
  (this as OwnedSocket)[handlersOf].streamClosed(undefined);
}

/** A name with several addresses fails with one error for each: the first says what is wrong. */
function firstError(error: Error): Error {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

class WebSocketStream implements ByteStream {
  #transport: Transport | undefined;
  readonly #abort = new AbortController();
  readonly #handlers: ByteStreamHandlers;
  #isBehind = false;
  readonly #onWritten = (): void => {
    if (!this.#isBehind || this.bufferedBytes > 0) return;
    this.#isBehind = false;
    this.#handlers.streamDrained();
  };

  constructor(target: Target, localAddress: string | undefined, handlers: ByteStreamHandlers) {
    this.#handlers = handlers;
    const host = target.host.includes(':') ? `[${target.host}]` : target.host;
    const url = `ws://${host}:${target.port}${target.webSocketPath}`;
    connectWebSocket(url, { localAddress, signal: this.#abort.signal }).then(
      (transport) => {
        this.#transport = transport;
        transport.start({
          data: (chunk) => handlers.streamHasBytes(chunk, chunk.length),
          // Each write has its own callback.
          drain: () => {},
          close: (error) => handlers.streamClosed(error),
        });
        handlers.streamOpened();
      },
      (error: Error) => handlers.streamClosed(error),
    );
  }

  get bufferedBytes(): number {
    return this.#transport?.bufferedBytes ?? 0;
  }

  /** The frame is masked, which copies it: bytes may be changed at once. */
  write(bytes: Uint8Array): void {
    if (this.#transport === undefined) throw new LoadError('the WebSocket is not open yet');
    this.#transport.write(bytes, this.#onWritten);
    if (this.bufferedBytes > 0) this.#isBehind = true;
  }

  end(lastBytes: Uint8Array): void {
    if (this.#transport === undefined) {
      this.destroy();
      return;
    }
    this.#transport.write(lastBytes);
    this.#transport.end();
  }

  destroy(): void {
    this.#abort.abort();
    this.#transport?.destroy();
  }
}
