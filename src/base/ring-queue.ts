import { assert } from './assert.ts';

/** Slots of a queue that holds little; a power of two. */
const capacityMin = 8;
/** A queue of no more slots keeps them: what fills and empties all the time is not moved about. */
const keptCapacity = 64;

/**
 * First in, first out, without moving what is in it: an array used as a ring.
 *
 *   slots   [ c d . . . . a b ]      capacity 8, always a power of two
 *                         ^head      length 4
 *
 * It doubles when full, and halves when only a quarter is used of more than 64 slots, so a burst does not keep its memory.
 */
export class RingQueue<T> {
  #slots: (T | undefined)[] = newSlots(capacityMin);
  #head = 0;
  #length = 0;

  /** Items waiting. */
  get length(): number {
    return this.#length;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#slots[(this.#head + this.#length) & (this.#slots.length - 1)] = item;
    this.#length++;
  }

  /** Removes and returns the oldest item; undefined if there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#head];
    // The slot would otherwise keep the item from being collected.
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#length--;
    if (this.#length * 4 <= this.#slots.length && this.#slots.length > keptCapacity) {
      this.#resize(this.#slots.length / 2);
    }
    return item;
  }

  /**
   * Looks at an item without removing it.
   * @param index 0, the default, is the oldest
   * @returns undefined if there are not that many
   */
  peek(index = 0): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)];
  }

  clear(): void {
    this.#slots = newSlots(capacityMin);
    this.#head = 0;
    this.#length = 0;
  }

  /** From the oldest to the newest. What is pushed meanwhile is visited too; shifting meanwhile skips items. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.#length; index++) yield this.peek(index) as T;
  }

  #resize(capacity: number): void {
    assert(capacity >= this.#length, `a ring of ${capacity} slots cannot hold ${this.#length} items`);
    const slots = newSlots<T>(capacity);
    for (let index = 0; index < this.#length; index++) slots[index] = this.peek(index);
    this.#slots = slots;
    this.#head = 0;
  }
}

/** Filled at once, so that the array has no holes to be looked up in its prototype. */
function newSlots<T>(capacity: number): (T | undefined)[] {
  return new Array<T | undefined>(capacity).fill(undefined);
}
