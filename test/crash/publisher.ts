/** Publishes numbered messages as fast as they are acknowledged, and notes every acknowledgement. */
import type { ReadPacket } from '../support/packet-reader.ts';
import { publish, publish5, pubrel } from '../support/raw-packets.ts';
import { newTopic, type TopicRecord } from './journal.ts';
import { Peer, type PeerOptions } from './peer.ts';

/** Messages without their last acknowledgement at a time. */
const windowSize = 12;
const retainedTopicCount = 8;

interface Open {
  readonly record: TopicRecord;
  readonly number: number;
  readonly retain: boolean;
  isReleased: boolean;
}

export class Publisher extends Peer {
  /** Topics that subscribers follow. */
  readonly topics: readonly TopicRecord[];
  /** Topics with retained messages. */
  readonly retainedTopics: readonly TopicRecord[];
  isPublishing = true;
  readonly #open = new Map<number, Open>();
  #nextIdentifier = 1;

  constructor(options: PeerOptions) {
    super(options);
    this.topics = ([1, 2] as const).map((qos) => newTopic(`c/${options.name}/${qos}`, qos));
    this.retainedTopics = Array.from({ length: retainedTopicCount }, (_, index) =>
      newTopic(`r/${options.name}/${index}`, index % 2 === 0 ? 1 : 2),
    );
  }

  /** Messages begun and not done. */
  get unfinished(): number {
    return this.#open.size;
  }

  protected onConnected(): void {
    for (const [identifier, open] of this.#open) {
      if (open.isReleased) this.send(pubrel(identifier));
      else this.#sendMessage(identifier, open, true);
    }
    this.#publish();
  }

  protected onPacket(packet: ReadPacket): void {
    const identifier = packet.id ?? 0;
    const open = this.#open.get(identifier);
    const code = packet.code ?? 0;
    if (code >= 0x80 && !(packet.name === 'PUBCOMP' && code === 0x92)) this.complain(`${packet.name} with ${code}`);
    switch (packet.name) {
      case 'PUBACK':
        open?.record.acknowledged.add(open.number);
        this.#complete(identifier);
        break;
      case 'PUBREC':
        if (open !== undefined) {
          open.record.acknowledged.add(open.number);
          open.isReleased = true;
        }
        this.send(pubrel(identifier));
        break;
      case 'PUBCOMP':
        this.#complete(identifier);
        break;
      default:
        this.complain(`got a ${packet.name}`);
    }
    this.#publish();
  }

  #complete(identifier: number): void {
    const open = this.#open.get(identifier);
    if (open === undefined) return;
    open.record.completed = Math.max(open.record.completed, open.number);
    this.#open.delete(identifier);
  }

  #publish(): void {
    while (this.isPublishing && this.isConnected && this.#open.size < windowSize) {
      const isRetained = this.random.oneIn(4);
      const records = isRetained ? this.retainedTopics : this.topics;
      const record = records[this.random.below(records.length)] as TopicRecord;
      const open = { record, number: ++record.sent, retain: isRetained, isReleased: false };
      if (isRetained && this.random.oneIn(5)) record.clears.add(open.number);
      do this.#nextIdentifier = (this.#nextIdentifier % 65_535) + 1;
      while (this.#open.has(this.#nextIdentifier));
      this.#open.set(this.#nextIdentifier, open);
      this.#sendMessage(this.#nextIdentifier, open, false);
    }
  }

  #sendMessage(id: number, { record, number, retain }: Open, dup: boolean): void {
    const payload = record.clears.has(number) ? '' : `${number} ${'x'.repeat(number % 200)}`;
    const fields = { qos: record.qos, id, dup, retain };
    this.send(this.version === 5 ? publish5(record.topic, payload, fields) : publish(record.topic, payload, fields));
  }
}
