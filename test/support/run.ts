/** Runs programs the way a shell would: arguments, standard input, both outputs, exit status. */
import { type ChildProcess, spawn } from 'node:child_process';
import { defaultPatienceMs, until } from './until.ts';

export interface RunOptions {
  /** Written to standard input, which is then closed. Default: closed at once. */
  readonly input?: string | Uint8Array;
  /** Leaves standard input open for `write`. Default false. */
  readonly keepInputOpen?: boolean;
  /** Added to the environment; `undefined` takes a variable away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly directory?: string;
  /** Milliseconds after which the program is killed and its result is an error. Default 60,000. */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit status; null if a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

export interface RunningCommand {
  readonly pid: number;
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Whole lines of standard output so far. */
  lines(): string[];
  /** Resolves once the standard output (or, with `'stderr'`, the other one) matches. */
  waitForOutput(pattern: RegExp | string, stream?: 'stdout' | 'stderr', patienceMs?: number): Promise<void>;
  /** Resolves once standard output has this many whole lines, with all of them. */
  waitForLines(count: number, patienceMs?: number): Promise<string[]>;
  write(text: string | Uint8Array): void;
  endInput(): void;
  kill(signal?: NodeJS.Signals): void;
  /** Resolves when the program has ended and its outputs are closed; rejects if it had to be killed for lack of time. */
  readonly finished: Promise<RunResult>;
  /** Kills it if it still runs and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<RunResult>;
}

const running = new Set<ChildProcess>();

/** Kills every program that still runs: a test that fails half-way must not leave any behind. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
process.on('exit', killAll);

/** Starts a program and does not wait for it. */
export function start(command: string, args: readonly string[], options: RunOptions = {}): RunningCommand {
  const environment = { ...process.env, ...options.environment };
  for (const [name, value] of Object.entries(environment)) if (value === undefined) delete environment[name];
  const child = spawn(command, args, { cwd: options.directory, env: environment, stdio: 'pipe' });
  running.add(child);
  const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
  child.stdout.on('data', (chunk: Buffer) => output.stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk));
  // A program that ends without reading its input breaks the pipe; its exit status tells what matters.
  child.stdin.on('error', () => {});
  if (options.input !== undefined) child.stdin.end(options.input);
  else if (!options.keepInputOpen) child.stdin.end();

  const decoded = { stdout: { chunks: 0, text: '' }, stderr: { chunks: 0, text: '' } };
  // Asked for every few milliseconds, decoded only when there is more.
  const text = (stream: 'stdout' | 'stderr') => {
    const known = decoded[stream];
    if (known.chunks !== output[stream].length) {
      known.chunks = output[stream].length;
      known.text = Buffer.concat(output[stream]).toString();
    }
    return known.text;
  };
  const describeOutput = () =>
    `command: ${command} ${args.join(' ')}\nstdout:\n${text('stdout')}\nstderr:\n${text('stderr')}`;
  const timeoutMs = options.timeoutMs ?? 60_000;
  let outOfTime = false;
  let ended = false;
  const timer = setTimeout(() => {
    outOfTime = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const finished = new Promise<RunResult>((resolve, reject) => {
    child.on('error', (error) => {
      clearTimeout(timer);
      running.delete(child);
      ended = true;
      reject(error);
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      running.delete(child);
      ended = true;
      if (outOfTime) reject(new Error(`did not end within ${timeoutMs} ms\n${describeOutput()}`));
      else {
        const stdoutBytes = Buffer.concat(output.stdout);
        resolve({ status, signal, stdout: stdoutBytes.toString(), stderr: text('stderr'), stdoutBytes });
      }
    });
  });
  // Whoever waits for it sees the rejection; nobody has to.
  finished.catch(() => {});

  const lines = () => {
    const parts = text('stdout').split('\n');
    parts.pop();
    return parts;
  };
  const handle: RunningCommand = {
    pid: child.pid ?? -1,
    process: child,
    stdout: () => text('stdout'),
    stderr: () => text('stderr'),
    lines,
    waitForOutput: async (pattern, stream = 'stdout', patienceMs = defaultPatienceMs) => {
      const matches = () => {
        const seen = text(stream);
        return typeof pattern === 'string' ? seen.includes(pattern) : pattern.test(seen);
      };
      await until(() => matches() || ended, `${stream} to match ${pattern}`, patienceMs, describeOutput);
      if (!matches()) throw new Error(`ended before its ${stream} matched ${pattern}\n${describeOutput()}`);
    },
    waitForLines: async (count, patienceMs = defaultPatienceMs) => {
      await until(() => lines().length >= count || ended, `${count} lines`, patienceMs, describeOutput);
      if (lines().length < count) throw new Error(`ended before it printed ${count} lines\n${describeOutput()}`);
      return lines();
    },
    write: (bytes) => void child.stdin.write(bytes),
    endInput: () => void child.stdin.end(),
    kill: (signal = 'SIGTERM') => void child.kill(signal),
    finished,
    stop: async (signal = 'SIGTERM') => {
      if (!ended) child.kill(signal);
      return finished;
    },
  };
  return handle;
}

/** Runs a program to its end. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return start(command, args, options).finished;
}
