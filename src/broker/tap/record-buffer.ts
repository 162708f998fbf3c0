/** Frames as a pcapng file in memory, taken out piece by piece; each piece begins with a section header, so it is a file of its own. */
import type { Counters } from '../counters.ts';
import type { FrameTaker } from './connection-recorder.ts';

const initialBytes = 64 * 1024;

export class RecordBuffer implements FrameTaker {
  readonly #counters: Counters;
  readonly #bytesMax: number;
  #bytes = new Uint8Array(initialBytes);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  /** Since the beginning, for the statistics at the end of each piece. */
  #frames = 0;
  #lost = 0;

  constructor(counters: Counters, bytesMax: number) {
    this.#counters = counters;
    this.#bytesMax = bytesMax;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length >= this.#bytesMax;
  }

  frame(seconds: number, nanoseconds: number, bytes: Uint8Array, comment: string | undefined): void {
    if (this.#length === 0) this.#begin();
    this.#frames++;
    this.#counters.captureFrames++;
    const note = comment === undefined ? undefined : new TextEncoder().encode(comment);
    const padded = (bytes.length + 3) & ~3;
    const optionsLength = note === undefined ? 0 : 4 + ((note.length + 3) & ~3) + 4;
    const length = 32 + padded + optionsLength;
    const at = this.#reserve(length);
    this.#block(at, 6, length);
    const view = this.#view;
    view.setUint32(at + 8, 0, true);
    const units = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
    view.setUint32(at + 12, Number(units >> 32n), true);
    view.setUint32(at + 16, Number(units & 0xffff_ffffn), true);
    view.setUint32(at + 20, bytes.length, true);
    view.setUint32(at + 24, bytes.length, true);
    this.#bytes.set(bytes, at + 28);
    if (note !== undefined) {
      const option = at + 28 + padded;
      view.setUint16(option, 1, true);
      view.setUint16(option + 2, note.length, true);
      this.#bytes.set(note, option + 4);
    }
  }

  lost(): void {
    this.#lost++;
    this.#counters.captureLost++;
  }

  /** What has come since the last call, with statistics at its end: frames and chunks lost since the beginning. */
  take(): Uint8Array {
    if (this.#length > 0) this.#end();
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Section Header and Interface Description: Ethernet, nanoseconds. */
  #begin(): void {
    const at = this.#reserve(28 + 28);
    const view = this.#view;
    this.#block(at, 0x0a0d0d0a, 28);
    view.setUint32(at + 8, 0x1a2b3c4d, true);
    view.setUint16(at + 12, 1, true);
    view.setBigInt64(at + 16, -1n, true);
    const description = at + 28;
    this.#block(description, 1, 28);
    view.setUint16(description + 8, 1, true);
    view.setUint16(description + 16, 9, true);
    view.setUint16(description + 18, 1, true);
    view.setUint8(description + 20, 9);
  }

  /** Interface Statistics: isb_ifrecv, isb_ifdrop. */
  #end(): void {
    const at = this.#reserve(52);
    const view = this.#view;
    this.#block(at, 5, 52);
    view.setUint16(at + 20, 4, true);
    view.setUint16(at + 22, 8, true);
    view.setBigUint64(at + 24, BigInt(this.#frames + this.#lost), true);
    view.setUint16(at + 32, 5, true);
    view.setUint16(at + 34, 8, true);
    view.setBigUint64(at + 36, BigInt(this.#lost), true);
  }

  #block(at: number, type: number, length: number): void {
    this.#view.setUint32(at, type, true);
    this.#view.setUint32(at + 4, length, true);
    this.#view.setUint32(at + length - 4, length, true);
  }

  /** Room for so many bytes, zeroed; where they begin. */
  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    } else this.#bytes.fill(0, at, this.#length);
    return at;
  }
}
