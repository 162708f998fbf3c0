/** Connections that the openssl program makes, recorded on their way: suites and features that Node's TLS does not offer. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findCipherSuite } from '../../../src/capture/tls/cipher-suites.ts';
import { type RunningCommand, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { makeCertificate } from '../../transport/certificate.ts';
import { makeRsaCertificate } from './node-tls.ts';
import { decrypt, decryptionWith, type Recording, Relay } from './recording.ts';

const preSharedKey = '000102030405060708090a0b0c0d0e0f';

/** Suites of TLS 1.2 with AEAD that this openssl has, those for certificates of DSA aside. */
const suites = spawnSync('openssl', ['ciphers', '-V', '-s', '-tls1_2', '-psk', 'ALL:PSK:@SECLEVEL=0'], {
  encoding: 'utf8',
})
  .stdout.split('\n')
  .flatMap((line) => {
    const match = /0x(..),0x(..) - (\S+) .*Mac=AEAD/.exec(line);
    return match === null || match[3]!.includes('DSS')
      ? []
      : [{ code: Number(`0x${match[1]}${match[2]}`), name: match[3]! }];
  });

let folder: string;
const opened: { close(): void }[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clearwing-openssl-'));
  for (const [name, { cert, key }] of [
    ['ec', makeCertificate()],
    ['rsa', makeRsaCertificate()],
  ] as const) {
    writeFileSync(join(folder, `${name}.crt`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
  }
});
afterAll(() => {
  for (const each of opened) each.close();
  rmSync(folder, { recursive: true });
});

/** A server that takes whatever it is asked for; with `-rev` it answers lines with their reverse. */
async function serve(...options: string[]): Promise<{ relay: Relay; server: RunningCommand }> {
  // biome-ignore format: option and value belong together
  const args = ['s_server', '-accept', '127.0.0.1:0', '-cert', 'rsa.crt', '-key', 'rsa.key', '-dcert', 'ec.crt', '-dkey', 'ec.key',
    '-cipher', 'ALL:PSK:@SECLEVEL=0', ...options];
  const server = start('openssl', args, { directory: folder, keepInputOpen: true });
  await server.waitForOutput(/ACCEPT \S+:\d+/);
  const relay = await Relay.open(Number(/ACCEPT \S+:(\d+)/.exec(server.stdout())![1]));
  opened.push(relay);
  return { relay, server };
}

let keyLogs = 0;

interface Conversation {
  readonly recording: Recording;
  readonly keyLog: string;
}

/** Says lines to a server with `-rev`, each after the answer to the one before. */
async function speak(relay: Relay, lines: readonly string[], ...options: string[]): Promise<Conversation> {
  const keyLog = join(folder, `${++keyLogs}.keys`);
  const args = ['s_client', '-connect', `127.0.0.1:${relay.port}`, '-keylogfile', keyLog, ...options];
  const client = start('openssl', args, { directory: folder, keepInputOpen: true });
  let commands = 0;
  for (const line of lines) {
    client.write(`${line}\n`);
    if (line.length > 1) await client.waitForOutput([...line].reverse().join(''));
    else {
      // A command: it must have been read before the next line comes.
      commands++;
      await client.waitForOutput(new RegExp(`(KEYUPDATE\\s+){${commands}}`), 'stderr');
    }
  }
  client.endInput();
  await client.finished;
  return { recording: relay.last, keyLog: readFileSync(keyLog, 'latin1') };
}

const lines = ['hello there', 'and a line of more than sixteen bytes', 'good bye'];
const said = lines.map((line) => `${line}\n`).join('');
const reversed = lines.map((line) => `${[...line].reverse().join('')}\n`).join('');
const quiet = ['-quiet', '-no_ign_eof'];

describe('TLS 1.2 by openssl', () => {
  it('offers nothing with AEAD that is unknown', () => {
    expect(suites.length).toBeGreaterThan(10);
    expect(suites.filter(({ code }) => findCipherSuite(code) === undefined)).toEqual([]);
  });

  it('opens with each of its suites', { timeout: 300_000 }, async () => {
    const { relay, server } = await serve('-rev', '-tls1_2', '-psk', preSharedKey);
    const wrong: string[] = [];
    for (const { name } of suites) {
      const options = ['-tls1_2', '-cipher', `${name}:@SECLEVEL=0`, '-psk', preSharedKey, ...quiet];
      const { recording, keyLog } = await speak(relay, lines, ...options);
      const plain = decrypt(recording, decryptionWith(keyLog));
      if (plain.said[0] !== said || plain.said[1] !== reversed || plain.closed > 0) wrong.push(name);
    }
    expect(wrong).toEqual([]);
    server.kill();
  });
});

describe('TLS 1.3 by openssl', () => {
  it('opens when keys are updated', async () => {
    const { relay, server } = await serve('-rev', '-tls1_3');
    // K asks the other end to update its keys, too; k does not.
    const updated = [lines[0]!, 'K', lines[1]!, 'k', 'K', lines[2]!];
    for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']) {
      const { recording, keyLog } = await speak(relay, updated, '-tls1_3', '-ciphersuites', suite);
      const plain = decrypt(recording, decryptionWith(keyLog));
      expect(plain.said).toEqual([said, reversed]);
      expect(plain.closed).toBe(0);
      expect(plain.opened.filter(([direction, type]) => direction === 0 && type === 22)).toHaveLength(4);
      // An update that was lost is found again.
      const update = recording.records.findIndex(
        ({ direction, contentType }, index) =>
          direction === 0 && contentType === 23 && index > 0 && decryptsTo(recording, keyLog, index) === 24,
      );
      expect(update).toBeGreaterThan(0);
      expect(decrypt(recording, decryptionWith(keyLog), new Set([update])).said).toEqual([said, reversed]);
    }
    server.kill();
  });

  it('opens when records are padded', async () => {
    const { relay, server } = await serve('-rev', '-tls1_3', '-record_padding', '512');
    const { recording, keyLog } = await speak(relay, lines, '-tls1_3', '-record_padding', '300', ...quiet);
    expect(decrypt(recording, decryptionWith(keyLog)).said).toEqual([said, reversed]);
    server.kill();
  });

  it.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
    'opens data sent early, with %s',
    async (suite) => {
      const { relay, server } = await serve('-tls1_3', '-early_data', '-ciphersuites', suite);
      const session = join(folder, `${suite}.session`);
      const first = start(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${relay.port}`, '-tls1_3', '-sess_out', session],
        {
          directory: folder,
          keepInputOpen: true,
        },
      );
      await first.waitForOutput('Early data was not sent');
      // The server sends its tickets when it has something to read.
      first.write('hello\n');
      // Commands have to come alone.
      await server.waitForOutput('hello');
      await until(() => existsSync(session) && readFileSync(session, 'latin1').includes('END SSL SESSION'), 'a ticket');
      first.write('Q\n');
      await first.finished;
      writeFileSync(join(folder, 'early'), 'said too early\n');
      const keyLog = join(folder, `${suite}.keys`);
      const args = ['s_client', '-connect', `127.0.0.1:${relay.port}`, '-tls1_3', '-sess_in', session];
      const options = { directory: folder, keepInputOpen: true };
      const second = start('openssl', [...args, '-early_data', 'early', '-keylogfile', keyLog], options);
      await second.waitForOutput('Early data was accepted');
      second.write('and then more\n');
      await server.waitForOutput('and then more');
      second.write('Q\n');
      await second.finished;
      const keys = readFileSync(keyLog, 'latin1');
      expect(keys).toContain('CLIENT_EARLY_TRAFFIC_SECRET');
      const plain = decrypt(relay.last, decryptionWith(keys));
      expect(plain.said[0]).toBe('said too early\nand then more\n');
      expect(plain.closed).toBe(0);
      // Without the early secret, the rest.
      const rest = decrypt(relay.last, decryptionWith(keys.replace(/^CLIENT_EARLY.*\n/gm, '')));
      expect(rest.said[0]).toBe('and then more\n');
      server.kill();
    },
  );
});

/** Type of the handshake message that a record has; undefined if it has none. */
function decryptsTo(recording: Recording, keyLog: string, index: number): number | undefined {
  const connection = decryptionWith(keyLog).begin();
  let record: ReturnType<typeof connection.receive>;
  for (const { direction, contentType, version, fragment } of recording.records.slice(0, index + 1)) {
    record = connection.receive(direction, contentType, version, fragment);
  }
  return record?.contentType === 22 ? record.bytes[0] : undefined;
}
