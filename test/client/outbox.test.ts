import { describe, expect, it } from 'vitest';
import { MqttError } from '../../src/protocol/errors.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { ScriptedServer, type ServerSide, settle, textOf } from './scripted-server.ts';

/** The payloads of the next `count` PUBLISH packets. */
async function payloads(side: ServerSide, count: number): Promise<string[]> {
  const texts: string[] = [];
  for (let index = 0; index < count; index++) texts.push(textOf(await side.take('PUBLISH')));
  return texts;
}

describe('publishing', () => {
  it('sends QoS 0 once and resolves with nothing', async () => {
    const { client, side } = await new ScriptedServer().connected();
    expect(
      await client.publish('a/b', 'é', { retain: true, properties: { contentType: 'text/plain' } }),
    ).toBeUndefined();
    expect(await side.take('PUBLISH')).toMatchObject({
      topicName: 'a/b',
      payload: Uint8Array.of(0xc3, 0xa9),
      qos: 0,
      retain: true,
      dup: false,
      packetIdentifier: 0,
      properties: { contentType: 'text/plain' },
    });
    client.destroy();
  });

  it('gathers the messages of one turn into one chunk', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const counts: number[] = [];
    for (let index = 0; index < 100; index++) void client.publish('topic', `message ${index}`);
    await side.until(() => {
      counts.push(side.unread.length);
      return side.unread.length >= 100;
    });
    expect(counts).toEqual([0, 100]);
    client.destroy();
  });

  it('resolves QoS 1 with the PUBACK and QoS 2 with the PUBCOMP', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const one = client.publish('a', '1', { qos: 1 });
    const two = client.publish('a', '2', { qos: 2 });
    expect((await side.take('PUBLISH')).packetIdentifier).toBe(1);
    expect((await side.take('PUBLISH')).packetIdentifier).toBe(2);
    side.acknowledge('PUBACK', 1, ReasonCode.noMatchingSubscribers);
    expect(await one).toMatchObject({ packetIdentifier: 1, reasonCode: ReasonCode.noMatchingSubscribers });
    side.acknowledge('PUBREC', 2);
    expect((await side.take('PUBREL')).packetIdentifier).toBe(2);
    side.acknowledge('PUBCOMP', 2);
    expect(await two).toMatchObject({ packetIdentifier: 2, reasonCode: ReasonCode.success });
    client.destroy();
  });

  it('rejects with the Reason Code of a PUBACK or PUBREC that refuses; there is no PUBREL then', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const outcomes = [1, 2].map((qos) =>
      client.publish('forbidden', '', { qos: qos as 1 | 2 }).catch((error) => error),
    );
    await payloads(side, 2);
    side.acknowledge('PUBACK', 1, ReasonCode.notAuthorized);
    side.acknowledge('PUBREC', 2, ReasonCode.quotaExceeded);
    const [one, two] = await Promise.all(outcomes);
    expect(one).toMatchObject({ code: 'MQTT_ERR_REFUSED', reasonCode: ReasonCode.notAuthorized });
    expect(one.message).toBe('the server refused the message to "forbidden": Not authorized');
    expect(two).toMatchObject({ code: 'MQTT_ERR_REFUSED', reasonCode: ReasonCode.quotaExceeded });
    await settle();
    expect(side.unread).toEqual([]);
    client.destroy();
  });

  it('[MQTT-4.3.3-5] answers a PUBREC that nobody waits for with PUBREL 0x92, and takes other strays', async () => {
    const { client, side } = await new ScriptedServer().connected();
    side.acknowledge('PUBACK', 77);
    side.acknowledge('PUBCOMP', 78);
    side.acknowledge('PUBREC', 79);
    expect(await side.take('PUBREL')).toMatchObject({
      packetIdentifier: 79,
      reasonCode: ReasonCode.packetIdentifierNotFound,
    });
    expect(client.state).toBe('connected');
    client.destroy();
  });

  it("[MQTT-3.3.4-7] has no more in flight than the server's Receive Maximum", async () => {
    const { client, side } = await new ScriptedServer().connected({}, { receiveMaximum: 2 });
    const done = [1, 2, 3, 4, 5].map((number) =>
      client.publish('a', String(number), { qos: number % 2 === 0 ? 1 : 2 }),
    );
    const outcomes = Promise.allSettled(done);
    void client.publish('a', 'free', { qos: 0 });
    expect(await payloads(side, 3)).toEqual(['1', '2', 'free']);
    await settle();
    expect(side.unread).toEqual([]);
    side.acknowledge('PUBACK', 2);
    expect(await payloads(side, 1)).toEqual(['3']);
    side.acknowledge('PUBREC', 1);
    await side.take('PUBREL');
    await settle();
    expect(side.unread).toEqual([]);
    side.acknowledge('PUBCOMP', 1);
    expect(await payloads(side, 1)).toEqual(['4']);
    side.acknowledge('PUBREC', 3, ReasonCode.notAuthorized);
    expect(await payloads(side, 1)).toEqual(['5']);
    client.destroy();
    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    await expect(done[2]).rejects.toThrow('Not authorized');
  });

  it('lets no more wait than offlineQueueMax', async () => {
    const { client, side } = await new ScriptedServer().connected({ offlineQueueMax: 2 }, { receiveMaximum: 1 });
    const outcomes = [1, 2, 3, 4].map((number) => client.publish('a', String(number), { qos: 1 }));
    await expect(outcomes[3]).rejects.toMatchObject({ code: 'MQTT_ERR_QUEUE_FULL' });
    await expect(outcomes[3]).rejects.toThrow('2 messages wait already; at most 2 may');
    side.acknowledge('PUBACK', 1);
    expect(await payloads(side, 2)).toEqual(['1', '2']);
    client.destroy();
    await Promise.allSettled(outcomes);
  });

  it("rejects what is over the server's limits, sends nothing, and goes on", async () => {
    const limits = { maximumQos: 1, retainAvailable: false, maximumPacketSize: 100 } as const;
    const { client, side } = await new ScriptedServer().connected({}, limits);
    const refused = (text: string, reasonCode: ReasonCode) => ({ message: expect.stringContaining(text), reasonCode });
    // [MQTT-3.2.2-11]
    await expect(client.publish('a', '', { qos: 2 })).rejects.toMatchObject(
      refused('QoS 2 is not supported by this server; at most 1', ReasonCode.qosNotSupported),
    );
    // [MQTT-3.2.2-14]
    await expect(client.publish('a', '', { retain: true })).rejects.toMatchObject(
      refused('retained messages are not supported', ReasonCode.retainNotSupported),
    );
    // [MQTT-3.2.2-15]
    for (const qos of [0, 1] as const) {
      await expect(client.publish('a', 'x'.repeat(100), { qos })).rejects.toMatchObject({
        code: 'MQTT_ERR_PACKET_TOO_LARGE',
        message: expect.stringMatching(/a packet of 10\d bytes; the server takes at most 100/),
      });
    }
    const kept = client.publish('a', 'small', { qos: 1 });
    const packet = await side.take('PUBLISH');
    expect(textOf(packet)).toBe('small');
    side.acknowledge('PUBACK', packet.packetIdentifier);
    await kept;
    client.destroy();
  });

  it('rejects what is no message, naming it', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const attempts: [() => Promise<unknown>, RegExp, string][] = [
      [() => client.publish('a/#', ''), /topicName "a\/#" is no Topic Name/, 'MQTT_ERR_TOPIC'],
      [() => client.publish('', ''), /topicName "" is no Topic Name/, 'MQTT_ERR_TOPIC'],
      [() => client.publish('a\0', ''), /is no Topic Name/, 'MQTT_ERR_TOPIC'],
      [() => client.publish('x'.repeat(65_536), ''), /is no Topic Name/, 'MQTT_ERR_TOPIC'],
      [() => client.publish('a', '', { qos: 3 as never }), /qos 3; expected 0, 1 or 2/, 'MQTT_ERR_OPTION_RANGE'],
      [() => client.publish('a', 7 as never), /payload 7; expected text or a Uint8Array/, 'MQTT_ERR_OPTION'],
      [
        () => client.publish('a', '', { properties: { topicAlias: 1 } }),
        /topicAlias 1; expected none/,
        'MQTT_ERR_OPTION_RANGE',
      ],
    ];
    for (const [attempt, message, code] of attempts) {
      const error = await attempt().catch((reason: Error) => reason);
      expect(error).toBeInstanceOf(MqttError);
      expect(error).toMatchObject({ message: expect.stringMatching(message), code });
    }
    await settle();
    expect(side.unread).toEqual([]);
    client.destroy();
  });

  it('takes back a message that waits when its signal is aborted', async () => {
    const { client, side } = await new ScriptedServer().connected({}, { receiveMaximum: 1 });
    const first = client.publish('a', 'first', { qos: 1 });
    const controller = new AbortController();
    const second = client.publish('a', 'second', { qos: 1, signal: controller.signal });
    const third = client.publish('a', 'third', { qos: 1 });
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'MQTT_ERR_ABORTED' });
    side.acknowledge('PUBACK', 1);
    expect(await payloads(side, 2)).toEqual(['first', 'third']);
    side.acknowledge('PUBACK', 2);
    await Promise.all([first, third]);
    await expect(client.publish('a', '', { signal: controller.signal })).rejects.toMatchObject({
      code: 'MQTT_ERR_ABORTED',
    });
    client.destroy();
  });

  it('waits with publishing while the transport is busy, and says so', async () => {
    const { client, side } = await new ScriptedServer().connected({ offlineQueueMax: 3 });
    side.transport.pause();
    const block = new Uint8Array(70_000);
    let drains = 0;
    client.on('drain', () => drains++);
    expect(client.publishNow('a', block)).toBe(false);
    const waiting = [client.publish('a', 'waits'), client.publish('a', 'waits too', { qos: 1 })];
    expect(client.publishNow('a', 'and this')).toBe(false);
    expect(() => client.publishNow('a', 'too many')).toThrow('3 messages wait already');
    await settle();
    expect(drains).toBe(0);
    side.transport.resume();
    await side.until(() => side.unread.length === 4);
    await waiting[0];
    await settle();
    expect(drains).toBe(1);
    client.destroy();
    await Promise.allSettled(waiting);
  });

  it('tells what became of publishNow as an error event, and drain waits for the acknowledgements', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    expect(client.publishNow('a', '1', { qos: 1 })).toBe(true);
    expect(client.publishNow('a', '2', { qos: 1 })).toBe(true);
    expect(() => client.publishNow('#', '')).toThrow('is no Topic Name');
    let isDrained = false;
    const drained = client.drain().then(() => {
      isDrained = true;
    });
    await payloads(side, 2);
    side.acknowledge('PUBACK', 1, ReasonCode.notAuthorized);
    await settle();
    expect(errors).toMatchObject([{ reasonCode: ReasonCode.notAuthorized }]);
    expect(isDrained).toBe(false);
    side.acknowledge('PUBACK', 2);
    await drained;
    client.destroy();
  });
});

