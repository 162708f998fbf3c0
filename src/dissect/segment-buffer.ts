/** Bytes that come in several chunks and belong together, with the frames that they came from. */
import type { DataSource, SourceSegment } from '../capture/frame.ts';

/** What was put together. */
class GatheredBytes implements DataSource {
  readonly bytes: Uint8Array;
  readonly segments: readonly SourceSegment[];
  readonly name: string;

  constructor(bytes: Uint8Array, segments: readonly SourceSegment[], carrier: string) {
    this.bytes = bytes;
    this.segments = segments;
    this.name = `Reassembled ${carrier} (${bytes.length} bytes)`;
  }
}

const firstCapacity = 256;

export class SegmentBuffer {
  #bytes = new Uint8Array(0);
  #segments: SourceSegment[] = [];
  length = 0;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  append(bytes: Uint8Array, start: number, end: number, frame: number): void {
    const length = this.length + end - start;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2, firstCapacity));
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.length);
    const last = this.#segments.at(-1);
    if (last !== undefined && last.frame === frame)
      this.#segments[this.#segments.length - 1] = { ...last, end: length };
    else this.#segments.push({ frame, start: this.length, end: length });
    this.length = length;
  }

  /** Forgets everything from `length` on. */
  trim(length: number): void {
    this.length = length;
    this.#segments = this.#segments
      .filter((segment) => segment.start < length)
      .map((segment) => (segment.end > length ? { ...segment, end: length } : segment));
  }

  /** What was gathered, under its own name; the buffer is empty afterwards. */
  finish(carrier: string): DataSource {
    const source = new GatheredBytes(this.#bytes.subarray(0, this.length), this.#segments, carrier);
    this.clear();
    return source;
  }

  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#segments = [];
    this.length = 0;
  }
}
