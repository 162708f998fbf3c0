/** Counts, bytes and times of a capture's MQTT packets: all together, and by packet type, QoS, client and topic. */
import { segmentMarks } from '../../capture/flow.ts';
import { PacketType, packetTypeName } from '../../protocol/packet-types.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import type { MqttPacket } from '../mqtt/packet.ts';
import { packetMarks } from '../mqtt/packet-marks.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { type ConnectionListener, ConnectionTracker } from './connection-tracker.ts';
import { HandshakeBook } from './handshake-book.ts';
import { LatencyHistogram, type LatencySummary } from './latency-histogram.ts';
import type { Moment } from './moment.ts';
import { readPublish } from './packet-contents.ts';
import { QosCounts, Traffic } from './traffic.ts';

export interface StatisticsOptions {
  /** Clients that are counted one by one. Default 10,000; the rest is counted together. */
  readonly clientsMax?: number;
  /** The same of topics. Default 65,536. */
  readonly topicsMax?: number;
}

/** What acknowledgements are waited for, as the report names it. */
export const latencyNames = [
  'CONNECT → CONNACK',
  'SUBSCRIBE → SUBACK',
  'UNSUBSCRIBE → UNSUBACK',
  'PINGREQ → PINGRESP',
  'PUBLISH → PUBACK, in',
  'PUBLISH → PUBACK, out',
  'PUBLISH → PUBREC, in',
  'PUBLISH → PUBREC, out',
  'PUBREC → PUBREL, in',
  'PUBREC → PUBREL, out',
  'PUBREL → PUBCOMP, in',
  'PUBREL → PUBCOMP, out',
  'PUBLISH → PUBCOMP, in',
  'PUBLISH → PUBCOMP, out',
] as const;
export type LatencyName = (typeof latencyNames)[number];

export class ClientStatistics {
  /** Its identifier, or where it is. */
  client: string;
  readonly traffic = new Traffic();
  readonly qos = new QosCounts();
  /** Of PUBLISHes at QoS 1 and 2 in both directions: until PUBACK or PUBCOMP. */
  readonly acknowledgements = new LatencyHistogram();
  connections = 0;
  /** PUBLISHes at QoS 1 and 2 in both directions without their last acknowledgement. */
  unacknowledged = 0;
  retransmissions = 0;

  constructor(client: string) {
    this.client = client;
  }
}

export class TopicStatistics {
  readonly topic: string;
  readonly traffic = new Traffic();
  readonly qos = new QosCounts();

  constructor(topic: string) {
    this.topic = topic;
  }
}

/** What a report of the numbers has, when all frames are in. */
export interface StatisticsResult {
  readonly frames: number;
  /** Bytes of frames on the wire. */
  readonly frameBytes: number;
  /** Seconds from the first frame that counts to the last. */
  readonly duration: number;
  readonly connections: number;
  /** Connections of a client that had one before. */
  readonly reconnects: number;
  readonly refused: number;
  readonly traffic: Traffic;
  readonly qos: QosCounts;
  /** Those that occur, in the order of their numbers. */
  readonly types: readonly { readonly type: string; readonly traffic: Traffic }[];
  readonly clients: readonly ClientStatistics[];
  /** Clients that are counted together, beyond the limit. */
  readonly otherClients: ClientStatistics | undefined;
  /** Most packets first. */
  readonly topics: readonly TopicStatistics[];
  readonly otherTopics: TopicStatistics | undefined;
  readonly latencies: readonly { readonly name: LatencyName; readonly summary: LatencySummary }[];
  readonly trouble: TroubleCounts;
}

export interface TroubleCounts {
  /** PUBLISHes with DUP. */
  readonly duplicates: number;
  /** Packets that repeat one before, as far as the capture tells. */
  readonly repeated: number;
  readonly identifiersReused: number;
  /** Acknowledgements of what was never sent. */
  readonly unexpected: number;
  /** PUBLISHes at QoS 1 and 2 without their last acknowledgement when the capture ended. */
  readonly unacknowledgedIn: number;
  readonly unacknowledgedOut: number;
  /** CONNECT, SUBSCRIBE, UNSUBSCRIBE and PINGREQ that nothing answered. */
  readonly unansweredRequests: number;
  readonly connectionsReset: number;
  /** TCP segments of connections that carry MQTT. */
  readonly retransmissions: number;
  readonly outOfOrder: number;
  readonly lostSegments: number;
  readonly zeroWindows: number;
}

const retransmitted =
  segmentMarks.retransmission | segmentMarks.fastRetransmission | segmentMarks.spuriousRetransmission;
/** Requests that wait at the same time; more are not looked at. */
const requestsMax = 262_144;
const requestTypes: readonly number[] = [
  PacketType.CONNECT,
  PacketType.SUBSCRIBE,
  PacketType.UNSUBSCRIBE,
  PacketType.PINGREQ,
];

