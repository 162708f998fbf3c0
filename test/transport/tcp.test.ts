import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { SocketTransport } from '../../src/transport/node/socket.ts';
import { proxyAddress } from '../../src/transport/node/socks.ts';
import { connectTcp, type ListenTcpOptions, listenTcp } from '../../src/transport/node/tcp.ts';
import type { PeerAddress } from '../../src/transport/transport.ts';
import { makeCertificate } from './certificate.ts';
import { Recorder, turns } from './contract.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A listener whose connections are recorded and closed after the test. */
async function listen(options: ListenTcpOptions = {}) {
  const accepted: { transport: SocketTransport; recorder: Recorder }[] = [];
  const errors: [Error, PeerAddress | undefined][] = [];
  const listener = await listenTcp(
    { host: '127.0.0.1', port: 0, onError: (error, peer) => errors.push([error, peer]), ...options },
    (transport) => {
      const recorder = new Recorder();
      accepted.push({ transport, recorder });
      transport.start(recorder);
    },
  );
  closers.push(async () => {
    for (const { transport } of accepted) transport.destroy();
    await listener.close();
  });
  return { listener, accepted, errors, port: listener.address.port };
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}

describe('listenTcp', () => {
  it('says what it listens on, and frees it when it closes while connections live on', async () => {
    const { listener, accepted, port } = await listen();
    expect(listener.address).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) });
    const near = await connectTcp({ host: '127.0.0.1', port });
    const recorder = new Recorder();
    near.start(recorder);
    await waitFor(() => accepted.length === 1);
    await listener.close();
    await listener.close();
    const again = await listen({ port });
    expect(again.port).toBe(port);
    near.write(Uint8Array.of(1, 2, 3));
    await accepted[0]!.recorder.until(() => accepted[0]!.recorder.length === 3);
    near.destroy();
  });

  it("rejects with the system's error if the port is taken or the address is not ours", async () => {
    const { port } = await listen();
    await expect(listenTcp({ host: '127.0.0.1', port }, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(listenTcp({ host: '192.0.2.1', port: 0 }, () => {})).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
  });

  it('shows an IPv4 peer as such, also on an IPv6 socket', async () => {
    const { accepted, port } = await listen({ host: '::' });
    for (const [host, family] of [
      ['127.0.0.1', 'IPv4'],
      ['::1', 'IPv6'],
    ] as const) {
      const near = await connectTcp({ host, port });
      expect(near.peer).toEqual({ address: host, port, family });
      await waitFor(() => accepted.some(({ transport }) => transport.peer.family === family));
      const { peer } = accepted.find(({ transport }) => transport.peer.family === family)!.transport;
      expect(peer).toEqual({ address: host, family, port: expect.any(Number) });
      near.destroy();
    }
  });

  it('with ipv6Only leaves the IPv4 port of the same number to others', async () => {
    const { port } = await listen({ host: '::', ipv6Only: true });
    await expect(connectTcp({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await listen({ host: '0.0.0.0', port });
  });

  it('tells a reset as an error, an orderly end as none', async () => {
    const { accepted, port } = await listen();
    for (const isReset of [false, true]) {
      const socket = connectSocket(port, '127.0.0.1');
      await waitFor(() => accepted.length === (isReset ? 2 : 1));
      const { recorder } = accepted.at(-1)!;
      if (isReset) socket.resetAndDestroy();
      else socket.end();
      await recorder.until(() => recorder.closes.length > 0);
      if (isReset) expect(recorder.closes[0]).toMatchObject({ code: 'ECONNRESET' });
      else expect(recorder.closes[0]).toBeUndefined();
      socket.destroy();
    }
  });

  it('sends everything before it cuts off a peer that does not close', async () => {
    const { accepted, port } = await listen({ lingerMs: 2_000 });
    const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
    closers.push(() => socket.destroy());
    await waitFor(() => accepted.length === 1);
    const { transport, recorder } = accepted[0]!;
    const size = 20_000_000;
    transport.write(new Uint8Array(size));
    transport.end();
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes).toEqual([undefined]);
    await waitFor(() => received === size);
  });

  it('cuts off a peer that does not read what was sent before the end', async () => {
    const { accepted, port } = await listen({ lingerMs: 100 });
    const socket = connectSocket({ port, host: '127.0.0.1' });
    closers.push(() => socket.destroy());
    socket.pause();
    await waitFor(() => accepted.length === 1);
    const { transport, recorder } = accepted[0]!;
    let isReleased = false;
    transport.write(new Uint8Array(50_000_000), () => {
      isReleased = true;
    });
    transport.end();
    await recorder.until(() => recorder.closes.length > 0);
    await waitFor(() => isReleased);
  });

  it('cuts off a peer that goes on sending after the end', async () => {
    const { accepted, port } = await listen({ lingerMs: 100 });
    const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    const sending = setInterval(() => socket.write('more'), 10);
    closers.push(() => {
      clearInterval(sending);
      socket.destroy();
    });
    await waitFor(() => accepted.length === 1);
    const { transport, recorder } = accepted[0]!;
    transport.write(new Uint8Array(10));
    transport.end();
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes).toEqual([undefined]);
  });
});

describe('Unix sockets', () => {
  it('replace a file that a dead process left, but not one that is in use, nor other files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'clearwing-unix-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const unixPath = join(folder, 'stale');
    const script = `require('net').createServer().listen(${JSON.stringify(unixPath)}, () => process.kill(process.pid, 9))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(unixPath).isSocket()).toBe(true);
    const first = await listen({ unixPath });
    expect(first.listener.address).toEqual({ address: unixPath, port: 0, family: 'unix' });
    await expect(listenTcp({ unixPath }, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const near = await connectTcp({ unixPath });
    expect(near.peer).toEqual({ address: unixPath, port: 0, family: 'unix' });
    await waitFor(() => first.accepted.length > 0);
    near.destroy();
    const ordinary = join(folder, 'ordinary');
    writeFileSync(ordinary, 'precious');
    await expect(listenTcp({ unixPath: ordinary }, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(readFileSync(ordinary, 'utf8')).toBe('precious');
    await first.listener.close();
    expect(existsSync(unixPath)).toBe(false);
  });
});

describe('TLS', () => {
  const certificate = makeCertificate();
  const other = makeCertificate('elsewhere.example', '');

  it('refuses certificates that nobody signed, or for another name, unless told not to care', async () => {
    const { port, errors } = await listen({ tls: certificate });
    const to = { host: 'localhost', port };
    await expect(connectTcp({ ...to, tls: {} })).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    (await connectTcp({ ...to, tls: { rejectUnauthorized: false } })).destroy();
    (await connectTcp({ host: '127.0.0.1', port, tls: { ca: [certificate.cert] } })).destroy();
    const { port: otherPort } = await listen({ tls: other });
    const tls = { ca: other.cert };
    await expect(connectTcp({ host: 'localhost', port: otherPort, tls })).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    (
      await connectTcp({ host: 'localhost', port: otherPort, tls: { ...tls, servername: 'elsewhere.example' } })
    ).destroy();
    (await connectTcp({ host: 'localhost', port: otherPort, tls: { ...tls, checkServerIdentity: false } })).destroy();
    await waitFor(() => errors.length > 0);
    expect(errors[0]![1]).toMatchObject({ address: '127.0.0.1' });
  });

  it('can require client certificates', async () => {
    const { accepted, port } = await listen({
      tls: { ...certificate, ca: other.cert, requireClientCertificate: true, maxVersion: 'TLSv1.2' },
    });
    const tls = { ca: certificate.cert };
    await expect(connectTcp({ host: 'localhost', port, tls })).rejects.toThrow();
    expect(accepted).toHaveLength(0);
    const near = await connectTcp({ host: 'localhost', port, tls: { ...tls, ...other } });
    await waitFor(() => accepted.length === 1);
    const { socket } = accepted[0]!.transport;
    expect(socket).toMatchObject({ authorized: true });
    near.destroy();
  });

  it('works with pre-shared keys instead of certificates', async () => {
    const key = Uint8Array.of(1, 2, 3, 4);
    const { accepted, port } = await listen({ tls: { pskKey: (identity) => (identity === 'ada' ? key : undefined) } });
    const near = await connectTcp({ host: '127.0.0.1', port, tls: { psk: { identity: 'ada', key } } });
    near.start(new Recorder());
    near.write(Uint8Array.of(7));
    await waitFor(() => accepted[0]?.recorder.length === 1);
    near.destroy();
    for (const psk of [
      { identity: 'eve', key },
      { identity: 'ada', key: Uint8Array.of(9) },
    ]) {
      await expect(connectTcp({ host: '127.0.0.1', port, tls: { psk } })).rejects.toThrow();
    }
    expect(accepted).toHaveLength(1);
  });

  it('gives up on a peer that does not begin its handshake, and reports it', async () => {
    const { accepted, errors, port } = await listen({ tls: { ...certificate, handshakeTimeoutMs: 50 } });
    const socket = connectSocket(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    await waitFor(() => errors.length > 0);
    expect(errors[0]![0]).toMatchObject({ code: 'ERR_TLS_HANDSHAKE_TIMEOUT' });
    expect(accepted).toHaveLength(0);
  });
});

describe('connectTcp', () => {
  it('stops at its signal, in every stage', async () => {
    await expect(connectTcp({ port: 1, signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const silent = await silentServer();
    for (const options of [{ tls: {} }, { proxy: `socks5h://127.0.0.1:${silent.port}` }]) {
      const controller = new AbortController();
      const count = silent.sockets.length;
      const attempt = connectTcp({ host: '127.0.0.1', port: silent.port, ...options, signal: controller.signal });
      await waitFor(() => silent.sockets.length > count);
      controller.abort(new Error('stop'));
      await expect(attempt).rejects.toThrow();
      const socket = silent.sockets.at(-1)!;
      await waitFor(() => socket.destroyed);
    }
  });

  it('connects from the local address it is given', async () => {
    const { accepted, port } = await listen();
    const near = await connectTcp({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
    await waitFor(() => accepted.length === 1);
    expect(accepted[0]!.transport.peer.address).toBe('127.0.0.2');
    near.destroy();
  });
});

/** Accepts and says nothing. */
async function silentServer(): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

describe('SOCKS5', () => {
  interface Proxy {
    readonly port: number;
    /** What was asked for, as hexadecimal: the greeting, the credentials, the request. */
    readonly asked: string[];
  }

  /** A small proxy of its own: it checks what it gets byte by byte and connects to 127.0.0.1, whatever the name. */
  async function proxy(
    options: { method?: number; status?: number; reply?: number; bound?: number[] } = {},
  ): Promise<Proxy> {
    const asked: string[] = [];
    const server: Server = createServer((socket) => {
      const { method = 0, status = 0, reply = 0, bound = [1, 0, 0, 0, 0, 0, 0] } = options;
      let step = 0;
      closers.push(() => socket.destroy());
      socket.on('error', () => {});
      socket.on('data', function handle(data: Buffer) {
        asked.push(data.toString('hex'));
        step++;
        if (step === 1) {
          // One byte at a time, to try the reader.
          socket.write(Uint8Array.of(5));
          setImmediate(() => socket.write(Uint8Array.of(method)));
        } else if (step === 2 && method === 2) {
          socket.write(Uint8Array.of(1, status));
        } else {
          const port = data.readUInt16BE(data.length - 2);
          const answer = Uint8Array.of(5, reply, 0, ...bound);
          if (reply !== 0) {
            socket.write(answer);
            return;
          }
          socket.off('data', handle);
          const target = connectSocket(port, '127.0.0.1', () => {
            closers.push(() => target.destroy());
            // The answer and the first bytes of the target in one piece: the rest belongs to the stream.
            socket.write(Buffer.concat([answer, Buffer.from('hello')]));
            socket.pipe(target).pipe(socket);
          });
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    return { port: (server.address() as AddressInfo).port, asked };
  }

  it('lets the proxy look the name up, and loses no byte after its answer', async () => {
    const { accepted, port } = await listen();
    const relay = await proxy();
    const near = await connectTcp({ host: 'broker.example', port, proxy: `socks5h://127.0.0.1:${relay.port}` });
    const recorder = new Recorder();
    near.start(recorder);
    await recorder.until(() => recorder.length === 5);
    expect(Buffer.from(recorder.bytes).toString()).toBe('hello');
    near.write(Uint8Array.of(1, 2, 3));
    await waitFor(() => accepted[0]?.recorder.length === 3);
    const hexPort = port.toString(16).padStart(4, '0');
    expect(relay.asked).toEqual([
      '050100',
      `05010003${'0e'}${Buffer.from('broker.example').toString('hex')}${hexPort}`,
    ]);
    near.destroy();
  });

  it('gives addresses as such', async () => {
    const { port } = await listen();
    const hexPort = port.toString(16).padStart(4, '0');
    for (const [host, request, bound] of [
      ['10.1.2.3', `050100010a010203${hexPort}`, [4, ...new Array<number>(18).fill(0)]],
      ['2001:db8::7', `0501000420010db8000000000000000000000007${hexPort}`, [3, 2, 1, 1, 0, 0]],
    ] as const) {
      const relay = await proxy({ bound: [...bound] });
      const near = await connectTcp({ host, port, proxy: `socks5h://127.0.0.1:${relay.port}` });
      expect(relay.asked[1]).toBe(request);
      near.destroy();
    }
  });

  it('authenticates with user name and password', async () => {
    const { port } = await listen();
    const relay = await proxy({ method: 2 });
    const near = await connectTcp({ host: 'x', port, proxy: `socks5h://ada:p%40ss@127.0.0.1:${relay.port}` });
    expect(relay.asked.slice(0, 2)).toEqual(['05020002', `0103${'616461'}04${'70407373'}`]);
    near.destroy();
    const refusing = await proxy({ method: 2, status: 1 });
    await expect(connectTcp({ host: 'x', port, proxy: `socks5h://ada:x@127.0.0.1:${refusing.port}` })).rejects.toThrow(
      'the proxy refused the user name or password',
    );
  });

  it('says why the proxy did not connect', async () => {
    const failures: [Parameters<typeof proxy>[0], string, string | undefined][] = [
      [{ reply: 5 }, 'the proxy could not connect to x:1883: connection refused', 'ECONNREFUSED'],
      [{ reply: 2 }, 'connection not allowed by the rules of the proxy', undefined],
      [{ reply: 99 }, 'unknown reply 99', undefined],
      [{ method: 0xff }, 'the proxy accepts none of the authentication methods offered', undefined],
      [{ method: 2 }, 'the proxy chose authentication method 2, which was not offered', undefined],
    ];
    for (const [options, message, code] of failures) {
      const relay = await proxy(options);
      const attempt = connectTcp({ host: 'x', port: 1883, proxy: `socks5h://127.0.0.1:${relay.port}` });
      await expect(attempt).rejects.toMatchObject({ message: expect.stringContaining(message), ...(code && { code }) });
    }
    await expect(connectTcp({ host: 'x', port: 1, proxy: 'socks5h://127.0.0.1:1' })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('speaks TLS with the server behind the proxy', async () => {
    const certificate = makeCertificate('broker.example', '');
    const { accepted, port } = await listen({ tls: certificate });
    const server = createServer((socket) => {
      closers.push(() => socket.destroy());
      let step = 0;
      socket.on('data', function handle() {
        if (++step === 1) {
          socket.write(Uint8Array.of(5, 0));
          return;
        }
        socket.off('data', handle);
        socket.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
        const target = connectSocket(port, '127.0.0.1');
        closers.push(() => target.destroy());
        socket.pipe(target).pipe(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const proxyPort = (server.address() as AddressInfo).port;
    const near = await connectTcp({
      host: 'broker.example',
      port,
      proxy: `socks5h://127.0.0.1:${proxyPort}`,
      tls: { ca: certificate.cert },
    });
    near.start(new Recorder());
    near.write(Uint8Array.of(1));
    await waitFor(() => accepted[0]?.recorder.length === 1);
    near.destroy();
  });

  it('reads proxy URLs, and says what is wrong with others', () => {
    expect(proxyAddress('socks5h://proxy')).toEqual({ host: 'proxy', port: 1080, username: undefined, password: '' });
    expect(proxyAddress('socks5h://a%20b:c@[::1]:9')).toEqual({ host: '::1', port: 9, username: 'a b', password: 'c' });
    expect(() => proxyAddress('proxy:1080')).toThrow('proxy scheme proxy; expected socks5h');
    expect(() => proxyAddress('nonsense')).toThrow('proxy "nonsense" is no URL');
    expect(() => proxyAddress(`socks5h://${'x'.repeat(256)}@h`)).toThrow('at most 255 bytes');
  });
});
