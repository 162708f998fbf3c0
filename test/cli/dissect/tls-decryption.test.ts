/** Captures of MQTT over TLS, decrypted: against tshark's answers, and against tshark itself with what is captured here and now. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBroker } from '../../support/broker-process.ts';
import { hasTshark, ownCaptures, tshark } from '../../support/captures.ts';
import { clearwingMain } from '../../support/paths.ts';
import { describeWithPeer, hasPeer, peerPath } from '../../support/peers.ts';
import { run, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import { makeCertificate } from '../../transport/certificate.ts';
import { runClient, startClient } from '../client/compare.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'clearwing-tls-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function dissect(path: string, ...args: string[]) {
  const options = { directory: join(path, '..'), environment: { TZ: 'UTC' } };
  return run(process.execPath, [clearwingMain, 'dissect', '-n', '-r', path, ...args], options);
}

const captures = ownCaptures.filter(({ name }) => name.startsWith('lab-tls12'));

describe('MQTT within TLS', () => {
  it('is there in two captures, one with its secrets inside', () => {
    expect(captures.map(({ name }) => name).sort()).toEqual(['lab-tls12-dsb.pcapng', 'lab-tls12.pcap']);
  });

  it.each(captures)('has the rows, trees and fields that tshark has of $name', async ({ path, golden, about }) => {
    const args = [...about.args, '-Y', 'mqtt'];
    const expected = (file: string) => readFileSync(join(golden, file), 'utf8');
    expect((await dissect(path, ...args)).stdout).toBe(expected('summary.txt'));
    expect((await dissect(path, ...args, '-V', '-O', 'mqtt')).stdout).toBe(expected('tree.txt'));
    const fields = expected('fields.tsv').split('\n')[0]!.split('\t');
    const wanted = fields.flatMap((field) => ['-e', field]);
    const found = await dissect(path, ...args, '-T', 'fields', '-E', 'header=y', ...wanted);
    expect(found.stdout).toBe(expected('fields.tsv'));
  });

  it.skipIf(!hasTshark).each(captures)('has all rows of $name as tshark has', async ({ path, about }) => {
    expect((await dissect(path, ...about.args)).stdout).toBe(tshark(path, about.args));
  });

  it('stays closed without secrets, whatever the environment says', async () => {
    const { path } = captures.find(({ name }) => name === 'lab-tls12.pcap')!;
    const environment = { SSLKEYLOGFILE: join(path, '..', 'lab-tls12.keys') };
    const { stdout, status } = await run(process.execPath, [clearwingMain, 'dissect', '-r', path, '-Y', 'mqtt'], {
      environment,
    });
    expect([stdout, status]).toEqual(['', 0]);
  });
});

describe('-o tls.keylog_file', () => {
  const { path } = captures.find(({ name }) => name === 'lab-tls12.pcap')!;

  it('says what is wrong with the file', async () => {
    const empty = join(folder, 'empty');
    writeFileSync(empty, '# nothing but a comment\n');
    const other = join(folder, 'other');
    writeFileSync(other, 'root:x:0:0\nand more\n');
    for (const [file, message] of [
      [join(folder, 'missing'), 'there is no such file'],
      [folder, 'it is a directory, not a file'],
      [empty, 'there are no secrets in it. Expected lines such as'],
      [other, 'there are no secrets in it; 2 of its lines are of another kind.'],
    ] as const) {
      const { status, stderr, stdout } = await dissect(path, '-o', `tls.keylog_file:${file}`);
      expect(stderr).toContain(`-o tls.keylog_file:${file}: ${message}`);
      expect([status, stdout]).toEqual([1, '']);
    }
  });

  // Root may read everything.
  if (process.getuid?.() !== 0) {
    it('says that the file may not be read', async () => {
      const file = join(folder, 'forbidden');
      writeFileSync(file, 'x');
      chmodSync(file, 0);
      const { status, stderr } = await dissect(path, '-o', `tls.keylog_file:${file}`);
      expect(stderr).toContain('it may not be read (permission denied)');
      expect(status).toBe(1);
    });
  }

  it('may be filled while packets come on the standard input', async () => {
    const keys = join(folder, 'later.keys');
    const args = [clearwingMain, 'dissect', '-l', '-r', '-', '-o', `tls.keylog_file:${keys}`, '-Y', 'mqtt'];
    const running = start(process.execPath, args, { keepInputOpen: true });
    await running.waitForOutput('has no secrets yet', 'stderr');
    const capture = readFileSync(path);
    running.write(capture.subarray(0, 100));
    writeFileSync(keys, readFileSync(join(path, '..', 'lab-tls12.keys')));
    running.write(capture.subarray(100));
    running.endInput();
    const { stdout, status } = await running.finished;
    expect(stdout.trimEnd().split('\n')).toHaveLength(32);
    expect(status).toBe(0);
  });
});

/** Whether this user may capture on the loopback. */
const mayCapture =
  hasPeer('dumpcap') && / lo\b/.test(spawnSync(peerPath('dumpcap'), ['-D'], { encoding: 'utf8' }).stdout ?? '');

