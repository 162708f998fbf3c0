/** A TCP connection as the capture shows it. `flow-table.ts` finds the one that a segment belongs to. */

/** Which end sent it: 0 the client, which sent the SYN or else the first segment seen towards a port that is known; 1 the server. */
export type Direction = 0 | 1;

export interface Endpoint {
  /** 4 or 16 bytes, in a copy of their own. */
  readonly address: Uint8Array;
  readonly port: number;
}

export interface Flow {
  /** From 0, in the order in which connections appear: `tcp.stream`. */
  readonly index: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Time of its first frame, seconds and nanoseconds since the epoch. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Whatever the layer above keeps of it; gone when the flow is forgotten. */
  application: unknown;
}

/** What is to be said of one segment, by its place in the connection. Field meanings as Wireshark's `tcp.analysis.*`. */
export interface SegmentAnalysis {
  readonly flow: Flow;
  readonly direction: Direction;
  /** From the connection's first sequence number, so 0 for a SYN and 1 for the first byte. */
  readonly relativeSequence: number;
  readonly relativeAcknowledgement: number;
  /** Relative number of the byte after this segment. */
  readonly nextSequence: number;
  /** Window with the scale of the handshake; -1 scale where it was not seen, -2 where none is used. */
  readonly windowSize: number;
  readonly windowScale: number;
  /** Bits of `segmentMarks`. */
  readonly marks: number;
  /** Bytes sent and not yet acknowledged after this segment; 0 if not known. */
  readonly bytesInFlight: number;
  /** Bytes sent since the last segment with PSH, this one included; 0 if not known. `tcp.analysis.push_bytes_sent`. */
  readonly bytesSinceLastPush: number;
  /** Nanoseconds between SYN and the ACK of the SYN-ACK; -1 while that is not known. `tcp.analysis.initial_rtt`. */
  readonly initialRoundTripNs: number;
  /** Of a retransmission: frame that its time-out counts from, and the nanoseconds since; 0 if not known. `tcp.analysis.rto_frame`, `rto`. */
  readonly retransmits: number;
  readonly retransmissionTimeoutNs: number;
  /** Of a duplicate acknowledgement: frame with the first of its kind, and which duplicate it is, from 1. */
  readonly duplicateOf: number;
  readonly duplicateNumber: number;
  /** Number of the frame whose segment this one acknowledges, and the nanoseconds since; 0 if none. */
  readonly acknowledges: number;
  readonly acknowledgeTimeNs: number;
  /** Bits as `tcp.completeness`: SYN 1, SYN-ACK 2, ACK 4, DATA 8, FIN 16, RST 32, of the connection before this segment. */
  readonly completeness: number;
  /** Nanoseconds since the first frame of the connection, and since the one before. */
  readonly sinceFirstNs: number;
  readonly sincePreviousNs: number;
}

/** Bits of `SegmentAnalysis.marks`. */
export const segmentMarks = {
  retransmission: 1,
  fastRetransmission: 2,
  spuriousRetransmission: 4,
  outOfOrder: 8,
  /** Segments before this one were not captured. */
  lostSegment: 0x10,
  /** It acknowledges what was not captured. */
  acknowledgedUnseen: 0x20,
  duplicateAcknowledgement: 0x40,
  keepAlive: 0x80,
  keepAliveAcknowledgement: 0x100,
  zeroWindow: 0x200,
  zeroWindowProbe: 0x400,
  zeroWindowProbeAcknowledgement: 0x800,
  windowUpdate: 0x1000,
  windowFull: 0x2000,
  portReused: 0x4000,
  /** The connection's first FIN, and the other end's that answers it. */
  initiatesClosing: 0x8000,
  undergoesClosing: 0x10000,
} as const;
