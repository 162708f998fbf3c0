/** From what the tap tells to frames with their times: each connection gets its TCP, each chunk its segments. */
import type { Clock } from '../../base/clock.ts';
import type { PeerAddress } from '../../transport/transport.ts';
import { SegmentFrames } from './segment-frames.ts';
import type { TapConsumer, TapEnd, TapSubject } from './tap.ts';
import { WallTime } from './wall-time.ts';

/** Takes the frames. */
export interface FrameTaker {
  /** Whether it can take no more now: what comes until it can is lost, and counted by `lost`. */
  readonly isFull: boolean;
  frame(seconds: number, nanoseconds: number, bytes: Uint8Array, comment: string | undefined): void;
  /** A chunk was not recorded. */
  lost(bytes: number): void;
}

export interface RecorderOptions {
  /** Whether what the network sees encrypted is recorded in the clear; otherwise such connections are left out. Asked with each connection. */
  isDecrypting(): boolean;
}

/** Ports that clients without one (Unix sockets) are shown with, in turn. */
const firstMadeUpPort = 49_152;
const defaultBrokerPort = 1883;

export class ConnectionRecorder implements TapConsumer {
  readonly #taker: FrameTaker;
  readonly #options: RecorderOptions;
  readonly #time: WallTime;
  readonly #connections = new Map<TapSubject, SegmentFrames>();
  #opened = 0;
  #comment: string | undefined;
  readonly #use = (frame: Uint8Array): void => {
    const now = this.#time.now();
    const seconds = Math.floor(now / 1000);
    const nanoseconds = Math.floor((now - seconds * 1000) * 1e6);
    this.#taker.frame(seconds, nanoseconds, frame, this.#comment);
    this.#comment = undefined;
  };

  constructor(taker: FrameTaker, clock: Clock, options: RecorderOptions) {
    this.#taker = taker;
    this.#options = options;
    this.#time = new WallTime(clock);
  }

  /** Lets go of all connections: nothing more is recorded of them. */
  forget(): void {
    this.#connections.clear();
  }

  opened(subject: TapSubject, isNew: boolean): void {
    if (subject.isEncrypted && !this.#options.isDecrypting()) return;
    const number = this.#opened++;
    const frames = new SegmentFrames(clientEnd(subject, number), brokerEnd(subject), number * 0x1_0000);
    this.#connections.set(subject, frames);
    if (this.#taker.isFull) return;
    this.#comment = commentOn(subject, isNew);
    frames.open(this.#use);
  }

  chunk(subject: TapSubject, from: TapEnd, bytes: Uint8Array): void {
    const frames = this.#connections.get(subject);
    if (frames === undefined || bytes.length === 0) return;
    if (this.#taker.isFull) {
      frames.skip(from === 'client', bytes.length);
      this.#taker.lost(bytes.length);
    } else frames.data(from === 'client', bytes, this.#use);
  }

  ended(subject: TapSubject, end: TapEnd): void {
    if (!this.#taker.isFull) this.#connections.get(subject)?.end(end === 'client', this.#use);
  }

  closed(subject: TapSubject, isBroken: boolean): void {
    const frames = this.#connections.get(subject);
    this.#connections.delete(subject);
    if (frames === undefined || this.#taker.isFull) return;
    if (isBroken) frames.reset(this.#use);
    // What ends both ways, as a WebSocket does, is not told end by end.
    else for (const fromClient of [true, false]) frames.end(fromClient, this.#use);
  }
}

function clientEnd({ peer }: TapSubject, number: number): PeerAddress {
  return peer.port === 0 ? { ...peer, port: firstMadeUpPort + (number % (65_536 - firstMadeUpPort)) } : peer;
}

function brokerEnd({ local, peer, listenerPort }: TapSubject): PeerAddress {
  const address = local?.address ?? (peer.family === 'IPv6' ? '::1' : '127.0.0.1');
  return { address, port: local?.port || listenerPort || defaultBrokerPort, family: peer.family };
}

/** Said beside the first frame where the frames alone do not show it. */
function commentOn(subject: TapSubject, isNew: boolean): string | undefined {
  const { peer, isEncrypted } = subject;
  const parts: string[] = [];
  if (peer.family === 'unix') parts.push(`Unix socket ${peer.address}, shown on the loopback`);
  if (isEncrypted) parts.push('encrypted on the network, shown in the clear');
  if (!isNew) {
    const version = subject.protocolLevel === undefined ? 'no CONNECT yet' : versionNames[subject.protocolLevel];
    parts.push(`connected before the recording began: client ${subject.name}, ${version}`);
  }
  return parts.length === 0 ? undefined : parts.join('; ');
}

const versionNames: Readonly<Record<number, string>> = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5.0' };
