/** From what a store held to living Sessions, as they were when the process ended. */
import type { BrokerContext } from '../context.ts';
import { Subscription } from '../subscription.ts';
import { waitWithWill } from '../will.ts';
import type { StoredSession, StoredState } from './store.ts';

export function restoreState(context: BrokerContext, state: StoredState): void {
  const now = context.clock.now();
  for (const message of state.retained) {
    if (message.expiresAt === 0 || message.expiresAt > now) context.retained.update(message);
    else context.store?.deleteRetained(message.topicName);
  }
  for (const stored of state.sessions) restoreSession(context, stored);
}

function restoreSession(context: BrokerContext, { session: record, ...stored }: StoredSession): void {
  const session = context.sessions.create({
    clientIdentifier: record.clientIdentifier,
    username: record.username,
    peer: { address: '', port: 0, family: 'memory' },
    listenerIndex: record.listenerIndex,
  });
  session.expiryInterval = record.expiryInterval;
  session.wasRecorded();
  for (const one of stored.subscriptions) {
    const { topicFilter, shareName, qos, noLocal, retainAsPublished, identifier } = one;
    const subscription = new Subscription(session, topicFilter, shareName, qos, noLocal, retainAsPublished, identifier);
    session.subscriptions.set(one.requestedFilter, subscription);
    context.routes.add(subscription);
  }
  for (const delivery of stored.deliveries) session.restore(delivery);
  for (const { packetIdentifier, message } of stored.inbound) {
    session.inbound.begin(packetIdentifier, message);
    session.inboundBytes += message.payload.length;
  }
  if (record.willDueAt === 0 && record.expiresAt === 0) {
    // It was connected (or never expires): its connection ended with the process. [MQTT-3.1.2-8]
    context.sessions.leave(session, record.will);
    return;
  }
  if (record.will !== undefined) waitWithWill(context, session, record.will, record.willDueAt);
  if (record.expiresAt !== 0) context.sessions.expireAt(session, record.expiresAt);
}
