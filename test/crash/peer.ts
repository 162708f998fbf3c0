/**
 * A client with a persistent Session that always comes back, with QoS logic of its own: it shares nothing with the broker, so that it does
 * not share its mistakes.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import type { Random } from '../simulation/random.ts';
import { PacketScanner, type ReadPacket, readPacket } from '../support/packet-reader.ts';
import { type Bytes, connect, disconnect, property, type Version } from '../support/raw-packets.ts';

const serverShuttingDown = 0x8b;

export interface PeerOptions {
  readonly port: number;
  readonly name: string;
  readonly version: Version;
  readonly random: Random;
  /** Every rule that the broker broke. */
  readonly complaints: string[];
}

export abstract class Peer {
  isConnected = false;
  readonly name: string;
  readonly version: Version;
  protected readonly random: Random;
  readonly #options: PeerOptions;
  #socket: Socket | undefined;
  /** Of the connection: what was to happen on a former one does not any more. */
  #generation = 0;
  #isWanted = false;
  #hadSession = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.name = options.name;
    this.version = options.version;
    this.random = options.random;
  }

  /** The broker has said CONNACK: what was open is repeated. */
  protected abstract onConnected(): void;
  protected abstract onPacket(packet: ReadPacket): void;

  protected complain(text: string): void {
    this.#options.complaints.push(`${this.name}: ${text}`);
  }

  /** Connects, and connects again whenever the connection is lost. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#connect();
  }

  /** Goes away; with a word if `isPolite`. The Session stays. */
  stop(isPolite = false): void {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    if (isPolite && this.isConnected) this.#socket?.end(disconnect());
    else this.#socket?.destroy();
    this.#lost();
  }

  send(bytes: Bytes): void {
    if (this.isConnected) this.#socket?.write(bytes);
  }

  /** Sends after a while, if the connection is still the same. */
  protected sendLater(delayMs: number, bytes: Bytes): void {
    const generation = this.#generation;
    setTimeout(() => {
      if (generation === this.#generation) this.send(bytes);
    }, delayMs);
  }

  #connect(): void {
    const generation = ++this.#generation;
    const scanner = new PacketScanner();
    const socket = connectSocket(this.#options.port, '127.0.0.1');
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('connect', () => {
      socket.write(
        connect({
          version: this.version,
          clientIdentifier: this.name,
          cleanStart: false,
          keepAlive: 0,
          ...(this.version === 5 ? { properties: [property.sessionExpiryInterval(3600)] } : {}),
        }),
      );
    });
    socket.on('data', (chunk) => {
      if (generation !== this.#generation) return;
      for (const bytes of scanner.push(chunk)) this.#take(readPacket(bytes, this.version));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (generation !== this.#generation) return;
      this.#lost();
      if (this.#isWanted) this.#timer = setTimeout(() => this.#connect(), 5 + this.random.below(20));
    });
  }

  #lost(): void {
    this.isConnected = false;
    this.#generation++;
  }

  #take(packet: ReadPacket): void {
    // A goodbye is all right.
    if (packet.name === 'DISCONNECT' && packet.code === serverShuttingDown) return;
    if (packet.name !== 'CONNACK') {
      this.onPacket(packet);
      return;
    }
    if (packet.code !== 0) {
      this.complain(`CONNACK ${packet.code}`);
      return;
    }
    const isPresent = (packet.flags & 1) === 1;
    if (this.#hadSession && !isPresent) {
      this.complain('its Session was lost');
      this.onSessionLost();
    }
    // From the CONNACK on it may rely on it.
    this.#hadSession = true;
    this.isConnected = true;
    this.onConnected();
  }

  /** What the client remembers of a Session that the broker does not have any more means nothing. */
  protected onSessionLost(): void {}
}
