import { describe, expect, it } from 'vitest';
import { Message } from '../../src/broker/message.ts';
import { InMemoryBroker } from './in-memory.ts';

const message = (payload: Uint8Array) => new Message('t', payload, 1, false, undefined, 0, undefined);
const bytesOf = (length: number) => Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);

describe('a Message that waits', () => {
  it('has the same payload of any length as before, however often it is asked for', () => {
    for (const length of [0, 1, 2, 255, 256, 511, 512, 513, 5000]) {
      const waiting = message(bytesOf(length));
      for (let time = 0; time < 2; time++) {
        waiting.compactPayload();
        expect(Buffer.compare(waiting.payload, bytesOf(length)), `${length}`).toBe(0);
        expect(waiting).toMatchObject({ payloadLength: length, isInMemory: true });
      }
    }
  });

  it('keeps the bytes that a program has in its hands', () => {
    const payload = bytesOf(100);
    const pinned = message(payload);
    pinned.pinPayload();
    pinned.compactPayload();
    expect(pinned.payload).toBe(payload);
  });

  it('comes to its client with every byte as it was', async () => {
    const net = new InMemoryBroker();
    const away = await net.connect({ clientIdentifier: 'away', version: 4, cleanStart: false });
    await away.subscribe(['t', 1]);
    await away.drop();
    const lengths = [1, 300, 512, 513];
    for (const length of lengths) net.broker.publish('t', bytesOf(length), { qos: 1 });
    const back = await net.connect({ clientIdentifier: 'away', version: 4, cleanStart: false });
    const received = await back.take();
    expect(received.map(({ payload }) => [...(payload as Uint8Array)])).toEqual(lengths.map((n) => [...bytesOf(n)]));
    await net.broker.close();
  });
});
