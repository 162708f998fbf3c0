/**
 * Counts by sequence number, for millions of them: two flat arrays with open addressing, 12 bytes a place and at most two thirds of the
 * places taken. A Map of the same numbers takes three times as much.
 *
 * A number lies at its own place or behind it, with no free place between:
 *
 *     places   [ – | 17 | 33 | – | 20 | – ]     17 and 33 have the same place of their own
 */
import { assert } from '../../base/assert.ts';

const capacityMin = 64;

export class SequenceTable {
  /** 0 for a free place. */
  #sequences: Float64Array;
  #counts: Uint32Array;
  #size = 0;

  /** @param expected numbers that it will hold, about */
  constructor(expected = 0) {
    let capacity = capacityMin;
    while (capacity * 2 < expected * 3) capacity *= 2;
    this.#sequences = new Float64Array(capacity);
    this.#counts = new Uint32Array(capacity);
  }

  /** How many numbers it has. */
  get size(): number {
    return this.#size;
  }

  /** Places: what `slotOf` gives is below that. */
  get capacity(): number {
    return this.#sequences.length;
  }

  /** Where a number stands, until one is added or taken out; -1 if it does not. */
  slotOf(sequence: number): number {
    const mask = this.#sequences.length - 1;
    for (let slot = home(sequence, mask); ; slot = (slot + 1) & mask) {
      const found = this.#sequences[slot];
      if (found === sequence) return slot;
      if (found === 0) return -1;
    }
  }

  /** Adds a number that it does not have. Returns where it stands, until another is added or taken out. */
  insert(sequence: number, count: number): number {
    assert(sequence > 0, `sequence number ${sequence}`);
    if ((this.#size + 1) * 3 > this.#sequences.length * 2) this.#resize(this.#sequences.length * 2);
    this.#size++;
    return this.#place(sequence, count);
  }

  /** The count of a number; 0 if it is not there. */
  get(sequence: number): number {
    const slot = this.slotOf(sequence);
    return slot < 0 ? 0 : (this.#counts[slot] as number);
  }

  /** One more. */
  increase(sequence: number): void {
    const slot = this.slotOf(sequence);
    if (slot < 0) this.insert(sequence, 1);
    else this.#counts[slot] = (this.#counts[slot] as number) + 1;
  }

  /** One more of what stands at a place. */
  increaseAt(slot: number): void {
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
  }

  /** One less of a number that is there; the number goes with its last. Returns how many are left. */
  decrease(sequence: number): number {
    const slot = this.slotOf(sequence);
    assert(slot >= 0 && this.#counts[slot] !== 0, `nothing is left of sequence number ${sequence}`);
    const left = (this.#counts[slot] as number) - 1;
    this.#counts[slot] = left;
    if (left === 0) this.#removeAt(slot);
    return left;
  }

  /** Takes a number out. */
  delete(sequence: number): void {
    const slot = this.slotOf(sequence);
    if (slot >= 0) this.#removeAt(slot);
  }

  /** The numbers whose count is 0, in no order. */
  withoutCount(): number[] {
    const found: number[] = [];
    for (let slot = 0; slot < this.#sequences.length; slot++) {
      if (this.#sequences[slot] !== 0 && this.#counts[slot] === 0) found.push(this.#sequences[slot] as number);
    }
    return found;
  }

  #place(sequence: number, count: number): number {
    const mask = this.#sequences.length - 1;
    let slot = home(sequence, mask);
    while (this.#sequences[slot] !== 0) slot = (slot + 1) & mask;
    this.#sequences[slot] = sequence;
    this.#counts[slot] = count;
    return slot;
  }

  #removeAt(slot: number): void {
    const mask = this.#sequences.length - 1;
    let free = slot;
    // What lies behind moves up, unless that would put it before its own place.
    for (let next = (free + 1) & mask; this.#sequences[next] !== 0; next = (next + 1) & mask) {
      const own = home(this.#sequences[next] as number, mask);
      if (((next - own) & mask) < ((next - free) & mask)) continue;
      this.#sequences[free] = this.#sequences[next] as number;
      this.#counts[free] = this.#counts[next] as number;
      free = next;
    }
    this.#sequences[free] = 0;
    this.#size--;
    const { length } = this.#sequences;
    if (length > capacityMin && this.#size * 8 < length) this.#resize(length / 4);
  }

  #resize(capacity: number): void {
    const sequences = this.#sequences;
    const counts = this.#counts;
    this.#sequences = new Float64Array(capacity);
    this.#counts = new Uint32Array(capacity);
    for (let slot = 0; slot < sequences.length; slot++) {
      if (sequences[slot] !== 0) this.#place(sequences[slot] as number, counts[slot] as number);
    }
  }
}

/** The place of a number's own; neighbours are spread, as what is left of a log is often every second or tenth. */
function home(sequence: number, mask: number): number {
  const high = Math.floor(sequence / 0x1_0000_0000);
  const mixed = Math.imul((sequence >>> 0) ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  return (mixed ^ (mixed >>> 15)) & mask;
}
