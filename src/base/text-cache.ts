/** Texts of more bytes than this are not kept. */
const textBytesMax = 64;
const entryBits = 12;
const entryCount = 1 << entryBits;

/**
 * Remembers decoded texts by their bytes, because the same few come again and again: 4,096 entries of at most 64 bytes, where a new
 * one simply replaces the one in its place. A text found again costs neither check nor decoding, and as the very same string it has
 * its hash computed already when a Map is asked for it.
 *
 * Node 20, 24 bytes: found 58 ns, with a Map look-up behind it 69 ns; decoded anew 87 ns and 138 ns. A miss costs 15–25 ns more than
 * no cache.
 */
export class TextCache {
  private readonly texts: string[] = new Array(entryCount).fill('');
  private readonly keys = new Uint8Array(entryCount * textBytesMax);
  private slot = 0;

  /** The text remembered for `bytes[start..end)`. After `undefined`, and before another `find`, it may be `put`. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    if (length > textBytesMax || length === 0) return undefined;
    // Two independent chains of multiplications run side by side; one alone took 65 ns instead of 58.
    let even = length;
    let odd = 0;
    let position = start;
    for (; position + 1 < end; position += 2) {
      even = (Math.imul(even, 31) + bytes[position]!) | 0;
      odd = (Math.imul(odd, 33) + bytes[position + 1]!) | 0;
    }
    if (position < end) even = (Math.imul(even, 31) + bytes[position]!) | 0;
    const slot = Math.imul(even + Math.imul(odd, 0x9e3779b1), 0x9e3779b1) >>> (32 - entryBits);
    this.slot = slot;
    const text = this.texts[slot]!;
    if (text.length !== length) return undefined;
    const keys = this.keys;
    const shift = slot * textBytesMax - start;
    for (position = start; position < end; position++) {
      if (keys[shift + position] !== bytes[position]) return undefined;
    }
    return text;
  }

  /** Remembers the text of the bytes just looked for, if it is ASCII and short. */
  put(bytes: Uint8Array, start: number, end: number, text: string): void {
    const length = end - start;
    if (length > textBytesMax || length !== text.length) return;
    const shift = this.slot * textBytesMax - start;
    for (let position = start; position < end; position++) this.keys[shift + position] = bytes[position]!;
    this.texts[this.slot] = text;
  }
}
