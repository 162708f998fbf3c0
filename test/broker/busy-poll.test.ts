import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { BusyPoll } from '../../src/broker/busy-poll.ts';

/** A clock whose deferred callbacks each take a while, so that polling takes time, too. */
class PollingClock implements Pick<Clock, 'monotonic' | 'defer'> {
  ms = 0;
  readonly #deferred: (() => void)[] = [];

  monotonic(): number {
    return this.ms;
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Lets time pass up to `ms`, with a poll every 2 µs if there is polling. Gives how many there were. */
  passUntil(ms: number): number {
    let polls = 0;
    while (this.ms + 0.002 <= ms) {
      this.ms += 0.002;
      const callback = this.#deferred.shift();
      if (callback === undefined) break;
      callback();
      polls++;
    }
    this.ms = ms;
    return polls;
  }
}

function prepared(windowMs: number) {
  const clock = new PollingClock();
  const busyPoll = new BusyPoll(clock as unknown as Clock);
  busyPoll.windowMs = windowMs;
  return {
    clock,
    busyPoll,
    /** So many chunks, each so long after the one before was worked through, which takes 5 µs. Gives the polls. */
    chunks(count: number, gapMs: number): number {
      let polls = 0;
      for (let index = 0; index < count; index++) {
        polls += clock.passUntil(clock.ms + gapMs);
        busyPoll.chunkBegins(clock.ms);
        clock.ms += 0.005;
        busyPoll.rest(clock.ms);
      }
      return polls;
    },
  };
}

describe('BusyPoll', () => {
  it('polls once chunks have come within the window a few times, and stops when the window is over', () => {
    const { busyPoll, clock, chunks } = prepared(0.05);
    expect(chunks(5, 0.03)).toBe(0);
    expect(chunks(20, 0.03)).toBeGreaterThan(100);
    expect(busyPoll.isPolling).toBe(true);
    const polls = clock.passUntil(clock.ms + 1000);
    expect(polls).toBeGreaterThan(20);
    expect(polls).toBeLessThan(30);
    expect(busyPoll.isPolling).toBe(false);
  });

  it('tries it where chunks come so late that a process which sleeps might see them late, and seldom again if they do come late', () => {
    const { chunks } = prepared(0.05);
    // A window has room for 25 polls.
    const polls = chunks(1000, 0.08);
    expect(polls).toBeGreaterThan(0);
    expect(polls).toBeLessThan((1000 * 25) / 3);
    expect(chunks(1000, 0.12)).toBeLessThan(100);
  });

  it('does not poll where chunks are rare, and costs little where they become rare', () => {
    const { chunks } = prepared(0.05);
    expect(chunks(1000, 1)).toBe(0);
    expect(chunks(30, 0.02)).toBeGreaterThan(0);
    expect(chunks(1000, 1)).toBeLessThan(100);
  });

  it('does not poll where half of the chunks are rare', () => {
    const { chunks } = prepared(0.05);
    let polls = 0;
    for (let index = 0; index < 1000; index++) polls += chunks(1, 0.02) + chunks(1, 1);
    expect(polls).toBe(0);
  });

  it('never polls with a window of 0, from the moment on that it is set', () => {
    const { busyPoll, clock, chunks } = prepared(0);
    expect(chunks(1000, 0)).toBe(0);
    busyPoll.windowMs = 0.05;
    chunks(30, 0.01);
    expect(busyPoll.isPolling).toBe(true);
    busyPoll.windowMs = 0;
    expect(clock.passUntil(clock.ms + 1)).toBeLessThan(2);
    expect(busyPoll.isPolling).toBe(false);
  });
});
