/** Memory of processes, as Linux counts it. */
import { readFileSync } from 'node:fs';

/** Resident memory of a process in bytes. Undefined where there is no /proc, or no such process, or none is given. */
export function residentBytes(processId: number | undefined): number | undefined {
  if (processId === undefined) return undefined;
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, 'latin1'))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/** What a number of things take of a process. */
export interface MemoryGrowth {
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** The difference, for each of the things. */
  readonly eachBytes: number;
}

/** Undefined where nothing is known. */
export function growthOf(
  beforeBytes: number | undefined,
  afterBytes: number | undefined,
  count: number,
): MemoryGrowth | undefined {
  if (beforeBytes === undefined || afterBytes === undefined || count === 0) return undefined;
  return { beforeBytes, afterBytes, eachBytes: (afterBytes - beforeBytes) / count };
}
