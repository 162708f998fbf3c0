/** A message that came in, and how far its handling is. */
import type { PublishPacket } from '../codec/packets.ts';
import type { PropertiesOf } from '../protocol/properties.ts';
import type { QoS } from '../protocol/version.ts';
import type { ReceivedMessage } from './types.ts';

const lenientDecoder = new TextDecoder();

export class IncomingMessage implements ReceivedMessage {
  readonly topicName: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup: boolean;
  readonly packetIdentifier: number;
  readonly properties: PropertiesOf<'PUBLISH'> | undefined;
  /** Handlers that are not done with it yet. */
  #pending = 0;
  #hasFailed = false;
  /** Told when the last handler is done, if somebody waits to acknowledge it. */
  #onDone: (() => void) | undefined;

  constructor(packet: PublishPacket, topicName: string) {
    this.topicName = topicName;
    this.payload = packet.payload;
    this.qos = packet.qos;
    this.retain = packet.retain;
    this.dup = packet.dup;
    this.packetIdentifier = packet.packetIdentifier;
    this.properties = packet.properties;
  }

  text(): string {
    return lenientDecoder.decode(this.payload);
  }

  /** Whether nobody works on it any more, so that it can be acknowledged. */
  get isDone(): boolean {
    return this.#pending === 0;
  }

  /** Whether a handler threw. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  set onDone(onDone: (() => void) | undefined) {
    this.#onDone = onDone;
  }

  /** A handler takes it on; each `begin` is followed by one `done` or `fail`. */
  begin(): void {
    this.#pending++;
  }

  done(): void {
    this.#pending--;
    if (this.#pending === 0) this.#onDone?.();
  }

  fail(): void {
    this.#hasFailed = true;
    this.done();
  }
}
