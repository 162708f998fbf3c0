import { describe, expect, it } from 'vitest';
import type { ReceivedMessage, Subscription } from '../../src/client/types.ts';
import { PacketType } from '../../src/protocol/packet-types.ts';
import { ReasonCode } from '../../src/protocol/reason-codes.ts';
import { publish, ScriptedServer, type ServerSide, settle } from './scripted-server.ts';

/** A promise and what settles it, for handlers whose end the test decides. */
function gate(): { promise: Promise<void>; open: () => void; fail: (error: Error) => void } {
  let open!: () => void;
  let fail!: (error: Error) => void;
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}

async function granted<T>(side: ServerSide, subscribing: Promise<T>): Promise<T> {
  await side.grant();
  return subscribing;
}

describe('messages that come in', () => {
  it('go to every subscription that matches, and to the listeners', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const seen: string[] = [];
    const noting = (name: string) => ({
      onMessage: (message: ReceivedMessage) => void seen.push(`${name} ${message.text()}`),
    });
    await granted(side, client.subscribe(['a/+', 'b/#'], noting('first')));
    await granted(side, client.subscribe('$share/group/a/b', noting('shared')));
    client.on('message', (message) => seen.push(`listener ${message.topicName}`));
    side.send(publish('a/b', '1'), publish('b', '2'), publish('c', '3'), publish('$SYS/b', '4'));
    await settle();
    expect(seen).toEqual([
      'listener a/b',
      'first 1',
      'shared 1',
      'listener b',
      'first 2',
      'listener c',
      'listener $SYS/b',
    ]);
    client.destroy();
  });

  it('go where their Subscription Identifiers say', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const seen: string[] = [];
    for (const identifier of [1, 2]) {
      const properties = { subscriptionIdentifiers: [identifier] };
      await granted(side, client.subscribe('#', { properties, onMessage: () => void seen.push(`id ${identifier}`) }));
    }
    await granted(side, client.subscribe('a', { onMessage: () => void seen.push('plain') }));
    side.send(publish('a', '', { properties: { subscriptionIdentifiers: [2] } }));
    side.send(publish('b', '', { properties: { subscriptionIdentifiers: [1, 2] } }));
    side.send(publish('a', ''));
    await settle();
    expect(seen).toEqual(['id 2', 'plain', 'id 1', 'id 2', 'plain']);
    client.destroy();
  });

  it('carry all that the packet had', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const messages: ReceivedMessage[] = [];
    await granted(side, client.subscribe('#', { qos: 1, onMessage: (message) => void messages.push(message) }));
    const properties = { contentType: 'x', userProperties: [['k', 'v']] as const };
    side.send(publish('a', 'é', { qos: 1, id: 5, dup: true, retain: true, properties }));
    await side.take('PUBACK');
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({
      topicName: 'a',
      qos: 1,
      retain: true,
      dup: true,
      packetIdentifier: 5,
      properties,
    });
    expect(messages[0]!.text()).toBe('é');
    expect(messages[0]!.payload).toEqual(Uint8Array.of(0xc3, 0xa9));
    client.destroy();
  });

  it('[MQTT-4.6.0-2] [MQTT-4.6.0-3] are acknowledged when their handlers are done, in the order in which they came', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const gates = new Map(['1', '2', '3'].map((text) => [text, gate()]));
    const onMessage = (message: ReceivedMessage) => gates.get(message.text())!.promise;
    await granted(side, client.subscribe('a', { qos: 2, onMessage }));
    await granted(side, client.subscribe('b', { qos: 2, onMessage }));
    side.send(
      publish('a', '1', { qos: 1, id: 1 }),
      publish('b', '2', { qos: 2, id: 2 }),
      publish('b', '3', { qos: 1, id: 3 }),
    );
    gates.get('2')!.open();
    gates.get('3')!.open();
    await settle();
    expect(side.unread).toEqual([]);
    gates.get('1')!.open();
    expect((await side.take('PUBACK')).packetIdentifier).toBe(1);
    expect((await side.take('PUBREC')).packetIdentifier).toBe(2);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(3);
    client.destroy();
  });

  it('run one handler of a subscription at a time', async () => {
    const { client, side } = await new ScriptedServer().connected();
    let running = 0;
    const order: string[] = [];
    const onMessage = async (message: ReceivedMessage) => {
      expect(++running).toBe(1);
      await settle(1);
      running--;
      order.push(message.text());
    };
    await granted(side, client.subscribe('a', { onMessage }));
    for (let index = 0; index < 20; index++) side.send(publish('a', String(index)));
    while (order.length < 20) await settle(1);
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    client.destroy();
  });

  it('are acknowledged with 0x80 if the handler throws, which is an error event', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error.message));
    const onMessage = (message: ReceivedMessage) => {
      if (message.qos === 1) throw new Error('at once');
      return Promise.reject(new Error('later'));
    };
    await granted(side, client.subscribe('a', { qos: 2, onMessage }));
    side.send(publish('a', '', { qos: 1, id: 1 }), publish('a', '', { qos: 2, id: 2 }));
    expect((await side.take('PUBACK')).reasonCode).toBe(ReasonCode.unspecifiedError);
    expect((await side.take('PUBREC')).reasonCode).toBe(ReasonCode.unspecifiedError);
    expect(errors).toEqual(['at once', 'later']);
    // The exchange is over: the identifier is free for another message.
    side.send(publish('a', '', { qos: 2, id: 2 }));
    await side.take('PUBREC');
    expect(errors).toHaveLength(3);
    client.destroy();
  });

  it('[MQTT-4.3.3-10] are delivered once at QoS 2, also when they come again on another connection', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ cleanStart: false, sessionExpiryInterval: 60 });
    const seen: string[] = [];
    const slow = gate();
    const onMessage = (message: ReceivedMessage) => {
      seen.push(message.text());
      return message.text() === 'slow' ? slow.promise : undefined;
    };
    await granted(side, client.subscribe('a', { qos: 2, onMessage }));
    side.send(publish('a', 'quick', { qos: 2, id: 1 }), publish('a', 'quick', { qos: 2, id: 1, dup: true }));
    expect((await side.take('PUBREC')).packetIdentifier).toBe(1);
    expect((await side.take('PUBREC')).packetIdentifier).toBe(1);
    side.send(publish('a', 'slow', { qos: 2, id: 2 }));
    await settle();
    side.cut();
    const again = await server.connection(2);
    await again.accept(undefined, true);
    again.send(publish('a', 'slow', { qos: 2, id: 2, dup: true }));
    await settle();
    expect(again.unread).toEqual([]);
    slow.open();
    expect((await again.take('PUBREC')).packetIdentifier).toBe(2);
    for (const id of [1, 2]) {
      again.acknowledge('PUBREL', id);
      expect(await again.take('PUBCOMP')).toMatchObject({ packetIdentifier: id, reasonCode: ReasonCode.success });
    }
    again.acknowledge('PUBREL', 2);
    expect((await again.take('PUBCOMP')).reasonCode).toBe(ReasonCode.packetIdentifierNotFound);
    again.send(publish('a', 'another', { qos: 2, id: 2 }));
    await again.take('PUBREC');
    expect(seen).toEqual(['quick', 'slow', 'another']);
    client.destroy();
  });

  it('are delivered again at QoS 1 after a loss, and the old handler acknowledges nothing on the new connection', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ cleanStart: false, sessionExpiryInterval: 60 });
    const gates = [gate(), gate()];
    let calls = 0;
    await granted(side, client.subscribe('a', { qos: 1, onMessage: () => gates[calls++]!.promise }));
    side.send(publish('a', 'x', { qos: 1, id: 1 }));
    await settle();
    side.cut();
    const again = await server.connection(2);
    await again.accept(undefined, true);
    again.send(publish('a', 'x', { qos: 1, id: 1, dup: true }));
    await settle();
    gates[0]!.open();
    await settle();
    expect(calls).toBe(2);
    expect(again.unread).toEqual([]);
    gates[1]!.open();
    expect((await again.take('PUBACK')).packetIdentifier).toBe(1);
    client.destroy();
  });

  it('[MQTT-3.3.4-7] over the Receive Maximum end the connection with 0x93', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ properties: { receiveMaximum: 2 }, reconnect: false });
    await granted(side, client.subscribe('a', { qos: 2, onMessage: () => new Promise<void>(() => {}) }));
    side.send(...[1, 2, 3].map((id) => publish('a', '', { qos: id === 2 ? 2 : 1, id })));
    expect((await side.take('DISCONNECT')).reasonCode).toBe(ReasonCode.receiveMaximumExceeded);
    expect(await client.closed).toMatchObject({ code: 'MQTT_ERR_PROTOCOL', rule: 'MQTT-3.3.4-7' });
  });

  it('may use Topic Aliases as far as CONNECT allowed', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ properties: { topicAliasMaximum: 1 }, reconnect: false });
    const topics: string[] = [];
    await granted(side, client.subscribe('#', { onMessage: (message) => void topics.push(message.topicName) }));
    const aliased = (topicName: string, topicAlias: number) => publish(topicName, '', { properties: { topicAlias } });
    side.send(aliased('a', 1), aliased('', 1), aliased('b', 1), aliased('', 1), aliased('c', 2));
    expect((await side.take('DISCONNECT')).reasonCode).toBe(ReasonCode.topicAliasInvalid);
    expect(topics).toEqual(['a', 'a', 'b', 'b']);
    expect(await client.closed).toMatchObject({ reasonCode: ReasonCode.topicAliasInvalid });
  });

  it('larger than the Maximum Packet Size of CONNECT end the connection with 0x95', async () => {
    const server = new ScriptedServer();
    const { client, side } = await server.connected({ properties: { maximumPacketSize: 100 }, reconnect: false });
    side.send(publish('a', 'x'.repeat(100)));
    expect((await side.take('DISCONNECT')).reasonCode).toBe(ReasonCode.packetTooLarge);
    expect(await client.closed).toMatchObject({ code: 'MQTT_ERR_PACKET_TOO_LARGE' });
  });
});

