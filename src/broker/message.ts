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
  payloadLength: number;
  /**
   * The PUBLISH it came in, if receivers may be sent that as it is but for the Packet Identifier: of QoS 1 or 2, without DUP, RETAIN and
   * properties. It begins at `packetStart` and ends with the payload.
   */
  packet: Uint8Array | undefined = undefined;
  packetStart = 0;
  /** Where the Packet Identifier lies in `packet`. */
  identifierStart = 0;
  /** Where the payload begins in `packet`: 2 bytes behind the Packet Identifier, 3 in MQTT 5, which has a property length of 0 there. */
  payloadStart = 0;
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
  /** Undefined while the payload is in `packet` or in the store only. */
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

  /**
   * A message that goes on in the bytes it came in, see `packet`; nothing is copied, and no view of the payload made before it is asked for.
   * @param end where the packet ends in `packet`
   */
  static ofPacket(
    topicName: string,
    packet: Uint8Array,
    packetStart: number,
    identifierStart: number,
    payloadStart: number,
    end: number,
    qos: QoS,
    publisher: Publisher | undefined,
  ): Message {
    const message = new Message(topicName, emptyPayload, qos, false, undefined, 0, publisher);
    message.payloadLength = end - payloadStart;
    message.packet = packet;
    message.packetStart = packetStart;
    message.identifierStart = identifierStart;
    message.payloadStart = payloadStart;
    message.#payload = undefined;
    return message;
  }

  /** Where `packet` ends. */
  get packetEnd(): number {
    return this.payloadStart + this.payloadLength;
  }

  /** Whether `packet` is one of MQTT 5, and not of 3.1 or 3.1.1. */
  get isPacketV5(): boolean {
    return this.payloadStart - this.identifierStart === 3;
  }

  /** @throws {MqttError} `MQTT_ERR_STORAGE` if it rests in the store and cannot be read */
  get payload(): Uint8Array {
    const payload = this.#payload;
    return typeof payload === 'object' ? payload : this.#readPayload();
  }

  /** Whether the payload takes memory now. */
  get isInMemory(): boolean {
    return this.#payload !== undefined || this.packet !== undefined;
  }

  /** The store has the payload: from now on it is read from there when it is asked for. */
  releasePayload(): void {
    if (this.stored === undefined || this.#isPinned) return;
    this.#payload = undefined;
    this.packet = undefined;
  }

  /** The payload stays in memory as long as the message: a program has it in its hands, and may look at it whenever it likes. */
  pinPayload(): void {
    this.#isPinned = true;
  }

  /** The payload is about to leave the store: it is kept in memory again. */
  keepPayload(): void {
    this.#payload ??= this.#readPayload();
  }

  /**
   * It may wait for long: if the payload is short, it is kept as a string, of which bytes are made each time they are asked for; and nothing
   * holds the bytes of other messages that it came with.
   */
  compactPayload(): void {
    if (this.#isPinned || typeof this.#payload === 'string' || !this.isInMemory) return;
    const { payload } = this;
    this.packet = undefined;
    this.#payload =
      payload.length > stringPayloadMax ? ownPayload(payload) : restingPayload(payload, 0, payload.length);
  }

  #readPayload(): Uint8Array {
    if (this.#payload !== undefined) return payloadBytes(this.#payload);
    if (this.packet === undefined) return (this.stored as StoredPayload).read();
    this.#payload = this.packet.subarray(this.payloadStart, this.packetEnd);
    return this.#payload;
  }
}

/** Bytes that are kept may keep a whole network chunk alive; from this share of it on they are worth a copy. */
const viewShareMin = 4;

/** Whether `length` bytes may be kept as they lie there, since they keep not much more than themselves alive. */
export function isOwn(bytes: Uint8Array, length: number): boolean {
  return length * viewShareMin >= bytes.buffer.byteLength;
}

/** The payload as bytes that pin no more memory than about their own size, for whoever keeps them. */
export function ownPayload(payload: Uint8Array): Uint8Array {
  if (isOwn(payload, payload.length)) return payload;
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
