import { emptyBytes } from '../base/bytes.ts';
import { MalformedPacketError, PacketTooLargeError } from '../protocol/errors.ts';
import type { ProtocolVersion } from '../protocol/version.ts';
import { checkFirstByte } from './fixed-header.ts';

/** The longest packet there can be: a fixed header of five bytes and a Remaining Length of 268,435,455. */
export const packetSizeMax = 268_435_460;

/** The longest fixed header. */
const headerSizeMax = 5;

/** Pieces below this many bytes are merged while a packet is gathered, so that one-byte chunks do not cost an object each. */
const mergedPieceMax = 16_384;

/**
 * Cuts a stream of chunks into packets.
 *
 *     framer.push(chunk);
 *     while (framer.next()) decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version);
 *
 * A packet that lies within one chunk is shown in place. One that straddles chunks is kept in pieces, no more than has arrived,
 * and joined once it is complete. Chunks are not changed and must not change: packets and their payloads are views of them.
 *
 *     chunk      |..........[ packet | packet | pack          `position` is where the next packet begins;
 *     pieces                                   [pack][et an]  a straddling packet waits here until `needed` bytes are there
 */
export class PacketFramer {
  /** The largest packet accepted, in bytes with its fixed header. May be changed between packets. */
  maximumPacketSize: number;
  /**
   * Which version's fixed headers are accepted. The strict 5 also fits 3.1.1 (but for the rules named in errors); a connection
   * that turned out to be MQTT 3.1 sets 3, because that version does not fix the flags.
   */
  version: ProtocolVersion = 5;

  /** Where the packet found by `next` is: `bytes[packetStart..end)`, its variable header from `bodyStart`. */
  bytes: Uint8Array = emptyBytes;
  packetStart = 0;
  bodyStart = 0;
  end = 0;

  /** Pushed and not yet looked at. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private chunk: Uint8Array = emptyBytes;
  private position = 0;
  /** The size of the packet that `pieces` belong to; 0 when no packet is being gathered. */
  private needed = 0;
  private headerSize = 0;
  private pieces: Uint8Array[] = [];
  private gathered = 0;

  constructor(maximumPacketSize = packetSizeMax) {
    this.maximumPacketSize = maximumPacketSize;
  }

  /** Adds what was received. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.needed === 0 && this.position === this.chunk.length && this.waiting.length === 0) {
      this.chunk = chunk;
      this.position = 0;
    } else {
      this.waiting.push(chunk);
      this.waitingBytes += chunk.length;
    }
  }

  /**
   * Where the bytes that follow the packet in `bytes` end: whoever handles alike packets together looks for more of them there. It is
   * `end` if the packet was joined from pieces.
   */
  get limit(): number {
    return this.bytes === this.chunk ? this.chunk.length : this.end;
  }

  /** Goes on behind packets that were found there: `position` is where a packet ends, `end` … `limit`. */
  skipTo(position: number): void {
    if (this.bytes === this.chunk) this.position = position;
  }

  /** Bytes received that belong to no packet found so far. */
  get bufferedBytes(): number {
    return this.chunk.length - this.position + this.gathered + this.waitingBytes;
  }

  /**
   * Finds the next packet; false when more bytes are needed first.
   * @throws {MalformedPacketError} as soon as the fixed header shows a wrong type, wrong flags [MQTT-2.1.3-1] or a Remaining Length
   * that is padded or has a fifth byte [MQTT-1.5.5-1]
   * @throws {PacketTooLargeError} as soon as the Remaining Length is known. After an error the stream cannot be read on.
   */
  next(): boolean {
    for (;;) {
      if (this.needed !== 0) {
        if (!this.gather()) return false;
        return true;
      }
      if (this.find()) return true;
      if (this.needed === 0 && !this.refill()) return false;
    }
  }

