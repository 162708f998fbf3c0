/** A key log file, which may grow while it is read: whoever speaks TLS appends to it as connections begin. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { KeyLogReader } from '../tls/key-log-reader.ts';
import type { SecretTable } from '../tls/secret-table.ts';
import type { SecretSource } from '../tls/tls-secrets.ts';

const chunkBytes = 1024 * 1024;
/**
 * It is asked how long it is now so often at most, but whenever a key is needed for the first time. That takes 2 µs and little is read then, so that what is captured live is decrypted from its
 * first packets.
 */
const lookIntervalMs = 10;

export class KeyLogFile implements SecretSource {
  readonly path: string;
  #table: SecretTable | undefined = undefined;
  #reader: KeyLogReader | undefined = undefined;
  #descriptor: number | undefined = undefined;
  /** Bytes read. */
  #offset = 0;
  #lookedAtMs = Number.NEGATIVE_INFINITY;

  constructor(path: string) {
    this.path = path;
  }

  /** Lines with secrets of use, so far. */
  get secrets(): number {
    return this.#reader?.secrets ?? 0;
  }

  /** Lines that are none, so far. */
  get skippedLines(): number {
    return this.#reader?.skippedLines ?? 0;
  }

  /**
   * Opens it, or says why that cannot be. Need not be called: `update` opens it as soon as that can be.
   * @throws what `openSync` throws
   */
  open(): void {
    if (this.#descriptor !== undefined) return;
    const descriptor = openSync(this.path, 'r');
    if (fstatSync(descriptor).isDirectory()) {
      closeSync(descriptor);
      throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' });
    }
    this.#descriptor = descriptor;
  }

  /** Reads what was appended. Never throws: what cannot be read has no secrets. */
  update(table: SecretTable, isFirst = false): void {
    const now = performance.now();
    if (!isFirst && now - this.#lookedAtMs < lookIntervalMs) return;
    this.#lookedAtMs = now;
    try {
      this.open();
      this.#read(this.#descriptor!, table);
    } catch {
      this.close();
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #read(descriptor: number, table: SecretTable): void {
    const stats = fstatSync(descriptor);
    const isNew = this.#reader === undefined || this.#table !== table;
    if (stats.isFile() ? stats.size === this.#offset && !isNew : !isNew) return;
    if (isNew || stats.size < this.#offset) {
      this.#table = table;
      this.#reader = new KeyLogReader(table);
      this.#offset = 0;
    }
    const reader = this.#reader!;
    const buffer = new Uint8Array(stats.isFile() ? Math.min(chunkBytes, stats.size - this.#offset) : chunkBytes);
    for (;;) {
      // Pipes have no positions; they are read to their end, once.
      const count = readSync(descriptor, buffer, 0, buffer.length, stats.isFile() ? this.#offset : null);
      if (count === 0) break;
      reader.push(buffer.subarray(0, count));
      this.#offset += count;
    }
    reader.peek();
  }
}
