/** CONNECT and CONNACK: what a Server must check, answer and close. [MQTT 5.0 §3.1, §3.2; MQTT 3.1.1 §3.1, §3.2] */
import { describe, expect } from 'vitest';
import { valuesOf } from '../support/packet-reader.ts';
import { exchangeUntilClosed, openClient, RawClient, uniqueName } from '../support/raw-client.ts';
import {
  auth,
  connect,
  hex,
  join,
  pingreq,
  property,
  publish,
  publish5,
  subscribe,
  text,
  utf8,
} from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

/** Opens, sends and expects these very bytes and then the end. */
const refusal = async (port: number, sent: Uint8Array, answer: string) => {
  const client = await RawClient.open(port);
  client.version = 4;
  client.send(sent);
  await client.expectBytes(answer);
  await client.expectClosed();
};

/** Sends a CONNECT of MQTT 5 that must be refused: CONNACK with one of these Reason Codes, or nothing, then the end. */
const refusal5 = async (port: number, sent: Uint8Array, ...reasonCodes: number[]) => {
  const packets = await exchangeUntilClosed(port, 5, sent);
  for (const packet of packets) {
    expect(packet).toMatchObject({ name: 'CONNACK', flags: 0 });
    expect(reasonCodes).toContain(packet.code);
  }
  expect(packets.length).toBeLessThanOrEqual(1);
  return packets[0];
};

describe('CONNECT of MQTT 3.1.1', () => {
  const broker = useBroker();

  rule('[MQTT311-3.1.4-4] [MQTT311-3.2.0-1] answers a good CONNECT with CONNACK 0 first of all', async () => {
    const client = await RawClient.open(broker.port);
    client.version = 4;
    // Everything in one segment: the answers must come in this order all the same.
    client.send(connect({ version: 4 }), subscribe(1, [['311/first', 0]]), pingreq);
    await client.expectBytes('20 02 00 00', '90 03 00 01 00', 'd0 00');
  });

  for (const [title, first] of [
    ['PUBLISH', publish('a', 'b')],
    ['SUBSCRIBE', subscribe(1, [['a', 0]])],
    ['PINGREQ', pingreq],
    ['DISCONNECT', hex('e0 00')],
    ['a reserved packet type', hex('00 00')],
  ] as const) {
    rule(`[MQTT311-3.1.0-1] [MQTT-3.1.0-1] closes without a word when the first packet is ${title}`, async () => {
      expect(await exchangeUntilClosed(broker.port, 4, first)).toEqual([]);
    });
  }

  rule('[MQTT311-3.1.0-2] closes the connection at a second CONNECT', async () => {
    const client = await openClient(broker.port, { version: 4 });
    client.send(connect({ version: 4, clientIdentifier: client.clientIdentifier }));
    await client.expectClosed();
  });

  for (const level of [0, 1, 2, 6, 127]) {
    rule(`[MQTT311-3.1.2-2] answers protocol level ${level} with return code 1 and closes`, async () => {
      await refusal(
        broker.port,
        hex(`10 0d 00 04 4d 51 54 54 ${level.toString(16).padStart(2, '0')} 02 00 3c 00 01 61`),
        '20 02 00 01',
      );
    });
  }

  rule('[MQTT311-3.1.2-1] closes at a protocol name it does not know', async () => {
    const packets = await exchangeUntilClosed(broker.port, 4, hex('10 0d 00 04 4d 51 54 58 04 02 00 3c 00 01 61'));
    // Saying why is left to the Server.
    for (const packet of packets) expect(packet).toMatchObject({ name: 'CONNACK', code: 1 });
  });

  rule('[MQTT311-3.1.2-3] closes without CONNACK when the reserved flag is set', async () => {
    expect(await exchangeUntilClosed(broker.port, 4, connect({ version: 4, flags: 0x03 }))).toEqual([]);
  });

  for (const [title, flags, tail] of [
    ['[MQTT311-3.1.2-13] Will QoS without a will', 0x0a, ''],
    ['[MQTT311-3.1.2-15] Will Retain without a will', 0x22, ''],
    ['[MQTT311-3.1.2-14] Will QoS 3', 0x1e, '00 01 61 00 01 62'],
    ['[MQTT311-3.1.2-22] a password without a user name', 0x42, '00 01 61'],
    ['[MQTT311-3.1.2-9] a will flag without a will', 0x06, ''],
    ['[MQTT311-3.1.2-19] a user name flag without a user name', 0x82, ''],
    ['[MQTT311-3.1.2-21] a password flag without a password', 0xc2, '00 01 61'],
    ['[MQTT311-3.1.2-18] a user name without its flag', 0x02, '00 01 61'],
    ['[MQTT311-3.1.2-20] a password without its flag', 0x82, '00 01 61 00 01 62'],
    ['[MQTT311-3.1.2-11] a will without its flag', 0x02, '00 01 61 00 01 62'],
    ['[MQTT311-3.1.3-10] a Will Topic that is no UTF-8', 0x06, '00 02 c3 28 00 01 62'],
    ['[MQTT311-3.1.3-11] a User Name that is no UTF-8', 0x82, '00 02 c3 28'],
  ] as const) {
    rule(`${title} [MQTT311-3.1.4-1] [MQTT311-3.2.2-6] closes the connection without CONNACK`, async () => {
      const head = hex(`00 04 4d 51 54 54 04 ${flags.toString(16).padStart(2, '0')} 00 3c 00 01 61`);
      const body = join(head, tail);
      expect(await exchangeUntilClosed(broker.port, 4, join(0x10, body.length, body))).toEqual([]);
    });
  }

  rule('[MQTT311-3.1.3-6] accepts an empty identifier with Clean Session 1', async () => {
    const client = await openClient(broker.port, { version: 4, clientIdentifier: '' });
    await client.expectNothing();
  });

  rule('[MQTT311-3.1.3-8] answers an empty identifier with Clean Session 0 with return code 2', async () => {
    await refusal(broker.port, connect({ version: 4, clientIdentifier: '', cleanStart: false }), '20 02 00 02');
  });

  rule('[MQTT311-3.1.3-5] allows identifiers of 1 to 23 letters and digits', async () => {
    for (const identifier of ['x', 'abcdefghijklmnopqrstuvw', 'XYZ0123456789']) {
      await openClient(broker.port, { version: 4, clientIdentifier: identifier });
    }
  });

  rule('[MQTT311-3.1.3-4] closes at an identifier that is no UTF-8', async () => {
    expect(await exchangeUntilClosed(broker.port, 4, hex('10 0e 00 04 4d 51 54 54 04 02 00 3c 00 02 c3 28'))).toEqual(
      [],
    );
  });

  rule('accepts MQTT 3.1 with its own protocol name', async () => {
    const client = await RawClient.open(broker.port);
    client.version = 3;
    client.send(connect({ version: 3, clientIdentifier: uniqueName('v31') }));
    await client.expectBytes('20 02 00 00');
  });

  rule('takes the bridge bit of the protocol level for what it is', async () => {
    const client = await RawClient.open(broker.port);
    client.version = 4;
    client.send(hex('10 0e 00 04 4d 51 54 54 84 02 00 3c 00 02 62 72'));
    await client.expectBytes('20 02 00 00');
  });

  rule('[MQTT311-3.1.4-5] processes nothing that follows a CONNECT it refuses', async () => {
    const topic = uniqueName('refused/');
    const watcher = await openClient(broker.port, { version: 4 });
    watcher.send(subscribe(1, [[topic, 0]]));
    await watcher.expect('SUBACK');
    const bad = connect({ version: 4, clientIdentifier: '', cleanStart: false });
    expect(await exchangeUntilClosed(broker.port, 4, bad, publish(topic, 'x'))).toHaveLength(1);
    await watcher.expectNothing();
  });
});