describe('a subscription without onMessage', () => {
  it('is a loop: a message is acknowledged when the next is asked for, and leaving it unsubscribes', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const subscription = await granted(side, client.subscribe('a', { qos: 1 }));
    side.send(...[1, 2, 3].map((id) => publish('a', String(id), { qos: 1, id })));
    const seen: string[] = [];
    for await (const message of subscription) {
      seen.push(message.text());
      await settle(3);
      if (seen.length === 1) expect(side.unread).toEqual([]);
      if (seen.length === 2) {
        expect((await side.take('PUBACK')).packetIdentifier).toBe(1);
        break;
      }
    }
    expect(seen).toEqual(['1', '2']);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(2);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(3);
    expect((await side.take('UNSUBSCRIBE')).topicFilters).toEqual(['a']);
    client.destroy();
  });

  it('gives what came before the end of the client, then ends, or throws the error that ended it', async () => {
    for (const isOrderly of [true, false]) {
      const server = new ScriptedServer();
      const { client, side } = await server.connected({ reconnect: false });
      const subscription = await granted(side, client.subscribe('a'));
      side.send(publish('a', '1'), publish('a', '2'));
      await settle();
      if (isOrderly) await client.end();
      else {
        side.cut();
        await client.closed;
      }
      const seen: string[] = [];
      const reading = (async () => {
        for await (const message of subscription) seen.push(message.text());
      })();
      if (isOrderly) await reading;
      else await expect(reading).rejects.toMatchObject({ code: 'MQTT_ERR_CONNECTION_CLOSED' });
      expect(seen).toEqual(['1', '2']);
    }
  });

  it('ends a loop that waits when it is unsubscribed', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const subscription = await granted(side, client.subscribe('a'));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const message of subscription) seen.push(message.text());
    })();
    side.send(publish('a', '1'));
    await settle();
    const leaving = subscription.unsubscribe();
    const { packetIdentifier } = await side.take('UNSUBSCRIBE');
    side.send(publish('a', '2'));
    side.send({
      type: PacketType.UNSUBACK,
      packetIdentifier,
      reasonCodes: [ReasonCode.success],
      properties: undefined,
    });
    expect((await leaving).reasonCodes).toEqual([ReasonCode.success]);
    await reading;
    expect(seen).toEqual(['1', '2']);
    expect(await subscription.unsubscribe()).toBe(await leaving);
    client.destroy();
  });

  it('does not wait for a loop if the client has a listener for all messages', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 2 });
    let count = 0;
    client.on('message', () => count++);
    await granted(side, client.subscribe('a', { qos: 1 }));
    for (let id = 1; id <= 10; id++) side.send(publish('a', '', { qos: 1, id }));
    for (let id = 1; id <= 10; id++) expect((await side.take('PUBACK')).packetIdentifier).toBe(id);
    expect(count).toBe(10);
    client.destroy();
  });

  it('gives a loop that begins at once what came with the SUBACK, listener or not', async () => {
    for (const hasListener of [false, true]) {
      const { client, side } = await new ScriptedServer().connected();
      if (hasListener) client.on('message', () => {});
      const subscribing = client.subscribe('a');
      const { packetIdentifier } = await side.take('SUBSCRIBE');
      side.send(
        { type: PacketType.SUBACK, packetIdentifier, reasonCodes: [0], properties: undefined },
        publish('a', 'retained', { retain: true }),
      );
      for await (const message of await subscribing) {
        expect(message.text()).toBe('retained');
        break;
      }
      client.destroy();
    }
  });

  it('hands what waits for a loop to a listener that comes instead', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 2 });
    await granted(side, client.subscribe('a', { qos: 1 }));
    for (let id = 1; id <= 5; id++) side.send(publish('a', String(id), { qos: 1, id }));
    await settle();
    expect(side.unread).toEqual([]);
    const seen: string[] = [];
    client.on('message', (message) => seen.push(message.text()));
    for (let id = 1; id <= 5; id++) expect((await side.take('PUBACK')).packetIdentifier).toBe(id);
    expect(seen).toEqual(['1', '2', '3', '4', '5']);
    client.destroy();
  });

  it('cannot be read in a loop if it has onMessage', async () => {
    const { client, side } = await new ScriptedServer().connected();
    const subscription: Subscription = await granted(side, client.subscribe('a', { onMessage: () => {} }));
    expect(() => subscription[Symbol.asyncIterator]()).toThrow(TypeError);
    client.destroy();
  });
});

