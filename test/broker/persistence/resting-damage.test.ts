/** What rests in the store and turns out to be damaged when it is read: nothing is lost in silence, and the broker goes on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/broker/log.ts';
import { type LmdbStore, openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';
import { dataFileName } from '../../../src/broker/persistence/lmdb-environment.ts';
import { connect, property } from '../../support/raw-packets.ts';
import { InMemoryBroker } from '../in-memory.ts';
import { deliveryAt, messageOn, sessionOf, subscriptionTo } from './store-contract.ts';

/** A store with two Sessions, and a broker on it that has just started. */
async function started(): Promise<{ directory: string; net: InMemoryBroker; store: LmdbStore; errors: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'clearwing-damage-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const before = await openLmdbStore({ directory, clock: systemClock, log: silentLog });
  for (const name of ['first', 'second']) {
    before.putSession(sessionOf(name));
    before.putSubscription(name, subscriptionTo(name));
    for (let position = 1; position <= 3; position++) {
      before.putDelivery(name, deliveryAt(position, messageOn(`topic/of/${name}`, `${name} ${position}`)));
    }
  }
  before.putInbound('second', { packetIdentifier: 9, message: messageOn('in/bound', 'x', { qos: 2 }) });
  await before.close();
  const errors: string[] = [];
  const store = await openLmdbStore({
    directory,
    clock: systemClock,
    log: { isEnabled: () => true, write: (_, text) => void errors.push(text) },
  });
  onTestFinished(() => store.close());
  const net = new InMemoryBroker({ store });
  await net.broker.restore();
  return { directory, net, store, errors };
}

/** Changes a byte behind each place where the bytes stand; the map of the file shows what is written to it. */
function damage(directory: string, bytes: Uint8Array, behind: number): void {
  const path = join(directory, dataFileName);
  const file = readFileSync(path);
  let places = 0;
  for (let at = file.indexOf(bytes); at >= 0; at = file.indexOf(bytes, at + 1)) {
    const place = at + bytes.length + behind;
    file[place] = (file[place] as number) ^ 0x10;
    places++;
  }
  expect(places).toBeGreaterThan(0);
  writeFileSync(path, file, { flag: 'r+' });
}

/** The key of a delivery. */
const deliveryOf = (session: number, position: number): Uint8Array =>
  Uint8Array.of(0, 0, 0, session, 0, 0, 0, 0, 0, 0, 0, position);

const properties = [property.sessionExpiryInterval(3600)];

describe('what waits for a client and cannot be read', () => {
  it.each([
    ['a delivery', (directory: string) => damage(directory, deliveryOf(1, 2), 6), 'its checksum is wrong'],
    [
      'the message of one',
      (directory: string) => damage(directory, Buffer.from('topic/of/fi'), 0),
      'its checksum is wrong',
    ],
    [
      'a payload',
      (directory: string) => damage(directory, Buffer.from('first '), 0),
      'the checksum of its payload is wrong',
    ],
  ])('is told to the client, to the log and to whoever wants durable work: %s', async (_, harm, reason) => {
    const { directory, net, store, errors } = await started();
    harm(directory);
    const client = net.open();
    client.send(connect({ clientIdentifier: 'first', cleanStart: false, keepAlive: 0, properties }));
    const told = await untilClosed(net, client);
    expect(told).toEqual(['CONNACK flags=1 code=0', expect.stringMatching(/^DISCONNECT.*code=0x83/)]);
    expect(errors.join()).toMatch(new RegExp(`${directory}: .* cannot be read: ${reason}`));
    expect(net.lines('notice').join()).toContain('Client first disconnected: what waits for it cannot be read');
    expect(store.isRefusingWork).toBe(true);
    // As in any trouble: QoS 0 goes on, durable work does not.
    const reader = await net.connect();
    await reader.subscribe(['t', 0]);
    reader.publish('t', 'x');
    expect(await reader.payloads()).toEqual(['x']);
    const again = net.open();
    again.send(connect({ clientIdentifier: 'first', cleanStart: false, keepAlive: 0, properties }));
    expect((await again.take()).map(({ name, code }) => [name, code])).toEqual([['CONNACK', 0x97]]);
  });

  it('ends with its Session all the same', async () => {
    const { directory, net, store, errors } = await started();
    damage(directory, deliveryOf(1, 2), 6);
    await net.pass(3_700_000);
    await store.sync();
    expect(errors.join()).toContain('a delivery of first cannot be read: its checksum is wrong');
    expect(store.countRecords()).toMatchObject({ sessions: 0, deliveries: 0, inbound: 0 });
    expect(store.trouble).toContain(directory);
  });
});

/** Lets the store have its time, which is not the broker's, until the connection has ended; what has come, as texts. */
async function untilClosed(net: InMemoryBroker, client: ReturnType<InMemoryBroker['open']>): Promise<string[]> {
  const texts: string[] = [];
  while (!client.isClosed) {
    texts.push(...(await client.texts()));
    await new Promise((resolve) => setTimeout(resolve, 2));
    await net.settle();
  }
  return [...texts, ...(await client.texts())];
}
