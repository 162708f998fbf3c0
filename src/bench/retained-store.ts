/** Fills the broker with retained messages, and empties it again: one connection, packets made once and changed in place. */
import type { OpenLink } from './handshake.ts';
import { unexpectedPacket } from './handshake.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import { numberBytes, numberedTopic, writeNumber } from './numbered-topics.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import { firstByte, type Protocol, type PublishForm, pingreqPacket, publishForm, retainedStream } from './wire.ts';

export interface RetainedForm {
  readonly form: PublishForm;
  /** Where in the packet the number of the topic is. */
  readonly numberOffset: number;
}

/**
 * @param payloadBytes 0 removes the message of a topic; otherwise `payloadHeadBytes` and more
 * @param isRetained false for messages of the same shape that are to be queued
 */
export function retainedForm(
  protocol: Protocol,
  prefix: string,
  qos: 0 | 1,
  payloadBytes: number,
  isRetained = true,
): RetainedForm {
  const topic = numberedTopic(prefix, 0);
  const form = publishForm(protocol, topic, qos, retainedStream, payloadBytes, isRetained);
  return { form, numberOffset: form.headerBytes + 2 + new TextEncoder().encode(topic).length - numberBytes };
}

/** Bytes that are gathered before they are written. */
const batchBytes = 65_536;

/**
 * Publishes number `from` up to `to` and resolves when the broker has taken all of them: acknowledged at QoS 1; at QoS 0 it has answered
 * a PINGREQ that came behind them.
 */
export class RetainedWriter implements PacketReceiver {
  readonly #link: Link;
  readonly #retained: RetainedForm;
  readonly #isAcknowledged: boolean;
  readonly #window: number;
  readonly #to: number;
  readonly #from: number;
  #next: number;
  #acknowledged = 0;
  #isBarrierSent = false;
  #hasEnded = false;
  #finish: () => void = () => {};
  readonly finished: Promise<void>;

  /** @param window unacknowledged messages at QoS 1 */
  constructor(
    { link, receiveMaximum }: OpenLink,
    retained: RetainedForm,
    qos: 0 | 1,
    window: number,
    from: number,
    to: number,
  ) {
    this.#link = link;
    this.#retained = retained;
    this.#isAcknowledged = qos === 1;
    this.#window = Math.min(window, receiveMaximum);
    this.#from = from;
    this.#next = from;
    this.#to = to;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
    link.receiver = this;
  }

  /** Messages that are on their way or done. */
  get sent(): number {
    return this.#next - this.#from;
  }

  /** Sends what may go now. Called again when the system has taken what was written. */
  resume(): void {
    if (this.#hasEnded) return;
    const { form, numberOffset } = this.#retained;
    const { template, packetIdentifierOffset, payloadOffset, counterOffset } = form;
    while (!this.#link.isCongested) {
      const unacknowledged = this.#next - this.#from - this.#acknowledged;
      const room = this.#isAcknowledged ? this.#window - unacknowledged : Number.POSITIVE_INFINITY;
      const count = Math.min(room, this.#to - this.#next, Math.max(1, Math.floor(batchBytes / template.length)));
      if (count <= 0) break;
      this.#link.reserve(count * template.length);
      for (let left = count; left > 0; left--) {
        const number = this.#next++;
        writeNumber(template, numberOffset, number);
        if (this.#isAcknowledged) writePacketIdentifier(template, packetIdentifierOffset, (number % 65_535) + 1);
        if (template.length > payloadOffset) new DataView(template.buffer).setUint32(counterOffset, number);
        this.#link.append(template);
      }
      this.#link.flush();
    }
    if (!this.#isAcknowledged && this.#next === this.#to && !this.#isBarrierSent) {
      this.#isBarrierSent = true;
      this.#link.write(pingreqPacket);
    }
    if (this.#isAcknowledged && this.#acknowledged === this.#to - this.#from) this.#end();
  }

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const first = bytes[offset]!;
    if (first === firstByte.puback && this.#isAcknowledged) {
      const reasonCode = end - body > 2 ? bytes[body + 2]! : 0;
      if (reasonCode >= 0x80)
        throw new LoadError(`the broker refuses a message with code 0x${reasonCode.toString(16)}`);
      this.#acknowledged++;
    } else if (first === firstByte.pingresp && this.#isBarrierSent) {
      this.#end();
    } else {
      throw unexpectedPacket(bytes, offset, body, end);
    }
  }

  endChunk(): void {
    this.resume();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#finish();
  }
}

function writePacketIdentifier(bytes: Uint8Array, at: number, packetIdentifier: number): void {
  bytes[at] = packetIdentifier >> 8;
  bytes[at + 1] = packetIdentifier & 0xff;
}
