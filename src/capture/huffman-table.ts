/** Codes of DEFLATE by their lengths. [RFC 1951 §3.2.2] */

/** Longest code, in bits. */
const codeBitsMax = 15;

/** One entry for every possible value of the next `bits` bits: symbol × 16 + length of its code; 0 where there is no code. */
export class HuffmanTable {
  readonly entries: Uint16Array;
  /** Of the longest code. */
  readonly bits: number;

  /** @param lengths of each symbol's code; 0: it has none. `isComplete(lengths)` holds, or there are fewer codes than there could be. */
  constructor(lengths: Uint8Array) {
    let longest = 1;
    const counts = new Uint16Array(codeBitsMax + 1);
    for (const length of lengths) {
      counts[length]!++;
      if (length > longest) longest = length;
    }
    counts[0] = 0;
    const nextCode = new Uint16Array(codeBitsMax + 2);
    for (let length = 1; length <= codeBitsMax; length++)
      nextCode[length + 1] = (nextCode[length]! + counts[length]!) << 1;
    this.bits = longest;
    this.entries = new Uint16Array(1 << longest);
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol]!;
      if (length === 0) continue;
      // Codes come with their highest bit first, everything else with the lowest.
      const start = reversed(nextCode[length]!++, length);
      const entry = (symbol << 4) | length;
      for (let index = start; index < this.entries.length; index += 1 << length) this.entries[index] = entry;
    }
  }
}

/** How the codes of these lengths fill what there is: 1 completely, below it in part, above it they contradict each other. */
export function filling(lengths: Uint8Array): number {
  let filled = 0;
  for (const length of lengths) if (length > 0) filled += 2 ** -length;
  return filled;
}

function reversed(code: number, length: number): number {
  let result = 0;
  for (let bit = 0; bit < length; bit++) result |= ((code >>> bit) & 1) << (length - 1 - bit);
  return result;
}
