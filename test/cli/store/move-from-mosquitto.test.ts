/** From Mosquitto to Clearwing: clients find their sessions, queues and retained messages where they left them. */
import { describe, expect, it } from 'vitest';
import { temporaryFiles } from '../../broker/config/temporary.ts';
import {
  fillBroker,
  messageExpiryInterval,
  sessionExpiryInterval,
} from '../../broker/persistence/mosquitto-db/scenario.ts';
import { startBroker } from '../../support/broker-process.ts';
import type { ReadPacket } from '../../support/packet-reader.ts';
import { describeWithPeer } from '../../support/peers.ts';
import { openClient } from '../../support/raw-client.ts';
import { property, puback, pubcomp, publish5, pubrec, pubrel, subscribe5 } from '../../support/raw-packets.ts';
import { testPatienceMs } from '../../support/suite.ts';
import { mosquittoFixture, storeCommand } from './program.ts';

const isDup = ({ flags }: ReadPacket) => (flags & 8) !== 0;
const brief = (packet: ReadPacket) => [packet.topic, String(packet.payload), packet.qos, isDup(packet)] as const;

describeWithPeer('mosquitto', 'clearwing store import, of what a living Mosquitto has kept', () => {
  it(
    'lets our broker go on where Mosquitto stopped',
    async () => {
      const files = temporaryFiles({ 'kept/.keep': '' });
      const config = `persistence true\npersistence_location ${files.path('kept')}/\n`;
      const former = await startBroker({ program: 'mosquitto', config });
      const left = await fillBroker(former.port);
      await former.stop();
      for (const client of left) client.destroy();

      // The same directory as before, as `persistence_location` names it: our store stands beside the database.
      const imported = await storeCommand(['import', files.path('kept'), files.path('kept/mosquitto.db')]);
      expect(imported).toMatchObject({ status: 0, stderr: '' });
      expect(imported.stdout).toContain(
        '  4 sessions, 5 subscriptions, 0 wills\n  12 messages for them, 4 of these in flight\n  2 QoS 2 messages from them, not yet released\n  6 retained messages\n',
      );
      expect((await storeCommand(['check', files.path('kept')])).status).toBe(0);

      const broker = await startBroker({ program: 'clearwing', config: `max_inflight_messages 0\n${config}` });
      const newcomer = await openClient(broker.port, { keepAlive: 0 });
      newcomer.send(subscribe5(1, [['#', 2]]));
      await newcomer.expect('SUBACK');
      const retained = new Map((await newcomer.collect()).map((packet) => [packet.topic, packet]));
      expect([...retained.keys()].sort()).toEqual(
        ['q/three', 'retained/binary', 'retained/expires', 'retained/plain', 'retained/properties', 'ünïcode/☃'].sort(),
      );
      for (const packet of retained.values()) expect(packet.flags & 1).toBe(1);
      expect(retained.get('retained/properties')?.properties).toEqual([
        [0x01, 1],
        [0x03, 'text/plain'],
        [0x08, 'answers/here'],
        [0x09, expect.anything()],
        [0x26, ['k', 'v']],
        [0x26, ['k', 'ü']],
      ]);
      const [identifier, seconds] = (retained.get('retained/expires') as ReadPacket).properties[0] as [number, number];
      expect(identifier).toBe(0x02);
      expect(seconds).toBeGreaterThan(messageExpiryInterval - 600);
      expect(seconds).toBeLessThanOrEqual(messageExpiryInterval);

      const away = await openClient(broker.port, {
        version: 4,
        cleanStart: false,
        clientIdentifier: 'away-311',
        keepAlive: 0,
      });
      expect(away.connack.flags).toBe(1);
      // One of QoS 2 goes out when its identifier is safe; those of one QoS keep their order.
      const queued = [brief(await away.receive()), brief(await away.receive()), brief(await away.receive())];
      expect(queued.filter(([, , qos]) => qos === 1)).toEqual([
        ['q/one', 'first', 1, false],
        ['q/three', 'third', 1, false],
      ]);
      expect(queued.filter(([, , qos]) => qos === 2)).toEqual([['q/two', 'second', 2, false]]);
      await away.expectNothing();

      const away5 = await openClient(broker.port, {
        cleanStart: false,
        clientIdentifier: 'away-5',
        username: 'reader',
        password: 'y',
        keepAlive: 0,
        properties: [property.sessionExpiryInterval(sessionExpiryInterval)],
      });
      expect(away5.connack.flags).toBe(1);
      const [one, two, three] = [await away5.receive(), await away5.receive(), await away5.receive()];
      expect([one, two, three].map(brief)).toEqual([
        ['q/one', 'first', 1, false],
        ['q/two', 'second', 1, false],
        ['q/three', 'third', 1, false],
      ]);
      expect(three.flags & 1).toBe(1);
      expect(two.properties).toEqual([
        [0x26, ['n', '2']],
        [0x0b, 77],
      ]);

      // The exchanges of a client whose connection ended with the old broker.
      const busy = await openClient(broker.port, {
        cleanStart: false,
        clientIdentifier: 'busy',
        keepAlive: 0,
        properties: [property.sessionExpiryInterval(0xffff_ffff)],
      });
      expect(busy.connack.flags).toBe(1);
      const resent: ReadPacket[] = [];
      for (let count = 0; count < 6; count++) resent.push(await busy.next());
      expect(resent.map((packet) => [packet.name, packet.id, packet.topic, isDup(packet)])).toEqual([
        ['PUBREL', 3, undefined, false],
        ['PUBLISH', 1, 'b/1', true],
        ['PUBLISH', 2, 'b/2', true],
        ['PUBLISH', 4, 'b/4', true],
        ['PUBLISH', expect.any(Number), 'b/5', false],
        ['PUBLISH', expect.any(Number), 'b/6', false],
      ]);
      busy.send(puback(1), pubrec(2), pubcomp(3), puback(4), puback(resent[4]?.id as number));
      await busy.expectBytes(pubrel(2));
      busy.send(pubcomp(2));
      // Sent again, as nobody knows whether it came: a duplicate. Released, it goes out, and once.
      busy.send(publish5('in/one', 'not released', { qos: 2, id: 40, dup: true }), pubrel(40), pubrel(41));
      for (const name of ['PUBREC', 'PUBCOMP', 'PUBCOMP'] as const) expect((await busy.expect(name)).code ?? 0).toBe(0);
      expect((await newcomer.collect()).map(({ topic, payload }) => [topic, String(payload)])).toEqual([
        ['in/one', 'not released'],
        ['in/two', 'nor this'],
      ]);

      // Subscriptions work, with their options.
      const publisher = await openClient(broker.port, { keepAlive: 0 });
      publisher.send(publish5('q/new', 'now', { qos: 2, id: 1, retain: true }), pubrel(1));
      await publisher.expect('PUBREC');
      await publisher.expect('PUBCOMP');
      expect(brief(await away.receive())).toEqual(['in/one', 'not released', 1, false]);
      expect(brief(await away.receive())).toEqual(['q/new', 'now', 2, false]);
      const live = await away5.receive();
      expect([...brief(live), live.flags & 1, live.properties]).toEqual(['q/new', 'now', 1, false, 1, [[0x0b, 77]]]);
      expect(await broker.stop()).toBe(0);
    },
    testPatienceMs,
  );
});

describe('clearwing store import, of a file that a Mosquitto left', () => {
  it(
    'is found by a broker that is started with --data',
    async () => {
      const files = temporaryFiles();
      const { status } = await storeCommand(['import', files.path('data'), mosquittoFixture]);
      expect(status).toBe(0);
      const broker = await startBroker({ program: 'clearwing', args: ['--data', files.path('data')] });
      const client = await openClient(broker.port, {
        version: 4,
        cleanStart: false,
        clientIdentifier: 'plain',
        keepAlive: 0,
      });
      expect(client.connack.flags).toBe(1);
      expect(await broker.stop()).toBe(0);
    },
    testPatienceMs,
  );
});
