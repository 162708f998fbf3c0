/** What a sequence diagram of a capture has: clients, brokers, and the packets between them in their order, each with what it answers or copies. */
import { PacketType } from '../../protocol/packet-types.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { MqttPacket } from '../mqtt/packet.ts';
import { type ConnectionRecord, endpointText } from './connection-record.ts';
import { type ConnectionListener, ConnectionTracker } from './connection-tracker.ts';
import { DeliveryMatcher } from './delivery-matcher.ts';
import type { DeliveryRecord, MessageSource } from './message-source.ts';
import type { Moment } from './moment.ts';
import { type PacketSummary, summarizePacket } from './packet-summary.ts';
import { payloadPreview } from './payload-print.ts';
import { SessionBook } from './session-book.ts';
import { WillBook } from './will-book.ts';

/** Arrows of one capture, unless something else is asked for. */
export const ladderArrowsMax = 2000;
/** Bytes of a payload that are looked at for its line. */
const previewBytes = 256;

/** A packet between a client and the broker, or the end of their connection without a DISCONNECT. */
export interface LadderArrow {
  /** Index in `LadderDiagram.clients`. */
  readonly client: number;
  /** Which connection of the client: no two have the same number. */
  readonly connection: number;
  readonly isByClient: boolean;
  readonly frame: number;
  /** Seconds since the first frame of the capture. */
  readonly time: number;
  /** `PUBLISH`; `FIN`, `RST`, `taken over` for an end. */
  readonly type: string;
  readonly isEnd: boolean;
  /** Packet Identifier; 0 if it has none. */
  readonly identifier: number;
  /** Of a PUBLISH. */
  readonly qos: number | undefined;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly topic: string;
  /** One line, of a PUBLISH. */
  readonly payload: string;
  readonly details: string;
  /** Frame that it answers, and the seconds since; 0 if it answers none. */
  readonly answers: number;
  readonly answerTime: number;
  /** Index of the arrow that led to this PUBLISH of the broker; -1 if none did, or it is not in the diagram. */
  readonly cause: number;
  /** Index of the PUBLISH that this PUBREL releases; -1 if it is none. */
  readonly releases: number;
}

/** One broker and its clients. */
export interface LadderDiagram {
  /** Address and port. */
  readonly broker: string;
  /** Names: Client Identifiers, or address and port. */
  readonly clients: readonly string[];
  readonly arrows: readonly LadderArrow[];
}

export interface Ladder {
  readonly diagrams: readonly LadderDiagram[];
  /** Arrows beyond the limit. */
  readonly leftOut: number;
  /** Time of the first of these, seconds since the first frame. */
  readonly leftOutFrom: number;
}

class DiagramRecord implements LadderDiagram {
  readonly broker: string;
  readonly clients: string[] = [];
  readonly arrows: LadderArrow[] = [];
  readonly #indices = new Map<string, number>();
  /** Index of the PUBLISH of a client that is under way, by client and identifier. */
  readonly publishing = new Map<number, number>();

  constructor(broker: string) {
    this.broker = broker;
  }

  clientOf({ clientName, addressName }: ConnectionRecord): number {
    const known = this.#indices.get(clientName);
    if (known !== undefined) return known;
    // A client that has got its identifier by the CONNACK goes by it from now on.
    const unnamed = clientName === addressName ? undefined : this.#indices.get(addressName);
    const index = unnamed ?? this.clients.length;
    if (unnamed !== undefined) this.#indices.delete(addressName);
    this.clients[index] = clientName;
    this.#indices.set(clientName, index);
    return index;
  }
}

export class LadderCollector implements ConnectionListener {
  readonly #tracker: ConnectionTracker;
  readonly #arrowsMax: number;
  readonly #diagrams = new Map<string, DiagramRecord>();
  /** Where the arrow is from which a message came. */
  readonly #arrowOf = new WeakMap<MessageSource, number>();
  #source: MessageSource | undefined = undefined;
  #delivery: DeliveryRecord | undefined = undefined;
  #count = 0;
  #leftOut = 0;
  #leftOutFrom = 0;

