/**
 * Packet Identifiers of one sender on one Session: who holds which, never two holders of one. [MQTT-2.2.1-3] [MQTT-2.2.1-4]
 *
 * Identifiers rise from 1 to 65,535 and wrap, skipping those still held, so that the live ones lie close together. The holder
 * of identifier `i` sits in slot `i mod capacity`:
 *
 *     capacity 8     slot  0    1    2    3    4    5    6    7
 *     held                 16   17   –    –    –    –    14   15      next = 18
 *
 * An identifier whose slot is occupied by another makes the table double (two identifiers that differ modulo n differ modulo
 * 2n, so nothing else collides), up to a size at which one identifier that is held for ever costs too much: from there on
 * such identifiers are skipped, and the table doubles only when it is full.
 */
import { packetIdentifierMax } from '../protocol/version.ts';

const capacityInitial = 4;
const capacityMax = 65_536;
/** Up to this capacity no identifier is skipped but those held. */
const unskippedCapacityMax = 1024;

export class PacketIdentifiers<T> {
  /** Identifiers held at this moment. */
  count = 0;
  #holders: (T | undefined)[] = [];
  /** The identifier in each slot, 0 for a free one. */
  #identifiers: number[] = [];
  /** When each was allocated, as a running number: the order for resending. */
  #order: number[] = [];
  #next = 1;
  #allocations = 0;

  /** Gives the holder an identifier; 0 if all 65,535 are held. */
  allocate(holder: T): number {
    if (this.count === packetIdentifierMax) return 0;
    if (this.count === this.#identifiers.length) this.#grow();
    let identifier = this.#next;
    for (;;) {
      const occupant = this.#identifiers[identifier & (this.#identifiers.length - 1)];
      if (occupant === 0) break;
      if (occupant !== identifier && this.#identifiers.length < unskippedCapacityMax) this.#grow();
      else identifier = successor(identifier);
    }
    this.#next = successor(identifier);
    this.#place(identifier, holder);
    return identifier;
  }

  /** Gives the holder this very identifier, for Sessions read back from a store. False if it is held already. */
  reserve(identifier: number, holder: T): boolean {
    while (this.#identifiers.length === 0 || this.#identifiers[identifier & (this.#identifiers.length - 1)] !== 0) {
      if (this.get(identifier) !== undefined || this.#identifiers.length === capacityMax) return false;
      this.#grow();
    }
    this.#place(identifier, holder);
    this.#next = successor(identifier);
    return true;
  }

  /** Who holds the identifier, or undefined. */
  get(identifier: number): T | undefined {
    const slot = identifier & (this.#identifiers.length - 1);
    return this.#identifiers[slot] === identifier ? this.#holders[slot] : undefined;
  }

  /** Takes the identifier back and returns who held it; undefined if nobody did. */
  release(identifier: number): T | undefined {
    const slot = identifier & (this.#identifiers.length - 1);
    if (identifier === 0 || this.#identifiers[slot] !== identifier) return undefined;
    const holder = this.#holders[slot];
    this.#identifiers[slot] = 0;
    this.#holders[slot] = undefined;
    this.count--;
    return holder;
  }

  /** All holders, in the order in which they were given their identifiers. */
  holders(): T[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.#identifiers.length; slot++) if (this.#identifiers[slot] !== 0) slots.push(slot);
    slots.sort((a, b) => (this.#order[a] as number) - (this.#order[b] as number));
    return slots.map((slot) => this.#holders[slot] as T);
  }

  #place(identifier: number, holder: T): void {
    const slot = identifier & (this.#identifiers.length - 1);
    this.#identifiers[slot] = identifier;
    this.#holders[slot] = holder;
    this.#order[slot] = this.#allocations++;
    this.count++;
  }

  #grow(): void {
    const capacity = this.#identifiers.length === 0 ? capacityInitial : this.#identifiers.length * 2;
    const identifiers = new Array<number>(capacity).fill(0);
    const holders = new Array<T | undefined>(capacity).fill(undefined);
    const order = new Array<number>(capacity).fill(0);
    for (let slot = 0; slot < this.#identifiers.length; slot++) {
      const identifier = this.#identifiers[slot] as number;
      if (identifier === 0) continue;
      const moved = identifier & (capacity - 1);
      identifiers[moved] = identifier;
      holders[moved] = this.#holders[slot];
      order[moved] = this.#order[slot] as number;
    }
    this.#identifiers = identifiers;
    this.#holders = holders;
    this.#order = order;
  }
}

function successor(identifier: number): number {
  return identifier === packetIdentifierMax ? 1 : identifier + 1;
}
