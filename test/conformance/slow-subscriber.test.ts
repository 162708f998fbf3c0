/** Subscribers that do not read, publishers that do not listen: bounded memory, and others go on. */
import { describe, expect, it } from 'vitest';
import { brokerUnderTest } from '../support/broker-process.ts';
import { openClient, uniqueName } from '../support/raw-client.ts';
import { hex, property, publish, publish5, subscribe } from '../support/raw-packets.ts';
import { useBroker } from '../support/suite.ts';

const mebibyte = 1024 * 1024;
const patienceMs = 120_000;

describe('a peer that does not read', () => {
  const isOurs = brokerUnderTest === 'clearwing';
  const broker = useBroker();

  for (const qos of [0, 1] as const) {
    it(
      `a subscriber at QoS ${qos} that stops reading neither fills the memory nor slows another`,
      async () => {
        const topic = uniqueName('flood/');
        const stuck = await openClient(broker.port, { version: 4 });
        stuck.send(subscribe(1, [[topic, qos]]));
        await stuck.expect('SUBACK');
        stuck.socket.pause();
        const reader = await openClient(broker.port, { version: 4 });
        reader.send(subscribe(1, [[topic, 0]]));
        await reader.expect('SUBACK');
        const publisher = await openClient(broker.port, { version: 4 });
        const before = broker.residentBytes();
        let highest = before;
        const payload = Buffer.alloc(16 * 1024, 42);
        const rounds = 300;
        const batch = 50;
        let received = 0;
        for (let round = 0; round < rounds; round++) {
          for (let id = 1; id <= batch; id++) publisher.send(publish(topic, payload, { qos, id }));
          for (const packet of await publisher.collect()) expect(packet.name).toBe('PUBACK');
          received += (await reader.collect()).length;
          if (round % 10 === 0) highest = Math.max(highest, broker.residentBytes());
        }
        expect(received).toBe(rounds * batch);
        // 234 MiB went by; what may wait for the one who does not read is 16 MiB, or 1,000 messages of 16 KiB.
        if (isOurs) expect(highest - before).toBeLessThan(120 * mebibyte);
        stuck.destroy();
      },
      patienceMs,
    );
  }

  it(
    'a subscriber that reads again goes on where the limit let it',
    async () => {
      const topic = uniqueName('resume/');
      const client = await openClient(broker.port, {
        clientIdentifier: uniqueName('slow'),
        properties: [property.receiveMaximum(10)],
      });
      client.send(subscribe(1, [[topic, 1]], []));
      await client.expect('SUBACK');
      client.socket.pause();
      const publisher = await openClient(broker.port);
      for (let id = 1; id <= 500; id++) {
        publisher.send(publish5(topic, `${id}`, { qos: 1, id }));
        await publisher.expect('PUBACK');
      }
      client.socket.resume();
      for (let id = 1; id <= 500; id++) expect(`${(await client.receive()).payload}`).toBe(`${id}`);
      await client.expectNothing();
    },
    patienceMs,
  );

  it(
    'a client that asks and never reads the answers does not fill the memory',
    async () => {
      const before = broker.residentBytes();
      const deaf = await openClient(broker.port, { version: 4 });
      deaf.socket.pause();
      const pings = Buffer.alloc(mebibyte, hex('c0 00'));
      const bystander = await openClient(broker.port, { version: 4 });
      for (let count = 0; count < 16; count++) {
        deaf.send(pings);
        await bystander.expectNothing();
      }
      expect(broker.residentBytes() - before).toBeLessThan(120 * mebibyte);
      deaf.destroy();
      await bystander.expectNothing();
    },
    patienceMs,
  );
});
