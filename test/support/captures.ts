/** Recorded captures, and what tshark says of them: test/fixtures/captures/README.md. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryDirectory, sharedDirectory } from './paths.ts';

/** What `about.json` says of a capture. */
export interface CaptureAbout {
  readonly about: string;
  /** Arguments that tshark and `clearwing dissect` need alike: `-d`, `-o`. */
  readonly args: readonly string[];
  readonly frames: number;
  readonly mqtt_frames: number;
  readonly mqtt_packets: number;
  /** Arguments that only tshark needs. */
  readonly tshark_args?: readonly string[];
  /** Why tshark is no authority. */
  readonly soft?: string;
}

export interface RecordedCapture {
  readonly name: string;
  readonly path: string;
  /** Folder of its golden answers. */
  readonly golden: string;
  readonly about: CaptureAbout;
}

export const capturesDirectory: string = join(repositoryDirectory, 'test', 'fixtures', 'captures');

/** The ones that are in this repository. */
export const ownCaptures: readonly RecordedCapture[] = capturesIn(capturesDirectory, '');

const sharedCaptures = sharedDirectory === undefined ? undefined : join(sharedDirectory, 'captures');

/** Other people's, which are not: empty where `skippedCaptures` says why. */
export const realCaptures: readonly RecordedCapture[] =
  sharedCaptures !== undefined && existsSync(sharedCaptures) ? capturesIn(sharedCaptures, 'real-') : [];

/** Why `realCaptures` is empty, for the title of a skipped test; undefined if it is not. */
export const skippedCaptures: string | undefined =
  realCaptures.length > 0 ? undefined : 'the captures of ../shared/captures are not there';

export const allCaptures: readonly RecordedCapture[] = [...ownCaptures, ...realCaptures];

function capturesIn(directory: string, prefix: string): RecordedCapture[] {
  const about = JSON.parse(readFileSync(join(directory, 'about.json'), 'utf8')) as Record<string, CaptureAbout>;
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix) && Object.hasOwn(about, name))
    .map((name) => ({
      name,
      path: join(directory, name),
      golden: join(directory, 'golden', name),
      about: about[name]!,
    }));
}

/** Whether Debian's tshark is installed; tests against another version would compare wordings that differ. */
export const tsharkVersion: string | undefined = (() => {
  const { status, stdout } = spawnSync('tshark', ['--version'], { encoding: 'utf8' });
  return status === 0 ? /TShark \(Wireshark\) (\d+\.\d+)/.exec(stdout)?.[1] : undefined;
})();

/** tshark 4.0, which everything is held against. */
export const hasTshark: boolean = tsharkVersion === '4.0';

/** Runs tshark with numbers for names, in UTC, and gives its output; a file that is cut does not matter. */
export function tshark(path: string, args: readonly string[]): string {
  const environment = { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8', HOME: '/nonexistent' };
  const options = { encoding: 'utf8', maxBuffer: 1 << 30, env: environment, cwd: join(path, '..') } as const;
  const { stdout, error } = spawnSync('tshark', ['-n', '-r', path, ...args], options);
  if (error !== undefined) throw error;
  return stdout;
}

/** Rows and trees (`-V`) of all frames from one run, the trees as one text; most of a run of tshark is its start. */
export function tsharkRowsAndTrees(path: string, args: readonly string[]): { rows: string[]; trees: string } {
  const separator = '@@next';
  const frames = tshark(path, ['-V', '-P', '-S', separator, ...args]).split(`${separator}\n`);
  // Nothing comes behind the last one.
  frames.pop();
  const endOfRow = (frame: string) => frame.indexOf('\n');
  return {
    rows: frames.map((frame) => frame.slice(0, endOfRow(frame))),
    trees: frames.map((frame) => frame.slice(endOfRow(frame) + 1)).join('\n'),
  };
}
