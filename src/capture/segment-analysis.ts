/**
 * What is to be said of a segment by its place in the connection: the rules of Wireshark 4.0's "SEQ/ACK analysis", of which the user's guide has the
 * words ("TCP Analysis"). `own` is the history of the segment's direction, `peer` that of the other; both are brought up to date.
 *
 * Like Wireshark it judges from where the capture was taken, segment by segment, in one pass.
 */
import { type Direction, type SegmentAnalysis, segmentMarks } from './flow.ts';
import type { Frame } from './frame.ts';
import { areOptionsCut, type FrameHeaders } from './frame-headers.ts';
import { type SegmentHistory, windowScaleUnknown, windowScaleUnused } from './segment-history.ts';
import { SegmentRecord } from './segment-record.ts';
import { sequenceAfter, sequenceDistance } from './sequence.ts';
import { tcpFlags } from './tcp-flags.ts';
import type { TcpFlow } from './tcp-flow.ts';
import { selectiveRangesOf, windowShiftOf } from './tcp-options.ts';

/** Bits of `SegmentAnalysis.completeness`. */
const completeness = { syn: 1, synAck: 2, ack: 4, data: 8, fin: 16, rst: 32 } as const;

const { syn, fin, rst, ack, psh } = tcpFlags;
/** A duplicate acknowledgement is taken for the reason of a repetition for so long. */
const fastRetransmissionNs = 20_000_000;
/** How late a segment may come to count as out of order, where no round trip is known. */
const outOfOrderNs = 3_000_000;
/** Acknowledgements repeated so often call for a fast retransmission: the third may be missing from the capture. */
const duplicatesMin = 2;

/** Judges a segment. */
export function analyseSegment(
  flow: TcpFlow,
  direction: Direction,
  headers: FrameHeaders,
  isPortReused: boolean,
): SegmentAnalysis {
  const own = direction === 0 ? flow.clientHistory : flow.serverHistory;
  const peer = direction === 0 ? flow.serverHistory : flow.clientHistory;
  const frame = headers.frame;
  const flags = headers.tcpFlags;
  const length = headers.wirePayloadLength;
  const hasAck = (flags & ack) !== 0;
  const record = new SegmentRecord(flow, direction, frame);
  // Wireshark shows what such a SYN begins with at once, that of other connections from the next segment on.
  record.completeness = isPortReused ? nextCompleteness(0, flags, 0, true) : flow.completeness;
  flow.lastSeconds = frame.seconds;
  flow.lastNanoseconds = frame.nanoseconds;
  const isFirst = !own.hasBase && !peer.hasBase;
  setBases(own, peer, headers);

  const sequence = (headers.sequence - own.base) | 0;
  // Without ACK the field says nothing; it is zero as a rule.
  const acknowledged = hasAck ? (headers.acknowledgement - peer.base) | 0 : 0;
  const isAcknowledging = hasAck || headers.acknowledgement !== 0;
  const phantom = (flags & (syn | fin)) !== 0 ? 1 : 0;
  record.relativeSequence = sequence >>> 0;
  record.relativeAcknowledgement = hasAck ? acknowledged >>> 0 : headers.acknowledgement;
  record.nextSequence = sequenceAfter(sequence, length + phantom) >>> 0;
  setWindow(record, own, peer, headers);

  let marks = isPortReused ? segmentMarks.portReused : 0;
  marks |= closingMarks(flow, direction, flags);
  const controls = flags & (syn | fin | rst);

  if (length === 1 && own.hasNext && sequence === own.next && peer.window === 0 && peer.hasNext) {
    marks |= segmentMarks.zeroWindowProbe;
  } else {
    if (headers.window === 0 && controls === 0) marks |= segmentMarks.zeroWindow;
    if (own.hasNext && sequenceDistance(own.next, sequence) > 0 && (flags & rst) === 0) {
      marks |= segmentMarks.lostSegment;
      own.isFlightKnown = false;
    }
    if (own.hasNext && length <= 1 && sequence === ((own.next - 1) | 0) && controls === 0)
      marks |= segmentMarks.keepAlive;
    if (length > 0 && controls === 0 && fillsWindow(sequenceAfter(sequence, length), peer))
      marks |= segmentMarks.windowFull;
    if (length === 0 && controls === 0 && own.hasNext && sequence === own.next)
      marks |= judgePureAcknowledgement(record, own, peer, headers, acknowledged, isAcknowledging);
  }

  if (!own.hasAcknowledged || acknowledged !== own.acknowledged) {
    own.firstOfDuplicates = frame.number;
    own.duplicates = 0;
    own.isUnseenKnown = false;
  }
  if (hasAck && peer.hasContinuous && sequenceDistance(peer.continuous, acknowledged) > 0)
    marks |= judgeUnseen(own, peer, sequence, acknowledged, headers.window);
  if ((length > 0 || phantom !== 0) && (marks & segmentMarks.keepAlive) === 0)
    marks |= judgeRepetition(record, flow, own, peer, frame, sequence, length, phantom);
  record.marks = marks;

  advance(own, headers, sequence, length + phantom, marks);
  own.window = headers.window;
  own.windowSize = record.windowSize;
  own.hasAcknowledged = isAcknowledging;
  own.acknowledged = acknowledged;
  own.acknowledgedSeconds = frame.seconds;
  own.acknowledgedNanoseconds = frame.nanoseconds;
  own.lastMarks = marks;
  own.selective = hasAck ? selectiveRangesOf(headers, peer.base) : undefined;
  if (hasAck) {
    peer.isFlightKnown = true;
    const found = peer.acknowledge(acknowledged);
    if (found !== undefined) {
      record.acknowledges = found.frame;
      record.acknowledgeTimeNs = elapsedNs(frame, found.seconds, found.nanoseconds);
    }
  }
  if (length > 0) countBytes(record, own, peer, flags, length);
  measureRoundTrip(flow, frame, flags);
  record.initialRoundTripNs = flow.initialRoundTripNs;
  flow.completeness = nextCompleteness(flow.completeness, flags, length, isFirst);
  return record;
}

