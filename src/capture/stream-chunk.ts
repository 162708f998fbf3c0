/** Bytes of one direction of a connection, in their order, each once: what reassembly, decryption and deframing hand on. */
import type { DataSource, Frame } from './frame.ts';

export class StreamChunk {
  /** Where they lie: a frame's bytes while nothing had to be put together, decrypted or unmasked. */
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  /** The frame that carried them. An earlier one than the frame in hand if they had to wait for others. */
  readonly frame: Frame;
  /** Bytes that are missing directly before these: never captured, or given up. 0 as a rule. */
  readonly missing: number;
  /** Bytes directly behind these that were sent in the same frame and cut off by the capture. 0 as a rule. */
  readonly cut: number;

  constructor(source: DataSource, start: number, end: number, frame: Frame, missing: number, cut: number) {
    this.source = source;
    this.start = start;
    this.end = end;
    this.frame = frame;
    this.missing = missing;
    this.cut = cut;
  }
}
