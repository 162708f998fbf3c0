/**
 * Mutated packets to a running broker, several connections at a time, while a well-behaved client goes on asking. The broker must
 * answer that client, close what it is told to close, and (unless told otherwise) send nothing but packets that can be decoded.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { decodePacket, encodedBytes, type Packet, PacketFramer } from '../../src/codec/index.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import type { ProtocolVersion } from '../../src/protocol/version.ts';
import { validVectors, vectors } from '../codec/vectors.ts';
import { cutAnywhere, joined, mutatedPacket, SeededRandom } from './mutate.ts';

export interface BrokerFuzzOptions {
  readonly host: string;
  readonly port: number;
  /** A 32-bit number. */
  readonly seed: number;
  /** How many mutated packets. */
  readonly packets: number;
  /** Connections at the same time. Default 8. */
  readonly connections?: number;
  /** How long the broker may take for any one thing. Default 30,000 ms. */
  readonly patienceMs?: number;
  /** Whether everything the broker sends must be decodable. Other brokers are known to answer 3.1 loosely. Default true. */
  readonly judgesAnswers?: boolean;
  /** Called with the number of packets so far after every check. */
  readonly onProgress?: (packets: number) => void;
}

export interface BrokerFuzzReport {
  readonly packets: number;
  readonly connections: number;
  /** How many of these connections the broker ended before we did. */
  readonly closedByBroker: number;
  /** Packets the broker sent to them; 0 if they are not judged. */
  readonly answers: number;
  /** How many times the well-behaved client asked and was answered. */
  readonly checks: number;
}

/** After this many connections the well-behaved client asks again. */
const connectionsPerCheck = 50;
/** A client that waits for an answer of a broker which has none to give, such as one that waits for the rest of a packet. */
const quietMs = 20;

