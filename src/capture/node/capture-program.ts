/**
 * Frames from a network interface, by the system's own programs: dumpcap or, where that is missing, tcpdump. They have the privileges that it takes;
 * this process needs none.
 *
 *     interface ─▶ dumpcap | tcpdump ─ pcapng or pcap on a pipe ─▶ chunks
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';

export interface CaptureProgramOptions {
  /** As the programs name it: `eth0`, `lo`, `any`. */
  readonly interfaceName: string;
  /** A capture filter, pcap-filter(7): `tcp port 1883`. Default: everything. */
  readonly filter?: string | undefined;
  /** Bytes kept of each frame. Default: the program's, which is the whole frame. */
  readonly snapLength?: number | undefined;
  /** Whether frames for others are captured, too. Default true. */
  readonly isPromiscuous?: boolean | undefined;
}

/** Why nothing is captured, or nothing more. The message is for people. */
export class CaptureProgramError extends Error {}

/** Where programs for administrators are, which are often not in the PATH of others. */
const systemDirectories = ['/usr/sbin', '/usr/bin', '/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin'];
/** What a program says of a fault is kept up to this many characters. */
const complaintMax = 16_384;
/** Lines that say that all is well. */
const progressLines = /^(Capturing on |File: |Packets |tcpdump: listening on |\d+ packets? )/;

export class CaptureProgram implements AsyncIterable<Uint8Array> {
  /** `dumpcap` or `tcpdump`. */
  readonly name: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #complaints = '';
  #isStopped = false;
  readonly #ended: Promise<string | undefined>;

  /** @throws {CaptureProgramError} if there is neither program */
  static start(options: CaptureProgramOptions): CaptureProgram {
    const dumpcap = findProgram('dumpcap');
    if (dumpcap !== undefined) return new CaptureProgram('dumpcap', dumpcap, dumpcapArguments(options));
    const tcpdump = findProgram('tcpdump');
    if (tcpdump !== undefined) return new CaptureProgram('tcpdump', tcpdump, tcpdumpArguments(options));
    throw new CaptureProgramError(
      'capturing from an interface takes dumpcap (of Wireshark) or tcpdump, and neither is installed; on Debian: apt-get install tcpdump',
    );
  }

  private constructor(name: string, path: string, args: readonly string[]) {
    this.name = name;
    // A group of its own: Ctrl-C reaches us alone, and we end it in order.
    this.#child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    this.#child.stderr.setEncoding('utf8');
    this.#child.stderr.on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(0, complaintMax);
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('close', (status, signal) => {
        const hasFailed = status !== 0 && !this.#isStopped;
        resolve(hasFailed ? `it ended with ${signal ?? `status ${status}`}` : undefined);
      });
    });
  }

  /** Ends the capture; what was captured is still handed out. */
  stop(): void {
    this.#isStopped = true;
    this.#child.kill('SIGINT');
  }

  /** The file's bytes as they come. @throws {CaptureProgramError} behind the last, if the program failed */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of this.#child.stdout) yield chunk as Buffer;
      const failure = await this.#ended;
      if (failure !== undefined) throw new CaptureProgramError(`${this.name}: ${this.#complaint() || failure}`);
    } finally {
      this.stop();
    }
  }

  /** What the program says is wrong, without its own name before it and without advice of many lines behind. */
  #complaint(): string {
    const lines = this.#complaints
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !progressLines.test(line));
    return lines
      .slice(0, 3)
      .map((line) => line.replace(/^(dumpcap|tcpdump): /, ''))
      .join(' ');
  }
}

/** The interfaces there are, a line each, as the program lists them. @throws {CaptureProgramError} */
export async function listInterfaces(): Promise<string[]> {
  const path = findProgram('dumpcap') ?? findProgram('tcpdump');
  if (path === undefined) throw new CaptureProgramError('neither dumpcap nor tcpdump is installed');
  const child = spawn(path, ['-D'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0) throw new CaptureProgramError(complaint.trim() || `${path} -D ended with status ${status}`);
  return output.split('\n').filter((line) => line !== '');
}

function dumpcapArguments({ interfaceName, filter, snapLength, isPromiscuous }: CaptureProgramOptions): string[] {
  const args = ['-q', '-i', interfaceName, '-w', '-'];
  if (filter !== undefined) args.push('-f', filter);
  if (snapLength !== undefined) args.push('-s', String(snapLength));
  if (isPromiscuous === false) args.push('-p');
  return args;
}

function tcpdumpArguments({ interfaceName, filter, snapLength, isPromiscuous }: CaptureProgramOptions): string[] {
  const args = ['-U', '-i', interfaceName, '-w', '-', '-s', String(snapLength ?? 0)];
  if (isPromiscuous === false) args.push('-p');
  if (filter !== undefined) args.push('--', filter);
  return args;
}

function findProgram(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), ...systemDirectories]) {
    if (directory === '') continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not there, or not for us.
    }
  }
  return undefined;
}
