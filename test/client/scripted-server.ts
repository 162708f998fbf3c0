/**
 * The other end of a client in a test: it does nothing by itself, hands over what the client sends packet by packet, and sends what
 * the test tells it to. Over memory, so that no test depends on a network.
 */
import { ByteWriter } from '../../src/base/byte-writer.ts';
import type { Clock } from '../../src/base/clock.ts';
import { openClient } from '../../src/client/client.ts';
import type { Client, ConnectOptions } from '../../src/client/types.ts';
import { decodePacket, encodePacket, type Packet, PacketFramer } from '../../src/codec/index.ts';
import type { ConnackPacket, ConnectPacket, PublishPacket } from '../../src/codec/packets.ts';
import { PacketType, type PacketTypeName } from '../../src/protocol/packet-types.ts';
import type { PropertiesOf } from '../../src/protocol/properties.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import type { QoS } from '../../src/protocol/version.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Transport } from '../../src/transport/transport.ts';

type PacketOf<N extends PacketTypeName> = Extract<Packet, { type: (typeof PacketType)[N] }>;

const typeName = (type: number): string =>
  Object.entries(PacketType).find(([, value]) => value === type)?.[0] ?? String(type);

/** One connection of the client's. */
export class ServerSide {
  readonly transport: Transport;
  /** Packets that came and were not taken yet. */
  readonly unread: Packet[] = [];
  connectPacket: ConnectPacket | undefined;
  isClosed = false;
  readonly #framer = new PacketFramer();
  #waiting: (() => void)[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
    transport.start({
      data: (chunk) => {
        this.#framer.push(chunk);
        while (this.#framer.next()) {
          const { bytes, packetStart, bodyStart, end } = this.#framer;
          const packet = decodePacket(bytes, packetStart, bodyStart, end, this.version);
          if (packet.type === PacketType.CONNECT) this.connectPacket = packet;
          this.unread.push(packet);
        }
        this.#changed();
      },
      drain: () => {},
      close: () => {
        this.isClosed = true;
        this.#changed();
      },
    });
  }

  get version(): 3 | 4 | 5 {
    return this.connectPacket?.protocolVersion ?? 5;
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The next packet, which must be of this type. */
  async take<N extends PacketTypeName>(name: N): Promise<PacketOf<N>> {
    await this.until(() => this.unread.length > 0 || this.isClosed);
    const packet = this.unread.shift();
    if (packet === undefined) throw new Error(`the client closed; expected ${name}`);
    if (packet.type !== PacketType[name]) throw new Error(`${typeName(packet.type)} came; expected ${name}`);
    return packet as PacketOf<N>;
  }

  send(...packets: Packet[]): void {
    const writer = new ByteWriter();
    for (const packet of packets) encodePacket(writer, packet, this.version);
    this.transport.write(writer.toBytes());
  }

  /** Takes CONNECT and accepts it. */
  async accept(properties?: PropertiesOf<'CONNACK'>, sessionPresent = false): Promise<ConnectPacket> {
    const packet = await this.take('CONNECT');
    this.send(connack(properties, sessionPresent));
    return packet;
  }

  /** Takes SUBSCRIBE and grants what it asks for. */
  async grant(): Promise<PacketOf<'SUBSCRIBE'>> {
    const packet = await this.take('SUBSCRIBE');
    this.send({
      type: PacketType.SUBACK,
      packetIdentifier: packet.packetIdentifier,
      reasonCodes: packet.subscriptions.map(({ qos }) => qos),
      properties: undefined,
    });
    return packet;
  }

  acknowledge(
    name: 'PUBACK' | 'PUBREC' | 'PUBREL' | 'PUBCOMP',
    packetIdentifier: number,
    reasonCode: ReasonCode = ReasonCode.success,
  ): void {
    this.send({ type: PacketType[name], packetIdentifier, reasonCode, properties: undefined });
  }

  /** Drops the connection as a crash would. */
  cut(): void {
    this.transport.destroy();
  }
}

export const connack = (properties?: PropertiesOf<'CONNACK'>, sessionPresent = false): ConnackPacket => ({
  type: PacketType.CONNACK,
  sessionPresent,
  reasonCode: ReasonCode.success,
  properties,
});

export interface PublishFields {
  readonly qos?: QoS;
  readonly id?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly properties?: PropertiesOf<'PUBLISH'>;
}

export const publish = (topicName: string, payload: string, fields: PublishFields = {}): PublishPacket => ({
  type: PacketType.PUBLISH,
  topicName,
  payload: new TextEncoder().encode(payload),
  qos: fields.qos ?? 0,
  retain: fields.retain ?? false,
  dup: fields.dup ?? false,
  packetIdentifier: fields.id ?? 0,
  properties: fields.properties,
});

export const textOf = (packet: PublishPacket): string => new TextDecoder().decode(packet.payload);

/** Where a test's client connects to. */
export class ScriptedServer {
  readonly connections: ServerSide[] = [];
  #waiting: (() => void)[] = [];
  /** Set to make the next attempts to connect fail. */
  failure: Error | undefined;

  readonly transport = async (): Promise<Transport> => {
    if (this.failure !== undefined) throw this.failure;
    const [near, far] = memoryPair();
    this.connections.push(new ServerSide(far));
    for (const resolve of this.#waiting.splice(0)) resolve();
    return near;
  };

  /** The n-th connection, counted from 1, as soon as it is made. */
  async connection(count: number): Promise<ServerSide> {
    while (this.connections.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.connections[count - 1]!;
  }

  /** Starts a client; it connects as soon as the test accepts. */
  start(options: ConnectOptions = {}, clock?: Clock): Promise<Client> {
    const surroundings = {
      dial: () => Promise.reject(new Error('no dialling in this test')),
      random: () => 0.5,
      ...(clock !== undefined && { clock }),
    };
    const defaults: ConnectOptions = { reconnect: { firstDelayMs: 1, lastDelayMs: 5 }, transport: this.transport };
    return openClient('mqtt://scripted.test', { ...defaults, ...options }, surroundings);
  }

  /** A client that is connected, and the server's end of its connection. */
  async connected(
    options: ConnectOptions = {},
    properties?: PropertiesOf<'CONNACK'>,
    clock?: Clock,
  ): Promise<{ client: Client; side: ServerSide }> {
    const starting = this.start(options, clock);
    const side = await this.connection(1);
    await side.accept(properties);
    return { client: await starting, side };
  }
}

/** Lets everything that can happen now happen. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