/** Notes of a segment that is not judged what tells its connection from the next one between the same ports. */
export function noteSegment(flow: TcpFlow, direction: Direction, headers: FrameHeaders): void {
  const own = direction === 0 ? flow.clientHistory : flow.serverHistory;
  const peer = direction === 0 ? flow.serverHistory : flow.clientHistory;
  const isFirst = !own.hasBase && !peer.hasBase;
  setBases(own, peer, headers);
  flow.completeness = nextCompleteness(flow.completeness, headers.tcpFlags, headers.wirePayloadLength, isFirst);
}

/** Below 2^53: 104 days. */
function elapsedNs(frame: Frame, seconds: number, nanoseconds: number): number {
  return (frame.seconds - seconds) * 1e9 + (frame.nanoseconds - nanoseconds);
}

/** SYN counts as 0, so the first byte as 1; of a connection that is seen from the middle, its first byte that is seen does. */
function setBases(own: SegmentHistory, peer: SegmentHistory, headers: FrameHeaders): void {
  if (!own.hasBase) {
    own.hasBase = true;
    own.base = (headers.tcpFlags & syn) !== 0 ? headers.sequence | 0 : (headers.sequence - 1) | 0;
  }
  if (!peer.hasBase && (headers.tcpFlags & ack) !== 0) {
    peer.hasBase = true;
    peer.base = (headers.acknowledgement - 1) | 0;
  }
}

/** RFC 7323 §2.2: only if both SYN have the option, and never in a SYN itself. */
function setWindow(record: SegmentRecord, own: SegmentHistory, peer: SegmentHistory, headers: FrameHeaders): void {
  if ((headers.tcpFlags & syn) !== 0) {
    const shift = windowShiftOf(headers);
    if (shift >= 0) own.windowScale = shift;
    if (areOptionsCut(headers)) {
      // Nobody knows whether there was one.
    } else if (own.windowScale === windowScaleUnknown) {
      own.windowScale = windowScaleUnused;
      peer.windowScale = windowScaleUnused;
    } else if ((headers.tcpFlags & ack) !== 0 && peer.windowScale === windowScaleUnused) {
      own.windowScale = windowScaleUnused;
    }
    record.windowSize = headers.window;
  } else {
    record.windowSize = own.windowScale > 0 ? headers.window << own.windowScale : headers.window;
  }
  record.windowScale = own.windowScale >= 0 ? 1 << own.windowScale : own.windowScale;
}

