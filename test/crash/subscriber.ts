/** Receives with QoS logic of its own, answers after a while, and notes what its application would see. */
import type { ReadPacket } from '../support/packet-reader.ts';
import { puback, pubcomp, pubrec, subscribe } from '../support/raw-packets.ts';
import type { Received } from './journal.ts';
import { Peer, type PeerOptions } from './peer.ts';

/** Milliseconds at most until it answers. */
const answerMs = 25;

export interface SubscriberOptions extends PeerOptions {
  readonly qos: 1 | 2;
}

export class Subscriber extends Peer {
  readonly received: Received;
  isSubscribed = false;
  /** QoS 2 identifiers that were delivered and not released yet. */
  readonly #open = new Set<number>();
  #lastAnswerAt = 0;

  constructor(options: SubscriberOptions) {
    super(options);
    this.received = { subscriber: options.name, qos: options.qos, byTopic: new Map() };
  }

  protected onConnected(): void {
    // Once: from its SUBACK on the broker has the subscription.
    if (this.isSubscribed) return;
    this.send(subscribe(1, [['c/#', this.received.qos]], this.version === 5 ? [] : undefined));
  }

  protected override onSessionLost(): void {
    this.#open.clear();
    this.isSubscribed = false;
  }

  protected onPacket(packet: ReadPacket): void {
    const identifier = packet.id ?? 0;
    switch (packet.name) {
      case 'SUBACK':
        if (packet.codes?.[0] !== this.received.qos) this.complain(`SUBACK with ${packet.codes?.join()}`);
        this.isSubscribed = true;
        return;
      case 'PUBLISH':
        if (packet.qos === 1) {
          this.#note(packet);
          this.#answer(puback(identifier));
        } else if (packet.qos === 2) {
          if (!this.#open.has(identifier)) this.#note(packet);
          this.#open.add(identifier);
          this.#answer(pubrec(identifier));
        } else {
          this.complain(`got a PUBLISH of QoS ${packet.qos}`);
        }
        return;
      case 'PUBREL':
        this.#open.delete(identifier);
        this.#answer(pubcomp(identifier));
        return;
      default:
        this.complain(`got a ${packet.name}`);
    }
  }

  #note({ topic = '', payload }: ReadPacket): void {
    let numbers = this.received.byTopic.get(topic);
    if (numbers === undefined) {
      numbers = [];
      this.received.byTopic.set(topic, numbers);
    }
    numbers.push(Number.parseInt(String(payload), 10));
  }

  /** In order, each after a while. */
  #answer(bytes: Uint8Array): void {
    const now = performance.now();
    this.#lastAnswerAt = Math.max(this.#lastAnswerAt, now + this.random.below(answerMs));
    this.sendLater(this.#lastAnswerAt - now, bytes);
  }
}
