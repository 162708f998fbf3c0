/** What the settings of the broker and of listeners do, and which values they refuse. Limits are in limits.test.ts. */
import { describe, expect, it } from 'vitest';
import { openAuthority } from '../../src/broker/auth.ts';
import { type CreateBrokerOptions, createBroker, ReasonCode } from '../../src/broker/index.ts';
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import { type ConnectFields, connect, property, pubrel, subscribe5, unsubscribe5 } from '../support/raw-packets.ts';
import { InMemoryBroker, text } from './in-memory.ts';

const session = (clientIdentifier: string) => ({
  clientIdentifier,
  cleanStart: false,
  properties: [property.sessionExpiryInterval(3600)],
});

/** The CONNACK of a CONNECT. */
async function knock(net: InMemoryBroker, fields: ConnectFields): Promise<ReadPacket> {
  const client = net.open({ version: fields.version ?? 5 });
  client.send(connect(fields));
  return client.expect('CONNACK');
}

describe('values that are none', () => {
  const settings: [string, unknown, string][] = [
    ['maxQueuedMessages', -1, 'MQTT_ERR_OPTION_RANGE'],
    ['maxQueuedMessages', 1.5, 'MQTT_ERR_OPTION_RANGE'],
    ['maxQueuedMessages', Number.NaN, 'MQTT_ERR_OPTION_RANGE'],
    ['maxQueuedBytes', Number.POSITIVE_INFINITY, 'MQTT_ERR_OPTION_RANGE'],
    ['maxInflightMessages', 65_536, 'MQTT_ERR_OPTION_RANGE'],
    ['maxKeepAlive', 65_536, 'MQTT_ERR_OPTION_RANGE'],
    ['maxTopicLevels', 0, 'MQTT_ERR_OPTION_RANGE'],
    ['maxOutboundBufferBytes', 10, 'MQTT_ERR_OPTION_RANGE'],
    ['maxQueuedMessages', '100', 'MQTT_ERR_OPTION'],
    ['retainAvailable', 1, 'MQTT_ERR_OPTION'],
    ['clientIdentifierPrefixes', 'a', 'MQTT_ERR_OPTION'],
    ['clientIdentifierPrefixes', null, 'MQTT_ERR_OPTION'],
    ['clientIdentifierPrefixes', [1], 'MQTT_ERR_OPTION'],
    ['sysInterval', undefined, 'MQTT_ERR_OPTION'],
    ['maxInflight', 20, 'MQTT_ERR_OPTION'],
  ];
  it.each(settings)('%s %j is refused and named', (key, value, code) => {
    const options = { settings: { [key]: value } } as CreateBrokerOptions;
    expect(() => createBroker(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(key) }),
    );
  });

  const listenerSettings: [string, unknown, string][] = [
    ['port', 65_536, 'MQTT_ERR_OPTION_RANGE'],
    ['port', '1883', 'MQTT_ERR_OPTION'],
    ['maxQos', 3, 'MQTT_ERR_OPTION_RANGE'],
    ['maxTopicAlias', 65_536, 'MQTT_ERR_OPTION_RANGE'],
    ['maxConnections', -2, 'MQTT_ERR_OPTION_RANGE'],
    ['protocol', 'http', 'MQTT_ERR_OPTION'],
    ['socketDomain', 'ipx', 'MQTT_ERR_OPTION'],
    ['mountPoint', 'a/+/', 'MQTT_ERR_OPTION'],
    ['host', 7, 'MQTT_ERR_OPTION'],
  ];
  it.each(listenerSettings)('%s %j of a listener is refused and named', (key, value, code) => {
    const options = { listeners: [{ [key]: value }] } as CreateBrokerOptions;
    expect(() => createBroker(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(key) }),
    );
  });

  it('are not: fractions of seconds', () => {
    createBroker({ settings: { connectTimeout: 0.5, shutdownTimeout: 0.1, sysInterval: 2.5 } });
  });
});