describe('CONNECT of MQTT 5', () => {
  const broker = useBroker();

  rule('[MQTT-3.1.4-5] [MQTT-3.2.2-1] answers a good CONNECT with CONNACK 0x00 and clear reserved flags', async () => {
    const client = await openClient(broker.port);
    expect(client.connack).toMatchObject({ flags: 0, code: 0 });
  });

  rule('[MQTT-3.2.0-2] sends one CONNACK', async () => {
    const client = await openClient(broker.port);
    client.send(publish5('5/one', 'x'));
    await client.expectNothing();
  });

  rule(
    '[MQTT-3.1.0-2] [MQTT-3.14.2-2] answers a second CONNECT with DISCONNECT 0x82',
    async () => {
      const client = await openClient(broker.port);
      client.send(connect({ clientIdentifier: client.clientIdentifier }));
      const packet = await client.expect('DISCONNECT');
      expect(packet.code).toBe(0x82);
      expect(valuesOf(packet, 0x11)).toEqual([]);
      await client.expectClosed();
    },
    { mosquitto: 'closes without DISCONNECT' },
  );

  rule('[MQTT-3.1.2-3] closes when the reserved flag is set', async () => {
    await refusal5(broker.port, connect({ flags: 0x03 }), 0x81);
  });

  for (const [title, sent] of [
    ['[MQTT-3.1.2-11] Will QoS without a will', connect({ flags: 0x0a })],
    ['[MQTT-3.1.2-13] Will Retain without a will', connect({ flags: 0x22 })],
    ['[MQTT-3.1.2-12] Will QoS 3', connect({ flags: 0x1e, will: { topic: 'a' } })],
    ['[MQTT-3.1.2-9] a will flag without a will', connect({ flags: 0x06 })],
    ['[MQTT-3.1.2-16] a user name without its flag', connect({ flags: 0x02, username: 'a' })],
    ['[MQTT-3.1.2-17] a user name flag without a user name', connect({ flags: 0x82 })],
    ['[MQTT-3.1.2-18] a password without its flag', connect({ flags: 0x02, password: 'a' })],
    ['[MQTT-3.1.2-19] a password flag without a password', connect({ flags: 0x42 })],
    ['[MQTT-3.1.3-3] no Client Identifier', hex('10 0b 00 04 4d 51 54 54 05 02 00 3c 00')],
    ['[MQTT-3.1.3-4] a Client Identifier that is no UTF-8', hex('10 0f 00 04 4d 51 54 54 05 02 00 3c 00 00 02 c3 28')],
    [
      '[MQTT-3.1.3-11] a Will Topic that is no UTF-8',
      hex('10 16 00 04 4d 51 54 54 05 06 00 3c 00 00 01 61 00 00 02 c3 28 00 01 78'),
    ],
    [
      '[MQTT-3.1.3-12] a User Name that is no UTF-8',
      hex('10 12 00 04 4d 51 54 54 05 82 00 3c 00 00 01 61 00 02 c3 28'),
    ],
  ] as const) {
    rule(`${title} [MQTT-3.1.4-1]: CONNACK 0x81 or none, and the end`, async () => {
      await refusal5(broker.port, sent, 0x81);
    });
  }

  for (const [title, list] of [
    ['Receive Maximum 0', [property.receiveMaximum(0)]],
    ['Maximum Packet Size 0', [property.maximumPacketSize(0)]],
    ['Request Problem Information 2', [property.requestProblemInformation(2)]],
    ['Request Response Information 2', [property.requestResponseInformation(2)]],
    ['Session Expiry Interval twice', [property.sessionExpiryInterval(1), property.sessionExpiryInterval(2)]],
    ['Receive Maximum twice', [property.receiveMaximum(5), property.receiveMaximum(5)]],
    ['Authentication Data without a method', [property.authenticationData(text('x'))]],
    ['Topic Alias, which is none of CONNECT', [property.topicAlias(1)]],
    ['Will Delay Interval outside the Will Properties', [property.willDelayInterval(1)]],
    ['an unknown property', [hex('7f 00')]],
  ] as const) {
    rule(
      `[MQTT-3.1.4-1] ${title}: CONNACK 0x81 or 0x82 or none, and the end`,
      async () => {
        await refusal5(broker.port, connect({ properties: list }), 0x81, 0x82);
      },
      title === 'Authentication Data without a method' ? { mosquitto: 'accepts it' } : {},
    );
  }

  rule('[MQTT-3.1.2-2] answers protocol version 6 with 0x84 in a form of 3.1.1 or 5.0, or not at all', async () => {
    const client = await RawClient.open(broker.port);
    client.version = 4;
    client.send(hex('10 0e 00 04 4d 51 54 54 06 02 00 3c 00 00 01 61'));
    const packet = await client.nextOrEnd();
    if (packet) {
      expect(['20 02 00 01', '20 03 00 84 00']).toContain(
        [...packet.bytes].map((b) => b.toString(16).padStart(2, '0')).join(' '),
      );
      await client.expectClosed();
    }
  });

  rule('[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] assigns unique identifiers and tells them', async () => {
    const assigned = new Set<unknown>();
    for (let count = 0; count < 5; count++) {
      const client = await openClient(broker.port, { clientIdentifier: '' });
      const [identifier] = valuesOf(client.connack, 0x12);
      expect(identifier).toMatch(/./);
      assigned.add(identifier);
    }
    expect(assigned.size).toBe(5);
  });

  rule('[MQTT-3.1.3-7] an assigned identifier can be used to come back', async () => {
    const first = await openClient(broker.port, {
      clientIdentifier: '',
      properties: [property.sessionExpiryInterval(60)],
    });
    const identifier = valuesOf(first.connack, 0x12)[0] as string;
    await first.drop();
    const second = await openClient(broker.port, { clientIdentifier: identifier, cleanStart: false });
    expect(second.connack.flags).toBe(1);
    expect(valuesOf(second.connack, 0x12)).toEqual([]);
  });

  rule('[MQTT-3.1.3-5] allows identifiers of 1 to 23 letters and digits', async () => {
    for (const identifier of ['y', 'ABCDEFGHIJKLMNOPQRSTUVW', '0']) {
      await openClient(broker.port, { clientIdentifier: identifier });
    }
  });

  rule('[MQTT-3.1.2-28] returns no Response Information unasked', async () => {
    for (const properties of [[], [property.requestResponseInformation(0)]]) {
      const client = await openClient(broker.port, { properties });
      expect(valuesOf(client.connack, 0x1a)).toEqual([]);
    }
  });

  rule('takes a request for Response Information', async () => {
    await openClient(broker.port, { properties: [property.requestResponseInformation(1)] });
  });

  rule('[MQTT-4.12.0-1] refuses an authentication method it does not have with 0x8C', async () => {
    const sent = connect({
      properties: [property.authenticationMethod('NO-SUCH'), property.authenticationData(text('x'))],
    });
    const packet = await refusal5(broker.port, sent, 0x8c, 0x87);
    expect(packet?.name).toBe('CONNACK');
  });

  rule('[MQTT-4.12.0-6] sends no method to those who named none', async () => {
    const client = await openClient(broker.port);
    expect(valuesOf(client.connack, 0x15)).toEqual([]);
  });

  rule(
    '[MQTT-4.12.0-7] answers AUTH of a client without a method with DISCONNECT 0x82',
    async () => {
      const client = await openClient(broker.port);
      client.send(auth(0x19, [property.authenticationMethod('ANY')]));
      await client.expectRefusal(0x82, 0x8c);
    },
    { mosquitto: 'closes without DISCONNECT' },
  );

  rule('[MQTT-3.2.2-22] keeps the Keep Alive of the Client when it names no other', async () => {
    const client = await openClient(broker.port, { keepAlive: 77 });
    expect(valuesOf(client.connack, 0x13)).toEqual([]);
  });

  rule('tells its Receive Maximum and Topic Alias Maximum', async () => {
    const { connack } = await openClient(broker.port);
    expect(valuesOf(connack, 0x22)).toEqual([10]);
    expect(valuesOf(connack, 0x21)[0] ?? 65_535).toBeGreaterThan(0);
    for (const available of [0x28, 0x29, 0x2a, 0x25]) expect(valuesOf(connack, available)[0] ?? 1).toBe(1);
    expect(valuesOf(connack, 0x24)).toEqual([]);
  });

  rule('[MQTT-3.1.2-17] [MQTT-3.1.2-19] takes user name and password, and a password alone', async () => {
    await openClient(broker.port, { username: 'ada', password: 'secret' });
    await openClient(broker.port, { password: 'token' });
  });

  rule('[MQTT-1.5.4-3] keeps U+FEFF in an identifier', async () => {
    const name = uniqueName('bom');
    const plain = await openClient(broker.port, { clientIdentifier: name });
    await openClient(broker.port, { clientIdentifier: `\ufeff${name}` });
    await plain.expectNothing();
  });

  rule('[MQTT-3.1.2-1] closes at a protocol name it does not know', async () => {
    const body = join(utf8('MQTX'), hex('05 02 00 3c 00'), utf8('a'));
    await refusal5(broker.port, join(0x10, body.length, body), 0x84, 0x01);
  });
});

