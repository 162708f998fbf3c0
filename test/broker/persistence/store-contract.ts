/** What every Store must do, whatever it keeps its records in. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { Delivery } from '../../../src/broker/delivery.ts';
import { Message } from '../../../src/broker/message.ts';
import type {
  InboundRecord,
  SessionRecord,
  Store,
  StoredSession,
  SubscriptionRecord,
} from '../../../src/broker/persistence/store.ts';
import type { QoS } from '../../../src/protocol/version.ts';

/** One place that stores are opened on, one after the other. */
export interface StorePlace {
  open(): Promise<Store>;
  remove(): Promise<void>;
}

export interface FoundSession {
  readonly session: SessionRecord;
  readonly subscriptions: readonly SubscriptionRecord[];
  readonly deliveries: readonly object[];
  readonly inbound: readonly object[];
}

export function messageOn(
  topicName: string,
  payload: string | Uint8Array,
  more: Partial<Pick<Message, 'qos' | 'retain' | 'properties' | 'expiresAt' | 'publisher'>> = {},
): Message {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const { qos = 1, retain = false, properties, expiresAt = 0, publisher } = more;
  return new Message(topicName, bytes, qos, retain, properties, expiresAt, publisher);
}

export function sessionOf(clientIdentifier: string, more: Partial<SessionRecord> = {}): SessionRecord {
  return {
    clientIdentifier,
    username: undefined,
    listenerIndex: 0,
    expiryInterval: 3600,
    expiresAt: 0,
    will: undefined,
    willDueAt: 0,
    ...more,
  };
}

export function subscriptionTo(requestedFilter: string, more: Partial<SubscriptionRecord> = {}): SubscriptionRecord {
  return {
    requestedFilter,
    topicFilter: requestedFilter,
    shareName: '',
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    identifier: 0,
    ...more,
  };
}

export function deliveryAt(
  position: number,
  message: Message,
  more: { qos?: QoS; retain?: boolean; subscriptionIdentifiers?: readonly number[]; packetIdentifier?: number } = {},
): Delivery {
  const delivery = new Delivery(message, more.qos ?? 1, more.retain ?? false, more.subscriptionIdentifiers);
  delivery.position = position;
  delivery.packetIdentifier = more.packetIdentifier ?? 0;
  return delivery;
}

/** A message as plain values, its payload read. */
export function plain(message: Message): object {
  const { topicName, qos, retain, properties, expiresAt, publisher, payloadLength } = message;
  const { clientIdentifier, username, listenerIndex } = publisher ?? {};
  return {
    topicName,
    payload: Buffer.from(message.payload).toString('latin1'),
    payloadLength,
    qos,
    retain,
    properties: properties && {
      ...properties,
      ...(properties.correlationData && { correlationData: Buffer.from(properties.correlationData).toString('hex') }),
    },
    expiresAt,
    publisher: publisher && { clientIdentifier, username, listenerIndex },
  };
}

function plainSession(stored: StoredSession): FoundSession {
  const { will } = stored.session;
  return {
    session: {
      ...stored.session,
      will: will && ({ ...will, payload: Buffer.from(will.payload).toString('latin1') } as never),
    },
    subscriptions: [...stored.subscriptions].sort((a, b) => (a.requestedFilter < b.requestedFilter ? -1 : 1)),
    deliveries: stored.deliveries.map(({ message, ...rest }) => ({
      position: rest.position,
      qos: rest.qos,
      retain: rest.retain,
      subscriptionIdentifiers: rest.subscriptionIdentifiers,
      packetIdentifier: rest.packetIdentifier,
      state: rest.state,
      message: plain(message),
    })),
    inbound: stored.inbound.map(({ packetIdentifier, message }) => ({ packetIdentifier, message: plain(message) })),
  };
}

/** All that a store holds, as plain values by Client Identifier and topic. */
export async function loaded(store: Store): Promise<{
  readonly sessions: Readonly<Record<string, FoundSession>>;
  readonly retained: Readonly<Record<string, object>>;
}> {
  const state = await store.load();
  const sessions: Record<string, FoundSession> = {};
  for (const one of state.sessions) sessions[one.session.clientIdentifier] = plainSession(one);
  const retained: Record<string, object> = {};
  for (const message of state.retained) retained[message.topicName] = plain(message);
  return { sessions, retained };
}

