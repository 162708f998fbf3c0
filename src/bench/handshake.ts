/** Brings a link to where messages may flow: CONNECT, and for a subscriber SUBSCRIBE. */
import { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import {
  checkSuback,
  connectPacket,
  firstByte,
  type Protocol,
  type QoS,
  readConnack,
  subscribePacket,
} from './wire.ts';

export interface HandshakeOptions {
  readonly host: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly clientIdentifier: string;
  /** What to subscribe to; undefined for a publisher. */
  readonly topicFilter: string | undefined;
  readonly qos: QoS;
  /** Whether the Session outlives the connection. */
  readonly isPersistent: boolean;
  readonly publishBytes: number;
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
  const { protocol, qos, topicFilter, isPersistent } = options;
  return new Promise((resolve, reject) => {
    let receiveMaximum = 0;
    const receiver: PacketReceiver = {
      takeRun: (_bytes, offset) => offset,
      takePacket: (bytes, offset, body, end) => {
        const first = bytes[offset]!;
        if (first === firstByte.connack && receiveMaximum === 0) {
          receiveMaximum = readConnack(protocol, bytes.subarray(body, end));
          if (topicFilter === undefined) resolve({ link, receiveMaximum });
          else link.write(subscribePacket(protocol, topicFilter, qos));
        } else if (first === firstByte.suback && topicFilter !== undefined) {
          checkSuback(protocol, bytes.subarray(body, end), qos);
          resolve({ link, receiveMaximum });
        } else {
          throw unexpectedPacket(bytes, offset, body, end);
        }
      },
      endChunk: () => {},
    };
    const link: Link = new Link({
      host: options.host,
      port: options.port,
      name: options.clientIdentifier,
      publishBytes: options.publishBytes,
      receiver,
      onOpen: () => link.write(connectPacket(protocol, options.clientIdentifier, isPersistent)),
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
  return new LoadError(`the broker disconnects with code ${hex(reasonCode)}`);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}
