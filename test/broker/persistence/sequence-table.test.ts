import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SequenceTable } from '../../../src/broker/persistence/sequence-table.ts';

/** Few numbers, so that they come again, some of them beyond 32 bits. */
const sequence = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.integer({ min: 1, max: 30 }).map((number) => number * 0x1_0000_0000),
  fc.integer({ min: 1, max: 100 }).map((number) => number * 4096),
);

describe('SequenceTable', () => {
  it('counts as a Map does, whatever comes and goes', () => {
    const step = fc.record({ sequence, kind: fc.constantFrom('increase', 'increase', 'decrease', 'delete') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        const table = new SequenceTable();
        const model = new Map<number, number>();
        for (const { sequence: number, kind } of steps) {
          const count = model.get(number) ?? 0;
          if (kind === 'increase') {
            table.increase(number);
            model.set(number, count + 1);
          } else if (kind === 'delete') {
            table.delete(number);
            model.delete(number);
          } else if (count > 0) {
            expect(table.decrease(number)).toBe(count - 1);
            if (count === 1) model.delete(number);
            else model.set(number, count - 1);
          }
        }
        expect(table.size).toBe(model.size);
        for (let number = 1; number <= 200; number++) expect(table.get(number)).toBe(model.get(number) ?? 0);
        for (const [number, count] of model) expect(table.get(number)).toBe(count);
      }),
    );
  });

  it('keeps places while nothing is added beyond what it was made for, and says what nobody waits for', () => {
    const table = new SequenceTable(1000);
    const slots = Array.from({ length: 1000 }, (_, index) => table.insert(index * 3 + 1, 0));
    expect(new Set(slots).size).toBe(1000);
    for (const [index, slot] of slots.entries()) {
      expect(slot).toBeLessThan(table.capacity);
      expect(table.slotOf(index * 3 + 1)).toBe(slot);
      if (index % 2 === 0) table.increaseAt(slot);
    }
    expect(table.slotOf(2)).toBe(-1);
    expect(table.withoutCount().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 500 }, (_, index) => (2 * index + 1) * 3 + 1),
    );
  });

  it('becomes small again', () => {
    const table = new SequenceTable();
    for (let number = 1; number <= 100_000; number++) table.increase(number);
    const large = table.capacity;
    for (let number = 1; number <= 100_000; number++) if (number % 1000 !== 0) table.decrease(number);
    expect(table.size).toBe(100);
    expect(table.capacity).toBeLessThan(large / 100);
    for (let number = 1000; number <= 100_000; number += 1000) expect(table.get(number)).toBe(1);
  });

  it('ends the process rather than count below nothing', () => {
    const table = new SequenceTable();
    table.increase(7);
    expect(table.decrease(7)).toBe(0);
    expect(() => table.decrease(7)).toThrow('nothing is left of sequence number 7');
  });
});
