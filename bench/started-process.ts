/** Programs that a run starts. Whatever happens, none outlives it. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';

/** The end of what a program has printed, for messages about its failure. */
const outputBytesMax = 4096;
const terminateMs = 3000;

const running = new Set<StartedProcess>();

process.on('exit', () => {
  for (const started of running) started.kill('SIGKILL');
});

export class StartedProcess {
  /** Resolves when the process is gone, with how it ended: `exit status 1`, `SIGSEGV`. */
  readonly ended: Promise<string>;
  readonly child: ChildProcess;
  #output = '';

  /** Starts a program as the head of a process group of its own. @param channel whether it talks to us over Node's IPC */
  constructor(command: readonly string[], channel: boolean) {
    const [program, ...args] = command;
    const stdio: StdioOptions = channel ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'];
    this.child = spawn(program!, args, { stdio, detached: true });
    running.add(this);
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-outputBytesMax);
      });
    }
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        running.delete(this);
        resolve(how);
      };
      this.child.once('error', (error) => end(error.message));
      this.child.once('close', (status, signal) => end(signal ?? `exit status ${status}`));
    });
  }

  /** Undefined if it could not be started. */
  get processId(): number | undefined {
    return this.child.pid;
  }

  /** The last lines that it printed, indented; empty if there are none. */
  get lastLines(): string {
    const lines = this.#output.trim().split('\n').slice(-5);
    return lines[0] === '' ? '' : lines.map((line) => `\n    ${line}`).join('');
  }

  /** Signals the whole group: a program may have started others. */
  kill(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(-this.child.pid, signal);
    } catch {
      // It is gone already.
    }
  }

  /** Asks it to end, then makes it end. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), terminateMs);
    await this.ended;
    clearTimeout(timer);
    // What it started itself is not waited for.
    this.kill('SIGKILL');
  }
}
