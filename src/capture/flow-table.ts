/**
 * Finds the connection that a segment belongs to, by its two addresses and ports.
 *
 * A table of buckets by hash, of which each direction of a connection gives the same; connections of one bucket are linked. The one found last for these ports, or
 * others like them, is looked at first. Numbers are given as Wireshark gives `tcp.stream`: in order of appearance, and a SYN that begins another
 * connection between the same ports makes a new one.
 *
 * Memory is bounded: of open and of closed connections only so many are kept, those used longest ago go first. Should one that was forgotten go on,
 * it is a new connection.
 */
import { AgeList } from './age-list.ts';
import type { Direction, Endpoint } from './flow.ts';
import type { FrameHeaders } from './frame-headers.ts';
import { SentBudget } from './segment-history.ts';
import { sequenceDistance } from './sequence.ts';
import { HeldBudget } from './stream-assembler.ts';
import { tcpFlags } from './tcp-flags.ts';
import { TcpFlow } from './tcp-flow.ts';

/** Connections that are remembered while they are open. */
export const openFlowsMax = 32_768;
/** Connections that are remembered after FIN or RST, for what still comes of them. */
export const closedFlowsMax = 4096;

/** Ports that servers of MQTT and of what carries it listen at: who sends from one is the server where no SYN tells. */
const serverPorts = new Set([1883, 8883, 1884, 8884, 80, 443, 8080, 8081, 8083, 8084, 8443, 9001, 14567]);

const bucketsMin = 1024;
/** A power of two. */
const recentCount = 1024;

export interface FlowTableLimits {
  /** Default `openFlowsMax`. */
  readonly openFlowsMax?: number;
  /** Default `closedFlowsMax`. */
  readonly closedFlowsMax?: number;
}

export class FlowTable {
  /** Of the segment that `find` was asked for last. */
  direction: Direction = 0;
  /** Whether that segment began another connection between the ports of one that was known. */
  isPortReused = false;

  #lookups = 0;
  /** A connection is made the newest of its list once in so many lookups: the order of thousands need not be exact to a few. */
  readonly #touchInterval: number;
  readonly #openMax: number;
  readonly #closedMax: number;
  readonly #open = new AgeList<TcpFlow>();
  readonly #closed = new AgeList<TcpFlow>();
  readonly #sent = new SentBudget();
  readonly #held = new HeldBudget();
  /** Added to every hash, so that nobody can make a capture whose connections all share a bucket. */
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  #buckets: (TcpFlow | undefined)[] = new Array(bucketsMin).fill(undefined);
  /** What was found last, by the sum of the ports. */
  readonly #recent: (TcpFlow | undefined)[] = new Array(recentCount).fill(undefined);
  #count = 0;

  constructor(limits: FlowTableLimits = {}) {
    this.#openMax = limits.openFlowsMax ?? openFlowsMax;
    this.#closedMax = limits.closedFlowsMax ?? closedFlowsMax;
    this.#touchInterval = Math.max(1, Math.floor(Math.min(this.#openMax, this.#closedMax) / 16));
  }

  /** Connections that are remembered. */
  get size(): number {
    return this.#open.size + this.#closed.size;
  }

  /** Finds or makes the connection of a TCP segment, and sets `direction` and `isPortReused`. */
  find(headers: FrameHeaders): TcpFlow {
    this.isPortReused = false;
    const known = this.#lookUp(headers);
    if (known === undefined) return this.#make(headers);
    if ((headers.tcpFlags & (tcpFlags.syn | tcpFlags.ack)) === tcpFlags.syn && this.#isAnother(known, headers)) {
      this.#forget(known);
      this.isPortReused = true;
      return this.#make(headers);
    }
    if (++this.#lookups - known.touchedAt >= this.#touchInterval) {
      known.touchedAt = this.#lookups;
      (known.isClosed ? this.#closed : this.#open).touch(known);
    }
    return known;
  }

  /** Says that a connection has ended: it is forgotten sooner. */
  close(flow: TcpFlow): void {
    if (flow.isClosed) return;
    flow.isClosed = true;
    this.#open.remove(flow);
    this.#closed.add(flow);
    if (this.#closed.size > this.#closedMax) this.#forget(this.#closed.oldest!);
  }

  /** Whether a SYN is no repetition: it has another initial number. With the same one it is one, even behind FIN or RST, as Wireshark has it. */
  #isAnother(flow: TcpFlow, headers: FrameHeaders): boolean {
    const history = this.direction === 0 ? flow.clientHistory : flow.serverHistory;
    if (!history.hasBase) return false;
    return sequenceDistance(history.base, headers.sequence) !== 0;
  }

  #lookUp(headers: FrameHeaders): TcpFlow | undefined {
    const place = recentPlace(headers.sourcePort, headers.destinationPort);
    const recent = this.#recent[place];
    if (recent !== undefined && this.#matches(recent, headers)) return recent;
    const hash = this.#hashOf(headers);
    let flow = this.#buckets[hash & (this.#buckets.length - 1)];
    while (flow !== undefined) {
      if (flow.hash === hash && this.#matches(flow, headers)) {
        this.#recent[place] = flow;
        return flow;
      }
      flow = flow.nextInBucket;
    }
    return undefined;
  }

  /** Compares in both directions, and sets `direction` if one fits. */
  #matches(flow: TcpFlow, headers: FrameHeaders): boolean {
    const { client, server } = flow;
    const length = headers.ipVersion === 4 ? 4 : 16;
    if (client.address.length !== length) return false;
    const bytes = headers.frame.bytes;
    const at = headers.ipOffset + (length === 4 ? 12 : 8);
    if (
      headers.sourcePort === client.port &&
      headers.destinationPort === server.port &&
      sameBytes(client.address, bytes, at, length) &&
      sameBytes(server.address, bytes, at + length, length)
    ) {
      this.direction = 0;
      return true;
    }
    if (
      headers.sourcePort === server.port &&
      headers.destinationPort === client.port &&
      sameBytes(server.address, bytes, at, length) &&
      sameBytes(client.address, bytes, at + length, length)
    ) {
      this.direction = 1;
      return true;
    }
    return false;
  }

