/** Which format a payload has: what is said of it, and what its bytes show. */
import { readCbor } from './cbor.ts';
import { readJson } from './json-reader.ts';
import { readMessagePack } from './message-pack.ts';
import { PayloadFault, type PayloadNode } from './payload-node.ts';
import { decodeExactly, isReadable } from './payload-text.ts';
import { isSparkplugTopic } from './sparkplug.ts';

export type PayloadFormat = 'text' | 'json' | 'cbor' | 'msgpack' | 'sparkplug' | 'hex';

/** In the order in which help lists them. */
export const payloadFormats: readonly PayloadFormat[] = ['text', 'json', 'cbor', 'msgpack', 'sparkplug', 'hex'];

export interface FormatHints {
  readonly topic?: string | undefined;
  readonly contentType?: string | undefined;
}

/** By the type without parameters; a suffix (`application/senml+cbor`) counts as well. [RFC 6838 §4.2.8] */
const typePatterns: readonly (readonly [pattern: RegExp, format: PayloadFormat])[] = [
  [/^(application|text)\/(.*\+)?json$/, 'json'],
  [/^application\/(.*\+)?cbor(-seq)?$/, 'cbor'],
  [/^application\/((x-|vnd\.)?msgpack|.*\+msgpack)$/, 'msgpack'],
  [/^text\//, 'text'],
];

/** What topic and content type say; undefined if nothing, or nothing that is known here. */
export function declaredFormat({ topic, contentType }: FormatHints): PayloadFormat | undefined {
  if (topic !== undefined && isSparkplugTopic(topic)) return 'sparkplug';
  if (contentType !== undefined) {
    const type = contentType.slice(0, 256).split(';', 1)[0]!.trim().toLowerCase();
    const known = typePatterns.find(([pattern]) => pattern.test(type));
    if (known !== undefined) return known[1];
  }
  return undefined;
}

export interface FormatGuess {
  readonly format: PayloadFormat;
  /** Decoded already, because that was the way to find out. */
  readonly root: PayloadNode | undefined;
}

/**
 * What the bytes look like. Text is text, and JSON if all of it is an object or an array. Of what is no text, CBOR and MessagePack only
 * where no doubt is left: CBOR that says so itself, or an object with names of which the other format makes nothing.
 */
export function guessFormat(bytes: Uint8Array): FormatGuess {
  const text = decodeExactly(bytes, 0, bytes.length);
  if (text !== undefined && isReadable(text)) {
    const root = /^\uFEFF?[ \t\r\n]*[[{]/.test(text) ? attempt(readJson, bytes) : undefined;
    return { format: root === undefined ? 'text' : 'json', root };
  }
  const cbor = attempt(readCbor, bytes);
  if (cbor !== undefined && bytes[0] === 0xd9 && bytes[1] === 0xd9 && bytes[2] === 0xf7)
    return { format: 'cbor', root: cbor };
  const messagePack = attempt(readMessagePack, bytes);
  if (isNamed(cbor) && !isNamed(messagePack)) return { format: 'cbor', root: cbor };
  if (isNamed(messagePack) && !isNamed(cbor)) return { format: 'msgpack', root: messagePack };
  return { format: 'hex', root: undefined };
}

/** Whether it is an object with members, all with readable names. */
function isNamed(root: PayloadNode | undefined): boolean {
  if (root === undefined || !root.opening.startsWith('{') || root.children.length === 0) return false;
  return root.children.every(({ name }) => name !== undefined && /^"[^"\\]/.test(name));
}

function attempt(read: (bytes: Uint8Array) => PayloadNode, bytes: Uint8Array): PayloadNode | undefined {
  try {
    return read(bytes);
  } catch (error) {
    if (error instanceof PayloadFault) return undefined;
    throw error;
  }
}
