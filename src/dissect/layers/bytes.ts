/** Numbers from bytes in network byte order. What lies behind the end counts as 0. */

export function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function uint24At(bytes: Uint8Array, at: number): number {
  return (uint16At(bytes, at) << 8) | (bytes[at + 2] ?? 0);
}

/** Unsigned. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return ((uint16At(bytes, at) << 16) | uint16At(bytes, at + 2)) >>> 0;
}