  #make(headers: FrameHeaders): TcpFlow {
    this.direction = isFromClient(headers) ? 0 : 1;
    const length = headers.ipVersion === 4 ? 4 : 16;
    const at = headers.ipOffset + (length === 4 ? 12 : 8);
    const bytes = headers.frame.bytes;
    const sender: Endpoint = { address: bytes.slice(at, at + length), port: headers.sourcePort };
    const receiver: Endpoint = {
      address: bytes.slice(at + length, at + 2 * length),
      port: headers.destinationPort,
    };
    const [client, server] = this.direction === 0 ? [sender, receiver] : [receiver, sender];
    const flow = new TcpFlow(this.#count++, this.#hashOf(headers), headers, client, server, this.#sent, this.#held);
    if (this.size >= this.#buckets.length) this.#grow();
    this.#insert(flow);
    this.#open.add(flow);
    this.#recent[recentPlace(client.port, server.port)] = flow;
    if (this.#open.size > this.#openMax) this.#forget(this.#open.oldest!);
    return flow;
  }

  #insert(flow: TcpFlow): void {
    const bucket = flow.hash & (this.#buckets.length - 1);
    flow.nextInBucket = this.#buckets[bucket];
    this.#buckets[bucket] = flow;
  }

  #grow(): void {
    const before = this.#buckets;
    this.#buckets = new Array(before.length * 2).fill(undefined);
    for (const first of before) {
      let flow = first;
      while (flow !== undefined) {
        const next: TcpFlow | undefined = flow.nextInBucket;
        this.#insert(flow);
        flow = next;
      }
    }
  }

  #forget(flow: TcpFlow): void {
    const bucket = flow.hash & (this.#buckets.length - 1);
    let previous: TcpFlow | undefined;
    let other = this.#buckets[bucket];
    while (other !== flow && other !== undefined) {
      previous = other;
      other = other.nextInBucket;
    }
    if (previous === undefined) this.#buckets[bucket] = flow.nextInBucket;
    else previous.nextInBucket = flow.nextInBucket;
    flow.nextInBucket = undefined;
    (flow.isClosed ? this.#closed : this.#open).remove(flow);
    const place = recentPlace(flow.client.port, flow.server.port);
    if (this.#recent[place] === flow) this.#recent[place] = undefined;
    flow.release();
  }

  /** The same for both directions: the sum of what each end gives. */
  #hashOf(headers: FrameHeaders): number {
    const bytes = headers.frame.bytes;
    const length = headers.ipVersion === 4 ? 4 : 16;
    const at = headers.ipOffset + (length === 4 ? 12 : 8);
    const sum =
      this.#hashEnd(bytes, at, length, headers.sourcePort) +
      this.#hashEnd(bytes, at + length, length, headers.destinationPort);
    const mixed = Math.imul(sum ^ (sum >>> 15), 0x2c1b3c6d);
    return mixed ^ (mixed >>> 13);
  }

  #hashEnd(bytes: Uint8Array, at: number, length: number, port: number): number {
    let hash = this.#seed ^ Math.imul(port, 0x1e35a7bd);
    for (let index = at; index < at + length; index += 4) {
      const word = (bytes[index]! << 24) | (bytes[index + 1]! << 16) | (bytes[index + 2]! << 8) | bytes[index + 3]!;
      hash = Math.imul(hash ^ word, 0x5bd1e995);
      hash ^= hash >>> 15;
    }
    return hash;
  }
}

/** SYN and SYN-ACK say who is who; else the port that is known for servers, else the lower one; else who is seen first is the client. */
function isFromClient(headers: FrameHeaders): boolean {
  if ((headers.tcpFlags & tcpFlags.syn) !== 0) return (headers.tcpFlags & tcpFlags.ack) === 0;
  const { sourcePort, destinationPort } = headers;
  const isFromServerPort = serverPorts.has(sourcePort);
  if (isFromServerPort !== serverPorts.has(destinationPort)) return !isFromServerPort;
  return sourcePort >= destinationPort;
}

/** The same for both directions. */
function recentPlace(port: number, otherPort: number): number {
  return (port + otherPort) & (recentCount - 1);
}

function sameBytes(address: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  for (let index = 0; index < length; index++) if (address[index] !== bytes[at + index]) return false;
  return true;
}
