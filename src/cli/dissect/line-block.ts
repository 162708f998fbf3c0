/** Lines of a run of frames, as one of several readers gives them to who puts them together: frames that others show have none. */
import { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import { readCapture } from '../../capture/read-capture.ts';
import type { Rendering } from './rendering.ts';

/** A block ends when it has so many frames, or so many bytes of lines: whatever comes first. */
export const blockFramesMax = 8192;
const blockBytes = 524_288;

/**
 * In memory that threads share. It could be handed over instead, but once V8 has seen an ArrayBuffer change hands it throws away all code that
 * works on bytes, and makes it anew with a look at every access whether they are still there: that took a tenth more processor time.
 */
export interface LineBlock {
  readonly frames: number;
  /** Bytes of lines by frame: the first `frames` of them. */
  readonly lengths: Uint32Array;
  /** The lines, one frame's after the other's, from the beginning. */
  readonly text: Uint8Array;
}

/** Memory of blocks that were used up, for those to come. */
export class BlockStock {
  readonly #spare: LineBlock[] = [];

  give(block: LineBlock): void {
    // Memory that a long line made grow is not shared: copies of it come back.
    if (block.text.buffer instanceof SharedArrayBuffer) this.#spare.push(block);
  }

  take(): LineBlock {
    return (
      this.#spare.pop() ?? {
        frames: 0,
        lengths: new Uint32Array(new SharedArrayBuffer(blockFramesMax * Uint32Array.BYTES_PER_ELEMENT)),
        text: new Uint8Array(new SharedArrayBuffer(blockBytes + blockBytes / 4)),
      }
    );
  }
}

/**
 * Reads a capture, and gives the lines of its frames, block by block.
 * @param rendering - knows which frames are not for others to show
 * @param frameCountMax - frames that are read; undefined for all
 * @throws what `readCapture` throws, behind the last block
 */
export async function* readBlocks(
  chunks: AsyncIterable<Uint8Array>,
  decoder: CaptureDecoder,
  rendering: Rendering,
  frameCountMax: number | undefined,
  stock: BlockStock,
): AsyncGenerator<LineBlock, void, undefined> {
  const lines = new Utf8Buffer(0);
  let block = stock.take();
  lines.bytes = block.text;
  let frames = 0;
  let read = 0;
  let problem: unknown;
  const finished = (): LineBlock => {
    const { lengths } = block;
    const full = { frames, lengths, text: lines.bytes };
    block = stock.take();
    frames = 0;
    lines.bytes = block.text;
    lines.clear();
    return full;
  };
  try {
    reading: for await (const batch of readCapture(chunks, { decoder })) {
      for (const frame of batch) {
        const before = lines.length;
        rendering.next(frame, lines);
        block.lengths[frames++] = lines.length - before;
        if (frames === blockFramesMax || lines.length >= blockBytes) yield finished();
        if (++read === frameCountMax) break reading;
      }
    }
  } catch (error) {
    problem = error;
  }
  if (frames > 0) yield finished();
  if (problem !== undefined) throw problem;
}
