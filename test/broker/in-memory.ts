/**
 * A broker under a virtual clock, and clients that are joined to it in memory: nothing happens but what a test lets happen, and every
 * run is the same. The clients send the bytes they are told to and keep what comes back.
 */
import { VirtualClock } from '../../src/base/clock.ts';
import { type Broker, type CreateBrokerOptions, createBroker, type LogType } from '../../src/broker/index.ts';
import { type MemoryPairOptions, memoryPair } from '../../src/transport/memory.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { describePacket, PacketScanner, type ReadPacket, readPacket } from '../support/packet-reader.ts';
import { uniqueName } from '../support/raw-client.ts';
import {
  type Bytes,
  type ConnectFields,
  connect,
  type FilterOptions,
  join,
  puback,
  pubcomp,
  publish,
  publish5,
  pubrec,
  subscribe,
  type Version,
} from '../support/raw-packets.ts';

export interface LogLine {
  readonly type: LogType;
  readonly text: string;
}

export interface InMemoryOptions extends Omit<CreateBrokerOptions, 'clock' | 'log'> {
  /** Log types that are on. Default: all but `debug`, whose packet lines make every message go the general way. */
  readonly logTypes?: readonly LogType[];
}

export interface MemoryConnectFields extends ConnectFields {
  /** Position of the listener to come in through. Default 0. */
  readonly listener?: number;
  readonly transport?: Pick<MemoryPairOptions, 'highWaterMark' | 'split'>;
}

const quietTypes: readonly LogType[] = ['error', 'warning', 'notice', 'information', 'subscribe', 'unsubscribe'];

export class InMemoryBroker {
  readonly clock = new VirtualClock();
  readonly broker: Broker;
  readonly log: LogLine[] = [];

  constructor(options: InMemoryOptions = {}) {
    const { logTypes = quietTypes, ...others } = options;
    this.broker = createBroker({
      ...others,
      settings: { sysInterval: 0, ...others.settings },
      listeners: others.listeners ?? [{}],
      clock: this.clock,
      log: {
        isEnabled: (type) => logTypes.includes(type),
        write: (type, text) => {
          if (logTypes.includes(type)) this.log.push({ type, text });
        },
      },
    });
  }

  get counters() {
    return this.broker.counters;
  }

  /** What was logged with this type. */
  lines(type: LogType): string[] {
    return this.log.filter((line) => line.type === type).map((line) => line.text);
  }

  /** Lets everything happen that needs no time. */
  settle(): Promise<void> {
    return this.clock.advanceAsync(0);
  }

  /** Lets milliseconds pass. */
  pass(ms: number): Promise<void> {
    return this.clock.advanceAsync(ms);
  }

  /** A connection that has sent nothing yet. */
  open(fields: Pick<MemoryConnectFields, 'listener' | 'transport' | 'version'> = {}): MemoryClient {
    const [ours, theirs] = memoryPair(fields.transport);
    const listener = this.broker.listeners[fields.listener ?? 0];
    if (listener === undefined) this.broker.accept(theirs);
    else this.broker.accept(theirs, listener);
    return new MemoryClient(this, ours, fields.version ?? 5);
  }

  /** A client whose CONNECT was accepted. */
  async connect(fields: MemoryConnectFields = {}): Promise<MemoryClient> {
    const client = this.open(fields);
    client.clientIdentifier = fields.clientIdentifier ?? uniqueName('c');
    client.send(connect({ keepAlive: 0, ...fields, clientIdentifier: client.clientIdentifier }));
    client.connack = await client.first('CONNACK');
    if (client.connack.code !== 0) throw new Error(`refused with 0x${client.connack.code?.toString(16)}`);
    return client;
  }
}

export class MemoryClient {
  version: Version;
  clientIdentifier = '';
  connack: ReadPacket | undefined;
  isClosed = false;
  /** Bytes that have arrived. */
  received = 0;
  /** Called for each chunk before it is looked at. */
  onChunk: ((chunk: Bytes) => void) | undefined;
  readonly transport: Transport;
  readonly #net: InMemoryBroker;
  readonly #scanner = new PacketScanner();
  #packets: ReadPacket[] = [];
  #nextIdentifier = 1;

