/** What keeps this process from using a processor for as long as it likes. [cgroups(7), Linux cgroup-v2 "cpu.max", sched-bwc "cpu.cfs_quota_us"] */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Whether the machine has one processor only, or a control group limits the processor time of this process: then to wait busily would take
 * from others, or from what is left for work.
 * @param root where `/proc` and `/sys` are; default the root directory
 * @param processors of the machine; default those it has
 */
export function isProcessorLimited(root = '/', processors = cpus().length): boolean {
  if (processors < 2) return true;
  // One line for each hierarchy: its number, its controllers with commas between them (none in version 2), and the group's path.
  for (const line of (textOf(join(root, 'proc/self/cgroup')) ?? '').split('\n')) {
    const [, controllers, group] = line.split(':', 3);
    if (controllers === undefined || group === undefined) continue;
    const isV2 = controllers === '';
    if (!isV2 && !controllers.split(',').includes('cpu')) continue;
    const mount = join(root, isV2 ? 'sys/fs/cgroup' : `sys/fs/cgroup/${controllers}`);
    // The group's own limit, and those of the groups that it is in.
    for (let path = group; ; path = dirname(path)) {
      if (hasQuota(join(mount, path), isV2)) return true;
      if (path === '/' || path === '.') break;
    }
  }
  return false;
}

function hasQuota(directory: string, isV2: boolean): boolean {
  const text = textOf(join(directory, isV2 ? 'cpu.max' : 'cpu.cfs_quota_us'));
  // `max 100000` and `-1` are no limit; `50000 100000` and `50000` are half a processor.
  return text !== undefined && /^\d/.test(text);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
