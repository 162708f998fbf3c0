import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyLogReader } from '../../../src/capture/tls/key-log-reader.ts';
import { applicationTraffic, SecretTable, secretKinds } from '../../../src/capture/tls/secret-table.ts';

const random = '14f8f1bd051c094f8825d646f921b0fa25f8d6888d4513d5343090a1ea6579bd';
const master = 'ab'.repeat(48);
const traffic = 'cd'.repeat(32);
const longTraffic = 'EF'.repeat(48);

function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

function read(text: string): { reader: KeyLogReader; table: SecretTable } {
  const table = new SecretTable();
  const reader = new KeyLogReader(table);
  reader.push(Buffer.from(text, 'latin1'));
  reader.peek();
  return { reader, table };
}

function found(table: SecretTable, kind: number, identifier: string): string | undefined {
  const secret = table.find(kind, hex(identifier));
  return secret && Buffer.from(secret).toString('hex');
}

describe('a key log', () => {
  it.each([
    [`CLIENT_RANDOM ${random} ${master}`, secretKinds.master, random, master],
    [`PMS_CLIENT_RANDOM ${random} ${'12'.repeat(300)}`, secretKinds.preMaster, random, '12'.repeat(300)],
    [`RSA 0123456789abcdef ${master}`, secretKinds.rsaPreMaster, '0123456789abcdef', master],
    [`RSA Session-ID:0A0B Master-Key:${master}`, secretKinds.sessionMaster, '0a0b', master],
    [`CLIENT_EARLY_TRAFFIC_SECRET ${random} ${traffic}`, secretKinds.clientEarlyTraffic, random, traffic],
    [`EARLY_TRAFFIC_SECRET ${random} ${traffic}`, secretKinds.clientEarlyTraffic, random, traffic],
    [`CLIENT_HANDSHAKE_TRAFFIC_SECRET ${random} ${traffic}`, secretKinds.clientHandshakeTraffic, random, traffic],
    [
      `SERVER_HANDSHAKE_TRAFFIC_SECRET ${random} ${longTraffic}`,
      secretKinds.serverHandshakeTraffic,
      random,
      longTraffic,
    ],
    [`CLIENT_TRAFFIC_SECRET_0 ${random} ${traffic}`, applicationTraffic(0, 0), random, traffic],
    [`SERVER_TRAFFIC_SECRET_0 ${random} ${traffic}`, applicationTraffic(1, 0), random, traffic],
    [`SERVER_TRAFFIC_SECRET_12 ${random} ${traffic}`, applicationTraffic(1, 12), random, traffic],
    [`  CLIENT_RANDOM\t${random.toUpperCase()}   ${master}  \r`, secretKinds.master, random, master],
  ])('gives the secret of %s', (line, kind, identifier, secret) => {
    for (const text of [line, `${line}\n`, `# comment\r\n\r\n${line}\r\n`]) {
      const { reader, table } = read(text);
      expect(found(table, kind, identifier)).toBe(secret.toLowerCase());
      expect([reader.secrets, reader.skippedLines, table.count]).toEqual([1, 0, 1]);
    }
  });

  it.each([
    'hello',
    `CLIENT_RANDOM ${random}`,
    `CLIENT_RANDOM ${random} ${master.slice(2)}`,
    `CLIENT_RANDOM ${random} ${master.slice(1)}x`,
    `CLIENT_RANDOM ${random.slice(2)} ${master}`,
    `CLIENT_RANDOM ${random} ${master} more`,
    `CLIENT_RANDOM ${random}00 ${master}`,
    `CLIENT_TRAFFIC_SECRET_ ${random} ${traffic}`,
    `CLIENT_TRAFFIC_SECRET_x ${random} ${traffic}`,
    `CLIENT_TRAFFIC_SECRET_100 ${random} ${traffic}`,
    `CLIENT_TRAFFIC_SECRET_0 ${random} ${traffic}ab`,
    `RSA 0123 ${master}`,
    `RSA Session-ID: Master-Key:${master}`,
    `RSA Session-ID:${'ab'.repeat(33)} Master-Key:${master}`,
    `RSA Session-ID:ab ${master}`,
    `UNKNOWN_SECRET ${random} ${traffic}`,
    `CLIENT_RANDOM ${random} ${'a'.repeat(9000)}`,
  ])('skips and counts %s', (line) => {
    const { reader, table } = read(`${line}\nCLIENT_RANDOM ${random} ${master}\n`);
    expect([reader.secrets, reader.skippedLines, table.count]).toEqual([1, 1, 1]);
    expect(found(table, secretKinds.master, random)).toBe(master);
  });

  it('passes over secrets of another use, which are no mistake', () => {
    const { reader } = read(`EXPORTER_SECRET ${random} ${traffic}\nEARLY_EXPORTER_SECRET ${random} ${traffic}\n`);
    expect([reader.secrets, reader.skippedLines]).toEqual([0, 0]);
  });

  it('is read the same in whatever pieces it comes', () => {
    const text = `# a\nCLIENT_RANDOM ${random} ${master}\r\nbad\n${'x'.repeat(9000)}\n\nRSA Session-ID:0a Master-Key:${master}\nlast`;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1 }), (sizes) => {
        const table = new SecretTable();
        const reader = new KeyLogReader(table);
        const bytes = Buffer.from(text);
        for (let at = 0, index = 0; at < bytes.length; index++) {
          const size = sizes[index % sizes.length]!;
          reader.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect([reader.secrets, reader.skippedLines, table.count]).toEqual([2, 2, 2]);
      }),
      { numRuns: 50 },
    );
  });

  it('takes the whole of a line that was looked at before its end came', () => {
    const table = new SecretTable();
    const reader = new KeyLogReader(table);
    const line = `CLIENT_TRAFFIC_SECRET_0 ${random} ${longTraffic}\n`;
    reader.push(Buffer.from(line.slice(0, -33)));
    reader.peek();
    expect(found(table, applicationTraffic(0, 0), random)).toBe(longTraffic.slice(0, 64).toLowerCase());
    reader.push(Buffer.from(line.slice(-33)));
    expect(found(table, applicationTraffic(0, 0), random)).toBe(longTraffic.toLowerCase());
    expect(table.count).toBe(1);
  });

  it('lets a later line count', () => {
    const { table } = read(`CLIENT_RANDOM ${random} ${'11'.repeat(48)}\nCLIENT_RANDOM ${random} ${master}\n`);
    expect(found(table, secretKinds.master, random)).toBe(master);
    expect(table.count).toBe(1);
  });

  it('may be any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const reader = new KeyLogReader(new SecretTable());
        reader.push(bytes);
        reader.peek();
        expect(reader.secrets).toBe(0);
      }),
    );
  });
});

describe('a table of secrets', () => {
  it('holds what a Map holds', () => {
    const table = new SecretTable();
    const map = new Map<string, number>();
    let state = 1;
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 8;
    };
    for (let round = 0; round < 60_000; round++) {
      const kind = 1 + (next() % 3);
      const identifier = Uint8Array.of(next() % 200, next() % 200, kind);
      const value = next() % 256;
      table.add(kind, identifier, new Uint8Array(32).fill(value));
      map.set(`${kind} ${identifier}`, value);
    }
    expect(table.count).toBe(map.size);
    for (const [key, value] of map) {
      const [kind, identifier] = key.split(' ');
      const secret = table.find(Number(kind), Uint8Array.from(identifier!.split(',').map(Number)));
      if (secret?.every((byte) => byte === value) !== true) expect.fail(`${key} has ${secret}, not ${value}`);
    }
    expect(table.find(9, Uint8Array.of(1, 2, 3))).toBeUndefined();
    expect(table.hasPreMasters).toBe(true);
  });
});
