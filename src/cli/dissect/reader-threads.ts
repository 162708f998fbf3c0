/**
 * A capture read by several threads: each decodes all of it and makes the lines of its share of the frames (see `capture/flow-division.ts`); this one
 * reads along, and puts the lines of all in order.
 *
 *     file ─▶ this thread ──▶ blocks of lines ─▶ LineMerger ─▶ output
 *     file ─▶ other threads ─▶ blocks of lines ──────┘ │
 *                   └────────── blocks used up ◀───────┘
 *
 * Memory is bounded: nobody is more than `blocksAhead` blocks ahead of the slowest.
 */
import { Worker } from 'node:worker_threads';
import { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { StandardOutput } from '../client/standard-output.ts';
import type { BlockStock, LineBlock } from './line-block.ts';
import { LineMerger, UnequalReadersError } from './line-merger.ts';
import { blocksAhead, type ReaderMessage, type ReaderTask } from './reader-task.ts';
import { CaptureInputError } from './sources.ts';

/** Bytes of lines that are gathered before they go to the output. */
const gatheredBytes = 65_536;

export class ReaderThreads {
  readonly #threads: readonly Worker[];
  readonly #merger: LineMerger;
  readonly #output: StandardOutput;
  readonly #file: string;
  readonly #flushes: boolean;
  readonly #lines = new Utf8Buffer(gatheredBytes * 2);
  #failure: unknown;
  #isNews = (): void => {};

  /**
   * @param programFile - where the other threads begin
   * @param task - what the other threads are told, but for their numbers: this thread is reader 0
   * @param separator - between the lines of two frames
   * @param stock - where this thread's blocks come back to
   */
  constructor(
    programFile: string,
    task: Omit<ReaderTask, 'reader'>,
    separator: string,
    stock: BlockStock,
    output: StandardOutput,
  ) {
    this.#output = output;
    this.#file = task.file;
    this.#flushes = task.request.isLineBuffered;
    this.#threads = Array.from({ length: task.readers - 1 }, (_, index) =>
      this.#start(programFile, { ...task, reader: index + 1 }),
    );
    this.#merger = new LineMerger(task.readers, separator, (reader, block) => {
      if (reader === 0) stock.give(block);
      else this.#threads[reader - 1]!.postMessage(block);
    });
  }

  /** Whether there were lines of any frame. */
  get hasShown(): boolean {
    return this.#merger.hasShown;
  }

  /**
   * Prints the lines of all readers, or until nobody reads the output.
   * @param blocks - of this thread
   * @throws what `blocks` does, behind all lines; {CaptureInputError} if the file has changed while it was read
   */
  async print(blocks: AsyncIterable<LineBlock>): Promise<void> {
    let problem: unknown;
    try {
      for await (const block of blocks) {
        this.#merger.add(0, block);
        do await this.#put();
        while (this.#merger.waiting(0) >= blocksAhead && (await this.#news()));
        if (this.#output.error !== undefined) return;
      }
    } catch (error) {
      if (this.#failure !== undefined || error instanceof CaptureInputError) throw error;
      problem = error;
    }
    this.#merger.end(0);
    do await this.#put();
    while (!this.#merger.isDone && this.#output.error === undefined && (await this.#news()));
    if (problem !== undefined) throw problem;
  }

  /** Ends the other threads, wherever they are. */
  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #start(programFile: string, task: ReaderTask): Worker {
    const thread = new Worker(programFile, { argv: ['dissect'], workerData: task });
    const fail = (error: unknown): void => {
      this.#failure ??= error;
      this.#isNews();
    };
    let isEnded = false;
    thread.on('message', (message: ReaderMessage) => {
      if (message === 'end') {
        isEnded = true;
        this.#merger.end(task.reader);
      } else this.#merger.add(task.reader, message);
      this.#isNews();
    });
    thread.on('error', fail);
    thread.on('exit', () => {
      if (!isEnded) fail(new Error('a thread ended before its work'));
    });
    return thread;
  }

  /** Gives the output what all readers have told of. */
  async #put(): Promise<void> {
    const lines = this.#lines;
    try {
      while (this.#merger.step(lines)) {
        if (lines.length < gatheredBytes) continue;
        this.#print();
        if (this.#output.isFull) await this.#output.drained();
        if (this.#output.error !== undefined) return;
      }
    } catch (error) {
      if (error instanceof UnequalReadersError)
        throw new CaptureInputError(`"${this.#file}" changed while it was read.`);
      throw error;
    }
    this.#print();
    if (this.#flushes) this.#output.flush();
  }

  #print(): void {
    if (this.#lines.length > 0) this.#output.bytes(this.#lines.view());
    this.#lines.clear();
  }

  /** Resolves with true when another thread has said something. @throws if one has failed */
  async #news(): Promise<true> {
    if (this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#isNews = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
    return true;
  }
}
