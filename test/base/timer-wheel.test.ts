import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock, VirtualClock } from '../../src/base/clock.ts';
import { TimerWheel, timerDelayMaxMs, WheelTimer } from '../../src/base/timer-wheel.ts';

/** Notes when it expired, on the clock's monotonic time. */
class NotingTimer extends WheelTimer {
  readonly expiredAtMs: number[] = [];
  readonly #clock: Clock;
  readonly #then: (timer: NotingTimer) => void;

  constructor(clock: Clock, then: (timer: NotingTimer) => void = () => {}) {
    super();
    this.#clock = clock;
    this.#then = then;
  }

  override onExpire(): void {
    this.expiredAtMs.push(this.#clock.monotonic());
    this.#then(this);
  }
}

describe('TimerWheel', () => {
  it('never fires early and at most one tick late, for every delay up to two turns of the first wheel', () => {
    const tickMs = 4;
    for (let startMs = 0; startMs < 2 * tickMs; startMs++) {
      const clock = new VirtualClock();
      const wheel = new TimerWheel(clock, tickMs);
      clock.advance(startMs);
      const timers = Array.from({ length: 600 }, () => new NotingTimer(clock));
      for (const [delayMs, timer] of timers.entries()) wheel.schedule(timer, delayMs);
      clock.advance(1000);
      for (const [delayMs, timer] of timers.entries()) {
        expect(timer.expiredAtMs).toHaveLength(1);
        const lateMs = timer.expiredAtMs[0]! - (startMs + delayMs);
        expect(lateMs, `late for a delay of ${delayMs} ms set at ${startMs} ms`).toBeGreaterThanOrEqual(0);
        expect(lateMs, `late for a delay of ${delayMs} ms set at ${startMs} ms`).toBeLessThanOrEqual(tickMs);
      }
      expect(wheel.size).toBe(0);
      expect(clock.pendingTimers).toBe(0);
    }
  });

  it('keeps to that at the borders of all wheels, up to 2^32 seconds', () => {
    const clock = new VirtualClock();
    const wheel = new TimerWheel(clock, 250);
    clock.advance(12_345_678);
    const delays = [timerDelayMaxMs];
    for (let exponent = 1; exponent <= 5; exponent++) {
      for (const offset of [-251, -250, -1, 0, 1, 249, 250]) delays.push(64 ** exponent * 250 + offset);
    }
    const timers = delays.map((delayMs) => {
      const timer = new NotingTimer(clock);
      wheel.schedule(timer, delayMs);
      return timer;
    });
    clock.advance(timerDelayMaxMs + 250);
    for (const [index, delayMs] of delays.entries()) {
      const lateMs = timers[index]!.expiredAtMs[0]! - (12_345_678 + delayMs);
      expect(lateMs, `late for ${delayMs} ms`).toBeGreaterThanOrEqual(0);
      expect(lateMs, `late for ${delayMs} ms`).toBeLessThanOrEqual(250);
    }
    expect(clock.pendingTimers).toBe(0);
  });

  it('refuses a delay that is negative, too long or no number', () => {
    const wheel = new TimerWheel(new VirtualClock());
    for (const delayMs of [-1, timerDelayMaxMs + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => wheel.schedule(new NotingTimer(systemClock), delayMs)).toThrow('expected 0 to 2^32 seconds');
    }
  });

  it('agrees with a plain list under any sequence of schedule, reschedule, cancel and passing time', () => {
    const tickMs = 10;
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant('schedule' as const),
          index: fc.nat(19),
          ms: fc.oneof(fc.nat(100), fc.nat(10_000), fc.nat(5_000_000)),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('cancel' as const), index: fc.nat(19), ms: fc.constant(0) }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constant('advance' as const),
          index: fc.constant(0),
          ms: fc.oneof(fc.nat(30), fc.nat(5000), fc.nat(3_000_000)),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const clock = new VirtualClock();
        const wheel = new TimerWheel(clock, tickMs);
        const timers = Array.from({ length: 20 }, () => new NotingTimer(clock));
        const dueMs = new Map<number, number>();
        for (const { kind, index, ms } of steps) {
          if (kind === 'schedule') {
            wheel.schedule(timers[index]!, ms);
            dueMs.set(index, clock.monotonic() + ms);
          } else if (kind === 'cancel') {
            wheel.cancel(timers[index]!);
            dueMs.delete(index);
          } else {
            clock.advance(ms);
          }
          const nowMs = clock.monotonic();
          for (const [timerIndex, due] of [...dueMs]) {
            const timer = timers[timerIndex]!;
            if (timer.isScheduled) {
              expect(nowMs - due).toBeLessThan(tickMs);
            } else {
              const firedMs = timer.expiredAtMs.pop()!;
              expect(firedMs).toBeGreaterThanOrEqual(due);
              expect(firedMs - due).toBeLessThanOrEqual(tickMs);
              dueMs.delete(timerIndex);
            }
          }
          // Nothing expired that was cancelled or moved.
          for (const timer of timers) expect(timer.expiredAtMs).toEqual([]);
          expect(wheel.size).toBe(dueMs.size);
          if (wheel.size === 0) expect(clock.pendingTimers).toBe(0);
          else expect(clock.pendingTimers).toBe(1);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  it('lets a timer schedule itself and others while it expires, even when the wheel runs late', () => {
    const clock = new VirtualClock();
    // A host whose event loop is blocked: its timers come only when asked, long after they were due.
    let held: (() => void) | undefined;
    const lateClock: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (_delayMs, callback) => {
        held = callback;
        return clock.setTimer(0, () => {});
      },
      clearTimer: () => {
        held = undefined;
      },
      defer: (callback) => clock.defer(callback),
    };
    const fireHeld = () => {
      const callback = held;
      held = undefined;
      callback!();
    };
    for (let lateTicks = 0; lateTicks < 200; lateTicks++) {
      const wheel = new TimerWheel(lateClock, 10);
      const second = new NotingTimer(clock);
      const first = new NotingTimer(clock, (timer) => {
        if (timer.expiredAtMs.length < 2) wheel.schedule(timer, 10);
        wheel.schedule(second, 25);
      });
      wheel.schedule(first, 10);
      clock.advance(10 + lateTicks * 10);
      const startMs = clock.monotonic();
      fireHeld();
      expect(first.expiredAtMs).toEqual([startMs]);
      expect(second.expiredAtMs).toEqual([]);
      expect(wheel.size).toBe(2);
      clock.advance(20);
      fireHeld();
      expect(first.expiredAtMs).toEqual([startMs, startMs + 20]);
      clock.advance(40);
      fireHeld();
      expect(second.expiredAtMs).toEqual([startMs + 60]);
      expect(held).toBeUndefined();
    }
  });

  it('goes on with the other timers after one of them threw', () => {
    const clock = new VirtualClock();
    const wheel = new TimerWheel(clock, 10);
    const faulty = new NotingTimer(clock, () => {
      throw new Error('broken owner');
    });
    const sameTick = new NotingTimer(clock);
    const later = new NotingTimer(clock);
    wheel.schedule(faulty, 10);
    wheel.schedule(sameTick, 10);
    wheel.schedule(later, 5000);
    expect(() => clock.advance(10)).toThrow('broken owner');
    clock.advance(0);
    expect(sameTick.expiredAtMs).toEqual([10]);
    clock.advance(5000);
    expect(later.expiredAtMs).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('forgets everything when stopped, and can be used again', () => {
    const clock = new VirtualClock();
    const wheel = new TimerWheel(clock, 10);
    const timers = Array.from({ length: 1000 }, () => new NotingTimer(clock));
    for (const [index, timer] of timers.entries()) wheel.schedule(timer, index * 100);
    wheel.stop();
    expect(wheel.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1_000_000);
    expect(timers.every((timer) => timer.expiredAtMs.length === 0 && !timer.isScheduled)).toBe(true);
    wheel.schedule(timers[0]!, 7);
    clock.advance(20);
    expect(timers[0]!.expiredAtMs).toHaveLength(1);
  });

  it('wakes the host only when something may be due', () => {
    const clock = new VirtualClock();
    let hostTimers = 0;
    const counting: Clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback) => {
        hostTimers++;
        return clock.setTimer(delayMs, callback);
      },
      clearTimer: (handle) => clock.clearTimer(handle),
      defer: (callback) => clock.defer(callback),
    };
    const wheel = new TimerWheel(counting, 250);
    const timer = new NotingTimer(clock);
    wheel.schedule(timer, 24 * 3600 * 1000);
    clock.advance(25 * 3600 * 1000);
    expect(timer.expiredAtMs).toHaveLength(1);
    // One per wheel on the way down.
    expect(hostTimers).toBeLessThanOrEqual(7);
  });

  it('expires on the system clock too', async () => {
    const wheel = new TimerWheel(systemClock, 5);
    const startMs = systemClock.monotonic();
    const timer = await new Promise<NotingTimer>((resolve) => {
      wheel.schedule(new NotingTimer(systemClock, resolve), 30);
    });
    expect(timer.expiredAtMs[0]! - startMs).toBeGreaterThanOrEqual(30);
    expect(wheel.size).toBe(0);
  });
});
