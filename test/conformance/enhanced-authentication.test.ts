/** Enhanced authentication, on the wire, with a broker in this process whose hook asks and answers. [MQTT 5.0 §4.12] */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type AuthenticationAnswer, type Broker, createBroker } from '../../src/broker/index.ts';
import { type ReadPacket, valuesOf } from '../support/packet-reader.ts';
import { destroyRawClients, openClient, RawClient } from '../support/raw-client.ts';
import { auth, connect, pingreq, property, publish5, subscribe5, text } from '../support/raw-packets.ts';
import { rule } from '../support/suite.ts';

const method = 'CHALLENGE';
const begin = [property.authenticationMethod(method), property.authenticationData(text('hello'))];
const answerWith = (data: string) => [property.authenticationMethod(method), property.authenticationData(text(data))];
const dataOf = (packet: ReadPacket) => valuesOf(packet, 0x16).map(String);

describe('enhanced authentication', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = createBroker({
      listeners: [{ port: 0, host: '127.0.0.1' }],
      hooks: {
        // hello → which colour? → blue
        authenticateStep: ({ data, state, method: asked }): AuthenticationAnswer | Promise<AuthenticationAnswer> => {
          if (asked !== method) return { outcome: 'refuse', reasonCode: 0x8c };
          if (!state.has('asked')) {
            state.set('asked', true);
            return Promise.resolve({ outcome: 'continue', data: text('which colour?') });
          }
          return `${data && Buffer.from(data)}` === 'blue'
            ? { outcome: 'success', data: text('welcome') }
            : { outcome: 'refuse', reasonCode: 0x87 };
        },
      },
    });
    await broker.listen();
  });
  afterAll(async () => {
    destroyRawClients();
    await broker.close();
  });

  const knock = async () => {
    const client = await RawClient.open(broker.port);
    client.send(connect({ properties: begin }));
    return { client, challenge: await client.expect('AUTH') };
  };
  const enter = async () => {
    const { client } = await knock();
    client.send(auth(0x18, answerWith('blue')));
    return { client, connack: await client.expect('CONNACK') };
  };

  rule('[MQTT-4.12.0-2] [MQTT-3.15.2-1] asks with AUTH and Reason Code 0x18', async () => {
    const { challenge } = await knock();
    expect(challenge).toMatchObject({ code: 0x18, flags: 0 });
    expect(dataOf(challenge)).toEqual(['which colour?']);
  });

  rule('[MQTT-4.12.0-5] names the same method in every AUTH and in CONNACK', async () => {
    const { client, challenge } = await knock();
    expect(valuesOf(challenge, 0x15)).toEqual([method]);
    client.send(auth(0x18, answerWith('blue')));
    const connack = await client.expect('CONNACK');
    expect(connack.code).toBe(0);
    expect(valuesOf(connack, 0x15)).toEqual([method]);
    expect(dataOf(connack)).toEqual(['welcome']);
  });

  rule('[MQTT-4.12.0-4] refuses with CONNACK and closes', async () => {
    const { client } = await knock();
    client.send(auth(0x18, answerWith('yellow')));
    expect(await client.expect('CONNACK')).toMatchObject({ code: 0x87, flags: 0 });
    await client.expectClosed();
  });

  rule('[MQTT-4.12.0-1] refuses a method it does not have with CONNACK 0x8C', async () => {
    const client = await RawClient.open(broker.port);
    client.send(connect({ properties: [property.authenticationMethod('OTHER')] }));
    expect(await client.expect('CONNACK')).toMatchObject({ code: 0x8c });
    await client.expectClosed();
  });

  for (const [title, bytes] of [
    ['PINGREQ', pingreq],
    ['PUBLISH', publish5('a', 'x')],
    ['SUBSCRIBE', subscribe5(1, [['a', 0]])],
    ['AUTH of another method', auth(0x18, [property.authenticationMethod('OTHER')])],
    ['AUTH to start over', auth(0x19, answerWith('blue'))],
    ['AUTH that says success', auth(0x00, answerWith('blue'))],
  ] as const) {
    rule(`[MQTT-3.1.2-30] [MQTT-3.14.0-1] closes at ${title} before CONNACK, without DISCONNECT`, async () => {
      const { client } = await knock();
      client.send(bytes);
      const answer = await client.nextOrEnd();
      if (answer) {
        expect(answer.name).toBe('CONNACK');
        expect(answer.code).toBeGreaterThanOrEqual(0x80);
        await client.expectClosed();
      }
    });
  }

  rule('[MQTT-4.12.1-1] authenticates again on the open connection, and other packets go on meanwhile', async () => {
    const { client, connack } = await enter();
    expect(connack.code).toBe(0);
    client.send(auth(0x19, answerWith('hello')));
    expect(await client.expect('AUTH')).toMatchObject({ code: 0x18 });
    client.send(subscribe5(1, [['reauth/t', 0]]), publish5('reauth/t', 'meanwhile'));
    await client.expect('SUBACK');
    await client.expectBytes(publish5('reauth/t', 'meanwhile'));
    client.send(auth(0x18, answerWith('blue')));
    const answer = await client.expect('AUTH');
    expect(answer.code).toBe(0);
    expect(valuesOf(answer, 0x15)).toEqual([method]);
    await client.expectNothing();
  });

  rule('[MQTT-4.12.1-2] says why it closes when the second authentication fails', async () => {
    const { client } = await enter();
    client.send(auth(0x19, answerWith('hello')));
    await client.expect('AUTH');
    client.send(auth(0x18, answerWith('yellow')));
    await client.expectRefusal(0x87);
  });

  rule('[MQTT-4.12.1-1] closes when the second authentication names another method', async () => {
    const { client } = await enter();
    client.send(auth(0x19, [property.authenticationMethod('OTHER')]));
    await client.expectRefusal(0x82, 0x8c);
  });

  rule('[MQTT-4.12.0-6] leaves clients without a method alone', async () => {
    const client = await openClient(broker.port);
    expect(valuesOf(client.connack, 0x15)).toEqual([]);
    await client.expectNothing();
  });
});
