/** A broker of this checkout with a store, as a process that is killed and started again on the same port and directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accepts, freePort } from '../support/ports.ts';

const startTimeoutMs = 30_000;
const distDirectory = fileURLToPath(new URL('../../dist', import.meta.url));
/** Where a copy of the program finds the packages it imports. */
const packagesDirectory = fileURLToPath(new URL('../../node_modules', import.meta.url));

export class CrashBroker {
  readonly port: number;
  readonly directory: string;
  readonly #configPath: string;
  /** A copy of the program as it is now: whoever builds another one meanwhile changes nothing. */
  readonly #program: string;
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);
  #output = '';

  private constructor(port: number, directory: string, durability: string) {
    this.port = port;
    this.directory = directory;
    this.#configPath = join(directory, 'broker.conf');
    this.#program = mkdtempSync(join(packagesDirectory, '.clearwing-crash-'));
    cpSync(distDirectory, this.#program, { recursive: true, filter: (path) => !path.endsWith('/types') });
    const lines = [
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      'allow_anonymous true',
      'log_type error',
      'log_type warning',
      'sys_interval 0',
      'max_queued_messages 0',
      'persistence true',
      `persistence_location ${directory}`,
      `durability ${durability}`,
      `listener ${port} 127.0.0.1`,
    ];
    writeFileSync(this.#configPath, `${lines.join('\n')}\n`);
  }

  /** Prepares a directory and a port; nothing is started yet. */
  static async prepare(durability: string): Promise<CrashBroker> {
    return new CrashBroker(await freePort(), mkdtempSync(join(tmpdir(), 'clearwing-crash-')), durability);
  }

  /** What it has said, in all its lives. */
  get output(): string {
    return this.#output;
  }

  /** Starts it and does not wait. */
  spawn(): void {
    const child = spawn(process.execPath, [join(this.#program, 'cli', 'main.js'), 'broker', '-c', this.#configPath], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-8000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('error', () => resolve(null));
      child.once('exit', (status) => resolve(status));
    });
  }

  /** Starts it and resolves once it listens. */
  async start(): Promise<void> {
    this.spawn();
    const deadline = performance.now() + startTimeoutMs;
    while (!(await accepts(this.port))) {
      if (this.#child?.exitCode !== null || performance.now() > deadline) {
        await this.kill();
        throw new Error(`the broker does not come back\n${this.#output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** Ends it in peace and gives its exit status. */
  async stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), 20_000);
    const status = await this.#exited;
    clearTimeout(timer);
    return status;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.#program, { recursive: true, force: true });
  }
}
