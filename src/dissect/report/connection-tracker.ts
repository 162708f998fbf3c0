/**
 * Frames in; connections, and the packets of each, out. What a report needs of the past is told by those who listen:
 *
 *     const tracker = new ConnectionTracker([sessions, deliveries]);
 *     for (const frame of frames) tracker.next(dissector.next(frame), true);
 *     tracker.end();
 */
import { emptyBytes } from '../../base/bytes.ts';
import type { Endpoint, Flow } from '../../capture/flow.ts';
import { PacketType } from '../../protocol/packet-types.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { formatIpv4, formatIpv6 } from '../format-address.ts';
import { MqttPacket } from '../mqtt/packet.ts';
import { senderOf } from '../mqtt/senders.ts';
import { type ConnectionEnd, ConnectionRecord, endpointText, type FlowEnds } from './connection-record.ts';
import { type Moment, momentOf } from './moment.ts';
import { type ConnectContent, readConnack, readConnect, readDisconnectCode, wireLength } from './packet-contents.ts';

/** Who is told what happens. A packet comes after what it changes: a CONNECT when its connection has been opened. */
export interface ConnectionListener {
  /** The first frame of it that counts; nothing else may be known of it yet. */
  counted?(connection: ConnectionRecord): void;
  /** Its CONNECT, or else its first packet, was seen. */
  opened?(connection: ConnectionRecord): void;
  /** @param isCounted whether the frame is one of those that the report is about */
  packet?(packet: MqttPacket, connection: ConnectionRecord, moment: Moment, isCounted: boolean): void;
  /** Once per connection, with `endedAt` and `end` set; not for those that are open when the capture ends. */
  ended?(connection: ConnectionRecord): void;
}

/** Clients whose open connection is remembered, to see when it is taken over. */
const openClientsMax = 65_536;
/** Ports on which a TCP connection is one of MQTT, whatever it carries. */
const usualPorts: readonly number[] = [1883, 8883];

const flagFin = 1;
const flagReset = 4;

class FlowRecord {
  readonly ends: FlowEnds;
  readonly isSwapped: boolean;
  connection: ConnectionRecord;
  /** `ConnectionFacts.connection` of it; 0 before its first packet. */
  factsNumber = 0;

  constructor(ends: FlowEnds, isSwapped: boolean, connection: ConnectionRecord) {
    this.ends = ends;
    this.isSwapped = isSwapped;
    this.connection = connection;
  }
}

export class ConnectionTracker {
  readonly #listeners: readonly ConnectionListener[];
  readonly #flows = new WeakMap<Flow, FlowRecord>();
  /** By broker and Client Identifier. */
  readonly #open = new Map<string, ConnectionRecord>();
  #count = 0;

  constructor(listeners: readonly ConnectionListener[]) {
    this.#listeners = listeners;
  }

  /** Takes the next frame, whether it counts or not: what the others say is needed to understand it. */
  next(frame: DissectedFrame, isCounted: boolean): void {
    const { segment, layers, headers } = frame;
    if (segment === undefined) return;
    let record = this.#flows.get(segment.flow);
    if (record === undefined) {
      record = this.#begin(frame);
      if (record === undefined) return;
    }
    const moment = momentOf(frame);
    for (let index = 0; index < layers.length; index++) {
      const layer = layers[index]!;
      if (layer instanceof MqttPacket) this.#packet(record, layer, frame, moment, isCounted);
    }
    const { connection } = record;
    connection.last = moment;
    if (isCounted && !connection.isCounted) this.#noteCounted(connection);
    const { tcpFlags } = headers;
    if ((tcpFlags & (flagFin | flagReset)) !== 0 && connection.endedAt === undefined) {
      const isByClient = (segment.direction === 0) !== record.isSwapped;
      this.#end(connection, (tcpFlags & flagReset) !== 0 ? 'RST' : 'FIN', isByClient ? 'client' : 'broker', moment);
    }
  }

  /** The connection that a frame belongs to, as it is after the frame; undefined if it has nothing to do with MQTT. */
  connectionOf({ segment }: DissectedFrame): ConnectionRecord | undefined {
    return segment === undefined ? undefined : this.#flows.get(segment.flow)?.connection;
  }

  /** A connection that carries MQTT, or should; undefined if this frame does not say so. */
  #begin(frame: DissectedFrame): FlowRecord | undefined {
    const { flow, direction, sinceFirstNs } = frame.segment!;
    const packet = frame.layers.find((layer) => layer instanceof MqttPacket);
    if (packet === undefined && !usualPorts.includes(flow.server.port)) return undefined;
    const sender = packet === undefined ? 'either' : senderOf(packet.packetType);
    const isSwapped = sender !== 'either' && (sender === 'client') !== (direction === 0);
    const ends = endsOf(flow, isSwapped);
    const first = { frame: frame.frame.number, ns: frame.sinceFirstNs - sinceFirstNs };
    const record = new FlowRecord(ends, isSwapped, this.#make(ends, first));
    this.#flows.set(flow, record);
    return record;
  }

  #make(ends: FlowEnds, first: Moment): ConnectionRecord {
    return new ConnectionRecord(ends, ++this.#count, first);
  }

  #noteCounted(connection: ConnectionRecord): void {
    connection.isCounted = true;
    for (const listener of this.#listeners) listener.counted?.(connection);
  }

