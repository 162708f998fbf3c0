/** What hooks decide and see: who may connect, publish, subscribe and receive, and who came and went. */
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  type BrokerHooks,
  type ClientIdentity,
  createBroker,
  type Decision,
  ReasonCode,
} from '../../src/broker/index.ts';
import type { PeerAddress } from '../../src/transport/transport.ts';
import { valuesOf } from '../support/packet-reader.ts';
import { connect, disconnect, property, subscribe5, unsubscribe5 } from '../support/raw-packets.ts';
import { failures, ways } from './hook-ways.ts';
import { InMemoryBroker, text } from './in-memory.ts';

/** Sends a CONNECT and gives the Reason Code of its CONNACK and whether the connection lives on. */
async function knock(net: InMemoryBroker, fields: Parameters<typeof connect>[0] = {}) {
  const client = net.open({ version: fields.version ?? 5 });
  client.send(connect({ clientIdentifier: 'door', ...fields }));
  await net.pass(10);
  const connack = await client.expect('CONNACK');
  return { code: connack.code, isClosed: client.isClosed };
}

describe('authenticate', () => {
  for (const [way, wrap] of ways((decision: Decision) => decision)) {
    it.each<[Decision, number, number]>([
      [true, 0, 0],
      [ReasonCode.success, 0, 0],
      [false, 0x86, 4],
      [ReasonCode.notAuthorized, 0x87, 5],
      [ReasonCode.serverBusy, 0x89, 3],
      [ReasonCode.banned, 0x8a, 5],
    ])(`${way} answers %s: CONNACK %s, in 3.1.1 %s`, async (decision, code5, code4) => {
      const net = new InMemoryBroker({ hooks: { authenticate: () => wrap(decision) } });
      expect(await knock(net)).toEqual({ code: code5, isClosed: code5 !== 0 });
      expect(await knock(net, { version: 4 })).toEqual({ code: code4, isClosed: code4 !== 0 });
      expect(net.counters.authenticationFailures).toBe(code5 === 0 ? 0 : 2);
      expect(net.counters.connectRefused).toBe(code5 === 0 ? 0 : 2);
      expect(net.lines('warning')).toHaveLength(code5 === 0 ? 0 : 2);
    });
  }

  it.each(failures)('that %s refuses with 0x80 and says so in the log', async (_, fail) => {
    const net = new InMemoryBroker({ hooks: { authenticate: fail } });
    expect(await knock(net)).toEqual({ code: 0x80, isClosed: true });
    expect(net.lines('error')).toEqual(['A hook failed: the directory is down']);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a promise of nothing', Promise.resolve(undefined)],
    ['null', null],
    ['a text', 'yes'],
    ['an object', { allowed: true }],
  ])('that answers %s lets nobody in', async (_, answer) => {
    const net = new InMemoryBroker({ hooks: { authenticate: () => answer as Decision } });
    expect(await knock(net)).toEqual({ code: 0x86, isClosed: true });
  });

  it('sees who asks, with the user name, the password and the listener', async () => {
    const seen: unknown[] = [];
    const hooks: BrokerHooks = {
      authenticate(client, packet) {
        seen.push(client.clientIdentifier, client.username, client.listenerIndex, client.peer.family);
        seen.push(Buffer.from(packet.password ?? []).toString(), packet.keepAlive);
        return true;
      },
    };
    const net = new InMemoryBroker({ hooks, listeners: [{}, {}] });
    await net.connect({ clientIdentifier: 'ada', username: 'lovelace', password: 'engine', keepAlive: 7, listener: 1 });
    expect(seen).toEqual(['ada', 'lovelace', 1, 'memory', 'engine', 7]);
  });

  it('is asked after the Authority, which may have refused already', async () => {
    let asked = 0;
    const net = new InMemoryBroker({
      authority: {
        authenticate: async (identity) => (identity.username === 'known' ? 0 : ReasonCode.badUserNameOrPassword),
        mayPublish: () => 0,
        maySubscribe: () => 0,
        mayReceive: () => true,
        receivesAll: true,
        publishesAll: true,
        epoch: 0,
      },
      hooks: {
        authenticate() {
          asked++;
          return asked === 1;
        },
      },
    });
    expect((await knock(net, { username: 'unknown' })).code).toBe(0x86);
    expect(asked).toBe(0);
    expect((await knock(net, { username: 'known' })).code).toBe(0);
    expect((await knock(net, { username: 'known', clientIdentifier: 'other' })).code).toBe(0x86);
  });

  it('whose client is gone before it answers leaves nothing behind', async () => {
    let answer: (decision: boolean) => void = () => {};
    const net = new InMemoryBroker({
      hooks: {
        authenticate: () =>
          new Promise<boolean>((resolve) => {
            answer = resolve;
          }),
      },
    });
    const client = net.open();
    client.send(connect({ clientIdentifier: 'hasty', properties: [property.sessionExpiryInterval(60)] }));
    await net.settle();
    await client.drop();
    answer(true);
    await net.settle();
    expect(net.counters.connectionsAccepted).toBe(0);
    expect([...net.broker.clients()]).toEqual([]);
    const again = net.open();
    again.send(connect({ clientIdentifier: 'hasty', cleanStart: false }));
    await net.settle();
    answer(true);
    const connack = await again.expect('CONNACK');
    expect([connack.flags, connack.code]).toEqual([0, 0]);
  });

  it('that never answers ends with connect_timeout', async () => {
    const net = new InMemoryBroker({
      settings: { connectTimeout: 3 },
      hooks: { authenticate: () => new Promise(() => {}) },
    });
    const client = net.open();
    client.send(connect());
    await net.pass(2_900);
    expect(client.isClosed).toBe(false);
    await net.pass(400);
    expect(client.isClosed).toBe(true);
    expect(net.counters.connectTimeouts).toBe(1);
  });
});

