/** The log of a broker that runs as a program: `log_type`, `log_dest`, time stamps, log files that are rotated. */
import { constants, openSync } from 'node:fs';
import { compileTimeFormat } from '../../base/strftime.ts';
import { reasonOf } from '../config/text-file.ts';
import type { Log, LogType } from '../log.ts';
import type { LoggingSettings } from './settings.ts';
import { type LineSink, openSink } from './sink.ts';
import { SyslogSink } from './syslog.ts';

/** Longest line, in characters; a Topic Name alone can have 65,535. */
const lineLengthMax = 8192;
/** Lines that one turn of the event loop publishes on log topics; more are left out there. */
const topicLinesMax = 1000;

/** Mosquitto's topics; debug lines, which each message would multiply, have none. */
const topics: Readonly<Record<Exclude<LogType, 'debug'>, string>> = {
  error: '$SYS/broker/log/E',
  warning: '$SYS/broker/log/W',
  notice: '$SYS/broker/log/N',
  information: '$SYS/broker/log/I',
  subscribe: '$SYS/broker/log/M/subscribe',
  unsubscribe: '$SYS/broker/log/M/unsubscribe',
  websockets: '$SYS/broker/log/WS',
};

/** Publishes a line of the log on its topic. */
export type PublishLine = (topic: string, text: string) => void;

export class BrokerLog implements Log {
  #settings: LoggingSettings;
  #enabled: ReadonlySet<LogType> = new Set();
  /** Standard output and error and the log file. */
  #sinks: LineSink[] = [];
  #file: { readonly path: string; readonly sink: LineSink } | undefined;
  #stderr: LineSink | undefined;
  #stdout: LineSink | undefined;
  #syslog: SyslogSink | undefined;
  #stamp = '';
  #stampSecond = -1;
  #formatTime: (date: Date) => string = () => '';
  #publish: PublishLine | undefined;
  #topicLines: Array<readonly [topic: string, text: string]> = [];
  #isPublishing = false;
  #isClosed = false;

  constructor(settings: LoggingSettings) {
    this.#settings = settings;
    this.configure(settings);
  }

  isEnabled(type: LogType): boolean {
    return this.#enabled.has(type);
  }

