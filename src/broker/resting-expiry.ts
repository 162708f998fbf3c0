/** The end of resting deliveries that have expired: they leave the store without their client coming back. [MQTT 5.0 §3.3.2.3.3] */
import { assert } from '../base/assert.ts';
import type { BrokerContext } from './context.ts';
import { Delivery } from './delivery.ts';
import type { DeliveryRecord } from './persistence/store.ts';
import type { RestingDeliveries } from './resting-deliveries.ts';
import type { SessionOutput } from './session-output.ts';

/** Deliveries read from the store at a time. */
export const restingWindow = 64;

/** A delivery as the store had it. */
export function storedDelivery(record: DeliveryRecord): Delivery {
  const { message, qos, retain, subscriptionIdentifiers, packetIdentifier, state, position } = record;
  const delivery = new Delivery(message, qos, retain, subscriptionIdentifiers);
  delivery.position = position;
  delivery.isWritten = true;
  delivery.packetIdentifier = packetIdentifier;
  delivery.state = state;
  return delivery;
}

/**
 * Goes through what rests of a Session, if something of it may have expired, and deletes and counts what has. It stops after each window for
 * others to be served; if what rests has changed meanwhile, it leaves the rest for the next time.
 * @param now milliseconds since the epoch
 * @throws {StorageError} if something cannot be read; it goes on resting
 */
export function* removeRestingExpired(
  context: BrokerContext,
  session: SessionOutput,
  now: number,
): IterableIterator<void> {
  const { store } = context;
  const { queue, clientIdentifier } = session;
  const { resting } = queue;
  if (store === undefined || resting === undefined || resting.firstExpiry === 0 || resting.firstExpiry > now) return;
  const alive: Delivery[] = [];
  let firstExpiry = 0;
  for (let position = resting.after; position < resting.last; ) {
    const records = store.takeDeliveries(clientIdentifier, position, resting.last, restingWindow);
    alive.length = 0;
    for (const record of records) {
      const delivery = storedDelivery(record);
      position = record.position;
      if (hasExpired(record, now)) {
        forget(session, resting, delivery);
        store.deleteDelivery(clientIdentifier, delivery);
        context.counters.messagesExpired++;
      } else {
        alive.push(delivery);
        firstExpiry = earlier(firstExpiry, record);
      }
    }
    const isAtRest = store.rest(clientIdentifier, alive);
    assert(isAtRest, `what rests of ${clientIdentifier} has changed in the store`);
    if (records.length < restingWindow) break;
    yield;
    if (queue.resting !== resting || session.connection !== undefined) return;
  }
  resting.firstExpiry = firstExpiry;
}

function forget({ queue }: SessionOutput, resting: RestingDeliveries, delivery: Delivery): void {
  resting.remove(delivery, delivery.message.payloadLength);
  queue.forgetResting(delivery);
}

/** What is in flight was sent in time. */
function hasExpired({ message, packetIdentifier }: DeliveryRecord, now: number): boolean {
  return packetIdentifier === 0 && message.expiresAt !== 0 && message.expiresAt <= now;
}

/** The first of the expiries so far and of one more record; 0 for none. */
function earlier(firstExpiry: number, { message, packetIdentifier }: DeliveryRecord): number {
  const { expiresAt } = message;
  if (packetIdentifier !== 0 || expiresAt === 0) return firstExpiry;
  return firstExpiry === 0 ? expiresAt : Math.min(firstExpiry, expiresAt);
}
