import type { Clock, TimerHandle } from '../../../src/base/clock.ts';

/** Turns and timers end when they are told to, and time passes when it is told to. */
export class ManualClock implements Clock {
  ms = 0;
  #deferred: (() => void)[] = [];
  readonly #timers = new Map<object, { readonly dueMs: number; readonly callback: () => void }>();

  now(): number {
    return this.ms;
  }
  monotonic(): number {
    return this.ms;
  }
  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const handle = {};
    this.#timers.set(handle, { dueMs: this.ms + delayMs, callback });
    return handle as TimerHandle;
  }
  /** Whether a timer ends within so many milliseconds. */
  hasTimerWithin(ms: number): boolean {
    return [...this.#timers.values()].some(({ dueMs }) => dueMs <= this.ms + ms);
  }
  clearTimer(handle: TimerHandle): void {
    this.#timers.delete(handle);
  }
  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }
  endTurn(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    for (const callback of deferred) callback();
  }
  /** Milliseconds go by, a turn in each. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left--) {
      this.ms++;
      for (const [handle, { dueMs, callback }] of this.#timers) {
        if (dueMs > this.ms) continue;
        this.#timers.delete(handle);
        callback();
      }
      this.endTurn();
    }
  }
}
