/**
 * A Transport over a WebSocket of the npm package `ws`. MQTT uses binary frames as a plain stream of bytes: a packet may span
 * frames and a frame may hold many packets. [MQTT-6.0.0-1] [MQTT-6.0.0-2]
 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { PeerAddress, Transport, TransportHandlers } from '../transport.ts';
import { lingerMs, localOf } from './socket.ts';
import { highWaterMark } from './tcp.ts';

const normalClosure = 1000;
const goingAway = 1001;
const unsupportedData = 1003;
/** No close frame came: the stream below ended. */
const abnormalClosure = 1006;
const noStatus = 1005;

const frameOptions = { binary: true, compress: false, fin: true } as const;

export class WebSocketTransport implements Transport {
  readonly peer: PeerAddress;
  /** The socket below, for what only it knows, such as the certificate of a TLS client. */
  readonly socket: Socket;
  readonly #webSocket: WebSocket;
  #handlers: TransportHandlers | undefined;
  #isPaused = false;
  /** Started and not paused, and what had waited was delivered. */
  #isFlowing = false;
  #needsDrain = false;
  /** Nothing is delivered any more, either because this side ended or because a text frame came. */
  #isEnding = false;
  #error: Error | undefined;
  #isClosed = false;
  #isCloseTold = false;
  /** What `ws` still hands out after it was paused: the frames of the chunk it was working on. */
  #waiting: Uint8Array[] = [];

  readonly #lingerMs: number;

  /** @param linger milliseconds that the closing handshake may stand still */
  constructor(webSocket: WebSocket, socket: Socket, peer: PeerAddress, linger: number = lingerMs) {
    this.#lingerMs = linger;
    this.peer = peer;
    this.socket = socket;
    this.#webSocket = webSocket;
    webSocket.binaryType = 'nodebuffer';
    webSocket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    webSocket.on('error', (error) => {
      this.#error ??= error;
      this.#linger();
    });
    webSocket.on('close', (code, reason) => this.#closed(code, reason.toString()));
    webSocket.pause();
  }

  get local(): PeerAddress | undefined {
    return localOf(this.socket);
  }

  get isEncrypted(): boolean {
    return 'encrypted' in this.socket;
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    process.nextTick(() => this.#flow());
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) {
      if (released !== undefined) process.nextTick(released);
      return true;
    }
    if (bytes.length + webSocket.bufferedAmount < highWaterMark && !this.#needsDrain) {
      if (released === undefined) webSocket.send(bytes, frameOptions);
      else webSocket.send(bytes, frameOptions, released);
      return true;
    }
    // `ws` has no drain event: the callback of a frame that found the buffer full tells when it is empty again.
    this.#needsDrain = true;
    webSocket.send(bytes, frameOptions, () => {
      released?.();
      this.#written();
    });
    return false;
  }

  pause(): void {
    if (this.#isEnding) return;
    this.#isPaused = true;
    this.#isFlowing = false;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // Not at once: the caller may be in the middle of handling data.
    if (this.#handlers !== undefined && !this.#isFlowing) process.nextTick(() => this.#flow());
  }

  end(): void {
    this.#finish(normalClosure, '');
  }

  destroy(): void {
    this.#isEnding = true;
    this.#isPaused = false;
    this.#waiting = [];
    this.#webSocket.terminate();
  }

  #flow(): void {
    if (this.#isPaused) return;
    let next = 0;
    // Whatever a handler does, what waits stays in front of what comes.
    while (next < this.#waiting.length && !this.#isPaused) this.#handlers!.data(this.#waiting[next++]!);
    this.#waiting.splice(0, next);
    if (this.#isPaused) return;
    this.#isFlowing = true;
    this.#webSocket.resume();
    this.#tellClose();
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#isEnding) return;
    if (!isBinary) {
      // [MQTT-6.0.0-1]
      this.#error ??= new Error('a text frame came; MQTT takes binary frames only');
      this.#finish(unsupportedData, 'MQTT takes binary frames only');
      return;
    }
    if (this.#isFlowing) this.#handlers!.data(data);
    else this.#waiting.push(data);
  }

  #written(): void {
    if (!this.#needsDrain || this.#webSocket.bufferedAmount >= highWaterMark) return;
    this.#needsDrain = false;
    if (!this.#isEnding) this.#handlers?.drain();
  }

  /** Starts the closing handshake. */
  #finish(code: number, reason: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#isPaused = false;
    this.#waiting = [];
    const webSocket = this.#webSocket;
    webSocket.close(code, reason);
    // Paused, the answer to the close frame would never be read.
    webSocket.resume();
    this.#linger();
  }

  /** A peer that neither takes what is left nor closes is cut off; `ws` bounds the whole of the closing handshake by itself. */
  #linger(): void {
    this.socket.setTimeout(this.#lingerMs, () => this.#webSocket.terminate());
  }

  #closed(code: number, reason: string): void {
    this.#isClosed = true;
    const isOrderly = [normalClosure, goingAway, noStatus, abnormalClosure].includes(code);
    if (!isOrderly && !this.#isEnding) {
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
}
