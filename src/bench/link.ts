/** One connection to the broker: a socket, the packets cut out of it, and a buffer for what is to be sent. */
import { connect, type Socket } from 'node:net';
import { LoadError } from './load-error.ts';
import { PacketCutter, type PacketReceiver } from './packet-cutter.ts';

export interface LinkOptions {
  readonly host: string;
  readonly port: number;
  /** In messages: `publisher 7`. */
  readonly name: string;
  /** Bytes of the largest PUBLISH that is expected. */
  readonly publishBytes: number;
  /** Takes what comes first. `Link.receiver` is set to another one later. */
  readonly receiver: PacketReceiver;
  readonly onOpen: () => void;
  /** The connection has failed, or was closed before `end` was called. Called once. */
  readonly onFailure: (error: Error) => void;
  /** The system has taken all that was written. */
  readonly onDrain: () => void;
}

/**
 * What all sockets read into, one after the other: each read is handled before the next begins. At 80 bytes per message this
 * takes 13,000 of them with one system call.
 */
const receiveBuffer = new Uint8Array(1_048_576);

const outboxBytes = 4096;

export class Link {
  readonly #name: string;
  readonly #socket: Socket;
  readonly #cutter: PacketCutter;
  readonly #onFailure: (error: Error) => void;
  #isOver = false;
  /** Bytes that have come. */
  receivedBytes = 0;
  #outbox = new Uint8Array(outboxBytes);
  #outboxLength = 0;

  constructor(options: LinkOptions) {
    this.#name = options.name;
    this.#onFailure = options.onFailure;
    this.#cutter = new PacketCutter(options.receiver, options.publishBytes);
    this.#socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      onread: {
        buffer: receiveBuffer,
        callback: (length, bytes) => {
          this.#receive(bytes, length);
          return true;
        },
      },
    });
    this.#socket.on('connect', options.onOpen);
    this.#socket.on('drain', options.onDrain);
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new LoadError('the broker closed the connection')));
  }

  set receiver(receiver: PacketReceiver) {
    this.#cutter.receiver = receiver;
  }

  /**
   * Sends bytes. Returns whether the system took them at once; only then may the caller change them. Otherwise `onDrain` is
   * called when it has taken them.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#socket.write(bytes);
    return this.#socket.writableLength === 0;
  }

  /** Whether something that was written has not been taken yet. */
  get isCongested(): boolean {
    return this.#socket.writableLength > 0;
  }

  /** Room for `count` bytes more; `append…` takes them. */
  reserve(count: number): void {
    const needed = this.#outboxLength + count;
    if (needed <= this.#outbox.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#outbox.length * 2));
    larger.set(this.#outbox.subarray(0, this.#outboxLength));
    this.#outbox = larger;
  }

  /** Adds an acknowledgement, for which `reserve` has made room. */
  appendAcknowledgement(first: number, packetIdentifier: number): void {
    const outbox = this.#outbox;
    const at = this.#outboxLength;
    outbox[at] = first;
    outbox[at + 1] = 2;
    outbox[at + 2] = packetIdentifier >> 8;
    outbox[at + 3] = packetIdentifier & 0xff;
    this.#outboxLength = at + 4;
  }

  /** Adds a copy of a packet, for which `reserve` has made room. */
  append(packet: Uint8Array): void {
    this.#outbox.set(packet, this.#outboxLength);
    this.#outboxLength += packet.length;
  }

  /** Sends what was appended, with one write. */
  flush(): void {
    if (this.#outboxLength === 0) return;
    const isTaken = this.write(this.#outbox.subarray(0, this.#outboxLength));
    if (!isTaken) this.#outbox = new Uint8Array(this.#outbox.length);
    this.#outboxLength = 0;
  }

  /** Sends the last bytes and closes. */
  end(lastBytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.end(lastBytes);
  }

  /** Closes at once. */
  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #receive(bytes: Uint8Array, length: number): void {
    if (this.#isOver) return;
    this.receivedBytes += length;
    try {
      this.#cutter.push(bytes, length);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#onFailure(new LoadError(`${this.#name}: ${error.message}`, { cause: error }));
  }
}