describe('authorizePublish', () => {
  for (const [way, wrap] of ways((decision: Decision) => decision)) {
    it(`${way} decides about each PUBLISH: PUBACK and PUBREC tell, nothing is delivered`, async () => {
      const asked: string[] = [];
      const net = new InMemoryBroker({
        hooks: {
          authorizePublish(client, topicName, packet) {
            asked.push(`${client.clientIdentifier} ${topicName} ${packet?.qos}`);
            return wrap(
              topicName.startsWith('open/') ? true : topicName === 'quota' ? ReasonCode.quotaExceeded : false,
            );
          },
        },
      });
      const subscriber = await net.connect();
      await subscriber.subscribe('#');
      const publisher = await net.connect({ clientIdentifier: 'p' });
      publisher.publish('open/a', '1', { qos: 1 });
      publisher.publish('closed', '2', { qos: 1 });
      publisher.publish('quota', '3', { qos: 2 });
      publisher.publish('closed', '4');
      publisher.publish('open/b', '5');
      await net.pass(10);
      expect((await publisher.take()).map((packet) => [packet.name, packet.id, packet.code])).toEqual([
        ['PUBACK', 1, 0],
        ['PUBACK', 2, 0x87],
        ['PUBREC', 3, 0x97],
      ]);
      expect(await subscriber.payloads()).toEqual(['1', '5']);
      expect(asked).toEqual(['p open/a 1', 'p closed 1', 'p quota 2', 'p closed 0', 'p open/b 0']);
      expect(net.counters.publishRefused).toBe(3);
    });

    it(`${way} is asked for a will, and then there is no packet`, async () => {
      const asked: unknown[] = [];
      const net = new InMemoryBroker({
        hooks: {
          authorizePublish(_, topicName, packet) {
            asked.push(topicName, packet);
            return wrap(topicName !== 'secret');
          },
        },
      });
      expect(await knock(net, { will: { topic: 'fine' } })).toEqual({ code: 0, isClosed: false });
      expect(await knock(net, { will: { topic: 'secret' }, clientIdentifier: 'b' })).toEqual({
        code: 0x87,
        isClosed: true,
      });
      expect(asked).toEqual(['fine', undefined, 'secret', undefined]);
    });
  }

  it.each(failures)('that %s refuses the message with 0x80; the client stays', async (_, fail) => {
    const net = new InMemoryBroker({ hooks: { authorizePublish: fail } });
    const publisher = await net.connect();
    publisher.publish('t', 'x', { qos: 1 });
    await net.pass(10);
    expect((await publisher.expect('PUBACK')).code).toBe(0x80);
    expect(publisher.isClosed).toBe(false);
    expect(net.lines('error')).toEqual(['A hook failed: the directory is down']);
  });

  it('in 3.1.1, which has no Reason Codes, acknowledges what it refuses', async () => {
    const net = new InMemoryBroker({ hooks: { authorizePublish: () => false } });
    const subscriber = await net.connect();
    await subscriber.subscribe('#');
    const publisher = await net.connect({ version: 4 });
    publisher.publish('t', 'x', { qos: 1 });
    expect(await publisher.texts()).toEqual(['PUBACK id=1']);
    expect(await subscriber.texts()).toEqual([]);
    expect(net.lines('warning').join()).toContain('Refused PUBLISH from ');
  });
});

