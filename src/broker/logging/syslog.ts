/** Lines to the system's log, through logger(1): Node has no datagram sockets of the kind that /dev/log is. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { LogType } from '../log.ts';
import { BufferedSink, withPatience } from './sink.ts';

/** Severities of syslog(3). */
const severities: Readonly<Record<LogType, number>> = {
  error: 3,
  warning: 4,
  notice: 5,
  information: 6,
  debug: 7,
  subscribe: 5,
  unsubscribe: 5,
  websockets: 7,
};
const daemonFacility = 3;
const local0Facility = 16;

export class SyslogSink extends BufferedSink {
  readonly #facility: number;
  readonly #child: ChildProcess;
  #hasEnded = false;

  /**
   * @param facility 0–7 for local0–local7; undefined for the daemon facility
   * @param onFailure told once, with a reason, if the lines do not arrive; the sink is then dead
   */
  constructor(facility: number | undefined, onFailure: (reason: string) => void) {
    super();
    this.#facility = facility === undefined ? daemonFacility : local0Facility + facility;
    // Its own process group: Ctrl-C is for the broker, whose last lines it has to take.
    this.#child = spawn('logger', [`--id=${process.pid}`, '--tag', 'clearwing', '--prio-prefix'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#child.unref();
    const fail = (reason: string) => {
      if (this.isBroken) return;
      this.isBroken = true;
      onFailure(reason);
    };
    this.#child.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' ? 'the program logger is not installed' : error.message),
    );
    this.#child.on('exit', (status, signal) => {
      this.#hasEnded = true;
      fail(`the program logger ended with ${signal ?? `status ${status}`}`);
    });
    // What went wrong is told by one of the two above.
    this.#child.stdin?.on('error', () => {});
  }

  /** Adds a line with its severity. */
  writeAs(type: LogType, line: string): void {
    this.write(`<${this.#facility * 8 + severities[type]}>${line}`);
  }

  protected unsentLength(): number {
    return this.#child.stdin?.writableLength ?? 0;
  }

  protected send(): void {
    const text = this.take();
    if (text !== '' && !this.isBroken) this.#child.stdin?.write(text);
  }

  flushSync(): void {
    this.send();
  }

  async close(): Promise<void> {
    this.send();
    this.isBroken = true;
    if (this.#hasEnded || this.#child.pid === undefined) return;
    await withPatience((done) => {
      this.#child.once('exit', done);
      this.#child.stdin?.end();
    });
  }
}
