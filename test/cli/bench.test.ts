/** `clearwing bench` as a program, against brokers that run. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/bench/load.ts';
import { type FaultProxy, type Spoil, startFaultProxy } from '../bench/fault-proxy.ts';
import { type BrokerProcess, freePort, startBroker } from '../support/broker-process.ts';
import { clearwingMain } from '../support/paths.ts';
import { describeWithPeer } from '../support/peers.ts';
import { type RunningCommand, run, start } from '../support/run.ts';
import { until } from '../support/until.ts';

interface Report {
  readonly command: string;
  readonly target: string;
  readonly results: readonly Record<string, unknown>[];
  readonly notes: readonly string[];
  readonly faults: readonly string[];
  readonly error?: string;
}

/** What a process takes of memory is the system's to say: here only that it was asked. */
const memory = { beforeBytes: expect.any(Number), eachBytes: expect.any(Number) };
const short = ['--seconds', '0.4', '--warm-up', '0.1'];
const shortest = ['--seconds', '0.2', '--warm-up', '0.05'];
let broker: BrokerProcess;

beforeAll(async () => {
  broker = await startBroker({ program: 'clearwing', webSocket: true, config: 'max_queued_messages 0' });
});

afterAll(() => broker.stop());

function bench(...args: string[]) {
  return run(process.execPath, [clearwingMain, 'bench', ...args]);
}

/** Runs with `--json`. */
async function report(args: readonly string[]): Promise<{ status: number | null; stderr: string; report: Report }> {
  const { status, stdout, stderr } = await bench(...args, '--json');
  return { status, stderr, report: JSON.parse(stdout) };
}

const total = (result: Record<string, unknown> | undefined) => (result as unknown as LoadResult).total;

function expectWhole(results: Report['results'], count: number): void {
  expect(results).toHaveLength(count);
  for (const result of results) {
    const { expected, received, published } = total(result);
    expect(published).toBeGreaterThan(0);
    expect(received).toBe(expected);
    expect(total(result)).toMatchObject({ lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
  }
}

describe('clearwing bench flow', () => {
  it('counts every delivery of every flow, QoS and size, and prints a table', async () => {
    const { status, stdout } = await bench(
      ...['flow', '-h', '127.0.0.1', '-p', `${broker.port}`, '--flow', '1-3,2-2', '-q', '0,1', '-s', '64,500'],
      ...['--broker-pid', `${broker.pid}`, ...shortest],
    );
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^flow +QoS +bytes +deliveries\/s +MB\/s +published\/s +per CPU-second +broker CPU/);
    expect(lines.slice(1, 9).map((line) => line.split(/ +/).slice(0, 3).join(' '))).toEqual(
      ['1→3', '2→2'].flatMap((flow) => ['0 64', '0 500', '1 64', '1 500'].map((rest) => `${flow} ${rest}`)),
    );
  });

  it('mixes exact filters, + and #, over a WebSocket and MQTT 5, with persistent sessions and RETAIN, and leaves nothing', async () => {
    const { status, report: found } = await report([
      ...['flow', '-L', `ws://127.0.0.1:${broker.wsPort}/mqtt`, '-V', '5', '-t', 'mixed/bench', '-i', 'mixed'],
      ...['--flow', '3-10', '--mix', 'exact=5,plus=3,hash=2', '--topics', '2', '-q', '2', '-c', '-r'],
      ...['--receive-maximum', '3', ...short],
    ]);
    expect([status, found.error, found.faults]).toEqual([0, undefined, []]);
    expectWhole(found.results, 1);
    const [result] = found.results as unknown as (LoadResult & { flow: string })[];
    expect(result!.flow).toBe('3→10 5 exact 3 plus 2 hash');
    // Two subscribers hear everything, eight one of three publishers each.
    expect(result!.total.expected).toBeGreaterThan(result!.total.published * 4);
    const left = await report(['retained', '-p', `${broker.port}`, '-n', '1', '-t', 'mixed', '--replays', '1']);
    expect(left.report.results[0]).toMatchObject({ received: 1, foreign: 0 });
  });
});

describeWithPeer('mosquitto', 'clearwing bench', () => {
  it('measures mosquitto, too', async () => {
    const other = await startBroker({ program: 'mosquitto', config: 'max_queued_messages 0' });
    try {
      const [flow, ...others] = await Promise.all([
        report(['flow', '-p', `${other.port}`, '--flow', '2-2', '-q', '0,1,2', ...shortest]),
        ...['connect', 'retained', 'subscribe'].map((command) =>
          report([command, '-p', `${other.port}`, '-n', '50', '-V', '5']),
        ),
      ]);
      expect(flow.status).toBe(0);
      expectWhole(flow.report.results, 3);
      for (const { status, report: found } of others) {
        expect([found.command, status, found.faults, found.error]).toEqual([found.command, 0, [], undefined]);
      }
    } finally {
      await other.stop();
    }
  });
});

describe('clearwing bench through a proxy that spoils messages', () => {
  let proxy: FaultProxy | undefined;
  afterEach(() => proxy?.close());

  let kept: Buffer | undefined;
  it.each<[string, string, Spoil, string]>([
    ['loses one at QoS 1', '1', (packet, index) => (index === 5 ? [] : [packet]), ' 1 of '],
    ['repeats one at QoS 0', '0', (packet, index) => (index === 5 ? [packet, packet] : [packet]), '1 repeated'],
    [
      'turns two around at QoS 0',
      '0',
      (packet, index) => {
        if (index === 5) kept = Buffer.from(packet);
        return index === 5 ? [] : index === 6 ? [packet, kept!] : [packet];
      },
      '1 out of order',
    ],
  ])('finds that it %s, and fails', async (_, qos, spoil, fault) => {
    proxy = await startFaultProxy(broker.port, spoil);
    const { status, report: found } = await report(['flow', '-p', `${proxy.port}`, '-q', qos, ...short]);
    expect(found.error).toBeUndefined();
    expect(found.faults).toEqual([expect.stringContaining(fault)]);
    expect(status).toBe(2);
    const { lost, duplicates, outOfOrder } = total(found.results[0]);
    expect(lost + duplicates + outOfOrder).toBe(1);
  });

  it('shows losses at QoS 0 and does not fail', async () => {
    proxy = await startFaultProxy(broker.port, (packet, index) => (index === 5 ? [] : [packet]));
    const { status, report: found } = await report(['flow', '-p', `${proxy.port}`, ...short]);
    expect([status, found.faults, total(found.results[0]).lost]).toEqual([0, [], 1]);
  });

  it('says so when the connection is closed in the middle', async () => {
    proxy = await startFaultProxy(broker.port, (packet, index) => {
      if (index === 5) setImmediate(() => proxy!.cut());
      return [packet];
    });
    const { status, stdout, stderr } = await bench('flow', '-p', `${proxy.port}`, '--seconds', '100');
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Error: bench-\d+-(pub|sub)-0: the broker closed the connection.*\n$/);
  });

  it('prints what it has after Ctrl-C', async () => {
    proxy = await startFaultProxy(broker.port, (packet) => [packet]);
    const args = ['flow', '-p', `${proxy.port}`, '-q', '1', '--seconds', '1000', '--warm-up', '0', '--json'];
    const running: RunningCommand = start(process.execPath, [clearwingMain, 'bench', ...args]);
    await until(() => proxy!.published() > 100, 'messages to flow');
    running.kill('SIGINT');
    const { status, stdout, stderr } = await running.finished;
    expect([status, stderr]).toEqual([130, 'Ended early.\n']);
    const found: Report = JSON.parse(stdout);
    expectWhole(found.results, 1);
    expect(found.results[0]).toMatchObject({ isPartial: true });
  });
});

