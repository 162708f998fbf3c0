/** A packet whose bytes come in several chunks: copied together as they come, in memory that grows with what is there, not with what is announced. */
import type { DataSource, SourceSegment } from '../../capture/frame.ts';
import type { Conversations } from './conversations.ts';
import { packetSizeOf } from './packet-size.ts';

/** A packet put together from several chunks. */
export class ReassembledSource implements DataSource {
  readonly bytes: Uint8Array;
  readonly segments: readonly SourceSegment[];
  /** `TCP`, `TLS` or `WebSocket`: what the pieces were parts of. */
  readonly carrier: string;

  constructor(bytes: Uint8Array, segments: readonly SourceSegment[], carrier: string) {
    this.bytes = bytes;
    this.segments = segments;
    this.carrier = carrier;
  }

  get name(): string {
    return `Reassembled ${this.carrier} (${this.bytes.length} bytes)`;
  }
}

/** Bytes that a packet keeps although memory for gathered packets is used up: its beginning, with the topic as a rule. */
const keptBytesMax = 4096;
const firstCapacity = 128;

export class GatheredPacket {
  readonly #conversations: Conversations;
  #bytes = new Uint8Array(firstCapacity);
  readonly #segments: SourceSegment[] = [];
  /** Whether what comes next begins a segment of its own: a frame may have several records of TLS. */
  #isNewChunk = true;
  /** Bytes that have come, and of them those that are kept: all, unless memory ran out. */
  received = 0;
  #kept = 0;
  #isGivenUp = false;
  /** Bytes of the whole packet; 0 while the Remaining Length is not whole, -1 if it cannot be one. */
  size = 0;

  constructor(conversations: Conversations) {
    this.#conversations = conversations;
    conversations.hold(this, firstCapacity);
  }

  /** What is kept so far, up to `kept`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get kept(): number {
    return this.#kept;
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  /** Bytes not kept although they came. */
  get droppedBytes(): number {
    return this.received - this.#kept;
  }

  get isWhole(): boolean {
    return this.size > 0 && this.received >= this.size;
  }

  /** Takes as much of `bytes[start..end)` as belongs to the packet, and returns where the rest begins. */
  take(bytes: Uint8Array, start: number, end: number, frame: number): number {
    let at = start;
    this.#isNewChunk = true;
    // The header byte by byte: at most five times.
    while (this.size === 0 && at < end) {
      this.#append(bytes, at, at + 1, frame);
      at++;
      this.size = packetSizeOf(this.#bytes, 0, this.#kept);
    }
    if (this.size < 0) return at;
    const wanted = Math.min(end, at + this.size - this.received);
    if (wanted > at) this.#append(bytes, at, wanted, frame);
    return Math.max(at, wanted);
  }

  /** What has come, under its own name and with its origin. */
  finish(carrier: string): ReassembledSource {
    this.#conversations.release(this);
    const bytes = this.#kept === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#kept);
    return new ReassembledSource(bytes, this.#segments, carrier);
  }

  /** Others need the memory: only the beginning stays. */
  giveUp(): void {
    this.#isGivenUp = true;
    if (this.#kept <= keptBytesMax) return;
    this.#bytes = this.#bytes.slice(0, keptBytesMax);
    this.#shorten(keptBytesMax);
  }

  /** The last `count` bytes were not meant for it. */
  giveBack(count: number): void {
    this.received -= count;
    this.#shorten(Math.min(this.#kept, this.received));
  }

  #shorten(kept: number): void {
    this.#kept = kept;
    while (this.#segments.length > 0 && this.#segments.at(-1)!.start >= kept) this.#segments.pop();
    const last = this.#segments.pop();
    if (last !== undefined) this.#segments.push({ ...last, end: Math.min(last.end, kept) });
  }

  #append(bytes: Uint8Array, start: number, end: number, frame: number): void {
    const count = end - start;
    this.received += count;
    const kept = this.#isGivenUp ? Math.max(0, Math.min(count, keptBytesMax - this.#kept)) : count;
    if (kept === 0) return;
    this.#reserve(this.#kept + kept);
    // Memory may just have been given up.
    const fits = Math.min(kept, this.#bytes.length - this.#kept);
    if (fits <= 0) return;
    this.#bytes.set(bytes.subarray(start, start + fits), this.#kept);
    const last = this.#segments.at(-1);
    if (last !== undefined && !this.#isNewChunk && last.frame === frame && last.end === this.#kept) {
      this.#segments[this.#segments.length - 1] = { frame, start: last.start, end: this.#kept + fits };
    } else {
      this.#segments.push({ frame, start: this.#kept, end: this.#kept + fits });
    }
    this.#isNewChunk = false;
    this.#kept += fits;
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const doubled = Math.max(length, this.#bytes.length * 2);
    const capacity = this.size > 0 ? Math.max(length, Math.min(doubled, this.size)) : doubled;
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#kept));
    const added = capacity - this.#bytes.length;
    this.#bytes = grown;
    if (!this.#isGivenUp) this.#conversations.hold(this, added);
  }
}
