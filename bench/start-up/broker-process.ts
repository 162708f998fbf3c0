/** The broker on a data directory, as a process whose start and memory are measured. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const startTimeoutMs = 120_000;
const pollMs = 5;

/** Of the times in /proc. */
const ticksPerSecond = 100;

export interface Memory {
  /** MiB that are resident now, and that were at most. */
  readonly residentMebibytes: number;
  readonly peakMebibytes: number;
  /** MiB of what is resident now that are pages of files, most of them of the data file: the system takes them back when it likes. */
  readonly fileMebibytes: number;
}

export class BrokerProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #output = '';

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', (status) => resolve(status)));
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    process.once('exit', () => child.kill('SIGKILL'));
  }

  /** Starts it; resolves once it listens and has said so, with the milliseconds from the start of the process. */
  static async start(
    repositoryDirectory: string,
    dataDirectory: string,
  ): Promise<{ broker: BrokerProcess; listeningMs: number }> {
    const port = await freePort();
    const configuration = join(dataDirectory, 'broker.conf');
    const lines = [
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      'allow_anonymous true',
      'log_type all',
      'connection_messages false',
      'sys_interval 10',
      'max_queued_messages 0',
      'persistence true',
      `persistence_location ${dataDirectory}`,
      `listener ${port} 127.0.0.1`,
    ];
    writeFileSync(configuration, `${lines.join('\n')}\n`);
    const start = performance.now();
    const child = spawn(
      process.execPath,
      [join(repositoryDirectory, 'dist', 'cli', 'main.js'), 'broker', '-c', configuration],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const broker = new BrokerProcess(port, child);
    const poll = async (isReady: () => boolean | Promise<boolean>): Promise<void> => {
      while (!(await isReady())) {
        if (child.exitCode !== null || performance.now() - start > startTimeoutMs) {
          child.kill('SIGKILL');
          throw new Error(`the broker does not start\n${broker.#output}`);
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    };
    await poll(() => accepts(port));
    const listeningMs = performance.now() - start;
    // What it has to say of its start comes through a pipe, which may take longer than a connection.
    await poll(() => / running$/m.test(broker.#output));
    return { broker, listeningMs };
  }

  /** What it has said. */
  get output(): string {
    return this.#output;
  }

  /** Undefined where there is no /proc. */
  get memory(): Memory | undefined {
    let status: string;
    try {
      status = readFileSync(`/proc/${this.#child.pid}/status`, 'latin1');
    } catch {
      return undefined;
    }
    const mebibytes = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
    return {
      residentMebibytes: mebibytes('VmRSS'),
      peakMebibytes: mebibytes('VmHWM'),
      fileMebibytes: mebibytes('RssFile'),
    };
  }

  /** Seconds of processor time, all threads together; undefined where there is no /proc. */
  get cpuSeconds(): number | undefined {
    try {
      const [, rest = ''] = readFileSync(`/proc/${this.#child.pid}/stat`, 'latin1').split(') ');
      const fields = rest.split(' ');
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    } catch {
      return undefined;
    }
  }

  /** Asks it to end, and resolves with the milliseconds that took. */
  async stop(): Promise<number> {
    const start = performance.now();
    this.#child.kill('SIGTERM');
    const status = await this.#exited;
    if (status !== 0) throw new Error(`the broker ended with status ${status}\n${this.#output}`);
    return performance.now() - start;
  }

  /** Whatever happens, it is gone. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