describe('clearwing bench latency', () => {
  it('counts from when messages were due, so that a pause makes all of them late that were due in it', async () => {
    const proxy = await startFaultProxy(broker.port, (packet, index) => {
      if (index === 100) {
        proxy.stall();
        setTimeout(() => proxy.go(), 500);
      }
      return [packet];
    });
    try {
      // With one message unacknowledged at a time, a single one is on its way during the pause.
      const args = ['-q', '1', '--rate', '1000', '--seconds', '1', '--warm-up', '0', '--publish-window', '1'];
      const { status, report: found } = await report(['latency', '-p', `${proxy.port}`, ...args]);
      expect([status, found.error]).toEqual([0, undefined]);
      expectWhole(found.results, 1);
      const { latency } = found.results[0] as unknown as LoadResult;
      expect(latency!.unsent).toBe(0);
      expect([latency!.delivery!.count, latency!.acknowledgement!.count]).toEqual([1000, 1000]);
      // Half of all were due in the pause; counted from their sending, 999 of 1000 would be quick.
      expect(latency!.delivery!.p90).toBeGreaterThan(300);
      expect(latency!.acknowledgement!.p90).toBeGreaterThan(300);
      expect(latency!.delivery!.max).toBeGreaterThan(450);
    } finally {
      proxy.close();
    }
  });

  it('sends as many as are due at each QoS', async () => {
    const args = ['--flow', '3-3', '-q', '0,1,2', '--rate', '500', '--seconds', '0.4', '--warm-up', '0.2'];
    const { status, report: found } = await report(['latency', '-p', `${broker.port}`, ...args]);
    expect(status).toBe(0);
    expectWhole(found.results, 3);
    for (const result of found.results as unknown as LoadResult[]) {
      expect(result.total.published).toBe(300);
      // Those due in the warm-up are left out.
      expect(result.latency!.delivery!.count).toBe(200);
    }
  });
});

