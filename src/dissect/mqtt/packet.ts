/** One MQTT packet as the conversation shows it. Everything that is known when it comes is in numbers; text is made when somebody asks for it. */
import { textOf, type Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { DataSource, Frame } from '../../capture/frame.ts';
import type { FieldSink } from '../field-sink.ts';
import type { UpperLayer } from '../stream-dissector.ts';
import type { AliasedTopic, ConnectionFacts } from './connection-facts.ts';
import { describePacket } from './describe-packet.ts';
import { fields } from './fields.ts';
import { mediaColumn } from './media.ts';
import { writePacketInfo } from './packet-info.ts';

const none: readonly number[] = [];

/** A fixed shape. Fields without `readonly` are set while the packet is received, and never again. */
export class MqttPacket implements UpperLayer {
  readonly protocol = fields.self;
  readonly source: DataSource;
  /** Fixed header, variable header, and the end of what is there of it. */
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
  /** Bytes that belong to it and are not there, as they were not captured. 0 as a rule. */
  readonly absentBytes: number;
  /** Bytes that were not captured, or could not be understood, directly before it. */
  readonly missingBefore: number;
  /** The frame that completed it. */
  readonly frame: Frame;
  readonly isByClient: boolean;
  /** Its first byte. */
  readonly header: number;
  /** 3, 4, 5, or what else a CONNECT claims; 0: not known, and read as 3.1.1 then. */
  version = 0;
  facts: ConnectionFacts;
  /** 0 if it has none. */
  packetIdentifier = 0;
  aliasedTopic: AliasedTopic | undefined = undefined;
  /** Where the Content Type of a PUBLISH lies, with its length in front; -1 if it has none. */
  contentTypeStart = -1;
  /** One of `handshakeStates`. */
  qosState = 0;
  marks = 0;
  /** Frame that this packet answers, and its time; 0: it answers nothing that was seen. */
  answersFrame = 0;
  answersSeconds = 0;
  answersNanoseconds = 0;
  /** Frame of the PUBLISH that began the handshake, and its time. */
  publishFrame = 0;
  publishSeconds = 0;
  publishNanoseconds = 0;
  /** Where a repeated packet was first sent, or what a reused identifier is still in use for. */
  relatedFrame = 0;
  /** On the last packet of a connection, or the first of the next: frames of packets that were never answered. */
  unanswered: readonly number[] = none;

  constructor(
    source: DataSource,
    start: number,
    bodyStart: number,
    end: number,
    absentBytes: number,
    missingBefore: number,
    frame: Frame,
    isByClient: boolean,
    header: number,
    facts: ConnectionFacts,
  ) {
    this.source = source;
    this.start = start;
    this.bodyStart = bodyStart;
    this.end = end;
    this.absentBytes = absentBytes;
    this.missingBefore = missingBefore;
    this.frame = frame;
    this.isByClient = isByClient;
    this.header = header;
    this.facts = facts;
  }

  get columnProtocol(): string {
    return this.contentTypeStart >= 0 ? mediaColumn(this) : 'MQTT';
  }

  get sentLength(): number {
    return this.end - this.start + this.absentBytes;
  }

  /** 0–15, as `PacketType`. */
  get packetType(): number {
    return this.header >> 4;
  }

  has(mark: number): boolean {
    return (this.marks & mark) !== 0;
  }

  info(): string {
    return textOf((output) => writePacketInfo(this, output));
  }

  writeInfo(output: Utf8Buffer): void {
    writePacketInfo(this, output);
  }

  describe(sink: FieldSink): void {
    describePacket(this, sink);
  }
}
