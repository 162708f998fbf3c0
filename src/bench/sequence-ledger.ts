/**
 * What one subscriber has received of each of its streams: the messages of one publisher on one topic, which MQTT keeps in order.
 * They are counted from 0, so that one comparison per message shows loss, repetition and disorder.
 */

/** Counters [from, to) that were passed over and may still come. */
interface Gap {
  from: number;
  to: number;
}

/** Gaps per stream that are remembered; what comes late after more of them counts as repeated. */
const gapsMax = 1024;

export class SequenceLedger {
  /** By stream, numbered from 0 in each ledger: the counter that is to come next. All before it were received or passed over. */
  readonly next: Uint32Array;
  /** Messages passed over and not seen since. */
  lost = 0;
  /** Messages seen before. */
  duplicates = 0;
  /** Messages that came after a later one of the same stream. */
  outOfOrder = 0;
  readonly #gaps: Gap[][];

  constructor(streams: number) {
    this.next = new Uint32Array(streams);
    this.#gaps = Array.from({ length: streams }, () => []);
  }

  /** Takes a counter that is not the next one. Returns how many messages more than before are passed over. */
  takeUnexpected(stream: number, counter: number): number {
    const next = this.next[stream]!;
    if (counter >= next) {
      this.passOver(stream, counter);
      this.next[stream] = counter + 1;
      return counter - next;
    }
    if (this.#fillGap(stream, counter)) {
      this.outOfOrder++;
      this.lost--;
    } else {
      this.duplicates++;
    }
    return 0;
  }

  /** Gives up waiting for everything before `counter`. */
  passOver(stream: number, counter: number): void {
    const next = this.next[stream]!;
    if (counter <= next) return;
    const gaps = this.#gaps[stream]!;
    if (gaps.length < gapsMax) gaps.push({ from: next, to: counter });
    this.lost += counter - next;
    this.next[stream] = counter;
  }

  /** Whether the counter was missing; it is not any more. */
  #fillGap(stream: number, counter: number): boolean {
    const gaps = this.#gaps[stream]!;
    const index = gaps.findIndex((gap) => counter >= gap.from && counter < gap.to);
    if (index === -1) return false;
    const gap = gaps[index]!;
    if (counter === gap.from) gap.from++;
    else if (counter === gap.to - 1) gap.to--;
    else {
      if (gaps.length < gapsMax) gaps.push({ from: counter + 1, to: gap.to });
      gap.to = counter;
    }
    if (gap.from === gap.to) gaps.splice(index, 1);
    return true;
  }
}
