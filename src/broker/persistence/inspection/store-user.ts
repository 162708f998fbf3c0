/** Which process has a store open. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { dataFileName } from '../lmdb-environment.ts';

/** `1: POSIX  ADVISORY  READ 28282 fe:00:2146531 0 0`: the process, and the file by the numbers of its device and its own. */
const lockPattern = /^\d+: \S+ +\S+ +\S+ +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /;

/**
 * The process that uses the store in a directory, as far as the system tells: LMDB holds a lock on its file of readers, and Linux lists
 * locks with their owners. Undefined where that cannot be known.
 */
export function processOfStore(directory: string): number | undefined {
  try {
    const { dev, ino } = statSync(join(directory, `${dataFileName}-lock`));
    for (const line of readFileSync('/proc/locks', 'latin1').split('\n')) {
      const [, pid, major, minor, inode] = lockPattern.exec(line) ?? [];
      if (Number(inode) !== ino || Number(pid) === process.pid) continue;
      if (deviceNumber(Number.parseInt(major!, 16), Number.parseInt(minor!, 16)) === dev) return Number(pid);
    }
  } catch {
    // Without it the message has no number.
  }
  return undefined;
}

/** As Linux puts the two parts together for programs. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + (minor >>> 8) * 0x10_0000;
}
