/** A broker of this checkout, as a process of its own, for `npm run fuzz`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accepts, freePort } from '../support/ports.ts';

const startTimeoutMs = 20_000;
const stopTimeoutMs = 20_000;

export interface OwnBroker {
  readonly port: number;
  /** What it has said last. */
  output(): string;
  /** Resident memory in bytes; undefined where the system does not tell. */
  residentBytes(): number | undefined;
  /** Ends it, and resolves with its exit status: 0 if all is well. */
  stop(): Promise<number | null>;
}

export async function startOwnBroker(): Promise<OwnBroker> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-fuzz-'));
  const configPath = join(directory, 'broker.conf');
  writeFileSync(configPath, `allow_anonymous true\nlog_type error\nlog_type warning\nlistener ${port} 127.0.0.1\n`);
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [main, 'broker', '-c', configPath], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('exit', (status) => resolve(status));
  });
  exited.then(() => rmSync(directory, { recursive: true, force: true }));
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  const deadline = performance.now() + startTimeoutMs;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`the broker does not listen\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    output: () => output,
    residentBytes: () => residentBytes(child.pid!),
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      const status = await exited;
      clearTimeout(timer);
      return status;
    },
  };
}

function residentBytes(pid: number): number | undefined {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
