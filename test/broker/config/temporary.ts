/** A directory for the files of one test, removed afterwards. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface TemporaryFiles {
  readonly directory: string;
  /** Writes a file, with the directories above it, and gives its path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
  path(name: string): string;
}

export function temporaryFiles(files: Readonly<Record<string, string>> = {}): TemporaryFiles {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = (name: string) => join(directory, name);
  const write = (name: string, content: string | Uint8Array, mode = 0o600) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content, { mode });
    return path(name);
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { directory, write, path };
}
