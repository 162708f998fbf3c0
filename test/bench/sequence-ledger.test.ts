import { describe, expect, it } from 'vitest';
import { SequenceLedger } from '../../src/bench/sequence-ledger.ts';

/** Takes counters as a subscriber does. */
function take(ledger: SequenceLedger, counters: readonly number[]): void {
  for (const counter of counters) {
    if (ledger.next[0] === counter) ledger.next[0] = counter + 1;
    else ledger.takeUnexpected(0, counter);
  }
}

function countsOf(counters: readonly number[]) {
  const ledger = new SequenceLedger(1);
  take(ledger, counters);
  const { lost, duplicates, outOfOrder } = ledger;
  return { lost, duplicates, outOfOrder };
}

describe('SequenceLedger', () => {
  it('finds nothing wrong with counters in order', () => {
    expect(countsOf([0, 1, 2, 3])).toEqual({ lost: 0, duplicates: 0, outOfOrder: 0 });
  });

  it('counts what is passed over as lost, at the beginning too', () => {
    expect(countsOf([2, 3, 6])).toEqual({ lost: 4, duplicates: 0, outOfOrder: 0 });
  });

  it('counts what comes again as repeated', () => {
    expect(countsOf([0, 1, 1, 0])).toEqual({ lost: 0, duplicates: 2, outOfOrder: 0 });
  });

  it('counts what comes late as out of order and not as lost, and as repeated when it comes once more', () => {
    expect(countsOf([0, 4, 2, 1, 3, 2])).toEqual({ lost: 0, duplicates: 1, outOfOrder: 3 });
  });

  it('agrees with a plain count for every sequence of up to five counters from 0 to 4', () => {
    let sequences: number[][] = [[]];
    for (let length = 1; length <= 5; length++) {
      sequences = sequences.flatMap((sequence) => [0, 1, 2, 3, 4].map((counter) => [...sequence, counter]));
      for (const sequence of sequences) {
        const seen = new Set(sequence);
        const highest = Math.max(...sequence);
        const lateFirsts = sequence.filter((counter, at) => {
          return !sequence.slice(0, at).includes(counter) && sequence.slice(0, at).some((before) => before > counter);
        });
        expect(countsOf(sequence), sequence.join()).toEqual({
          lost: highest + 1 - seen.size,
          duplicates: sequence.length - seen.size,
          outOfOrder: lateFirsts.length,
        });
      }
    }
  });

  it('counts what never came as lost when it is given up', () => {
    const ledger = new SequenceLedger(1);
    take(ledger, [0, 2]);
    ledger.passOver(0, 5);
    expect(ledger.lost).toBe(3);
    expect(ledger.next[0]).toBe(5);
  });
});
