/** Where pcapng that was written only in part ends with a whole block, so that it can be read to its end. */

const packetBlock = 6;
/** Type, length, and length once more. */
const blockBytesMin = 12;

export interface WholeBlocks {
  /** Bytes up to the end of the last whole block. */
  readonly end: number;
  /** Frames behind it. */
  readonly lostFrames: number;
}

/**
 * @param bytes - whole blocks, little-endian
 * @param written - how many of the bytes were written
 */
export function wholeBlocks(bytes: Uint8Array, written: number): WholeBlocks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  let lostFrames = 0;
  for (let at = 0; at + blockBytesMin <= bytes.length; ) {
    const next = at + Math.max(blockBytesMin, view.getUint32(at + 4, true));
    if (next <= written) end = next;
    else if (view.getUint32(at, true) === packetBlock) lostFrames++;
    at = next;
  }
  return { end, lostFrames };
}
