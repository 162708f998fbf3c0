/** Receives, acknowledges and checks the messages of one subscription. */
import { unexpectedPacket } from './handshake.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import { SequenceLedger } from './sequence-ledger.ts';
import type { Turn, TurnTask } from './turn.ts';
import { firstByte, type PublishForm, payloadMark, type QoS } from './wire.ts';

export interface SubscriberOptions {
  readonly link: Link;
  readonly turn: Turn;
  readonly form: PublishForm;
  readonly qos: QoS;
  /** Number of the first stream that it hears, and how many there are from there on. */
  readonly firstStream: number;
  readonly streams: number;
  /** Messages were passed over. */
  readonly onGap: (messages: number) => void;
  /** Messages came; the publishers may go on. */
  readonly onProgress: () => void;
  /** In a paced run: is told of each message when it comes for the first time. */
  readonly arrivals: Arrivals | undefined;
}

/** Takes what has come: the number of its stream, its counter there, and when it was read. */
export interface Arrivals {
  take(stream: number, counter: number, nowMs: number): void;
}

export class Subscriber implements PacketReceiver, TurnTask {
  isWaiting = false;
  /** PUBLISH packets taken, repeated ones too. */
  received = 0;
  readonly ledger: SequenceLedger;
  readonly firstStream: number;
  readonly #link: Link;
  readonly #turn: Turn;
  readonly #form: PublishForm;
  readonly #qos: QoS;
  readonly #onGap: (messages: number) => void;
  readonly #onProgress: () => void;
  readonly #arrivals: Arrivals | undefined;
  readonly #acknowledgement: number;
  /** The first four bytes of the payloads of the first stream; those of the others follow. */
  readonly #firstOrigin: number;
  #receivedBefore = 0;

  constructor(options: SubscriberOptions) {
    this.#link = options.link;
    this.#turn = options.turn;
    this.#form = options.form;
    this.#qos = options.qos;
    this.#onGap = options.onGap;
    this.#onProgress = options.onProgress;
    this.#arrivals = options.arrivals;
    this.#acknowledgement = options.qos === 1 ? firstByte.puback : firstByte.pubrec;
    this.firstStream = options.firstStream;
    this.#firstOrigin = payloadMark * 0x1_0000 + options.firstStream;
    this.ledger = new SequenceLedger(options.streams);
  }

  /**
   * Takes the packets that look exactly as they were sent, which are all of them as a rule: same fixed header, same length, the
   * counter at the same place. 6 ns each at QoS 0, 11 ns with an acknowledgement (bench/README.md, "Ceiling").
   */
  takeRun(bytes: Uint8Array, offset: number, end: number): number {
    const { template, deliveredFirst: first, headerBytes, packetIdentifierOffset } = this.#form;
    const { payloadOffset, counterOffset } = this.#form;
    const { next } = this.ledger;
    const firstOrigin = this.#firstOrigin;
    const arrivals = this.#arrivals;
    const nowMs = arrivals === undefined ? 0 : performance.now();
    const stride = template.length;
    const second = template[1]!;
    const isAcknowledged = this.#qos > 0;
    if (isAcknowledged) this.#link.reserve(4 * Math.ceil((end - offset) / stride));
    let at = offset;
    while (at + stride <= end && bytes[at] === first && bytes[at + 1] === second) {
      if (headerBytes > 2 && !hasSameHeader(bytes, at, template, headerBytes)) break;
      const stream = readUint32(bytes, at + payloadOffset) - firstOrigin;
      const counter = readUint32(bytes, at + counterOffset);
      if (next[stream] === counter) {
        next[stream] = counter + 1;
        if (arrivals !== undefined) arrivals.take(stream + this.firstStream, counter, nowMs);
      } else this.#takeUnexpected(stream, counter);
      if (isAcknowledged) {
        this.#link.appendAcknowledgement(this.#acknowledgement, readUint16(bytes, at + packetIdentifierOffset));
      }
      at += stride;
    }
    this.received += (at - offset) / stride;
    return at;
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const first = bytes[offset]!;
    if (first === firstByte.pubrel && this.#qos === 2) {
      this.#link.reserve(4);
      this.#link.appendAcknowledgement(firstByte.pubcomp, readUint16(bytes, body));
    } else if ((first & 0xf0) === firstByte.publish) {
      this.#takeForeignPublish(bytes, offset, end);
    } else {
      throw unexpectedPacket(bytes, offset, body, end);
    }
  }

  endChunk(): void {
    this.#turn.add(this);
    if (this.received === this.#receivedBefore) return;
    this.#receivedBefore = this.received;
    this.#onProgress();
  }

  endTurn(): void {
    this.#link.flush();
  }

  /** A PUBLISH that differs from what was sent: marked as a repetition, or not ours at all. */
  #takeForeignPublish(bytes: Uint8Array, offset: number, end: number): void {
    const { template, deliveredFirst, packetIdentifierOffset, payloadOffset, counterOffset } = this.#form;
    const dup = 0x08;
    const isRepetition = end - offset === template.length && this.#qos > 0 && (bytes[offset]! ^ deliveredFirst) === dup;
    if (!isRepetition) {
      throw new LoadError(
        `did not expect a PUBLISH of ${end - offset} bytes with flags ${bytes[offset]! & 0x0f}; ` +
          `sent were ${template.length} bytes with flags ${deliveredFirst & 0x0f}`,
      );
    }
    const stream = readUint32(bytes, offset + payloadOffset) - this.#firstOrigin;
    const counter = readUint32(bytes, offset + counterOffset);
    if (this.ledger.next[stream] === counter) {
      this.ledger.next[stream] = counter + 1;
      this.#arrivals?.take(stream + this.firstStream, counter, performance.now());
    } else this.#takeUnexpected(stream, counter);
    this.#link.reserve(4);
    this.#link.appendAcknowledgement(this.#acknowledgement, readUint16(bytes, offset + packetIdentifierOffset));
    this.received++;
  }

  #takeUnexpected(stream: number, counter: number): void {
    if (this.ledger.next[stream] === undefined) {
      throw new LoadError('received a message that it has not subscribed to, or that has been changed on the way');
    }
    const { duplicates } = this.ledger;
    const passedOver = this.ledger.takeUnexpected(stream, counter);
    if (this.ledger.duplicates === duplicates) {
      this.#arrivals?.take(stream + this.firstStream, counter, performance.now());
    }
    if (passedOver > 0) this.#onGap(passedOver);
  }
}

function hasSameHeader(bytes: Uint8Array, offset: number, template: Uint8Array, headerBytes: number): boolean {
  for (let at = 2; at < headerBytes; at++) {
    if (bytes[offset + at] !== template[at]) return false;
  }
  return true;
}

function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
