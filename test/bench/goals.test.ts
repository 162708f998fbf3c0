import { describe, expect, it } from 'vitest';
import { goalTable } from '../../bench/goals.ts';
import type { Case, Outcome, StormOutcome } from '../../bench/outcomes.ts';
import { parseFlow } from '../../src/bench/flow.ts';
import type { LoadResult } from '../../src/bench/load.ts';

const flowCase: Case = {
  ...{ flow: parseFlow('1-1'), qos: 0, topics: 1, isDurable: false, payloadBytes: 64, rate: undefined },
  group: 'flows',
};

function outcome(of: Case, broker: string, deliveries: number, cpuSeconds: number): Outcome {
  const run = { deliveries, seconds: 1, brokerCpuSeconds: cpuSeconds, generatorCpuSeconds: 1 };
  const total = { published: 0, expected: 0, received: 0, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 };
  return { case: of, broker, runs: [{ ...run, total } as unknown as LoadResult] };
}

function storm(name: 'idle' | 'retained', broker: string, figures: Record<string, number>): StormOutcome {
  return { group: { name, brokers: [], count: 1, rounds: 1 }, broker, runs: [{ figures, faults: [] }] };
}

describe('what is wanted', () => {
  it('is held against the rates of the other brokers in the same case, by clock and by processor time', () => {
    const outcomes = [outcome(flowCase, 'clearwing', 1300, 1), outcome(flowCase, 'mosquitto', 100, 0.5)];
    const other = { ...flowCase, qos: 1 } as const;
    outcomes.push(outcome(other, 'clearwing', 250, 1), outcome(other, 'mosquitto', 100, 1));
    expect(goalTable(outcomes, [])?.rows).toEqual([
      ['1→1 QoS 0 beside mosquitto', '≥ 12 ×', '13.00 ×', '6.50 ×', 'yes'],
      ['1→1 QoS 1 beside mosquitto', '≥ 2.6 ×', '2.50 ×', '2.50 ×', '**no**'],
    ]);
  });

  it('is a number of bytes where memory is meant', () => {
    const storms = [
      storm('idle', 'clearwing', { bytes: 6145 }),
      storm('retained', 'clearwing', { bytes: 350, rate: 50 }),
      storm('retained', 'mosquitto', { bytes: 1, rate: 10 }),
    ];
    expect(goalTable([], storms)?.rows).toEqual([
      ['an idle connection', '≤ 6,144 bytes', '6,145 bytes', '–', '**no**'],
      ['retained messages beside mosquitto', '≥ 5 ×', '5.00 ×', '–', 'yes'],
      ['a retained message', '≤ 350 bytes', '350 bytes', '–', 'yes'],
    ]);
  });

  it('is left out where nothing of it was measured', () => {
    expect(goalTable([outcome(flowCase, 'clearwing', 1, 1)], [])).toBeUndefined();
  });
});