describe('who may connect', () => {
  const broker = useBroker({
    config: 'allow_anonymous false\npassword_file {directory}/passwords',
    // The password of ada is `secret`.
    files: {
      passwords:
        'ada:$7$101$TsW9W03g3lREhv7z$FxzOY3ze61aIy6SH0AGkadcC2+UI1NonbC7lJY82BqN8/xK01Bed2aHkiEYus8YP3G1DD9eqw0jwaCEeZCma2Q==\n',
    },
  });

  rule('[MQTT311-3.2.2-4] [MQTT311-3.2.2-5] refuses with return code 5 and closes', async () => {
    await refusal(broker.port, connect({ version: 4, clientIdentifier: 'nobody' }), '20 02 00 05');
    await refusal(broker.port, connect({ version: 4, username: 'ada', password: 'wrong' }), '20 02 00 05');
  });

  rule('[MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] refuses with a Reason Code and closes', async () => {
    expect(await refusal5(broker.port, connect({ cleanStart: false }), 0x87, 0x86)).toBeDefined();
    const wrong = connect({ username: 'ada', password: 'wrong' });
    expect(await refusal5(broker.port, wrong, 0x87, 0x86)).toBeDefined();
  });

  rule('[MQTT-3.1.4-6] processes nothing that follows a CONNECT it refuses', async () => {
    const watcher = await openClient(broker.port, { username: 'ada', password: 'secret' });
    watcher.send(subscribe(1, [['secret/#', 0]], []));
    await watcher.expect('SUBACK');
    const packets = await exchangeUntilClosed(broker.port, 5, connect(), publish5('secret/x', 'x'));
    expect(packets).toHaveLength(1);
    await watcher.expectNothing();
  });
});
