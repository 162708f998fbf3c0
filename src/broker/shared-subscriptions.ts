/**
 * Shared subscriptions: the members of each group, and whose turn it is. [MQTT 5.0 §4.8.2]
 *
 * A group is one value of the subscription tree, standing under its Topic Filter; what a member is, is up to the owner.
 */

/** A member in its group's ring. */
class Seat<T> {
  readonly member: T;
  next: Seat<T>;
  previous: Seat<T>;

  constructor(member: T) {
    this.member = member;
    this.next = this;
    this.previous = this;
  }
}

/** How willing a member is: 0 not at all, 1 only if nobody is readier (it would queue the message), 2 now. */
export type Eligibility = 0 | 1 | 2;

/** All members that subscribed to one Topic Filter under one Share Name. */
export class SharedGroup<T> {
  readonly shareName: string;
  readonly topicFilter: string;
  readonly #seats = new Map<T, Seat<T>>();
  /** Whose turn it is; undefined while there is nobody. */
  #turn: Seat<T> | undefined;

  constructor(shareName: string, topicFilter: string) {
    this.shareName = shareName;
    this.topicFilter = topicFilter;
  }

  /** How many members it has. */
  get size(): number {
    return this.#seats.size;
  }

  has(member: T): boolean {
    return this.#seats.has(member);
  }

  /** The members, in the order in which they joined. */
  members(): IterableIterator<T> {
    return this.#seats.keys();
  }

  /** Lets a member join; its first turn comes after everybody else's. Returns whether it was none before. */
  add(member: T): boolean {
    if (this.#seats.has(member)) return false;
    const seat = new Seat(member);
    this.#seats.set(member, seat);
    const turn = this.#turn;
    if (turn === undefined) {
      this.#turn = seat;
    } else {
      seat.next = turn;
      seat.previous = turn.previous;
      turn.previous.next = seat;
      turn.previous = seat;
    }
    return true;
  }

  /** Takes a member away; the turn of the others stays. Returns whether it was one. */
  remove(member: T): boolean {
    const seat = this.#seats.get(member);
    if (seat === undefined) return false;
    this.#seats.delete(member);
    if (this.#seats.size === 0) {
      this.#turn = undefined;
    } else {
      seat.previous.next = seat.next;
      seat.next.previous = seat.previous;
      if (this.#turn === seat) this.#turn = seat.next;
    }
    return true;
  }

  /**
   * Picks the one member that gets a message: the next in turn that can take it now, or if there is none the next that would
   * queue it. The turn then goes to the one after it, so that those which are passed over are not asked again until the others
   * had theirs. Asks each member at most once.
   * @returns undefined if nobody takes it
   */
  choose(isEligible: (member: T) => Eligibility): T | undefined {
    const first = this.#turn;
    if (first === undefined) return undefined;
    let fallback: Seat<T> | undefined;
    let seat = first;
    do {
      const eligibility = isEligible(seat.member);
      if (eligibility === 2) return this.#serve(seat);
      if (eligibility === 1 && fallback === undefined) fallback = seat;
      seat = seat.next;
    } while (seat !== first);
    return fallback === undefined ? undefined : this.#serve(fallback);
  }

  #serve(seat: Seat<T>): T {
    this.#turn = seat.next;
    return seat.member;
  }
}

/** The groups of the broker, by Share Name and Topic Filter. */
export class SharedSubscriptions<T> {
  /** A Share Name has no `/`, so the key is unambiguous. [MQTT-4.8.2-2] */
  readonly #groups = new Map<string, SharedGroup<T>>();
  #size = 0;

  /** Memberships in all groups. */
  get size(): number {
    return this.#size;
  }

  /** Groups with at least one member. */
  get groupCount(): number {
    return this.#groups.size;
  }

  get(shareName: string, topicFilter: string): SharedGroup<T> | undefined {
    return this.#groups.get(`${shareName}/${topicFilter}`);
  }

  /**
   * Lets a member join a group; nothing happens if it is in it.
   * @param topicFilter without `$share/` and the Share Name
   * @returns the group, and whether it is new, so that it has to be put into the subscription tree
   */
  add(shareName: string, topicFilter: string, member: T): { readonly group: SharedGroup<T>; readonly isNew: boolean } {
    const key = `${shareName}/${topicFilter}`;
    let group = this.#groups.get(key);
    const isNew = group === undefined;
    if (group === undefined) {
      group = new SharedGroup(shareName, topicFilter);
      this.#groups.set(key, group);
    }
    if (group.add(member)) this.#size++;
    return { group, isNew };
  }

  /**
   * Takes a member out of a group; nothing happens if it is not in it.
   * @returns the group if that was its last member, so that it has to be taken out of the subscription tree
   */
  remove(shareName: string, topicFilter: string, member: T): SharedGroup<T> | undefined {
    const key = `${shareName}/${topicFilter}`;
    const group = this.#groups.get(key);
    if (group === undefined || !group.remove(member)) return undefined;
    this.#size--;
    if (group.size > 0) return undefined;
    this.#groups.delete(key);
    return group;
  }
}