describe('Topic Aliases towards the server', () => {
  it('[MQTT-3.3.2-8] [MQTT-3.3.2-9] are given to as many topics as it allows', async () => {
    const { client, side } = await new ScriptedServer().connected({ useTopicAliases: true }, { topicAliasMaximum: 2 });
    const seen: [string, number | undefined][] = [];
    for (const topic of ['a', 'b', 'c', 'a', 'b', 'c']) await client.publish(topic, 'x');
    for (let index = 0; index < 6; index++) {
      const packet = await side.take('PUBLISH');
      seen.push([packet.topicName, packet.properties?.topicAlias]);
    }
    expect(seen).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', undefined],
      ['', 1],
      ['', 2],
      ['c', undefined],
    ]);
    client.destroy();
  });

  it('start over with each connection, and resent messages name their topic', async () => {
    const server = new ScriptedServer();
    const options = { useTopicAliases: true, cleanStart: false, sessionExpiryInterval: 60 };
    const { client, side } = await server.connected(options, { topicAliasMaximum: 2 });
    const done = [client.publish('a', '1', { qos: 1 }), client.publish('a', '2', { qos: 1 })];
    expect((await side.take('PUBLISH')).topicName).toBe('a');
    expect((await side.take('PUBLISH')).topicName).toBe('');
    side.cut();
    const again = await server.connection(2);
    await again.accept({ topicAliasMaximum: 0 }, true);
    expect(await again.take('PUBLISH')).toMatchObject({ topicName: 'a', dup: true, properties: undefined });
    expect(await again.take('PUBLISH')).toMatchObject({ topicName: 'a', dup: true, properties: undefined });
    client.destroy();
    await Promise.allSettled(done);
  });

  it('may be managed by the caller', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({}, { topicAliasMaximum: 2 });
    const withAlias = (topicAlias: number) => ({ properties: { topicAlias } });
    await expect(client.publish('', 'x', withAlias(1))).rejects.toThrow('Topic Alias 1 was not given one yet');
    await expect(client.publish('a', 'x', withAlias(3))).rejects.toThrow('topicAlias 3; expected 1–2');
    await client.publish('a', 'x', withAlias(1));
    await client.publish('', 'y', withAlias(1));
    expect(await side.take('PUBLISH')).toMatchObject({ topicName: 'a', properties: { topicAlias: 1 } });
    expect(await side.take('PUBLISH')).toMatchObject({ topicName: '', properties: { topicAlias: 1 } });
    side.cut();
    await (await server.connection(2)).accept({ topicAliasMaximum: 2 });
    await settle();
    await expect(client.publish('', 'x', withAlias(1))).rejects.toThrow('Topic Alias 1 was not given one yet');
    client.destroy();
  });
});