describe('back-pressure', () => {
  it('stops reading at receiveQueueMax unread messages and loses none', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 10 });
    const seen: number[] = [];
    const hold = gate();
    const onMessage = async (message: ReceivedMessage) => {
      if (seen.length === 0) await hold.promise;
      seen.push(Number(message.text()));
    };
    await granted(side, client.subscribe('a', { onMessage }));
    for (let number = 0; number < 5_000; number++) side.send(publish('a', String(number)));
    await settle();
    // Less than a chunk was taken beyond what may wait: the rest is still on the server's side.
    expect(side.transport.bufferedBytes).toBeGreaterThan(20_000);
    hold.open();
    while (seen.length < 5_000) await settle(1);
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, number) => number));
    expect(side.transport.bufferedBytes).toBe(0);
    client.destroy();
  });

  it('stops in the middle of a chunk', async () => {
    let received = 0;
    const onPacket = (direction: string, packet: { type: number }): void => {
      if (direction === 'received' && packet.type === PacketType.PUBLISH) received++;
    };
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 10, onPacket });
    const hold = gate();
    await granted(side, client.subscribe('a', { onMessage: () => hold.promise }));
    side.send(...Array.from({ length: 1_000 }, () => publish('a', '')));
    await settle();
    expect(received).toBe(11);
    hold.open();
    while (received < 1_000) await settle(1);
    client.destroy();
  });

  it('counts the messages of all subscriptions, and holds for loops as well', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 4 });
    const first = await granted(side, client.subscribe('a'));
    const second = await granted(side, client.subscribe('b'));
    for (let number = 0; number < 100; number++) side.send(publish(number % 2 === 0 ? 'a' : 'b', String(number)));
    await settle();
    expect(side.transport.bufferedBytes).toBeGreaterThan(0);
    const read = async (subscription: Subscription): Promise<string[]> => {
      const seen: string[] = [];
      for await (const message of subscription) if (seen.push(message.text()) === 50) break;
      return seen;
    };
    const [even, odd] = await Promise.all([read(first), read(second)]);
    expect(even).toEqual(Array.from({ length: 50 }, (_, index) => String(index * 2)));
    expect(odd).toEqual(Array.from({ length: 50 }, (_, index) => String(index * 2 + 1)));
    client.destroy();
  });

  it('does not keep a handler waiting for an acknowledgement that stands behind unread messages', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 2 });
    let forwarded = 0;
    await granted(
      side,
      client.subscribe('in', {
        onMessage: async (message) => {
          await client.publish('out', message.payload, { qos: 1 });
          forwarded++;
        },
      }),
    );
    for (let number = 0; number < 20; number++) side.send(publish('in', String(number)));
    for (let number = 0; number < 20; number++) {
      const packet = await side.take('PUBLISH');
      expect(packet.topicName).toBe('out');
      side.send(publish('elsewhere', 'in between'));
      side.acknowledge('PUBACK', packet.packetIdentifier);
    }
    while (forwarded < 20) await settle(1);
    client.destroy();
  });

  it('drops QoS 0, with an error event, only when a handler that waits for the server has let a hundred times as many wait', async () => {
    const { client, side } = await new ScriptedServer().connected({ receiveQueueMax: 1 });
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    const seen: string[] = [];
    await granted(
      side,
      client.subscribe('a', {
        qos: 1,
        onMessage: async (message) => {
          if (seen.length === 0) await client.publish('out', '', { qos: 1 });
          seen.push(`${message.text()} q${message.qos}`);
        },
      }),
    );
    side.send(publish('a', '0'));
    const { packetIdentifier } = await side.take('PUBLISH');
    for (let number = 1; number <= 150; number++) side.send(publish('a', String(number)));
    side.send(publish('a', 'kept', { qos: 1, id: 9 }));
    while (errors.length === 0) await settle(1);
    side.acknowledge('PUBACK', packetIdentifier);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(9);
    expect(errors).toMatchObject([{ code: 'MQTT_ERR_QUEUE_FULL' }]);
    expect(seen.slice(0, 101)).toEqual(Array.from({ length: 101 }, (_, number) => `${number} q0`));
    expect(seen.slice(101)).toEqual(['kept q1']);
    client.destroy();
  });
});

