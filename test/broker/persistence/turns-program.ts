/** Stages several records in each turn of the event loop, all with the number of the turn, and prints each turn that is safe. */
import { writeSync } from 'node:fs';
import { systemClock } from '../../../src/base/clock.ts';
import { Delivery } from '../../../src/broker/delivery.ts';
import { silentLog } from '../../../src/broker/log.ts';
import { Message } from '../../../src/broker/message.ts';
import { openLmdbStore } from '../../../src/broker/persistence/lmdb.ts';

const store = await openLmdbStore({ directory: process.argv[2] as string, clock: systemClock, log: silentLog });
let turn = 0;
let former: Delivery | undefined;
for (const { session, deliveries } of (await store.load()).sessions) {
  turn = session.expiryInterval;
  const [record] = deliveries;
  if (record === undefined) continue;
  former = new Delivery(record.message, record.qos, record.retain, record.subscriptionIdentifiers);
  former.position = record.position;
  former.isWritten = true;
}

function putSession(clientIdentifier: string): void {
  store.putSession({
    clientIdentifier,
    username: undefined,
    listenerIndex: 0,
    expiryInterval: turn,
    expiresAt: 0,
    will: undefined,
    willDueAt: 0,
  });
}

function messageOn(topicName: string): Message {
  return new Message(topicName, Buffer.from(String(turn)), 1, true, undefined, 0, undefined);
}

for (;;) {
  turn++;
  putSession('a');
  store.putRetained(messageOn('first'));
  const options = { topicFilter: 'f', shareName: '', qos: 1, noLocal: false, retainAsPublished: false } as const;
  store.putSubscription('a', { requestedFilter: 'f', ...options, identifier: turn });
  putSession('b');
  if (former !== undefined) store.deleteDelivery('b', former);
  former = new Delivery(messageOn('t'), 1, false, undefined);
  former.position = turn;
  store.putDelivery('b', former);
  store.putRetained(messageOn('second'));
  const safeTurn = turn;
  // Now and then a commit is waited for; most turns run on while one is under way.
  const waited = new Promise<void>((resolve) => {
    store.whenSafe(() => {
      writeSync(1, `${safeTurn}\n`);
      resolve();
    });
  });
  if (turn % 7 === 0) await waited;
  else await new Promise<void>((resolve) => systemClock.defer(resolve));
}
