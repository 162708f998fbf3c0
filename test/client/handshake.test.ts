import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { connack, publish, ScriptedServer, settle } from './scripted-server.ts';

describe('connecting', () => {
  it('sends CONNECT with what the options say', async () => {
    const server = new ScriptedServer();
    const starting = server.start({
      clientIdentifier: 'sensor-1',
      cleanStart: false,
      sessionExpiryInterval: 3_600,
      keepAlive: 15,
      username: 'ada',
      password: 'secret',
      properties: { receiveMaximum: 7 },
      will: { topicName: 'gone', payload: 'bye', qos: 1, retain: true, properties: { willDelayInterval: 5 } },
    });
    const packet = await (await server.connection(1)).accept();
    expect(packet).toEqual({
      type: PacketType.CONNECT,
      protocolVersion: 5,
      isBridge: false,
      cleanStart: false,
      keepAlive: 15,
      clientIdentifier: 'sensor-1',
      username: 'ada',
      password: new TextEncoder().encode('secret'),
      properties: { receiveMaximum: 7, sessionExpiryInterval: 3_600 },
      willMessage: {
        topicName: 'gone',
        payload: new TextEncoder().encode('bye'),
        qos: 1,
        retain: true,
        properties: { willDelayInterval: 5 },
      },
    });
    const client = await starting;
    expect(client.state).toBe('connected');
    client.destroy();
  });

  it('makes a client identifier up, of characters that every server takes [MQTT-3.1.3-5]', async () => {
    const server = new ScriptedServer();
    const starting = server.start();
    const { clientIdentifier } = await (await server.connection(1)).accept();
    expect(clientIdentifier).toMatch(/^[0-9a-zA-Z]{1,23}$/);
    const client = await starting;
    expect(client.clientIdentifier).toBe(clientIdentifier);
    client.destroy();
  });

  it('[MQTT-3.1.3-7] takes the identifier that the server assigned, and comes back with it', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ clientIdentifier: '' }, { assignedClientIdentifier: 'given-7' });
    expect(client.clientIdentifier).toBe('given-7');
    side.cut();
    const again = await server.connection(2);
    expect((await again.accept()).clientIdentifier).toBe('given-7');
    client.destroy();
  });

  it('rejects with the Reason Code of a CONNACK that refuses, and its Reason String', async () => {
    const server = new ScriptedServer();
    const starting = server.start();
    const side = await server.connection(1);
    await side.take('CONNECT');
    const reasonCode = ReasonCode.notAuthorized;
    side.send({ ...connack({ reasonString: 'not today' }), reasonCode });
    await expect(starting).rejects.toMatchObject({ code: 'MQTT_ERR_REFUSED', reasonCode });
    await expect(starting).rejects.toThrow('the server refused the connection: Not authorized (not today)');
    await side.until(() => side.isClosed);
  });

  it('rejects with the Reason Code that stands for a return code of 3.1.1', async () => {
    const server = new ScriptedServer();
    const starting = server.start({ protocolVersion: 4 });
    const side = await server.connection(1);
    await side.take('CONNECT');
    side.transport.write(Uint8Array.of(0x20, 2, 0, 4));
    await expect(starting).rejects.toMatchObject({ reasonCode: ReasonCode.badUserNameOrPassword });
  });

  it('rejects when the connection ends before CONNACK', async () => {
    const server = new ScriptedServer();
    const starting = server.start();
    const side = await server.connection(1);
    await side.take('CONNECT');
    side.cut();
    await expect(starting).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
  });

  it('rejects with the error of the system as its cause when there is no connection', async () => {
    const server = new ScriptedServer();
    server.failure = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const error = await server.start().catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED', cause: { code: 'ECONNREFUSED' } });
  });

  it('[MQTT-3.2.0-1] rejects a packet before CONNACK, and bytes that are no MQTT', async () => {
    for (const bytes of [Uint8Array.of(0xd0, 0), new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')]) {
      const server = new ScriptedServer();
      const starting = server.start();
      const side = await server.connection(1);
      await side.take('CONNECT');
      side.transport.write(bytes);
      await expect(starting).rejects.toMatchObject({ code: /MQTT_ERR_(PROTOCOL|MALFORMED)/ });
      await side.until(() => side.isClosed);
    }
  });

  it('[MQTT-3.2.2-2] rejects Session Present after Clean Start', async () => {
    const server = new ScriptedServer();
    const starting = server.start();
    const side = await server.connection(1);
    await side.take('CONNECT');
    side.send(connack(undefined, true));
    await expect(starting).rejects.toMatchObject({ code: 'MQTT_ERR_PROTOCOL', rule: 'MQTT-3.2.2-2' });
  });

  it('gives up after connectTimeoutMs, whether the stream or the CONNACK does not come', async () => {
    const clock = new VirtualClock();
    const server = new ScriptedServer();
    const noConnack = server.start({ connectTimeoutMs: 3_000 }, clock);
    const noStream = server.start({ connectTimeoutMs: 3_000, transport: () => new Promise(() => {}) }, clock);
    const outcomes = [noConnack, noStream].map((starting) => starting.catch((error: Error) => error));
    const side = await server.connection(1);
    await clock.advanceAsync(2_999);
    expect(side.isClosed).toBe(false);
    await clock.advanceAsync(1);
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ code: 'MQTT_ERR_TIMEOUT' });
      expect((outcome as Error).message).toBe('no connection to scripted.test:1883 within 3000 ms');
    }
    await side.until(() => side.isClosed);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stops when its signal is aborted, before, during and after', async () => {
    const aborted = { code: 'MQTT_ERR_ABORTED' };
    const server = new ScriptedServer();
    await expect(server.start({ signal: AbortSignal.abort() })).rejects.toMatchObject(aborted);
    expect(server.connections).toHaveLength(0);

    const during = new AbortController();
    const starting = server.start({ signal: during.signal });
    const first = await server.connection(1);
    await first.take('CONNECT');
    during.abort();
    await expect(starting).rejects.toMatchObject(aborted);
    await first.until(() => first.isClosed);

    const after = new AbortController();
    const again = server.start({ signal: after.signal });
    const second = await server.connection(2);
    await second.accept();
    const client = await again;
    const pending = client.publish('a', 'b', { qos: 1 });
    await second.take('PUBLISH');
    after.abort();
    await expect(pending).rejects.toMatchObject(aborted);
    expect(await client.closed).toMatchObject(aborted);
    await second.take('DISCONNECT');
    await second.until(() => second.isClosed);
  });

  it('retries the first connection only if told to, and not after a refusal for good', async () => {
    const server = new ScriptedServer();
    server.failure = new Error('unreachable');
    await expect(server.start()).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED' });

    let attempts = 0;
    const transport = async () => {
      attempts++;
      if (attempts === 3) server.failure = undefined;
      return server.transport();
    };
    const reconnect = { initially: true, firstDelayMs: 1, lastDelayMs: 1 };
    const starting = server.start({ transport, reconnect });
    const side = await server.connection(1);
    await side.take('CONNECT');
    side.send({ ...connack(), reasonCode: ReasonCode.badUserNameOrPassword });
    await expect(starting).rejects.toMatchObject({ code: 'MQTT_ERR_REFUSED' });
    expect(attempts).toBe(3);

    server.failure = new Error('unreachable');
    attempts = -10;
    const gaveUp = server.start({ transport, reconnect: { ...reconnect, attemptsMax: 4 } });
    await expect(gaveUp).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED' });
    expect(attempts).toBe(-6);
  });

  it('handles what follows CONNACK in the same bytes', async () => {
    const server = new ScriptedServer();
    const topics: string[] = [];
    const onMessage = (message: { topicName: string }) => void topics.push(message.topicName);
    const starting = server.start({ onMessage, cleanStart: false, sessionExpiryInterval: 60 });
    const side = await server.connection(1);
    await side.take('CONNECT');
    side.send(connack(undefined, true), publish('one', '1', { qos: 1, id: 1 }), publish('two', '2', { qos: 1, id: 2 }));
    const client = await starting;
    expect((await side.take('PUBACK')).packetIdentifier).toBe(1);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(2);
    expect(topics).toEqual(['one', 'two']);
    client.destroy();
  });
});