describe('messages of a resumed Session', () => {
  const resumed = async (options: { onMessage?: (message: ReceivedMessage) => void } = {}) => {
    const server = new ScriptedServer();
    const starting = server.start({ cleanStart: false, sessionExpiryInterval: 60, ...options });
    const side = await server.connection(1);
    await side.accept(undefined, true);
    const client = await starting;
    side.send(publish('a', '1', { qos: 1, id: 1 }), publish('b', '2', { qos: 1, id: 2 }));
    await settle();
    return { client, side };
  };

  it('wait for the subscription that takes them', async () => {
    const { client, side } = await resumed();
    expect(side.unread).toEqual([]);
    const seen: string[] = [];
    const subscribing = client.subscribe('b', { onMessage: (message) => void seen.push(message.text()) });
    await side.grant();
    await subscribing;
    expect(seen).toEqual(['2']);
    const other = client.subscribe('a', { onMessage: (message) => void seen.push(message.text()) });
    expect((await side.take('SUBSCRIBE')).subscriptions[0]!.topicFilter).toBe('a');
    expect((await side.take('PUBACK')).packetIdentifier).toBe(1);
    expect((await side.take('PUBACK')).packetIdentifier).toBe(2);
    expect(seen).toEqual(['2', '1']);
    client.destroy();
    await other.catch(() => {});
  });

  it('wait for a listener', async () => {
    const { client, side } = await resumed();
    const seen: string[] = [];
    client.on('message', (message) => seen.push(message.text()));
    await side.take('PUBACK');
    await side.take('PUBACK');
    expect(seen).toEqual(['1', '2']);
    client.destroy();
  });

  it('go to the onMessage of connect', async () => {
    const seen: string[] = [];
    const { client, side } = await resumed({ onMessage: (message) => void seen.push(message.text()) });
    await side.take('PUBACK');
    await side.take('PUBACK');
    expect(seen).toEqual(['1', '2']);
    client.destroy();
  });
});
