/**
 * The tap in a file, or in a row of files that begin anew at a size.
 *
 *     frames ─▶ RecordBuffer ─▶ one write at a time ─▶ name.pcapng, or name_00001_20260131235959.pcapng, name_00002_…
 *
 * Writing never makes the broker wait: while the disk is slow frames are gathered, up to a limit, then lost and counted. What is written is whole
 * frames, readable at any moment.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join, parse } from 'node:path';
import type { Clock, TimerHandle } from '../../base/clock.ts';
import { compileTimeFormat } from '../../base/strftime.ts';
import type { CaptureSettings } from '../config/configuration.ts';
import type { BrokerContext } from '../context.ts';
import { ConnectionRecorder, type FrameTaker } from './connection-recorder.ts';
import { RecordBuffer } from './record-buffer.ts';
import { wholeBlocks } from './whole-blocks.ts';

/** Milliseconds that frames wait for others before they are written. */
const intervalMs = 100;
/** Bytes gathered while the disk takes the last ones. */
const gatheredBytesMax = 32 * 1024 * 1024;
/** Only the owner reads passwords. */
const fileMode = 0o600;

/** Says which frames are recorded. */
export interface FrameFilter {
  /** To be asked with every frame, in order. */
  matches(seconds: number, nanoseconds: number, bytes: Uint8Array): boolean;
}

export interface CaptureFileOptions extends CaptureSettings {
  readonly file: string;
  readonly frameFilter: FrameFilter | undefined;
}

const stampOf = compileTimeFormat('%Y%m%d%H%M%S');

export class CaptureFile {
  readonly #options: CaptureFileOptions;
  readonly #context: BrokerContext;
  readonly #records: RecordBuffer;
  readonly #recorder: ConnectionRecorder;
  #handle: FileHandle;
  #path: string;
  #writtenBytes = 0;
  #number = 1;
  /** Of files that are to be removed when there are too many, the oldest first. */
  readonly #paths: string[];
  #timer: TimerHandle | undefined;
  /** The write that is under way, and what follows it. */
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #hasFailed = false;

  /**
   * Begins the (first) file, which is replaced if it is there, and watches from now on.
   * @throws the system's error if it cannot be opened
   */
  static async begin(options: CaptureFileOptions, context: BrokerContext): Promise<CaptureFile> {
    const path = pathOf(options, 1, context.clock);
    return new CaptureFile(options, context, await open(path, 'w', fileMode), path);
  }

  private constructor(options: CaptureFileOptions, context: BrokerContext, handle: FileHandle, path: string) {
    const { clock } = context;
    this.#options = options;
    this.#context = context;
    this.#handle = handle;
    this.#path = path;
    this.#paths = [path];
    this.#records = new RecordBuffer(context.counters, gatheredBytesMax);
    this.#records.begin();
    const { frameFilter } = options;
    const taker = frameFilter === undefined ? this.#records : new FilteredFrames(this.#records, frameFilter);
    this.#recorder = new ConnectionRecorder(taker, clock, { isDecrypting: () => context.settings.captureDecrypted });
    this.#timer = clock.setTimer(intervalMs, () => this.#tick());
    context.tap.add(this.#recorder);
  }

  /** The file that is being written. */
  get path(): string {
    return this.#path;
  }

  /** Writes what was gathered and closes the file. */
  async close(): Promise<void> {
    this.#end();
    await this.#writing;
    if (!this.#hasFailed) await this.#write(true);
    await this.#handle.close().catch(() => {});
  }

  #end(): void {
    if (this.#timer !== undefined) this.#context.clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#context.tap.remove(this.#recorder);
  }

  #tick(): void {
    this.#timer = this.#context.clock.setTimer(intervalMs, () => this.#tick());
    if (this.#isWriting || this.#records.isEmpty) return;
    this.#isWriting = true;
    this.#writing = this.#write(false).finally(() => {
      this.#isWriting = false;
    });
  }

  /** Never rejects: a file that cannot be written is the end of the recording, not of the broker. */
  async #write(isLast: boolean): Promise<void> {
    let bytes: Uint8Array = new Uint8Array(0);
    try {
      const { fileBytes } = this.#options;
      const isFull = fileBytes > 0 && this.#writtenBytes + this.#records.pendingBytes >= fileBytes;
      // One write at a time: the bytes are used up before the next are asked for.
      bytes = isLast || isFull ? this.#records.end() : this.#records.takePart();
      // What comes while this is written belongs to the next file.
      if (isFull && !isLast) this.#records.begin();
      await this.#handle.writeFile(bytes);
      this.#writtenBytes += bytes.length;
      if (isFull && !isLast) await this.#beginNext();
    } catch (error) {
      this.#hasFailed = true;
      this.#end();
      this.#context.log.write(
        'error',
        `Error: Nothing is recorded any more: ${this.#path}: ${(error as Error).message}.`,
      );
      await this.#leaveWhole(bytes);
    }
  }

  /** Cuts off what is left of a frame that was not written whole, and counts it and what was to follow. */
  async #leaveWhole(bytes: Uint8Array): Promise<void> {
    // The bytes are good until the next are taken.
    const size = await this.#handle.stat().then(
      (status) => status.size,
      () => 0,
    );
    const { end, lostFrames } = wholeBlocks(bytes, size - this.#writtenBytes);
    this.#context.counters.captureLost += lostFrames + wholeBlocks(this.#records.takePart(), 0).lostFrames;
    // What cannot be cut, such as a device, stays as it is.
    await this.#handle.truncate(this.#writtenBytes + end).catch(() => {});
  }

  async #beginNext(): Promise<void> {
    await this.#handle.close();
    this.#path = pathOf(this.#options, ++this.#number, this.#context.clock);
    this.#handle = await open(this.#path, 'w', fileMode);
    this.#writtenBytes = 0;
    this.#paths.push(this.#path);
    const { fileCount } = this.#options;
    while (fileCount > 0 && this.#paths.length > fileCount) {
      await rm(this.#paths.shift() as string, { force: true });
    }
  }
}

/** Lets through what the filter matches. */
class FilteredFrames implements FrameTaker {
  readonly #taker: FrameTaker;
  readonly #filter: FrameFilter;

  constructor(taker: FrameTaker, filter: FrameFilter) {
    this.#taker = taker;
    this.#filter = filter;
  }

  get isFull(): boolean {
    return this.#taker.isFull;
  }

  frame(seconds: number, nanoseconds: number, bytes: Uint8Array, comment: string | undefined): void {
    if (this.#filter.matches(seconds, nanoseconds, bytes)) this.#taker.frame(seconds, nanoseconds, bytes, comment);
  }

  lost(bytes: number): void {
    this.#taker.lost(bytes);
  }
}

/** As dumpcap numbers its files; the name as given if there is only one. */
function pathOf({ file, fileBytes }: CaptureFileOptions, number: number, clock: Clock): string {
  if (fileBytes === 0) return file;
  const { dir, name, ext } = parse(file);
  return join(dir, `${name}_${String(number).padStart(5, '0')}_${stampOf(new Date(clock.now()))}${ext}`);
}
