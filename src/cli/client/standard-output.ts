/**
 * Standard output for many small pieces: they are gathered and written once for each turn of the event loop, and whoever produces them
 * can see that the reader does not keep up, and wait.
 *
 *     text, bytes ─▶ gathered (64 KiB) ─▶ stream's own buffer ─▶ pipe ─▶ reader
 *                    └──────────── isFull ─────────────┘
 */
import type { Writable } from 'node:stream';
import type { ByteSink } from './byte-sink.ts';

/** Bytes gathered before they go to the stream without waiting for the turn to end. */
const gatheredMax = 65_536;

/** Bytes waiting for the reader from which on the producer should wait. */
const waitingMax = 262_144;

export class StandardOutput implements ByteSink {
  readonly #stream: Writable;
  #gathered = Buffer.allocUnsafe(gatheredMax);
  #length = 0;
  #isFlushScheduled = false;
  #error: NodeJS.ErrnoException | undefined;
  #waiters: (() => void)[] = [];
  #onBroken: () => void = () => {};

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('drain', () => this.#wake());
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const isFirst = this.#error === undefined;
      this.#error ??= error;
      this.#wake();
      if (isFirst) this.#onBroken();
    });
  }

  /** Why nothing can be written any more. `EPIPE`: the reader is gone. */
  get error(): NodeJS.ErrnoException | undefined {
    return this.#error;
  }

  /** Called once, when it turns out that nothing can be written any more. */
  set onBroken(listener: () => void) {
    this.#onBroken = listener;
  }

  /** Whether so much waits for the reader that the producer should await `drained()`. */
  get isFull(): boolean {
    return this.backlog > waitingMax;
  }

  /** Bytes that wait for the reader. */
  get backlog(): number {
    return this.#error === undefined ? this.#stream.writableLength + this.#length : 0;
  }

  text(text: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    if (text.length * 3 > gatheredMax) {
      this.bytes(Buffer.from(text));
      return;
    }
    if (text.length * 3 > this.#gathered.length - this.#length) this.#makeRoom();
    this.#length += this.#gathered.write(text, this.#length);
    this.#scheduleFlush();
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > this.#gathered.length - this.#length) this.#makeRoom();
    if (bytes.length > gatheredMax) {
      // The caller may use the bytes again; the stream may keep what it gets.
      if (this.#error === undefined) this.#stream.write(Buffer.from(bytes));
      return;
    }
    this.#gathered.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#scheduleFlush();
  }

  /** Gives what was gathered to the stream. */
  flush(): void {
    if (this.#length === 0) return;
    const chunk = this.#gathered.subarray(0, this.#length);
    this.#length = 0;
    if (this.#error !== undefined) return;
    this.#stream.write(chunk);
    // The part that was given away must not change; the rest is free.
    this.#gathered = this.#gathered.subarray(chunk.length);
  }

  /** A whole empty buffer. */
  #makeRoom(): void {
    this.flush();
    this.#gathered = Buffer.allocUnsafe(gatheredMax);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.flush();
    });
  }

  /** Resolves when the stream has room again, or takes nothing any more. */
  async drained(): Promise<void> {
    this.flush();
    if (this.#error !== undefined || !this.#stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves when the reader has got everything, or is gone. */
  async finish(): Promise<void> {
    this.flush();
    if (this.#error !== undefined || this.#stream.writableLength === 0) return;
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve);
      this.#stream.write('', () => resolve());
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
