import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectWebSocket, type ListenWebSocketOptions, listenWebSocket } from '../../src/transport/node/websocket.ts';
import type { WebSocketTransport } from '../../src/transport/node/websocket-transport.ts';
import { connectWebSocket as connectWeb, type WebSocketLike } from '../../src/transport/web.ts';
import { Recorder, turns } from './contract.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function listen(options: ListenWebSocketOptions = {}) {
  const accepted: { transport: WebSocketTransport; recorder: Recorder }[] = [];
  const errors: Error[] = [];
  const listener = await listenWebSocket(
    { host: '127.0.0.1', port: 0, onError: (error) => errors.push(error), ...options },
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
  return { listener, accepted, errors, port: listener.address.port, url: `ws://127.0.0.1:${listener.address.port}` };
}

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}

/** A WebSocket of `ws` itself, opened; how it closes is noted. */
async function openRaw(url: string, protocols = ['mqtt'], headers: Record<string, string> = {}) {
  const webSocket = new WebSocket(url, protocols, { headers });
  const closed = new Promise<[number, string]>((resolve) =>
    webSocket.on('close', (code, reason) => resolve([code, reason.toString()])),
  );
  closers.push(() => webSocket.terminate());
  await new Promise<void>((resolve, reject) => webSocket.once('open', resolve).once('error', reject));
  return { webSocket, closed };
}

async function accept<T>(accepted: T[]): Promise<T> {
  await waitFor(() => accepted.length === 1);
  return accepted[0]!;
}

/** Asks for the upgrade and leaves all that follows to the test. */
function upgradeByHand(port: number): Socket {
  const socket = connectSocket(port, '127.0.0.1');
  closers.push(() => socket.destroy());
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n',
  );
  return socket;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A plain HTTP request with the path as it is, without the clean-up that a URL would do. */
function get(port: number, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode, headers: response.headers, body });
      });
    });
    sent.on('error', reject).end();
  });
}

