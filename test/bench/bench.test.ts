/** `npm run bench` as a person starts it, kept short. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryDirectory } from '../support/paths.ts';
import { describeWithPeer } from '../support/peers.ts';
import { run, start } from '../support/run.ts';

const entry = join(repositoryDirectory, 'bench', 'run.mjs');
const short = ['--rounds', '1', '--warm-up', '0.1', '--seconds', '0.4'];
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'clearwing-bench-test-'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describeWithPeer('mosquitto', 'a benchmark of mosquitto', () => {
  it('counts everything that was published at QoS 1 and 2 once and in order', async () => {
    const jsonPath = join(directory, 'mosquitto.json');
    const args = ['--brokers', 'mosquitto', '--flows', '1-1,1-3,3-1', '--qos', '1,2', '--json', jsonPath];
    const { status, stdout } = await run(process.execPath, [entry, ...args, ...short]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\| 1→1 +\| +1 \| mosquitto \| +[\d,]+ \|/m);
    const { outcomes, machine } = JSON.parse(readFileSync(jsonPath, 'utf8'));
    expect(machine.node).toBe(process.version);
    expect(outcomes).toHaveLength(6);
    for (const { runs, flow } of outcomes) {
      const [{ total, deliveries, seconds }] = runs;
      expect(total.published).toBeGreaterThan(0);
      expect(total.expected).toBe(total.published * (flow === '1→3' ? 3 : 1));
      expect(total).toMatchObject({ received: total.expected, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
      expect(deliveries).toBeGreaterThan(0);
      expect(deliveries).toBeLessThanOrEqual(total.received);
      expect(seconds).toBeGreaterThanOrEqual(0.4);
    }
  });
});

describe('a benchmark', () => {
  it.each([
    ['clearwing', '3.1.1', '1'],
    ['clearwing', '5', '2'],
    ['aedes', '3.1.1', '1'],
    ['probe', '3.1.1', '2'],
  ])(
    'drives %s over MQTT %s with publishers that take %s topics in turn, at all QoS',
    async (broker, protocol, topics) => {
      const jsonPath = join(directory, `${broker}.json`);
      const args = [
        '--brokers',
        broker,
        '--protocol',
        protocol,
        '--topics',
        topics,
        '--flows',
        '2-2',
        '--json',
        jsonPath,
      ];
      const { stdout } = await run(process.execPath, [entry, ...args, ...short]);
      const { outcomes } = JSON.parse(readFileSync(jsonPath, 'utf8'));
      expect(outcomes.map(({ qos }: { qos: number }) => qos)).toEqual([0, 1, 2]);
      for (const { runs } of outcomes) {
        expect(runs[0].error, stdout).toBeUndefined();
        const { total } = runs[0];
        expect(total.received).toBeGreaterThan(0);
        expect(total).toMatchObject({ received: total.expected, lost: 0, late: 0, duplicates: 0, outOfOrder: 0 });
      }
    },
  );

  it('measures what a store costs with persistent sessions, and what the disk does beside it', async () => {
    const jsonPath = join(directory, 'durable.json');
    const args = ['--durable', '--brokers', 'clearwing-strict,clearwing-none,clearwing', '--flows', '2-2'];
    const { status, stdout } = await run(process.execPath, [
      entry,
      ...[...args, '--json', jsonPath, '--directory', directory, '--protocol', '5'],
      ...short,
    ]);
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^- .*: [\d,]+ appended records of 128 B per second, each synced/m);
    const { outcomes, disk } = JSON.parse(readFileSync(jsonPath, 'utf8'));
    expect(disk.summary.median).toBeGreaterThan(0);
    expect(outcomes.map(({ qos, broker }: { qos: number; broker: string }) => `${qos} ${broker}`)).toEqual(
      [1, 2].flatMap((qos) => ['clearwing-strict', 'clearwing-none', 'clearwing'].map((name) => `${qos} ${name}`)),
    );
    for (const { runs, isDurable } of outcomes) {
      expect(isDurable).toBe(true);
      expect(runs[0].total.received).toBeGreaterThan(0);
      expect(runs[0].total).toMatchObject({ received: runs[0].total.expected, lost: 0, late: 0, duplicates: 0 });
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('clearwing-bench-'))).toEqual([]);
  });

  it('measures larger payloads, paced messages, and very many connections, subscriptions and retained messages', async () => {
    const jsonPath = join(directory, 'cases.json');
    const names = 'payload,paced,connections,idle,subscriptions,retained,queued';
    const args = ['--cases', names, '--brokers', 'clearwing', '--count', '300', '--rate', '500'];
    const { status, stdout } = await run(process.execPath, [
      ...[entry, ...args, '--hold', '0.1', '--json', jsonPath],
      ...[...short, '--seconds', '0.2'],
    ]);
    expect(status, stdout).toBe(0);
    expect(stdout).toContain('Messages at fixed times, 500 a second:');
    expect(stdout).toContain('300 subscriptions, and a flow 1→1 at QoS 0 beside them (one run):');
    const { outcomes, storms } = JSON.parse(readFileSync(jsonPath, 'utf8'));
    const flows = outcomes.map(
      ({ flow, qos, payloadBytes }: Record<string, unknown>) => `${flow} ${qos} ${payloadBytes}`,
    );
    expect(flows).toEqual(['1→1 0 1024', '1→1 0 16384', '1→50 0 1024', '1→50 0 16384', '20→20 0 64', '20→20 1 64']);
    for (const { runs } of outcomes) {
      expect(runs[0].total).toMatchObject({ received: runs[0].total.expected, lost: 0, late: 0, duplicates: 0 });
    }
    expect(outcomes.at(-1).runs[0].latency).toMatchObject({ rate: 500, delivery: { count: 100 }, unsent: 0 });
    const kinds = storms.map(({ kind, count }: Record<string, unknown>) => `${kind} ${count}`);
    expect(kinds).toEqual(['connections 300', 'idle 300', 'subscriptions 300', 'retained 300', 'queued 300']);
    for (const { faults, summary } of storms) {
      expect(faults).toEqual([]);
      for (const name of Object.keys(summary)) {
        // Three hundred may be done before the clock of the processor has ticked.
        if (name !== 'perCpuSecond') expect(summary[name].median, name).toEqual(expect.any(Number));
      }
    }
  });

  it('reports a broker that dies under load with its last words, goes on, and fails', async () => {
    const scriptPath = join(directory, 'dies.mjs');
    await writeFile(
      scriptPath,
      `import { createServer } from 'node:net';
      createServer((socket) => socket.on('error', () => {}).on('data', () => {
        console.error('out of memory');
        process.exit(3);
      })).listen(Number(process.argv[2]), '127.0.0.1');`,
    );
    const broker = `dies=${process.execPath} ${scriptPath} {port}`;
    const args = ['--brokers', 'probe', '--broker', broker, '--flows', '1-1', '--qos', '0,1'];
    const { status, stdout } = await run(process.execPath, [entry, ...args, ...short]);
    expect(status).toBe(1);
    expect(stdout).toContain('**dies 1→1 QoS 0**: dies ended by itself with exit status 3\n    out of memory');
    expect(stdout).toContain('**dies 1→1 QoS 1**');
    expect(stdout).toMatch(/^\| 1→1 +\| +1 \| probe +\| +[\d,]+ \|/m);
  });

  it('leaves nothing behind when it is interrupted, and prints what it has', async () => {
    // Both the broker and the generator have this directory in their command lines.
    const args = ['--brokers', 'clearwing', '--flows', '1-1', '--qos', '1', '--seconds', '0.2', '--rounds', '1000'];
    const bench = start(process.execPath, [entry, ...args], { environment: { TMPDIR: directory } });
    await bench.waitForOutput('1/1000', 'stderr', 50_000);
    bench.kill('SIGINT');
    const { status, stdout } = await bench.finished;
    expect(status).toBe(130);
    expect(stdout).toMatch(/^\| 1→1 +\| +1 \| clearwing \| +[\d,]+ \|/m);
    expect(processesWith(directory)).toEqual([]);
    expect(readdirSync(directory).filter((name) => name.startsWith('clearwing-bench-'))).toEqual([]);
  });

  it('refuses a command line that it does not understand with status 2, and starts nothing', async () => {
    const { status, stdout, stderr } = await run(process.execPath, [entry, '--qos', '7']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain("bench: --qos is '7'; expected 0 to 2");
  });
});

/** Command lines of running programs that have a text in them; none where there is no /proc. */
function processesWith(text: string): string[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          return [readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')];
        } catch {
          return [];
        }
      })
      .filter((commandLine) => commandLine.includes(text));
  } catch {
    return [];
  }
}
