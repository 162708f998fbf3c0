/** Publishers: at QoS 0 as fast as the connection takes it, at QoS 1 and 2 with a number of messages unacknowledged. */
import type { Budget } from './budget.ts';
import { unexpectedPacket } from './handshake.ts';
import type { Latencies } from './latency.ts';
import type { Link } from './link.ts';
import { LoadError } from './load-error.ts';
import type { PacketReceiver } from './packet-cutter.ts';
import type { Schedule } from './schedule.ts';
import type { Subscriber } from './subscriber.ts';
import type { Turn, TurnTask } from './turn.ts';
import { firstByte, type PublishForm, type QoS } from './wire.ts';

export interface PublisherOptions {
  readonly link: Link;
  readonly turn: Turn;
  /** Its topics, which take turns: one form each, alike but for topic and stream. */
  readonly forms: readonly PublishForm[];
  /** Number of its first stream; each topic has one. */
  readonly firstStream: number;
  /** How many publishers share the budget. */
  readonly publishers: number;
  readonly budget: Budget;
  /** Those that receive every message of this publisher. */
  readonly receivers: readonly Subscriber[];
  /** When messages are due; undefined for as soon as they may go. */
  readonly pace: Pace | undefined;
}

/** A publisher's part in a paced run. */
export interface Pace {
  readonly schedule: Schedule;
  /** Number of the publisher. */
  readonly publisher: number;
  /** From when a message was due until the broker had acknowledged it to the end. Messages due before `fromMs` do not count. */
  readonly acknowledgements: Latencies;
  fromMs: number;
}

abstract class Publisher implements PacketReceiver, TurnTask {
  isWaiting = false;
  /** Messages sent, on all topics. */
  sent = 0;
  protected isStopped = false;
  protected readonly link: Link;
  protected readonly turn: Turn;
  protected readonly forms: readonly PublishForm[];
  protected readonly pace: Pace | undefined;
  readonly #firstStream: number;
  readonly #publishers: number;
  readonly #budget: Budget;
  readonly #receivers: readonly Subscriber[];

  constructor(options: PublisherOptions) {
    this.link = options.link;
    this.turn = options.turn;
    this.forms = options.forms;
    this.#firstStream = options.firstStream;
    this.#publishers = options.publishers;
    this.#budget = options.budget;
    this.#receivers = options.receivers;
    this.pace = options.pace;
  }

  /** Sends as much as may go now; called again when more may. */
  abstract endTurn(): void;
  abstract takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void;

  takeRun(_bytes: Uint8Array, offset: number): number {
    return offset;
  }

  endChunk(): void {
    this.resume();
  }

  /** Looks at the end of the turn whether more may be sent. */
  resume(): void {
    this.turn.add(this);
  }

  /** Nothing has come for a while: sends something that shows what was lost, where messages may be lost. */
  nudge(): void {}

  /** Messages whose exchange with the broker is not finished. */
  get unacknowledged(): number {
    return 0;
  }

  /** Nothing new is sent any more. */
  stop(): void {
    this.isStopped = true;
  }

  /** Deliveries that are still to come. */
  get outstanding(): number {
    const topics = this.forms.length;
    let outstanding = this.sent * this.#receivers.length;
    for (const { ledger, firstStream } of this.#receivers) {
      const first = this.#firstStream - firstStream;
      for (let topic = 0; topic < topics; topic++) outstanding -= ledger.next[first + topic]!;
    }
    return outstanding;
  }

  /** Stops waiting for what is still to come; it counts as lost. */
  giveUp(): void {
    const topics = this.forms.length;
    for (const { ledger, firstStream } of this.#receivers) {
      const first = this.#firstStream - firstStream;
      for (let topic = 0; topic < topics; topic++) {
        ledger.passOver(first + topic, Math.ceil((this.sent - topic) / topics));
      }
    }
  }

