/**
 * Starts a broker as a process of its own on free ports, ours or Debian's mosquitto, with the same configuration text.
 * `CLEARWING_TEST_BROKER=mosquitto` makes every suite run against mosquitto, which checks the suites themselves.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearwingMain } from './paths.ts';
import { peerPath } from './peers.ts';
import { accepts, freePort } from './ports.ts';
import { residentBytes } from './process-memory.ts';
import { type RunningCommand, start } from './run.ts';
import { defaultPatienceMs, until } from './until.ts';

export { freePort };

export type BrokerProgram = 'clearwing' | 'mosquitto';

/** The broker that the suites are about. */
export const brokerUnderTest: BrokerProgram =
  process.env.CLEARWING_TEST_BROKER === 'mosquitto' ? 'mosquitto' : 'clearwing';

export interface BrokerProcessOptions {
  /** Default: the broker under test. */
  readonly program?: BrokerProgram;
  /**
   * Lines in mosquitto.conf syntax. Unless they hold a `listener` themselves, one on 127.0.0.1 and `allow_anonymous true`
   * are put before them. `{port}`, `{wsPort}`, `{unixPath}` and `{directory}` are replaced.
   */
  readonly config?: string;
  /** Files to write beside the configuration, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Further arguments. */
  readonly args?: readonly string[];
  /** `-v`. Default false. */
  readonly verbose?: boolean;
  /** Adds a listener with `protocol websockets`. Default false. */
  readonly webSocket?: boolean;
  /** Adds a listener on a Unix socket. Default false. */
  readonly unixSocket?: boolean;
  /** Starts without a configuration file, with `-p` only. Default false. */
  readonly withoutConfig?: boolean;
}