describe('enhanced authentication', () => {
  const method = { authenticationMethod: 'ECHO' };
  const auth = (reasonCode: ReasonCode, data: number) =>
    ({
      type: PacketType.AUTH,
      reasonCode,
      properties: { ...method, authenticationData: Uint8Array.of(data) },
    }) as const;

  it('[MQTT-4.12.0-3] answers challenges until CONNACK', async () => {
    const server = new ScriptedServer();
    const starting = server.start({
      properties: method,
      authenticate: async (data) => Uint8Array.of(...(data ?? []), 1),
    });
    const side = await server.connection(1);
    expect((await side.take('CONNECT')).properties).toEqual(method);
    for (const challenge of [7, 8]) {
      side.send(auth(ReasonCode.continueAuthentication, challenge));
      const answer = await side.take('AUTH');
      expect(answer.reasonCode).toBe(ReasonCode.continueAuthentication);
      expect(answer.properties).toEqual({ ...method, authenticationData: Uint8Array.of(challenge, 1) });
    }
    side.send(connack(method));
    (await starting).destroy();
  });

  it('rejects when authenticate throws, and an AUTH that nobody asked for', async () => {
    const server = new ScriptedServer();
    const authenticate = () => {
      throw new Error('no key');
    };
    const failing = server.start({ properties: method, authenticate });
    const first = await server.connection(1);
    await first.take('CONNECT');
    first.send(auth(ReasonCode.continueAuthentication, 1));
    await expect(failing).rejects.toThrow('no key');

    const unasked = server.start();
    const second = await server.connection(2);
    await second.take('CONNECT');
    second.send(auth(ReasonCode.continueAuthentication, 1));
    await expect(unasked).rejects.toMatchObject({ code: 'MQTT_ERR_PROTOCOL' });
  });

  it('authenticates again on the open connection', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ properties: method, authenticate: () => Uint8Array.of(9) });
    const done = client.reauthenticate(Uint8Array.of(1));
    expect(await side.take('AUTH')).toEqual(auth(ReasonCode.reAuthenticate, 1));
    side.send(auth(ReasonCode.continueAuthentication, 2));
    expect(await side.take('AUTH')).toEqual(auth(ReasonCode.continueAuthentication, 9));
    side.send(auth(ReasonCode.success, 3));
    await done;
    const refused = client.reauthenticate();
    await side.take('AUTH');
    side.send({ type: PacketType.DISCONNECT, reasonCode: ReasonCode.notAuthorized, properties: undefined });
    await expect(refused).rejects.toMatchObject({ reasonCode: ReasonCode.notAuthorized });
    client.destroy();
    await settle();
  });
});
