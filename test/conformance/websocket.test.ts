/** MQTT over WebSocket. [MQTT 5.0 §6; MQTT 3.1.1 §6] */
import { connect as connectSocket } from 'node:net';
import { describe, expect } from 'vitest';
import { openClient, uniqueName } from '../support/raw-client.ts';
import { connect, hex, join, pingreq, publish, subscribe } from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';
import { until } from '../support/until.ts';
import { openWebSocket } from '../support/web-socket-client.ts';

describe('MQTT over WebSocket', () => {
  const broker = useBroker({ webSocket: true });
  const named = () => connect({ version: 4, clientIdentifier: uniqueName('ws') });

  rule('[MQTT-6.0.0-4] [MQTT-6.0.0-3] [MQTT311-6.0.0-4] selects the subprotocol mqtt', async () => {
    const plain = await openWebSocket(broker.wsPort, { protocols: ['mqtt'] });
    expect(plain.socket.protocol).toBe('mqtt');
    const several = await openWebSocket(broker.wsPort, { protocols: ['other', 'mqtt'] });
    expect(several.socket.protocol).toBe('mqtt');
  });

  rule('accepts mqttv3.1, which older clients ask for', async () => {
    const client = await openWebSocket(broker.wsPort, { protocols: ['mqttv3.1'] });
    expect(client.socket.protocol).toBe('mqttv3.1');
    client.send(named());
    await client.expectBytes('20 02 00 00');
  });

  rule('has no meaning for the path', async () => {
    for (const path of ['/', '/mqtt', '/some/where?else=1']) {
      const client = await openWebSocket(broker.wsPort, { path });
      client.send(named());
      await client.expectBytes('20 02 00 00');
    }
  });

  rule('[MQTT-6.0.0-2] [MQTT311-6.0.0-2] takes frames of one byte', async () => {
    const topic = uniqueName('ws/');
    const client = await openWebSocket(broker.wsPort);
    client.sendInFrames(1, named(), subscribe(1, [[topic, 0]]), publish(topic, 'straddling'), pingreq);
    await client.expectBytes('20 02 00 00', '90 03 00 01 00', publish(topic, 'straddling'), 'd0 00');
  });

  rule('[MQTT-6.0.0-2] [MQTT311-6.0.0-2] takes many packets in one frame', async () => {
    const topic = uniqueName('ws/');
    const client = await openWebSocket(broker.wsPort);
    const messages = Array.from({ length: 500 }, (_, index) => publish(topic, `${index}`));
    client.send(named(), subscribe(1, [[topic, 0]]), ...messages, pingreq);
    await client.expectBytes('20 02 00 00', '90 03 00 01 00', ...messages, 'd0 00');
  });

  rule('[MQTT-6.0.0-2] takes packets that straddle frames of any size', async () => {
    const topic = uniqueName('ws/');
    for (const size of [2, 3, 7, 64, 1_000]) {
      const client = await openWebSocket(broker.wsPort);
      const large = publish(topic, 'x'.repeat(5_000));
      client.sendInFrames(size, named(), subscribe(1, [[topic, 0]]), large);
      await client.expectBytes('20 02 00 00', '90 03 00 01 00', large);
      client.destroy();
    }
  });

  rule('takes a message in fragments', async () => {
    const client = await openWebSocket(broker.wsPort);
    const bytes = named();
    client.socket.send(bytes.subarray(0, 5), { fin: false });
    client.socket.send(bytes.subarray(5), { fin: true });
    await client.expectBytes('20 02 00 00');
  });

  rule(
    '[MQTT-6.0.0-1] [MQTT311-6.0.0-1] closes at a text frame',
    async () => {
      const client = await openWebSocket(broker.wsPort);
      client.send(named());
      await client.expectBytes('20 02 00 00');
      client.socket.send('c0 00');
      await client.expectClosed();
    },
    { mosquitto: 'takes text frames for binary ones' },
  );

  rule('answers a WebSocket ping', async () => {
    const client = await openWebSocket(broker.wsPort);
    let pongs = 0;
    client.socket.on('pong', () => pongs++);
    client.socket.ping('are you there');
    await until(() => pongs > 0, 'a pong');
  });

  rule('carries messages between WebSocket and TCP clients, large ones too', async () => {
    const topic = uniqueName('ws/');
    const browser = await openWebSocket(broker.wsPort);
    browser.send(named(), subscribe(1, [[topic, 0]]));
    await browser.expectBytes('20 02 00 00', '90 03 00 01 00');
    const device = await openClient(broker.port, { version: 4 });
    device.send(subscribe(1, [[topic, 0]]));
    await device.expectBytes('90 03 00 01 00');
    const large = publish(topic, Buffer.alloc(300_000, 7));
    device.send(large);
    await browser.expectBytes(large);
    await device.expectBytes(large);
    browser.send(large);
    await device.expectBytes(large);
    await browser.expectBytes(large);
  });

  rule('closes when the protocol is broken, and publishes the will', async () => {
    const topic = uniqueName('ws/');
    const heir = await openClient(broker.port, { version: 4 });
    heir.send(subscribe(1, [[topic, 0]]));
    await heir.expect('SUBACK');
    const client = await openWebSocket(broker.wsPort);
    client.send(connect({ version: 4, clientIdentifier: uniqueName('ws'), will: { topic } }));
    await client.expectBytes('20 02 00 00');
    client.send('36 00');
    await client.expectClosed();
    await heir.expectBytes(publish(topic, ''));
  });

  rule('publishes the will when the socket just goes', async () => {
    const topic = uniqueName('ws/');
    const heir = await openClient(broker.port, { version: 4 });
    heir.send(subscribe(1, [[topic, 0]]));
    await heir.expect('SUBACK');
    const client = await openWebSocket(broker.wsPort);
    client.send(connect({ version: 4, clientIdentifier: uniqueName('ws'), will: { topic } }));
    await client.expectBytes('20 02 00 00');
    client.destroy();
    await heir.expectBytes(publish(topic, ''));
  });

  for (const [title, bytes] of [
    ['MQTT without WebSocket', connect({ version: 4 })],
    ['random bytes', hex('00 ff 13 37 aa bb cc dd 0d 0a 0d 0a')],
    ['a request that is no upgrade', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')],
    ['a header that never ends', Buffer.from(`GET / HTTP/1.1\r\nX: ${'y'.repeat(100_000)}`)],
  ] as const) {
    rule(
      `closes at ${title} on a WebSocket port and serves others`,
      async () => {
        const socket = connectSocket(broker.wsPort, '127.0.0.1');
        let isClosed = false;
        socket.on('close', () => {
          isClosed = true;
        });
        socket.on('error', () => {});
        socket.resume();
        socket.write(bytes);
        // A Server may wait for the rest of something that might yet become a request.
        const other = await openWebSocket(broker.wsPort);
        other.send(named());
        await other.expectBytes('20 02 00 00');
        socket.end(join('0d 0a 0d 0a'));
        await until(() => isClosed, 'the end of the connection');
      },
      title === 'a header that never ends' ? { mosquitto: 'waits on', skip: true } : {},
    );
  }
});