  write(type: LogType, text: string): void {
    if (!this.#enabled.has(type)) return;
    const line = `${this.#timestamp()}${printable(text)}`;
    for (const sink of this.#sinks) sink.write(line);
    this.#syslog?.writeAs(type, line);
    if (this.#settings.toTopic && type !== 'debug') this.#writeToTopic(topics[type], line);
  }

  /** Whether lines appear on standard error, where the person who started the program looks. */
  get showsOnStderr(): boolean {
    return this.#stderr !== undefined && this.#sinks.includes(this.#stderr);
  }

  /** Where lines for `log_dest topic` go from now on; until then they are left out. */
  publishWith(publish: PublishLine | undefined): void {
    this.#publish = publish;
  }

  /** Follows changed settings. A log file that cannot be opened is reported; the one that is open stays in use. */
  configure(settings: LoggingSettings): void {
    this.#settings = settings;
    const format = settings.timestampFormat;
    this.#formatTime =
      format === undefined ? (date) => String(Math.floor(date.getTime() / 1000)) : compileTimeFormat(format);
    this.#stampSecond = -1;
    this.#openSyslog(settings);
    const problem = this.#openFile(settings.file);
    this.#connect(settings);
    if (problem !== undefined) this.write('error', problem);
  }

  /** Opens the log file again under its name, after somebody moved the old one away. */
  reopen(): void {
    const problem = this.#openFile(this.#settings.file);
    this.#connect(this.#settings);
    if (problem !== undefined) this.write('error', problem);
  }

  /** Writes what waits, at once: for a process that ends by an error. */
  flushSync(): void {
    for (const sink of this.#sinks) sink.flushSync();
    this.#syslog?.flushSync();
  }

  /** Writes what waits and closes the file. Lines that come later are lost. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#publish = undefined;
    await Promise.all([...this.#sinks.map((sink) => sink.close()), this.#syslog?.close()]);
    this.#enabled = new Set();
  }

  #timestamp(): string {
    if (!this.#settings.hasTimestamp) return '';
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#stampSecond) {
      this.#stampSecond = second;
      this.#stamp = `${this.#formatTime(new Date(now))}: `;
    }
    return this.#stamp;
  }

  #writeToTopic(topic: string, line: string): void {
    // What publishing a line makes the broker log must not be published in turn.
    if (this.#publish === undefined || this.#isPublishing || this.#topicLines.length >= topicLinesMax) return;
    this.#topicLines.push([topic, line]);
    if (this.#topicLines.length === 1) setImmediate(() => this.#publishLines());
  }

  #publishLines(): void {
    const lines = this.#topicLines;
    this.#topicLines = [];
    this.#isPublishing = true;
    try {
      for (const [topic, text] of lines) this.#publish?.(topic, text);
    } finally {
      this.#isPublishing = false;
    }
  }

  #openSyslog({ toSyslog, facility }: LoggingSettings): void {
    void this.#syslog?.close();
    this.#syslog = undefined;
    if (!toSyslog) return;
    this.#syslog = new SyslogSink(facility, (reason) => {
      this.#syslog = undefined;
      this.#connect({ ...this.#settings, toStderr: true });
      this.write('warning', `Warning: Unable to log to syslog: ${reason}; logging to stderr instead.`);
    });
  }

  /** @returns what is to be reported if it did not work */
  #openFile(path: string | undefined): string | undefined {
    const previous = this.#file;
    let problem: string | undefined;
    if (path === undefined) {
      this.#file = undefined;
    } else {
      try {
        // Not blocking, or a named pipe without reader would hold up the broker.
        const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
        this.#file = { path, sink: openSink(openSync(path, flags, 0o600), true) };
      } catch (error) {
        if (previous?.path !== path) this.#file = undefined;
        problem = `Error: Unable to open log file ${path} for writing: ${reasonOf(error)}.`;
      }
    }
    if (previous !== undefined && previous !== this.#file) void previous.sink.close();
    return problem;
  }

  /** Puts the destinations together; without the file that was asked for, there is still stderr. */
  #connect(settings: LoggingSettings): void {
    const sinks: LineSink[] = [];
    if (settings.toStdout) {
      this.#stdout ??= openSink(1, false);
      sinks.push(this.#stdout);
    }
    if (settings.toStderr || (settings.file !== undefined && this.#file === undefined)) {
      this.#stderr ??= openSink(2, false);
      sinks.push(this.#stderr);
    }
    if (this.#file !== undefined) sinks.push(this.#file.sink);
    this.#sinks = sinks;
    const hasDestination = sinks.length > 0 || this.#syslog !== undefined;
    const enabled = hasDestination || settings.toTopic ? new Set(settings.types) : new Set<LogType>();
    if (!hasDestination) enabled.delete('debug');
    this.#enabled = enabled;
  }
}

/** Opens the destinations that the settings name. What cannot be opened is reported on stderr; nothing here throws. */
export function createLog(settings: LoggingSettings): BrokerLog {
  return new BrokerLog(settings);
}

/**
 * A line without characters that would end it or steer a terminal: client identifiers and topics come from strangers.
 * Tabs stay, as Mosquitto's lines have them.
 */
export function printable(text: string): string {
  const whole = text.length <= lineLengthMax ? text : `${text.slice(0, lineLengthMax)}…`;
  for (let index = 0; index < whole.length; index++) {
    if (isControl(whole.charCodeAt(index))) return escapeControls(whole, index);
  }
  return whole;
}

function isControl(unit: number): boolean {
  return (unit < 0x20 && unit !== 0x09) || (unit >= 0x7f && unit < 0xa0);
}

function escapeControls(text: string, from: number): string {
  let escaped = text.slice(0, from);
  for (const character of text.slice(from)) {
    const unit = character.charCodeAt(0);
    escaped += isControl(unit) ? `\\x${unit.toString(16).padStart(2, '0')}` : character;
  }
  return escaped;
}
