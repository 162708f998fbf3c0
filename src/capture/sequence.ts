/**
 * Arithmetic of TCP sequence numbers, which wrap around at 2^32. State keeps them as signed 32-bit counts from a direction's first number, which wrap
 * the same way; nothing compares two of them but by their distance.
 */

/** Bytes from one number to another, −2^31 to 2^31 − 1: positive if `to` is the later one. */
export function sequenceDistance(from: number, to: number): number {
  return (to - from) | 0;
}

/** The number so many bytes further on. */
export function sequenceAfter(sequence: number, bytes: number): number {
  return (sequence + bytes) | 0;
}
