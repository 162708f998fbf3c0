/** Lines of a run of frames, as one of several readers gives them to who puts them together: frames that others show have none. */
import { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { CaptureDecoder } from '../../capture/capture-decoder.ts';
import { readCapture } from '../../capture/read-capture.ts';
import type { Rendering } from './rendering.ts';

/** A block ends when it has so many frames, or so many bytes of lines: whatever comes first. */
export const blockFramesMax = 8192;
const blockBytes = 524_288;
/** What is larger is not used again. */
const keptBytesMax = 2 * blockBytes;

/** Memory of its own, so that it can be given to another thread. */
export interface LineBlock {
  readonly frames: number;
  /** Bytes of lines by frame: the first `frames` of them. */
  readonly lengths: Uint32Array<ArrayBuffer>;
  /** The lines, one frame's after the other's, from the beginning. */
  readonly text: Uint8Array<ArrayBuffer>;
}

/** Memory of blocks that were used up, for those to come. */
export class BlockStock {
  readonly #spare: LineBlock[] = [];

  give(block: LineBlock): void {
    if (block.text.length <= keptBytesMax) this.#spare.push(block);
  }

  take(): LineBlock {
    return (
      this.#spare.pop() ?? {
        frames: 0,
        lengths: new Uint32Array(blockFramesMax),
        text: new Uint8Array(blockBytes + blockBytes / 4),
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
    const full = { frames, lengths, text: lines.bytes as Uint8Array<ArrayBuffer> };
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
