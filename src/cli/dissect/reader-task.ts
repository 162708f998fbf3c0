/** What a thread that reads a capture beside others is told, and what it says. */
import { createReadStream } from 'node:fs';
import { CaptureDecoder } from '../../capture/capture-decoder.ts';
import type { DissectRequest } from './arguments.ts';
import { openDissection } from './dissection.ts';
import { type BlockStock, type LineBlock, readBlocks } from './line-block.ts';
import { Rendering } from './rendering.ts';
import { chunkBytes } from './sources.ts';

/** Blocks of one reader that wait for others. */
export const blocksAhead = 8;

/** Given to the thread when it starts. */
export interface ReaderTask {
  readonly request: DissectRequest;
  readonly file: string;
  /** Bytes that are read: all readers have to end at the same place. */
  readonly length: number;
  readonly readers: number;
  readonly reader: number;
}

/** From the thread: the next block, or that there is no more. To the thread: a block that was used up. */
export type ReaderMessage = LineBlock | 'end';

/** The blocks of one reader. A file that is no capture, or a damaged one, ends them: that is said by who reads beside. */
export function openBlocks(task: ReaderTask, stock: BlockStock): AsyncGenerator<LineBlock, void, undefined> {
  const { request, file, length, readers, reader } = task;
  const decoder = new CaptureDecoder();
  const rendering = new Rendering(openDissection(request, decoder, { readers, reader }));
  const chunks = createReadStream(file, { highWaterMark: chunkBytes, end: length - 1 });
  return readBlocks(chunks, decoder, rendering, request.frameCountMax, stock);
}