describe('after a connection was lost', () => {
  const lasting = { cleanStart: false, sessionExpiryInterval: 3_600 };

  it('[MQTT-4.4.0-1] resends PUBLISH with DUP and PUBREL, in order and with their identifiers, then what is new', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const done = ['1', '2', '3', '4'].map((text, index) => client.publish('a', text, { qos: index % 2 === 0 ? 1 : 2 }));
    await payloads(side, 4);
    side.acknowledge('PUBREC', 2);
    await side.take('PUBREL');
    side.cut();
    await settle();
    const offline = client.publish('a', '5', { qos: 1 });
    const again = await server.connection(2);
    const packet = await again.accept(undefined, true);
    expect(packet.cleanStart).toBe(false);
    expect((await again.take('PUBREL')).packetIdentifier).toBe(2);
    const resent = [];
    for (let index = 0; index < 4; index++) {
      const { packetIdentifier, dup, payload } = await again.take('PUBLISH');
      resent.push([packetIdentifier, dup, new TextDecoder().decode(payload)]);
    }
    expect(resent).toEqual([
      [1, true, '1'],
      [3, true, '3'],
      [4, true, '4'],
      [5, false, '5'],
    ]);
    again.acknowledge('PUBACK', 1);
    again.acknowledge('PUBCOMP', 2);
    again.acknowledge('PUBACK', 3);
    again.acknowledge('PUBREC', 4);
    await again.take('PUBREL');
    again.acknowledge('PUBCOMP', 4);
    again.acknowledge('PUBACK', 5);
    await Promise.all([...done, offline]);
    client.destroy();
  });

  it("[MQTT-3.3.4-7] keeps to the new connection's Receive Maximum when it resends", async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const done = ['1', '2', '3'].map((text) => client.publish('a', text, { qos: 1 }));
    await payloads(side, 3);
    side.cut();
    const again = await server.connection(2);
    await again.accept({ receiveMaximum: 1 }, true);
    for (const text of ['1', '2', '3']) {
      const packet = await again.take('PUBLISH');
      expect(textOf(packet)).toBe(text);
      await settle();
      expect(again.unread).toEqual([]);
      again.acknowledge('PUBACK', packet.packetIdentifier);
    }
    await Promise.all(done);
    client.destroy();
  });

  it('sends unacknowledged messages as new ones if the server lost the Session, before what waits', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const done = ['1', '2', '3'].map((text, index) => client.publish('a', text, { qos: index === 1 ? 2 : 1 }));
    await payloads(side, 3);
    side.cut();
    await settle();
    done.push(client.publish('a', '4', { qos: 1 }));
    const again = await server.connection(2);
    await again.accept(undefined, false);
    const packets = [];
    for (let count = 0; count < 4; count++) packets.push(await again.take('PUBLISH'));
    expect(packets.map((packet) => [textOf(packet), packet.qos, packet.dup])).toEqual([
      ['1', 1, false],
      ['2', 2, false],
      ['3', 1, false],
      ['4', 1, false],
    ]);
    for (const { qos, packetIdentifier } of packets) {
      again.acknowledge(qos === 1 ? 'PUBACK' : 'PUBREC', packetIdentifier);
    }
    again.acknowledge('PUBCOMP', (await again.take('PUBREL')).packetIdentifier);
    await Promise.all(done);
    client.destroy();
  });

  it('says that a QoS 2 message may have been delivered if the Session was lost after its PUBREC', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected(lasting);
    const outcome = client.publish('a', '1', { qos: 2 }).catch((error: Error) => error);
    await payloads(side, 1);
    side.acknowledge('PUBREC', 1);
    await side.take('PUBREL');
    side.cut();
    const again = await server.connection(2);
    await again.accept(undefined, false);
    expect(await outcome).toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
    await settle();
    expect(again.unread).toEqual([]);
    client.destroy();
  });

  it('sends what was published meanwhile, QoS 0 as well, and checks it against the new limits', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected();
    side.cut();
    await settle(2);
    const done = [0, 1, 2].map((qos) => client.publish('a', String(qos), { qos: qos as 0 | 1 | 2 }));
    const outcomes = Promise.allSettled(done);
    const again = await server.connection(2);
    await again.accept({ maximumQos: 1 });
    const sent = await payloads(again, 2);
    expect(sent.sort()).toEqual(['0', '1']);
    again.acknowledge('PUBACK', 1);
    await settle();
    client.destroy();
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    await expect(done[2]).rejects.toMatchObject({ reasonCode: ReasonCode.qosNotSupported });
  });
});
