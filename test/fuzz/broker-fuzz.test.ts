import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, startBroker } from '../support/broker-process.ts';
import { fuzzBroker } from './broker-fuzz.ts';

describe('the broker', () => {
  let broker: BrokerProcess;
  beforeAll(async () => {
    broker = await startBroker({ program: 'clearwing' });
  });
  afterAll(() => broker.stop());

  it('withstands mutated packets: others are served, what it sends is well-formed, and it ends cleanly', async () => {
    const report = await fuzzBroker({ host: '127.0.0.1', port: broker.port, seed: 1, packets: 6000 });
    expect(report.packets).toBe(6000);
    expect(report.checks).toBeGreaterThan(20);
    // Some of the connections got far enough to be answered, some so far that they were ended.
    expect(report.answers).toBeGreaterThan(500);
    expect(report.closedByBroker).toBeGreaterThan(200);
    expect(await broker.stop()).toBe(0);
  });
});
