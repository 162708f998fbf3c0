/** System calls of a running process, watched or held up by strace, where that is installed and allowed. */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

/** Whether one process may watch another here. */
export function canTrace(): boolean {
  if (spawnSync('strace', ['-V'], { stdio: 'ignore' }).status !== 0) return false;
  if (process.getuid?.() === 0) return true;
  try {
    return readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8').trim() === '0';
  } catch {
    return true;
  }
}

export interface Tracing {
  /** Whole lines of what strace has written so far; those about itself begin with `strace:`. */
  lines(): string[];
  /** Lets go of the process. */
  end(): void;
}

/** Attaches strace to a process and all its threads; resolves once it watches. @param args what to trace, and what to do then */
export async function startTracing(processId: number, args: readonly string[]): Promise<Tracing> {
  const strace = spawn('strace', ['-f', ...args, '-p', String(processId)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const end = (): void => void strace.kill('SIGKILL');
  onTestFinished(end);
  let said = '';
  strace.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('latin1');
  });
  await until(
    () => /^strace: Process \d+ attached/m.test(said),
    'strace',
    undefined,
    () => said,
  );
  return { lines: () => said.split('\n').slice(0, -1), end };
}