export class Statistics implements ConnectionListener {
  readonly #clientsMax: number;
  readonly #topicsMax: number;
  readonly #book = new HandshakeBook();
  readonly #tracker = new ConnectionTracker([this.#book, this]);
  readonly #traffic = new Traffic();
  readonly #qos = new QosCounts();
  readonly #types: (Traffic | undefined)[] = [];
  readonly #clients = new Map<string, ClientStatistics>();
  readonly #topics = new Map<string, TopicStatistics>();
  readonly #latencies = new Map<LatencyName, LatencyHistogram>();
  #otherClients: ClientStatistics | undefined = undefined;
  #otherTopics: TopicStatistics | undefined = undefined;
  #frames = 0;
  #frameBytes = 0;
  #firstNs = 0;
  #lastNs = 0;
  #connections = 0;
  #refused = 0;
  #repeated = 0;
  #identifiersReused = 0;
  #unexpected = 0;
  /** Requests that wait, by their frame and type; a frame may have several of a type. */
  readonly #requests = new Map<number, number>();
  #requestCount = 0;
  #connectionsReset = 0;
  #retransmissions = 0;
  #outOfOrder = 0;
  #lostSegments = 0;
  #zeroWindows = 0;

  constructor(options: StatisticsOptions = {}) {
    this.#clientsMax = options.clientsMax ?? 10_000;
    this.#topicsMax = options.topicsMax ?? 65_536;
    this.#book.onOver = (handshake) => {
      const { connection, duration, qos, isByClient, isCounted } = handshake;
      if (!isCounted || duration === undefined) return;
      this.#clientOf(connection).acknowledgements.add(duration);
      if (qos === 2) this.#latency(isByClient ? 'PUBLISH → PUBCOMP, in' : 'PUBLISH → PUBCOMP, out').add(duration);
    };
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
    if (!isCounted) return;
    if (this.#frames++ === 0) this.#firstNs = frame.sinceFirstNs;
    this.#lastNs = frame.sinceFirstNs;
    this.#frameBytes += frame.frame.length;
    const { segment } = frame;
    if (segment !== undefined && segment.marks !== 0) this.#countSegment(frame, segment.marks);
  }

