/** The data file read without LMDB: the same as LMDB reads, or a fault. */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DataFile, DataFileFault } from '../../../src/broker/persistence/data-file.ts';
import {
  type DatabaseName,
  databaseNames,
  dataFileName,
  LmdbEnvironment,
} from '../../../src/broker/persistence/lmdb-environment.ts';

const first = Uint8Array.of(0);
const behindAll = new Uint8Array(20).fill(255);

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-data-file-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What LMDB says is there. */
function recordsOf(environment: LmdbEnvironment, name: DatabaseName): string[] {
  const entries = environment.range(name, first, behindAll, Number.POSITIVE_INFINITY);
  return entries.map(({ key, value }) => `${hex(key)} ${hex(value)}`);
}

function recordsRead(file: DataFile, name: DatabaseName): string[] {
  const cursor = file.records(name);
  const found: string[] = [];
  while (cursor?.next()) {
    const { key, keyStart, keyEnd, value, valueStart, valueEnd } = cursor;
    expect(valueEnd - valueStart).toBe(cursor.valueSize);
    found.push(`${hex(key.subarray(keyStart, keyEnd))} ${hex(value.subarray(valueStart, valueEnd))}`);
  }
  return found;
}

/** Puts and removes records of all sizes, with keys that come in no order. */
async function fill(environment: LmdbEnvironment, name: DatabaseName, count: number, seed: number): Promise<void> {
  const keys: Uint8Array[] = [];
  const values: (Uint8Array | undefined)[] = [];
  for (let index = 0; index < count; index++) {
    const key = new Uint8Array(8);
    new DataView(key.buffer).setUint32(1, Math.imul(index + seed, 0x9e37_79b1) >>> 0);
    keys.push(key);
    const size = index % 37 === 0 ? (index * 131) % 20_000 : (index * 7) % 300;
    values.push(index % 11 === 3 ? undefined : new Uint8Array(size).fill(index));
  }
  await environment.write({ databases: keys.map(() => name), keys, values });
}

describe('DataFile', () => {
  it('reads what LMDB reads, through changes of all kinds', async () => {
    const directory = temporaryDirectory();
    const environment = await LmdbEnvironment.open(directory, 'strict');
    onTestFinished(() => environment.close());
    for (const [index, count] of [0, 1, 50, 3000, 700, 12_000].entries()) {
      const name = databaseNames[index] as DatabaseName;
      await fill(environment, name, count, index);
      // Some of it anew, some of it removed.
      await fill(environment, name, Math.floor(count / 2), index + 2);
      const file = DataFile.open(join(directory, dataFileName), false);
      for (const one of databaseNames) expect(recordsRead(file, one)).toEqual(recordsOf(environment, one));
      file.close();
    }
  });

  it('shows the beginning of a long value if that is all that is wanted', async () => {
    const directory = temporaryDirectory();
    const environment = await LmdbEnvironment.open(directory, 'strict');
    onTestFinished(() => environment.close());
    const value = Uint8Array.from({ length: 100_000 }, (_, index) => index & 255);
    await environment.write({ databases: ['messages'], keys: [first], values: [value] });
    const file = DataFile.open(join(directory, dataFileName), false);
    onTestFinished(() => file.close());
    const cursor = file.records('messages', { wantedBytes: (beginning) => 5000 + (beginning[7] as number) });
    expect(cursor?.next()).toBe(true);
    expect(cursor?.valueSize).toBe(100_000);
    const shown = cursor?.value.subarray(cursor.valueStart, cursor.valueEnd) ?? new Uint8Array(0);
    expect(shown.length).toBeGreaterThanOrEqual(5007);
    expect(shown.length).toBeLessThan(20_000);
    expect(hex(shown)).toBe(hex(value.subarray(0, shown.length)));
    expect(cursor?.next()).toBe(false);
  });

  it('goes on reading its state while LMDB commits twice beside it', async () => {
    const directory = temporaryDirectory();
    const environment = await LmdbEnvironment.open(directory, 'strict');
    onTestFinished(() => environment.close());
    await fill(environment, 'messages', 5000, 0);
    await fill(environment, 'messages', 2500, 1);
    const expected = recordsOf(environment, 'messages');
    const file = DataFile.open(join(directory, dataFileName), false);
    onTestFinished(() => file.close());
    await fill(environment, 'messages', 5000, 7);
    await fill(environment, 'messages', 5000, 9);
    expect(recordsOf(environment, 'messages')).not.toEqual(expected);
    expect(recordsRead(file, 'messages')).toEqual(expected);
  });

  it('says where it is damaged or cut off, wherever that is', async () => {
    const directory = temporaryDirectory();
    const environment = await LmdbEnvironment.open(directory, 'strict');
    await fill(environment, 'messages', 3000, 0);
    await environment.close();
    const path = join(directory, dataFileName);
    const whole = readFileSync(path);
    /** What is said of the file; undefined if nothing is. */
    const fault = (): string | undefined => {
      let file: DataFile | undefined;
      try {
        file = DataFile.open(path, false);
        file.checkPages();
        return undefined;
      } catch (error) {
        expect(error).toBeInstanceOf(DataFileFault);
        return (error as Error).message;
      } finally {
        file?.close();
      }
    };
    expect(fault()).toBeUndefined();
    let faults = 0;
    for (let page = 2; page < whole.length / 4096; page += 3) {
      for (const at of [0, 18, 20, 22, 24]) {
        const damaged = Buffer.from(whole);
        const offset = page * 4096 + at;
        damaged.writeUInt16LE(damaged.readUInt16LE(offset) ^ 0x1f3, offset);
        writeFileSync(path, damaged);
        if (fault() !== undefined) faults++;
      }
    }
    expect(faults).toBeGreaterThan(100);
    writeFileSync(path, whole);
    truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096);
    expect(fault()).toMatch(/^is damaged or cut off at page \d+$/);
  });
});
