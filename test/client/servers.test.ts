/** The client against real servers: somebody else's, and ours. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/node.ts';
import type { Client, ConnectOptions, ReceivedMessage } from '../../src/client/types.ts';
import { connect as connectInBrowser } from '../../src/client/web.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { connectWebSocket as connectWeb, type WebSocketLike } from '../../src/transport/web.ts';
import { type BrokerProcess, type BrokerProgram, freePort, startBroker } from '../support/broker-process.ts';
import { describeWithPeer } from '../support/peers.ts';
import { uniqueName } from '../support/raw-client.ts';
import { until } from '../support/until.ts';
import { startWireRecorder } from '../support/wire-recorder.ts';
import { makeCertificate } from '../transport/certificate.ts';
import { pattern } from '../transport/contract.ts';

const versions = [3, 4, 5] as const;
const levels = [0, 1, 2] as const;
const certificate = makeCertificate();

function suite(program: BrokerProgram): void {
  let broker: BrokerProcess;
  const clients: Client[] = [];
  beforeAll(async () => {
    broker = await startBroker({
      program,
      webSocket: true,
      unixSocket: true,
      config: 'max_queued_messages 0\nmax_inflight_messages 100',
    });
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await broker.stop();
  });

  const open = async (options: ConnectOptions = {}, port = broker.port): Promise<Client> => {
    const client = await connect(`mqtt://127.0.0.1:${port}`, {
      reconnect: { firstDelayMs: 5, lastDelayMs: 50 },
      ...options,
    });
    clients.push(client);
    return client;
  };

  it.each(versions)('carries messages at each QoS both ways, protocol version %i', async (protocolVersion) => {
    const topic = uniqueName('t');
    const client = await open({ protocolVersion });
    expect(client.connack.reasonCode).toBe(0);
    const seen: string[] = [];
    await client.subscribe(`${topic}/#`, {
      qos: 2,
      onMessage: (message) =>
        void seen.push(`${message.topicName.slice(topic.length)} ${message.text()} q${message.qos}`),
    });
    for (const qos of levels) {
      const acknowledgement = await client.publish(`${topic}/${qos}`, `é ${qos}`, { qos });
      expect(acknowledgement === undefined).toBe(qos === 0);
    }
    await until(() => seen.length === 3, 'three messages');
    expect(seen).toEqual(['/0 é 0 q0', '/1 é 1 q1', '/2 é 2 q2']);
    expect(await client.ping()).toBeGreaterThan(0);
    await client.end();
    expect(await client.closed).toBeUndefined();
  });

  it.each(versions)('grants, keeps and replaces retained messages, protocol version %i', async (protocolVersion) => {
    const topic = uniqueName('retained');
    const client = await open({ protocolVersion });
    await client.publish(topic, 'old', { qos: 1, retain: true });
    await client.publish(topic, 'new', { qos: 1, retain: true });
    for await (const message of await client.subscribe(topic, { qos: 1 })) {
      expect([message.text(), message.retain]).toEqual(['new', true]);
      break;
    }
    await client.publish(topic, '', { qos: 1, retain: true });
    await client.end();
  });

  it('reports what was refused: connections of 3.1.1 and 5, messages at QoS 1 and 2', async () => {
    const closed = await startBroker({
      program,
      config: 'allow_anonymous true\nacl_file {directory}/acl',
      files: { acl: 'topic read open/#\ntopic write open/#\n' },
    });
    const refusing = await startBroker({ program, config: 'allow_anonymous false' });
    try {
      await expect(open({}, refusing.port)).rejects.toMatchObject({
        code: 'MQTT_ERR_REFUSED',
        reasonCode: ReasonCode.notAuthorized,
      });
      await expect(open({ protocolVersion: 4 }, refusing.port)).rejects.toMatchObject({
        reasonCode: ReasonCode.notAuthorized,
      });
      const client = await open({}, closed.port);
      await expect(client.publish('secret', '', { qos: 1 })).rejects.toMatchObject({
        code: 'MQTT_ERR_REFUSED',
        reasonCode: ReasonCode.notAuthorized,
      });
      await expect(client.publish('secret', '', { qos: 2 })).rejects.toMatchObject({ code: 'MQTT_ERR_REFUSED' });
      await client.end();
    } finally {
      await closed.stop();
      await refusing.stop();
    }
  });

  it.each(versions)(
    'leaves a will behind when it is destroyed, not when it ends, protocol version %i',
    async (protocolVersion) => {
      const topic = uniqueName('will');
      const watcher = await open();
      const seen: string[] = [];
      await watcher.subscribe(`${topic}/#`, { qos: 2, onMessage: (message) => void seen.push(message.topicName) });
      const withWill = (name: string) =>
        open({ protocolVersion, will: { topicName: `${topic}/${name}`, payload: 'gone', qos: 1 } });
      await (await withWill('ended')).end();
      (await withWill('destroyed')).destroy();
      await until(() => seen.length > 0, 'the will');
      await watcher.publish(`${topic}/last`, '', { qos: 2 });
      await until(() => seen.length === 2, 'the last message');
      expect(seen).toEqual([`${topic}/destroyed`, `${topic}/last`]);
      await watcher.end();
    },
  );

  it('passes the properties of MQTT 5 through', async () => {
    const topic = uniqueName('properties');
    const client = await open();
    const properties = {
      payloadFormatIndicator: 1,
      messageExpiryInterval: 100,
      contentType: 'text/plain',
      responseTopic: 'answer',
      correlationData: Uint8Array.of(1, 2, 3),
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ] as const,
    };
    const subscription = await client.subscribe(topic, { qos: 1, properties: { subscriptionIdentifiers: [42] } });
    await client.publish(topic, 'x', { qos: 1, properties });
    for await (const message of subscription) {
      expect(message.properties).toMatchObject({ ...properties, subscriptionIdentifiers: [42] });
      break;
    }
    await client.end();
  });

  it('takes an assigned client identifier, and speaks with Topic Aliases', async () => {
    const topic = uniqueName('aliased');
    const assigned = await open({ clientIdentifier: '' });
    expect(assigned.clientIdentifier).toMatch(/^auto-/);
    const options = { useTopicAliases: true, properties: { topicAliasMaximum: 10 } };
    const client = await open(options);
    expect(client.connack.properties?.topicAliasMaximum).toBeGreaterThan(0);
    const seen: string[] = [];
    await client.subscribe(topic, { onMessage: (message) => void seen.push(message.topicName) });
    for (let count = 0; count < 5; count++) await client.publish(topic, '');
    await until(() => seen.length === 5, 'five messages');
    expect(new Set(seen)).toEqual(new Set([topic]));
    await Promise.all([client.end(), assigned.end()]);
  });

  it('asks and answers', async () => {
    const topic = uniqueName('ask');
    const responder = await open();
    await responder.subscribe(topic, {
      onMessage: async ({ properties, payload }) => {
        const { responseTopic, correlationData } = properties!;
        await responder.publish(responseTopic!, payload.toReversed(), {
          properties: { correlationData: correlationData! },
        });
      },
    });
    const asker = await open();
    const answers = await Promise.all(['abc', 'xyz', '12'].map((text) => asker.request(topic, text)));
    expect(answers.map((answer) => answer.text())).toEqual(['cba', 'zyx', '21']);
    await expect(asker.request(uniqueName('nobody'), '', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'MQTT_ERR_TIMEOUT',
    });
    await Promise.all([asker.end(), responder.end()]);
  });

  it('carries payloads of several mebibytes, whole', async () => {
    const topic = uniqueName('large');
    const client = await open();
    const payload = pattern(3 * 1_048_576 + 17);
    const messages: ReceivedMessage[] = [];
    await client.subscribe(topic, { qos: 2, onMessage: (message) => void messages.push(message) });
    await Promise.all(levels.map((qos) => client.publish(topic, payload, { qos })));
    await until(() => messages.length === 3, 'three large messages');
    for (const message of messages) expect(Buffer.compare(message.payload, payload)).toBe(0);
    await client.end();
  });

  it('loses none of 100,000 messages at QoS 1 when the reader is slow', async () => {
    const topic = uniqueName('slow');
    const count = 100_000;
    const reader = await open({ receiveQueueMax: 50 });
    let next = 0;
    await reader.subscribe(topic, {
      qos: 1,
      onMessage: async (message) => {
        expect(Number(message.text())).toBe(next);
        next++;
        if (next % 500 === 0) await delay(1);
        else if (next % 7 === 0) await Promise.resolve();
      },
    });
    const writer = await open({ offlineQueueMax: count });
    for (let number = 0; number < count; number++) writer.publishNow(topic, String(number), { qos: 1 });
    await writer.drain();
    await until(
      () => next === count,
      'all messages',
      50_000,
      () => `${next} came`,
    );
    await Promise.all([reader.end(), writer.end()]);
  });

  it('resumes its Session after its connection was cut, at QoS 1 and 2: nothing lost, QoS 2 never twice', async () => {
    let cuts = 0;
    let packets = 0;
    // Every 97th packet is lost and ends the connection, whichever way it went.
    const recorder = await startWireRecorder(broker.port, {
      fate: (packet) => {
        packets++;
        if (cuts >= 12 || packets % 97 !== 0 || packet.name === 'CONNECT' || packet.name === 'CONNACK') return 'pass';
        cuts++;
        return 'cut';
      },
    });
    try {
      const topic = uniqueName('cut');
      const seen = { 1: [] as number[], 2: [] as number[] };
      const lasting = { cleanStart: true, sessionExpiryInterval: 600, clientIdentifier: uniqueName('c') };
      const client = await open(lasting, recorder.port);
      let losses = 0;
      client.on('disconnect', () => losses++);
      await client.subscribe(`${topic}/+`, {
        qos: 2,
        onMessage: (message) => void seen[message.qos as 1 | 2].push(Number(message.text())),
      });
      const done: Promise<unknown>[] = [];
      for (let number = 0; number < 200; number++) {
        for (const qos of [1, 2] as const) done.push(client.publish(`${topic}/${qos}`, String(number), { qos }));
        if (number % 20 === 0) await delay(2);
      }
      await Promise.all(done);
      const all = Array.from({ length: 200 }, (_, number) => number);
      await until(() => seen[2].length >= 200 && new Set(seen[1]).size === 200, 'all messages');
      expect(losses).toBeGreaterThan(0);
      expect(seen[2]).toEqual(all);
      expect([...new Set(seen[1])]).toEqual(all);
      await client.end();
    } finally {
      await recorder.close();
    }
  });

  it.each([4, 5] as const)('gets what a persistent Session kept, protocol version %i', async (protocolVersion) => {
    const topic = uniqueName('kept');
    const options = {
      protocolVersion,
      clientIdentifier: uniqueName('p'),
      cleanStart: false,
      ...(protocolVersion === 5 && { sessionExpiryInterval: 600 }),
    };
    const first = await open(options);
    expect(first.connack.sessionPresent).toBe(false);
    await first.subscribe(topic, { qos: 1, onMessage: () => {} });
    await first.end();
    const writer = await open();
    for (const text of ['1', '2', '3']) await writer.publish(topic, text, { qos: 1 });
    const seen: string[] = [];
    const second = await open({ ...options, onMessage: (message) => void seen.push(message.text()) });
    expect(second.connack.sessionPresent).toBe(true);
    await until(() => seen.length === 3, 'what was kept');
    expect(seen).toEqual(['1', '2', '3']);
    await Promise.all([second.end(), writer.end()]);
  });

  it('comes back to a server that was restarted and forgot everything', async () => {
    const port = await freePort();
    const config = `allow_anonymous true\nlistener ${port} 127.0.0.1`;
    let server = await startBroker({ program, config });
    const topic = uniqueName('restart');
    const lasting = { sessionExpiryInterval: 600 };
    const client = await open(lasting, port);
    const seen: string[] = [];
    await client.subscribe(topic, { qos: 1, onMessage: (message) => void seen.push(message.text()) });
    await client.publish(topic, 'before', { qos: 1 });
    await until(() => seen.length === 1, 'the first message');
    const connected = new Promise<boolean>((resolve) =>
      client.on('connect', (connack) => resolve(connack.sessionPresent)),
    );
    await server.stop();
    await until(() => client.state === 'reconnecting', 'the loss');
    const offline = levels.map((qos) => client.publish(topic, `offline ${qos}`, { qos }));
    server = await startBroker({ program, config });
    try {
      expect(await connected).toBe(false);
      await Promise.all(offline);
      await until(() => seen.length === 4, 'what was published meanwhile');
      expect(seen.sort()).toEqual(['before', 'offline 0', 'offline 1', 'offline 2']);
      await client.end();
    } finally {
      await server.stop();
    }
  });

  it('connects over WebSocket and Unix socket, and with the code for browsers', async () => {
    const topic = uniqueName('ways');
    const url = `ws://127.0.0.1:${broker.wsPort}/mqtt`;
    const inBrowser = {
      transport: () =>
        connectWeb(url, { open: (address, names) => new BrowserLike(address, names) as unknown as WebSocketLike }),
    };
    const ways = await Promise.all([
      ...versions.map((protocolVersion) => connect(url, { protocolVersion })),
      connect(`unix://${broker.unixPath}`),
      connectInBrowser(url, inBrowser),
    ]);
    clients.push(...ways);
    const seen: string[] = [];
    for (const [index, client] of ways.entries()) {
      await client.subscribe(topic, {
        qos: 1,
        onMessage: (message) => void seen.push(`${index} got ${message.text()}`),
      });
    }
    for (const [index, client] of ways.entries()) await client.publish(topic, String(index), { qos: 1 });
    await until(() => seen.length === 25, 'each message at each client');
    expect(new Set(seen).size).toBe(25);
    // Larger ones come too, but mosquitto 2.0.11 takes five seconds to send them over a WebSocket.
    const payload = pattern(30_000);
    for (const client of ways) {
      const subscription = await client.subscribe(`${topic}/large`, { qos: 1 });
      await client.publish(`${topic}/large`, payload, { qos: 1 });
      for await (const message of subscription) {
        expect(Buffer.compare(message.payload, payload)).toBe(0);
        break;
      }
    }
    await Promise.all(ways.map((client) => client.end()));
  });

  // Ours does not listen with TLS.
  if (program === 'clearwing') return;

  it('connects over TLS, and says why it does not', async () => {
    const secure = await startBroker({
      program,
      config: [
        'allow_anonymous true',
        'listener {port} 127.0.0.1',
        'certfile {directory}/cert.pem',
        'keyfile {directory}/key.pem',
        'listener {wsPort} 127.0.0.1',
        'protocol websockets',
        'certfile {directory}/cert.pem',
        'keyfile {directory}/key.pem',
      ].join('\n'),
      files: { 'cert.pem': certificate.cert, 'key.pem': certificate.key },
    });
    try {
      const tls = { ca: certificate.cert };
      const client = await connect(`mqtts://localhost:${secure.port}`, { tls, reconnect: false });
      await client.publish('a', 'b', { qos: 1 });
      await client.end();
      const overWebSocket = await connect(`wss://localhost:${secure.wsPort}/`, { tls, reconnect: false });
      await overWebSocket.publish('a', 'b', { qos: 1 });
      await overWebSocket.end();
      await expect(connect(`mqtts://localhost:${secure.port}`)).rejects.toMatchObject({
        code: 'MQTT_ERR_CONNECTION_FAILED',
        cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      });
      const unchecked = await connect(`mqtts://localhost:${secure.port}`, { tls: { rejectUnauthorized: false } });
      await unchecked.end();
    } finally {
      await secure.stop();
    }
  });
}

describeWithPeer('mosquitto', 'the client and mosquitto', () => suite('mosquitto'));
describe('the client and our broker', () => suite('clearwing'));

/** The class that browsers have, in Node: the one of `ws` with the same interface. */
const { WebSocket: BrowserLike } = await import('ws');
