import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/base/clock.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { connack, publish, ScriptedServer, settle } from './scripted-server.ts';

const lasting = { cleanStart: false, sessionExpiryInterval: 3_600 };

describe('coming back', () => {
  it('waits ever longer, up to the last delay, less a tenth by chance here, and starts over once a connection lasted', async () => {
    const clock = new VirtualClock();
    const server = new ScriptedServer();
    const starts: number[] = [];
    const transport = () => {
      starts.push(clock.monotonic());
      return server.transport();
    };
    const starting = server.start({ transport, reconnect: { firstDelayMs: 1_000, lastDelayMs: 5_000 } }, clock);
    const side = await server.connection(1);
    await clock.advanceAsync(0);
    side.send(connack());
    const client = await starting;
    const errors: Error[] = [];
    const events: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    client.on('disconnect', (error, willReconnect) => events.push([(error as Error).message, willReconnect]));
    client.on('connect', (packet) => events.push(packet.type));
    server.failure = new Error('unreachable');
    side.cut();
    await clock.advanceAsync(0);
    expect(client.state).toBe('reconnecting');
    await clock.advanceAsync(20_000);
    // `random` is 0.5 in these tests, so 10 % are taken off.
    expect(starts).toEqual([0, 900, 2_700, 6_300, 10_800, 15_300, 19_800]);
    expect(errors).toHaveLength(6);
    expect(errors[0]).toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED' });
    server.failure = undefined;
    await clock.advanceAsync(5_000);
    const again = await server.connection(2);
    again.send(connack());
    await clock.advanceAsync(0);
    expect(client.state).toBe('connected');
    // A connection that lasted less than the last delay proves nothing.
    await clock.advanceAsync(4_999);
    again.cut();
    await clock.advanceAsync(4_499);
    expect(server.connections).toHaveLength(2);
    await clock.advanceAsync(1);
    const third = await server.connection(3);
    third.send(connack());
    await clock.advanceAsync(5_000);
    third.cut();
    await clock.advanceAsync(899);
    expect(server.connections).toHaveLength(3);
    await clock.advanceAsync(1);
    expect(server.connections).toHaveLength(4);
    const lost = ['the server closed the connection', true];
    expect(events).toEqual([lost, PacketType.CONNACK, lost, PacketType.CONNACK, lost]);
    client.destroy();
    await clock.advanceAsync(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up after attemptsMax, and then everything that waits fails', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ reconnect: { firstDelayMs: 1, lastDelayMs: 1, attemptsMax: 3 } });
    let failures = 0;
    client.on('error', () => failures++);
    const pending = client.publish('a', '', { qos: 1 });
    const outcome = pending.catch((error: Error) => error);
    server.failure = Object.assign(new Error('unreachable'), { code: 'EHOSTUNREACH' });
    side.cut();
    const error = await client.closed;
    expect(error).toMatchObject({ code: 'MQTT_ERR_CONNECTION_FAILED', cause: { code: 'EHOSTUNREACH' } });
    expect(failures).toBe(2);
    expect(client.state).toBe('closed');
    expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED', cause: error });
    await expect(client.publish('a', '')).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    await expect(client.subscribe('a')).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(() => client.publishNow('a', '')).toThrow('the client was ended');
  });

  it('does not come back with reconnect false; the reason is what closed says', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ reconnect: false });
    const events: unknown[] = [];
    client.on('disconnect', (error, willReconnect) => events.push([(error as Error).message, willReconnect]));
    const reasonCode = ReasonCode.serverShuttingDown;
    side.send({ type: PacketType.DISCONNECT, reasonCode, properties: { reasonString: 'maintenance' } });
    expect(await client.closed).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED', reasonCode });
    expect(events).toEqual([['the server closed the connection: Server shutting down (maintenance)', false]]);
    await side.until(() => side.isClosed);
  });

  it('does not take a Session back that another client took over', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    side.send({ type: PacketType.DISCONNECT, reasonCode: ReasonCode.sessionTakenOver, properties: undefined });
    expect(await client.closed).toMatchObject({ reasonCode: ReasonCode.sessionTakenOver });
    await settle();
    expect(server.connections).toHaveLength(1);
  });

  it('comes back after other reasons, but not to a server that refuses for good', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    side.send({ type: PacketType.DISCONNECT, reasonCode: ReasonCode.serverBusy, properties: undefined });
    const second = await server.connection(2);
    await second.take('CONNECT');
    second.send({ ...connack(), reasonCode: ReasonCode.serverUnavailable });
    const third = await server.connection(3);
    await third.take('CONNECT');
    third.send({ ...connack(), reasonCode: ReasonCode.unsupportedProtocolVersion });
    expect(await client.closed).toMatchObject({ reasonCode: ReasonCode.unsupportedProtocolVersion });
  });

  it('subscribes again to what was granted if the server lost the Session, and only then', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    const seen: string[] = [];
    const onMessage = (message: { topicName: string }) => void seen.push(message.topicName);
    const options = { qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 1, onMessage } as const;
    const subscribing = client.subscribe(['a', 'refused', 'b'], {
      ...options,
      properties: { subscriptionIdentifiers: [7] },
    });
    const { packetIdentifier } = await side.take('SUBSCRIBE');
    const reasonCodes = [ReasonCode.grantedQos1, ReasonCode.notAuthorized, ReasonCode.success];
    side.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes, properties: undefined });
    const subscription = await subscribing;
    expect(subscription.reasonCodes).toEqual(reasonCodes);
    const other = client.subscribe('gone', { onMessage });
    await side.grant();
    const leaving = (await other).unsubscribe();
    const unsubscribe = await side.take('UNSUBSCRIBE');
    side.send({
      type: PacketType.UNSUBACK,
      packetIdentifier: unsubscribe.packetIdentifier,
      reasonCodes: [0],
      properties: undefined,
    });
    await leaving;

    side.cut();
    const kept = await server.connection(2);
    await kept.accept(undefined, true);
    await settle();
    expect(kept.unread).toEqual([]);
    kept.cut();
    const lost = await server.connection(3);
    await lost.accept(undefined, false);
    const again = await lost.take('SUBSCRIBE');
    const { onMessage: _, ...wire } = options;
    expect(again.subscriptions).toEqual(['a', 'b'].map((topicFilter) => ({ topicFilter, ...wire })));
    expect(again.properties).toEqual({ subscriptionIdentifiers: [7] });
    lost.send({
      type: PacketType.SUBACK,
      packetIdentifier: again.packetIdentifier,
      reasonCodes: [ReasonCode.grantedQos1, ReasonCode.notAuthorized],
      properties: undefined,
    });
    lost.send(publish('a', ''), publish('b', ''));
    await settle();
    expect(seen).toEqual(['a']);
    expect(errors).toMatchObject([{ code: 'MQTT_ERR_REFUSED', reasonCode: ReasonCode.notAuthorized }]);
    expect(subscription.suback.reasonCodes).toEqual([ReasonCode.grantedQos1, ReasonCode.notAuthorized]);
    client.destroy();
  });

  it('repeats a SUBSCRIBE and an UNSUBSCRIBE that were not answered', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const subscribing = client.subscribe('a');
    await side.take('SUBSCRIBE');
    const leaving = client.unsubscribe('b');
    await side.take('UNSUBSCRIBE');
    side.cut();
    const again = await server.connection(2);
    await again.accept(undefined, false);
    await again.grant();
    const { packetIdentifier } = await again.take('UNSUBSCRIBE');
    again.send({ type: PacketType.UNSUBACK, packetIdentifier, reasonCodes: [0], properties: undefined });
    expect((await subscribing).topicFilters).toEqual(['a']);
    await leaving;
    await settle();
    expect(again.unread).toEqual([]);
    client.destroy();
  });

  it('subscribes again once only if the connection is lost meanwhile', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    const subscribing = client.subscribe('a');
    await side.grant();
    await subscribing;
    side.cut();
    const second = await server.connection(2);
    await second.accept();
    await second.take('SUBSCRIBE');
    second.cut();
    const third = await server.connection(3);
    await third.accept();
    await third.grant();
    await settle();
    expect(third.unread).toEqual([]);
    client.destroy();
  });

  it('wants a new Session again if the old one ended with its connection, and the old one otherwise', async () => {
    for (const { options, expected } of [
      { options: { cleanStart: true }, expected: true },
      { options: { cleanStart: true, sessionExpiryInterval: 10 }, expected: false },
      { options: { cleanStart: true, protocolVersion: 4 as const }, expected: true },
      { options: { cleanStart: false, protocolVersion: 4 as const, clientIdentifier: 'x' }, expected: false },
    ]) {
      const server = new ScriptedServer();
      const { client, side } = await server.connected(options);
      expect(side.connectPacket!.cleanStart).toBe(options.cleanStart);
      side.cut();
      const again = await server.connection(2);
      expect((await again.accept()).cleanStart).toBe(expected);
      client.destroy();
    }
  });
});

