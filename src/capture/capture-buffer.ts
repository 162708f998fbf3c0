/** Bytes of a capture file being written, little-endian, in two buffers that take turns. */
import { utf8Length, writeUtf8 } from '../base/bytes.ts';

const initialBytes = 65_536;
/** A buffer that has grown beyond this is given back. */
const keptBytesMax = 4 * 1_048_576;
/** Small ranges are copied byte by byte, because a view of the range costs more than the copy. */
const loopedBytesMax = 64;

export class CaptureBuffer {
  bytes = new Uint8Array(initialBytes);
  /** Bytes that were written and not taken. */
  length = 0;
  private spare = new Uint8Array(initialBytes);

  /** Makes room for `extra` bytes behind `length`. */
  ensure(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  /** What was written since the last time. To be used up before the next time: then it is written over. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.length);
    const next = this.spare;
    this.spare = this.bytes.length > keptBytesMax ? new Uint8Array(initialBytes) : this.bytes;
    this.bytes = next;
    this.length = 0;
    return taken;
  }

  uint8(value: number): void {
    this.ensure(1);
    this.bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.ensure(2);
    const { bytes, length } = this;
    bytes[length] = value;
    bytes[length + 1] = value >>> 8;
    this.length = length + 2;
  }

  uint32(value: number): void {
    this.ensure(4);
    const { bytes, length } = this;
    bytes[length] = value;
    bytes[length + 1] = value >>> 8;
    bytes[length + 2] = value >>> 16;
    bytes[length + 3] = value >>> 24;
    this.length = length + 4;
  }

  raw(source: Uint8Array): void {
    const count = source.length;
    this.ensure(count);
    const { bytes, length } = this;
    if (count > loopedBytesMax) bytes.set(source, length);
    else for (let index = 0; index < count; index++) bytes[length + index] = source[index]!;
    this.length = length + count;
  }

  /** Zeros up to a multiple of four, counted from `start`. */
  pad(start: number): void {
    while (((this.length - start) & 3) !== 0) this.uint8(0);
  }

  /** UTF-8. Returns how many bytes. */
  text(text: string): number {
    const count = utf8Length(text);
    this.ensure(count);
    this.length += writeUtf8(text, this.bytes, this.length);
    return count;
  }
}
