/** The fixed header: how long a packet is. [MQTT 5.0 §2.1] */

/** Bytes that a fixed header has at most: the first byte and four of Remaining Length. */
export const headerBytesMax = 5;

/**
 * Size in bytes, fixed header included, of the packet that begins at `start`; 0 if `end` comes before the end of its Remaining Length, -1 if that has
 * more than four bytes.
 */
export function packetSizeOf(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  let factor = 1;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at]!;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) return at + 1 - start + length;
    if (at - start === 4) return -1;
    factor *= 0x80;
  }
  return 0;
}

/** Where the variable header begins of a packet whose Remaining Length is whole. */
export function bodyStartOf(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < start + 4 && bytes[at]! >= 0x80) at++;
  return at + 1;
}