describe('authorizeSubscribe', () => {
  for (const [way, wrap] of ways((decision: Decision) => decision)) {
    it(`${way} decides filter by filter`, async () => {
      const net = new InMemoryBroker({
        hooks: {
          authorizeSubscribe: (_, topicFilter, qos) =>
            wrap(topicFilter === 'no' ? false : topicFilter === 'full' ? ReasonCode.quotaExceeded : qos < 2),
        },
      });
      const client = await net.connect();
      client.send(
        subscribe5(9, [
          ['a/#', 1],
          ['no', 0],
          ['full', 0],
          ['b', 2],
          ['c', 0],
        ]),
      );
      await net.pass(10);
      expect((await client.expect('SUBACK')).codes).toEqual([1, 0x87, 0x97, 0x87, 0]);
      const publisher = await net.connect();
      for (const topic of ['a/1', 'no', 'full', 'b', 'c']) publisher.publish(topic, topic);
      expect(await client.payloads()).toEqual(['a/1', 'c']);
      expect(net.counters.subscribeRefused).toBe(3);
    });
  }

  it.each(failures)('that %s refuses with 0x80', async (_, fail) => {
    const net = new InMemoryBroker({ hooks: { authorizeSubscribe: fail } });
    const client = await net.connect({ version: 4 });
    expect(await client.subscribe('a')).toEqual([0x80]);
    expect(client.isClosed).toBe(false);
  });

  it('is asked about the filter behind the share name', async () => {
    const asked: string[] = [];
    const net = new InMemoryBroker({
      hooks: {
        authorizeSubscribe(_, topicFilter) {
          asked.push(topicFilter);
          return true;
        },
      },
    });
    const client = await net.connect();
    await client.subscribe('$share/group/a/+');
    expect(asked).toEqual(['a/+']);
  });
});

describe('authorizeReceive', () => {
  it('keeps messages from a client, live and retained, and is asked once per client and topic', async () => {
    const asked: string[] = [];
    const net = new InMemoryBroker({
      hooks: {
        authorizeReceive(client, topicName) {
          asked.push(`${client.username} ${topicName}`);
          return client.username === 'chief' || !topicName.startsWith('secret/');
        },
      },
    });
    const publisher = await net.connect();
    publisher.publish('secret/old', 'r1', { retain: true });
    publisher.publish('news/old', 'r2', { retain: true });
    await net.settle();
    const chief = await net.connect({ username: 'chief' });
    const clerk = await net.connect({ username: 'clerk' });
    await chief.subscribe('#');
    await clerk.subscribe('#');
    expect((await chief.payloads()).sort()).toEqual(['r1', 'r2']);
    expect(await clerk.payloads()).toEqual(['r2']);
    asked.length = 0;
    for (let count = 0; count < 3; count++) publisher.publish('secret/new', `s${count}`);
    publisher.publish('news/new', 'n');
    expect(await chief.payloads()).toEqual(['s0', 's1', 's2', 'n']);
    expect(await clerk.payloads()).toEqual(['n']);
    expect(asked.sort()).toEqual(['chief news/new', 'chief secret/new', 'clerk news/new', 'clerk secret/new']);
  });

  it.each<[string, () => unknown]>([
    ['throws', failures[0]?.[1] as () => never],
    ['answers nothing', () => undefined],
    ['answers with a promise, which it must not', () => Promise.resolve(true)],
  ])('that %s lets nothing through, and the publisher does not feel it', async (_, answer) => {
    const net = new InMemoryBroker({ hooks: { authorizeReceive: answer as () => boolean } });
    const subscriber = await net.connect();
    await subscriber.subscribe('#');
    const publisher = await net.connect();
    publisher.publish('t', 'x', { qos: 1 });
    expect(await publisher.texts()).toEqual(['PUBACK id=1 code=0x10']);
    expect(await subscriber.texts()).toEqual([]);
  });

  it('is asked again when another user resumes the Session', async () => {
    const net = new InMemoryBroker({ hooks: { authorizeReceive: (client) => client.username === 'chief' } });
    const fields = { clientIdentifier: 'desk', cleanStart: false, properties: [property.sessionExpiryInterval(60)] };
    const publisher = await net.connect({ username: 'chief' });
    const chief = await net.connect({ ...fields, username: 'chief' });
    await chief.subscribe('t');
    publisher.publish('t', '1');
    expect(await chief.payloads()).toEqual(['1']);
    const clerk = await net.connect({ ...fields, username: 'clerk' });
    expect(clerk.connack?.flags).toBe(1);
    publisher.publish('t', '2');
    expect(await clerk.payloads()).toEqual([]);
  });
});

