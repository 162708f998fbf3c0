/** Slots that a table begins with, and has at most; powers of two. */
const capacityMin = 8;
const capacityMax = 256;

/**
 * What is kept under Packet Identifiers that the peer has chosen: mostly a few that follow one another, but it may be any.
 *
 *     slots  [ 16 | 17 | – | – | – | – | 14 | 15 ]    identifier i in slot i mod capacity
 *     others { 22 → … }                               whose slot is another's
 *
 * So identifiers that follow one another cost no hashing and no memory for each, and whatever a peer chooses costs no more than a Map.
 */
export class PeerIdentifiers<T> {
  /** How many there are. */
  count = 0;
  /** 0 for a free slot. */
  #identifiers: number[] = new Array<number>(capacityMin).fill(0);
  #values: (T | undefined)[] = new Array<T | undefined>(capacityMin).fill(undefined);
  #others: Map<number, T> | undefined = undefined;

  get(identifier: number): T | undefined {
    const slot = identifier & (this.#identifiers.length - 1);
    if (this.#identifiers[slot] === identifier) return this.#values[slot];
    return this.#others?.get(identifier);
  }

  /** Keeps a value, which is not undefined. False, and nothing happens, if there is one under this identifier, 1–65,535. */
  add(identifier: number, value: T): boolean {
    let slot = identifier & (this.#identifiers.length - 1);
    if (this.#identifiers[slot] !== 0) {
      if (this.get(identifier) !== undefined) return false;
      if (this.count >= this.#identifiers.length / 2 && this.#identifiers.length < capacityMax) {
        this.#grow();
        slot = identifier & (this.#identifiers.length - 1);
      }
    } else if (this.#others?.has(identifier) === true) {
      return false;
    }
    this.#place(slot, identifier, value);
    this.count++;
    return true;
  }

  /** Takes a value out; undefined if there is none. */
  take(identifier: number): T | undefined {
    const value = this.get(identifier);
    if (value === undefined) return undefined;
    const slot = identifier & (this.#identifiers.length - 1);
    if (this.#identifiers[slot] === identifier) {
      this.#identifiers[slot] = 0;
      this.#values[slot] = undefined;
    } else {
      this.#others?.delete(identifier);
      if (this.#others?.size === 0) this.#others = undefined;
    }
    this.count--;
    return value;
  }

  /** All of them, in no order. */
  entries(): [number, T][] {
    const entries: [number, T][] = [...(this.#others ?? [])];
    this.#identifiers.forEach((identifier, slot) => {
      if (identifier !== 0) entries.push([identifier, this.#values[slot] as T]);
    });
    return entries;
  }

  #place(slot: number, identifier: number, value: T): void {
    if (this.#identifiers[slot] === 0) {
      this.#identifiers[slot] = identifier;
      this.#values[slot] = value;
    } else {
      this.#others ??= new Map();
      this.#others.set(identifier, value);
    }
  }

  #grow(): void {
    const entries = this.entries();
    const capacity = this.#identifiers.length * 2;
    this.#identifiers = new Array<number>(capacity).fill(0);
    this.#values = new Array<T | undefined>(capacity).fill(undefined);
    this.#others = undefined;
    for (const [identifier, value] of entries) this.#place(identifier & (capacity - 1), identifier, value);
  }
}
