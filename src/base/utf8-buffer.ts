/**
 * Text that grows piece by piece, as UTF-8: for what writes millions of lines, each of many small pieces. Strings that are put together only to be encoded
 * cost more than everything that is in them: measured with bench/capture/compare.mjs, rows take half the time this way.
 */
import { writeUtf8 } from './bytes.ts';

/** Up to this length a loop over the characters costs less than a call of the encoder. */
const loopedMax = 64;

export class Utf8Buffer {
  /** The first `length` bytes are the text. */
  bytes: Uint8Array;
  length = 0;

  /** @param capacity - bytes at first; it grows */
  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  clear(): void {
    this.length = 0;
  }

  /** Appends text; a lone surrogate becomes U+FFFD. */
  text(text: string): void {
    const { length } = text;
    if (this.bytes.length - this.length < length * 3) this.#grow(length * 3);
    if (length <= loopedMax) {
      const { bytes } = this;
      const start = this.length;
      let index = 0;
      for (; index < length; index++) {
        const unit = text.charCodeAt(index);
        if (unit > 0x7f) break;
        bytes[start + index] = unit;
      }
      if (index === length) {
        this.length = start + length;
        return;
      }
    }
    this.length += writeUtf8(text, this.bytes, this.length);
  }

  /** Appends one byte: an ASCII character. */
  byte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = byte;
  }

  /** Appends `bytes[start..end)` if they are ASCII, else nothing. Returns whether they were. */
  ascii(bytes: Uint8Array, start: number, end: number): boolean {
    const count = end - start;
    if (this.bytes.length - this.length < count) this.#grow(count);
    const target = this.bytes;
    const offset = this.length - start;
    for (let index = start; index < end; index++) {
      const byte = bytes[index]!;
      if (byte > 0x7f) return false;
      target[index + offset] = byte;
    }
    this.length += count;
    return true;
  }

  /** Appends bytes that are UTF-8 already. */
  raw(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.bytes.length - this.length < count) this.#grow(count);
    const target = this.bytes;
    const offset = this.length - start;
    if (count > loopedMax) target.set(bytes.subarray(start, end), this.length);
    else for (let index = start; index < end; index++) target[index + offset] = bytes[index]!;
    this.length += count;
  }

  /** Appends a whole number from 0 to 2^53, at least `digits` digits wide, `fill` (an ASCII character, default `0`) before it. */
  decimal(value: number, digits = 1, fill = 0x30): void {
    if (value > 0x7fff_ffff) {
      // Beyond 31 bits numbers are floating-point numbers, whose division is slow; the rest has nine digits.
      const high = Math.floor(value / 1e9);
      this.decimal(high, digits - 9, fill);
      this.decimal(value - high * 1e9, 9);
      return;
    }
    let rest = value | 0;
    const count = digitsOf(rest);
    const width = count < digits ? digits : count;
    if (this.bytes.length - this.length < width) this.#grow(width);
    const { bytes } = this;
    const start = this.length;
    let at = start + width;
    this.length = at;
    const first = at - count;
    while (at > first) {
      const tenth = (rest / 10) | 0;
      bytes[--at] = 0x30 + (rest - tenth * 10);
      rest = tenth;
    }
    while (at > start) bytes[--at] = fill;
  }

  /** A view of the text; good until the next change. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #grow(more: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + more));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

/** Of a number below 2^31. */
function digitsOf(value: number): number {
  if (value < 10_000) return value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
  if (value < 100_000_000) return value < 100_000 ? 5 : value < 1_000_000 ? 6 : value < 10_000_000 ? 7 : 8;
  return value < 1_000_000_000 ? 9 : 10;
}

interface Runtime {
  readonly TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
}
const decoder = new (globalThis as unknown as Runtime).TextDecoder('utf-8', { ignoreBOM: true });
const scratch = new Utf8Buffer(1024);

/** What `write` appends, as a string. `write` must not call this itself. */
export function textOf(write: (output: Utf8Buffer) => void): string {
  scratch.clear();
  write(scratch);
  return decoder.decode(scratch.view());
}
