/** The last message of each topic that was published with RETAIN. [MQTT 5.0 §3.3.1.3] */
import { Expiry, ExpiryHeap } from './expiry-heap.ts';
import { Message, type MessageProperties, type Publisher } from './message.ts';
import { payloadBytes, type RestingPayload, restingPayload } from './resting-payload.ts';
import { RestingPublisher } from './resting-publisher.ts';
import { RetainedCursor } from './retained-cursor.ts';
import { RetainedRecord, RetainedTree } from './retained-tree.ts';

export type { RetainedCursor } from './retained-cursor.ts';
export type { RetainedRecord } from './retained-tree.ts';

/**
 * What became of a message given to `update`: kept; the topic's message taken away by an empty one; refused because as many
 * topics as allowed have one; or an empty one for a topic that had none.
 */
export type RetainedUpdate = 'stored' | 'removed' | 'full' | 'unchanged';

/** What is kept of a message besides topic and payload. */
export type RetainedDetails = Pick<Message, 'qos' | 'properties' | 'expiresAt' | 'publisher'>;

/** Topics that only the broker publishes to. */
const brokerTopics = '$SYS/';

export class RetainedMessages {
  /** Topics that may have a retained message, 0 for no limit. When lowered, what is there stays. */
  maxMessages: number;
  readonly #tree = new RetainedTree();
  readonly #expiries = new ExpiryHeap<RetainedRecord>();
  /** One copy for each publisher. */
  readonly #publishers = new WeakMap<Publisher, RestingPublisher>();
  #count = 0;
  /** Those of the broker itself, which the limit is not for. */
  #ownCount = 0;
  #bytes = 0;

  readonly #onExpired: (topicName: string) => void;

  /** @param onExpired called with the topic of each message that is dropped because it has expired */
  constructor(maxMessages: number, onExpired: (topicName: string) => void = () => {}) {
    this.maxMessages = maxMessages;
    this.#onExpired = onExpired;
  }

  /** Topics with a retained message. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of their payloads. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes note of a message that was published with RETAIN: it replaces the one of its topic, and with an empty payload it only
   * removes it. [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] The payload is copied.
   */
  update(message: Message): RetainedUpdate {
    const { topicName } = message;
    let record = this.#tree.find(topicName);
    if (message.payload.length === 0) {
      if (record === undefined) return 'unchanged';
      this.#remove(record);
      return 'removed';
    }
    if (record === undefined) {
      const isOwn = topicName.startsWith(brokerTopics);
      if (!isOwn && this.maxMessages > 0 && this.#count - this.#ownCount >= this.maxMessages) return 'full';
      record = new RetainedRecord(topicName);
      this.#tree.insert(record);
      this.#count++;
      if (isOwn) this.#ownCount++;
    } else {
      this.#forgetContent(record);
    }
    this.#fill(record, message.payload, 0, message.payload.length, message);
    return 'stored';
  }

  /**
   * Takes a message that was retained before, unless its topic has got one meanwhile; no limit holds for it.
   * @param bytes of which its payload is `bytes[start..end)`, not empty; they are copied
   */
  restore(topicName: string, bytes: Uint8Array, start: number, end: number, details: RetainedDetails): void {
    const record = new RetainedRecord(topicName);
    if (!this.#tree.insert(record)) return;
    this.#count++;
    this.#fill(record, bytes, start, end, details);
  }

  #fill(record: RetainedRecord, bytes: Uint8Array, start: number, end: number, details: RetainedDetails): void {
    record.payload = restingPayload(bytes, start, end);
    record.qos = details.qos;
    record.properties = restingProperties(details.properties);
    record.publisher = this.#restingPublisher(details.publisher);
    this.#bytes += end - start;
    if (details.expiresAt > 0) {
      record.expiry = new Expiry(record, details.expiresAt);
      this.#expiries.add(record.expiry);
    }
  }

  /** The message of one topic, with RETAIN set; also if it has expired, which its `expiresAt` tells. */
  get(topicName: string): Message | undefined {
    const record = this.#tree.find(topicName);
    return record === undefined ? undefined : messageOf(record);
  }

  /**
   * Appends all messages whose topics match a filter to `into`, and drops those of them that have expired. For a filter that
   * may match very many there is `cursor`.
   * @param now milliseconds since the epoch
   */
  match(topicFilter: string, into: Message[], now: number): void {
    const cursor = this.cursor(topicFilter);
    const records: RetainedRecord[] = [];
    while (cursor.next(Number.POSITIVE_INFINITY, records, now));
    for (const record of records) into.push(messageOf(record));
  }

  /**
   * As `match`, some at a time, while messages come and go. What it gives are the records themselves: one that is held on to has the newest
   * payload, and none once it is removed.
   */
  cursor(topicFilter: string): RetainedCursor {
    return new RetainedCursor(this.#tree.root, topicFilter, (record, now) => {
      if (record.expiry === undefined || record.expiry.expiresAt > now) return true;
      this.#remove(record);
      this.#onExpired(record.topicName);
      return false;
    });
  }

  /**
   * Drops what has expired. [MQTT 5.0 §3.3.2.3.3]
   * @param now milliseconds since the epoch
   * @returns how many were dropped
   */
  removeExpired(now: number): number {
    let removed = 0;
    for (
      let first = this.#expiries.peek();
      first !== undefined && first.expiresAt <= now;
      first = this.#expiries.peek()
    ) {
      this.#remove(first.owner);
      this.#onExpired(first.owner.topicName);
      removed++;
    }
    return removed;
  }

  #remove(record: RetainedRecord): void {
    this.#tree.remove(record);
    this.#forgetContent(record);
    this.#count--;
    if (record.topicName.startsWith(brokerTopics)) this.#ownCount--;
  }

  #forgetContent(record: RetainedRecord): void {
    if (record.payload !== undefined) this.#bytes -= record.payload.length;
    record.payload = undefined;
    if (record.expiry === undefined) return;
    this.#expiries.remove(record.expiry);
    record.expiry = undefined;
  }

  #restingPublisher(publisher: Publisher | undefined): Publisher | undefined {
    if (publisher === undefined || publisher instanceof RestingPublisher) return publisher;
    let resting = this.#publishers.get(publisher);
    if (resting === undefined) {
      const { clientIdentifier, username, listenerIndex } = publisher;
      resting = new RestingPublisher(clientIdentifier, username, listenerIndex);
      this.#publishers.set(publisher, resting);
    }
    return resting;
  }
}

/** Correlation Data is the only property that is a view of a chunk. */
function restingProperties(properties: MessageProperties | undefined): MessageProperties | undefined {
  if (properties?.correlationData === undefined) return properties;
  return { ...properties, correlationData: new Uint8Array(properties.correlationData) };
}

/** What a record is, as a Message with RETAIN set. It must not be removed. */
export function messageOf(record: RetainedRecord): Message {
  const { payload, expiry } = record;
  return new Message(
    record.topicName,
    payloadBytes(payload as RestingPayload),
    record.qos,
    true,
    record.properties,
    expiry === undefined ? 0 : expiry.expiresAt,
    record.publisher,
  );
}
