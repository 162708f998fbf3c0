/** Payloads that are kept for long: short ones as strings. */

/**
 * Bytes up to which a payload is kept as a string of one character per byte: a `Uint8Array` of its own costs about 250 bytes
 * besides its content, a string 16. Longer ones are kept outside the engine's heap, which has a limit.
 */
export const stringPayloadMax = 512;

export type RestingPayload = Uint8Array | string;

/** A copy of `bytes[start..end)`: what arrives is a view of a chunk of 64 KiB, which must not stay for the sake of a few bytes. */
export function restingPayload(bytes: Uint8Array, start: number, end: number): RestingPayload {
  if (end - start > stringPayloadMax) return Uint8Array.prototype.slice.call(bytes, start, end);
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString('latin1', start, end);
}

export function payloadBytes(payload: RestingPayload): Uint8Array {
  return typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
}
