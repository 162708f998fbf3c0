/** Payloads made small: a number to compare them by, and a line to show them. */
import { decodePayload } from '../../payload/decode-payload.ts';

/** Bytes looked at from each end of a long payload. */
const edgeBytes = 4096;
/** Characters of a payload that are shown. */
export const previewCharactersMax = 80;

/**
 * A number that equal payloads share, and others do not but by rare chance: 53 bits of FNV-1a over length and content. Of a payload that was not
 * captured whole only the length counts, as copies of it may be cut elsewhere.
 * @param length - on the wire
 */
export function payloadPrint(bytes: Uint8Array, start: number, end: number, length: number, isCut: boolean): number {
  let low = 0x811c9dc5 ^ length;
  let high = 0x01000193 ^ (length >>> 3);
  if (!isCut) {
    const middle = end - start > 2 * edgeBytes ? start + edgeBytes : end;
    for (let at = start; at < middle; at++) {
      low = Math.imul(low ^ bytes[at]!, 0x01000193);
      high = Math.imul(high ^ bytes[at]!, 0x85ebca6b);
    }
    for (let at = middle === end ? end : end - edgeBytes; at < end; at++) {
      low = Math.imul(low ^ bytes[at]!, 0x01000193);
      high = Math.imul(high ^ bytes[at]!, 0x85ebca6b);
    }
  }
  return (high & 0x1fffff) * 0x100000000 + (low >>> 0);
}

/** One line of a payload, in whatever format it is. */
export function payloadPreview(bytes: Uint8Array, topic: string, contentType?: string, payloadFormat?: number): string {
  const { text } = decodePayload(bytes, { topic, contentType, payloadFormat, charactersMax: previewCharactersMax });
  return text;
}

/** Bytes kept of a payload of which one line is to be shown later. */
const keptBytes = 256;

/**
 * A payload that may be asked for, kept in a copy: views would hold on to all of the capture. Long ones are shown by their beginning, as text or
 * hex only.
 */
export class KeptPayload {
  readonly #bytes: Uint8Array;
  readonly #isWhole: boolean;
  readonly length: number;

  /** @param length - on the wire */
  constructor(bytes: Uint8Array, start: number, end: number, length: number) {
    const kept = Math.min(end, start + keptBytes);
    this.#bytes = bytes.slice(start, kept);
    this.#isWhole = kept - start === length;
    this.length = length;
  }

  text(topic: string): string {
    if (this.#isWhole) return payloadPreview(this.#bytes, topic);
    const { text, isCut } = decodePayload(this.#bytes, { charactersMax: previewCharactersMax });
    return isCut ? text : `${text}…`;
  }
}
