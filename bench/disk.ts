/** How fast the disk is that durable brokers wait for. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** About a small message with what a store keeps of it. */
export const recordBytes = 128;

/**
 * Appends small records to a file and brings each to the disk before the next, for about so many seconds.
 * @returns records per second: what a program can acknowledge that syncs for every single message
 * @throws the system's error
 */
export function measureSyncRate(directory: string, seconds: number): number {
  const own = mkdtempSync(join(directory, 'clearwing-bench-disk-'));
  const file = openSync(join(own, 'records'), 'w');
  try {
    const record = new Uint8Array(recordBytes).fill(0x61);
    let count = 0;
    let elapsedMs = 0;
    const beganMs = performance.now();
    while (elapsedMs < seconds * 1000) {
      writeSync(file, record);
      fdatasyncSync(file);
      count++;
      elapsedMs = performance.now() - beganMs;
    }
    return (count * 1000) / elapsedMs;
  } finally {
    closeSync(file);
    rmSync(own, { recursive: true, force: true });
  }
}

const tmpfsMagic = 0x0102_1994;

/** Whether what is written there never reaches a disk, so that syncing costs nothing. */
export function isInMemory(directory: string): boolean {
  return process.platform === 'linux' && statfsSync(directory).type === tmpfsMagic;
}
