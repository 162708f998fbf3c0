/**
 * Very many topics of one length, so that packets can be made once and their topics changed in place: number n is
 * `PREFIX/0001/234` for 1,234. Levels of a thousand, as in real trees, rather than one of a million.
 */

/** Four digits and three. */
export const numberedTopicsMax = 10_000_000;

export function numberedTopic(prefix: string, number: number): string {
  return `${prefix}/${String(Math.floor(number / 1000)).padStart(4, '0')}/${String(number % 1000).padStart(3, '0')}`;
}

/** Bytes at the end of the topic that differ: `0001/234`. */
export const numberBytes = 8;

/** Writes the digits of a number over those of another. @param at where the digits begin */
export function writeNumber(bytes: Uint8Array, at: number, number: number): void {
  const zero = 0x30;
  let left = number;
  for (let digit = numberBytes - 1; digit >= 0; digit--) {
    // The slash between the levels.
    if (digit === 4) continue;
    bytes[at + digit] = zero + (left % 10);
    left = Math.floor(left / 10);
  }
}
