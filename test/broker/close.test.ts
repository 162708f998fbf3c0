/** `Broker.close` with a store that is slow, fails, or never answers. */
import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/broker/persistence/store.ts';
import { StorageError } from '../../src/protocol/errors.ts';
import { connect } from '../support/raw-packets.ts';
import { InMemoryBroker, type MemoryClient } from './in-memory.ts';
import { FaultyStore } from './persistence/faulty-store.ts';

/** A broker whose store closes as it is told. */
function brokerWith(close: (net: InMemoryBroker) => Promise<void>, shutdownTimeout: number): InMemoryBroker {
  let net: InMemoryBroker | undefined;
  class ClosingStore extends FaultyStore {
    override close(): Promise<void> {
      return close(net as InMemoryBroker);
    }
  }
  const clock = {
    now: () => net!.clock.now(),
    monotonic: () => net!.clock.monotonic(),
    setTimer: (delay: number, callback: () => void) => net!.clock.setTimer(delay, callback),
    clearTimer: (handle: never) => net!.clock.clearTimer(handle),
    defer: (callback: () => void) => net!.clock.defer(callback),
  };
  const store: Store = new ClosingStore({ clock });
  net = new InMemoryBroker({ store, settings: { shutdownTimeout } });
  return net;
}

/** What has become of a promise by now. */
function watched(promise: Promise<void>): { readonly outcome: () => unknown } {
  let outcome: unknown = 'pending';
  promise.then(
    () => {
      outcome = 'done';
    },
    (error: unknown) => {
      outcome = error;
    },
  );
  return { outcome: () => outcome };
}

/** A client that never reads, so that its connection does not end by itself. */
async function stuckClient(net: InMemoryBroker): Promise<MemoryClient> {
  const client = net.open({ transport: { highWaterMark: 1 } });
  client.send(connect({ clientIdentifier: 'stuck', keepAlive: 0 }));
  await net.pass(10);
  client.transport.pause();
  return client;
}

describe('Broker.close', () => {
  it('has the store write while clients take what is theirs, and waits for both', async () => {
    let closedAtMs: number | undefined;
    const net = brokerWith(
      (own) =>
        new Promise((resolve) => {
          own.clock.setTimer(3000, () => {
            closedAtMs = own.clock.monotonic();
            resolve();
          });
        }),
      5,
    );
    await stuckClient(net);
    const began = net.clock.monotonic();
    const { outcome } = watched(net.broker.close());
    await net.pass(3000);
    expect(closedAtMs).toBe(began + 3000);
    await net.pass(2000);
    expect(outcome()).toBe('done');
  });

  it.each([
    [5, 5],
    [0, 1],
  ])(
    'gives a store that does not answer up after shutdownTimeout, %s s, at least a second',
    async (timeout, seconds) => {
      const net = brokerWith(() => new Promise(() => {}), timeout);
      const { outcome } = watched(net.broker.close());
      await net.pass(seconds * 1000 - 1);
      expect(outcome()).toBe('pending');
      await net.pass(1);
      expect(outcome()).toBeInstanceOf(StorageError);
      expect(String(outcome())).toContain(`The disk has not taken what the store had for it within ${seconds} s`);
    },
  );

  it('fails as the store does, but not before its connections are closed', async () => {
    const net = brokerWith(() => Promise.reject(new StorageError('no space left')), 5);
    const client = await stuckClient(net);
    const { outcome } = watched(net.broker.close());
    await net.pass(4999);
    expect(outcome()).toBe('pending');
    expect(client.isClosed).toBe(false);
    await net.pass(1);
    expect(String(outcome())).toContain('no space left');
  });
});
