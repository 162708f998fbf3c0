/** What a process takes of the machine. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const path = `/proc/${pid}/status`;
  const kibibytes = existsSync('/proc/self/status')
    ? /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(path, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  if (!kibibytes) throw new Error(`nothing is known of the memory of process ${pid}`);
  return Number(kibibytes) * 1024;
}
