/** One delivery at QoS 1 or 2 between a client and a broker, step by step. */
import type { ConnectionRecord } from './connection-record.ts';
import { type Moment, secondsBetween } from './moment.ts';

/**
 * `published`, `received`, `released`: that far it came; `complete`; `refused` by a Reason Code of 0x80 or more; `unknown`: acknowledgements of
 * something that was not seen, or was complete already.
 */
export type HandshakeState = 'published' | 'received' | 'released' | 'complete' | 'refused' | 'unknown';

export class HandshakeRecord {
  /** On which it began. */
  readonly connection: ConnectionRecord;
  readonly isByClient: boolean;
  readonly packetIdentifier: number;
  /** 1, 2, or 0 if its PUBLISH was not seen. */
  readonly qos: number;
  readonly topic: string;
  readonly first: Moment;
  last: Moment;
  publishedAt: Moment | undefined = undefined;
  acknowledgedAt: Moment | undefined = undefined;
  receivedAt: Moment | undefined = undefined;
  releasedAt: Moment | undefined = undefined;
  completedAt: Moment | undefined = undefined;
  state: HandshakeState = 'unknown';
  /** Packets that were sent again. */
  repeats = 0;
  /** The highest Reason Code. */
  code = 0;
  isCounted = false;

  constructor(
    connection: ConnectionRecord,
    isByClient: boolean,
    packetIdentifier: number,
    qos: number,
    topic: string,
    first: Moment,
  ) {
    this.connection = connection;
    this.isByClient = isByClient;
    this.packetIdentifier = packetIdentifier;
    this.qos = qos;
    this.topic = topic;
    this.first = first;
    this.last = first;
  }

  get isOver(): boolean {
    return this.state === 'complete' || this.state === 'refused';
  }

  /** Seconds from PUBLISH to the last acknowledgement; undefined if one of the two was not seen. */
  get duration(): number | undefined {
    if (!this.isOver || this.publishedAt === undefined) return undefined;
    return secondsBetween(this.publishedAt, this.last);
  }
}
