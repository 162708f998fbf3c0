/** The few options of TCP that the analysis needs: RFC 9293 §3.2, RFC 7323 §2.2, RFC 2018 §3. */
import type { FrameHeaders } from './frame-headers.ts';

const optionEnd = 0;
const optionNothing = 1;
const optionWindowScale = 3;
const optionSelective = 5;
/** Larger shifts count as this: RFC 7323 §2.3. */
const windowShiftMax = 14;
/** NOP, NOP, timestamps of 10 bytes, and nothing else: what most segments carry. */
const onlyTimestamps = 0x0101080a;

/** The window scale of a SYN; -1 if it has none. */
export function windowShiftOf(headers: FrameHeaders): number {
  const at = findOption(headers, optionWindowScale, 3);
  return at < 0 ? -1 : Math.min(headers.source.bytes[at + 2]!, windowShiftMax);
}

/**
 * Ranges that are acknowledged selectively, as pairs of start and end.
 * @param base - what to count from
 * @returns undefined if there are none
 */
export function selectiveRangesOf(headers: FrameHeaders, base: number): number[] | undefined {
  const at = findOption(headers, optionSelective, 10);
  if (at < 0) return undefined;
  const bytes = headers.source.bytes;
  const ranges: number[] = [];
  const end = at + bytes[at + 1]!;
  for (let edge = at + 2; edge + 8 <= end; edge += 8) {
    ranges.push((wordAt(bytes, edge) - base) | 0, (wordAt(bytes, edge + 4) - base) | 0);
  }
  return ranges;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Where an option of at least so many bytes begins; -1 if there is none. */
function findOption(headers: FrameHeaders, kind: number, lengthMin: number): number {
  const bytes = headers.source.bytes;
  let at = headers.tcpOffset + 20;
  const end = headers.payloadOffset;
  if (end - at === 12 && wordAt(bytes, at) === onlyTimestamps) return -1;
  while (at < end) {
    const found = bytes[at]!;
    if (found === optionEnd) return -1;
    if (found === optionNothing) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[at + 1]! : 0;
    if (length < 2 || at + length > end) return -1;
    if (found === kind && length >= lengthMin) return at;
    at += length;
  }
  return -1;
}
