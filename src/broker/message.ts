/** The Application Message inside the broker: read-only and shared by all its receivers. */
import type { PropertiesOf } from '../protocol/properties.ts';
import type { QoS } from '../protocol/version.ts';
import { payloadBytes, type RestingPayload, restingPayload, stringPayloadMax } from './resting-payload.ts';

/** The properties that go from publisher to subscriber unaltered. [MQTT 5.0 §3.3.2.3] */
export type MessageProperties = Omit<
  PropertiesOf<'PUBLISH'>,
  'topicAlias' | 'subscriptionIdentifiers' | 'messageExpiryInterval'
>;

/** Who published a message, for No Local and for `check_retain_source`. */
export interface Publisher {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  /** The listener it came through, by position: access rules may be per listener. */
  readonly listenerIndex: number;
}

/** A payload that rests in the store. */
export interface StoredPayload {
  /** Bytes. */
  readonly length: number;
  /** @throws {MqttError} `MQTT_ERR_STORAGE` if the store cannot give it back */
  read(): Uint8Array;
}

export class Message {
  readonly topicName: string;
  /** Bytes of payload, known without reading it. */
  readonly payloadLength: number;
  /** As published. */
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties: MessageProperties | undefined;
  /** Milliseconds since the epoch after which it is not to be delivered any more; 0 if it never expires. */
  readonly expiresAt: number;
  /** Undefined for what the broker itself publishes. */
  readonly publisher: Publisher | undefined;
  /** The store's own note of where it keeps the message; nobody else's business. */
  stored: StoredPayload | undefined;
  /** Undefined while the payload is in the store only. */
  #payload: RestingPayload | undefined;
  #isPinned = false;

  /** @param stored where the payload is to be read from when it is asked for; `payload` is then nothing */
  constructor(
    topicName: string,
    payload: Uint8Array,
    qos: QoS,
    retain: boolean,
    properties: MessageProperties | undefined,
    expiresAt: number,
    publisher: Publisher | undefined,
    stored?: StoredPayload,
  ) {
    this.topicName = topicName;
    this.payloadLength = stored === undefined ? payload.length : stored.length;
    this.qos = qos;
    this.retain = retain;
    this.properties = properties;
    this.expiresAt = expiresAt;
    this.publisher = publisher;
    this.stored = stored;
    this.#payload = stored === undefined ? payload : undefined;
  }

  /** @throws {MqttError} `MQTT_ERR_STORAGE` if it rests in the store and cannot be read */
  get payload(): Uint8Array {
    const payload = this.#payload;
    return typeof payload === 'object' ? payload : this.#readPayload();
  }

  /** Whether the payload takes memory now. */
  get isInMemory(): boolean {
    return this.#payload !== undefined;
  }

  /** The store has the payload: from now on it is read from there when it is asked for. */
  releasePayload(): void {
    if (this.stored !== undefined && !this.#isPinned) this.#payload = undefined;
  }

  /** The payload stays in memory as long as the message: a program has it in its hands, and may look at it whenever it likes. */
  pinPayload(): void {
    this.#isPinned = true;
  }

  /** The payload is about to leave the store: it is kept in memory again. */
  keepPayload(): void {
    this.#payload ??= this.#readPayload();
  }

  /** It may wait for long: if the payload is short, it is kept as a string, of which bytes are made each time they are asked for. */
  compactPayload(): void {
    const payload = this.#payload;
    if (typeof payload !== 'object' || payload.length > stringPayloadMax || this.#isPinned) return;
    this.#payload = restingPayload(payload, 0, payload.length);
  }

  #readPayload(): Uint8Array {
    if (this.#payload !== undefined) return payloadBytes(this.#payload);
    return (this.stored as StoredPayload).read();
  }
}

/** Bytes that are kept may keep a whole network chunk alive; from this share of it on they are worth a copy. */
const viewShareMin = 4;

/** The payload as bytes that pin no more memory than about their own size, for whoever keeps them. */
export function ownPayload(payload: Uint8Array): Uint8Array {
  if (payload.length * viewShareMin >= payload.buffer.byteLength) return payload;
  if (payload.length === 0) return emptyPayload;
  return Uint8Array.prototype.slice.call(payload);
}

const emptyPayload = new Uint8Array(0);

/** The same Message with a payload of its own: for a QoS 0 message that is to be kept. */
export function withOwnPayload(message: Message): Message {
  const payload = ownPayload(message.payload);
  if (payload === message.payload) return message;
  return new Message(
    message.topicName,
    payload,
    message.qos,
    message.retain,
    message.properties,
    message.expiresAt,
    message.publisher,
  );
}
