/** One connection to the broker: a byte stream, the packets cut out of it, and a buffer for what is to be sent. */
import { type ByteStream, type ByteStreamHandlers, openByteStream } from './byte-stream.ts';
import { LoadError } from './load-error.ts';
import { PacketCutter, type PacketReceiver } from './packet-cutter.ts';
import type { Target } from './target.ts';

/** Who made a link and is told what becomes of it. Takes the packets that come first; `Link.receiver` is set to another one later. */
export interface LinkOwner extends PacketReceiver {
  /** In messages: `publisher 7`. */
  readonly name: string;
  /** Bytes can be sent from now on. */
  linkOpened(link: Link): void;
  /** The connection has failed, or was closed before `end` was called. Called once. */
  linkFailed(error: Error): void;
  /** The system has taken all that was written. */
  linkDrained(): void;
}

const outboxBytesMin = 64;
const noBytes = new Uint8Array(0);

export class Link implements ByteStreamHandlers {
  readonly #owner: LinkOwner;
  readonly #stream: ByteStream;
  readonly #cutter: PacketCutter;
  #isOver = false;
  /** Bytes that have come. */
  receivedBytes = 0;
  /** Grows as needed: thousands of connections send nothing but their CONNECT. */
  #outbox: Uint8Array = noBytes;
  #outboxLength = 0;

  /**
   * @param index number of the connection
   * @param publishBytes of the largest PUBLISH that is expected
   */
  constructor(target: Target, index: number, publishBytes: number, owner: LinkOwner) {
    this.#owner = owner;
    this.#cutter = new PacketCutter(owner, publishBytes);
    this.#stream = openByteStream(target, index, this);
  }

  set receiver(receiver: PacketReceiver) {
    this.#cutter.receiver = receiver;
  }

  /** Whether it was ended, or has failed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Sends bytes. Returns whether the system took them at once; only then may the caller change them. Otherwise `onDrain` is
   * called when it has taken them.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#isOver) return true;
    this.#stream.write(bytes);
    return this.#stream.bufferedBytes === 0;
  }

  /** Whether something that was written has not been taken yet. */
  get isCongested(): boolean {
    return this.#stream.bufferedBytes > 0;
  }

  /** Room for `count` bytes more; `append…` takes them. */
  reserve(count: number): void {
    const needed = this.#outboxLength + count;
    if (needed <= this.#outbox.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#outbox.length * 2, outboxBytesMin));
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
    this.#stream.end(lastBytes);
  }

  /** Closes at once. */
  destroy(): void {
    this.#isOver = true;
    this.#stream.destroy();
  }

  /** The stream's business, as the next three. */
  streamOpened(): void {
    if (!this.#isOver) this.#owner.linkOpened(this);
  }

  streamDrained(): void {
    this.#owner.linkDrained();
  }

  streamClosed(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#fail(error ?? new LoadError('the broker closed the connection'));
  }

  streamHasBytes(bytes: Uint8Array, length: number): void {
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
    this.#stream.destroy();
    this.#owner.linkFailed(new LoadError(`${this.#owner.name}: ${explain(error)}`, { cause: error }));
  }
}

/** The system's word for what happened, with what it means here. */
function explain(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EPIPE':
    case 'ECONNRESET':
      return `the broker closed the connection (${error.message})`;
    case 'ECONNREFUSED':
      return `${error.message} (nobody listens there)`;
    case 'EMFILE':
      return `${error.message} (this process may open no more files: raise ulimit -n)`;
    case 'EADDRNOTAVAIL':
      return `${error.message} (no local port is left: connect from more addresses)`;
    default:
      return error.message;
  }
}
