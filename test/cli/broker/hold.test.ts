/** A broker that is killed while acknowledgements wait for subscribers rather than for the disk: what was acknowledged is not lost. */
import { describe, expect, it } from 'vitest';
import { openClient, type RawClient } from '../../support/raw-client.ts';
import { pingreq, puback, publish, subscribe } from '../../support/raw-packets.ts';
import { durableBroker } from './durable-broker.ts';

const persistent = { version: 4, cleanStart: false, keepAlive: 0 } as const;
const rounds = 3;
const messagesPerRound = 40;

/** Packets until a PINGRESP, or until the connection has ended. */
async function packetsOf(client: RawClient): Promise<{ name: string; id: number; payload: string }[]> {
  const packets: { name: string; id: number; payload: string }[] = [];
  for (;;) {
    const packet = await client.nextOrEnd();
    if (packet === undefined || packet.name === 'PINGRESP') return packets;
    packets.push({ name: packet.name, id: packet.id ?? 0, payload: textOf(packet.payload) });
  }
}

const textOf = (payload: Uint8Array | undefined): string => Buffer.from(payload ?? []).toString();

/** Payloads that were acknowledged to their publisher and that the subscriber neither acknowledged nor gets after a kill. */
async function lostIn(durability: string): Promise<string[]> {
  const { port, start } = await durableBroker(
    ...[`durability ${durability}`, 'sys_interval 0', 'max_inflight_messages 0'],
  );
  const lost: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const broker = await start();
    const subscriber = await openClient(port, { ...persistent, clientIdentifier: 'subscriber' });
    subscriber.send(subscribe(1, [['t', 1]]));
    await subscriber.expect('SUBACK');
    const publisher = await openClient(port, { version: 4, clientIdentifier: 'publisher', keepAlive: 0 });
    for (let number = 1; number <= messagesPerRound; number++) {
      publisher.send(publish('t', `${round}/${number}`, { qos: 1, id: number }));
    }
    // All but one of each ten are acknowledged at once, so that others of them wait behind it when the broker is killed.
    const acknowledged = new Set<string>();
    for (let number = 1; number <= messagesPerRound; number++) {
      const { id, payload } = await subscriber.expect('PUBLISH');
      if (number % 10 === round) continue;
      acknowledged.add(textOf(payload));
      subscriber.send(puback(id ?? 0));
    }
    await publisher.expect('PUBACK');
    broker.kill('SIGKILL');
    const promised = [1, ...(await packetsOf(publisher)).map(({ id }) => id)].map((id) => `${round}/${id}`);
    await broker.stop('SIGKILL');

    const next = await start();
    const again = await openClient(port, { ...persistent, clientIdentifier: 'subscriber' });
    again.send(pingreq);
    const delivered = new Set<string>();
    for (const { name, id, payload } of await packetsOf(again)) {
      if (name !== 'PUBLISH') continue;
      delivered.add(payload);
      again.send(puback(id));
    }
    await next.stop('SIGTERM');
    lost.push(...promised.filter((payload) => !acknowledged.has(payload) && !delivered.has(payload)));
  }
  return lost;
}

describe('a broker that is killed while its subscribers are still to acknowledge', () => {
  for (const durability of ['strict', 'relaxed']) {
    it(`has lost nothing that it acknowledged, with durability ${durability}`, async () => {
      expect(await lostIn(durability)).toEqual([]);
    });
  }

  it('has with durability none, and the same judge finds it', async () => {
    expect(await lostIn('none')).not.toEqual([]);
  });
});
