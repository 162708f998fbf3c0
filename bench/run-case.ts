/** One run: one broker, freshly started, under one load. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { LoadOptions, LoadResult } from '../src/bench/load.ts';
import { plainTarget } from '../src/bench/target.ts';
import type { Protocol } from '../src/bench/wire.ts';
import type { BrokerDefinition } from './brokers.ts';
import { type Cores, pinned } from './cores.ts';
import type { GeneratorAnswer, GeneratorJob } from './generator.ts';
import { StartedProcess } from './started-process.ts';
import type { StormJob, StormResult } from './storms.ts';

/** What a case leaves open of a load: where the broker is is not known before. */
export type CaseLoad = Omit<LoadOptions, 'target' | 'brokerProcessId' | 'cores'>;

/** What the generator is to do, and for how long at most. */
export type CaseJob = { readonly load: CaseLoad } | { readonly storm: StormJob };

export interface CaseOptions {
  readonly broker: BrokerDefinition;
  readonly protocol: Protocol;
  readonly job: CaseJob;
  readonly cores: Cores | undefined;
  /** Where the broker's own directory is made. */
  readonly directory: string;
  /** The generator as a program for Node. */
  readonly generatorPath: string;
  /** Ends the run; everything it started is stopped. */
  readonly signal: AbortSignal;
}

const startTimeoutMs = 15_000;
/** For everything in a run but warm-up and counting; the generator has shorter limits of its own. */
const overheadMs = 120_000;
/** For all of a run with very many of something. */
const stormMs = 1_800_000;

/** @throws {Error} if the broker does not start, ends, refuses or misbehaves; or the signal's reason */
export async function runCase(
  options: CaseOptions & { readonly job: { readonly load: CaseLoad } },
): Promise<LoadResult>;
export async function runCase(
  options: CaseOptions & { readonly job: { readonly storm: StormJob } },
): Promise<StormResult>;
export async function runCase(options: CaseOptions): Promise<LoadResult | StormResult> {
  const { broker, cores, signal } = options;
  signal.throwIfAborted();
  const directory = mkdtempSync(join(options.directory, 'clearwing-bench-'));
  let started: StartedProcess | undefined;
  try {
    const port = await freePort();
    started = new StartedProcess(pinned(brokerCommand(broker, port, directory), cores?.broker), false);
    const died = started.ended.then((how) => {
      throw new Error(`${broker.name} ended by itself with ${how}${started!.lastLines}`);
    });
    died.catch(() => {});
    await Promise.race([listening(port, broker.name, signal), died]);
    return await Promise.race([generate(options, port, started.processId), died]);
  } finally {
    await started?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

function brokerCommand(broker: BrokerDefinition, port: number, directory: string): string[] {
  const configPath = join(directory, 'broker.conf');
  const fill = (text: string) =>
    text.replaceAll('{port}', String(port)).replaceAll('{config}', configPath).replaceAll('{directory}', directory);
  if (broker.config !== undefined) writeFileSync(configPath, fill(broker.config));
  return broker.command.map(fill);
}

async function generate(
  options: CaseOptions,
  port: number,
  brokerProcessId: number | undefined,
): Promise<LoadResult | StormResult> {
  const { job, protocol, cores, generatorPath, signal } = options;
  const generator = new StartedProcess(pinned([process.execPath, generatorPath], cores?.generator), true);
  const timeoutMs = 'load' in job ? (job.load.warmUpSeconds + job.load.seconds) * 1000 + overheadMs : stormMs;
  let timer: NodeJS.Timeout | undefined;
  let onAbort = () => {};
  try {
    return await new Promise<LoadResult | StormResult>((resolve, reject) => {
      generator.child.once('message', (answer: GeneratorAnswer) => {
        if ('result' in answer) resolve(answer.result);
        // A broker that dies closes its connections first; what it ended with says more.
        else setTimeout(() => reject(new Error(answer.error)), 200);
      });
      generator.ended.then((how) => {
        setTimeout(() => reject(new Error(`the generator ended with ${how}${generator.lastLines}`)), 400);
      });
      timer = setTimeout(() => reject(new Error(`no result after ${timeoutMs / 1000} s`)), timeoutMs);
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      const target = plainTarget('127.0.0.1', port, protocol);
      const message: GeneratorJob =
        'load' in job
          ? { load: { ...job.load, target, brokerProcessId, cores } }
          : { storm: job.storm, target, brokerProcessId };
      generator.child.send(message, (error) => {
        if (error !== null) reject(error);
      });
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await generator.stop();
  }
}

/** Resolves when somebody listens on the port. */
async function listening(port: number, name: string, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  while (!(await accepts(port))) {
    signal.throwIfAborted();
    if (performance.now() > endMs) {
      throw new Error(`${name} does not listen on port ${port} of 127.0.0.1 after ${startTimeoutMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A port that nobody listens on, below those that the system gives to outgoing connections. */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 15_000 + Math.floor(Math.random() * 16_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('found no free port from 15000 to 30999');
}
