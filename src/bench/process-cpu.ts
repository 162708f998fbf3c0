/** Processor time of processes and of cores, as Linux counts it. */
import { readFileSync } from 'node:fs';

/** USER_HZ: the unit in which the kernel tells times to programs, whatever it counts in itself. */
const ticksPerSecond = 100;

/**
 * Seconds that all threads of a process have used, in the program and in the kernel; to 1/100. Undefined where there is no
 * /proc, or no such process, or none is given.
 */
export function processCpuSeconds(processId: number | undefined): number | undefined {
  if (processId === undefined) return undefined;
  let stat: string;
  try {
    stat = readFileSync(`/proc/${processId}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses, which may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Seconds that a core has been at work for anybody; to 1/100. Undefined where there is no /proc. */
export function coreBusySeconds(core: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync('/proc/stat', 'latin1');
  } catch {
    return undefined;
  }
  const line = stat.split('\n').find((candidate) => candidate.startsWith(`cpu${core} `));
  if (line === undefined) return undefined;
  // user nice system idle iowait irq softirq steal
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(' ').slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}
