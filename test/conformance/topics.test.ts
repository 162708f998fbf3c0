/** Topic Names and Topic Filters: matching, `$`, UTF-8, lengths. [MQTT 5.0 §4.7, §1.5.4] */
import { describe, expect } from 'vitest';
import { openClient, uniqueName } from '../support/raw-client.ts';
import { pingreq, publish, publish5, subscribe, subscribe5 } from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('topics', () => {
  const broker = useBroker({ config: 'sys_interval 0' });

  const matching: readonly (readonly [filter: string, topic: string, matches: boolean])[] = [
    ['sport/tennis/player1/#', 'sport/tennis/player1', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking', true],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
    ['sport/#', 'sport', true],
    ['sport/tennis/+', 'sport/tennis/player1', true],
    ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
    ['sport/+', 'sport', false],
    ['sport/+', 'sport/', true],
    ['+/+', '/finance', true],
    ['/+', '/finance', true],
    ['+', '/finance', false],
    ['+/#', 'a', true],
    ['#', '/', true],
    ['/', '/', true],
    ['+/+', '/', true],
    ['a//b', 'a//b', true],
    ['a/+/b', 'a//b', true],
    ['a/b', 'a//b', false],
    ['ACCOUNTS', 'Accounts', false],
    ['a b', 'a b', true],
    ['a/+/c/+/e', 'a/b/c/d/e', true],
    ['a/+/c/+/e', 'a/b/c/d/f', false],
    ['é', 'e\u0301', false],
    ['Å', '\u212b', false],
    ['😀/+/ü', '😀/温度/ü', true],
    ['\ufeffa', 'a', false],
    ['$dollar/#', '$dollar/x', true],
    ['$dollar/+', '$dollar/x', true],
    ['#', '$dollar/x', false],
    ['+/x', '$dollar/x', false],
    ['a/#', 'a/$x', true],
    ['a/+', 'a/$x', true],
  ];
  for (const [filter, topic, matches] of matching) {
    const number =
      (/^[#+]/.test(filter) && topic.startsWith('$') && '[MQTT-4.7.2-1] [MQTT311-4.7.2-1]') ||
      (filter.startsWith('\ufeff') && '[MQTT-1.5.4-3] [MQTT311-1.5.3-3]') ||
      '[MQTT-4.7.3-4] [MQTT-3.3.2-3] [MQTT311-4.7.3-4] [MQTT311-3.3.2-3]';
    rule(`${number} "${filter}" ${matches ? 'matches' : 'does not match'} "${topic}"`, async () => {
      const client = await openClient(broker.port, { version: 4 });
      client.send(subscribe(1, [[filter, 0]]));
      await client.expectBytes('90 03 00 01 00');
      client.send(publish(topic, client.clientIdentifier));
      const own = (await client.collect()).filter((packet) => `${packet.payload}` === client.clientIdentifier);
      expect(own.map((packet) => packet.topic)).toEqual(matches ? [topic] : []);
    });
  }

  for (const topic of ['a/#', '#', '+', 'a/+/b', 'a#']) {
    rule(
      `[MQTT-3.3.2-2] [MQTT-4.7.0-1] [MQTT311-3.3.2-2] [MQTT311-4.7.1-1] refuses to publish to "${topic}"`,
      async () => {
        const four = await openClient(broker.port, { version: 4 });
        four.send(publish(topic, 'x'));
        await four.expectClosed();
        const five = await openClient(broker.port);
        five.send(publish5(topic, 'x'));
        await five.expectRefusal(0x81, 0x82, 0x90);
      },
    );
  }

  for (const filter of ['a/#/b', 'a#', '#a', 'a/b#', 'a+', '+a', 'a/b+/c', '##', '#/', '++']) {
    rule(`[MQTT-4.7.1-1] [MQTT-4.7.1-2] refuses the filter "${filter}"`, async () => {
      const client = await openClient(broker.port);
      client.send(
        subscribe5(1, [
          [filter, 0],
          ['fine', 0],
        ]),
      );
      const answer = await client.next();
      if (answer.name === 'SUBACK') expect(answer.codes).toEqual([0x8f, 0]);
      else {
        expect(answer.name).toBe('DISCONNECT');
        expect([0x81, 0x82, 0x8f]).toContain(answer.code);
        await client.expectClosed();
      }
    });
  }

  rule('[MQTT-4.7.3-1] [MQTT311-4.7.3-1] refuses empty topics and filters', async () => {
    const four = await openClient(broker.port, { version: 4 });
    four.send(publish('', 'x'));
    await four.expectClosed();
    for (const version of [4, 5] as const) {
      const client = await openClient(broker.port, { version });
      client.send(subscribe(1, [['', 0]], version === 5 ? [] : undefined));
      const answer = await client.nextOrEnd();
      if (answer?.name === 'SUBACK') expect(answer.codes?.[0]).toBeGreaterThanOrEqual(0x80);
      else if (answer) expect(answer.name).toBe('DISCONNECT');
    }
  });

  rule('[MQTT-4.7.3-3] [MQTT311-4.7.3-3] carries topics of 65,535 bytes', async () => {
    const topic = `${uniqueName('long/')}/`.padEnd(65_535, 'x');
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [[topic, 0]]));
    await client.expectBytes('90 03 00 01 00');
    client.send(publish(topic, 'x'), publish(topic.slice(0, -1), 'y'));
    await client.expectBytes(publish(topic, 'x'));
    await client.expectNothing();
  });

  rule(
    '[MQTT-1.5.4-1] [MQTT-3.3.2-1] [MQTT311-3.3.2-1] takes text of every length of UTF-8 and hands it on byte by byte',
    async () => {
      const topic = uniqueName('utf8/\u0001\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}/');
      const client = await openClient(broker.port, { version: 4 });
      client.send(subscribe(1, [[`${topic.slice(0, topic.lastIndexOf('/'))}/#`, 0]]));
      await client.expect('SUBACK');
      client.send(publish(topic, Uint8Array.of(0, 255, 254, 128)));
      await client.expectBytes(publish(topic, Uint8Array.of(0, 255, 254, 128)));
    },
    { mosquitto: 'refuses control characters and non-characters' },
  );

  rule('payloads are bytes of no meaning to the broker, from none to many', async () => {
    const topic = uniqueName('payload/');
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [[topic, 1]]));
    await client.expect('SUBACK');
    let id = 1;
    for (const size of [0, 1, 126, 127, 128, 16_383, 16_384, 100_000, 3_000_000]) {
      const payload = Buffer.alloc(
        size,
        Uint8Array.from({ length: 251 }, (_, index) => index),
      );
      client.send(publish(topic, payload, { qos: 1, id: 100 }));
      const packets = [await client.next(), await client.next()];
      const message = packets.find((packet) => packet.name === 'PUBLISH');
      expect(Buffer.compare(message?.payload ?? Buffer.of(1), payload)).toBe(0);
      client.send(`40 02 00 ${(id++).toString(16).padStart(2, '0')}`);
    }
  });

  rule('clients cannot publish where the broker tells about itself', async () => {
    const client = await openClient(broker.port, { version: 4 });
    client.send(subscribe(1, [['$SYS/#', 0]]));
    await client.expect('SUBACK');
    await client.collect();
    client.send(publish('$SYS/broker/fake', 'x'), pingreq);
    // Whether the message alone or the connection is refused is left open.
    for (let packet = await client.nextOrEnd(); packet?.name === 'PUBLISH'; packet = await client.nextOrEnd()) {
      expect(packet.topic).not.toBe('$SYS/broker/fake');
    }
  });
});
