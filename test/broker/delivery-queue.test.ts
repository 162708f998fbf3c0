import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Delivery } from '../../src/broker/delivery.ts';
import { DeliveryQueue } from '../../src/broker/delivery-queue.ts';
import { Message } from '../../src/broker/message.ts';

const noLimits = { maxQueuedMessages: 0, maxQueuedBytes: 0 };

const deliveryOf = (size: number, qos: 0 | 1 | 2 = 1, expiresAt = 0) =>
  new Delivery(
    new Message('t', new Uint8Array(size), qos, false, undefined, expiresAt, undefined),
    qos,
    false,
    undefined,
  );

describe('DeliveryQueue', () => {
  it('is empty at first, and again after everything was taken', () => {
    const queue = new DeliveryQueue();
    expect([queue.length, queue.bytes, queue.qos0Count, queue.peek(), queue.shift()]).toEqual([
      0,
      0,
      0,
      undefined,
      undefined,
    ]);
    const delivery = deliveryOf(3, 0);
    queue.add(delivery, noLimits);
    expect([queue.length, queue.bytes, queue.qos0Count, queue.peek()]).toEqual([1, 3, 1, delivery]);
    expect(queue.shift()).toBe(delivery);
    expect([queue.length, queue.bytes, queue.qos0Count, queue.entries()]).toEqual([0, 0, 0, []]);
  });

  it.each([1, 2, 100])('takes %d messages where that is the limit', (maxQueuedMessages) => {
    const queue = new DeliveryQueue();
    const limits = { maxQueuedMessages, maxQueuedBytes: 0 };
    for (let count = 0; count < maxQueuedMessages; count++) expect(queue.add(deliveryOf(1), limits)).toBe('queued');
    expect(queue.add(deliveryOf(0), limits)).toBe('too-many');
    queue.shift();
    expect(queue.add(deliveryOf(0), limits)).toBe('queued');
  });

  it('takes bytes up to the limit, exactly', () => {
    const queue = new DeliveryQueue();
    const limits = { maxQueuedMessages: 0, maxQueuedBytes: 10 };
    expect(queue.add(deliveryOf(11), limits)).toBe('too-large');
    expect(queue.add(deliveryOf(9), limits)).toBe('queued');
    expect(queue.add(deliveryOf(2), limits)).toBe('too-large');
    expect(queue.add(deliveryOf(1), limits)).toBe('queued');
    expect(queue.add(deliveryOf(0), limits)).toBe('queued');
    expect(queue.add(deliveryOf(1), limits)).toBe('too-large');
  });

  it('lets go of what has expired, from wherever it stands, and keeps the order of the rest', () => {
    const queue = new DeliveryQueue();
    const all = [deliveryOf(1, 1, 50), deliveryOf(2), deliveryOf(3, 0, 20), deliveryOf(4, 2, 30), deliveryOf(5)];
    for (const delivery of all) queue.add(delivery, noLimits);
    expect(queue.removeExpired(19)).toEqual([]);
    expect(queue.removeExpired(30)).toEqual([all[2], all[3]]);
    expect(queue.entries()).toEqual([all[0], all[1], all[4]]);
    expect([queue.bytes, queue.qos0Count]).toEqual([8, 0]);
    expect(queue.removeExpired(49)).toEqual([]);
    expect(queue.removeExpired(50)).toEqual([all[0]]);
  });

  it('behaves as a list with sums would, whatever is done to it', () => {
    const operation = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        size: fc.nat({ max: 20 }),
        qos: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
        expiresAt: fc.constantFrom(0, 0, 5, 10, 15),
      }),
      fc.record({
        kind: fc.constantFrom('shift' as const, 'expire' as const, 'clear' as const),
        now: fc.nat({ max: 20 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(operation), fc.nat({ max: 6 }), fc.nat({ max: 60 }), (operations, count, bytes) => {
        const limits = { maxQueuedMessages: count, maxQueuedBytes: bytes };
        const queue = new DeliveryQueue();
        let model: Delivery[] = [];
        const sum = () => model.reduce((total, { message }) => total + message.payload.length, 0);
        for (const one of operations) {
          if (one.kind === 'add') {
            const delivery = deliveryOf(one.size, one.qos, one.expiresAt);
            const expected =
              count !== 0 && model.length >= count
                ? 'too-many'
                : bytes !== 0 && sum() + one.size > bytes
                  ? 'too-large'
                  : 'queued';
            expect(queue.add(delivery, limits)).toBe(expected);
            if (expected === 'queued') model.push(delivery);
          } else if (one.kind === 'shift') {
            expect(queue.shift()).toBe(model.shift());
          } else if (one.kind === 'clear') {
            queue.clear();
            model = [];
          } else {
            const isExpired = ({ message }: Delivery) => message.expiresAt !== 0 && message.expiresAt <= one.now;
            expect(queue.removeExpired(one.now)).toEqual(model.filter(isExpired));
            model = model.filter((delivery) => !isExpired(delivery));
          }
          expect(queue.entries()).toEqual(model);
          expect(queue.bytes).toBe(sum());
          expect(queue.qos0Count).toBe(model.filter(({ qos }) => qos === 0).length);
          expect(queue.peek()).toBe(model[0]);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
