/** Where lines of the log go: file descriptors that are written to without ever holding up the broker. */
import { closeSync, fstatSync, write, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { reasonOf } from '../config/text-file.ts';

/** Text that waits for one destination; more is dropped and counted. In characters. */
export const pendingMax = 1024 * 1024;
/** How long `close` waits for a reader that does not read. */
const closePatienceMs = 1000;
const retryMs = 20;

export interface LineSink {
  /** Adds a line, without line feed. Written at the end of this turn of the event loop, together with its neighbours. */
  write(line: string): void;
  /** Writes what waits at once, as far as the system takes it: for a process that is about to end. */
  flushSync(): void;
  /** Writes what waits and ends. */
  close(): Promise<void>;
}

/** Collects the lines of one turn; what is done with them is up to the subclass. */
export abstract class BufferedSink implements LineSink {
  #pending: string[] = [];
  #pendingLength = 0;
  #dropped = 0;
  #isScheduled = false;
  /** Once true, lines are thrown away. */
  protected isBroken = false;

  write(line: string): void {
    if (this.isBroken) return;
    if (this.#pendingLength + this.unsentLength() + line.length > pendingMax) {
      this.#dropped++;
      return;
    }
    this.#pending.push(line);
    this.#pendingLength += line.length + 1;
    this.schedule();
  }

  protected schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.send();
    });
  }

  /** Adds to the number of lines that were lost, to be told when lines get through again. */
  protected countLost(lines: number): void {
    this.#dropped += lines;
  }

  /** The text that waits, which then waits no more; empty if there is none. */
  protected take(): string {
    if (this.#dropped > 0) {
      this.#pending.push(`(${this.#dropped} log lines were lost here)`);
      this.#dropped = 0;
    }
    if (this.#pending.length === 0) return '';
    const text = `${this.#pending.join('\n')}\n`;
    this.#pending = [];
    this.#pendingLength = 0;
    return text;
  }

  protected get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Text taken and not yet written. */
  protected abstract unsentLength(): number;
  protected abstract send(): void;
  abstract flushSync(): void;
  abstract close(): Promise<void>;
}

/** Files, terminals and devices: one write at a time, by the thread pool, as a full or slow disk would hold up the event loop. */
class FileSink extends BufferedSink {
  readonly #descriptor: number;
  readonly #ownsDescriptor: boolean;
  #writing: Buffer | undefined;
  #writingLines = 0;
  #whenIdle: (() => void) | undefined;

  constructor(descriptor: number, ownsDescriptor: boolean) {
    super();
    this.#descriptor = descriptor;
    this.#ownsDescriptor = ownsDescriptor;
  }

  protected unsentLength(): number {
    return this.#writing?.length ?? 0;
  }

  protected send(): void {
    if (this.#writing !== undefined) return;
    const text = this.take();
    if (text === '') {
      this.#whenIdle?.();
      return;
    }
    this.#writing = Buffer.from(text);
    this.#writingLines = text.split('\n').length - 1;
    this.#writeRest();
  }

  #writeRest(): void {
    const bytes = this.#writing!;
    write(this.#descriptor, bytes, 0, bytes.length, null, (error, count) => {
      if (error === null && count < bytes.length) {
        this.#writing = bytes.subarray(count);
        this.#writeRest();
        return;
      }
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeRest(), retryMs);
        return;
      }
      this.#writing = undefined;
      if (error === null) this.send();
      else this.#lose(error);
    });
  }

  /** A full disk may get free again; so lines are lost, not the log. */
  #lose(error: NodeJS.ErrnoException): void {
    this.countLost(this.#writingLines);
    if (error.code === 'EPIPE' || error.code === 'EBADF' || error.code === 'EIO') this.isBroken = true;
    this.#whenIdle?.();
  }

  flushSync(): void {
    const text = this.take();
    if (text !== '' && !this.isBroken) writeNow(this.#descriptor, Buffer.from(text));
  }

  async close(): Promise<void> {
    if (this.#writing !== undefined || this.hasPending) {
      await withPatience((done) => {
        this.#whenIdle = done;
        this.schedule();
      });
    }
    this.isBroken = true;
    // A write that is still under way needs the descriptor.
    if (this.#ownsDescriptor && this.#writing === undefined) closeSync(this.#descriptor);
  }
}

/** Pipes and sockets: the system says when it takes more, no thread waits for a reader that has stopped. */
class StreamSink extends BufferedSink {
  readonly #descriptor: number;
  readonly #ownsDescriptor: boolean;
  readonly #stream: Writable;

  constructor(descriptor: number, ownsDescriptor: boolean) {
    super();
    this.#descriptor = descriptor;
    this.#ownsDescriptor = ownsDescriptor;
    // A second stream on a descriptor that the process already has one for would take its events away.
    if (descriptor === 1) this.#stream = process.stdout;
    else if (descriptor === 2) this.#stream = process.stderr;
    else this.#stream = new Socket({ fd: descriptor, readable: false, writable: true }).unref();
    // Nobody reads any more, as in `clearwing broker | head`: the broker goes on without this destination.
    this.#stream.on('error', () => {
      this.isBroken = true;
    });
  }

  protected unsentLength(): number {
    return this.#stream.writableLength;
  }

  protected send(): void {
    const text = this.take();
    if (text !== '' && !this.isBroken) this.#stream.write(text);
  }

  flushSync(): void {
    const text = this.take();
    if (text !== '' && !this.isBroken) writeNow(this.#descriptor, Buffer.from(text));
  }

  async close(): Promise<void> {
    this.send();
    if (!this.isBroken && this.#stream.writableLength > 0) {
      await withPatience((done) => {
        this.#stream.once('drain', done);
        this.#stream.once('error', done);
      });
    }
    this.isBroken = true;
    if (this.#ownsDescriptor) this.#stream.destroy();
  }
}

/** Runs `start` and waits until it says that it is done, but not for ever. */
export function withPatience(start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, closePatienceMs);
    start(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function writeNow(descriptor: number, bytes: Buffer): void {
  let rest = bytes;
  for (let attempt = 0; attempt < 100 && rest.length > 0; attempt++) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
  }
}

/**
 * A sink for an open file descriptor.
 * @param ownsDescriptor whether `close` closes it; true for a log file, false for standard output
 */
export function openSink(descriptor: number, ownsDescriptor: boolean): LineSink {
  try {
    const status = fstatSync(descriptor);
    if (status.isFIFO() || status.isSocket()) return new StreamSink(descriptor, ownsDescriptor);
  } catch (error) {
    // A daemon may have been started without this descriptor.
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw new Error(reasonOf(error));
  }
  return new FileSink(descriptor, ownsDescriptor);
}