describe('Client Identifiers', () => {
  it('must begin with one of clientid_prefixes', async () => {
    const net = new InMemoryBroker({ settings: { clientIdentifierPrefixes: ['dev-', 'lab-'] } });
    expect((await knock(net, { clientIdentifier: 'lab-1' })).code).toBe(0);
    expect((await knock(net, { clientIdentifier: 'other' })).code).toBe(0x85);
    expect((await knock(net, { clientIdentifier: 'Dev-1', version: 4 })).code).toBe(2);
    expect(net.lines('warning')[0]).toMatch(
      /^Refused CONNECT from \S+ as other: Client Identifier not valid \(the Client Identifier is not allowed\)\.$/,
    );
    expect(net.counters.connectRefused).toBe(2);
  });

  it('are the user names with use_username_as_clientid, and who has none is refused', async () => {
    const net = new InMemoryBroker({ listeners: [{ useUsernameAsClientIdentifier: true }] });
    const client = await net.connect({ clientIdentifier: 'anything', username: 'ada' });
    expect([...net.broker.clients()].map(({ clientIdentifier }) => clientIdentifier)).toEqual(['ada']);
    const other = await net.connect({ clientIdentifier: 'something', username: 'ada', version: 4 });
    expect(await client.texts()).toEqual(['DISCONNECT code=0x8e']);
    expect(other.isClosed).toBe(false);
    expect((await knock(net, { clientIdentifier: 'x' })).code).toBe(0x85);
    expect((await knock(net, { clientIdentifier: 'x', username: '' })).code).toBe(0x85);
  });

  it('[MQTT-3.2.2-16] are told to who left them open, also if they are the user names', async () => {
    const net = new InMemoryBroker({ listeners: [{ useUsernameAsClientIdentifier: true }] });
    const connack = await knock(net, { clientIdentifier: '', username: 'ada' });
    expect(valuesOf(connack, 0x12)).toEqual(['ada']);
    expect(valuesOf(await knock(net, { clientIdentifier: 'x', username: 'bob' }), 0x12)).toEqual([]);
  });

  it('may be empty unless allow_zero_length_clientid is off, and then begin with auto_id_prefix', async () => {
    const net = new InMemoryBroker({
      listeners: [{ autoIdPrefix: 'made-' }, { allowZeroLengthClientIdentifier: false }],
    });
    expect(valuesOf(await knock(net, { clientIdentifier: '' }), 0x12)[0]).toMatch(/^made-[0-9A-F-]{36}$/);
    expect((await knock(net, { clientIdentifier: '', version: 4 })).code).toBe(0);
    expect((await knock(net, { clientIdentifier: '', version: 4, cleanStart: false })).code).toBe(2);
    expect((await knock(net, { clientIdentifier: '', version: 3 })).code).toBe(2);
    for (const [version, code] of [
      [5, 0x85],
      [4, 2],
    ] as const) {
      const client = net.open({ listener: 1, version });
      client.send(connect({ clientIdentifier: '', version }));
      expect((await client.expect('CONNACK')).code).toBe(code);
    }
  });
});

describe('max_qos', () => {
  for (const maxQos of [0, 1] as const) {
    it(`${maxQos} is told, granted at most, and not to be exceeded`, async () => {
      const net = new InMemoryBroker({ listeners: [{ maxQos }, {}] });
      const client = await net.connect();
      expect(valuesOf(client.connack as ReadPacket, 0x24)).toEqual([maxQos]);
      expect(await client.subscribe(['a', 2], ['b', 1], ['c', 0])).toEqual([maxQos, maxQos === 0 ? 0 : 1, 0]);
      const unlimited = await net.connect({ listener: 1 });
      expect(valuesOf(unlimited.connack as ReadPacket, 0x24)).toEqual([]);
      unlimited.publish('a', 'x', { qos: 2 });
      await unlimited.expect('PUBREC');
      unlimited.send(pubrel(1));
      expect((await client.take())[0]?.qos).toBe(maxQos);
      client.publish('a', 'x', { qos: maxQos + 1 });
      const disconnects = (await client.take()).filter(({ name }) => name === 'DISCONNECT');
      expect(disconnects.map(({ code }) => code)).toEqual([0x9b]);
      expect(client.isClosed).toBe(true);
      const will = { topic: 'w', qos: maxQos + 1 };
      expect((await knock(net, { clientIdentifier: 'w', will })).code).toBe(0x9b);
      const four = await net.connect({ version: 4 });
      four.publish('a', 'x', { qos: maxQos + 1 });
      expect(await four.take()).toEqual([]);
      expect(four.isClosed).toBe(true);
    });
  }
});

describe('retain_available false', () => {
  it('is told; who retains all the same is disconnected with 0x9A', async () => {
    const net = new InMemoryBroker({ settings: { retainAvailable: false } });
    const client = await net.connect();
    expect(valuesOf(client.connack as ReadPacket, 0x25)).toEqual([0]);
    client.publish('t', 'x', { retain: true });
    expect(await client.texts()).toEqual(['DISCONNECT code=0x9a']);
    const four = await net.connect({ version: 4 });
    four.publish('t', 'x', { retain: true });
    await net.settle();
    expect(four.isClosed).toBe(true);
    expect((await knock(net, { clientIdentifier: 'w', will: { topic: 'w', retain: true } })).code).toBe(0x9a);
  });
});

