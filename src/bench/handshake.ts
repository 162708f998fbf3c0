/** Brings a link to where messages may flow: CONNECT, and for a subscriber SUBSCRIBE. */
import { reasonCodeName } from '../protocol/reason-codes.ts';
import { Link, type LinkOwner } from './link.ts';
import { LoadError } from './load-error.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import type { Target } from './target.ts';
import { ConnectForm, checkSuback, firstByte, type QoS, readConnack, subscribePacket } from './wire.ts';

/** What connections that are alike have in common. */
export interface SessionOptions {
  readonly target: Target;
  /** What to subscribe to with one SUBSCRIBE; none for a publisher. */
  readonly topicFilters: readonly string[];
  readonly qos: QoS;
  /** Whether the Session outlives the connection. */
  readonly isPersistent: boolean;
  /** Seconds; default 0, none. Whoever asks for one sends the PINGREQ, too. */
  readonly keepAlive?: number | undefined;
  /** MQTT 5: unacknowledged messages that the broker may send at once. */
  readonly receiveMaximum?: number | undefined;
  readonly publishBytes: number;
}

export interface HandshakeOptions extends SessionOptions {
  /** Number of the connection. */
  readonly index: number;
  readonly clientIdentifier: string;
  /** Makes what takes all that comes after the answer, which may lie in one chunk with it. Default: `Link.receiver` is set later. */
  readonly receiverFor?: ((link: Link) => PacketReceiver) | undefined;
  /** Called once if the connection fails, now or later. */
  readonly onFailure: (error: Error) => void;
  readonly onDrain: () => void;
}

export interface OpenLink {
  readonly link: Link;
  /** The most QoS 1 and 2 messages that the server lets us have unacknowledged. */
  readonly receiveMaximum: number;
}

/** The CONNECT of Sessions that are alike. */
export function connectFormOf({ target, isPersistent, keepAlive, receiveMaximum }: SessionOptions): ConnectForm {
  const { protocol, username, password } = target;
  return new ConnectForm({ protocol, username, password, isPersistent, keepAlive, receiveMaximum });
}

/** A link on its way, and its owner until it is gone. One object: whoever opens ten thousand has no promise and no closure for each. */
export abstract class Handshake implements LinkOwner {
  /** The Client Identifier. */
  readonly name: string;
  readonly link: Link;
  readonly #session: SessionOptions;
  readonly #connect: ConnectForm;
  #receiveMaximum = 0;

  /** @param connect of `connectFormOf(session)` */
  constructor(session: SessionOptions, connect: ConnectForm, index: number, clientIdentifier: string) {
    this.name = clientIdentifier;
    this.#session = session;
    this.#connect = connect;
    this.link = new Link(session.target, index, session.publishBytes, this);
  }

  /** The broker has answered. @param receiveMaximum see `OpenLink` */
  protected abstract opened(receiveMaximum: number): void;
  /** The connection has failed, before or after it was open. */
  abstract linkFailed(error: Error): void;

  linkDrained(): void {}

  linkOpened(link: Link): void {
    link.write(this.#connect.packet(this.name));
  }

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const { target, topicFilters, qos } = this.#session;
    const { protocol } = target;
    const first = bytes[offset]!;
    if (first === firstByte.connack && this.#receiveMaximum === 0) {
      this.#receiveMaximum = readConnack(protocol, bytes.subarray(body, end));
      if (topicFilters.length === 0) this.opened(this.#receiveMaximum);
      else this.link.write(subscribePacket(protocol, topicFilters, qos));
    } else if (first === firstByte.suback && topicFilters.length > 0) {
      checkSuback(protocol, bytes.subarray(body, end), qos, topicFilters.length);
      this.opened(this.#receiveMaximum);
    } else {
      throw unexpectedPacket(bytes, offset, body, end);
    }
  }

  endChunk(): void {}
}

class PromisedHandshake extends Handshake {
  readonly #options: HandshakeOptions;
  readonly #resolve: (open: OpenLink) => void;
  readonly #reject: (error: Error) => void;

  constructor(options: HandshakeOptions, resolve: (open: OpenLink) => void, reject: (error: Error) => void) {
    super(options, connectFormOf(options), options.index, options.clientIdentifier);
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  override linkDrained(): void {
    this.#options.onDrain();
  }

  override linkFailed(error: Error): void {
    this.#reject(error);
    this.#options.onFailure(error);
  }

  protected override opened(receiveMaximum: number): void {
    const { link } = this;
    const { receiverFor } = this.#options;
    if (receiverFor !== undefined) link.receiver = receiverFor(link);
    this.#resolve({ link, receiveMaximum });
  }
}

/**
 * Resolves when the broker has answered.
 * @param onLink is given the link before it is open, so that it can be closed in any case
 * @throws {LoadError} if the broker refuses or goes away; `onFailure` is called then, too
 */
export function openLink(options: HandshakeOptions, onLink: (link: Link) => void): Promise<OpenLink> {
  return new Promise((resolve, reject) => {
    onLink(new PromisedHandshake(options, resolve, reject).link);
  });
}

/** What to say about a packet that has no place where it came. */
export function unexpectedPacket(bytes: Uint8Array, offset: number, body: number, end: number): LoadError {
  const first = bytes[offset]!;
  const size = end - offset;
  if (first !== firstByte.disconnect) return new LoadError(`did not expect packet ${hex(first)} of ${size} bytes`);
  const reasonCode = body < end ? bytes[body]! : 0;
  return new LoadError(`the broker disconnects with code ${hex(reasonCode)} (${reasonCodeName(reasonCode)})`);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