function within<T>(promise: Promise<T>, patienceMs: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${patienceMs} ms for ${what}`)), patienceMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

function open(host: string, port: number, patienceMs: number): Promise<Socket> {
  const opened = new Promise<Socket>((resolve, reject) => {
    const socket = connectSocket(port, host);
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      // A reset is an answer, too.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
  return within(opened, patienceMs, 'a connection');
}

function connectBytes(clientIdentifier: string, protocolVersion: ProtocolVersion, cleanStart: boolean): Uint8Array {
  return encodedBytes(
    {
      type: PacketType.CONNECT,
      protocolVersion,
      isBridge: false,
      cleanStart,
      keepAlive: 0,
      clientIdentifier,
      willMessage: undefined,
      username: undefined,
      password: undefined,
      properties: undefined,
    },
    protocolVersion,
  );
}

/** A client as it should be: it asks, and what it publishes comes back to it. */
class WellBehaved {
  private readonly socket: Socket;
  private readonly patienceMs: number;
  private readonly framer = new PacketFramer();
  private readonly topicName: string;
  private expected: { matches: (packet: Packet) => boolean; resolve: () => void } | undefined;
  private hasEnded = false;
  checks = 0;

  private constructor(socket: Socket, patienceMs: number, name: string) {
    this.socket = socket;
    this.patienceMs = patienceMs;
    this.topicName = `${name}/echo`;
    socket.on('close', () => {
      this.hasEnded = true;
    });
    socket.on('data', (chunk) => {
      this.framer.push(chunk);
      while (this.framer.next()) {
        const { bytes, packetStart, bodyStart, end } = this.framer;
        const packet = decodePacket(bytes, packetStart, bodyStart, end, 4);
        if (this.expected?.matches(packet)) this.expected.resolve();
      }
    });
  }

  static async open({ host, port, seed }: BrokerFuzzOptions, patienceMs: number): Promise<WellBehaved> {
    const name = `fuzz-watcher-${process.pid}-${seed}`;
    const client = new WellBehaved(await open(host, port, patienceMs), patienceMs, name);
    await client.ask(connectBytes(name, 4, true), 'CONNACK', ({ type }) => type === PacketType.CONNACK);
    const subscribe = encodedBytes(
      {
        type: PacketType.SUBSCRIBE,
        packetIdentifier: 1,
        subscriptions: [
          { topicFilter: client.topicName, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 },
        ],
        properties: undefined,
      },
      4,
    );
    await client.ask(subscribe, 'SUBACK', ({ type }) => type === PacketType.SUBACK);
    return client;
  }

  private async ask(bytes: Uint8Array, what: string, matches: (packet: Packet) => boolean): Promise<void> {
    if (this.hasEnded) throw new Error('the broker has ended the connection of the well-behaved client');
    const answered = new Promise<void>((resolve) => {
      this.expected = { matches, resolve };
    });
    this.socket.write(bytes);
    await within(answered, this.patienceMs, `${what} for the well-behaved client`);
    this.expected = undefined;
  }

  async check(): Promise<void> {
    this.checks++;
    const ping = encodedBytes({ type: PacketType.PINGREQ }, 4);
    await this.ask(ping, 'PINGRESP', ({ type }) => type === PacketType.PINGRESP);
    const payload = Uint8Array.from(String(this.checks), (digit) => digit.charCodeAt(0));
    const publish: Packet = {
      type: PacketType.PUBLISH,
      topicName: this.topicName,
      payload,
      qos: 0,
      retain: false,
      dup: false,
      packetIdentifier: 0,
      properties: undefined,
    };
    await this.ask(
      encodedBytes(publish, 4),
      'its own message',
      (packet) => packet.type === PacketType.PUBLISH && packet.payload.join() === payload.join(),
    );
  }

  close(): void {
    this.socket.destroy();
  }
}

/** What a client sends once it is connected. */
const clientTypes: readonly number[] = [
  PacketType.PUBLISH,
  PacketType.PUBLISH,
  PacketType.PUBACK,
  PacketType.PUBREC,
  PacketType.PUBREL,
  PacketType.PUBCOMP,
  PacketType.SUBSCRIBE,
  PacketType.UNSUBSCRIBE,
  PacketType.PINGREQ,
];

interface Seeds {
  /** Everything, right and wrong, of both directions. */
  readonly all: readonly Uint8Array[];
  readonly connects: readonly Uint8Array[];
  /** Right packets of `clientTypes`, by type. */
  readonly byType: ReadonlyMap<number, readonly Uint8Array[]>;
}

const seedsByVersion = new Map<ProtocolVersion, Seeds>();
for (const version of [3, 4, 5] as const) {
  const ofType = (type: number) => {
    return validVectors
      .filter((vector) => vector.version === version && vector.packet.type === type)
      .map((vector) => vector.bytes);
  };
  seedsByVersion.set(version, {
    all: vectors.filter((vector) => vector.version === version).map((vector) => vector.bytes),
    connects: ofType(PacketType.CONNECT),
    byType: new Map(clientTypes.map((type) => [type, ofType(type)])),
  });
}

/** One connection with some mutated packets; all it does follows from `random`. */
async function attack(
  random: SeededRandom,
  { host, port, judgesAnswers = true }: BrokerFuzzOptions,
  patienceMs: number,
  packetCount: number,
): Promise<{ answers: number; closedByBroker: boolean }> {
  const socket = await open(host, port, patienceMs);
  const version = random.pick([3, 4, 5, 5] as const);
  const { all, connects, byType } = seedsByVersion.get(version)!;
  const parts: Uint8Array[] = [];
  const isProper = !random.once(5);
  // A few identifiers for all, so that sessions are resumed and taken over.
  if (isProper) parts.push(connectBytes(`fuzz-${random.below(40)}`, version, random.once(2)));
  else if (random.once(2)) parts.push(mutatedPacket(random, connects));
  for (let count = 0; count < packetCount; count++) {
    // Right packets between the others bring the session into states in which these can do harm.
    while (random.once(2)) parts.push(random.pick(byType.get(random.pick(clientTypes))!));
    parts.push(mutatedPacket(random, random.once(6) ? all : byType.get(random.pick(clientTypes))!));
  }
  const chunks = cutAnywhere(random, joined(parts));
  const ending = random.pick(['end', 'end', 'reset', 'wait'] as const);
  const isReading = !random.once(10);

  let answers = 0;
  let fault: unknown;
  let closedByBroker = false;
  const framer = new PacketFramer();
  framer.version = version;
  if (isReading) {
    socket.on('data', (chunk) => {
      if (!isProper || !judgesAnswers || fault !== undefined) return;
      try {
        framer.push(chunk);
        while (framer.next()) {
          decodePacket(framer.bytes, framer.packetStart, framer.bodyStart, framer.end, version);
          answers++;
        }
      } catch (error) {
        fault = new Error(`the broker sent what cannot be decoded: ${Buffer.from(chunk).toString('hex')}`, {
          cause: error,
        });
        socket.destroy();
      }
    });
    socket.on('end', () => {
      closedByBroker = true;
    });
  }
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
  });
  for (const [index, chunk] of chunks.entries()) {
    if (socket.destroyed || !socket.writable) break;
    socket.write(chunk);
    // Lets the broker see the pieces apart now and then.
    if (index % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
  }
  if (ending === 'wait') await new Promise((resolve) => setTimeout(resolve, quietMs));
  if (ending === 'reset' || !isReading) socket.resetAndDestroy();
  else socket.end();
  try {
    await within(closed, patienceMs, 'the broker to close a connection that its client has ended');
  } finally {
    socket.destroy();
  }
  if (fault !== undefined) throw fault;
  return { answers, closedByBroker };
}

/** @throws {Error} naming the seed and the connections since the last answer, when the broker is not as it should be */
export async function fuzzBroker(options: BrokerFuzzOptions): Promise<BrokerFuzzReport> {
  const patienceMs = options.patienceMs ?? 30_000;
  const workers = options.connections ?? 8;
  const watcher = await WellBehaved.open(options, patienceMs);
  const counts = new SeededRandom(options.seed);
  let packets = 0;
  let connections = 0;
  let closedByBroker = 0;
  let answers = 0;
  try {
    while (packets < options.packets) {
      const first = connections;
      const jobs: { index: number; packetCount: number }[] = [];
      while (jobs.length < connectionsPerCheck && packets < options.packets) {
        const packetCount = Math.min(1 + counts.below(8), options.packets - packets);
        jobs.push({ index: connections++, packetCount });
        packets += packetCount;
      }
      const work = async () => {
        for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
          // Each connection has numbers of its own, so that it is the same however the others get on.
          const random = new SeededRandom(Math.imul(options.seed ^ job.index, 0x9e3779b1) + job.index);
          const outcome = await attack(random, options, patienceMs, job.packetCount);
          answers += outcome.answers;
          if (outcome.closedByBroker) closedByBroker++;
        }
      };
      try {
        await Promise.all(Array.from({ length: workers }, work));
        await watcher.check();
      } catch (error) {
        throw new Error(`seed ${options.seed}, connections ${first}–${connections - 1}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      options.onProgress?.(packets);
    }
  } finally {
    watcher.close();
  }
  return { packets, connections, closedByBroker, answers, checks: watcher.checks };
}
