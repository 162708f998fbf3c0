/** A broker inside a program: listening, publishing, looking at clients, sending them away, new settings. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { openAuthority } from '../../src/broker/auth.ts';
import {
  type Broker,
  type CreateBrokerOptions,
  createBroker,
  OptionError,
  ReasonCode,
} from '../../src/broker/index.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { valuesOf } from '../support/packet-reader.ts';
import { destroyRawClients, openClient, RawClient } from '../support/raw-client.ts';
import { connect, property, publish5, subscribe5 } from '../support/raw-packets.ts';
import { openWebSocket } from '../support/web-socket-client.ts';
import { InMemoryBroker } from './in-memory.ts';

const brokers: Broker[] = [];

/** A broker on real sockets that is closed after the test. */
async function listening(options: CreateBrokerOptions = {}): Promise<Broker> {
  const broker = createBroker({ listeners: [{ port: 0, host: '127.0.0.1' }], ...options });
  brokers.push(broker);
  await broker.listen();
  return broker;
}

afterEach(async () => {
  destroyRawClients();
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

describe('listen', () => {
  it('takes a free port where 0 is asked for, and says which', async () => {
    const broker = await listening();
    expect(broker.port).toBeGreaterThan(0);
    const client = await openClient(broker.port, { version: 4 });
    await client.expectNothing();
  });

  it("with 'local' serves 127.0.0.1 and ::1 on one port", async () => {
    const broker = await listening({ listeners: [{ port: 0, host: 'local' }] });
    const [listener] = broker.listeners;
    const families = listener?.sockets.map(({ address }) => address.family);
    const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
    expect(families).toEqual(hasIpv6 ? ['IPv4', 'IPv6'] : ['IPv4']);
    expect(new Set(listener?.sockets.map(({ address }) => address.port)).size).toBe(1);
  });

  it('opens several listeners, each with settings of its own', async () => {
    const directory = mkdtempSync(joinPath(tmpdir(), 'clearwing-embedding-'));
    const unixPath = joinPath(directory, 'socket');
    try {
      const broker = await listening({
        listeners: [
          { port: 0, host: '127.0.0.1' },
          { unixPath, maxQos: 1 },
          { port: 0, host: '127.0.0.1', protocol: 'websockets' },
        ],
      });
      const overUnix = await openClient(unixPath);
      expect(valuesOf(overUnix.connack, 0x24)).toEqual([1]);
      overUnix.finish();
      await overUnix.expectClosed();
      const overWebSocket = await openWebSocket(broker.listeners[2]?.port ?? 0);
      overWebSocket.send(connect({ version: 4, clientIdentifier: 'w' }));
      await overWebSocket.expectBytes('20 02 00 00');
      overWebSocket.destroy();
      expect(broker.listeners.map(({ port }) => port > 0)).toEqual([true, false, true]);
      await broker.close();
      expect(existsSync(unixPath)).toBe(false);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('speaks WebSocket on a Unix socket, too', async () => {
    const directory = mkdtempSync(joinPath(tmpdir(), 'clearwing-embedding-'));
    try {
      const unixPath = joinPath(directory, 'socket');
      await listening({ listeners: [{ unixPath, protocol: 'websockets' }] });
      const socket = new WebSocket(`ws+unix:${unixPath}:/`, ['mqtt']);
      const answer = new Promise((resolve, reject) => {
        socket.once('message', resolve);
        socket.once('error', reject);
      });
      await new Promise((resolve) => socket.once('open', resolve));
      socket.send(connect({ version: 4, clientIdentifier: 'w' }));
      expect(await answer).toEqual(Buffer.from([0x20, 2, 0, 0]));
      socket.terminate();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('on a network interface listens on its addresses', async () => {
    const [name, addresses] =
      Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => internal)) ?? [];
    const broker = await listening({ listeners: [{ port: 0, bindInterface: name ?? '' }] });
    expect(broker.listeners[0]?.sockets.map(({ address }) => address.address).sort()).toEqual(
      addresses?.map(({ address }) => address).sort(),
    );
    const four = await listening({ listeners: [{ port: 0, bindInterface: name ?? '', socketDomain: 'ipv4' }] });
    expect(four.listeners[0]?.sockets.map(({ address }) => address.family)).toEqual(['IPv4']);
  });

  it('rejects with the system’s error, and then nothing is open', async () => {
    const occupant = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => occupant.once('listening', resolve));
    const { port } = occupant.address() as { port: number };
    const broker = createBroker({
      listeners: [
        { port: 0, host: '127.0.0.1' },
        { port, host: '127.0.0.1' },
      ],
    });
    await expect(broker.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(broker.listeners.flatMap(({ sockets }) => sockets)).toEqual([]);
    occupant.close();
    const absent = createBroker({ listeners: [{ port: 0, bindInterface: 'no-such-interface0' }] });
    await expect(absent.listen()).rejects.toThrow("Network interface 'no-such-interface0' has no IP address");
  });
});

describe('accept', () => {
  it('serves streams of any kind, also without a listener', async () => {
    for (const listeners of [[], [{}]]) {
      const net = new InMemoryBroker({ listeners });
      const client = await net.connect();
      expect(await client.subscribe('t')).toEqual([0]);
      net.broker.publish('t', 'x');
      expect(await client.payloads()).toEqual(['x']);
    }
  });

  it('counts and logs what came in', async () => {
    const net = new InMemoryBroker();
    await net.connect({ clientIdentifier: 'first' });
    expect(net.counters.socketsAccepted).toBe(1);
    expect(net.counters.connectionsAccepted).toBe(1);
    expect(net.lines('notice')).toEqual([
      'New connection from memory-2 on port 1883.',
      'New client connected from memory-2 as first (p5, c1, k0).',
    ]);
  });
});

describe('publish', () => {
  it('sends text and bytes at the lower of both QoS, with properties to MQTT 5 clients', async () => {
    const net = new InMemoryBroker();
    const five = await net.connect();
    const four = await net.connect({ version: 4 });
    await five.subscribe(['t/#', 2]);
    await four.subscribe(['t/#', 1]);
    net.broker.publish('t/text', 'grüße', {
      qos: 2,
      properties: {
        contentType: 'text/plain',
        userProperties: [['a', '1']],
        responseTopic: 'r',
        correlationData: Uint8Array.of(1, 2),
        messageExpiryInterval: 60,
      },
    });
    net.broker.publish('t/bytes', Uint8Array.of(0, 255));
    const [first, second] = await five.take();
    expect([first?.qos, first?.topic, `${first?.payload}`]).toEqual([2, 't/text', 'grüße']);
    expect(new Set(first?.properties.map(([identifier]) => identifier))).toEqual(new Set([2, 3, 8, 9, 0x26]));
    expect(valuesOf(first as NonNullable<typeof first>, 2)).toEqual([60]);
    expect([second?.qos, [...(second?.payload ?? [])]]).toEqual([0, [0, 255]]);
    expect((await four.take()).map(({ qos }) => qos)).toEqual([1, 0]);
  });

  it('keeps retained messages, takes them away again, and waits for absent clients', async () => {
    const net = new InMemoryBroker();
    const fields = { clientIdentifier: 'away', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const away = await net.connect(fields);
    await away.subscribe(['t', 1]);
    await away.drop();
    net.broker.publish('t', 'kept', { qos: 1, retain: true });
    const back = await net.connect(fields);
    expect(await back.payloads()).toEqual(['kept']);
    const late = await net.connect();
    await late.subscribe('t');
    expect(await late.payloads()).toEqual(['kept']);
    net.broker.publish('t', '', { retain: true });
    const later = await net.connect();
    await later.subscribe('t');
    expect(await later.payloads()).toEqual([]);
  });

  it.each(['', 'a/+', '#', 'a\0b', 'x'.repeat(65_536)])('refuses the topic %j', (topic) => {
    const net = new InMemoryBroker();
    expect(() => net.broker.publish(topic, 'x')).toThrow(expect.objectContaining({ code: 'MQTT_ERR_TOPIC' }));
  });

  it.each<[string, object]>([
    ['QoS 3', { qos: 3 }],
    ['a property with a zero character', { properties: { contentType: 'a\0' } }],
    ['a property out of range', { properties: { messageExpiryInterval: 2 ** 32 } }],
    ['a property that is none', { properties: { willDelayInterval: 3 } }],
  ])('refuses %s at once, not when it is sent', (_, options) => {
    const net = new InMemoryBroker();
    expect(() => net.broker.publish('t', 'x', options)).toThrow(OptionError);
  });
});

describe('clients and disconnect', () => {
  it('tell who is connected, and send one away with a Reason Code', async () => {
    const net = new InMemoryBroker();
    const five = await net.connect({ clientIdentifier: 'five', username: 'u', keepAlive: 30 });
    const four = await net.connect({ clientIdentifier: 'four', version: 4 });
    net.open();
    expect([...net.broker.clients()]).toEqual([
      { clientIdentifier: 'five', username: 'u', address: 'memory-2', keepAlive: 30 },
      { clientIdentifier: 'four', username: undefined, address: 'memory-2', keepAlive: 0 },
    ]);
    expect(net.broker.disconnect('five')).toBe(true);
    expect(await five.texts()).toEqual(['DISCONNECT code=0x98']);
    expect(net.broker.disconnect('four', ReasonCode.serverBusy)).toBe(true);
    expect(await four.texts()).toEqual([]);
    expect([five.isClosed, four.isClosed]).toEqual([true, true]);
    expect(net.broker.disconnect('four')).toBe(false);
    expect(net.broker.disconnect('nobody')).toBe(false);
    expect([...net.broker.clients()]).toEqual([]);
    expect(net.lines('notice').slice(-2)).toEqual([
      'Client five been disconnected by administrative action.',
      'Client four been disconnected by administrative action.',
    ]);
  });

  it('publish the will of who is sent away', async () => {
    const net = new InMemoryBroker();
    const watcher = await net.connect();
    await watcher.subscribe('will');
    await net.connect({ clientIdentifier: 'w', will: { topic: 'will', payload: Buffer.from('gone') } });
    net.broker.disconnect('w');
    expect(await watcher.payloads()).toEqual(['gone']);
  });
});

describe('reload', () => {
  it('takes new settings and access rules for what happens from then on', async () => {
    const net = new InMemoryBroker({ settings: { maxQueuedMessages: 1 } });
    const client = await net.connect();
    await client.subscribe('t');
    net.broker.reload({ sysInterval: 0, retainAvailable: false, maxTopicLevels: 2 }, openAuthority);
    client.publish('a/b/c', 'x', { qos: 1 });
    expect((await client.expect('PUBACK')).code).toBe(0x90);
    const late = await net.connect();
    expect(valuesOf(late.connack as NonNullable<typeof late.connack>, 0x25)).toEqual([0]);
    net.broker.reload(
      { sysInterval: 0 },
      { ...openAuthority, receivesAll: false, mayReceive: () => false, mayPublish: () => 0x87, publishesAll: false },
    );
    net.broker.publish('t', 'secret');
    client.publish('t', 'x', { qos: 1 });
    expect((await client.expect('PUBACK')).code).toBe(0x87);
  });

  it('keeps the hooks', async () => {
    const net = new InMemoryBroker({ hooks: { authorizePublish: () => false } });
    const client = await net.connect();
    net.broker.reload({ sysInterval: 0 }, openAuthority);
    client.publish('t', 'x', { qos: 1 });
    expect((await client.expect('PUBACK')).code).toBe(0x87);
  });

  it('starts, stops and paces $SYS', async () => {
    const net = new InMemoryBroker({ listeners: [] });
    await net.broker.listen();
    const client = await net.connect();
    await client.subscribe('$SYS/broker/uptime');
    expect(await client.take()).toEqual([]);
    net.broker.reload({ sysInterval: 5 }, openAuthority);
    expect(await client.payloads()).toEqual(['0 seconds']);
    await net.pass(11_000);
    expect(await client.payloads()).toEqual(['5 seconds', '10 seconds']);
    net.broker.reload({ sysInterval: 0 }, openAuthority);
    await net.pass(60_000);
    expect(await client.take()).toEqual([]);
    await net.broker.close();
  });

  it('refuses settings that are none, and all stays as it was', async () => {
    const net = new InMemoryBroker({ settings: { retainAvailable: false } });
    expect(() => net.broker.reload({ maxQueuedMessages: -1 }, openAuthority)).toThrow(OptionError);
    const client = await net.connect();
    expect(valuesOf(client.connack as NonNullable<typeof client.connack>, 0x25)).toEqual([0]);
  });
});

describe('close', () => {
  it('tells MQTT 5 clients 0x8B, closes all, and frees the port', async () => {
    const broker = await listening();
    const { port } = broker;
    const five = await openClient(port);
    const four = await openClient(port, { version: 4 });
    const silent = await RawClient.open(port);
    await broker.close();
    await five.expectRefusal(0x8b);
    await four.expectClosed();
    await silent.expectClosed();
    await expect(RawClient.open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('sends what was published before', async () => {
    const broker = await listening();
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [['t', 0]]));
    await client.expect('SUBACK');
    for (let count = 0; count < 1000; count++) broker.publish('t', `${count}`);
    await broker.close();
    for (let count = 0; count < 1000; count++) expect(`${(await client.receive()).payload}`).toBe(`${count}`);
    await client.expectRefusal(0x8b);
  });

  it('is done within shutdownTimeout although a client reads nothing', async () => {
    const broker = await listening({ settings: { shutdownTimeout: 0.2 } });
    const client = await openClient(broker.port);
    client.send(subscribe5(1, [['t', 0]]));
    await client.expect('SUBACK');
    client.socket.pause();
    for (let count = 0; count < 64; count++) broker.publish('t', Buffer.alloc(256 * 1024));
    const before = performance.now();
    await broker.close();
    expect(performance.now() - before).toBeGreaterThan(150);
    expect(broker.counters.clientsConnected).toBe(0);
  });

  it('asked twice is the same end', async () => {
    const broker = await listening({ settings: { shutdownTimeout: 0.2 } });
    const client = await openClient(broker.port);
    const order: string[] = [];
    await Promise.all([
      broker.close().then(() => order.push('first')),
      broker.close().then(() => order.push('second')),
    ]);
    expect(order).toEqual(['first', 'second']);
    await client.expectRefusal(0x8b);
    await broker.close();
  });

  it('closes connections that were one too many, too, and takes no new ones', async () => {
    const net = new InMemoryBroker({ settings: { maxConnections: 1 } });
    await net.connect();
    const tooMany = net.open();
    await net.settle();
    const closing = net.broker.close();
    await net.pass(0);
    await closing;
    expect(tooMany.isClosed).toBe(true);
    const [ours, theirs] = memoryPair();
    net.broker.accept(theirs);
    let isClosed = false;
    ours.start({
      data: () => {},
      drain: () => {},
      close: () => {
        isClosed = true;
      },
    });
    await net.settle();
    expect(isClosed).toBe(true);
  });

  it('leaves no timer behind', async () => {
    const net = new InMemoryBroker({ settings: { sysInterval: 1, memoryLimit: 2 ** 40 }, listeners: [] });
    await net.broker.listen();
    await net.connect({ keepAlive: 60, will: { topic: 'w', properties: [property.willDelayInterval(30)] } });
    const away = await net.connect({ properties: [property.sessionExpiryInterval(60)] });
    away.send(publish5('t', 'x', { retain: true, properties: [property.messageExpiryInterval(5)] }));
    await away.drop();
    const closing = net.broker.close();
    await net.pass(0);
    await closing;
    expect(net.clock.pendingTimers).toBe(0);
  });

  it('may come without a start', async () => {
    await createBroker().close();
  });
});