describe('what a server must not do', () => {
  it('ends the connection with the right Reason Code, and the client comes back', async () => {
    const cases: [string, Uint8Array, number][] = [
      ['a second CONNACK', Uint8Array.of(0x20, 3, 0, 0, 0), ReasonCode.protocolError],
      ['a SUBSCRIBE', Uint8Array.of(0x82, 7, 0, 1, 0, 0, 1, 0x61, 0), ReasonCode.protocolError],
      ['reserved flags', Uint8Array.of(0x62 ^ 0x01, 2, 0, 1), ReasonCode.malformedPacket],
      ['QoS 3', Uint8Array.of(0x36, 6, 0, 1, 0x61, 0, 1, 0), ReasonCode.malformedPacket],
      ['an AUTH', Uint8Array.of(0xf0, 0), ReasonCode.protocolError],
    ];
    for (const [name, bytes, reasonCode] of cases) {
      const server = new ScriptedServer();
      const { client, side } = await server.connected();
      side.transport.write(bytes);
      expect((await side.take('DISCONNECT')).reasonCode, name).toBe(reasonCode);
      await side.until(() => side.isClosed);
      await (await server.connection(2)).accept();
      client.destroy();
    }
  });

  it('[MQTT-3.8.4-6] includes a SUBACK with too few Reason Codes', async () => {
    const { client, side } = await new ScriptedServer().connected({ reconnect: false });
    const outcome = client.subscribe(['a', 'b']).catch((error: Error) => error);
    const { packetIdentifier } = await side.take('SUBSCRIBE');
    side.send({ type: PacketType.SUBACK, packetIdentifier, reasonCodes: [0], properties: undefined });
    expect((await side.take('DISCONNECT')).reasonCode).toBe(ReasonCode.protocolError);
    expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(await client.closed).toMatchObject({ rule: 'MQTT-3.8.4-6' });
  });

  it('closes without DISCONNECT in 3.1.1, which has no reasons, and takes a DISCONNECT there as a fault', async () => {
    const { client, side } = await new ScriptedServer().connected({ protocolVersion: 4, reconnect: false });
    side.transport.write(Uint8Array.of(0xe0, 0));
    await side.until(() => side.isClosed);
    expect(side.unread).toEqual([]);
    expect(await client.closed).toMatchObject({ code: 'MQTT_ERR_PROTOCOL' });
  });
});