export interface BrokerProcess {
  readonly program: BrokerProgram;
  readonly port: number;
  readonly wsPort: number;
  readonly unixPath: string;
  /** Holds the configuration and the files; removed by `stop`. */
  readonly directory: string;
  readonly configPath: string;
  readonly pid: number;
  /** Every whole line the broker has written so far. */
  log(): string[];
  /** Resolves with the first line (from line `from` on) that matches. */
  waitForLog(pattern: RegExp, from?: number, patienceMs?: number): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit status once the process has ended by itself or by a signal. */
  readonly ended: Promise<number | null>;
  /** Resident memory in bytes, from /proc. */
  residentBytes(): number;
  /** Ends the process and resolves with its exit status (null if a signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** The command line that runs a program of the given name: `broker`, `pub`, `sub`, `rr`, `passwd`. */
export function commandLine(
  program: BrokerProgram,
  name: 'broker' | 'pub' | 'sub' | 'rr' | 'passwd',
): readonly [command: string, ...args: string[]] {
  if (program === 'clearwing') return [process.execPath, clearwingMain, name];
  return [peerPath(name === 'broker' ? 'mosquitto' : `mosquitto_${name}`)];
}

/** Removed after the tests of a file: those of brokers that a failed test did not stop, and others. */
export const temporaryDirectories: Set<string> = new Set();

export function removeDirectories(): void {
  for (const directory of temporaryDirectories) rmSync(directory, { recursive: true, force: true });
  temporaryDirectories.clear();
}

/** Starts a broker and resolves once it is listening. */
export async function startBroker(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
  for (let attempt = 1; ; attempt++) {
    const broker = await startOnce(options);
    if (broker !== 'port taken') return broker;
    if (attempt === 10) throw new Error('ten times in a row somebody else took the port');
  }
}

async function startOnce(options: BrokerProcessOptions): Promise<BrokerProcess | 'port taken'> {
  const program = options.program ?? brokerUnderTest;
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-broker-'));
  temporaryDirectories.add(directory);
  const port = await freePort();
  const wsPort = await freePort();
  const unixPath = join(directory, 'mqtt.sock');
  const configPath = join(directory, 'broker.conf');
  const fill = (text: string) =>
    text
      .replaceAll('{port}', String(port))
      .replaceAll('{wsPort}', String(wsPort))
      .replaceAll('{unixPath}', unixPath)
      .replaceAll('{directory}', directory);
  for (const [name, content] of Object.entries(options.files ?? {})) {
    writeFileSync(join(directory, name), fill(content), { mode: 0o600 });
  }
  writeFileSync(configPath, fill(configText(program, options)));

  const [command, ...first] = commandLine(program, 'broker');
  const args = [...first];
  if (options.withoutConfig) args.push('-p', String(port));
  else args.push('-c', configPath);
  if (options.verbose) args.push('-v');
  args.push(...(options.args ?? []).map(fill));
  const child = start(command, args, { timeoutMs: 600_000 });

  // Log lines may come on either output; they are kept in the order in which they come.
  let text = '';
  const wholeLines: string[] = [];
  let begun = '';
  const take = (chunk: Buffer) => {
    text += chunk.toString();
    const parts = (begun + chunk.toString()).split('\n');
    begun = parts.pop()!;
    wholeLines.push(...parts);
  };
  child.process.stdout?.on('data', take);
  child.process.stderr?.on('data', take);
  let hasEnded = false;
  child.finished.then(
    () => {
      hasEnded = true;
    },
    () => {
      hasEnded = true;
    },
  );
  const says = () => `the broker (${program}) says:\n${text}`;
  // The log says it first and without a connection of our own in it; a configuration may have silenced the log.
  const isSilent = /^log_(dest|type) none/m.test(options.config ?? '') || /^log_dest file/m.test(options.config ?? '');
  const isUp = async () => hasEnded || (isSilent ? await accepts(port) : / running$/m.test(text));
  await until(isUp, 'the broker to listen', defaultPatienceMs, says);
  if (hasEnded) {
    rmSync(directory, { recursive: true, force: true });
    if (/address already in use|EADDRINUSE/i.test(text)) return 'port taken';
    throw new Error(`the broker ended at once\n${says()}`);
  }

  return {
    program,
    port,
    wsPort,
    unixPath,
    directory,
    configPath,
    pid: child.pid,
    log: () => [...wholeLines],
    waitForLog: (pattern, from = 0, patienceMs = defaultPatienceMs) => {
      let looked = from;
      const next = () => {
        while (looked < wholeLines.length) {
          const line = wholeLines[looked++]!;
          if (pattern.test(line)) return line;
        }
        return undefined;
      };
      return until(next, `a log line like ${pattern}`, patienceMs, says);
    },
    signal: (name) => child.kill(name),
    ended: child.finished.then((result) => result.status),
    residentBytes: () => residentBytes(child.pid),
    stop: (signal) => stop(program, child, directory, signal),
  };
}

async function stop(
  program: BrokerProgram,
  child: RunningCommand,
  directory: string,
  signal: NodeJS.Signals = 'SIGTERM',
) {
  // mosquitto 2.0.11 forgets a signal that comes between its line "running" and its main loop.
  const again = program === 'mosquitto' ? setInterval(() => child.kill(signal), 500) : undefined;
  try {
    return (await child.stop(signal)).status;
  } finally {
    clearInterval(again);
    rmSync(directory, { recursive: true, force: true });
  }
}

function configText(program: BrokerProgram, options: BrokerProcessOptions): string {
  const given = options.config ?? '';
  const lines: string[] = [];
  // Started by root, mosquitto would give its rights away and could not read its own files any more.
  if (program === 'mosquitto' && process.getuid?.() === 0) lines.push('user root');
  if (/^listener /m.test(given)) lines.push(given);
  else {
    // General options come first: after a `listener` line an option belongs to that listener.
    if (!/^(allow_anonymous|per_listener_settings) /m.test(given)) lines.push('allow_anonymous true');
    lines.push(given, 'listener {port} 127.0.0.1');
    if (options.webSocket) lines.push('listener {wsPort} 127.0.0.1', 'protocol websockets');
    if (options.unixSocket) lines.push('listener 0 {unixPath}');
  }
  return `${lines.join('\n')}\n`;
}
