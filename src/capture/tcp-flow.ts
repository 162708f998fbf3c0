/** A connection and what is remembered of it: the analysis of its two directions, and their assembly. */
import type { Aged } from './age-list.ts';
import type { Direction, Endpoint, Flow } from './flow.ts';
import { undecided } from './flow-division.ts';
import type { FrameHeaders } from './frame-headers.ts';
import { SegmentHistory, type SentBudget } from './segment-history.ts';
import { type HeldBudget, StreamAssembler } from './stream-assembler.ts';

export class TcpFlow implements Flow, Aged {
  readonly index: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly seconds: number;
  readonly nanoseconds: number;
  application: unknown = undefined;

  /** Under which `FlowTable` finds it, and the next of its bucket. */
  readonly hash: number;
  nextInBucket: TcpFlow | undefined = undefined;
  older: Aged | undefined = undefined;
  newer: Aged | undefined = undefined;
  /** Count of lookups when it was made the newest of its list. */
  touchedAt = 0;
  /** FIN of both ends, or RST: it will not say much more. */
  isClosed = false;
  /** Ends that have said so: 1 the client, 2 the server. */
  endings = 0;
  /** Which of several readers follows it, as `FlowDivision` says. */
  owner = undecided;
  /** What it was expected to have, and has not had yet, when that was decided. */
  expectedFrames = 0;

  /** Bits of `tcp.completeness` so far. */
  completeness = 0;
  /** Its last frame. */
  lastSeconds: number;
  lastNanoseconds: number;
  /** Time of the last SYN; 0 if there was none. */
  synSeconds = 0;
  synNanoseconds = 0;
  /** Nanoseconds from SYN to the ACK of the SYN-ACK; -1 if not known. */
  initialRoundTripNs = -1;
  /** Direction of the first FIN; -1 if there was none. */
  closingDirection: Direction | -1 = -1;

  readonly clientHistory: SegmentHistory;
  readonly serverHistory: SegmentHistory;
  readonly clientStream: StreamAssembler;
  readonly serverStream: StreamAssembler;

  constructor(
    index: number,
    hash: number,
    headers: FrameHeaders,
    client: Endpoint,
    server: Endpoint,
    sent: SentBudget,
    held: HeldBudget,
  ) {
    this.index = index;
    this.hash = hash;
    this.client = client;
    this.server = server;
    this.seconds = headers.frame.seconds;
    this.nanoseconds = headers.frame.nanoseconds;
    this.lastSeconds = this.seconds;
    this.lastNanoseconds = this.nanoseconds;
    this.clientHistory = new SegmentHistory(sent);
    this.serverHistory = new SegmentHistory(sent);
    this.clientStream = new StreamAssembler(held);
    this.serverStream = new StreamAssembler(held);
  }

  /** Gives back what it holds of limits shared with others. */
  release(): void {
    this.clientHistory.release();
    this.serverHistory.release();
    this.clientStream.release();
    this.serverStream.release();
    this.application = undefined;
  }
}