  constructor(net: InMemoryBroker, transport: Transport, version: Version) {
    this.#net = net;
    this.transport = transport;
    this.version = version;
    transport.start({
      data: (chunk) => {
        this.received += chunk.length;
        this.onChunk?.(chunk);
        for (const bytes of this.#scanner.push(chunk)) this.#packets.push(readPacket(bytes, this.version));
      },
      drain: () => {},
      close: () => {
        this.isClosed = true;
      },
    });
  }

  /** Sends bytes; texts are hexadecimal. */
  send(...parts: readonly (Bytes | string)[]): void {
    this.transport.write(join(...parts));
  }

  /** Lets everything happen, then gives all packets that have come. */
  async take(): Promise<ReadPacket[]> {
    await this.#net.settle();
    return this.packetsNow();
  }

  /** All packets that have come so far; nothing more happens. */
  packetsNow(): ReadPacket[] {
    const packets = this.#packets;
    this.#packets = [];
    return packets;
  }

  /** `take`, each packet as one short text without its first bytes. */
  async texts(): Promise<string[]> {
    return (await this.take()).map(text);
  }

  /** The payloads of the PUBLISH packets that have come; anything else is an error. */
  async payloads(): Promise<string[]> {
    return (await this.take()).map((packet) => {
      if (packet.name !== 'PUBLISH') throw new Error(`expected PUBLISH only, got ${describePacket(packet)}`);
      return `${packet.payload}`;
    });
  }

  /** The only packet that has come must be of this type. */
  async expect(name: ReadPacket['name']): Promise<ReadPacket> {
    const packets = await this.take();
    const [packet] = packets;
    if (packets.length !== 1 || packet?.name !== name) {
      throw new Error(`expected one ${name}, got [${packets.map(describePacket).join('; ')}]${this.#endText()}`);
    }
    return packet;
  }

  /** The first packet that has come must be of this type; what came behind it stays. */
  async first(name: ReadPacket['name']): Promise<ReadPacket> {
    const [packet, ...others] = await this.take();
    if (packet?.name !== name) {
      throw new Error(`expected ${name}, got ${packet && describePacket(packet)}${this.#endText()}`);
    }
    this.#packets = others;
    return packet;
  }

  #endText(): string {
    return this.isClosed ? ' and the end' : '';
  }

  /** Subscribes and gives the Reason Codes. */
  async subscribe(...filters: readonly (string | FilterOptions)[]): Promise<readonly number[]> {
    const list = filters.map((one): FilterOptions => (typeof one === 'string' ? [one, 0] : one));
    this.send(subscribe(this.identifier(), list, this.version === 5 ? [] : undefined));
    const packets = await this.take();
    const suback = packets.find((packet) => packet.name === 'SUBACK');
    if (suback?.codes === undefined) throw new Error(`no SUBACK in [${packets.map(describePacket).join('; ')}]`);
    this.#packets = packets.filter((packet) => packet !== suback);
    return suback.codes;
  }

  /** Sends a PUBLISH in this client's version, with a Packet Identifier of its own. */
  publish(
    topic: string,
    payload: string | Bytes,
    fields: { qos?: number; retain?: boolean; properties?: readonly Bytes[] } = {},
  ): number {
    const id = (fields.qos ?? 0) === 0 ? 0 : this.identifier();
    this.send(
      this.version === 5 ? publish5(topic, payload, { ...fields, id }) : publish(topic, payload, { ...fields, id }),
    );
    return id;
  }

  /** A Packet Identifier not used before. */
  identifier(): number {
    return this.#nextIdentifier++;
  }

  /** Acknowledges every PUBLISH and PUBREL as soon as it comes, from now on. */
  acknowledgeAll(): void {
    const scanner = new PacketScanner();
    this.onChunk = (chunk) => {
      for (const bytes of scanner.push(chunk)) {
        const packet = readPacket(bytes, this.version);
        if (packet.name === 'PUBLISH' && packet.qos === 1) this.send(puback(packet.id as number));
        if (packet.name === 'PUBLISH' && packet.qos === 2) this.send(pubrec(packet.id as number));
        if (packet.name === 'PUBREL') this.send(pubcomp(packet.id as number));
      }
    };
  }

  /** Loses the connection without a word. */
  async drop(): Promise<void> {
    this.transport.destroy();
    await this.#net.settle();
  }
}

/** A packet as one short text, without the bytes of its fixed header. */
export function text(packet: ReadPacket): string {
  return describePacket(packet).replace(/^([0-9a-f]{2} )+/, '');
}
