/**
 * Puts the segments of one direction of a connection in order.
 *
 *        edge
 *          ▼
 *   ═══════╪ ─ ─ hole ─ ─ ╞═══ held[0] ═══╡ ─ ─ ╞═ held[1] ═╡
 *   handed on
 *
 * Invariants, between two calls:
 * - everything before `edge` was handed on once, or announced as missing with the chunk behind it (`missing` counts what still is to be announced);
 * - `held` is sorted, its members do not touch what is before `edge`, nor overlap each other; the first begins after `edge`, so there is a hole;
 * - where segments overlapped, the bytes seen first were kept;
 * - `heldBytes` is the sum of their lengths, and part of the budget that all directions share.
 *
 * A hole is waited for until somebody knows better: it is given up when the peer acknowledges bytes behind it, when what is held reaches a limit, and
 * when the connection ends. A direction whose peer is not in the capture gives up sooner, as nobody will tell.
 */
import type { DataSource, Frame } from './frame.ts';
import { sequenceAfter, sequenceDistance } from './sequence.ts';
import { StreamChunk } from './stream-chunk.ts';

/** Segments of one direction that wait behind holes. */
export const heldSegmentsMax = 4096;
/** Bytes of one direction that wait behind holes. */
export const heldBytesMax = 4 * 1024 * 1024;
/** Bytes of all directions of all connections that wait behind holes. */
export const heldBytesTotalMax = 64 * 1024 * 1024;
/** Segments that wait behind a hole if the peer's segments, which could acknowledge it, are not in the capture. */
export const heldSegmentsOneSidedMax = 16;

/**
 * Bytes that a retransmission may lie back at most. What lies further back is of another connection with the same ports, or of after a pause of the
 * capture in which more than 2^31 bytes were sent.
 */
export const behindMax = 16 * 1024 * 1024;

/** What all directions hold together. */
export class HeldBudget {
  bytes = 0;
}

/** Bytes of a segment that cannot be handed on yet. */
class HeldSegment {
  readonly sequence: number;
  readonly source: DataSource;
  readonly start: number;
  readonly end: number;
  /** Bytes it takes of the stream: more than `end - start` if the capture cut it. */
  readonly length: number;
  readonly frame: Frame;

  constructor(sequence: number, source: DataSource, start: number, end: number, length: number, frame: Frame) {
    this.sequence = sequence;
    this.source = source;
    this.start = start;
    this.end = end;
    this.length = length;
    this.frame = frame;
  }
}

export class StreamAssembler {
  readonly #budget: HeldBudget;
  #hasEdge = false;
  #edge = 0;
  /** Bytes directly before `edge` that never came. */
  #missing = 0;
  /** Made when there is something to hold: most directions never need one. */
  #held: HeldSegment[] | undefined = undefined;
  #heldBytes = 0;
  #hasFin = false;
  #fin = 0;
  #isEnded = false;
  /** Number behind the last segment that lay further back than `behindMax`. */
  #hasStray = false;
  #strayEnd = 0;

  constructor(budget: HeldBudget) {
    this.#budget = budget;
  }