describe('a WebSocket listener', () => {
  it('[MQTT-6.0.0-2] takes packets that straddle frames, frames of one byte and many packets in one frame', async () => {
    const { accepted, url } = await listen();
    const { webSocket } = await openRaw(url);
    const { recorder } = await accept(accepted);
    for (let byte = 0; byte < 200; byte++) webSocket.send(Uint8Array.of(byte));
    webSocket.send(new Uint8Array(0));
    webSocket.send(Uint8Array.from({ length: 5_000 }, (_, index) => index));
    webSocket.send(Uint8Array.of(1, 2), { fin: false });
    webSocket.send(Uint8Array.of(3), { fin: true });
    await recorder.until(() => recorder.length === 5_203);
    expect([...recorder.bytes.subarray(0, 200)]).toEqual(Array.from({ length: 200 }, (_, byte) => byte));
    expect([...recorder.bytes.subarray(5_200)]).toEqual([1, 2, 3]);
  });

  it('[MQTT-6.0.0-4] chooses the subprotocol, mqtt first', async () => {
    const { url } = await listen();
    for (const [offered, chosen] of [
      [['mqtt'], 'mqtt'],
      [['mqttv3.1'], 'mqttv3.1'],
      [['chat', 'mqttv3.1', 'mqtt'], 'mqtt'],
    ] as const) {
      const { webSocket } = await openRaw(url, [...offered]);
      expect(webSocket.protocol).toBe(chosen);
    }
  });

  it('[MQTT-6.0.0-3] refuses who offers no subprotocol of MQTT, another path or another origin', async () => {
    const { accepted, url } = await listen({ path: '/mqtt', origins: ['https://good.example'] });
    const origin = (name: string) => ({ Origin: name });
    await expect(openRaw(`${url}/mqtt`, [])).rejects.toThrow('400');
    await expect(openRaw(`${url}/mqtt`, ['chat'])).rejects.toThrow('400');
    await expect(openRaw(`${url}/other`)).rejects.toThrow('404');
    await expect(openRaw(`${url}/mqtt`, ['mqtt'], origin('https://evil.example'))).rejects.toThrow('403');
    expect(accepted).toHaveLength(0);
    await openRaw(`${url}/mqtt?token=1`, ['mqtt'], origin('https://good.example'));
    await openRaw(`${url}/mqtt`);
    await waitFor(() => accepted.length === 2);
  });

  it('[MQTT-6.0.0-1] closes with 1003 when a text frame comes', async () => {
    const { accepted, url } = await listen();
    const { webSocket, closed } = await openRaw(url);
    const { recorder } = await accept(accepted);
    webSocket.send(Uint8Array.of(1));
    webSocket.send('text');
    webSocket.send(Uint8Array.of(2));
    expect(await closed).toEqual([1003, 'MQTT takes binary frames only']);
    await recorder.until(() => recorder.closes.length > 0);
    expect([...recorder.bytes]).toEqual([1]);
    expect(recorder.closes[0]?.message).toBe('a text frame came; MQTT takes binary frames only');
  });

  it('closes with 1009 when a message is larger than maxPayload, before it is gathered', async () => {
    const { accepted, url } = await listen({ maxPayload: 1_000 });
    const { webSocket, closed } = await openRaw(url);
    const { recorder } = await accept(accepted);
    webSocket.send(new Uint8Array(1_000));
    webSocket.send(new Uint8Array(1_001));
    expect((await closed)[0]).toBe(1009);
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.length).toBe(1_000);
    expect(recorder.closes[0]).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' });
  });

  it('does not speak permessage-deflate', async () => {
    const { url } = await listen();
    const { webSocket } = await openRaw(url);
    expect(webSocket.extensions).toBe('');
  });

  it('tells an orderly end as none, and other closing codes as errors', async () => {
    for (const [code, message] of [
      [1000, undefined],
      [1001, undefined],
      [1011, 'the WebSocket was closed with status 1011: oops'],
    ] as const) {
      const { accepted, url } = await listen();
      const { webSocket } = await openRaw(url);
      const { recorder } = await accept(accepted);
      webSocket.close(code, 'oops');
      await recorder.until(() => recorder.closes.length > 0);
      expect(recorder.closes[0]?.message).toBe(message);
    }
  });

  it('tells broken frames as an error', async () => {
    const { accepted, port } = await listen({ lingerMs: 100 });
    const socket = upgradeByHand(port);
    const { recorder } = await accept(accepted);
    // An empty binary frame with reserved bits.
    socket.write(Uint8Array.of(0xf2, 0x80, 0, 0, 0, 0));
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes[0]).toMatchObject({ code: 'WS_ERR_UNEXPECTED_RSV_2_3' });
  });

  it('cuts off a peer that does not answer the closing handshake', async () => {
    const { accepted, port } = await listen({ lingerMs: 100 });
    upgradeByHand(port);
    const { recorder, transport } = await accept(accepted);
    transport.end();
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes).toEqual([undefined]);
  });

  it('answers requests that are no HTTP, and reports them', async () => {
    const { errors, port } = await listen();
    const socket = connectSocket(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 15, 0, 0));
    await closed;
    expect(text).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    await waitFor(() => errors.length === 1);
  });

  it('limits the time and the size of a request', async () => {
    const { errors, port } = await listen({ requestTimeoutMs: 100, maxHeaderSize: 1_000 });
    const slow = connectSocket(port, '127.0.0.1');
    closers.push(() => slow.destroy());
    slow.write('GET / HTTP/1.1\r\nHost: x\r\n');
    slow.resume();
    await new Promise((resolve) => slow.on('close', resolve));
    await expect(openRaw(`ws://127.0.0.1:${port}`, ['mqtt'], { 'X-Large': 'x'.repeat(2_000) })).rejects.toThrow();
    expect(errors.length).toBeGreaterThan(0);
  });

  it('rejects with the error of the system if the port is taken', async () => {
    const { port } = await listen();
    await expect(listenWebSocket({ host: '127.0.0.1', port }, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('plain HTTP', () => {
  it('is refused without a directory: 426 where the WebSocket is, 404 elsewhere', async () => {
    const anywhere = await listen({ headers: { 'X-Frame-Options': 'DENY' } });
    const answer = await get(anywhere.port, '/index.html');
    expect(answer.status).toBe(426);
    expect(answer.headers).toMatchObject({ upgrade: 'websocket', 'x-frame-options': 'DENY' });
    const somewhere = await listen({ path: '/mqtt' });
    expect((await get(somewhere.port, '/mqtt')).status).toBe(426);
    expect((await get(somewhere.port, '/')).status).toBe(404);
  });

  it('can be taken by the program first', async () => {
    const { port } = await listen({
      onRequest: (request, response) => {
        if (request.url !== '/healthz') return false;
        response.end('ok');
        return true;
      },
    });
    expect((await get(port, '/healthz')).body).toBe('ok');
    expect((await get(port, '/')).status).toBe(426);
  });

  it('serves the files of a directory with their types, beside the WebSocket', async () => {
    const httpDir = mkdtempSync(join(tmpdir(), 'clearwing-http-'));
    closers.push(() => rmSync(httpDir, { recursive: true }));
    mkdirSync(join(httpDir, 'sub dir'));
    const files: [string, string, string][] = [
      ['index.html', '/', 'text/html; charset=utf-8'],
      ['index.html', '/index.html?version=1', 'text/html; charset=utf-8'],
      ['app.js', '/app.js', 'text/javascript; charset=utf-8'],
      ['style.CSS', '/style.CSS', 'text/css; charset=utf-8'],
      ['data.bin', '/data.bin', 'application/octet-stream'],
      ['empty.txt', '/empty.txt', 'text/plain; charset=utf-8'],
      ['sub dir/index.html', '/sub%20dir/', 'text/html; charset=utf-8'],
      ['sub dir/é.svg', '/sub%20dir/%C3%A9.svg', 'image/svg+xml'],
    ];
    for (const [name] of files) writeFileSync(join(httpDir, name), name === 'empty.txt' ? '' : `content of ${name}`);
    const { accepted, port, url } = await listen({ httpDir });
    for (const [name, path, type] of files) {
      const answer = await get(port, path);
      expect(answer, path).toMatchObject({ status: 200, body: name === 'empty.txt' ? '' : `content of ${name}` });
      expect(answer.headers).toMatchObject({ 'content-type': type, 'x-content-type-options': 'nosniff' });
      const head = await get(port, path, 'HEAD');
      expect(head).toMatchObject({ status: 200, body: '' });
      expect(head.headers['content-length']).toBe(answer.headers['content-length']);
    }
    expect(await get(port, '/sub%20dir')).toMatchObject({ status: 301, headers: { location: '/sub%20dir/' } });
    expect(await get(port, '//sub%20dir')).toMatchObject({ status: 301, headers: { location: '/sub%20dir/' } });
    expect((await get(port, '/', 'POST')).status).toBe(405);
    await openRaw(`${url}/mqtt`);
    await waitFor(() => accepted.length === 1);
  });

  it('never leaves the directory', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'clearwing-http-'));
    closers.push(() => rmSync(parent, { recursive: true }));
    const httpDir = join(parent, 'public');
    mkdirSync(httpDir);
    mkdirSync(join(parent, 'public-not'));
    writeFileSync(join(parent, 'secret.txt'), 'secret');
    writeFileSync(join(parent, 'public-not', 'secret.txt'), 'secret');
    writeFileSync(join(httpDir, '.hidden'), 'secret');
    mkdirSync(join(httpDir, 'folder'));
    symlinkSync(join(parent, 'secret.txt'), join(httpDir, 'link.txt'));
    symlinkSync(parent, join(httpDir, 'up'));
    symlinkSync(join(parent, 'secret.txt'), join(httpDir, 'folder', 'index.html'));
    const { port } = await listen({ httpDir });
    const paths = [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/folder/../../secret.txt',
      '/..\\secret.txt',
      '/..%5csecret.txt',
      '/.hidden',
      '/link.txt',
      '/up/secret.txt',
      '/folder/',
      '/../public-not/secret.txt',
      '/index.html',
      '/%00',
      '/%zz',
      '/missing/',
      '/link.txt/',
    ];
    for (const path of paths) {
      const answer = await get(port, path);
      expect(answer.status, path).toBe(404);
      expect(answer.body, path).toBe('Not found.\n');
    }
    expect((await get(port, 'http://elsewhere/secret.txt')).status).toBe(404);
  });
});

describe('connectWebSocket', () => {
  it('offers the subprotocol and the headers it is given', async () => {
    const { accepted, port } = await listen();
    const near = await connectWebSocket(`ws://127.0.0.1:${port}/mqtt?x=1`, {
      headers: { Authorization: 'Bearer x' },
      subprotocols: ['mqttv3.1'],
    });
    expect(near.peer).toMatchObject({ address: '127.0.0.1', port });
    await accept(accepted);
    near.destroy();
  });

  it("says how the server refused, and gives the system's error where there is no server", async () => {
    const { port } = await listen({ path: '/mqtt' });
    await expect(connectWebSocket(`ws://127.0.0.1:${port}/wrong`)).rejects.toThrow('404');
    await expect(connectWebSocket('ws://127.0.0.1:1/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('stops at its signal while the upgrade is awaited', async () => {
    const sockets: unknown[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      closers.push(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const controller = new AbortController();
    const { port } = server.address() as { port: number };
    const attempt = connectWebSocket(`ws://127.0.0.1:${port}/`, { signal: controller.signal });
    await waitFor(() => sockets.length === 1);
    controller.abort(new Error('stop'));
    await expect(attempt).rejects.toThrow('stop');
  });
});

describe('the WebSocket of a browser', () => {
  const open = (url: string, names: string[]): WebSocketLike => new WebSocket(url, names) as unknown as WebSocketLike;

  it('says that it could not be opened', async () => {
    await expect(connectWeb('ws://127.0.0.1:1/', { open })).rejects.toThrow(
      'the WebSocket to ws://127.0.0.1:1/ could not be opened (status 1006)',
    );
    await expect(
      connectWeb('ws://127.0.0.1:1/', { open, signal: AbortSignal.abort(new Error('stop')) }),
    ).rejects.toThrow('stop');
  });

  it('closes with an error when more comes than it may keep while it is paused', async () => {
    const { accepted, url } = await listen();
    const near = await connectWeb(url, { open, pausedBytesMax: 100_000 });
    const recorder = new Recorder();
    near.pause();
    near.start(recorder);
    const { transport } = await accept(accepted);
    for (let count = 0; count < 3; count++) transport.write(new Uint8Array(50_000));
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes[0]?.message).toBe('more than 100000 bytes came while the reader was busy');
  });

  it('closes when a text frame comes', async () => {
    const { accepted, url } = await listen();
    const near = await connectWeb(url, { open });
    const recorder = new Recorder();
    near.start(recorder);
    const { transport } = await accept(accepted);
    // A text frame of two bytes, as no server of ours would send it.
    transport.socket.write(Uint8Array.of(0x81, 2, 0x68, 0x69));
    await recorder.until(() => recorder.closes.length > 0);
    expect(recorder.closes[0]?.message).toBe('a text frame came; MQTT takes binary frames only');
  });
});