  #countSegment(frame: DissectedFrame, marks: number): void {
    const connection = this.#tracker.connectionOf(frame);
    if (connection === undefined) return;
    if ((marks & retransmitted) !== 0) {
      this.#retransmissions++;
      this.#clientOf(connection).retransmissions++;
    }
    if ((marks & segmentMarks.outOfOrder) !== 0) this.#outOfOrder++;
    if ((marks & segmentMarks.lostSegment) !== 0) this.#lostSegments++;
    if ((marks & segmentMarks.zeroWindow) !== 0) this.#zeroWindows++;
  }

  counted(): void {
    this.#connections++;
  }

  packet(packet: MqttPacket, connection: ConnectionRecord, _moment: Moment, isCounted: boolean): void {
    const { packetType } = packet;
    if (packetType === PacketType.CONNACK) this.#rename(connection);
    if (packet.answersFrame > 0) this.#answer(packet);
    if (!isCounted) return;
    const publish = packetType === PacketType.PUBLISH ? readPublish(packet) : undefined;
    const client = this.#clientOf(connection);
    if (packetType === PacketType.CONNECT) client.connections++;
    this.#traffic.add(packet, publish);
    client.traffic.add(packet, publish);
    this.#types[packetType] ??= new Traffic();
    this.#types[packetType].add(packet, publish);
    if (publish !== undefined) {
      this.#qos.add(packet);
      client.qos.add(packet);
      const topic = this.#topicOf(publish.topic);
      topic.traffic.add(packet, publish);
      topic.qos.add(packet);
    }
    if (packetType === PacketType.CONNACK && connection.isRefused) this.#refused++;
    if (requestTypes.includes(packetType)) this.#request(packet);
    if (packet.marks !== 0) this.#countMarks(packet);
    if (packet.answersFrame > 0) this.#countAnswer(packet);
  }

  ended({ end, isCounted }: ConnectionRecord): void {
    if (isCounted && end === 'RST') this.#connectionsReset++;
  }

  /** A client that has got its identifier by the CONNACK goes by it from now on. */
  #rename(connection: ConnectionRecord): void {
    const { clientName, addressName } = connection;
    const client = this.#clients.get(addressName);
    if (client === undefined || clientName === addressName || this.#clients.has(clientName)) return;
    this.#clients.delete(addressName);
    client.client = clientName;
    this.#clients.set(clientName, client);
  }

  #request({ frame, packetType }: MqttPacket): void {
    if (this.#requests.size >= requestsMax) return;
    const key = frame.number * 16 + packetType;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    this.#requestCount++;
  }

  /** The type of an answer follows that of what it answers. */
  #answer({ answersFrame, packetType }: MqttPacket): void {
    const key = answersFrame * 16 + packetType - 1;
    const waiting = this.#requests.get(key);
    if (waiting === undefined) return;
    if (waiting === 1) this.#requests.delete(key);
    else this.#requests.set(key, waiting - 1);
    this.#requestCount--;
  }

  #countMarks(packet: MqttPacket): void {
    if (packet.has(packetMarks.repeated)) this.#repeated++;
    if (packet.has(packetMarks.identifierReused)) this.#identifiersReused++;
    if (packet.has(packetMarks.unexpected)) this.#unexpected++;
  }

  #countAnswer(packet: MqttPacket): void {
    const { frame, answersSeconds, answersNanoseconds, isByClient } = packet;
    const name = latencyNameOf(packet.packetType, isByClient);
    if (name === undefined) return;
    this.#latency(name).add(frame.seconds - answersSeconds + (frame.nanoseconds - answersNanoseconds) / 1e9);
  }

  #latency(name: LatencyName): LatencyHistogram {
    let histogram = this.#latencies.get(name);
    if (histogram === undefined) {
      histogram = new LatencyHistogram();
      this.#latencies.set(name, histogram);
    }
    return histogram;
  }

  #clientOf(connection: ConnectionRecord): ClientStatistics {
    const { clientName } = connection;
    const known = this.#clients.get(clientName);
    if (known !== undefined) return known;
    if (this.#clients.size >= this.#clientsMax) {
      this.#otherClients ??= new ClientStatistics('');
      return this.#otherClients;
    }
    const client = new ClientStatistics(clientName);
    this.#clients.set(clientName, client);
    return client;
  }

  #topicOf(topic: string): TopicStatistics {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    if (this.#topics.size >= this.#topicsMax) {
      this.#otherTopics ??= new TopicStatistics('');
      return this.#otherTopics;
    }
    const made = new TopicStatistics(topic);
    this.#topics.set(topic, made);
    return made;
  }

  /** To be asked after the last frame. */
  result(): StatisticsResult {
    let unacknowledgedIn = 0;
    let unacknowledgedOut = 0;
    for (const client of this.#clients.values()) client.unacknowledged = 0;
    for (const { isByClient, isCounted, publishedAt, connection } of this.#book.open.values()) {
      if (!isCounted || publishedAt === undefined) continue;
      if (isByClient) unacknowledgedIn++;
      else unacknowledgedOut++;
      this.#clientOf(connection).unacknowledged++;
    }
    const clients = [...this.#clients.values()];
    return {
      frames: this.#frames,
      frameBytes: this.#frameBytes,
      duration: (this.#lastNs - this.#firstNs) / 1e9,
      connections: this.#connections,
      reconnects: clients.reduce((sum, { connections }) => sum + Math.max(0, connections - 1), 0),
      refused: this.#refused,
      traffic: this.#traffic,
      qos: this.#qos,
      types: this.#types.flatMap((traffic, type) =>
        traffic === undefined ? [] : [{ type: packetTypeName(type), traffic }],
      ),
      clients,
      otherClients: this.#otherClients,
      topics: [...this.#topics.values()].sort((a, b) => packets(b) - packets(a)),
      otherTopics: this.#otherTopics,
      latencies: latencyNames.flatMap((name) => {
        const summary = this.#latencies.get(name)?.summary();
        return summary === undefined ? [] : [{ name, summary }];
      }),
      trouble: {
        duplicates: this.#traffic.duplicates,
        repeated: this.#repeated,
        identifiersReused: this.#identifiersReused,
        unexpected: this.#unexpected,
        unacknowledgedIn,
        unacknowledgedOut,
        unansweredRequests: this.#requestCount,
        connectionsReset: this.#connectionsReset,
        retransmissions: this.#retransmissions,
        outOfOrder: this.#outOfOrder,
        lostSegments: this.#lostSegments,
        zeroWindows: this.#zeroWindows,
      },
    };
  }
}

function packets({ traffic }: TopicStatistics): number {
  return traffic.packetsIn + traffic.packetsOut;
}

/** What an acknowledgement ends the wait for. `in` is what the client published. */
function latencyNameOf(packetType: number, isByClient: boolean): LatencyName | undefined {
  switch (packetType) {
    case PacketType.CONNACK:
      return 'CONNECT → CONNACK';
    case PacketType.SUBACK:
      return 'SUBSCRIBE → SUBACK';
    case PacketType.UNSUBACK:
      return 'UNSUBSCRIBE → UNSUBACK';
    case PacketType.PINGRESP:
      return 'PINGREQ → PINGRESP';
    case PacketType.PUBACK:
      return isByClient ? 'PUBLISH → PUBACK, out' : 'PUBLISH → PUBACK, in';
    case PacketType.PUBREC:
      return isByClient ? 'PUBLISH → PUBREC, out' : 'PUBLISH → PUBREC, in';
    case PacketType.PUBREL:
      return isByClient ? 'PUBREC → PUBREL, in' : 'PUBREC → PUBREL, out';
    case PacketType.PUBCOMP:
      return isByClient ? 'PUBREL → PUBCOMP, out' : 'PUBREL → PUBCOMP, in';
    default:
      return undefined;
  }
}
