/** Enhanced authentication through the authenticateStep hook: challenges, success, refusal, re-authentication. [MQTT 5.0 §4.12] */
import { describe, expect, it } from 'vitest';
import type { AuthenticationAnswer, AuthenticationStep, BrokerHooks } from '../../src/broker/index.ts';
import { ReasonCode } from '../../src/broker/index.ts';
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import {
  auth,
  type Bytes,
  connect,
  disconnect,
  pingreq,
  property,
  publish5,
  text as utf8Bytes,
} from '../support/raw-packets.ts';
import { failures, Gate, ways } from './hook-ways.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';

const method = property.authenticationMethod;
const data = (value: string) => property.authenticationData(utf8Bytes(value));
const textOf = (bytes: Bytes | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

/** Code, method and data of a CONNACK or AUTH. */
const said = (packet: ReadPacket) => [
  packet.name,
  packet.code,
  ...valuesOf(packet, 0x15),
  ...valuesOf(packet, 0x16).map((value) => textOf(value as Bytes)),
];

const answer = (outcome: AuthenticationAnswer['outcome'], value?: string) =>
  ({ outcome, ...(value === undefined ? {} : { data: Buffer.from(value) }) }) as AuthenticationAnswer;

/** Adds up the numbers that come, and is satisfied at 3: `1` + `2`, or `3` at once. */
function adding(step: AuthenticationStep): AuthenticationAnswer {
  if (step.method !== 'SUM') return { outcome: 'refuse', reasonCode: ReasonCode.badAuthenticationMethod };
  const sum = ((step.state.get('sum') as number | undefined) ?? 0) + Number(textOf(step.data));
  step.state.set('sum', sum);
  if (sum < 3) return answer('continue', `${sum}`);
  if (sum === 3) return { outcome: 'success', data: Buffer.from('three'), username: 'counted' };
  return { outcome: 'refuse', reasonCode: ReasonCode.notAuthorized, reasonString: 'too much' };
}

function begin(net: InMemoryBroker, first: string, methodName = 'SUM', more: readonly Bytes[] = []): MemoryClient {
  const client = net.open();
  client.clientIdentifier = 'e';
  client.send(connect({ clientIdentifier: 'e', keepAlive: 0, properties: [method(methodName), data(first), ...more] }));
  return client;
}

const next = (value: string, methodName = 'SUM') => auth(0x18, [method(methodName), data(value)]);
const again = (value: string) => auth(0x19, [method('SUM'), data(value)]);

async function answers(net: InMemoryBroker, client: MemoryClient) {
  await net.pass(10);
  return (await client.take()).map(said);
}

describe('enhanced authentication', () => {
  for (const [way, step] of ways(adding)) {
    it(`${way}: is over at once if the first data satisfy, and CONNACK carries method and data`, async () => {
      const net = new InMemoryBroker({ hooks: { authenticateStep: step } });
      const client = begin(net, '3');
      expect(await answers(net, client)).toEqual([['CONNACK', 0, 'SUM', 'three']]);
      expect([...net.broker.clients()].map(({ username }) => username)).toEqual(['counted']);
    });

    it(`${way}: goes on step by step, with challenges as AUTH [MQTT-4.12.0-2] [MQTT-4.12.0-3]`, async () => {
      const net = new InMemoryBroker({ hooks: { authenticateStep: step } });
      const client = begin(net, '1');
      expect(await answers(net, client)).toEqual([['AUTH', 0x18, 'SUM', '1']]);
      client.send(next('1'));
      expect(await answers(net, client)).toEqual([['AUTH', 0x18, 'SUM', '2']]);
      expect(net.counters.clientsConnected).toBe(0);
      client.send(next('1'));
      expect(await answers(net, client)).toEqual([['CONNACK', 0, 'SUM', 'three']]);
      expect(net.counters.clientsConnected).toBe(1);
    });

    it(`${way}: refuses with the Reason Code and the reason [MQTT-4.12.0-4]`, async () => {
      const net = new InMemoryBroker({ hooks: { authenticateStep: step } });
      const client = begin(net, '2');
      await answers(net, client);
      client.send(next('2'));
      await net.pass(10);
      const connack = await client.expect('CONNACK');
      expect([connack.code, ...valuesOf(connack, 0x1f)]).toEqual([0x87, 'too much']);
      expect(client.isClosed).toBe(true);
      expect(net.counters.authenticationFailures).toBe(1);
      expect(net.counters.connectRefused).toBe(1);
    });

    it(`${way}: is done again on the open connection, as often as the client likes`, async () => {
      const steps: unknown[] = [];
      const net = new InMemoryBroker({
        hooks: {
          authenticateStep(given) {
            steps.push([given.client.clientIdentifier, given.isReauthentication, textOf(given.data), given.state.size]);
            return step(given);
          },
        },
      });
      const client = begin(net, '3');
      await answers(net, client);
      for (let round = 0; round < 2; round++) {
        client.send(again('1'));
        expect(await answers(net, client)).toEqual([['AUTH', 0x18, 'SUM', '1']]);
        client.send(next('2'));
        expect(await answers(net, client)).toEqual([['AUTH', 0, 'SUM', 'three']]);
      }
      expect(steps).toEqual([
        ['e', false, '3', 0],
        ['e', true, '1', 0],
        ['e', true, '2', 1],
        ['e', true, '1', 0],
        ['e', true, '2', 1],
      ]);
      expect(client.isClosed).toBe(false);
    });

    it(`${way}: ends the connection if the client cannot do it again`, async () => {
      const net = new InMemoryBroker({ hooks: { authenticateStep: step } });
      const client = begin(net, '3');
      await answers(net, client);
      client.send(again('7'));
      await net.pass(10);
      const packet = await client.expect('DISCONNECT');
      expect([packet.code, ...valuesOf(packet, 0x1f)]).toEqual([0x87, 'too much']);
      expect(client.isClosed).toBe(true);
    });
  }

  it('lets other packets come and go while a re-authentication is between two steps', async () => {
    const net = new InMemoryBroker({ hooks: { authenticateStep: adding } });
    const client = begin(net, '3');
    await answers(net, client);
    client.send(again('1'), pingreq, publish5('t', 'x', { qos: 1, id: 4 }));
    expect((await client.take()).map(({ name }) => name)).toEqual(['AUTH', 'PINGRESP', 'PUBACK']);
  });

  it('without a hook is refused with 0x8C', async () => {
    const net = new InMemoryBroker();
    const client = begin(net, '3');
    expect((await client.expect('CONNACK')).code).toBe(0x8c);
    expect(client.isClosed).toBe(true);
  });

  it('with a method that the hook does not know is refused with what it answers', async () => {
    const net = new InMemoryBroker({ hooks: { authenticateStep: adding } });
    const client = begin(net, '3', 'GSSAPI');
    expect((await client.expect('CONNACK')).code).toBe(0x8c);
  });

  it.each([...failures, ['answers nothing', () => undefined as never] as const])(
    'whose hook %s is refused with 0x80',
    async (_, fail) => {
      const net = new InMemoryBroker({ hooks: { authenticateStep: fail } as BrokerHooks });
      const client = begin(net, '1');
      await net.pass(10);
      expect((await client.expect('CONNACK')).code).toBe(0x80);
      expect(client.isClosed).toBe(true);
      expect(net.lines('error').join()).toMatch(/^A hook failed: /);
    },
  );

  it('asks no authenticate hook, which is for user names and passwords', async () => {
    const net = new InMemoryBroker({ hooks: { authenticate: () => false, authenticateStep: adding } });
    const client = begin(net, '3');
    expect((await client.expect('CONNACK')).code).toBe(0);
  });

  it('goes before the checks of a will, which are made for the user it found', async () => {
    const asked: unknown[] = [];
    const net = new InMemoryBroker({
      hooks: {
        authenticateStep: adding,
        authorizePublish(client) {
          asked.push(client.username);
          return false;
        },
      },
    });
    const client = net.open();
    client.send(connect({ clientIdentifier: 'w', will: { topic: 'w' }, properties: [method('SUM'), data('3')] }));
    expect((await client.expect('CONNACK')).code).toBe(0x87);
    expect(asked).toEqual(['counted']);
  });
});

describe('AUTH out of place', () => {
  const started = async (first = '1') => {
    const net = new InMemoryBroker({ hooks: { authenticateStep: adding } });
    const client = begin(net, first);
    await answers(net, client);
    return { net, client };
  };

  it.each<[string, Bytes, number]>([
    ['another method [MQTT-4.12.0-5]', next('2', 'OTHER'), 0x8c],
    ['no method', auth(0x18, [data('2')]), 0x82],
    ['Re-authenticate, before there was a CONNACK', again('1'), 0x82],
    ['Success, which only servers say', auth(0, [method('SUM')]), 0x82],
    ['PUBLISH [MQTT-3.1.2-30]', publish5('t', 'x'), 0x82],
    ['a second CONNECT [MQTT-3.1.0-2]', connect(), 0x82],
    ['malformed bytes', Uint8Array.of(0xf0, 0x02, 0x18, 0x7f), 0x81],
  ])('in the middle of the exchange: %s is refused in a CONNACK', async (_, bytes, code) => {
    const { net, client } = await started();
    client.send(bytes);
    expect((await client.expect('CONNACK')).code).toBe(code);
    expect(client.isClosed).toBe(true);
    expect(net.counters.protocolErrors + net.counters.malformedPackets).toBe(1);
  });

  it('in the middle of the exchange: DISCONNECT is no error', async () => {
    const { net, client } = await started();
    client.send(disconnect());
    expect(await client.take()).toEqual([]);
    expect(client.isClosed).toBe(true);
    expect(net.counters.protocolErrors).toBe(0);
    expect(net.lines('notice')).toContain('Client e disconnected.');
  });

  it.each<[string, Bytes, number]>([
    ['another method [MQTT-4.12.1-1]', auth(0x19, [method('OTHER'), data('1')]), 0x8c],
    ['Continue without a beginning', next('1'), 0x82],
    ['Success', auth(0, [method('SUM')]), 0x82],
  ])('on the open connection: %s ends it', async (_, bytes, code) => {
    const { client } = await started('3');
    client.send(bytes);
    expect((await client.expect('DISCONNECT')).code).toBe(code);
    expect(client.isClosed).toBe(true);
  });

  it('a second Re-authenticate while one is running ends the connection', async () => {
    const { client } = await started('3');
    client.send(again('1'));
    expect((await client.expect('AUTH')).code).toBe(0x18);
    client.send(again('1'));
    expect((await client.expect('DISCONNECT')).code).toBe(0x82);
  });

  it('from a client that gave no method ends the connection [MQTT-4.12.0-6]', async () => {
    const net = new InMemoryBroker({ hooks: { authenticateStep: adding } });
    const client = await net.connect();
    client.send(again('3'));
    expect((await client.expect('DISCONNECT')).code).toBe(0x82);
  });

  it('is not sent to a client that gave no method', async () => {
    const net = new InMemoryBroker({ hooks: { authenticateStep: adding } });
    const client = await net.connect();
    expect(valuesOf(client.connack as ReadPacket, 0x15)).toEqual([]);
  });
});

describe('an exchange that takes its time', () => {
  it('holds back what the client sends behind, and keeps its order', async () => {
    const gate = new Gate<AuthenticationAnswer>();
    const net = new InMemoryBroker({ hooks: { authenticateStep: () => gate.promise } });
    const subscriber = await net.connect();
    await subscriber.subscribe('t');
    const client = begin(net, '1');
    client.send(publish5('t', '1'), publish5('t', '2'), pingreq);
    expect(await client.take()).toEqual([]);
    expect(await subscriber.take()).toEqual([]);
    gate.open({ outcome: 'success' });
    expect((await client.take()).map(({ name }) => name)).toEqual(['CONNACK', 'PINGRESP']);
    expect(await subscriber.payloads()).toEqual(['1', '2']);
  });

  it('ends with connect_timeout, and the log says what was missing', async () => {
    const net = new InMemoryBroker({ settings: { connectTimeout: 5 }, hooks: { authenticateStep: adding } });
    const client = begin(net, '1');
    await net.pass(5_300);
    expect(client.isClosed).toBe(true);
    expect(net.counters.connectTimeouts).toBe(1);
    expect(net.lines('notice').at(-1)).toBe('Client e was not authenticated within 5 seconds, disconnecting.');
  });
});
