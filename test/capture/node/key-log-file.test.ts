import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyLogFile } from '../../../src/capture/node/key-log-file.ts';
import { SecretTable, secretKinds } from '../../../src/capture/tls/secret-table.ts';
import { until } from '../../support/until.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clearwing-keylog-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function random(number: number): Buffer {
  const bytes = Buffer.alloc(32, 7);
  bytes.writeUInt32BE(number, 5);
  return bytes;
}

function line(number: number): string {
  return `CLIENT_RANDOM ${random(number).toString('hex')} ${Buffer.alloc(48, number % 251).toString('hex')}\n`;
}

function secretOf(table: SecretTable, number: number): number | undefined {
  return table.find(secretKinds.master, random(number))?.[47];
}

describe('a key log file', () => {
  it('is read further as it grows', async () => {
    const path = join(folder, 'growing');
    writeFileSync(path, line(1));
    const file = new KeyLogFile(path);
    const table = new SecretTable();
    file.update(table);
    expect([secretOf(table, 1), secretOf(table, 2)]).toEqual([1, undefined]);
    const next = line(2) + line(3);
    appendFileSync(path, next.slice(0, 200));
    await until(() => {
      file.update(table);
      return secretOf(table, 2) !== undefined;
    }, 'the second line');
    expect(secretOf(table, 3)).toBeUndefined();
    appendFileSync(path, next.slice(200));
    await until(() => {
      file.update(table);
      return secretOf(table, 3) !== undefined;
    }, 'the third line');
    expect([file.secrets, file.skippedLines, table.count]).toEqual([3, 0, 3]);
    file.close();
  });

  it('may come later, and be begun anew', async () => {
    const path = join(folder, 'late');
    const file = new KeyLogFile(path);
    const table = new SecretTable();
    file.update(table);
    writeFileSync(path, line(1) + line(2));
    await until(() => {
      file.update(table);
      return table.count === 2;
    }, 'the file');
    truncateSync(path, 0);
    appendFileSync(path, line(3));
    await until(() => {
      file.update(table);
      return table.count === 3;
    }, 'its new line');
    file.close();
  });

  it('that cannot be opened says why', () => {
    expect(() => new KeyLogFile(join(folder, 'missing')).open()).toThrow(/ENOENT/);
    mkdirSync(join(folder, 'directory'));
    expect(() => new KeyLogFile(join(folder, 'directory')).open()).toThrow(/directory/);
  });

  it('may have a hundred thousand lines', () => {
    const path = join(folder, 'large');
    const count = 100_000;
    let text = '';
    for (let number = 0; number < count; number++) text += line(number);
    writeFileSync(path, text.slice(0, -1));
    const file = new KeyLogFile(path);
    const table = new SecretTable();
    file.update(table);
    expect([file.secrets, file.skippedLines, table.count]).toEqual([count, 0, count]);
    for (let number = 0; number < count; number += 997) expect(secretOf(table, number)).toBe(number % 251);
    file.close();
  });
});
