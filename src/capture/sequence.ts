/**
 * Arithmetic of TCP sequence numbers, which wrap around at 2^32. Everything behind it works with plain numbers that never wrap: a direction counts
 * from its first byte, in as many bits as it takes, and `unwrap` says which of them a number on the wire means.
 */

/** Bytes from one sequence number to another, −2^31 to 2^31 − 1: positive if `to` is the later one. */
export function sequenceDistance(from: number, to: number): number {
  return (to - from) | 0;
}

/**
 * The count that a number on the wire means: of all that have its low 32 bits, the one nearest to `near`.
 * @param base - sequence number that counts as 0
 * @param near - a count that the result must be within 2^31 of
 * @returns possibly below zero, for what was sent before `base`
 */
export function unwrap(sequence: number, base: number, near: number): number {
  return near + ((sequence - base - near) | 0);
}