function closingMarks(flow: TcpFlow, direction: Direction, flags: number): number {
  if ((flags & fin) === 0) return 0;
  if (flow.closingDirection === -1) flow.closingDirection = direction;
  return flow.closingDirection === direction ? segmentMarks.initiatesClosing : segmentMarks.undergoesClosing;
}

function fillsWindow(end: number, peer: SegmentHistory): boolean {
  return (
    peer.windowScale !== windowScaleUnknown &&
    peer.hasAcknowledged &&
    end === sequenceAfter(peer.acknowledged, peer.windowSize)
  );
}

/** A segment with nothing but an acknowledgement, at the number that is next: what it repeats, or changes. */
function judgePureAcknowledgement(
  record: SegmentRecord,
  own: SegmentHistory,
  peer: SegmentHistory,
  headers: FrameHeaders,
  acknowledged: number,
  isAcknowledging: boolean,
): number {
  if (!own.hasAcknowledged || !isAcknowledging || acknowledged !== own.acknowledged) return 0;
  const window = headers.window;
  if (window !== own.window) return window === 0 ? 0 : segmentMarks.windowUpdate;
  if (window === 0)
    return (peer.lastMarks & segmentMarks.zeroWindowProbe) !== 0 ? segmentMarks.zeroWindowProbeAcknowledgement : 0;
  if ((peer.lastMarks & segmentMarks.keepAlive) !== 0) return segmentMarks.keepAliveAcknowledgement;
  own.duplicates++;
  own.isUnseenKnown = true;
  record.duplicateNumber = own.duplicates;
  record.duplicateOf = own.firstOfDuplicates;
  return segmentMarks.duplicateAcknowledgement;
}

/**
 * An acknowledgement of what was not seen. Behind everything that was seen of the peer, it is said once for each number that the peer acknowledges
 * itself, and not at all while the peer repeats an acknowledgement; in a hole between what was seen, it is always said.
 */
function judgeUnseen(
  own: SegmentHistory,
  peer: SegmentHistory,
  sequence: number,
  acknowledged: number,
  window: number,
): number {
  // It takes the byte of a zero window probe: the window is open again.
  if (
    window > 0 &&
    (peer.lastMarks & segmentMarks.zeroWindowProbe) !== 0 &&
    own.hasAcknowledged &&
    acknowledged === sequenceAfter(own.acknowledged, 1) &&
    own.hasNext &&
    sequence === own.next
  ) {
    peer.continuous = acknowledged;
    return segmentMarks.windowUpdate;
  }
  if (peer.continuous !== peer.next) {
    peer.continuous = peer.next;
    return segmentMarks.acknowledgedUnseen;
  }
  peer.duplicates = 0;
  if (peer.isUnseenKnown) return 0;
  peer.isUnseenKnown = true;
  return segmentMarks.acknowledgedUnseen;
}

/** A segment that takes sequence numbers: whether they were sent before, and why. */
function judgeRepetition(
  record: SegmentRecord,
  flow: TcpFlow,
  own: SegmentHistory,
  peer: SegmentHistory,
  frame: Frame,
  sequence: number,
  length: number,
  phantom: number,
): number {
  const end = sequenceAfter(sequence, length);
  if (length > 0 && peer.hasAcknowledged && sequenceDistance(end, peer.acknowledged) >= 0)
    return segmentMarks.retransmission | segmentMarks.spuriousRetransmission;
  if (!own.hasNext || sequenceDistance(sequence, own.next) <= 0) return 0;
  // More than one byte from the one before the next: after the byte of a zero window probe it is news.
  if (length > 1 && sequence === ((own.next - 1) | 0)) return 0;
  // Duplicates call for it; so does, for Wireshark, that this side acknowledged more of the peer than the capture has.
  if (peer.duplicates >= duplicatesMin || (peer.isUnseenKnown && peer.duplicates === 0)) {
    const sinceAck = elapsedNs(frame, peer.acknowledgedSeconds, peer.acknowledgedNanoseconds);
    if (
      isWithin(sinceAck, fastRetransmissionNs) &&
      (peer.acknowledged === sequence || isUnreported(peer, sequence, end))
    )
      return segmentMarks.retransmission | segmentMarks.fastRetransmission;
  }
  const sinceNext = elapsedNs(frame, own.nextSeconds, own.nextNanoseconds);
  const threshold = flow.initialRoundTripNs > 0 ? flow.initialRoundTripNs : outOfOrderNs;
  if (isWithin(sinceNext, threshold) && sequenceAfter(end, phantom) !== own.next) return segmentMarks.outOfOrder;
  setTimeOut(record, own, frame, sinceNext);
  return segmentMarks.retransmission;
}