describeWithPeer(['tshark', 'dumpcap', 'mosquitto', 'mosquitto_pub', 'mosquitto_sub'], 'what is captured now', () => {
  it.skipIf(!hasTshark || !mayCapture).each([
    ['TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
    ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
    ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'],
  ] as const)('is decrypted as by tshark: %s, %s', async (version, suite) => {
    const broker = await startBroker({ program: 'mosquitto' });
    const { cert, key } = makeCertificate();
    const keys = join(folder, `${suite}.keys`);
    const capture = join(folder, `${suite}.pcapng`);
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(keys, '');
    const server = createServer({ cert, key, ciphers: suite, minVersion: version, maxVersion: version }, (socket) => {
      const behind = connect(broker.port, '127.0.0.1');
      socket.pipe(behind).pipe(socket);
      socket.on('error', () => behind.destroy());
      behind.on('error', () => socket.destroy());
    });
    server.on('keylog', (line) => appendFileSync(keys, line));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const program = start(peerPath('dumpcap'), ['-q', '-i', 'lo', '-f', `tcp port ${port}`, '-w', capture]);
    await program.waitForOutput('File:', 'stderr');
    const common = ['-h', 'localhost', '-p', String(port), '--cafile', join(folder, 'cert.pem')];
    const sub = startClient('real', 'sub', [...common, '-t', 'a/#', '-q', '1', '-C', '3', '-d', '-V', '5']);
    await sub.waitForOutput('Subscribed');
    for (const text of ['one', 'x'.repeat(50_000), 'three']) {
      const { status } = await runClient('real', 'pub', [...common, '-t', 'a/b', '-q', '1', '-m', text]);
      expect(status).toBe(0);
    }
    await sub.finished;
    // What dumpcap has not written yet it would lose.
    const args = ['-o', `tls.keylog_file:${keys}`, '-d', `tcp.port==${port},tls`, '-Y', 'mqtt'];
    const wanted = [
      '-T',
      'fields',
      ...['frame.number', 'mqtt.msgtype', 'mqtt.topic', 'mqtt.msgid', 'mqtt.msg', '_ws.col.Info'].flatMap((field) => [
        '-e',
        field,
      ]),
    ];
    const judge = (...more: string[]) => tshark(capture, [...args, '-d', `tls.port==${port},mqtt`, ...more]);
    await until(
      () => (judge(...wanted).match(/Disconnect Req/g) ?? []).length === 4,
      'all packets',
      undefined,
      () => judge(),
    );
    await program.stop('SIGINT');
    server.close();
    await broker.stop();
    expect((await dissect(capture, ...args, ...wanted)).stdout).toBe(judge(...wanted));
  });
});
