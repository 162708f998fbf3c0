/** The receiving end of messages on numbered topics: retained ones, and those that were queued. */
import { unexpectedPacket } from './handshake.ts';
import type { Link } from './link.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import type { RetainedForm } from './retained-store.ts';
import type { Target } from './target.ts';
import { checkSuback, firstByte, payloadMark, retainedStream } from './wire.ts';

/** Takes messages on numbered topics, each once, by the number in its payload, in any order. */
export class NumberedReceiver implements PacketReceiver {
  received = 0;
  distinct = 0;
  foreign = 0;
  firstMs = 0;
  lastMs = 0;
  readonly finished: Promise<void>;
  readonly #link: Link;
  readonly #form: RetainedForm['form'];
  readonly #retain: number;
  readonly #qos: 0 | 1;
  readonly #messages: number;
  readonly #protocol: Target['protocol'];
  readonly #seen: Uint8Array;
  #finish: () => void = () => {};

  /** @param retain `retainFlag` if they must have it, or 0 if not */
  constructor(
    link: Link,
    form: RetainedForm['form'],
    retain: number,
    qos: 0 | 1,
    messages: number,
    protocol: Target['protocol'],
  ) {
    this.#link = link;
    this.#retain = retain;
    this.#form = form;
    this.#qos = qos;
    this.#messages = messages;
    this.#protocol = protocol;
    this.#seen = new Uint8Array(Math.ceil(messages / 8));
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  takeRun(bytes: Uint8Array, offset: number, end: number): number {
    const { template, headerBytes, packetIdentifierOffset, payloadOffset, counterOffset } = this.#form;
    const stride = template.length;
    const first = this.#form.deliveredFirst | this.#retain;
    const origin = payloadMark * 0x1_0000 + retainedStream;
    if (this.#qos === 1) this.#link.reserve(4 * Math.ceil((end - offset) / stride));
    let at = offset;
    while (at + stride <= end && bytes[at] === first && hasSameLength(bytes, at, template, headerBytes)) {
      if (readUint32(bytes, at + payloadOffset) !== origin) break;
      if (!this.#take(readUint32(bytes, at + counterOffset))) break;
      if (this.#qos === 1) this.#acknowledge(bytes, at + packetIdentifierOffset);
      at += stride;
    }
    return at;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const first = bytes[offset]!;
    if (first === firstByte.suback) {
      checkSuback(this.#protocol, bytes.subarray(body, end), this.#qos);
    } else if ((first & 0xf1) === (firstByte.publish | this.#retain)) {
      this.foreign++;
      const topicBytes = (bytes[body]! << 8) | bytes[body + 1]!;
      if (((first >> 1) & 3) === 0) return;
      this.#link.reserve(4);
      this.#acknowledge(bytes, body + 2 + topicBytes);
    } else {
      throw unexpectedPacket(bytes, offset, body, end);
    }
  }

  endChunk(): void {
    this.#link.flush();
    if (this.distinct === this.#messages) this.#finish();
  }

  /** Returns whether the number is one of ours. */
  #take(number: number): boolean {
    if (number >= this.#messages) return false;
    const mask = 1 << (number & 7);
    const at = number >> 3;
    if (this.received === 0) this.firstMs = performance.now();
    this.received++;
    if ((this.#seen[at]! & mask) !== 0) return true;
    this.#seen[at]! |= mask;
    this.distinct++;
    if (this.distinct === this.#messages || (this.distinct & 0xff) === 0) this.lastMs = performance.now();
    return true;
  }

  #acknowledge(bytes: Uint8Array, at: number): void {
    this.#link.appendAcknowledgement(firstByte.puback, (bytes[at]! << 8) | bytes[at + 1]!);
  }
}

/** The Remaining Length. */
function hasSameLength(bytes: Uint8Array, offset: number, template: Uint8Array, headerBytes: number): boolean {
  for (let at = 1; at < headerBytes; at++) {
    if (bytes[offset + at] !== template[at]) return false;
  }
  return true;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
