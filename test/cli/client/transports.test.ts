/** The ways to a server: TCP, Unix sockets, WebSocket, TLS with certificates or a shared key, a SOCKS5 proxy. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BrokerProcess, freePort, startBroker } from '../../support/broker-process.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { runBoth, runClient, startClient } from './compare.ts';

function makeCertificates(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  // A key of RSA takes long to make; one cipher that is asked for needs it.
  const newKey = (name: string) =>
    name === 'server'
      ? ['-newkey', 'rsa:2048', '-nodes']
      : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-keyout', 'ca.key', '-out', 'ca.crt', '-days', '30', '-subj', '/CN=Test CA'];
  openssl('req', '-x509', ...newKey('ca'), ...authority);
  for (const [name, alternative] of [
    ['server', 'DNS:localhost,IP:127.0.0.1'],
    ['other', 'DNS:other.example'],
    ['client', 'DNS:client'],
  ] as const) {
    openssl('req', ...newKey(name), '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    writeFileSync(join(directory, `${name}.ext`), `subjectAltName=${alternative}\n`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-extfile', `${name}.ext`];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed);
  }
  execFileSync('mkdir', ['authorities'], { cwd: directory });
  execFileSync('cp', ['ca.crt', 'authorities/'], { cwd: directory });
  openssl('rehash', 'authorities');
  writeFileSync(join(directory, 'psk'), 'someone:00ff00ff\n');
  return directory;
}

describeWithPeer(['mosquitto', 'mosquitto_pub'], 'ways to a server', () => {
  let directory: string;
  let broker: BrokerProcess;
  const ports: Record<string, number> = {};

  beforeAll(async () => {
    directory = makeCertificates();
    for (const name of ['plain', 'ws', 'tls', 'other', 'mutual', 'psk', 'tls13', 'wss']) ports[name] = await freePort();
    const certificate = (name: string) => [`certfile ${directory}/${name}.crt`, `keyfile ${directory}/${name}.key`];
    const listeners: Record<string, string[]> = {
      plain: [],
      ws: ['protocol websockets'],
      tls: certificate('server'),
      other: certificate('other'),
      mutual: [...certificate('server'), `cafile ${directory}/ca.crt`, 'require_certificate true'],
      psk: ['psk_hint x', `psk_file ${directory}/psk`],
      tls13: [...certificate('server'), 'tls_version tlsv1.3'],
      wss: [...certificate('server'), 'protocol websockets'],
    };
    const config = Object.entries(listeners).flatMap(([name, lines]) => [
      `listener ${ports[name]} 127.0.0.1`,
      ...lines,
    ]);
    broker = await startBroker({
      program: 'mosquitto',
      config: ['allow_anonymous true', ...config].join('\n'),
      verbose: true,
    });
  });
  afterAll(async () => {
    await broker?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const fill = (line: string) =>
    line
      .split(' ')
      .map((word) => word.replace(/^\{(\w+)\}$/, (_, name) => String(ports[name])).replaceAll('~', directory));

  it.each([
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt',
    'pub -d -t a -m x -p {tls} --capath ~/authorities -q 2 -V 5',
    'pub -d -t a -m x -h 127.0.0.1 -p {tls} --cafile ~/ca.crt',
    'pub -d -t a -m x -p {other} --cafile ~/ca.crt --insecure',
    'pub -d -t a -m x -p {mutual} --cafile ~/ca.crt --cert ~/client.crt --key ~/client.key',
    'pub -d -t a -m x -p {mutual} --cafile ~/ca.crt --cert ~/client.crt --key ~/client.key --keyform pem',
    'pub -d -t a -m x -p {mutual} --cafile ~/ca.crt --cert ~/client.crt --key ~/client.key --keyform x',
    'pub -d -t a -m x -p {psk} --psk 00ff00ff --psk-identity someone',
    'pub -d -t a -m x -p {tls13} --cafile ~/ca.crt',
    'pub -d -t a -m x -p {tls13} --cafile ~/ca.crt --tls-version tlsv1.2',
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt --tls-version tlsv1.3',
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt --tls-version tlsv1.1',
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt --tls-version tlsv9',
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt --ciphers ECDHE-RSA-AES128-GCM-SHA256',
    'pub -d -t a -m x -p {tls13} --cafile ~/ca.crt --ciphers ECDHE-RSA-AES128-GCM-SHA256',
    'pub -d -t a -m x -p {tls} --cafile ~/ca.crt --tls-alpn mqtt',
    'pub -d -t a -m x -p {tls}',
  ])('are the same: %s', async (line) => {
    const [, ...args] = fill(line);
    const { real, ours } = await runBoth('pub', args);
    expect(ours).toEqual(real);
  });

  it.each([
    ['-p {tls} --cafile ~/client.crt', 8, /^Error: A TLS error occurred: .*certificate/],
    ['-p {tls} --tls-use-os-certs', 8, /^Error: A TLS error occurred: .*certificate/],
    ['-p {other} --cafile ~/ca.crt', 8, /^Error: A TLS error occurred: .*other\.example/],
    ['-p {tls} --cafile ~/ca.key', 1, /^Error: Unable to load CA certificates, check cafile ".*ca\.key"\.\n/],
    ['-p {tls} --cafile /none', 1, /^Error: Problem setting TLS options: File not found\.\nUnable to read "\/none"/],
    ['-p {tls} --capath /none', 1, /^Error: Problem setting TLS options: File not found\.\nUnable to read "\/none"/],
    ['-p {tls} --cafile ~/ca.crt --cert ~/client.crt --key /none', 1, /^Error: Problem setting TLS options/],
    [
      '-p {mutual} --cafile ~/ca.crt --cert ~/client.crt --key ~/other.key',
      1,
      /^Unable to connect \(A TLS error.*\n.*mismatch/,
    ],
    ['-p {tls} --cafile ~/ca.crt --ciphers none', 1, /^Unable to connect \(A TLS error.*\n.*no cipher match/],
    ['-p {psk} --psk 00ff00fe --psk-identity someone', 8, /^Error: A TLS error occurred: /],
    ['-p {psk} --psk xx --psk-identity someone', 1, /^Error: Problem setting TLS-PSK options\.\n/],
    [
      '-p {tls} --cafile ~/ca.crt --tls-engine foo',
      1,
      /^Error: Problem setting TLS engine, is foo a valid engine\?\n.*not supported/,
    ],
    ['-p {mutual} --cafile ~/ca.crt --cert ~/client.crt --key ~/client.key --keyform engine', 1, /not supported/],
  ])('fail with the reason: %s', async (line, status, text) => {
    const result = await runClient('ours', 'pub', ['-t', 'a', '-m', 'x', ...fill(line)]);
    expect(result.stderr).toMatch(text);
    expect([result.status, result.stdout]).toEqual([status, '']);
  });

  it('leave TLS out with --no-tls', async () => {
    const args = ['-t', 'a', '-m', 'x', '-p', String(ports.plain), '--cafile', '/none', '--no-tls'];
    expect((await runClient('ours', 'pub', args)).status).toBe(0);
  });

  it.each([
    // Debian's broker does not bring larger messages to a WebSocket, whoever is at its other end.
    // 3.1 has a subprotocol of its own; else the version makes no difference to the way.
    ['-p {ws} --ws', [1, 70_000], ['31', '311']],
    ['-p {wss} --ws --cafile ~/ca.crt', [1, 70_000], ['5']],
    ['-p {tls} --cafile ~/ca.crt', [1, 70_000, 1_000_000], ['5']],
  ])('carry messages of every size both ways: %s', async (line, sizes, versions) => {
    for (const version of versions) {
      const seen = broker.log().length;
      const args = [...fill(line), '-V', version, '-q', '2'];
      const sub = startClient('ours', 'sub', ['-t', 'big', '-C', String(sizes.length), '-N', ...args]);
      await broker.waitForLog(/Sending SUBACK/, seen);
      for (const size of sizes) {
        const pub = await runClient('ours', 'pub', ['-t', 'big', '-s', ...args], { input: 'y'.repeat(size) });
        expect([pub.status, pub.stderr]).toEqual([0, '']);
      }
      expect((await sub.finished).stdout.length).toBe(sizes.reduce((sum, size) => sum + size, 0));
    }
  });

  it('are told by URLs', async () => {
    for (const [url, more] of [
      [`mqtt://127.0.0.1:${ports.plain}/u/1`, []],
      [`mqtts://localhost:${ports.tls}/u/2`, ['--cafile', `${directory}/ca.crt`]],
      [`ws://user:secret@127.0.0.1:${ports.ws}/u/3`, []],
      [`wss://localhost:${ports.wss}/u/4`, ['--cafile', `${directory}/ca.crt`]],
    ] as const) {
      const seen = broker.log().length;
      const result = await runClient('ours', 'pub', ['-L', url, '-m', 'x', ...more]);
      expect([result.status, result.stderr]).toEqual([0, '']);
      await broker.waitForLog(new RegExp(`'u/${url.at(-1)}'`), seen);
    }
  });

  describe('through a SOCKS5 proxy', () => {
    const proxies: Server[] = [];
    afterAll(() => {
      for (const proxy of proxies) proxy.close();
    });

    /** A SOCKS5 proxy that notes what it is asked for; with `credentials` it wants them. */
    async function startProxy(credentials?: string): Promise<{ port: number; asked: string[] }> {
      const asked: string[] = [];
      const proxy = createServer((socket) => {
        socket.on('error', () => {});
        void negotiate(socket, credentials, asked);
      });
      proxies.push(proxy);
      const port = await freePort();
      await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve));
      return { port, asked };
    }

    async function negotiate(socket: Socket, credentials: string | undefined, asked: string[]): Promise<void> {
      const next = () => new Promise<Buffer>((resolve) => socket.once('data', resolve));
      const greeting = await next();
      const method = credentials === undefined ? 0 : 2;
      const offered = [...greeting.subarray(2)];
      socket.write(Uint8Array.of(5, offered.includes(method) ? method : 0xff));
      if (!offered.includes(method)) {
        socket.end();
        return;
      }
      if (credentials !== undefined) {
        const given = await next();
        const user = given.subarray(2, 2 + given[1]!).toString();
        const password = given.subarray(3 + given[1]!).toString();
        const isRight = `${user}:${password}` === credentials;
        socket.write(Uint8Array.of(1, isRight ? 0 : 1));
        if (!isRight) {
          socket.end();
          return;
        }
      }
      const request = await next();
      const isName = request[3] === 3;
      const host = isName ? request.subarray(5, 5 + request[4]!).toString() : request.subarray(4, 8).join('.');
      const port = request.readUInt16BE(request.length - 2);
      asked.push(`${host}:${port}`);
      const target = connect(port, '127.0.0.1');
      target.on('error', () => socket.end(Uint8Array.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0)));
      target.on('connect', () => {
        socket.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0));
        socket.pipe(target);
        target.pipe(socket);
        socket.on('close', () => target.destroy());
      });
    }

    it('without credentials, the proxy looking up the name', async () => {
      const proxy = await startProxy();
      for (const [name, args] of [
        ['pub', ['-t', 'a', '-m', 'x', '-q', '1', '-d']],
        ['sub', ['-t', 'a', '-E', '-d']],
      ] as const) {
        const more = [
          '-h',
          'broker.internal',
          '-p',
          String(ports.plain),
          '--proxy',
          `socks5h://127.0.0.1:${proxy.port}`,
        ];
        const { real, ours } = await runBoth(name, [...args, ...more]);
        expect(ours).toEqual(real);
        expect(ours.status).toBe(0);
      }
      expect(new Set(proxy.asked)).toEqual(new Set([`broker.internal:${ports.plain}`]));
    });

    it('with user name and password, decoded', async () => {
      const proxy = await startProxy('us:er@%:pass:@');
      const args = ['-t', 'a', '-m', 'x', '-p', String(ports.plain), '--proxy'];
      const right = await runClient('ours', 'pub', [
        ...args,
        `socks5h://us%3aer%40%25:pass%3A%40@127.0.0.1:${proxy.port}`,
      ]);
      expect([right.status, right.stderr]).toEqual([0, '']);
      for (const credentials of ['', 'user@', 'user:wrong@']) {
        const wrong = await runClient('ours', 'pub', [...args, `socks5h://${credentials}127.0.0.1:${proxy.port}`]);
        expect([wrong.status, wrong.stdout]).toEqual([1, '']);
        expect(wrong.stderr).toMatch(/^Error: .*proxy/);
      }
    });

    it('with TLS and WebSocket inside', async () => {
      const proxy = await startProxy();
      const args = ['-t', 'a', '-m', 'x', '-q', '1', '-h', 'localhost', '--proxy', `socks5h://127.0.0.1:${proxy.port}`];
      for (const line of ['-p {tls} --cafile ~/ca.crt', '-p {ws} --ws', '-p {wss} --ws --cafile ~/ca.crt']) {
        const { status, stderr } = await runClient('ours', 'pub', [...args, ...fill(line)]);
        expect([line, status, stderr]).toEqual([line, 0, '']);
      }
      expect(proxy.asked).toEqual([ports.tls, ports.ws, ports.wss].map((port) => `localhost:${port}`));
    });
  });
});
