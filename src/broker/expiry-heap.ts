import { assert } from '../base/assert.ts';

/** When something ends, as an entry of the heap; its owner keeps it to be able to take it out again. */
export class Expiry<T> {
  readonly owner: T;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Its place in the heap; -1 if it is in none. */
  heapIndex = -1;

  constructor(owner: T, expiresAt: number) {
    this.owner = owner;
    this.expiresAt = expiresAt;
  }
}

/** A binary heap: the entry that ends first is found at once, any entry is added or taken out in logarithmic time. */
export class ExpiryHeap<T> {
  readonly #entries: Expiry<T>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  /** The entry that ends first. */
  peek(): Expiry<T> | undefined {
    return this.#entries[0];
  }

  add(entry: Expiry<T>): void {
    assert(entry.heapIndex === -1, 'the expiry is in a heap already');
    this.#entries.push(entry);
    this.#siftUp(entry, this.#entries.length - 1);
  }

  remove(entry: Expiry<T>): void {
    const index = entry.heapIndex;
    assert(this.#entries[index] === entry, 'the expiry is not in this heap');
    entry.heapIndex = -1;
    const last = this.#entries.pop() as Expiry<T>;
    if (last === entry) return;
    if (index > 0 && last.expiresAt < (this.#entries[(index - 1) >> 1] as Expiry<T>).expiresAt)
      this.#siftUp(last, index);
    else this.#siftDown(last, index);
  }

  #siftUp(entry: Expiry<T>, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#entries[parentIndex] as Expiry<T>;
      if (parent.expiresAt <= entry.expiresAt) break;
      this.#put(parent, index);
      index = parentIndex;
    }
    this.#put(entry, index);
  }

  #siftDown(entry: Expiry<T>, from: number): void {
    let index = from;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = this.#entries[childIndex];
      if (child === undefined) break;
      const right = this.#entries[childIndex + 1];
      if (right !== undefined && right.expiresAt < child.expiresAt) {
        child = right;
        childIndex++;
      }
      if (entry.expiresAt <= child.expiresAt) break;
      this.#put(child, index);
      index = childIndex;
    }
    this.#put(entry, index);
  }

  #put(entry: Expiry<T>, index: number): void {
    this.#entries[index] = entry;
    entry.heapIndex = index;
  }
}
