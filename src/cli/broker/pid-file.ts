/** The file in which others find the number of the process. [mosquitto.conf(5) pid_file] */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';

/** @throws the system's error */
export function writePidFile(path: string): void {
  writeFileSync(path, `${process.pid}\n`, { mode: 0o644 });
}

/** Removes it, unless another process has put its own number there. */
export function removePidFile(path: string): void {
  try {
    if (readFileSync(path, 'utf8').trim() === String(process.pid)) unlinkSync(path);
  } catch {
    // Somebody else removed it, or its directory is not writable for the user that the broker has become.
  }
}