describe('max_topic_alias', () => {
  it('is told, and an alias above it ends the connection with 0x94', async () => {
    const net = new InMemoryBroker({ listeners: [{ maxTopicAlias: 2 }, { maxTopicAlias: 0 }] });
    const client = await net.connect();
    expect(valuesOf(client.connack as ReadPacket, 0x22)).toEqual([2]);
    await client.subscribe('t');
    client.publish('t', '1', { properties: [property.topicAlias(2)] });
    client.publish('', '2', { properties: [property.topicAlias(2)] });
    expect(await client.payloads()).toEqual(['1', '2']);
    client.publish('t', '3', { properties: [property.topicAlias(3)] });
    expect(await client.texts()).toEqual(['DISCONNECT code=0x94']);
    const none = await net.connect({ listener: 1 });
    expect(valuesOf(none.connack as ReadPacket, 0x22)).toEqual([]);
    none.publish('t', '1', { properties: [property.topicAlias(1)] });
    expect(await none.texts()).toEqual(['DISCONNECT code=0x94']);
  });
});

describe('upgrade_outgoing_qos', () => {
  it('delivers at the QoS of the subscription, live, queued, shared and retained', async () => {
    for (const upgradeOutgoingQos of [false, true]) {
      const net = new InMemoryBroker({ settings: { upgradeOutgoingQos } });
      const expected = upgradeOutgoingQos ? 2 : 0;
      const live = await net.connect();
      const shared = await net.connect();
      const away = await net.connect(session('away'));
      await live.subscribe(['t', 2]);
      await shared.subscribe(['$share/g/t', 2]);
      await away.subscribe(['t', 2]);
      await away.drop();
      net.broker.publish('t', 'x', { retain: true });
      const late = await net.connect();
      await late.subscribe(['t', 2]);
      for (const client of [live, shared, late]) {
        expect((await client.take()).map(({ qos, payload }) => [qos, `${payload}`])).toEqual([[expected, 'x']]);
      }
      const back = await net.connect(session('away'));
      expect((await back.take()).map(({ qos }) => qos)).toEqual(upgradeOutgoingQos ? [2] : []);
    }
  });
});

describe('queue_qos0_messages', () => {
  it('keeps QoS 0 messages for absent clients, in order with the others', async () => {
    for (const queueQos0Messages of [false, true]) {
      const net = new InMemoryBroker({ settings: { queueQos0Messages } });
      const away = await net.connect(session('away'));
      await away.subscribe(['t', 1]);
      await away.drop();
      const publisher = await net.connect({ version: 4 });
      for (let count = 0; count < 6; count++) publisher.publish('t', `${count}`, { qos: count % 2 });
      await net.settle();
      const back = await net.connect(session('away'));
      expect(await back.payloads()).toEqual(queueQos0Messages ? ['0', '1', '2', '3', '4', '5'] : ['1', '3', '5']);
      expect(net.counters.publishMessagesDropped).toBe(0);
      publisher.publish('t', 'live');
      expect(await back.payloads()).toEqual(['live']);
    }
  });

  it('lets no QoS 0 message overtake those that still wait', async () => {
    const net = new InMemoryBroker({ settings: { queueQos0Messages: true } });
    const fields = { ...session('away'), properties: [property.sessionExpiryInterval(60), property.receiveMaximum(1)] };
    const away = await net.connect(fields);
    await away.subscribe(['t', 1]);
    await away.drop();
    const publisher = await net.connect();
    for (const [payload, qos] of [
      ['a1', 1],
      ['b1', 1],
      ['c0', 0],
    ] as const)
      publisher.publish('t', payload, { qos });
    await net.settle();
    const back = await net.connect(fields);
    publisher.publish('t', 'd0');
    expect(await back.payloads()).toEqual(['a1']);
    back.send('40 02 00 01');
    expect(await back.payloads()).toEqual(['b1', 'c0', 'd0']);
  });
});

