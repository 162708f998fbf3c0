import { describe, expect, it, vi } from 'vitest';
import { AssertionError, assert } from '../../src/base/assert.ts';
import { systemClock, VirtualClock } from '../../src/base/clock.ts';

describe('assert', () => {
  it('throws an AssertionError with the message only when the condition does not hold', () => {
    expect(() => assert(true, 'unused')).not.toThrow();
    expect(() => assert(0, 'zero is not allowed')).toThrow(AssertionError);
    expect(() => assert(undefined, 'what was expected')).toThrow('what was expected');
  });
});

describe('the system clock', () => {
  it('runs timers no earlier than asked and counts monotonic time without going back', async () => {
    const startMs = systemClock.monotonic();
    await new Promise<void>((resolve) => systemClock.setTimer(20, resolve));
    // Node rounds to whole milliseconds of its loop's time.
    expect(systemClock.monotonic() - startMs).toBeGreaterThanOrEqual(19);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(10_000);
  });

  it('does not call a timer that was cleared', async () => {
    const called: string[] = [];
    const cleared = systemClock.setTimer(1, () => called.push('cleared'));
    const clearedLong = systemClock.setTimer(2 ** 40, () => called.push('long'));
    systemClock.clearTimer(cleared);
    systemClock.clearTimer(clearedLong);
    await new Promise<void>((resolve) => systemClock.setTimer(20, resolve));
    expect(called).toEqual([]);
  });

  it('does not take a delay beyond 2^31 milliseconds for a very short one', async () => {
    const called: string[] = [];
    const timer = systemClock.setTimer(2 ** 32 * 1000, () => called.push('century'));
    await new Promise<void>((resolve) => systemClock.setTimer(20, resolve));
    systemClock.clearTimer(timer);
    expect(called).toEqual([]);
  });

  it('defers to the end of this turn, in order', async () => {
    const called: string[] = [];
    await new Promise<void>((resolve) => {
      systemClock.defer(() => called.push('first'));
      systemClock.defer(() => called.push('second'));
      systemClock.defer(resolve);
      queueMicrotask(() => called.push('microtask'));
      called.push('now');
    });
    expect(called).toEqual(['now', 'microtask', 'first', 'second']);
  });
});

describe('the system clock where the host has less than Node', () => {
  for (const missing of [['setImmediate'], ['setImmediate', 'MessageChannel']] as const) {
    it(`defers in order, after what is running now, without ${missing.join(' and ')}`, async () => {
      for (const name of missing) vi.stubGlobal(name, undefined);
      vi.resetModules();
      const { systemClock: clock } = await import('../../src/base/clock.ts');
      vi.unstubAllGlobals();
      const called: string[] = [];
      await new Promise<void>((resolve) => {
        clock.defer(() => called.push('first'));
        clock.defer(() => {
          called.push('second');
          clock.defer(() => called.push('fourth'));
          clock.defer(resolve);
        });
        clock.defer(() => called.push('third'));
        queueMicrotask(() => called.push('microtask'));
        called.push('now');
      });
      expect(called).toEqual(['now', 'microtask', 'first', 'second', 'third', 'fourth']);
    });
  }
});

describe('VirtualClock', () => {
  it('runs timers in order of their time, and those due together in the order they were set', () => {
    const clock = new VirtualClock(1_000_000);
    const called: string[] = [];
    const note = (name: string) => () => called.push(`${name} at ${clock.monotonic()}`);
    clock.setTimer(30, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(30, note('d'));
    clock.setTimer(20, note('b'));
    clock.setTimer(31, note('late'));
    clock.advance(30);
    expect(called).toEqual(['a at 10', 'b at 20', 'c at 30', 'd at 30']);
    expect(clock.now()).toBe(1_000_030);
    expect(clock.pendingTimers).toBe(1);
    expect(clock.nextTimerMs).toBe(1);
  });

  it('agrees with a sorted list for many timers, some of them cleared', () => {
    const clock = new VirtualClock();
    const called: number[] = [];
    const expected: { due: number; index: number }[] = [];
    let random = 12345;
    for (let index = 0; index < 2000; index++) {
      random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
      const due = random % 500;
      const handle = clock.setTimer(due, () => called.push(index));
      if (index % 3 === 0) clock.clearTimer(handle);
      else expected.push({ due, index });
    }
    expect(clock.pendingTimers).toBe(expected.length);
    for (let i = 0; i < 50; i++) clock.advance(10);
    expected.sort((a, b) => a.due - b.due || a.index - b.index);
    expect(called).toEqual(expected.map(({ index }) => index));
    expect(clock.pendingTimers).toBe(0);
    expect(clock.nextTimerMs).toBeUndefined();
  });

  it('runs what a timer sets, if it comes due within the same advance', () => {
    const clock = new VirtualClock();
    const called: number[] = [];
    const again = () => {
      called.push(clock.monotonic());
      clock.setTimer(10, again);
    };
    clock.setTimer(10, again);
    clock.advance(35);
    expect(called).toEqual([10, 20, 30]);
    expect(clock.monotonic()).toBe(35);
  });

  it('runs deferred callbacks before time goes on', () => {
    const clock = new VirtualClock();
    const called: string[] = [];
    clock.setTimer(5, () => {
      called.push('timer');
      clock.defer(() => {
        called.push(`deferred at ${clock.monotonic()}`);
        clock.defer(() => called.push(`again at ${clock.monotonic()}`));
      });
    });
    clock.setTimer(6, () => called.push('next timer'));
    clock.advance(10);
    expect(called).toEqual(['timer', 'deferred at 5', 'again at 5', 'next timer']);
  });

  it('lets promises go on between timers when advanced asynchronously', async () => {
    const clock = new VirtualClock();
    const called: string[] = [];
    clock.setTimer(5, async () => {
      await Promise.resolve();
      await Promise.resolve();
      called.push(`after promises at ${clock.monotonic()}`);
      clock.setTimer(1, () => called.push(`set late at ${clock.monotonic()}`));
    });
    clock.setTimer(50, () => called.push('last'));
    await clock.advanceAsync(60);
    expect(called).toEqual(['after promises at 5', 'set late at 6', 'last']);
    expect(clock.monotonic()).toBe(60);
  });
});