  #packet(flow: FlowRecord, packet: MqttPacket, frame: DissectedFrame, moment: Moment, isCounted: boolean): void {
    const { facts, packetType } = packet;
    let { connection } = flow;
    const isConnect = packetType === PacketType.CONNECT;
    if (flow.factsNumber !== facts.connection) {
      if (flow.factsNumber !== 0) {
        // A second CONNECT on the same TCP connection.
        if (connection.endedAt === undefined) this.#end(connection, 'replaced', 'client', moment);
        connection = this.#make(flow.ends, moment);
        flow.connection = connection;
      }
      flow.factsNumber = facts.connection;
      connection.carrier = carrierOf(frame);
      if (!isConnect) this.#tellOpened(connection, packet);
    }
    connection.last = moment;
    if (packet.version !== 0) connection.version = packet.version;
    connection.clientIdentifier = facts.clientIdentifier;
    if (isConnect) {
      connection.connectedAt = moment;
      connection.connect = readConnect(packet);
      this.#meetRival(connection);
      this.#tellOpened(connection, packet);
    } else if (packetType === PacketType.CONNACK) this.#connack(connection, packet, moment);
    if (isCounted) {
      if (!connection.isCounted) this.#noteCounted(connection);
      count(connection, packet);
    }
    for (const listener of this.#listeners) listener.packet?.(packet, connection, moment, isCounted);
    if (isConnect) connection.connect = withoutPayload(connection.connect);
    else if (packetType === PacketType.DISCONNECT) this.#disconnect(connection, packet, moment);
  }

  #tellOpened(connection: ConnectionRecord, packet: MqttPacket): void {
    connection.clientIdentifier = packet.facts.clientIdentifier;
    for (const listener of this.#listeners) listener.opened?.(connection);
  }

  #connack(connection: ConnectionRecord, packet: MqttPacket, moment: Moment): void {
    if (connection.connack !== undefined) return;
    connection.connack = readConnack(packet);
    connection.answeredAt = moment;
    if (connection.isRefused) return;
    const key = clientKey(connection);
    if (key === undefined) return;
    const former = this.#open.get(key);
    if (former !== undefined && former !== connection && former.endedAt === undefined) {
      this.#end(former, 'taken over', 'broker', moment);
    }
    this.#open.delete(key);
    this.#open.set(key, connection);
    if (this.#open.size > openClientsMax) {
      for (const oldest of this.#open.keys()) {
        this.#open.delete(oldest);
        break;
      }
    }
  }

  /** Notes that the client connects while an earlier connection of it is open: if that ends now, it was taken over. */
  #meetRival(connection: ConnectionRecord): void {
    const key = clientKey(connection);
    const former = key === undefined ? undefined : this.#open.get(key);
    if (former !== undefined && former.endedAt === undefined) former.rival = connection;
  }

  #disconnect(connection: ConnectionRecord, packet: MqttPacket, moment: Moment): void {
    if (connection.endedAt !== undefined) return;
    connection.disconnectCode = readDisconnectCode(packet);
    if (packet.isByClient) connection.isWillDropped = connection.disconnectCode === 0;
    this.#end(connection, 'DISCONNECT', packet.isByClient ? 'client' : 'broker', moment);
  }

  #end(connection: ConnectionRecord, end: ConnectionEnd, endedBy: 'client' | 'broker', moment: Moment): void {
    const isTakenOver = endedBy === 'broker' && connection.rival !== undefined && !connection.rival.isRefused;
    connection.end = isTakenOver ? 'taken over' : end;
    connection.endedBy = endedBy;
    connection.endedAt = moment;
    const key = clientKey(connection);
    if (key !== undefined && this.#open.get(key) === connection) this.#open.delete(key);
    for (const listener of this.#listeners) listener.ended?.(connection);
  }
}

/** The bytes of a will are a view, which would hold on to the bytes of the capture around them. */
function withoutPayload(connect: ConnectContent | undefined): ConnectContent | undefined {
  if (connect?.will === undefined) return connect;
  return { ...connect, will: { ...connect.will, payload: emptyBytes } };
}

function count(connection: ConnectionRecord, packet: MqttPacket): void {
  const isPublish = packet.packetType === PacketType.PUBLISH;
  if (packet.isByClient) {
    connection.packetsIn++;
    connection.bytesIn += wireLength(packet);
    if (isPublish) connection.publishesIn++;
  } else {
    connection.packetsOut++;
    connection.bytesOut += wireLength(packet);
    if (isPublish) connection.publishesOut++;
  }
}

function clientKey({ ends, clientIdentifier }: ConnectionRecord): string | undefined {
  return clientIdentifier === '' ? undefined : `${ends.brokerKey} ${clientIdentifier}`;
}

function endsOf({ index, client, server }: Flow, isSwapped: boolean): FlowEnds {
  const [near, far] = isSwapped ? [server, client] : [client, server];
  const brokerAddress = addressText(far);
  const isLoopback = brokerAddress === '::1' || (far.address.length === 4 && far.address[0] === 127);
  return {
    stream: index,
    clientAddress: addressText(near),
    clientPort: near.port,
    brokerAddress,
    brokerPort: far.port,
    brokerKey: endpointText(isLoopback ? 'loopback' : brokerAddress, far.port),
  };
}

function addressText({ address }: Endpoint): string {
  if (address.length !== 4) return formatIpv6(address);
  return formatIpv4(((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0);
}

/** What MQTT lies in: `tcp`, `tls`, `websocket`, `tls websocket`. */
function carrierOf({ layers }: DissectedFrame): string {
  let text = '';
  for (const { protocol } of layers) {
    if (protocol.name !== 'tls' && protocol.name !== 'websocket') continue;
    if (!text.includes(protocol.name)) text += text === '' ? protocol.name : ` ${protocol.name}`;
  }
  return text === '' ? 'tcp' : text;
}