describe('allow_duplicate_messages', () => {
  it('delivers once for each matching subscription, or once at the highest QoS with all identifiers', async () => {
    for (const allowDuplicateMessages of [false, true]) {
      const net = new InMemoryBroker({ settings: { allowDuplicateMessages } });
      const client = await net.connect();
      client.send(
        subscribe5(1, [['t/1', 0]], [property.subscriptionIdentifier(5)]),
        subscribe5(2, [['t/+', 1]], [property.subscriptionIdentifier(6)]),
      );
      await client.take();
      net.broker.publish('t/1', 'x', { qos: 2 });
      const got = (await client.take()).map((packet) => [packet.qos, ...valuesOf(packet, 0x0b)]);
      expect(got.sort()).toEqual(
        allowDuplicateMessages
          ? [
              [0, 5],
              [1, 6],
            ]
          : [[1, 5, 6]],
      );
    }
  });
});

describe('persistent_client_expiration', () => {
  it('bounds how long a Session lives without its client, whatever the client asked for', async () => {
    const net = new InMemoryBroker({ settings: { persistentClientExpiration: 100 } });
    for (const [name, interval] of [
      ['short', 50],
      ['long', 5000],
      ['ever', 0xffff_ffff],
    ] as const) {
      const client = await net.connect({
        clientIdentifier: name,
        properties: [property.sessionExpiryInterval(interval)],
      });
      await client.subscribe('t');
      await client.drop();
    }
    const four = await net.connect({ clientIdentifier: 'four', version: 4, cleanStart: false });
    await four.drop();
    await net.pass(49_000);
    expect(net.counters.clientsExpired).toBe(0);
    await net.pass(2_000);
    expect(net.counters.clientsExpired).toBe(1);
    await net.pass(48_000);
    expect(net.counters.clientsExpired).toBe(1);
    await net.pass(2_000);
    expect(net.counters.clientsExpired).toBe(4);
    expect(
      net
        .lines('notice')
        .filter((line) => line.startsWith('Expiring'))
        .sort(),
    ).toEqual([
      'Expiring client ever due to timeout.',
      'Expiring client four due to timeout.',
      'Expiring client long due to timeout.',
      'Expiring client short due to timeout.',
    ]);
    expect((await net.connect(session('ever'))).connack?.flags).toBe(0);
  });

  it('does not run while the client is there, and starts anew when it leaves again', async () => {
    const net = new InMemoryBroker({ settings: { persistentClientExpiration: 10 } });
    let client = await net.connect(session('s'));
    await net.pass(60_000);
    for (let round = 0; round < 3; round++) {
      await client.drop();
      await net.pass(9_000);
      client = await net.connect(session('s'));
      expect(client.connack?.flags).toBe(1);
    }
  });
});

describe('connection_messages', () => {
  it('off logs neither connects nor disconnects, but refusals and faults', async () => {
    const net = new InMemoryBroker({ settings: { connectionMessages: false } });
    const client = await net.connect();
    await client.drop();
    expect(net.log).toEqual([]);
    await knock(net, { clientIdentifier: '', version: 3 });
    expect(net.lines('warning')).toHaveLength(1);
  });
});

describe('check_retain_source', () => {
  it('sends a retained message only if its publisher may still publish there', async () => {
    for (const checkRetainSource of [true, false]) {
      const net = new InMemoryBroker({ settings: { checkRetainSource } });
      const former = await net.connect({ username: 'former' });
      const staying = await net.connect({ username: 'staying' });
      former.publish('t/1', 'by former', { retain: true });
      staying.publish('t/2', 'by staying', { retain: true });
      net.broker.publish('t/3', 'by the program', { retain: true });
      await net.settle();
      net.broker.reload(
        { sysInterval: 0, checkRetainSource },
        {
          ...openAuthority,
          publishesAll: false,
          mayPublish: (identity) => (identity.username === 'former' ? ReasonCode.notAuthorized : 0),
        },
      );
      const late = await net.connect();
      await late.subscribe('t/#');
      const expected = ['by staying', 'by the program', ...(checkRetainSource ? [] : ['by former'])];
      expect((await late.payloads()).sort()).toEqual(expected.sort());
    }
  });
});

describe('subscribe and unsubscribe lines', () => {
  it('are logged where these types are on', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect({ clientIdentifier: 'c' });
    await client.subscribe(['a/+', 1]);
    client.send(unsubscribe5(2, ['a/+']));
    expect((await client.take()).map(text)).toEqual(['UNSUBACK id=2 codes=0']);
    expect(net.lines('subscribe')).toEqual(['c 1 a/+']);
    expect(net.lines('unsubscribe')).toEqual(['c a/+']);
  });
});
