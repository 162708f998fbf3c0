/** CRC-32 as in Ethernet, zip and PNG: reflected, polynomial 0xEDB88320, all ones before and after. */
import * as zlib from 'node:zlib';

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value >>> 0;
});

/** Node's own, since 20.15; below this many bytes the call costs more than the loop (Node 20: 128 bytes 0.3 µs either way). */
const nativeBytesMin = 128;
const native = (zlib as { crc32?: (data: Uint8Array, value: number) => number }).crc32;

/**
 * The checksum of `bytes[start..end)`.
 * @param before the checksum of the bytes that go before them; default: none do
 */
export function crc32(bytes: Uint8Array, start: number, end: number, before = 0): number {
  if (native !== undefined && end - start >= nativeBytesMin) return native(bytes.subarray(start, end), before);
  return crc32ByTable(bytes, start, end, before);
}

/** The same, without help. */
export function crc32ByTable(bytes: Uint8Array, start: number, end: number, before = 0): number {
  let crc = ~before;
  for (let position = start; position < end; position++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[position] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}
