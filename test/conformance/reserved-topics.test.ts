/** Topics that begin with `$SYS` or `$share`: who may publish there. [MQTT 5.0 §4.7.2, §4.8.2] */
import { describe, expect } from 'vitest';
import { exchangeUntilClosed, openClient, uniqueName } from '../support/raw-client.ts';
import { connect, pingreq, publish, publish5, subscribe, text } from '../support/raw-packets.ts';
import { rule, useBroker } from '../support/suite.ts';

describe('reserved topics', () => {
  const broker = useBroker({ config: 'sys_interval 1' });

  const reserved: readonly (readonly [topic: string, filter: string])[] = [
    ['$SYS/broker/uptime', '$SYS/broker/uptime'],
    ['$SYS/broker/connection/a/b/state', '$SYS/#'],
    ['$SYS', '$SYS/#'],
    ['$SYSTEM/on', '$SYSTEM/+'],
    ['$share/group/topic', '$share/x/$share/group/topic'],
  ];
  for (const [topic, filter] of reserved) {
    rule(`answers a PUBLISH to ${topic} with Not authorized and routes it nowhere`, async () => {
      const watcher = await openClient(broker.port, { version: 4 });
      watcher.send(subscribe(1, [[filter, 0]]));
      const client = await openClient(broker.port, { version: 5 });
      client.send(
        publish5(topic, client.clientIdentifier, { qos: 1, id: 7 }),
        publish5(topic, client.clientIdentifier),
      );
      expect((await client.expect('PUBACK')).code).toBe(0x87);
      client.send(pingreq);
      await client.expect('PINGRESP');
      expect((await watcher.collect()).map((packet) => `${packet.payload}`)).not.toContain(client.clientIdentifier);
    });
  }

  rule(
    'takes the state of a bridge, as message and as will, so that other brokers can bridge to this one',
    async () => {
      const topic = `$SYS/broker/connection/${uniqueName('bridge')}/state`;
      const bridge = await openClient(broker.port, { version: 4, will: { topic, payload: text('0'), retain: true } });
      bridge.send(publish(topic, '1', { qos: 1, id: 1, retain: true }));
      await bridge.expect('PUBACK');
      const watcher = await openClient(broker.port, { version: 4 });
      watcher.send(subscribe(1, [[topic, 0]]));
      await watcher.expect('SUBACK');
      expect(`${(await watcher.expect('PUBLISH')).payload}`).toBe('1');
      await bridge.drop();
      expect(`${(await watcher.expect('PUBLISH')).payload}`).toBe('0');
    },
  );

  rule(
    'refuses a will on a topic of the broker, which would be published in its name',
    async () => {
      const will = { topic: '$SYS/broker/uptime', payload: text('forged'), retain: true };
      const packets = await exchangeUntilClosed(broker.port, 5, connect({ clientIdentifier: uniqueName('c'), will }));
      expect(packets.map(({ name, code }) => [name, code])).toEqual([['CONNACK', 0x87]]);
    },
    { mosquitto: 'accepts the CONNECT and forgets the will when it is due' },
  );
});
