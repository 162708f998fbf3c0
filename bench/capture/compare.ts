/** The runs of compare.mjs: each program on each task in turn, so that what else the machine does falls on both. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from '../machine.ts';

const help = `Usage: node bench/capture/compare.mjs [options]

Makes a capture, lets clearwing dissect and tshark read it in turn, checks that they print the same, and prints packets per second by the clock and by
the processor time they took, and the most memory they held: medians of all rounds. A machine that does other things as well makes the clock worth
less than the processor time.

  --packets N     frames of the capture, about; default 1000000
  --connections N open at the same time; default 100
  --rounds N      default 3
  --read FILE     measure with this capture instead of making one
  --threads N     of clearwing dissect; default: as many as it takes by itself
  --json          print the figures as JSON
  --help          print this
`;

const repository = process.cwd();
/** Frames for each MQTT packet of a made capture. */
const framesPerPacket = 1.24;
const sampleMs = 10;
/** Clock ticks of /proc. */
const ticksPerSecond = 100;

interface Task {
  readonly name: string;
  readonly args: readonly string[];
}

const tasks: readonly Task[] = [
  { name: 'summary rows', args: [] },
  {
    name: '-T fields, five',
    args: [
      '-T',
      'fields',
      ...['frame.number', 'frame.time_epoch', 'ip.src', 'mqtt.msgtype', 'mqtt.topic'].flatMap((field) => ['-e', field]),
    ],
  },
  { name: '-Y filter', args: ['-Y', 'mqtt.msgtype == 3 && mqtt.qos > 0'] },
];

const programs = {
  clearwing: [process.execPath, join(repository, 'dist', 'cli', 'main.js'), 'dissect'],
  tshark: ['tshark'],
} as const;
type ProgramName = keyof typeof programs;

interface Run {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly memoryBytes: number;
}

/** Runs to the end, looking at the process every few milliseconds: nobody can be asked once it has gone. */
async function run(command: readonly string[], outputFile: string): Promise<Run> {
  const output = openSync(outputFile, 'w');
  const begun = process.hrtime.bigint();
  const child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', output, 'ignore'] });
  closeSync(output);
  let ticks = 0;
  let memoryBytes = 0;
  const look = (): void => {
    try {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      // utime and stime, the 14th and 15th: proc(5).
      ticks = Math.max(ticks, Number(fields[11]) + Number(fields[12]));
      const peak = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'));
      if (peak !== null) memoryBytes = Number(peak[1]) * 1024;
    } catch {
      // It has just ended.
    }
  };
  const timer = setInterval(look, sampleMs);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  clearInterval(timer);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with status ${status}`);
  return { seconds, processorSeconds: ticks / ticksPerSecond, memoryBytes };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

interface Figures {
  readonly packetsPerSecond: number;
  readonly packetsPerProcessorSecond: number;
  readonly memoryBytes: number;
}

interface Result {
  readonly task: string;
  readonly lines: number;
  readonly isEqual: boolean;
  readonly clearwing: Figures;
  readonly tshark: Figures;
}

async function compare(
  task: Task,
  capture: string,
  frames: number,
  rounds: number,
  directory: string,
  threads: readonly string[],
): Promise<Result> {
  const runs: Record<ProgramName, Run[]> = { clearwing: [], tshark: [] };
  const file = (name: ProgramName): string => join(directory, `${name}.txt`);
  for (let round = 0; round < rounds; round++) {
    for (const name of ['clearwing', 'tshark'] as const) {
      const args = [...task.args, ...(name === 'clearwing' ? threads : [])];
      runs[name].push(await run([...programs[name], '-n', '-r', capture, ...args], file(name)));
    }
  }
  const figures = (name: ProgramName): Figures => ({
    packetsPerSecond: frames / median(runs[name].map(({ seconds }) => seconds)),
    packetsPerProcessorSecond: frames / median(runs[name].map(({ processorSeconds }) => processorSeconds)),
    memoryBytes: Math.max(...runs[name].map(({ memoryBytes }) => memoryBytes)),
  });
  const ours = readFileSync(file('clearwing'));
  let lines = 0;
  for (const byte of ours) if (byte === 0x0a) lines++;
  return {
    task: task.name,
    lines,
    isEqual: ours.equals(readFileSync(file('tshark'))),
    clearwing: figures('clearwing'),
    tshark: figures('tshark'),
  };
}

function countFrames(capture: string): number {
  const args = [...programs.clearwing.slice(1), '-r', capture, '-T', 'fields', '-e', 'frame.number'];
  const { stdout } = spawnSync(programs.clearwing[0], args, { maxBuffer: 1 << 30 });
  return stdout.filter((byte) => byte === 0x0a).length;
}

function table(results: readonly Result[]): string {
  const rows = [['', 'packets/s', '× tshark', 'packets/s of CPU', '× tshark', 'peak memory', 'tshark', 'output']];
  const thousands = (value: number): string => `${Math.round(value / 1000)} k`;
  const megabytes = (value: number): string => `${Math.round(value / 2 ** 20)} MiB`;
  for (const { task, clearwing, tshark, isEqual, lines } of results) {
    rows.push([
      task,
      thousands(clearwing.packetsPerSecond),
      (clearwing.packetsPerSecond / tshark.packetsPerSecond).toFixed(1),
      thousands(clearwing.packetsPerProcessorSecond),
      (clearwing.packetsPerProcessorSecond / tshark.packetsPerProcessorSecond).toFixed(1),
      megabytes(clearwing.memoryBytes),
      megabytes(tshark.memoryBytes),
      `${lines} lines, ${isEqual ? 'equal' : 'DIFFERENT'}`,
    ]);
  }
  const widths = (rows[0] as string[]).map((_, at) => Math.max(...rows.map((row) => (row[at] as string).length)));
  return rows
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '))
    .join('\n');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      packets: { type: 'string', default: '1000000' },
      connections: { type: 'string', default: '100' },
      rounds: { type: 'string', default: '3' },
      read: { type: 'string' },
      threads: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const [packets, rounds] = [Number(values.packets), Number(values.rounds)];
  if (!(packets >= 100) || !(rounds >= 1)) throw new RangeError('--packets is at least 100, --rounds at least 1');
  if (spawnSync('tshark', ['--version']).error !== undefined) throw new Error('tshark is not installed');
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-compare-'));
  try {
    let capture = values.read;
    if (capture === undefined) {
      capture = join(directory, 'made.pcap');
      const maker = join(repository, 'bench', 'capture', 'make-capture.mjs');
      const count = String(Math.round(packets / framesPerPacket));
      const { status } = spawnSync(
        process.execPath,
        [maker, '--packets', count, '--connections', values.connections, '-o', capture],
        {
          stdio: ['ignore', 'ignore', 'inherit'],
        },
      );
      if (status !== 0) throw new Error('the capture could not be made');
    }
    const frames = countFrames(capture);
    const results: Result[] = [];
    const threads = values.threads === undefined ? [] : ['--threads', values.threads];
    for (const task of tasks) results.push(await compare(task, capture, frames, rounds, directory, threads));
    const machine = describeMachine(repository);
    const bytes = statSync(capture).size;
    if (values.json) process.stdout.write(`${JSON.stringify({ machine, frames, bytes, rounds, results }, null, 2)}\n`);
    else {
      const { processor, cores, node, commit, date } = machine;
      process.stdout.write(
        `${frames} frames, ${bytes} bytes, ${rounds} rounds; ${processor} × ${cores}, Node ${node}, ${commit}, ${date}\n\n${table(results)}\n`,
      );
    }
    if (results.some(({ isEqual }) => !isEqual)) process.exitCode = 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
