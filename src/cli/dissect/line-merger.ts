/**
 * Puts the lines of several readers of one capture together, in the order of its frames.
 *
 *     reader 0   │ row 1 │       │       │ row 4 │ row 5 │ …
 *     reader 1   │       │ row 2 │ row 3 │       │       │ …
 *     together   │ row 1 │ row 2 │ row 3 │ row 4 │ row 5 │ …
 */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { LineBlock } from './line-block.ts';

/** Readers do not agree on how many frames there are. */
export class UnequalReadersError extends Error {}

/** What has come of one reader, and how far it was used. */
class Lane {
  readonly blocks: LineBlock[] = [];
  isEnded = false;
  /** In the first block. */
  frame = 0;
  byte = 0;
}

export class LineMerger {
  readonly #lanes: readonly Lane[];
  readonly #separator: string;
  readonly #used: (reader: number, block: LineBlock) => void;
  #hasShown = false;

  /**
   * @param separator - between the lines of two frames
   * @param used - is given each block when nothing more is needed of it
   */
  constructor(readers: number, separator: string, used: (reader: number, block: LineBlock) => void) {
    this.#lanes = Array.from({ length: readers }, () => new Lane());
    this.#separator = separator;
    this.#used = used;
  }

  /** Whether there were lines of any frame. */
  get hasShown(): boolean {
    return this.#hasShown;
  }

  /** Blocks of a reader that wait for those of others. */
  waiting(reader: number): number {
    return this.#lanes[reader]!.blocks.length;
  }

  add(reader: number, block: LineBlock): void {
    this.#lanes[reader]!.blocks.push(block);
  }

  /** There is no more of this reader. */
  end(reader: number): void {
    this.#lanes[reader]!.isEnded = true;
  }

  /** Whether all have ended, and all was put together. */
  get isDone(): boolean {
    return this.#lanes.every((lane) => lane.isEnded && lane.blocks.length === 0);
  }

  /**
   * Appends the lines of some of the frames that all readers have told of.
   * @returns false if there was none
   * @throws {UnequalReadersError} if one has ended before the others: what they read has changed between
   */
  step(output: Utf8Buffer): boolean {
    const lanes = this.#lanes;
    let frames = Number.POSITIVE_INFINITY;
    for (const { blocks, frame } of lanes)
      frames = Math.min(frames, blocks.length === 0 ? 0 : blocks[0]!.frames - frame);
    if (frames === 0) {
      const isShort = lanes.some((lane) => lane.isEnded && lane.blocks.length === 0);
      if (isShort && lanes.some((lane) => lane.blocks.length > 0)) throw new UnequalReadersError();
      return false;
    }
    this.#merge(frames, output);
    for (let reader = 0; reader < lanes.length; reader++) {
      const lane = lanes[reader]!;
      lane.frame += frames;
      const first = lane.blocks[0]!;
      if (lane.frame < first.frames) continue;
      lane.blocks.shift();
      lane.frame = 0;
      lane.byte = 0;
      this.#used(reader, first);
    }
    return true;
  }

  /** What is next to each other of one reader is taken together. */
  #merge(frames: number, output: Utf8Buffer): void {
    const lanes = this.#lanes;
    let current = lanes[0]!;
    let run = 0;
    for (let frame = 0; frame < frames; frame++) {
      for (let reader = 0; reader < lanes.length; reader++) {
        const lane = lanes[reader]!;
        const length = lane.blocks[0]!.lengths[lane.frame + frame]!;
        if (length === 0) continue;
        if (lane !== current || this.#separator !== '') {
          take(current, run, output);
          current = lane;
          run = 0;
          if (this.#hasShown) output.text(this.#separator);
        }
        this.#hasShown = true;
        run += length;
      }
    }
    take(current, run, output);
  }
}

function take(lane: Lane, bytes: number, output: Utf8Buffer): void {
  if (bytes === 0) return;
  output.raw(lane.blocks[0]!.text, lane.byte, lane.byte + bytes);
  lane.byte += bytes;
}
