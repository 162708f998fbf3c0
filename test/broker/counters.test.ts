import { describe, expect, it } from 'vitest';
import { type CounterName, Counters, counterRows } from '../../src/broker/counters.ts';
import { LoadAverage } from '../../src/broker/load-average.ts';

describe('Counters', () => {
  it('all start at 0 and have a row that says what they mean', () => {
    const counters = new Counters();
    const names = [...Object.keys(counters), 'clientsConnected'].sort() as CounterName[];
    expect(Object.keys(counterRows).sort()).toEqual(names);
    for (const name of names) {
      expect(counters[name], name).toBe(0);
      expect(counterRows[name].description, name).toMatch(/^[A-Z].*\.$/);
      expect(counterRows[name].topic, name).toMatch(/^\$SYS\/broker\/[a-z0-9_/]+$/);
    }
    const topics = names.map((name) => counterRows[name].topic);
    expect(new Set(topics).size).toBe(topics.length);
  });

  it('remember the largest number of clients connected at the same time', () => {
    const counters = new Counters();
    counters.clientsConnected++;
    counters.clientsConnected++;
    counters.clientsConnected--;
    counters.clientsConnected++;
    counters.clientsConnected--;
    counters.clientsConnected--;
    expect(counters.clientsConnected).toBe(0);
    expect(counters.clientsMaximum).toBe(2);
  });

  it('stay exact beyond 32 bits', () => {
    const counters = new Counters();
    counters.bytesReceived += 2 ** 31 - 1;
    counters.bytesReceived++;
    counters.bytesReceived += 2 ** 40;
    expect(counters.bytesReceived).toBe(2 ** 31 + 2 ** 40);
  });
});

describe('LoadAverage', () => {
  it('gives what Mosquitto 2.0.11 published for 2, then 9, then 0 packets in steps of two seconds', () => {
    const load = new LoadAverage();
    const published: string[][] = [];
    for (const total of [2, 11, 11]) {
      load.update(total, 2);
      published.push([load.over(1).toFixed(2), load.over(5).toFixed(2), load.over(15).toFixed(2)]);
    }
    expect(published).toEqual([
      ['1.97', '0.40', '0.13'],
      ['10.75', '2.19', '0.73'],
      ['10.40', '2.18', '0.73'],
    ]);
  });

  it('comes to the rate per minute when that does not change, however often it is updated', () => {
    for (const stepSeconds of [0.1, 1, 10, 60, 600]) {
      const load = new LoadAverage(5000);
      let total = 5000;
      for (let seconds = 0; seconds < 4 * 3600; seconds += stepSeconds) {
        total += 3 * stepSeconds;
        load.update(total, stepSeconds);
      }
      for (const minutes of [1, 5, 15] as const) expect(load.over(minutes)).toBeCloseTo(180, 3);
    }
  });

  it('does not change when no time has passed, and then counts what came meanwhile', () => {
    const load = new LoadAverage();
    load.update(10, 0);
    load.update(10, -5);
    expect(load.over(1)).toBe(0);
    load.update(10, 60);
    expect(load.over(1)).toBeCloseTo(10 * (1 - Math.exp(-1)), 10);
  });
});