describe('keeping alive', () => {
  const answering = async (keepAlive: number, properties = {}) => {
    const clock = new VirtualClock();
    const server = new ScriptedServer();
    const starting = server.start({ keepAlive, reconnect: false }, clock);
    const side = await server.connection(1);
    await clock.advanceAsync(0);
    await side.take('CONNECT');
    side.send(connack(properties));
    const client = await starting;
    return { clock, client, side };
  };

  it('[MQTT-3.1.2-20] sends PINGREQ after each keep alive time without other packets', async () => {
    const { clock, client, side } = await answering(6);
    for (let round = 0; round < 4; round++) {
      await clock.advanceAsync(5_999);
      expect(side.unread).toEqual([]);
      await clock.advanceAsync(1);
      await side.take('PINGREQ');
      side.send({ type: PacketType.PINGRESP });
    }
    expect(client.state).toBe('connected');
    client.destroy();
    expect(clock.pendingTimers).toBe(0);
  });

  it('[MQTT-3.2.2-21] goes by the Server Keep Alive instead, and sends none at 0', async () => {
    const { clock, client, side } = await answering(6, { serverKeepAlive: 2 });
    await clock.advanceAsync(2_000);
    await side.take('PINGREQ');
    client.destroy();
    const never = await answering(0);
    await never.clock.advanceAsync(1_000_000);
    expect(never.side.unread).toEqual([]);
    never.client.destroy();
  });

  it('sends none while messages go out and come in, but asks a server from which nothing comes', async () => {
    const { clock, client, side } = await answering(10);
    for (let second = 0; second < 30; second++) {
      await client.publish('a', '');
      side.send(publish('b', ''));
      await clock.advanceAsync(1_000);
      await side.take('PUBLISH');
      expect(side.unread).toEqual([]);
    }
    for (let second = 0; second < 9; second++) {
      await client.publish('a', '');
      await clock.advanceAsync(1_000);
      await side.take('PUBLISH');
    }
    await side.take('PINGREQ');
    client.destroy();
  });

  it('gives a server up that is silent for as long again', async () => {
    const { clock, client, side } = await answering(10);
    await clock.advanceAsync(19_999);
    await side.take('PINGREQ');
    expect(client.state).toBe('connected');
    await clock.advanceAsync(1);
    expect(await client.closed).toMatchObject({
      code: 'MQTT_ERR_TIMEOUT',
      message: 'the server did not answer within the keep alive time',
    });
    expect(side.isClosed).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not take its own pause for the silence of the server', async () => {
    const clock = new VirtualClock();
    const server = new ScriptedServer();
    const starting = server.start({ keepAlive: 10, reconnect: false, receiveQueueMax: 1 }, clock);
    const side = await server.connection(1);
    await clock.advanceAsync(0);
    await side.accept();
    const client = await starting;
    const subscribing = client.subscribe('a', { onMessage: () => new Promise<void>(() => {}) });
    await clock.advanceAsync(0);
    await side.grant();
    await subscribing;
    side.send(publish('a', '1'), publish('a', '2'), publish('a', '3'));
    for (let round = 0; round < 5; round++) {
      await clock.advanceAsync(10_000);
      await side.take('PINGREQ');
      side.send({ type: PacketType.PINGRESP });
    }
    expect(client.state).toBe('connected');
    client.destroy();
  });

  it('ping resolves with the round-trip time', async () => {
    const { clock, client, side } = await answering(0);
    const first = client.ping();
    const second = client.ping();
    await clock.advanceAsync(25);
    side.send({ type: PacketType.PINGRESP });
    expect(await first).toBe(25);
    side.cut();
    await expect(second).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    await expect(client.ping()).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
  });
});

