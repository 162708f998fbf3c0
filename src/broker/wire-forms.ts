/**
 * The encoded forms of the Message that is being sent: one for each version, QoS and RETAIN flag, made when first asked for and then
 * shared by all receivers, who only patch in their Packet Identifier. Nothing is allocated per message.
 */
import { ByteWriter } from '../base/byte-writer.ts';
import { encodePublish } from '../codec/index.ts';
import { PacketType } from '../protocol/packet-types.ts';
import type { ProtocolVersion, QoS } from '../protocol/version.ts';
import type { Message } from './message.ts';

const slotCount = 12;
/** A scratch buffer that one huge message made huge is not kept. */
const scratchBytesMax = 1024 * 1024;

export class WireForms {
  /** Where the form last asked for lies: `bytes[start..end)`, its Packet Identifier (if it has one) at `identifierOffset`. */
  bytes: Uint8Array;
  start = 0;
  end = 0;
  identifierOffset = 0;
  #writer = new ByteWriter(4096);
  #message: Message | undefined;
  readonly #starts = new Int32Array(slotCount).fill(-1);
  readonly #ends = new Int32Array(slotCount);

  constructor() {
    this.bytes = this.#writer.bytes;
  }

  /** Points `bytes`, `start`, `end` and `identifierOffset` at the form. `now` is in milliseconds since the epoch. */
  select(message: Message, version: ProtocolVersion, qos: QoS, retain: boolean, now: number): void {
    // A message that expires carries the time it has left, which changes. [MQTT-3.3.2-6]
    if (message !== this.#message || message.expiresAt !== 0) this.#reset(message);
    const slot = (version === 5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0);
    if (this.#starts[slot] === -1) this.#encode(slot, message, version, qos, retain, now);
    this.bytes = this.#writer.bytes;
    this.start = this.#starts[slot] as number;
    this.end = this.#ends[slot] as number;
    if (qos !== 0) this.identifierOffset = identifierOffset(this.bytes, this.start);
  }

  /** Forgets the message, so that nothing of it is kept alive. */
  clear(): void {
    this.#reset(undefined);
  }

  #reset(message: Message | undefined): void {
    this.#message = message;
    this.#starts.fill(-1);
    if (this.#writer.bytes.length > scratchBytesMax) this.#writer = new ByteWriter(4096);
    else this.#writer.length = 0;
  }

  #encode(slot: number, message: Message, version: ProtocolVersion, qos: QoS, retain: boolean, now: number): void {
    this.#starts[slot] = this.#writer.length;
    encodeMessage(this.#writer, message, message.topicName, version, qos, retain, undefined, 0, now);
    this.#ends[slot] = this.#writer.length;
  }
}

/** Where the Packet Identifier of an encoded PUBLISH of QoS 1 or 2 lies. */
export function identifierOffset(bytes: Uint8Array, start: number): number {
  let offset = start + 1;
  while ((bytes[offset++] as number) >= 0x80);
  return offset + 2 + (((bytes[offset] as number) << 8) | (bytes[offset + 1] as number));
}

/**
 * Appends a Message as a PUBLISH with Packet Identifier 1 where it has one, to be patched.
 * @param topicName what the receiver is to read, empty if `topicAlias` stands for it
 * @param topicAlias 0 for none
 */
export function encodeMessage(
  writer: ByteWriter,
  message: Message,
  topicName: string,
  version: ProtocolVersion,
  qos: QoS,
  retain: boolean,
  subscriptionIdentifiers: readonly number[] | undefined,
  topicAlias: number,
  now: number,
): void {
  encodePublish(
    writer,
    {
      type: PacketType.PUBLISH,
      topicName,
      payload: message.payload,
      qos,
      retain,
      dup: false,
      packetIdentifier: qos === 0 ? 0 : 1,
      properties: version === 5 ? deliveredProperties(message, subscriptionIdentifiers, topicAlias, now) : undefined,
    },
    version,
  );
}

/**
 * Appends a PUBLISH of QoS 0 without properties.
 * @param topicName a Topic Name that was received
 * @param payload one character per byte, not many: each is written by itself
 * @returns false, and nothing is appended, if the topic is not of ASCII characters only, or the packet is of 16 KiB or more
 */
export function appendShortPublish(
  writer: ByteWriter,
  topicName: string,
  payload: string,
  retain: boolean,
  version: ProtocolVersion,
): boolean {
  const isV5 = version === 5;
  const remainingLength = 2 + topicName.length + (isV5 ? 1 : 0) + payload.length;
  if (remainingLength >= 16_384) return false;
  writer.ensure(3 + remainingLength);
  const start = writer.length;
  writer.writeUint8(retain ? 0x31 : 0x30);
  writer.writeVariableByteInteger(remainingLength);
  if (writer.writeUtf8(topicName) !== topicName.length) {
    writer.length = start;
    return false;
  }
  if (isV5) writer.writeUint8(0);
  const { bytes } = writer;
  let position = writer.length;
  for (let index = 0; index < payload.length; index++) bytes[position++] = payload.charCodeAt(index);
  writer.length = position;
  return true;
}

function deliveredProperties(
  message: Message,
  subscriptionIdentifiers: readonly number[] | undefined,
  topicAlias: number,
  now: number,
) {
  if (
    message.properties === undefined &&
    message.expiresAt === 0 &&
    subscriptionIdentifiers === undefined &&
    topicAlias === 0
  ) {
    return undefined;
  }
  return {
    ...message.properties,
    ...(message.expiresAt === 0 ? undefined : { messageExpiryInterval: secondsLeft(message.expiresAt, now) }),
    ...(subscriptionIdentifiers === undefined ? undefined : { subscriptionIdentifiers }),
    ...(topicAlias === 0 ? undefined : { topicAlias }),
  };
}

/** Whole seconds until then, rounded up, so that a message is never announced as expired while it is not. */
function secondsLeft(expiresAt: number, now: number): number {
  return Math.max(0, Math.ceil((expiresAt - now) / 1000));
}
