import type { Direction, Flow, SegmentAnalysis } from './flow.ts';
import type { Frame } from './frame.ts';
import type { TcpFlow } from './tcp-flow.ts';

/** A shape with every field set at once: one is made per segment. What is seldom asked for, and long, is computed when it is. */
export class SegmentRecord implements SegmentAnalysis {
  readonly flow: Flow;
  readonly direction: Direction;
  relativeSequence = 0;
  relativeAcknowledgement = 0;
  nextSequence = 0;
  windowSize = 0;
  windowScale = -1;
  marks = 0;
  bytesInFlight = 0;
  bytesSinceLastPush = 0;
  initialRoundTripNs = -1;
  retransmits = 0;
  retransmissionTimeoutNs = 0;
  duplicateOf = 0;
  duplicateNumber = 0;
  acknowledges = 0;
  acknowledgeTimeNs = 0;
  completeness = 0;
  readonly #frame: Frame;
  /** Of the segment before. */
  readonly #previousSeconds: number;
  readonly #previousNanoseconds: number;

  constructor(flow: TcpFlow, direction: Direction, frame: Frame) {
    this.flow = flow;
    this.direction = direction;
    this.#frame = frame;
    this.#previousSeconds = flow.lastSeconds;
    this.#previousNanoseconds = flow.lastNanoseconds;
  }

  get sinceFirstNs(): number {
    return (this.#frame.seconds - this.flow.seconds) * 1e9 + (this.#frame.nanoseconds - this.flow.nanoseconds);
  }

  get sincePreviousNs(): number {
    return (this.#frame.seconds - this.#previousSeconds) * 1e9 + (this.#frame.nanoseconds - this.#previousNanoseconds);
  }
}
