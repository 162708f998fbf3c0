/** Messages of one topic of one broker that deliveries may be copies of. */
import type { MessageSource } from './message-source.ts';
import type { SessionRecord } from './session-book.ts';

/** Sources with equal payloads that are looked at for one delivery. */
const lookedAtMax = 1000;

/** Sources of equal payload, oldest first. */
class SourceList {
  readonly #items: MessageSource[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  add(source: MessageSource): void {
    this.#items.push(source);
  }

  removeOldest(): void {
    this.#head++;
    if (this.#head < 1024 || this.#head * 2 < this.#items.length) return;
    this.#items.splice(0, this.#head);
    this.#head = 0;
  }

  /** The first one after the source with this number that will do. */
  find(after: number, isRight: (source: MessageSource) => boolean): MessageSource | undefined {
    const items = this.#items;
    let low = this.#head;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle]!.number <= after) low = middle + 1;
      else high = middle;
    }
    const end = Math.min(items.length, low + lookedAtMax);
    for (let index = low; index < end; index++) if (isRight(items[index]!)) return items[index];
    return undefined;
  }

  /** The latest one that will do. */
  findLast(isRight: (source: MessageSource) => boolean): MessageSource | undefined {
    const end = Math.max(this.#head, this.#items.length - lookedAtMax);
    for (let index = this.#items.length - 1; index >= end; index--) {
      if (isRight(this.#items[index]!)) return this.#items[index];
    }
    return undefined;
  }
}

export class TopicSources {
  readonly #byPrint = new Map<number, SourceList>();
  /** The message that a new subscriber gets; undefined if there is none, or none was seen. */
  retained: MessageSource | undefined = undefined;
  /** Number of the source that a Session got last. */
  readonly last = new Map<SessionRecord, number>();

  get isEmpty(): boolean {
    return this.#byPrint.size === 0;
  }

  add(source: MessageSource): void {
    let list = this.#byPrint.get(source.print);
    if (list === undefined) {
      list = new SourceList();
      this.#byPrint.set(source.print, list);
    }
    list.add(source);
    if (source.retain) this.retained = source.payloadLength === 0 ? undefined : source;
  }

  /** The source is the oldest of all of the topic. */
  remove(source: MessageSource): void {
    const list = this.#byPrint.get(source.print);
    if (list === undefined) return;
    list.removeOldest();
    if (list.length === 0) this.#byPrint.delete(source.print);
  }

  find(print: number, after: number, isRight: (source: MessageSource) => boolean): MessageSource | undefined {
    return this.#byPrint.get(print)?.find(after, isRight);
  }

  findLast(print: number, isRight: (source: MessageSource) => boolean): MessageSource | undefined {
    return this.#byPrint.get(print)?.findLast(isRight);
  }
}