describe('hooks that watch', () => {
  it('see connects, subscriptions and disconnects with their reasons', async () => {
    const seen: string[] = [];
    const name = ({ clientIdentifier }: ClientIdentity) => clientIdentifier;
    const net = new InMemoryBroker({
      hooks: {
        onConnect: (client, sessionPresent) => void seen.push(`${name(client)} connect ${sessionPresent}`),
        onSubscribe: (client, topicFilter, qos) => void seen.push(`${name(client)} subscribe ${topicFilter} ${qos}`),
        onUnsubscribe: (client, topicFilter) => void seen.push(`${name(client)} unsubscribe ${topicFilter}`),
        onDisconnect: (client, reason) => void seen.push(`${name(client)} disconnect: ${reason}`),
      },
    });
    const expect1 = async (...expected: string[]) => {
      await net.settle();
      expect(seen.splice(0)).toEqual(expected);
    };
    const fields = { clientIdentifier: 'a', cleanStart: false, properties: [property.sessionExpiryInterval(9)] };
    const first = await net.connect(fields);
    await first.subscribe(['x/+', 1], ['$share/g/y', 2]);
    first.send(unsubscribe5(7, ['x/+', 'never/was']), disconnect());
    await expect1(
      'a connect false',
      'a subscribe x/+ 1',
      'a subscribe $share/g/y 2',
      'a unsubscribe x/+',
      'a disconnect: Client a disconnected',
    );
    const second = await net.connect(fields);
    await second.drop();
    await expect1('a connect true', 'a disconnect: Client a closed its connection');
    await net.connect(fields);
    await net.connect(fields);
    await expect1(
      'a connect true',
      'a disconnect: Client a already connected, closing old connection',
      'a connect true',
    );
    net.broker.disconnect('a');
    await expect1('a disconnect: Client a been disconnected by administrative action');
    const silent = await net.connect({ clientIdentifier: 'b', keepAlive: 2 });
    await net.pass(4_000);
    expect(silent.isClosed).toBe(true);
    await expect1('b connect false', 'b disconnect: Client b has exceeded timeout, disconnecting');
    const rude = await net.connect({ clientIdentifier: 'c' });
    rude.send('36 00');
    await net.settle();
    expect(seen[1]).toMatch(/^c disconnect: Client c disconnected due to malformed packet: /);
    seen.length = 0;
    await net.connect({ clientIdentifier: 'd' });
    const closing = net.broker.close();
    await expect1('d connect false', 'd disconnect: The broker is shutting down');
    await closing;
  });

  it('know where a client was after its connection was reset', async () => {
    const hooks: BrokerHooks = {};
    const gone = new Promise<PeerAddress>((resolve) => {
      hooks.onDisconnect = ({ peer }) => resolve(peer);
    });
    const broker = createBroker({ hooks, listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.listen();
    const socket = connectSocket(broker.port, '127.0.0.1');
    socket.write(connect({ clientIdentifier: 'a' }));
    await once(socket, 'data');
    const port = socket.localPort;
    socket.resetAndDestroy();
    expect(await gone).toEqual({ address: '127.0.0.1', port, family: 'IPv4' });
    await broker.close();
  });

  it('hear nothing of clients that were refused', async () => {
    const seen: string[] = [];
    const net = new InMemoryBroker({
      hooks: {
        authenticate: () => false,
        onConnect: () => void seen.push('connect'),
        onDisconnect: () => void seen.push('disconnect'),
      },
    });
    await knock(net);
    expect(seen).toEqual([]);
  });

  it.each(failures)('and %s change nothing: it is logged, and all goes on', async (_, fail) => {
    const hooks = { onConnect: fail, onSubscribe: fail, onUnsubscribe: fail, onDisconnect: fail };
    const net = new InMemoryBroker({ hooks });
    const client = await net.connect();
    expect(await client.subscribe('a', 'b')).toEqual([0, 0]);
    client.send(unsubscribe5(2, ['a']));
    expect(await client.texts()).toEqual(['UNSUBACK id=2 codes=0']);
    client.send(disconnect());
    await net.settle();
    expect(client.isClosed).toBe(true);
    expect(net.counters.clientsConnected).toBe(0);
    expect(net.lines('error')).toEqual(new Array(5).fill('A hook failed: the directory is down'));
  });

  it('may be methods that use `this`', async () => {
    class Watcher implements BrokerHooks {
      count = 0;
      onConnect() {
        this.count++;
      }
      authenticate() {
        return this.count === 0;
      }
    }
    const hooks = new Watcher();
    const net = new InMemoryBroker({ hooks });
    await net.connect();
    expect(hooks.count).toBe(1);
    expect((await knock(net)).code).toBe(0x86);
  });
});

describe('what hooks are told of a connection', () => {
  it('includes the identifier that the broker assigned', async () => {
    let identity: ClientIdentity | undefined;
    const net = new InMemoryBroker({
      hooks: {
        authenticate(client) {
          identity = client;
          return true;
        },
      },
    });
    const client = net.open();
    client.send(connect({ clientIdentifier: '' }));
    const connack = await client.expect('CONNACK');
    expect(valuesOf(connack, 0x12)).toEqual([identity?.clientIdentifier]);
    expect(identity?.clientIdentifier).toMatch(/^auto-[0-9A-F-]{36}$/);
    expect(text(connack)).toContain('code=0');
  });
});
