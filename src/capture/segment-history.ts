/** What the analysis of segments remembers of one direction of a connection. Numbers count from `base`, as signed 32 bits that wrap. */
import { sequenceDistance } from './sequence.ts';

/** Segments of one direction that may wait for their acknowledgement; beyond that none is added. As many as Wireshark keeps. */
export const unacknowledgedMax = 10_000;

/** The same for all directions of all connections together. */
export const unacknowledgedTotalMax = 500_000;

/** What all directions remember together. */
export class SentBudget {
  segments = 0;
}

/** Says that no window scale was seen, and that none is in use. */
export const windowScaleUnknown = -1;
export const windowScaleUnused = -2;

/** A segment that was sent and not yet acknowledged. */
export class SentSegment {
  start = 0;
  end = 0;
  frame = 0;
  seconds = 0;
  nanoseconds = 0;
}

export class SegmentHistory {
  readonly #budget: SentBudget;

  hasBase = false;
  /** Sequence number on the wire that counts as 0. */
  base = 0;

  /** Highest number sent so far, and the frame that reached it. */
  hasNext = false;
  next = 0;
  nextFrame = 0;
  nextSeconds = 0;
  nextNanoseconds = 0;

  /** Highest number up to which nothing is missing: what may be acknowledged. */
  hasContinuous = false;
  continuous = 0;

  /** Of the last segment: what it acknowledged (in numbers of the other direction), its window as in the header and scaled, its marks. */
  hasAcknowledged = false;
  acknowledged = 0;
  acknowledgedSeconds = 0;
  acknowledgedNanoseconds = 0;
  window = 0;
  windowSize = 0;
  lastMarks = 0;
  /** Shift of the window's scale, or one of the two constants above. */
  windowScale = windowScaleUnknown;

  /** Acknowledgements in a row that said the same, and the frame with the first of them. */
  duplicates = 0;
  firstOfDuplicates = 0;
  /** Whether it was said that the peer acknowledges more than was seen of this direction. */
  isUnseenKnown = false;

  /** Bytes since the last PSH, and whether the last segment had it. */
  pushBytes = 0;
  hasPushed = false;

  /** Whether every segment since the beginning was seen, so that what is in flight can be counted. */
  isFlightKnown = true;
  /** The first `sentCount` are what is unacknowledged, in the order in which they were sent; those behind are there to be used again. */
  readonly sent: SentSegment[] = [];
  sentCount = 0;
  /** Lowest and highest number of these; only if there are any. */
  sentStart = 0;
  sentEnd = 0;

  /** Ranges that this direction's last segment acknowledged selectively: pairs of start and end, in numbers of the other direction. */
  selective: number[] | undefined = undefined;

  constructor(budget: SentBudget) {
    this.#budget = budget;
  }

  /** Remembers a segment, if there is room. */
  addSent(start: number, end: number, frame: number, seconds: number, nanoseconds: number): void {
    let segment = this.sent[this.sentCount];
    if (segment === undefined) {
      if (this.sentCount >= unacknowledgedMax || this.#budget.segments >= unacknowledgedTotalMax) return;
      segment = new SentSegment();
      this.sent.push(segment);
      this.#budget.segments++;
    }
    segment.start = start;
    segment.end = end;
    segment.frame = frame;
    segment.seconds = seconds;
    segment.nanoseconds = nanoseconds;
    if (this.sentCount === 0 || sequenceDistance(start, this.sentStart) > 0) this.sentStart = start;
    if (this.sentCount === 0 || sequenceDistance(this.sentEnd, end) > 0) this.sentEnd = end;
    this.sentCount++;
  }

  /**
   * Takes away what is acknowledged, and the acknowledged part of what is so in part.
   * @returns the first segment that ended exactly there, if one did; only good until the next `addSent`
   */
  acknowledge(acknowledged: number): SentSegment | undefined {
    if (this.sentCount === 0 || sequenceDistance(this.sentStart, acknowledged) <= 0) return undefined;
    const sent = this.sent;
    let found: SentSegment | undefined;
    let kept = 0;
    for (let index = 0; index < this.sentCount; index++) {
      const segment = sent[index]!;
      if (sequenceDistance(segment.end, acknowledged) >= 0) {
        if (segment.end === acknowledged && found === undefined) found = segment;
        continue;
      }
      if (sequenceDistance(segment.start, acknowledged) > 0) segment.start = acknowledged;
      if (kept === 0 || sequenceDistance(segment.start, this.sentStart) > 0) this.sentStart = segment.start;
      if (kept === 0 || sequenceDistance(this.sentEnd, segment.end) > 0) this.sentEnd = segment.end;
      if (kept !== index) {
        sent[index] = sent[kept]!;
        sent[kept] = segment;
      }
      kept++;
    }
    this.sentCount = kept;
    return found;
  }

  /** Forgets what was sent, for a connection that is forgotten itself. */
  release(): void {
    this.#budget.segments -= this.sent.length;
    this.sent.length = 0;
    this.sentCount = 0;
  }
}