  /** Reads a fixed header at `position`. True if the whole packet is in the chunk; begins to gather it if only the header is. */
  private find(): boolean {
    const bytes = this.chunk;
    const start = this.position;
    const limit = bytes.length;
    if (start >= limit) return false;
    checkFirstByte(bytes[start]!, this.version);
    let position = start + 1;
    let remainingLength = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift === 28) {
        throw new MalformedPacketError('A Remaining Length of more than four bytes', 1, this.lengthRule());
      }
      if (position >= limit) return false;
      const byte = bytes[position++]!;
      remainingLength |= (byte & 0x7f) << shift;
      if (byte > 0x7f) continue;
      if (byte === 0 && shift > 0) {
        throw new MalformedPacketError('A Remaining Length with more bytes than it needs', 1, this.lengthRule());
      }
      break;
    }
    const size = position - start + remainingLength;
    if (size > this.maximumPacketSize) {
      throw new PacketTooLargeError(`A packet of ${size} bytes; at most ${this.maximumPacketSize} are accepted`);
    }
    if (start + size > limit) {
      this.needed = size;
      this.headerSize = position - start;
      this.keep(bytes.subarray(start));
      this.chunk = emptyBytes;
      this.position = 0;
      return false;
    }
    this.bytes = bytes;
    this.packetStart = start;
    this.bodyStart = position;
    this.end = start + size;
    this.position = start + size;
    return true;
  }

  private lengthRule(): string | undefined {
    return this.version === 5 ? 'MQTT-1.5.5-1' : undefined;
  }

  /** Goes on to the next chunk. A header cut in two, of which less than five bytes are left here, is put before it. */
  private refill(): boolean {
    const next = this.waiting.shift();
    if (next === undefined) {
      // The start of a header is copied, so that nothing holds a chunk whose packets have been read.
      if (this.position > 0) {
        this.chunk =
          this.position === this.chunk.length ? emptyBytes : new Uint8Array(this.chunk.subarray(this.position));
        this.position = 0;
      }
      this.bytes = emptyBytes;
      return false;
    }
    this.waitingBytes -= next.length;
    const left = this.chunk.length - this.position;
    if (left === 0) {
      this.chunk = next;
    } else {
      // Only the few bytes that complete the header are copied; the rest of a long chunk waits where it is.
      const taken = Math.min(next.length, headerSizeMax);
      const joined = new Uint8Array(left + taken);
      joined.set(this.chunk.subarray(this.position));
      joined.set(next.subarray(0, taken), left);
      this.chunk = joined;
      if (taken < next.length) {
        this.waiting.unshift(next.subarray(taken));
        this.waitingBytes += next.length - taken;
      }
    }
    this.position = 0;
    return true;
  }

  /** Adds waiting chunks to the pieces until the packet is complete, then joins it. */
  private gather(): boolean {
    for (;;) {
      const chunk = this.waiting.shift();
      if (chunk === undefined) {
        this.bytes = emptyBytes;
        return false;
      }
      this.waitingBytes -= chunk.length;
      const missing = this.needed - this.gathered;
      if (chunk.length < missing) {
        this.keep(chunk);
        continue;
      }
      const packet = new Uint8Array(this.needed);
      let length = 0;
      for (const piece of this.pieces) {
        packet.set(piece, length);
        length += piece.length;
      }
      packet.set(chunk.subarray(0, missing), length);
      this.bytes = packet;
      this.packetStart = 0;
      this.bodyStart = this.headerSize;
      this.end = this.needed;
      this.chunk = chunk;
      this.position = missing;
      this.needed = 0;
      this.gathered = 0;
      this.pieces = [];
      return true;
    }
  }

  /**
   * Adds a piece. A small one is copied, so that it does not hold a large chunk in memory, and merged with the one before it if that is
   * no larger: like carrying in a binary counter, so that of n one-byte chunks each is copied at most log2(16,384) times.
   */
  private keep(chunk: Uint8Array): void {
    this.gathered += chunk.length;
    const pieces = this.pieces;
    let piece = chunk;
    if (piece.length < mergedPieceMax) {
      for (;;) {
        const before = pieces[pieces.length - 1];
        if (before === undefined || before.length > piece.length || before.length >= mergedPieceMax) break;
        pieces.pop();
        const merged = new Uint8Array(before.length + piece.length);
        merged.set(before);
        merged.set(piece, before.length);
        piece = merged;
      }
      if (piece === chunk) piece = new Uint8Array(chunk);
    }
    pieces.push(piece);
  }
}
