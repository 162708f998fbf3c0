/** `topics`: one row per Topic Name and broker. */
import { PacketType } from '../../protocol/packet-types.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { type ConnectionListener, ConnectionTracker } from './connection-tracker.ts';
import { brokerText } from './connections-table.ts';
import { defaultLimits, type ReportLimits } from './limits.ts';
import type { Moment } from './moment.ts';
import { isRetained, type PublishContent, qosOf, readPublish } from './packet-contents.ts';
import { KeptPayload } from './payload-print.ts';
import { firstLevel } from './subscriptions-table.ts';
import { column, type Table, type TableColumn } from './table.ts';

/** Clients that are named of a topic; of more only that there are more. */
const namedClientsMax = 1000;

export class TopicRow {
  readonly topic: string;
  readonly broker: string;
  readonly first: Moment;
  last: Moment;
  publishesIn = 0;
  publishesOut = 0;
  retainedIn = 0;
  retainedOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Bits by QoS. */
  qosIn = 0;
  qosOut = 0;
  readonly publishers = new Set<string>();
  readonly receivers = new Set<string>();
  value: KeptPayload | undefined = undefined;

  constructor(topic: string, broker: string, first: Moment) {
    this.topic = topic;
    this.broker = broker;
    this.first = first;
    this.last = first;
  }

  add(packet: MqttPacket, content: PublishContent, connection: ConnectionRecord, moment: Moment): void {
    const { payloadStart, payloadLength } = content;
    const { clientName } = connection;
    const qosBit = 1 << qosOf(packet);
    const retained = isRetained(packet) ? 1 : 0;
    this.last = moment;
    this.value = new KeptPayload(packet.source.bytes, payloadStart, packet.end, payloadLength);
    if (packet.isByClient) {
      this.publishesIn++;
      this.retainedIn += retained;
      this.bytesIn += payloadLength;
      this.qosIn |= qosBit;
      if (this.publishers.size < namedClientsMax) this.publishers.add(clientName);
    } else {
      this.publishesOut++;
      this.retainedOut += retained;
      this.bytesOut += payloadLength;
      this.qosOut |= qosBit;
      if (this.receivers.size < namedClientsMax) this.receivers.add(clientName);
    }
  }
}

export class TopicsTable implements Table<TopicRow>, ConnectionListener {
  readonly columns = topicColumns();
  readonly #tracker = new ConnectionTracker([this]);
  readonly #rows = new Map<string, TopicRow>();
  readonly #rowsMax: number;
  #leftOut = 0;

  constructor(limits: ReportLimits) {
    this.#rowsMax = limits.rowsMax ?? defaultLimits.rowsMax;
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void {
    if (!isCounted || packet.packetType !== PacketType.PUBLISH) return;
    const content = readPublish(packet);
    const key = `${connection.ends.brokerKey} ${content.topic}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= this.#rowsMax) {
        this.#leftOut++;
        return;
      }
      row = new TopicRow(content.topic, brokerText(connection), moment);
      this.#rows.set(key, row);
    }
    row.add(packet, content, connection, moment);
  }

  rows(): TopicRow[] {
    return [...this.#rows.values()];
  }

  notes(): string[] {
    if (this.#leftOut === 0) return [];
    return [
      `${this.#leftOut} PUBLISHes to more topics are left out: ${this.#rowsMax} topics are the limit; -Y makes a choice among packets`,
    ];
  }
}

const qosLists: readonly (readonly number[])[] = Array.from({ length: 16 }, (_, bits) =>
  [0, 1, 2, 3].filter((qos) => (bits & (1 << qos)) !== 0),
);

function topicColumns(): TableColumn<TopicRow>[] {
  type Row = TopicRow;
  return [
    column<Row>('*topic', 'text', 'Topic Name', ({ topic }) => topic),
    column<Row>('first_level', 'text', 'Its first level', ({ topic }) => firstLevel(topic)),
    column<Row>('levels', 'integer', 'How many levels it has', ({ topic }) => topic.split('/').length),
    column<Row>('*publishes_in', 'integer', 'PUBLISHes to the broker', ({ publishesIn }) => publishesIn),
    column<Row>('*publishes_out', 'integer', 'PUBLISHes from the broker', ({ publishesOut }) => publishesOut),
    column<Row>('*qos_in', 'integer', 'QoS of those to the broker', ({ qosIn }) => qosLists[qosIn]),
    column<Row>('*qos_out', 'integer', 'QoS of those from the broker', ({ qosOut }) => qosLists[qosOut]),
    column<Row>('*retained_in', 'integer', 'Those to the broker with RETAIN', ({ retainedIn }) => retainedIn),
    column<Row>('*retained_out', 'integer', 'Those from the broker with RETAIN', ({ retainedOut }) => retainedOut),
    column<Row>('bytes_in', 'integer', 'Bytes of payload to the broker', ({ bytesIn }) => bytesIn),
    column<Row>('bytes_out', 'integer', 'Bytes of payload from the broker', ({ bytesOut }) => bytesOut),
    column<Row>('publishers', 'text', 'Clients that published', ({ publishers }) => [...publishers]),
    column<Row>('receivers', 'text', 'Clients that got something', ({ receivers }) => [...receivers]),
    column<Row>('first', 'time', 'Time of the first PUBLISH', ({ first }) => first.ns / 1e9),
    column<Row>('*last', 'time', 'Time of the last PUBLISH', ({ last }) => last.ns / 1e9),
    column<Row>('*value', 'text', 'Its payload, decoded, on one line', ({ value, topic }) => value?.text(topic)),
    column<Row>('broker', 'text', 'Address and port of the broker', ({ broker }) => broker),
  ];
}
