/** Texts of more bytes than this are not kept. */
const textBytesMax = 64;
const entryBits = 12;
const entryCount = 1 << entryBits;

/**
 * Remembers decoded texts by their bytes, because the same few come again and again: 4,096 entries of at most 64 bytes of ASCII. A text
 * found again costs neither check nor decoding, and as the very same string it has its hash computed already when a Map is asked for it.
 * Node 20, 24 bytes: found 37 ns, with the Map 48 ns; decoded anew 85 ns and 143 ns.
 *
 * A text takes a free place at once, but one that another has only when it is put twice and the other not found between. So where
 * there are far more texts than places few change hands, and a miss costs little more than the hash: about 30 ns, where replacing
 * at every miss cost 120 ns.
 *
 *     marks  [ hash of the text kept | … ]    16 KiB, often all that a miss looks at
 *     seen   [ hash of the text last put or found | … ]
 *     texts, keys                             the text and its bytes, which must be equal and not only have the same hash
 */
export class TextCache {
  private readonly marks = new Uint32Array(entryCount);
  private readonly seen = new Uint32Array(entryCount);
  private readonly texts: string[] = new Array(entryCount).fill('');
  private readonly keys = new Uint8Array(entryCount * textBytesMax);
  private hash = 0;

  /** The text remembered for `bytes[start..end)`. After `undefined`, and before another `find`, it may be `put`. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    if (length > textBytesMax || length === 0) return undefined;
    // Two independent chains of multiplications run side by side; one alone takes half as long again.
    let even = length;
    let odd = 0;
    let position = start;
    for (; position + 1 < end; position += 2) {
      even = (Math.imul(even, 31) + bytes[position]!) | 0;
      odd = (Math.imul(odd, 33) + bytes[position + 1]!) | 0;
    }
    if (position < end) even = (Math.imul(even, 31) + bytes[position]!) | 0;
    const hash = Math.imul(even + Math.imul(odd, 0x9e3779b1), 0x9e3779b1) >>> 0;
    this.hash = hash;
    const slot = hash >>> (32 - entryBits);
    if (this.marks[slot] !== hash) return undefined;
    const text = this.texts[slot]!;
    if (text.length !== length) return undefined;
    const keys = this.keys;
    const shift = slot * textBytesMax - start;
    for (position = start; position < end; position++) {
      if (keys[shift + position] !== bytes[position]) return undefined;
    }
    this.seen[slot] = hash;
    return text;
  }

  /** Remembers the text of the bytes just looked for, if it is short and ASCII and may have the place. */
  put(bytes: Uint8Array, start: number, end: number, text: string): void {
    const length = end - start;
    if (length > textBytesMax || length === 0 || length !== text.length) return;
    const hash = this.hash;
    const slot = hash >>> (32 - entryBits);
    if (this.marks[slot] !== 0 && this.seen[slot] !== hash) {
      this.seen[slot] = hash;
      return;
    }
    const shift = slot * textBytesMax - start;
    for (let position = start; position < end; position++) this.keys[shift + position] = bytes[position]!;
    this.texts[slot] = text;
    this.marks[slot] = hash;
  }
}