  /** Whether something waits behind a hole. */
  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** Bytes that wait behind holes. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether FIN or RST ended the direction, and everything before was handed on. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Says where the stream begins: the number behind SYN. Ignored once bytes came. */
  begin(sequence: number): void {
    if (this.#hasEdge) return;
    this.#hasEdge = true;
    this.#edge = sequence;
  }

  /**
   * Takes a segment's bytes. Without a beginning, the first that come are it.
   * @param sequence - of the first byte
   * @param start - of the captured bytes in `source`
   * @param end - of the captured bytes
   * @param length - bytes that were sent: more than were captured of a frame that was cut
   * @param isOneSided - whether nothing of the peer was seen
   * @param chunks - what is in order now is added here
   */
  receive(
    sequence: number,
    source: DataSource,
    start: number,
    end: number,
    length: number,
    frame: Frame,
    isOneSided: boolean,
    chunks: StreamChunk[],
  ): void {
    if (length === 0) return;
    // Behind FIN there is only the byte of a keep-alive.
    if (this.#hasFin && sequenceDistance(this.#fin, sequence) >= 0) return;
    if (!this.#hasEdge) this.begin(sequence);
    const ahead = sequenceDistance(this.#edge, sequence);
    if (ahead > 0) {
      this.#hold(sequence, source, start, end, length, frame);
      this.#keepLimits(isOneSided, chunks);
      return;
    }
    if (ahead + length <= 0) {
      if (ahead < -behindMax) this.#restart(sequence, source, start, end, length, frame, chunks);
      return;
    }
    if (this.#held === undefined) {
      this.#handOn(source, start - ahead, end, length + ahead, frame, chunks);
    } else {
      // What is held was seen first: only the stretches between are news. The first of them begins at the edge, so all of it moves on.
      this.#hold(sequenceAfter(sequence, -ahead), source, start - ahead, end, length + ahead, frame);
      this.#handOnHeld(chunks);
    }
    this.#checkEnd();
  }

  /** The stream ends before this number: FIN's own. */
  finish(sequence: number): void {
    if (this.#hasFin) return;
    if (!this.#hasEdge) this.begin(sequence);
    // A FIN in front of what was handed on already, or far beyond, is none of this stream.
    if (sequenceDistance(this.#edge, sequence) < 0) return;
    this.#hasFin = true;
    this.#fin = sequence;
    this.#checkEnd();
  }

  /**
   * The peer has everything before this number: holes in front of it will not be filled. Where it only has what fills the hole, and not what is held,
   * that may be on its way still, if the capture has frames in another order than they were received in.
   * @param chunks - what waited for them is added here
   */
  acknowledge(sequence: number, chunks: StreamChunk[]): void {
    while (this.#held !== undefined && sequenceDistance(this.#held[0]!.sequence, sequence) > 0)
      this.#giveUpHole(chunks);
    // FIN acknowledged, data in front of it missing at the end.
    if (
      this.#hasFin &&
      !this.#isEnded &&
      this.#held === undefined &&
      sequenceDistance(this.#fin, sequence) > 0 &&
      sequenceDistance(this.#edge, this.#fin) > 0
    ) {
      this.#missing += sequenceDistance(this.#edge, this.#fin);
      this.#edge = this.#fin;
    }
    this.#checkEnd();
  }

  /** The connection is reset: nothing is waited for any longer. */
  reset(chunks: StreamChunk[]): void {
    while (this.#held !== undefined) this.#giveUpHole(chunks);
    this.#isEnded = true;
  }

  /** Forgets what is held, for a connection that is forgotten itself. */
  release(): void {
    this.#budget.bytes -= this.#heldBytes;
    this.#heldBytes = 0;
    this.#held = undefined;
  }

  /** What begins at the edge. */
  #handOn(source: DataSource, start: number, end: number, length: number, frame: Frame, chunks: StreamChunk[]): void {
    this.#edge = sequenceAfter(this.#edge, length);
    if (end <= start) {
      this.#missing += length;
      return;
    }
    const cut = length - (end - start);
    chunks.push(new StreamChunk(source, start, end, frame, this.#missing, cut));
    this.#missing = cut;
  }

  /** Hands on what begins at the edge of all that is held. */
  #handOnHeld(chunks: StreamChunk[]): void {
    const held = this.#held!;
    let count = 0;
    while (count < held.length && held[count]!.sequence === this.#edge) {
      const segment = held[count++]!;
      this.#count(-segment.length);
      this.#handOn(segment.source, segment.start, segment.end, segment.length, segment.frame, chunks);
    }
    if (count === held.length) this.#held = undefined;
    else if (count > 0) held.splice(0, count);
  }

  /** Holds those stretches of a segment that nothing held covers yet. */
  #hold(sequence: number, source: DataSource, start: number, end: number, length: number, frame: Frame): void {
    this.#held ??= [];
    const held = this.#held;
    const after = sequenceAfter(sequence, length);
    let index = held.length;
    while (index > 0 && sequenceDistance(sequence, afterHeld(held[index - 1]!)) > 0) index--;
    let cursor = sequence;
    while (sequenceDistance(cursor, after) > 0) {
      const next = held[index];
      const gapEnd = next !== undefined && sequenceDistance(next.sequence, after) > 0 ? next.sequence : after;
      const gap = sequenceDistance(cursor, gapEnd);
      if (gap > 0) {
        const from = Math.min(start + sequenceDistance(sequence, cursor), end);
        held.splice(index++, 0, new HeldSegment(cursor, source, from, Math.min(from + gap, end), gap, frame));
        this.#count(gap);
      }
      if (next === undefined) return;
      cursor = afterHeld(next);
      index++;
    }
  }

  #keepLimits(isOneSided: boolean, chunks: StreamChunk[]): void {
    const segmentsMax = isOneSided ? heldSegmentsOneSidedMax : heldSegmentsMax;
    while (
      this.#held !== undefined &&
      (this.#held.length > segmentsMax || this.#heldBytes > heldBytesMax || this.#budget.bytes > heldBytesTotalMax)
    ) {
      this.#giveUpHole(chunks);
    }
  }

  #giveUpHole(chunks: StreamChunk[]): void {
    const first = this.#held![0]!;
    this.#missing += sequenceDistance(this.#edge, first.sequence);
    this.#edge = first.sequence;
    this.#handOnHeld(chunks);
    this.#checkEnd();
  }

  /** A segment from far back: one may be anything, a second one that continues it is the stream, which goes on from there. */
  #restart(
    sequence: number,
    source: DataSource,
    start: number,
    end: number,
    length: number,
    frame: Frame,
    chunks: StreamChunk[],
  ): void {
    const continues = this.#hasStray && this.#strayEnd === sequence;
    this.#hasStray = !continues;
    this.#strayEnd = sequenceAfter(sequence, length);
    if (!continues) return;
    while (this.#held !== undefined) this.#giveUpHole(chunks);
    this.#missing += (sequence - this.#edge) >>> 0;
    this.#edge = sequence;
    this.#handOn(source, start, end, length, frame, chunks);
  }

  #checkEnd(): void {
    if (!this.#hasFin || this.#isEnded || sequenceDistance(this.#fin, this.#edge) < 0) return;
    this.#isEnded = true;
    this.release();
  }

  #count(bytes: number): void {
    this.#heldBytes += bytes;
    this.#budget.bytes += bytes;
  }
}

function afterHeld(segment: HeldSegment): number {
  return sequenceAfter(segment.sequence, segment.length);
}
