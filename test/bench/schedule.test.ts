import { describe, expect, it } from 'vitest';
import { Latencies } from '../../src/bench/latency.ts';
import { numberBytes, numberedTopic, writeNumber } from '../../src/bench/numbered-topics.ts';
import { Schedule } from '../../src/bench/schedule.ts';

describe('Schedule', () => {
  it('has publishers take turns, each message at its time', () => {
    const schedule = new Schedule(100, 3);
    schedule.start(1000, 0.1);
    expect(schedule.total).toBe(10);
    expect([0, 1, 2].map((publisher) => schedule.dueMs(publisher, 0))).toEqual([1000, 1010, 1020]);
    expect(schedule.dueMs(1, 2)).toBe(1070);
    for (const nowMs of [0, 999, 1000, 1009, 1010, 1055, 1090, 5000]) {
      const due = [0, 1, 2].map((publisher) => schedule.dueOf(publisher, nowMs));
      expect(due.reduce((sum, count) => sum + count)).toBe(schedule.dueOfAll(nowMs));
      // All that are due are, and the next of each is not.
      for (const [publisher, count] of due.entries()) {
        if (count > 0) expect(schedule.dueMs(publisher, count - 1)).toBeLessThanOrEqual(nowMs);
        if (count * 3 + publisher < 10) expect(schedule.dueMs(publisher, count)).toBeGreaterThan(nowMs);
      }
    }
  });

  it('has nothing due before it begins, and nothing more once it is cut', () => {
    const schedule = new Schedule(1000, 1);
    expect(schedule.dueOfAll(1e9)).toBe(0);
    schedule.start(0, 10);
    schedule.cut(4.5);
    expect([schedule.total, schedule.dueOf(0, 1e9)]).toEqual([5, 5]);
  });
});

describe('Latencies', () => {
  it('knows percentiles to three digits, never above the longest', () => {
    const latencies = new Latencies();
    expect(latencies.summary()).toBeUndefined();
    for (let value = 1; value <= 1000; value++) latencies.record(value);
    const { count, min, p50, p90, p99, p999, max, mean } = latencies.summary()!;
    expect([count, min]).toEqual([1000, 1]);
    for (const [value, expected] of [
      [p50, 500],
      [p90, 900],
      [p99, 990],
      [p999, 999],
      [max, 1000],
      [mean, 500.5],
    ] as const) {
      expect(Math.abs(value - expected) / expected).toBeLessThan(0.001);
    }
    expect(p999).toBeLessThanOrEqual(max);
  });

  it('takes what lies outside of its range at the ends of it', () => {
    const latencies = new Latencies();
    latencies.record(-1, 3);
    latencies.record(1e12);
    expect(latencies.summary()).toMatchObject({ count: 4, min: 0 });
  });
});

describe('numbered topics', () => {
  it('are rewritten in place to what they are called', () => {
    const bytes = new TextEncoder().encode(numberedTopic('a/b', 0));
    for (const number of [0, 7, 999, 1000, 1_234_567, 9_999_999]) {
      writeNumber(bytes, bytes.length - numberBytes, number);
      expect(new TextDecoder().decode(bytes)).toBe(numberedTopic('a/b', number));
    }
    expect(numberedTopic('a/b', 1234)).toBe('a/b/0001/234');
  });
});