  /** Messages that this publisher's share of the budget allows to be under way. */
  protected get share(): number {
    return Math.max(1, Math.floor(this.#budget.deliveriesMax / (this.#publishers * this.#receiverCount)));
  }

  /** Messages that may be sent now. */
  protected get room(): number {
    const room = this.share - Math.ceil(this.outstanding / this.#receiverCount);
    return this.pace === undefined ? room : Math.min(room, this.due);
  }

  /** Messages that should have been sent by now and have not been. */
  get due(): number {
    const { pace } = this;
    return pace === undefined ? 0 : pace.schedule.dueOf(pace.publisher, performance.now()) - this.sent;
  }

  /** At least 1: in a mix it may be that nobody hears a publisher. */
  get #receiverCount(): number {
    return Math.max(1, this.#receivers.length);
  }
}

export type { Publisher };

/** Bytes of a write at QoS 0. A Node broker reads as much at once. */
const blockBytes = 65_536;

/**
 * QoS 0: writes blocks of packets that were made beforehand, in which only the counters change. The topics take turns in the
 * block, so a write begins at the packet whose topic is next; there is one round of topics more than a write takes.
 */
export class StreamPublisher extends Publisher {
  readonly #block: Uint8Array;
  /** Packets in one write. */
  readonly #capacity: number;

  constructor(options: PublisherOptions) {
    super(options);
    const { forms } = options;
    const stride = forms[0]!.template.length;
    this.#capacity = Math.max(1, Math.min(this.share, Math.floor(blockBytes / stride)));
    const packets = this.#capacity + forms.length - 1;
    this.#block = new Uint8Array(packets * stride);
    for (let index = 0; index < packets; index++) {
      this.#block.set(forms[index % forms.length]!.template, index * stride);
    }
  }

  endTurn(): void {
    // Not in drops: a part of the share comes together before it is sent on, unless there is a time for each message.
    const countMin = this.pace === undefined ? Math.max(1, Math.min(this.#capacity, Math.floor(this.share / 4))) : 1;
    while (!this.isStopped && !this.link.isCongested) {
      const room = this.room;
      if (room < countMin) return;
      this.#send(Math.min(room, this.#capacity));
    }
  }

  override nudge(): void {
    const isDue = this.pace === undefined || this.due > 0;
    if (isDue && !this.isStopped && !this.link.isCongested) this.#send(1);
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    throw unexpectedPacket(bytes, offset, body, end);
  }

  #send(count: number): void {
    const topics = this.forms.length;
    const { template, counterOffset } = this.forms[0]!;
    const stride = template.length;
    const block = this.#block;
    const start = (this.sent % topics) * stride;
    let topic = this.sent % topics;
    let counter = Math.floor(this.sent / topics);
    let at = start + counterOffset;
    for (let index = 0; index < count; index++) {
      writeCounter(block, at, counter);
      at += stride;
      topic++;
      if (topic === topics) {
        topic = 0;
        counter++;
      }
    }
    this.sent += count;
    this.link.write(block.subarray(start, start + count * stride));
  }
}

/** What a packet identifier of a publisher is waiting for. */
const free = 0;
const awaitingPuback = 1;
const awaitingPubrec = 2;
const awaitingPubcomp = 3;

/** QoS 1 and 2: sends the next message when one is acknowledged to the end. */
export class WindowPublisher extends Publisher {
  readonly #qos: QoS;
  /** Unacknowledged messages at once. */
  readonly #windowMax: number;
  #unacknowledged = 0;
  /** By packet identifier. */
  readonly #states = new Uint8Array(65_536);
  #packetIdentifier = 0;
  /** In a paced run: when the message was due, by packet identifier. */
  readonly #dueMs = new Map<number, number>();

  /** @param windowMax unacknowledged messages at once, 1 to 65,535 */
  constructor(options: PublisherOptions, qos: 1 | 2, windowMax: number) {
    super(options);
    this.#qos = qos;
    this.#windowMax = windowMax;
  }

  override get unacknowledged(): number {
    return this.#unacknowledged;
  }

  endTurn(): void {
    if (!this.isStopped && !this.link.isCongested) {
      const count = Math.min(this.#windowMax - this.#unacknowledged, this.room);
      if (count > 0) this.#append(count);
    }
    this.link.flush();
  }

  takePacket(bytes: Uint8Array, offset: number, body: number, end: number): void {
    const first = bytes[offset]!;
    const packetIdentifier = (bytes[body]! << 8) | bytes[body + 1]!;
    const state = this.#states[packetIdentifier];
    // MQTT 5 may add a Reason Code, of which those from 0x80 on are failures.
    const reasonCode = end - body > 2 ? bytes[body + 2]! : 0;
    if (reasonCode >= 0x80) throw new LoadError(`the broker refuses a message with code 0x${reasonCode.toString(16)}`);
    if (first === firstByte.pubrec && state === awaitingPubrec) {
      this.#states[packetIdentifier] = awaitingPubcomp;
      this.link.reserve(4);
      this.link.appendAcknowledgement(firstByte.pubrel, packetIdentifier);
    } else if (
      (first === firstByte.puback && state === awaitingPuback) ||
      (first === firstByte.pubcomp && state === awaitingPubcomp)
    ) {
      this.#states[packetIdentifier] = free;
      this.#unacknowledged--;
      if (this.pace !== undefined) this.#recordAcknowledgement(this.pace, packetIdentifier);
    } else {
      throw unexpectedPacket(bytes, offset, body, end);
    }
  }

  #append(count: number): void {
    const topics = this.forms.length;
    this.link.reserve(count * this.forms[0]!.template.length);
    for (let index = 0; index < count; index++) {
      const { template, packetIdentifierOffset, counterOffset } = this.forms[this.sent % topics]!;
      const packetIdentifier = this.#nextIdentifier();
      template[packetIdentifierOffset] = packetIdentifier >> 8;
      template[packetIdentifierOffset + 1] = packetIdentifier & 0xff;
      writeCounter(template, counterOffset, Math.floor(this.sent / topics));
      if (this.pace !== undefined) {
        this.#dueMs.set(packetIdentifier, this.pace.schedule.dueMs(this.pace.publisher, this.sent));
      }
      this.sent++;
      this.link.append(template);
    }
    this.#unacknowledged += count;
  }

  #recordAcknowledgement(pace: Pace, packetIdentifier: number): void {
    const dueMs = this.#dueMs.get(packetIdentifier);
    this.#dueMs.delete(packetIdentifier);
    if (dueMs !== undefined && dueMs >= pace.fromMs) pace.acknowledgements.record(performance.now() - dueMs);
  }

  /** Identifiers go round, as clients give them out; the window is smaller than their number, so a free one is found. */
  #nextIdentifier(): number {
    do {
      this.#packetIdentifier = this.#packetIdentifier === 65_535 ? 1 : this.#packetIdentifier + 1;
    } while (this.#states[this.#packetIdentifier] !== free);
    this.#states[this.#packetIdentifier] = this.#qos === 1 ? awaitingPuback : awaitingPubrec;
    return this.#packetIdentifier;
  }
}

function writeCounter(bytes: Uint8Array, at: number, counter: number): void {
  bytes[at] = counter >>> 24;
  bytes[at + 1] = counter >>> 16;
  bytes[at + 2] = counter >>> 8;
  bytes[at + 3] = counter;
}
