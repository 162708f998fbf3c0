/**
 * A client that does nothing by itself: it sends the bytes it is told to and hands over the packets that come back, one by
 * one. What a test does not expect is an error.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { describePacket, PacketScanner, type ReadPacket, readPacket } from './packet-reader.ts';
import {
  type Bytes,
  type ConnectFields,
  connect,
  join,
  pingreq,
  puback,
  pubcomp,
  pubrec,
  pubrel,
  toHex,
  type Version,
} from './raw-packets.ts';
import { defaultPatienceMs } from './until.ts';

/** How a connection ended: by an orderly FIN, or by a reset. */
export type Ending = 'fin' | 'reset';

const clients = new Set<RawClient>();
/** Drops every connection that a test of this file left open. */
export function destroyRawClients(): void {
  for (const client of clients) client.destroy();
}

let nextName = 1;
/** A text that no other test uses, for client identifiers and topics. */
export function uniqueName(prefix: string): string {
  return `${prefix}${process.pid.toString(36)}x${(nextName++).toString(36)}`;
}

export class RawClient {
  readonly socket: Socket;
  /** The protocol version its packets are read by; `openClient` sets it. */
  version: Version = 5;
  clientIdentifier = '';
  readonly #scanner = new PacketScanner();
  readonly #packets: Bytes[] = [];
  readonly #waiting: (() => void)[] = [];
  #ending: Ending | undefined;
  #received = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    clients.add(this);
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.#received += chunk.length;
      this.#packets.push(...this.#scanner.push(chunk));
      this.#wake();
    });
    socket.on('error', () => this.#end('reset'));
    socket.on('end', () => this.#end('fin'));
    socket.on('close', () => this.#end('fin'));
  }

  /** Opens a connection and sends nothing. */
  static open(target: number | string): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = typeof target === 'number' ? connectSocket(target, '127.0.0.1') : connectSocket(target);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  #wake() {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #end(ending: Ending) {
    this.#ending ??= ending;
    clients.delete(this);
    this.#wake();
  }

  /** Bytes received so far. */
  get received(): number {
    return this.#received;
  }

  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Sends bytes; texts are hexadecimal. */
  send(...parts: readonly (Bytes | string)[]): void {
    this.socket.write(join(...parts));
  }

  /** Resolves at a change (data or the end), or rejects when patience is over. */
  #change(deadline: number, what: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          const index = this.#waiting.indexOf(wake);
          if (index >= 0) this.#waiting.splice(index, 1);
          reject(new Error(`nothing came; expected ${what()}; incomplete bytes: [${toHex(this.#scanner.rest)}]`));
        },
        Math.max(0, deadline - performance.now()),
      );
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push(wake);
    });
  }

  /** The next packet, or undefined if the connection ended first. */
  async nextOrEnd(patienceMs: number = defaultPatienceMs, what = () => 'a packet'): Promise<ReadPacket | undefined> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const bytes = this.#packets.shift();
      if (bytes) return readPacket(bytes, this.version);
      if (this.#ending) return undefined;
      await this.#change(deadline, what);
    }
  }

  /** The next packet. */
  async next(patienceMs?: number, what = () => 'a packet'): Promise<ReadPacket> {
    const packet = await this.nextOrEnd(patienceMs, what);
    if (!packet) throw new Error(`the connection ended (${this.#ending}); expected ${what()}`);
    return packet;
  }

  /** The next packet, which must be of this type. */
  async expect(name: ReadPacket['name'], patienceMs?: number): Promise<ReadPacket> {
    const packet = await this.next(patienceMs, () => name);
    if (packet.name !== name) throw new Error(`expected ${name}, got ${describePacket(packet)}`);
    return packet;
  }

  /** The next packets must be exactly these bytes. */
  async expectBytes(...parts: readonly (Bytes | string)[]): Promise<void> {
    const expected = join(...parts);
    let got: Bytes = new Uint8Array();
    while (got.length < expected.length) {
      const packet = await this.next(undefined, () => `[${toHex(expected)}] after [${toHex(got)}]`);
      got = join(got, packet.bytes);
    }
    if (toHex(got) !== toHex(expected)) throw new Error(`expected [${toHex(expected)}]\n     got [${toHex(got)}]`);
  }

  /** The connection must end now, without another packet. */
  async expectClosed(patienceMs?: number): Promise<Ending> {
    const packet = await this.nextOrEnd(patienceMs, () => 'the end of the connection');
    if (packet) throw new Error(`expected the end of the connection, got ${describePacket(packet)}`);
    return this.#ending as Ending;
  }

  /** MQTT 5: a DISCONNECT with one of these Reason Codes, then the end. Earlier versions: the end. */
  async expectRefusal(...reasonCodes: readonly number[]): Promise<void> {
    if (this.version === 5) {
      const packet = await this.expect('DISCONNECT');
      if (!reasonCodes.includes(packet.code ?? 0)) {
        throw new Error(
          `expected DISCONNECT with ${reasonCodes.map(hexCode).join(' or ')}, got ${hexCode(packet.code)}`,
        );
      }
    }
    await this.expectClosed();
  }

  /**
   * Nothing may be under way to this client: sends PINGREQ, and the very next packet must be its PINGRESP. What another
   * client did before has been dealt with once that client has its acknowledgement.
   */
  async expectNothing(): Promise<void> {
    this.send(pingreq);
    const packet = await this.next(undefined, () => 'PINGRESP');
    if (packet.name !== 'PINGRESP') throw new Error(`expected nothing, got ${describePacket(packet)}`);
  }

  /** Waits until the server has dealt with all that was sent; returns what came before the PINGRESP. */
  async collect(): Promise<ReadPacket[]> {
    this.send(pingreq);
    const packets: ReadPacket[] = [];
    for (;;) {
      const packet = await this.next(undefined, () => 'PINGRESP');
      if (packet.name === 'PINGRESP') return packets;
      packets.push(packet);
    }
  }

  /** The next packet, a PUBLISH, which is acknowledged as its QoS wants it; other PUBLISH packets may come meanwhile. */
  async receive(patienceMs?: number): Promise<ReadPacket> {
    const packet = await this.expect('PUBLISH', patienceMs);
    const id = packet.id as number;
    if (packet.qos === 1) this.send(puback(id));
    if (packet.qos === 2) {
      this.send(pubrec(id));
      await this.#take(pubrel(id), patienceMs);
      this.send(pubcomp(id));
    }
    return packet;
  }

  /** Takes exactly this packet out of what comes, and leaves the rest where it is. */
  async #take(wanted: Bytes, patienceMs: number = defaultPatienceMs): Promise<void> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const index = this.#packets.findIndex((bytes) => toHex(bytes) === toHex(wanted));
      if (index >= 0) {
        this.#packets.splice(index, 1);
        return;
      }
      if (this.#ending) throw new Error(`the connection ended (${this.#ending}); expected [${toHex(wanted)}]`);
      await this.#change(deadline, () => `[${toHex(wanted)}]`);
    }
  }

  /** Ends the sending half; what the server still sends can be read. */
  finish(): void {
    this.socket.end();
  }

  /** Drops the connection as a crash would. */
  destroy(): void {
    clients.delete(this);
    this.socket.resetAndDestroy();
  }

  /** Says goodbye and waits until the server has closed: then it knows that this client is away. */
  async leave(): Promise<void> {
    this.send('e0 00');
    for (let packet = await this.nextOrEnd(); packet; packet = await this.nextOrEnd());
  }

  /** Drops the connection and waits until it is gone here. The server may not have noticed yet. */
  async drop(): Promise<void> {
    if (this.socket.destroyed) return;
    await new Promise<void>((resolve) => {
      this.socket.once('close', () => resolve());
      this.destroy();
    });
  }
}

const hexCode = (code: number | undefined) => `0x${(code ?? 0).toString(16).padStart(2, '0')}`;

/** Opens a connection, sends CONNECT and takes the CONNACK, which must accept. */
export async function openClient(
  target: number | string,
  fields: ConnectFields = {},
): Promise<RawClient & { connack: ReadPacket }> {
  const clientIdentifier = fields.clientIdentifier ?? uniqueName('c');
  const client = await RawClient.open(target);
  client.version = fields.version ?? 5;
  client.clientIdentifier = clientIdentifier;
  client.send(connect({ ...fields, clientIdentifier }));
  const connack = await client.expect('CONNACK');
  if (connack.code !== 0) throw new Error(`refused with ${hexCode(connack.code)}`);
  return Object.assign(client, { connack });
}

/** Sends the bytes on a new connection and gives all the packets that come until the server closes it. */
export async function exchangeUntilClosed(target: number, version: Version, ...parts: readonly (Bytes | string)[]) {
  const client = await RawClient.open(target);
  client.version = version;
  client.send(...parts);
  const packets: ReadPacket[] = [];
  for (let packet = await client.nextOrEnd(); packet; packet = await client.nextOrEnd()) packets.push(packet);
  return packets;
}