export function safe(store: Store): Promise<void> {
  return new Promise((resolve) => store.whenSafe(resolve));
}

const nextTurn = (): Promise<void> => new Promise((resolve) => systemClock.defer(resolve));

const nothing = { messages: 0, sessions: 0, subscriptions: 0, deliveries: 0, inbound: 0, retained: 0 };

export function describeStore(name: string, makePlace: () => StorePlace): void {
  /** Runs with an open store; `reopen` closes it and opens what it left. */
  async function withStore(use: (store: Store, reopen: () => Promise<Store>) => Promise<void>): Promise<void> {
    const place = makePlace();
    let store = await place.open();
    try {
      await loaded(store);
      await use(store, async () => {
        await store.close();
        store = await place.open();
        return store;
      });
    } finally {
      await store.close();
      await place.remove();
    }
  }

  describe(name, () => {
    it('is empty at first', () =>
      withStore(async (store, reopen) => {
        expect(store.countRecords()).toEqual(nothing);
        expect(await loaded(await reopen())).toEqual({ sessions: {}, retained: {} });
      }));

    it('finds everything again after it was closed and opened', () =>
      withStore(async (store, reopen) => {
        const will = {
          topicName: 'site/états/λ',
          payload: Buffer.from('gone'),
          qos: 2 as const,
          retain: true,
          properties: {
            willDelayInterval: 30,
            contentType: 'text/plain',
            userProperties: [['a', 'b']] as [string, string][],
          },
        };
        const full = sessionOf('full', {
          username: 'ada',
          listenerIndex: 3,
          expiryInterval: 0xffff_ffff,
          expiresAt: 1_900_000_000_123,
          will,
          willDueAt: 1_800_000_000_456,
        });
        const message = messageOn('a/b', 'payload\0ÿ', {
          qos: 2,
          retain: true,
          expiresAt: 1_777_777_777_777,
          properties: {
            payloadFormatIndicator: 1,
            contentType: 'x',
            responseTopic: 'r/t',
            correlationData: Uint8Array.of(0, 255, 7),
            userProperties: [
              ['k', 'v'],
              ['k', ''],
            ],
          },
          publisher: { clientIdentifier: 'publisher', username: 'grace', listenerIndex: 2 },
        });
        const subscriptions = [
          subscriptionTo('$share/group/+/x', {
            topicFilter: 'mount/+/x',
            shareName: 'group',
            qos: 2,
            identifier: 268_435_455,
          }),
          subscriptionTo('#', { qos: 0, noLocal: true, retainAsPublished: true }),
        ];
        store.putSession(full);
        store.putSession(sessionOf('bare'));
        for (const one of subscriptions) store.putSubscription('full', one);
        const queued = deliveryAt(1, message, { qos: 2, retain: true, subscriptionIdentifiers: [1, 200_000] });
        const inFlight = deliveryAt(2, messageOn('other', ''), { packetIdentifier: 65_535 });
        inFlight.state = 'awaiting-puback';
        store.putDelivery('full', queued);
        store.putDelivery('full', inFlight);
        store.putInbound('full', { packetIdentifier: 7, message });
        store.putInbound('full', { packetIdentifier: 65_535, message: messageOn('', '') });
        store.putRetained(message);
        const expected = {
          sessions: {
            full: {
              session: { ...full, will: { ...will, payload: 'gone' } },
              subscriptions: [subscriptions[1], subscriptions[0]],
              deliveries: [
                {
                  position: 1,
                  qos: 2,
                  retain: true,
                  subscriptionIdentifiers: [1, 200_000],
                  packetIdentifier: 0,
                  state: 'idle',
                  message: plain(message),
                },
                {
                  position: 2,
                  qos: 1,
                  retain: false,
                  subscriptionIdentifiers: undefined,
                  packetIdentifier: 65_535,
                  state: 'awaiting-puback',
                  message: plain(messageOn('other', '')),
                },
              ],
              inbound: [
                { packetIdentifier: 7, message: plain(message) },
                { packetIdentifier: 65_535, message: plain(messageOn('', '')) },
              ],
            },
            bare: { session: sessionOf('bare'), subscriptions: [], deliveries: [], inbound: [] },
          },
          retained: { 'a/b': plain(message) },
        };
        const again = await reopen();
        expect(await loaded(again)).toEqual(expected);
        expect(await loaded(await reopen())).toEqual(expected);
      }));

    it('keeps the last of what was put twice', () =>
      withStore(async (store, reopen) => {
        store.putSession(sessionOf('one'));
        store.putSubscription('one', subscriptionTo('a', { qos: 0 }));
        store.putRetained(messageOn('t', 'first'));
        await safe(store);
        store.putSession(sessionOf('one', { expiryInterval: 7 }));
        store.putSubscription('one', subscriptionTo('a', { qos: 2 }));
        store.putRetained(messageOn('t', 'second'));
        store.putRetained(messageOn('t', 'third'));
        const { sessions, retained } = await loaded(await reopen());
        expect(sessions.one?.session.expiryInterval).toBe(7);
        expect(sessions.one?.subscriptions).toEqual([subscriptionTo('a', { qos: 2 })]);
        expect(retained).toEqual({ t: plain(messageOn('t', 'third')) });
      }));

    it('follows a delivery through its states', () =>
      withStore(async (store, reopen) => {
        store.putSession(sessionOf('one'));
        const delivery = deliveryAt(4, messageOn('t', 'x', { qos: 2 }), { qos: 2 });
        store.putDelivery('one', delivery);
        await safe(store);
        delivery.packetIdentifier = 9;
        delivery.state = 'awaiting-pubrec';
        store.updateDelivery('one', delivery);
        await safe(store);
        delivery.state = 'awaiting-pubcomp';
        store.updateDelivery('one', delivery);
        const { sessions } = await loaded(await reopen());
        expect(sessions.one?.deliveries).toMatchObject([
          { position: 4, packetIdentifier: 9, state: 'awaiting-pubcomp' },
        ]);
      }));

    it('gives deliveries back by position, whatever the order in which they were put', () =>
      withStore(async (store, reopen) => {
        store.putSession(sessionOf('a'));
        store.putSession(sessionOf('b'));
        for (const position of [300, 2, 65_536, 1, 256, 5_000_000_000]) {
          store.putDelivery('a', deliveryAt(position, messageOn('t', String(position))));
          store.putDelivery('b', deliveryAt(position + 1, messageOn('t', String(position + 1))));
        }
        const { sessions } = await loaded(await reopen());
        const positions = (name: string) =>
          sessions[name]?.deliveries.map((one) => (one as { position: number }).position);
        expect(positions('a')).toEqual([1, 2, 256, 300, 65_536, 5_000_000_000]);
        expect(positions('b')).toEqual([2, 3, 257, 301, 65_537, 5_000_000_001]);
      }));

    it('keeps one message once, however many Sessions wait for it, and gives them the same object', () =>
      withStore(async (store, reopen) => {
        const message = messageOn('t', 'x'.repeat(2000));
        for (let session = 0; session < 100; session++) {
          store.putSession(sessionOf(`s${session}`));
          store.putDelivery(`s${session}`, deliveryAt(1, message));
        }
        await safe(store);
        expect(store.countRecords()).toEqual({ ...nothing, messages: 1, sessions: 100, deliveries: 100 });
        const again = await reopen();
        const found = new Set([...(await again.load()).sessions].map((one) => one.deliveries[0]?.message));
        expect(found.size).toBe(1);
      }));

    it('forgets a message with its last reference, not before', () =>
      withStore(async (store, reopen) => {
        const message = messageOn('t', 'x', { qos: 2 });
        const first = deliveryAt(1, message);
        const second = deliveryAt(1, message);
        store.putSession(sessionOf('a'));
        store.putSession(sessionOf('b'));
        store.putInbound('a', { packetIdentifier: 1, message });
        await safe(store);
        store.putDelivery('a', first);
        store.putDelivery('b', second);
        store.deleteInbound('a', { packetIdentifier: 1, message });
        await safe(store);
        expect(store.countRecords()).toMatchObject({ messages: 1, deliveries: 2, inbound: 0 });
        store.deleteDelivery('a', first);
        await safe(store);
        expect(store.countRecords()).toMatchObject({ messages: 1, deliveries: 1 });
        const again = await reopen();
        const [, other] = [...(await again.load()).sessions];
        const [record] = other?.deliveries ?? [];
        expect(plain(record?.message as Message)).toEqual(plain(messageOn('t', 'x', { qos: 2 })));
        const restored = deliveryAt(1, record?.message as Message);
        restored.isWritten = true;
        again.deleteDelivery('b', restored);
        await safe(again);
        expect(again.countRecords()).toMatchObject({ messages: 0, deliveries: 0 });
      }));

    it('says what rests of a Session before anything of it is read, and gives it out in windows', () =>
      withStore(async (store, reopen) => {
        store.putSession(sessionOf('a'));
        store.putSession(sessionOf('b'));
        const inFlight = deliveryAt(3, messageOn('t', 'in flight', { expiresAt: 5 }), { packetIdentifier: 9 });
        inFlight.state = 'awaiting-puback';
        store.putDelivery('a', inFlight);
        for (let position = 4; position <= 10; position++) {
          const expiresAt = position === 7 ? 1_900_000_000_000 : position === 8 ? 1_800_000_000_000 : 0;
          const qos = position === 5 ? 0 : 1;
          store.putDelivery('a', deliveryAt(position, messageOn('t', 'x'.repeat(position), { expiresAt }), { qos }));
        }
        store.putInbound('a', { packetIdentifier: 1, message: messageOn('i', 'one') });
        store.putInbound('a', { packetIdentifier: 65_535, message: messageOn('i', 'two') });
        const again = await reopen();
        const [a, b] = [...(await again.load()).sessions];
        expect(a?.resting).toMatchObject({
          after: 2,
          last: 10,
          inflight: 1,
          queued: 7,
          queuedBytes: 49,
          queuedQos0: 1,
          firstExpiry: 1_800_000_000_000,
        });
        expect(a?.inboundCount).toBe(2);
        expect([b?.resting, b?.inboundCount]).toEqual([undefined, 0]);
        const positions = (after: number, last: number, limit: number) =>
          again.takeDeliveries('a', after, last, limit).map((one) => one.position);
        expect(positions(2, 10, 3)).toEqual([3, 4, 5]);
        expect(positions(5, 10, 3)).toEqual([6, 7, 8]);
        expect(positions(8, 9, 3)).toEqual([9]);
        expect(positions(9, 10, 3)).toEqual([10]);
        expect(positions(10, 10, 3)).toEqual([]);
        expect(again.takeDeliveries('nobody', 0, 10, 3)).toEqual([]);
        expect(again.takeInbound('a').map((one) => [one.packetIdentifier, plain(one.message)])).toEqual([
          [1, plain(messageOn('i', 'one'))],
          [65_535, plain(messageOn('i', 'two'))],
        ]);
        expect(again.takeInbound('b')).toEqual([]);
      }));

    it('has a message that rests and is in memory once, whoever goes first', () =>
      withStore(async (store) => {
        for (const name of ['a', 'b', 'c']) store.putSession(sessionOf(name));
        const message = messageOn('t', 'shared');
        const deliveries = ['a', 'b', 'c'].map((name) => {
          const delivery = deliveryAt(1, message);
          store.putDelivery(name, delivery);
          return delivery;
        });
        await safe(store);
        expect(await comesToRest(store, 'a', [deliveries[0] as Delivery])).toBe(true);
        expect(await comesToRest(store, 'b', [deliveries[1] as Delivery])).toBe(true);
        const [taken] = store.takeDeliveries('a', 0, 1, 10);
        expect(taken?.message).toBe(message);
        const again = deliveryAt(1, taken?.message as Message);
        again.isWritten = true;
        store.deleteDelivery('a', again);
        store.deleteDelivery('c', deliveries[2] as Delivery);
        await safe(store);
        expect(store.countRecords()).toMatchObject({ messages: 1, deliveries: 1 });
        const [last] = store.takeDeliveries('b', 0, 1, 10);
        expect(plain(last?.message as Message)).toEqual(plain(messageOn('t', 'shared')));
        const end = deliveryAt(1, last?.message as Message);
        end.isWritten = true;
        store.deleteDelivery('b', end);
        await safe(store);
        expect(store.countRecords()).toMatchObject({ messages: 0, deliveries: 0 });
      }));

    it('has nothing rest that is not committed as it is', () =>
      withStore(async (store) => {
        store.putSession(sessionOf('a'));
        const delivery = deliveryAt(1, messageOn('t', 'x'));
        store.putDelivery('a', delivery);
        expect(store.rest('a', [delivery])).toBe(false);
        await safe(store);
        delivery.packetIdentifier = 3;
        delivery.state = 'awaiting-puback';
        store.updateDelivery('a', delivery);
        expect(store.rest('a', [delivery])).toBe(false);
        await safe(store);
        expect(store.rest('nobody', [delivery])).toBe(false);
        expect(await comesToRest(store, 'a', [delivery])).toBe(true);
        expect(store.takeDeliveries('a', 0, 1, 10)).toMatchObject([{ packetIdentifier: 3, state: 'awaiting-puback' }]);
      }));

    it('deletes unread what rests, and messages that nobody else waits for', () =>
      withStore(async (store, reopen) => {
        const message = messageOn('t', 'both');
        for (const name of ['a', 'b']) {
          store.putSession(sessionOf(name));
          store.putDelivery(name, deliveryAt(1, message));
          store.putDelivery(name, deliveryAt(2, messageOn('t', name)));
          store.putInbound(name, { packetIdentifier: 7, message: messageOn('i', name) });
        }
        const again = await reopen();
        for (const _ of (await again.load()).sessions);
        again.dropDeliveries('a', 0, 2);
        again.dropInbound('a');
        again.deleteSession('a');
        again.dropDeliveries('nobody', 0, 2);
        again.dropInbound('nobody');
        await safe(again);
        expect(again.countRecords()).toMatchObject({ sessions: 1, messages: 3, deliveries: 2, inbound: 1 });
        again.dropDeliveries('b', 0, 1);
        await safe(again);
        expect(again.countRecords()).toMatchObject({ messages: 2, deliveries: 1, inbound: 1 });
        const { sessions } = await loaded(await reopen());
        expect(sessions.b?.deliveries).toMatchObject([{ position: 2, message: { payload: 'b' } }]);
      }));

    it('lets retained messages be taken without keeping their bytes', () =>
      withStore(async (store, reopen) => {
        store.putRetained(messageOn('a', 'one', { expiresAt: 77, properties: { contentType: 'x' } }));
        store.putRetained(messageOn('b', new Uint8Array(20_000).fill(7), { qos: 2 }));
        const taken: Record<string, object> = {};
        (await (await reopen()).load()).takeRetained((topicName, bytes, start, end, details) => {
          const { qos, properties, expiresAt, publisher } = details;
          const payload = Uint8Array.prototype.slice.call(bytes, start, end);
          taken[topicName] = plain(new Message(topicName, payload, qos, false, properties, expiresAt, publisher));
        });
        expect(taken).toEqual({
          a: plain(messageOn('a', 'one', { expiresAt: 77, properties: { contentType: 'x' } })),
          b: plain(messageOn('b', new Uint8Array(20_000).fill(7), { qos: 2 })),
        });
      }));

    it('forgets a Session with all that was taken off it', () =>
      withStore(async (store, reopen) => {
        const message = messageOn('t', 'x', { qos: 2 });
        const delivery = deliveryAt(1, message);
        store.putSession(sessionOf('a'));
        store.putSubscription('a', subscriptionTo('t'));
        store.putDelivery('a', delivery);
        store.putInbound('a', { packetIdentifier: 1, message });
        store.putRetained(message);
        await safe(store);
        store.deleteDelivery('a', delivery);
        store.deleteInbound('a', { packetIdentifier: 1, message });
        store.deleteSubscription('a', 't');
        store.deleteSession('a');
        store.deleteRetained('t');
        await safe(store);
        expect(store.countRecords()).toEqual(nothing);
        expect(await loaded(await reopen())).toEqual({ sessions: {}, retained: {} });
      }));

    it('does not mix a Session up with a former one of the same name', () =>
      withStore(async (store, reopen) => {
        const old = deliveryAt(1, messageOn('t', 'old'));
        store.putSession(sessionOf('a'));
        store.putDelivery('a', old);
        await safe(store);
        store.deleteDelivery('a', old);
        store.deleteSession('a');
        store.putSession(sessionOf('a', { expiryInterval: 5 }));
        store.putDelivery('a', deliveryAt(1, messageOn('t', 'new')));
        const { sessions } = await loaded(await reopen());
        expect(Object.keys(sessions)).toEqual(['a']);
        expect(sessions.a?.session.expiryInterval).toBe(5);
        expect(sessions.a?.deliveries).toMatchObject([{ message: { payload: 'new' } }]);
      }));

    it('takes no notice of what hangs on a Session it does not have', () =>
      withStore(async (store) => {
        const message = messageOn('t', 'x');
        store.deleteDelivery('nobody', deliveryAt(1, message));
        store.deleteSubscription('nobody', 't');
        store.deleteInbound('nobody', { packetIdentifier: 1, message });
        store.deleteSession('nobody');
        store.deleteRetained('nowhere');
        await safe(store);
        expect(store.countRecords()).toEqual(nothing);
      }));

    it('keeps topics, filters, names and payloads of any length and kind', () =>
      withStore(async (store, reopen) => {
        const long = `${'ä/'.repeat(20_000)}end`;
        const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31) & 255);
        const similar = `${'x'.repeat(600)}`;
        store.putSession(sessionOf(long));
        store.putSubscription(long, subscriptionTo(long));
        store.putSubscription(long, subscriptionTo(`${long}/#`));
        store.putDelivery(long, deliveryAt(1, messageOn(long, bytes)));
        store.putRetained(messageOn(long, bytes));
        store.putRetained(messageOn(`${similar}a`, 'a'));
        store.putRetained(messageOn(`${similar}b`, 'b'));
        store.putRetained(messageOn(' ', ''));
        const { sessions, retained } = await loaded(await reopen());
        expect(sessions[long]?.subscriptions.map((one) => one.requestedFilter)).toEqual([long, `${long}/#`]);
        expect(sessions[long]?.deliveries).toMatchObject([{ message: plain(messageOn(long, bytes)) }]);
        expect(Object.keys(retained).sort()).toEqual([' ', long, `${similar}a`, `${similar}b`].sort());
        expect(retained[long]).toEqual(plain(messageOn(long, bytes)));
      }));

    it('calls back at once if nothing is staged, else in the order of the calls', () =>
      withStore(async (store) => {
        const calls: string[] = [];
        store.whenSafe(() => calls.push('nothing staged'));
        expect(calls).toEqual(['nothing staged']);
        for (let round = 0; round < 5; round++) {
          store.putRetained(messageOn('t', String(round)));
          store.whenSafe(() => calls.push(`${round}a`));
          store.whenSafe(() => calls.push(`${round}b`));
          if (round % 2 === 1) await nextTurn();
        }
        expect(calls).not.toContain('4a');
        await safe(store);
        expect(calls).toEqual(['nothing staged', '0a', '0b', '1a', '1b', '2a', '2b', '3a', '3b', '4a', '4b']);
      }));

    it('counts what is staged, so that who staged nothing knows that he did not', () =>
      withStore(async (store) => {
        const before = store.stagedCount;
        store.whenSafe(() => {});
        expect(store.stagedCount).toBe(before);
        store.putSession(sessionOf('a'));
        expect(store.stagedCount).toBeGreaterThan(before);
      }));

    it('is in no trouble and not behind while all is well', () =>
      withStore(async (store) => {
        store.putSession(sessionOf('a'));
        await store.sync();
        expect(store).toMatchObject({ trouble: undefined, isRefusingWork: false, isBehind: false });
      }));

    it('has everything after sync and after close, with callbacks called', () =>
      withStore(async (store, reopen) => {
        let isSafe = false;
        store.putSession(sessionOf('a'));
        store.whenSafe(() => {
          isSafe = true;
        });
        await store.sync();
        expect(isSafe).toBe(true);
        expect(store.countRecords().sessions).toBe(1);
        let wasToldAtClose = false;
        store.putSession(sessionOf('b'));
        store.whenSafe(() => {
          wasToldAtClose = true;
        });
        const again = await reopen();
        expect(wasToldAtClose).toBe(true);
        expect(Object.keys((await loaded(again)).sessions)).toEqual(['a', 'b']);
      }));

    it('has a message kept as soon as all who were to have it have acknowledged it, and not before', () =>
      withStore(async (store) => {
        for (const name of ['a', 'b']) store.putSession(sessionOf(name));
        await safe(store);
        const message = messageOn('t', 'x');
        const [first, second] = [deliveryAt(1, message), deliveryAt(1, message)];
        let kept = 0;
        store.putDelivery('a', first);
        store.putDelivery('b', second);
        store.whenKept(message, () => kept++);
        first.state = 'done';
        store.deleteDelivery('a', first);
        expect(kept).toBe(0);
        second.state = 'done';
        store.deleteDelivery('b', second);
        expect(kept).toBe(1);
        await safe(store);
        expect(kept).toBe(1);
      }));

    it('has a message kept when it is safe, if somebody is not to have it any more', () =>
      withStore(async (store) => {
        for (const name of ['a', 'b']) store.putSession(sessionOf(name));
        await safe(store);
        const message = messageOn('t', 'x');
        const [first, second] = [deliveryAt(1, message), deliveryAt(1, message)];
        let kept = 0;
        store.putDelivery('a', first);
        store.putDelivery('b', second);
        store.whenKept(message, () => kept++);
        store.deleteDelivery('a', first);
        store.deleteSession('a');
        second.state = 'done';
        store.deleteDelivery('b', second);
        // A crash now would find the Session that is about to end, and it would miss the message.
        expect(kept).toBe(0);
        await safe(store);
        expect(kept).toBe(1);
      }));

    it('makes ten thousand changes of random kinds and ends with what a plain model has', () =>
      withStore(async (store, reopen) => {
        let seed = 12345;
        const below = (limit: number): number => {
          seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
          return (seed >>> 8) % limit;
        };
        const deliveries = new Map<string, Map<number, Delivery>>();
        const inbound = new Map<string, Map<number, Message>>();
        const retained = new Map<string, object>();
        let lastPosition = 0;
        let message = messageOn('t', 'first');
        for (let step = 0; step < 10_000; step++) {
          const name = `s${below(20)}`;
          const mine = deliveries.get(name);
          switch (below(11)) {
            case 0:
              message = messageOn(`t${below(5)}`, `payload ${step}`);
              break;
            case 1:
              if (mine === undefined) deliveries.set(name, new Map());
              store.putSession(sessionOf(name));
              break;
            case 2:
            case 3:
              if (mine !== undefined) {
                const delivery = deliveryAt(++lastPosition, message);
                mine.set(delivery.position, delivery);
                store.putDelivery(name, delivery);
              }
              break;
            case 4: {
              const [oldest] = mine?.values() ?? [];
              if (oldest !== undefined) {
                mine?.delete(oldest.position);
                store.deleteDelivery(name, oldest);
              }
              break;
            }
            case 5: {
              const [oldest] = mine?.values() ?? [];
              if (oldest !== undefined) {
                oldest.packetIdentifier = 1 + below(65_535);
                oldest.state = 'awaiting-puback';
                store.updateDelivery(name, oldest);
              }
              break;
            }
            case 6: {
              const topicName = `t${below(5)}`;
              if (below(3) > 0) {
                retained.set(topicName, plain(messageOn(topicName, `retained ${step}`)));
                store.putRetained(messageOn(topicName, `retained ${step}`));
              } else if (retained.delete(topicName)) {
                store.deleteRetained(topicName);
              }
              break;
            }
            case 7:
              // What can rest rests, and is taken again, all of it or a part.
              if (mine !== undefined && store.rest(name, [...mine.values()])) {
                for (const record of store.takeDeliveries(name, 0, lastPosition, Number.POSITIVE_INFINITY)) {
                  const { position, qos, packetIdentifier } = record;
                  const again = deliveryAt(position, record.message, { qos, packetIdentifier });
                  again.state = record.state;
                  again.isWritten = true;
                  mine.set(position, again);
                }
              }
              break;
            case 8:
            case 9: {
              // Few identifiers, which come again at once.
              const unreleased = inbound.get(name) ?? new Map<number, Message>();
              const packetIdentifier = 1 + below(3);
              const before = unreleased.get(packetIdentifier);
              if (mine === undefined) break;
              if (before !== undefined) {
                unreleased.delete(packetIdentifier);
                store.deleteInbound(name, { packetIdentifier, message: before });
              }
              if (before === undefined || below(2) === 0) {
                unreleased.set(packetIdentifier, message);
                store.putInbound(name, { packetIdentifier, message });
              }
              inbound.set(name, unreleased);
              break;
            }
            default:
              if (below(20) === 0 && mine !== undefined) {
                for (const one of mine.values()) store.deleteDelivery(name, one);
                for (const [packetIdentifier, one] of inbound.get(name) ?? []) {
                  store.deleteInbound(name, { packetIdentifier, message: one });
                }
                store.deleteSession(name);
                deliveries.delete(name);
                inbound.delete(name);
              }
              if (below(10) === 0) await nextTurn();
              if (below(50) === 0) await safe(store);
          }
        }
        await safe(store);
        const all = [...deliveries.values()].flatMap((mine) => [...mine.values()]);
        const unreleased = [...inbound.values()].flatMap((mine) => [...mine.values()]);
        expect(store.countRecords()).toEqual({
          ...nothing,
          messages: new Set([...all.map((one) => one.message), ...unreleased]).size,
          sessions: deliveries.size,
          deliveries: all.length,
          inbound: unreleased.length,
          retained: retained.size,
        });
        const expected = [...deliveries].map(([name, mine]) => [
          name,
          [...mine.values()].map((one) => ({
            position: one.position,
            qos: one.qos,
            retain: one.retain,
            subscriptionIdentifiers: one.subscriptionIdentifiers,
            packetIdentifier: one.packetIdentifier,
            state: one.state,
            message: plain(one.message),
          })),
        ]);
        const expectedInbound = [...deliveries.keys()].map((name) => {
          const mine = [...(inbound.get(name) ?? [])].sort(([first], [second]) => first - second);
          return [name, mine.map(([packetIdentifier, one]) => ({ packetIdentifier, message: plain(one) }))];
        });
        const found = await loaded(await reopen());
        expect(Object.fromEntries(Object.entries(found.sessions).map(([name, one]) => [name, one.deliveries]))).toEqual(
          Object.fromEntries(expected),
        );
        const foundInbound = Object.entries(found.sessions).map(([name, one]) => [
          name,
          (one.inbound as InboundRecord[]).sort((first, second) => first.packetIdentifier - second.packetIdentifier),
        ]);
        expect(Object.fromEntries(foundInbound)).toEqual(Object.fromEntries(expectedInbound));
        expect(found.retained).toEqual(Object.fromEntries(retained));
      }));
  });
}

/** Whether deliveries rest, at once or when everything has been synced. */
async function comesToRest(store: Store, clientIdentifier: string, deliveries: readonly Delivery[]): Promise<boolean> {
  if (store.rest(clientIdentifier, deliveries)) return true;
  await store.sync();
  return store.rest(clientIdentifier, deliveries);
}
