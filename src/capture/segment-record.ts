import type { Direction, Flow, SegmentAnalysis } from './flow.ts';

/** A shape with every field set at once: one is made per segment. */
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
  sinceFirstNs = 0;
  sincePreviousNs = 0;

  constructor(flow: Flow, direction: Direction) {
    this.flow = flow;
    this.direction = direction;
  }
}
