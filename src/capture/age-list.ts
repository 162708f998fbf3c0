/** Members from the one used longest ago to the one used last; moving and removing take the same few steps however many there are. */
export interface Aged {
  older: Aged | undefined;
  newer: Aged | undefined;
}

export class AgeList<T extends Aged> {
  #oldest: Aged | undefined = undefined;
  #newest: Aged | undefined = undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): T | undefined {
    return this.#oldest as T | undefined;
  }

  /** Adds one that is in no list. */
  add(member: T): void {
    member.older = this.#newest;
    member.newer = undefined;
    if (this.#newest === undefined) this.#oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
    this.#size++;
  }

  remove(member: T): void {
    if (member.older === undefined) this.#oldest = member.newer;
    else member.older.newer = member.newer;
    if (member.newer === undefined) this.#newest = member.older;
    else member.newer.older = member.older;
    member.older = undefined;
    member.newer = undefined;
    this.#size--;
  }

  /** Makes a member the newest. */
  touch(member: T): void {
    if (this.#newest === member) return;
    this.remove(member);
    this.add(member);
  }
}