/** Where time runs backwards, in captures that were put together, nothing is soon. */
function isWithin(elapsed: number, limit: number): boolean {
  return elapsed >= 0 && elapsed < limit;
}

/** Whether the peer acknowledges selectively, but not this. */
function isUnreported(peer: SegmentHistory, sequence: number, end: number): boolean {
  const ranges = peer.selective;
  if (ranges === undefined) return false;
  for (let index = 0; index < ranges.length; index += 2) {
    if (sequenceDistance(ranges[index]!, sequence) >= 0 && sequenceDistance(end, ranges[index + 1]!) >= 0) return false;
  }
  return true;
}

/** The time-out counts from the oldest segment that is not acknowledged, else from the one with the highest number. */
function setTimeOut(record: SegmentRecord, own: SegmentHistory, frame: Frame, sinceNextNs: number): void {
  record.retransmits = own.nextFrame;
  record.retransmissionTimeoutNs = sinceNextNs;
  if (own.sentCount === 0) return;
  const oldest = own.sent[0]!;
  record.retransmits = oldest.frame;
  record.retransmissionTimeoutNs = elapsedNs(frame, oldest.seconds, oldest.nanoseconds);
}

function advance(own: SegmentHistory, headers: FrameHeaders, sequence: number, length: number, marks: number): void {
  const frame = headers.frame;
  const next = sequenceAfter(sequence, length);
  if (length > 0) own.addSent(sequence, next, frame.number, frame.seconds, frame.nanoseconds);
  if ((marks & segmentMarks.zeroWindowProbe) !== 0) return;
  if (!own.hasNext || sequenceDistance(own.next, next) > 0) {
    own.hasNext = true;
    own.next = next;
    own.nextFrame = frame.number;
    own.nextSeconds = frame.seconds;
    own.nextNanoseconds = frame.nanoseconds;
  }
  if (!own.hasContinuous || sequence === own.continuous) {
    own.hasContinuous = true;
    own.continuous = own.next;
  }
}

function countBytes(
  record: SegmentRecord,
  own: SegmentHistory,
  peer: SegmentHistory,
  flags: number,
  length: number,
): void {
  if (!own.isFlightKnown || own.sentCount === 0) return;
  let inFlight = sequenceDistance(own.sentStart, own.sentEnd) - ((flags & fin) !== 0 ? 1 : 0);
  const ranges = peer.selective;
  if (ranges !== undefined)
    for (let index = 0; index < ranges.length; index += 2)
      inFlight -= sequenceDistance(ranges[index]!, ranges[index + 1]!);
  own.pushBytes = own.hasPushed ? length : own.pushBytes + length;
  own.hasPushed = (flags & psh) !== 0;
  if (inFlight <= 0) return;
  record.bytesInFlight = inFlight;
  record.bytesSinceLastPush = own.pushBytes;
}

/** From the last SYN to the first acknowledgement that is none. */
function measureRoundTrip(flow: TcpFlow, frame: Frame, flags: number): void {
  if (flow.initialRoundTripNs >= 0) return;
  if ((flags & (syn | ack)) === syn) {
    flow.synSeconds = frame.seconds;
    flow.synNanoseconds = frame.nanoseconds;
  } else if ((flags & (syn | ack)) === ack && flow.synSeconds !== 0) {
    flow.initialRoundTripNs = elapsedNs(frame, flow.synSeconds, flow.synNanoseconds);
  }
}

/** Of a connection that does not begin with a SYN, the first segment does not count but for its FIN or RST. */
function nextCompleteness(before: number, flags: number, length: number, isFirst: boolean): number {
  let next = before;
  if ((flags & (syn | ack)) === syn) next |= completeness.syn;
  if ((flags & fin) !== 0) next |= completeness.fin;
  if ((flags & rst) !== 0) next |= completeness.rst;
  if (isFirst) return next;
  if ((flags & (syn | ack)) === (syn | ack)) next |= completeness.synAck;
  if ((flags & (syn | ack)) === ack && length === 0) next |= completeness.ack;
  if (length > 0) next |= completeness.data;
  return next;
}
