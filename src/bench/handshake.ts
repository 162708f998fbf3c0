/** Brings a link to where messages may flow: CONNECT, and for a subscriber SUBSCRIBE. */
import { reasonCodeName } from '../protocol/reason-codes.ts';
import { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import type { Target } from './target.ts';
import { checkSuback, connectPacket, firstByte, type QoS, readConnack, subscribePacket } from './wire.ts';

export interface HandshakeOptions {
  readonly target: Target;
  /** Number of the connection. */
  readonly index: number;
  readonly clientIdentifier: string;
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

/**
 * Resolves when the broker has answered.
 * @param onLink is given the link before it is open, so that it can be closed in any case
 * @throws {LoadError} if the broker refuses or goes away; `onFailure` is called then, too
 */
export function openLink(options: HandshakeOptions, onLink: (link: Link) => void): Promise<OpenLink> {
  const { target, qos, topicFilters } = options;
  const { protocol } = target;
  return new Promise((resolve, reject) => {
    let receiveMaximum = 0;
    const open = (): void => {
      if (options.receiverFor !== undefined) link.receiver = options.receiverFor(link);
      resolve({ link, receiveMaximum });
    };
    const receiver: PacketReceiver = {
      takeRun: (_bytes, offset) => offset,
      takePacket: (bytes, offset, body, end) => {
        const first = bytes[offset]!;
        if (first === firstByte.connack && receiveMaximum === 0) {
          receiveMaximum = readConnack(protocol, bytes.subarray(body, end));
          if (topicFilters.length === 0) open();
          else link.write(subscribePacket(protocol, topicFilters, qos));
        } else if (first === firstByte.suback && topicFilters.length > 0) {
          checkSuback(protocol, bytes.subarray(body, end), qos, topicFilters.length);
          open();
        } else {
          throw unexpectedPacket(bytes, offset, body, end);
        }
      },
      endChunk: () => {},
    };
    const link: Link = new Link({
      target,
      index: options.index,
      name: options.clientIdentifier,
      publishBytes: options.publishBytes,
      receiver,
      onOpen: () => link.write(connectPacket({ ...target, ...options })),
      onDrain: options.onDrain,
      onFailure: (error) => {
        reject(error);
        options.onFailure(error);
      },
    });
    onLink(link);
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
