/**
 * The keys of the records, big-endian, so that they sort as their numbers do. What makes one returns the same bytes at every call: they
 * are to be copied, or used up, before the next.
 *
 *     message        sequence number (8)
 *     session        number (4), given to it when it is first put and never again
 *     subscription   session (4), SHA-256 of the filter as requested (32)
 *     delivery       session (4), position (8)
 *     inbound        session (4), Packet Identifier (2)
 *     retained       0, topic; or 1, SHA-256 of the topic where that is shorter than the topic
 */
import { createHash } from 'node:crypto';

const messageKeyBytes = new Uint8Array(8);
const sessionKeyBytes = new Uint8Array(4);
const subscriptionKeyBytes = new Uint8Array(36);
const deliveryKeyBytes = new Uint8Array(12);
const inboundKeyBytes = new Uint8Array(6);
/** Bytes of a topic that stands in its key as it is. */
const plainTopicMax = 500;

export function messageKey(sequence: number): Uint8Array {
  setLong(messageKeyBytes, 0, sequence);
  return messageKeyBytes;
}

export function sessionKey(session: number): Uint8Array {
  setInteger(sessionKeyBytes, 0, session);
  return sessionKeyBytes;
}

export function subscriptionKey(session: number, requestedFilter: string): Uint8Array {
  setInteger(subscriptionKeyBytes, 0, session);
  subscriptionKeyBytes.set(createHash('sha256').update(requestedFilter).digest(), 4);
  return subscriptionKeyBytes;
}

export function deliveryKey(session: number, position: number): Uint8Array {
  setInteger(deliveryKeyBytes, 0, session);
  setLong(deliveryKeyBytes, 4, position);
  return deliveryKeyBytes;
}

export function inboundKey(session: number, packetIdentifier: number): Uint8Array {
  setInteger(inboundKeyBytes, 0, session);
  inboundKeyBytes[4] = packetIdentifier >>> 8;
  inboundKeyBytes[5] = packetIdentifier;
  return inboundKeyBytes;
}

export function retainedKey(topicName: string): Uint8Array {
  const topic = Buffer.from(topicName, 'utf8');
  const isPlain = topic.length <= plainTopicMax;
  const rest = isPlain ? topic : createHash('sha256').update(topic).digest();
  const key = new Uint8Array(1 + rest.length);
  key[0] = isPlain ? 0 : 1;
  key.set(rest, 1);
  return key;
}

/** The session that a key begins with, and the number of a `message`. */
export function integerAt(key: Uint8Array, offset: number): number {
  return (
    (key[offset] as number) * 0x100_0000 +
    (((key[offset + 1] as number) << 16) | ((key[offset + 2] as number) << 8) | (key[offset + 3] as number))
  );
}

export function longAt(key: Uint8Array, offset: number): number {
  return integerAt(key, offset) * 0x1_0000_0000 + integerAt(key, offset + 4);
}

function setInteger(key: Uint8Array, offset: number, value: number): void {
  key[offset] = value >>> 24;
  key[offset + 1] = value >>> 16;
  key[offset + 2] = value >>> 8;
  key[offset + 3] = value;
}

function setLong(key: Uint8Array, offset: number, value: number): void {
  setInteger(key, offset, Math.floor(value / 0x1_0000_0000));
  setInteger(key, offset + 4, value % 0x1_0000_0000);
}
