/** Wills as the broker keeps them: what decides when, whether and to whom. The statements on the wire are in test/conformance. */
import { describe, expect, it } from 'vitest';
import { disconnect, property } from '../support/raw-packets.ts';
import { InMemoryBroker } from './in-memory.ts';

const will = (payload: string, ...properties: Uint8Array[]) => ({
  topic: 'will',
  payload: Buffer.from(payload),
  properties,
});
const session = (clientIdentifier: string, expiry = 60) => ({
  clientIdentifier,
  cleanStart: false,
  properties: [property.sessionExpiryInterval(expiry)],
});

async function watched() {
  const net = new InMemoryBroker();
  const watcher = await net.connect();
  await watcher.subscribe('will');
  return { net, watcher };
}

describe('a will', () => {
  it('[MQTT-3.8.3-3] does not wait for its own client, if that wants nothing of its own', async () => {
    const net = new InMemoryBroker();
    const client = await net.connect({ ...session('w'), will: { ...will('gone'), qos: 1 } });
    await client.subscribe(['will', 1 | 4], ['other', 1]);
    await client.drop();
    net.broker.publish('other', 'x', { qos: 1 });
    expect(await (await net.connect(session('w'))).payloads()).toEqual(['x']);
  });

  it('waits for its delay or the end of the Session, whichever comes first', async () => {
    const { net, watcher } = await watched();
    for (const [name, delay, expiry] of [
      ['delay first', 10, 60],
      ['session first', 60, 20],
    ] as const) {
      const client = await net.connect({
        ...session(name, expiry),
        will: will(name, property.willDelayInterval(delay)),
      });
      await client.drop();
    }
    await net.pass(9_900);
    expect(await watcher.payloads()).toEqual([]);
    await net.pass(600);
    expect(await watcher.payloads()).toEqual(['delay first']);
    await net.pass(9_000);
    expect(await watcher.payloads()).toEqual([]);
    await net.pass(1_000);
    expect(await watcher.payloads()).toEqual(['session first']);
  });

  it('is forgone by a normal DISCONNECT, wanted by one with 0x04, and due at any other end', async () => {
    const { net, watcher } = await watched();
    const normal = await net.connect({ will: will('normal') });
    normal.send(disconnect());
    const wanted = await net.connect({ will: will('wanted') });
    wanted.send(disconnect(4));
    const rude = await net.connect({ will: will('rude') });
    rude.send('36 00');
    const silent = await net.connect({ will: will('silent'), keepAlive: 1 });
    await net.pass(2_000);
    expect(silent.isClosed).toBe(true);
    const sent = await net.connect({ will: will('sent away') });
    net.broker.disconnect(sent.clientIdentifier);
    expect(await watcher.payloads()).toEqual(['wanted', 'rude', 'silent', 'sent away']);
  });

  it('that still waits is published when its Session is replaced, and not when it is resumed', async () => {
    const { net, watcher } = await watched();
    for (const name of ['resumed', 'replaced']) {
      const client = await net.connect({ ...session(name), will: will(name, property.willDelayInterval(30)) });
      await client.drop();
      await net.connect({ ...session(name), cleanStart: name === 'replaced' });
    }
    await net.pass(60_000);
    expect(await watcher.payloads()).toEqual(['replaced']);
  });
});