describe('the end', () => {
  it('waits for acknowledgements, says DISCONNECT and closes', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const pending = client.publish('a', '', { qos: 1 });
    const ending = client.end({
      reasonCode: ReasonCode.disconnectWithWillMessage,
      properties: { reasonString: 'bye' },
    });
    expect(client.state).toBe('closing');
    await expect(client.publish('a', '')).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    await side.take('PUBLISH');
    await settle();
    expect(side.unread).toEqual([]);
    side.acknowledge('PUBACK', 1);
    await pending;
    expect(await side.take('DISCONNECT')).toMatchObject({
      reasonCode: ReasonCode.disconnectWithWillMessage,
      properties: { reasonString: 'bye' },
    });
    await ending;
    expect(client.state).toBe('closed');
    expect(await client.closed).toBeUndefined();
    await side.until(() => side.isClosed);
    await client.end();
    client.destroy();
  });

  it('with force waits for nothing, and a second end can add the force', async () => {
    for (const isSecond of [false, true]) {
      const { client, side } = await new ScriptedServer().connected();
      const outcome = client.publish('a', '', { qos: 2 }).catch((error: Error) => error);
      const first = isSecond ? client.end() : undefined;
      await client.end({ force: true });
      await first;
      expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
      await side.take('PUBLISH');
      await side.take('DISCONNECT');
    }
  });

  it('without a connection waits for nobody', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ reconnect: { firstDelayMs: 1_000_000, lastDelayMs: 1_000_000 } });
    side.cut();
    await settle();
    expect(client.state).toBe('reconnecting');
    const outcome = client.publish('a', '').catch((error: Error) => error);
    const drained = client.drain().catch((error: Error) => error);
    await client.end();
    expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(await drained).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(await client.closed).toBeUndefined();
  });

  it('comes early if the connection is lost while it waits', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    const outcome = client.publish('a', '', { qos: 1 }).catch((error: Error) => error);
    const ending = client.end();
    await side.take('PUBLISH');
    side.cut();
    await ending;
    expect(await client.closed).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    await settle();
    expect(server.connections).toHaveLength(1);
  });

  it('by destroy drops the connection without a word', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    client.destroy();
    expect(client.state).toBe('closed');
    await side.until(() => side.isClosed);
    expect(side.unread).toEqual([]);
    expect(await client.closed).toBeUndefined();
    await settle();
    expect(server.connections).toHaveLength(1);
  });

  it('in a listener of the loss is respected', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    client.on('disconnect', () => client.destroy());
    side.cut();
    await client.closed;
    await settle();
    expect(server.connections).toHaveLength(1);
  });
});
