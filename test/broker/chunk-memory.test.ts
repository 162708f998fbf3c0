import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { publish } from '../support/raw-packets.ts';
import { until } from '../support/until.ts';
import { InMemoryBroker } from './in-memory.ts';

describe('messages that wait to be acknowledged', () => {
  it('hold no more of the chunk they came in than about themselves', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const net = new InMemoryBroker({ settings: { maxInflightMessages: 5000 } });
    const subscriber = await net.connect({ version: 4 });
    await subscriber.subscribe(['one', 1]);
    const publisher = await net.connect({ version: 4 });
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let id = 1; id <= 500; id++) {
      // One message that is not acknowledged, in a chunk of 64 KiB of which nobody wants the rest.
      publisher.send(publish('one', 'kept', { qos: 1, id }), publish('none', new Uint8Array(65_000), { qos: 1, id }));
      await publisher.take();
    }
    expect(await subscriber.take()).toHaveLength(500);
    // What is garbage is given back by a thread of the engine, a little later.
    await until(() => {
      collect();
      return process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024;
    }, 'chunks to be given back');
  });
});
