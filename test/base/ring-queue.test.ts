import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RingQueue } from '../../src/base/ring-queue.ts';

describe('RingQueue', () => {
  it('gives undefined when it is empty', () => {
    const queue = new RingQueue<string>();
    expect(queue.shift()).toBeUndefined();
    expect(queue.peek()).toBeUndefined();
    expect(queue.length).toBe(0);
    expect([...queue]).toEqual([]);
  });

  it('behaves as an array under any sequence of push, shift, peek and clear', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 40 }) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 40 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), count: fc.constant(1) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new RingQueue<number>();
        const model: number[] = [];
        let nextItem = 0;
        for (const { kind, count } of steps) {
          for (let i = 0; i < count; i++) {
            if (kind === 'push') {
              queue.push(nextItem);
              model.push(nextItem++);
            } else if (kind === 'shift') {
              expect(queue.shift()).toBe(model.shift());
            } else {
              queue.clear();
              model.length = 0;
            }
          }
          expect(queue.length).toBe(model.length);
          expect([...queue]).toEqual(model);
          expect(queue.peek()).toBe(model[0]);
          expect(queue.peek(model.length - 1)).toBe(model.at(-1));
          expect(queue.peek(model.length)).toBeUndefined();
          expect(queue.peek(-1)).toBeUndefined();
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('does not keep what was shifted from being collected', async () => {
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const queue = new RingQueue<object>();
    const shifted = pushAndShift(queue);
    // A WeakRef keeps its target until the end of the job that made it.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(shifted.deref()).toBeUndefined();
    expect(queue.length).toBe(1);
  });

  function pushAndShift(queue: RingQueue<object>): WeakRef<object> {
    queue.push({ big: new Uint8Array(1000) });
    queue.push({});
    return new WeakRef(queue.shift()!);
  }
});
