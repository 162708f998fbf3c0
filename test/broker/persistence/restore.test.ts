/** What becomes of stored Sessions when the broker comes back. */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/base/clock.ts';
import { MemoryStore } from '../../../src/broker/persistence/memory.ts';
import { connect, property, puback, publish5, subscribe } from '../../support/raw-packets.ts';
import { InMemoryBroker } from '../in-memory.ts';
import { loaded } from './store-contract.ts';

/** A broker, and another on what it leaves when it is killed. Both go by a clock of their own, the store by a third. */
class Lives {
  readonly storeClock = new VirtualClock();
  store = new MemoryStore({ clock: this.storeClock });
  net = new InMemoryBroker({ store: this.store });

  async pass(ms: number): Promise<void> {
    for (let step = 0; step < 3; step++) {
      await this.net.pass(step === 0 ? ms : 0);
      await this.storeClock.advanceAsync(step === 0 ? ms : 0);
    }
  }

  /** @param awayMs how long nobody runs */
  async kill(awayMs = 0): Promise<void> {
    const now = this.net.clock.now();
    this.store = this.store.crashed();
    this.net = new InMemoryBroker({ store: this.store });
    await this.net.pass(now + awayMs - this.net.clock.now());
    await this.net.broker.restore();
  }

  async connect(name: string, fields: object = {}, expiry = 3600) {
    const client = this.net.open();
    const properties = [property.sessionExpiryInterval(expiry)];
    client.send(connect({ cleanStart: false, keepAlive: 0, clientIdentifier: name, properties, ...fields }));
    await this.pass(1);
    return client;
  }
}

const will = (topic: string, delay = 0) => ({
  topic,
  payload: Buffer.from('gone'),
  qos: 1,
  properties: delay === 0 ? [] : [property.willDelayInterval(delay)],
});

describe('a broker that comes back', () => {
  it('[MQTT-3.1.2-8] publishes the will of a client that was connected, to sessions that come back with it', async () => {
    const lives = new Lives();
    // The one with the will is restored first.
    await lives.connect('a', { will: will('wills/a') });
    const watcher = await lives.connect('b');
    watcher.send(subscribe(1, [['wills/#', 1]], []));
    await lives.pass(1);
    await lives.kill();
    const back = await lives.connect('b');
    expect(await back.texts()).toEqual(['CONNACK flags=1 code=0', 'PUBLISH id=1 [wills/a] "gone"']);
    // Once.
    await lives.pass(10);
    await lives.kill();
    const again = await lives.connect('b');
    expect((await again.texts()).filter((one) => one.includes('wills/a')).length).toBe(1);
  });

  it('[MQTT-3.1.3-9] publishes no will of a client that comes back within its delay', async () => {
    const lives = new Lives();
    await lives.connect('a', { will: will('wills/a', 100) });
    const watcher = await lives.connect('b');
    watcher.send(subscribe(1, [['wills/#', 1]], []));
    await lives.pass(1);
    await lives.kill();
    await lives.connect('a');
    await lives.pass(200_000);
    const back = await lives.connect('b');
    expect(await back.texts()).toEqual(['CONNACK flags=1 code=0']);
  });

  it('[MQTT-3.1.2-10] publishes a will that came due while it was away once, however often it starts', async () => {
    const lives = new Lives();
    const watcher = await lives.connect('w');
    watcher.send(subscribe(1, [['wills/#', 1]], []));
    const client = await lives.connect('a', { will: will('wills/a', 3) });
    await client.drop();
    await lives.pass(1);
    await lives.kill(10_000);
    await lives.pass(1);
    const back = await lives.connect('w');
    expect(await back.texts()).toEqual(['CONNACK flags=1 code=0', 'PUBLISH id=1 [wills/a] "gone"']);
    back.send(puback(1));
    await lives.pass(1);
    await lives.kill();
    await lives.pass(1);
    expect(await (await lives.connect('w')).texts()).toEqual(['CONNACK flags=1 code=0']);
    // And the session is still there.
    expect(await (await lives.connect('a')).texts()).toEqual(['CONNACK flags=1 code=0']);
  });

  it('[MQTT-3.1.2-23] has forgotten a session that expired while it was away, however soon its client is back', async () => {
    const lives = new Lives();
    const watcher = await lives.connect('w');
    watcher.send(subscribe(1, [['wills/#', 1]], []));
    for (const [name, expiry] of [
      ['a', 5],
      ['b', 60],
    ] as const) {
      const client = await lives.connect(name, { will: will(`wills/${name}`, 1000) }, expiry);
      client.send(subscribe(1, [['$share/g/t', 1]], []));
      await lives.pass(1);
      await client.drop();
      await lives.pass(1);
    }
    await lives.kill(6000);
    // No time has passed since it listens: not one message may go to the group's member that is no more.
    const publisher = lives.net.open();
    publisher.send(
      connect({ clientIdentifier: 'p' }),
      publish5('t', '1', { qos: 1 }),
      publish5('t', '2', { qos: 1, id: 2 }),
    );
    const early = lives.net.open();
    const properties = [property.sessionExpiryInterval(5)];
    early.send(connect({ cleanStart: false, clientIdentifier: 'a', properties }));
    await lives.pass(1);
    expect(await early.texts()).toEqual(['CONNACK flags=0 code=0']);
    const b = await lives.connect('b', {}, 60);
    expect((await b.texts()).map((text) => text.replace(/id=\d+ /, ''))).toEqual([
      'CONNACK flags=1 code=0',
      'PUBLISH [t] "1"',
      'PUBLISH [t] "2"',
    ]);
    const back = await lives.connect('w');
    expect((await back.texts()).slice(1)).toEqual(['PUBLISH id=1 [wills/a] "gone"']);
  });

  it('forgets a session that ended with a delayed will', async () => {
    const lives = new Lives();
    const client = await lives.connect('a', { will: will('w', 1000) }, 5);
    await client.drop();
    await lives.pass(6000);
    expect((await loaded(lives.store)).sessions).toEqual({});
    expect(lives.store.countRecords().sessions).toBe(0);
  });

  it('leaves nothing of a session that a Clean Start ends', async () => {
    const lives = new Lives();
    const old = await lives.connect('a');
    old.send(subscribe(1, [['t', 1]], []));
    await lives.pass(1);
    await old.drop();
    const publisher = await lives.connect('p', { cleanStart: true }, 0);
    publisher.publish('t', 'queued', { qos: 1 });
    await lives.pass(1);
    expect(lives.store.countRecords()).toMatchObject({ sessions: 1, deliveries: 1, messages: 1, subscriptions: 1 });
    await lives.connect('a', { cleanStart: true }, 0);
    expect(lives.store.countRecords()).toMatchObject({ sessions: 0, deliveries: 0, messages: 0, subscriptions: 0 });
  });

  it('forgets retained messages that have expired', async () => {
    const lives = new Lives();
    const publisher = await lives.connect('p', { cleanStart: true }, 0);
    publisher.publish('t', 'for a while', { qos: 1, retain: true, properties: [property.messageExpiryInterval(5)] });
    await lives.pass(1);
    expect(lives.store.countRecords().retained).toBe(1);
    await lives.pass(6000);
    const reader = await lives.connect('r', { cleanStart: true }, 0);
    reader.send(subscribe(1, [['#', 0]], []));
    await lives.pass(1);
    expect((await reader.texts()).filter((one) => one.startsWith('PUBLISH'))).toEqual([]);
    expect(lives.store.countRecords().retained).toBe(0);
  });
});