describe('clearwing bench', () => {
  it('makes connections at a rate, holds them with PINGREQ, and counts those that fail', async () => {
    const limits = 'listener {port} 127.0.0.1\nallow_anonymous true\nmax_connections 30';
    const limited = await startBroker({ program: 'clearwing', config: limits });
    try {
      const args = ['-n', '40', '--rate', '400', '--at-once', '5', '-k', '1', '--hold', '1.2'];
      const { status, report: found } = await report(['idle', '-p', `${limited.port}`, ...args]);
      expect(status).toBe(2);
      expect(found.results[0]).toMatchObject({ connected: 30, failed: 10, lost: 0, latency: { count: 30 } });
      expect(found.results[0]!.pings).toBeGreaterThanOrEqual(30);
      expect(found.faults).toEqual(['10 connections could not be made']);
    } finally {
      await limited.stop();
    }
  });

  it('stores retained messages, has each replayed once, and removes them', async () => {
    const runs = ['0', '1'].map((qos) =>
      report([
        ...['retained', '-p', `${broker.port}`, '--broker-pid', `${broker.pid}`, '-t', `kept/${qos}`],
        ...['-n', '2500', '-s', '100', '-q', qos, '--replays', '2'],
      ]),
    );
    for (const { status, report: found } of await Promise.all(runs)) {
      expect(status).toBe(0);
      expect(found.results).toHaveLength(2);
      for (const result of found.results) {
        expect(result).toMatchObject({ stored: 2500, received: 2500, lost: 0, duplicates: 0, foreign: 0, memory });
      }
    }
  });

  it('makes subscriptions of all kinds, and measures a flow before and beside them', async () => {
    const args = ['-n', '3000', '--mix', 'exact=2,plus=1,hash=1', '--connections', '3', '--per-packet', '7'];
    const { status, report: found } = await report([
      ...['subscribe', '-p', `${broker.port}`, '--broker-pid', `${broker.pid}`, '-q', '1', '--publish', '0.1', ...args],
    ]);
    expect([status, found.faults]).toEqual([0, []]);
    const [result] = found.results;
    expect(result).toMatchObject({ granted: 3000, latency: { count: Math.ceil(3000 / 7) }, memory });
    expectWhole([result!.flowBefore, result!.flowWithThem] as Record<string, unknown>[], 2);
  });

  it('has clients come, talk to themselves at each QoS, and go', async () => {
    const args = ['--clients', '3', '--seconds', '0.3', '-V', '5', '-p', `${broker.port}`];
    const runs = ['0', '1', '2'].map((qos) => report(['churn', ...args, '-q', qos, '-t', `churn/${qos}`]));
    for (const { status, report: found } of await Promise.all(runs)) {
      expect(status).toBe(0);
      const [result] = found.results as unknown as { cycles: number; failed: number; cycle: unknown }[];
      expect(result!.cycles).toBeGreaterThanOrEqual(3);
      expect(result!.failed).toBe(0);
      expect(result!.cycle).toMatchObject({ count: result!.cycles });
    }
  });

  it('says who is not there, and who refuses', async () => {
    const noProcess = await bench('flow', '--broker-pid', '4194304');
    expect([noProcess.status, noProcess.stderr]).toEqual([
      1,
      'Error: --broker-pid is 4194304, of which /proc knows nothing\n',
    ]);
    const port = await freePort();
    const nobody = await bench('flow', '-h', '127.0.0.1', '-p', `${port}`);
    expect([nobody.status, nobody.stdout]).toEqual([1, '']);
    expect(nobody.stderr).toContain(`connect ECONNREFUSED 127.0.0.1:${port} (nobody listens there)`);
    const strict = await startBroker({ program: 'clearwing', config: 'allow_anonymous false' });
    try {
      const refused = [
        ['flow', '311', '0x05 (not authorised)'],
        ['connect', '5', '0x87 (Not authorized)'],
        ['retained', '311', '0x05 (not authorised)'],
        ['subscribe', '5', '0x87 (Not authorized)'],
        ['churn', '311', '0x05 (not authorised)'],
      ] as const;
      const runs = refused.map(([command, version]) =>
        bench(command, '-p', `${strict.port}`, '-V', version, '-u', 'a', '-P', 'b'),
      );
      for (const [index, { status, stderr }] of (await Promise.all(runs)).entries()) {
        const [command, , reason] = refused[index]!;
        expect([command, status]).toEqual([command, 1]);
        expect(stderr).toContain(`the broker refuses the connection with code ${reason}`);
      }
    } finally {
      await strict.stop();
    }
  });
});
