/**
 * A Transport over the browser's WebSocket, or any other of the same interface. A browser can neither be told to stop reading nor
 * say when it has sent: what comes while paused is kept up to a limit, and what is still to be sent is asked for now and then.
 */
import type { PeerAddress, Transport, TransportHandlers } from './transport.ts';

/** The part of the WebSocket interface that is used. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

export interface ConnectWebOptions {
  /** Default `['mqtt']`. */
  readonly subprotocols?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes kept while paused; over it the connection is closed with an error. Default 64 MiB. */
  readonly pausedBytesMax?: number | undefined;
  /** Makes the WebSocket. Default: `new WebSocket(url, subprotocols)`. */
  readonly open?: ((url: string, subprotocols: string[]) => WebSocketLike) | undefined;
}

const open = 1;
const unsupportedData = 1003;
const highWaterMark = 65_536;
const drainPollMs = 10;
const pausedBytesDefault = 64 * 1024 * 1024;

/** Opens a WebSocket. Browsers keep the reason of a failure to themselves, so the error can only say that it failed. */
export function connectWebSocket(url: string | URL, options: ConnectWebOptions = {}): Promise<Transport> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const make = options.open ?? ((address, names) => new WebSocket(address, names) as unknown as WebSocketLike);
    const target = new URL(url);
    const webSocket = make(target.href, [...(options.subprotocols ?? ['mqtt'])]);
    webSocket.binaryType = 'arraybuffer';
    const onAbort = (): void => {
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      webSocket.close();
    };
    signal?.addEventListener('abort', onAbort);
    const transport = new WebTransport(webSocket, target, options.pausedBytesMax ?? pausedBytesDefault);
    webSocket.addEventListener('open', () => {
      signal?.removeEventListener('abort', onAbort);
      resolve(transport);
    });
    webSocket.addEventListener('close', ({ code }) => {
      signal?.removeEventListener('abort', onAbort);
      reject(new Error(`the WebSocket to ${target.href} could not be opened (status ${code})`));
    });
  });
}

class WebTransport implements Transport {
  readonly peer: PeerAddress;
  readonly #webSocket: WebSocketLike;
  readonly #pausedBytesMax: number;
  #handlers: TransportHandlers | undefined;
  #isPaused = false;
  #isFlowing = false;
  #isEnding = false;
  #isClosed = false;
  #isCloseTold = false;
  #isPolling = false;
  #error: Error | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(webSocket: WebSocketLike, url: URL, pausedBytesMax: number) {
    const defaultPort = url.protocol === 'wss:' ? 443 : 80;
    this.peer = {
      address: url.hostname,
      port: url.port === '' ? defaultPort : Number(url.port),
      family: url.hostname.startsWith('[') ? 'IPv6' : 'IPv4',
    };
    this.#webSocket = webSocket;
    this.#pausedBytesMax = pausedBytesMax;
    webSocket.addEventListener('message', ({ data }) => this.#receive(data));
    webSocket.addEventListener('error', () => {});
    webSocket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason));
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    void Promise.resolve().then(() => this.#flow());
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    // `send` copies.
    if (this.#webSocket.readyState === open) this.#webSocket.send(bytes);
    if (released !== undefined) void Promise.resolve().then(released);
    if (this.#webSocket.readyState !== open || this.#webSocket.bufferedAmount < highWaterMark) return true;
    if (!this.#isPolling) this.#pollDrain();
    return false;
  }

  pause(): void {
    if (this.#isEnding) return;
    this.#isPaused = true;
    this.#isFlowing = false;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#handlers !== undefined && !this.#isFlowing) void Promise.resolve().then(() => this.#flow());
  }

  end(): void {
    this.#finish();
  }

  destroy(): void {
    // Browsers offer nothing harder; what is not sent yet goes out before the close frame.
    this.#finish();
    this.#closed(1000, '');
  }

  #finish(code = 1000, reason = ''): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#isPaused = false;
    this.#waiting = [];
    // A script may only give 1000 or 3000–4999; the reason tells the rest.
    this.#webSocket.close(code === unsupportedData ? 1000 : code, reason);
  }

  #receive(data: unknown): void {
    if (this.#isEnding) return;
    if (!(data instanceof ArrayBuffer)) {
      // [MQTT-6.0.0-1]
      this.#error = new Error('a text frame came; MQTT takes binary frames only');
      this.#finish(unsupportedData, 'MQTT takes binary frames only');
      return;
    }
    const chunk = new Uint8Array(data);
    if (this.#isFlowing) {
      this.#handlers!.data(chunk);
      return;
    }
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > this.#pausedBytesMax) {
      this.#error = new Error(`more than ${this.#pausedBytesMax} bytes came while the reader was busy`);
      this.#finish();
    }
  }

  #flow(): void {
    if (this.#isPaused) return;
    let next = 0;
    while (next < this.#waiting.length && !this.#isPaused) {
      const chunk = this.#waiting[next++]!;
      this.#waitingBytes -= chunk.length;
      this.#handlers!.data(chunk);
    }
    this.#waiting.splice(0, next);
    if (this.#isPaused) return;
    this.#isFlowing = true;
    this.#tellClose();
  }

  #closed(code: number, reason: string): void {
    this.#isClosed = true;
    if (![1000, 1001, 1005, 1006].includes(code) && !this.#isEnding) {
      this.#error ??= new Error(`the WebSocket was closed with status ${code}${reason === '' ? '' : `: ${reason}`}`);
    }
    this.#tellClose();
  }

  #tellClose(): void {
    if (!this.#isClosed || this.#isCloseTold || this.#isPaused || this.#handlers === undefined) return;
    if (this.#waiting.length > 0) return;
    this.#isCloseTold = true;
    this.#handlers.close(this.#error);
  }

  #pollDrain(): void {
    this.#isPolling = true;
    setTimeout(() => {
      if (this.#isEnding || this.#isClosed) return;
      if (this.#webSocket.bufferedAmount > 0) return this.#pollDrain();
      this.#isPolling = false;
      this.#handlers?.drain();
    }, drainPollMs);
  }
}