  /** @param arrowsMax - default `ladderArrowsMax` */
  constructor(arrowsMax: number = ladderArrowsMax) {
    this.#arrowsMax = arrowsMax;
    const sessions = new SessionBook();
    const wills = new WillBook();
    const matcher = new DeliveryMatcher(sessions, wills);
    matcher.onSource = (source) => {
      this.#source = source;
    };
    matcher.onDelivery = (delivery) => {
      this.#delivery = delivery;
    };
    this.#tracker = new ConnectionTracker([sessions, wills, matcher, this]);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    if (this.#leftOut === 0) this.#tracker.next(frame, isCounted);
    // Of what has no place any more it is enough to know how much it is.
    else if (isCounted) for (const layer of frame.layers) if (layer instanceof MqttPacket) this.#leftOut++;
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    const source = this.#source;
    const delivery = this.#delivery;
    this.#source = undefined;
    this.#delivery = undefined;
    if (!isCounted || this.#isFull(moment)) return;
    const diagram = this.#diagramOf(connection);
    const summary = summarizePacket(packet);
    const { frame, answersFrame, answersSeconds, answersNanoseconds, isByClient, packetType } = packet;
    const client = diagram.clientOf(connection);
    const index = diagram.arrows.length;
    const side = client * 0x10000 + packet.packetIdentifier;
    if (isByClient && packetType === PacketType.PUBLISH) {
      if (source !== undefined) this.#arrowOf.set(source, index);
      if (packet.packetIdentifier > 0) diagram.publishing.set(side, index);
    }
    diagram.arrows.push({
      client,
      connection: connection.number,
      isByClient,
      frame: frame.number,
      time: moment.ns / 1e9,
      type: summary.type,
      isEnd: false,
      identifier: summary.identifier,
      qos: summary.qos,
      dup: summary.dup,
      retain: summary.retain,
      topic: summary.topic,
      payload: previewOf(packet, summary),
      details: summary.details,
      answers: answersFrame,
      answerTime:
        answersFrame === 0 ? 0 : frame.seconds - answersSeconds + (frame.nanoseconds - answersNanoseconds) / 1e9,
      cause: delivery?.source === undefined ? -1 : (this.#arrowOf.get(delivery.source) ?? -1),
      releases: isByClient && packetType === PacketType.PUBREL ? (diagram.publishing.get(side) ?? -1) : -1,
    });
  }

  ended(connection: ConnectionRecord): void {
    const source = this.#source;
    this.#source = undefined;
    const { end, endedAt, endedBy, isCounted } = connection;
    if (!isCounted || endedAt === undefined || end === 'DISCONNECT') return;
    if (connection.packetsIn + connection.packetsOut === 0 || this.#isFull(endedAt)) return;
    const diagram = this.#diagramOf(connection);
    if (source !== undefined) this.#arrowOf.set(source, diagram.arrows.length);
    diagram.arrows.push({
      client: diagram.clientOf(connection),
      connection: connection.number,
      isByClient: endedBy === 'client',
      frame: endedAt.frame,
      time: endedAt.ns / 1e9,
      type: end,
      isEnd: true,
      identifier: 0,
      qos: undefined,
      dup: false,
      retain: false,
      topic: '',
      payload: '',
      details: source?.will === undefined ? '' : `will ${source.will.topic} is due`,
      answers: 0,
      answerTime: 0,
      cause: -1,
      releases: -1,
    });
  }

  ladder(): Ladder {
    return { diagrams: [...this.#diagrams.values()], leftOut: this.#leftOut, leftOutFrom: this.#leftOutFrom };
  }

  /** Counts an arrow, and what is too many. */
  #isFull(moment: Moment): boolean {
    if (this.#count < this.#arrowsMax) {
      this.#count++;
      return false;
    }
    if (this.#leftOut++ === 0) this.#leftOutFrom = moment.ns / 1e9;
    return true;
  }

  #diagramOf({ ends }: ConnectionRecord): DiagramRecord {
    let diagram = this.#diagrams.get(ends.brokerKey);
    if (diagram === undefined) {
      diagram = new DiagramRecord(endpointText(ends.brokerAddress, ends.brokerPort));
      this.#diagrams.set(ends.brokerKey, diagram);
    }
    return diagram;
  }
}

function previewOf(packet: MqttPacket, { publish, topic }: PacketSummary): string {
  if (publish === undefined) return '';
  const { payloadStart, payloadLength, contentType, payloadFormat } = publish;
  const end = Math.min(packet.end, payloadStart + previewBytes);
  const bytes = packet.source.bytes.subarray(payloadStart, end);
  const isWhole = end - payloadStart === payloadLength;
  return isWhole ? payloadPreview(bytes, topic, contentType, payloadFormat) : `${payloadPreview(bytes, '')}…`;
}
