/** From what a store held to living Sessions, as they were when the process ended. */
import type { BrokerContext } from '../context.ts';
import type { Session } from '../session.ts';
import { Subscription } from '../subscription.ts';
import { waitWithWill } from '../will.ts';
import type { SessionRecord, StoredSession, StoredState } from './store.ts';

export function restoreState(context: BrokerContext, state: StoredState): void {
  const now = context.clock.now();
  for (const message of state.retained) {
    if (message.expiresAt === 0 || message.expiresAt > now) context.retained.update(message);
    else context.store?.deleteRetained(message.topicName);
  }
  const absent: { readonly session: Session; readonly record: SessionRecord }[] = [];
  for (const stored of state.sessions)
    absent.push({ session: restoreSession(context, stored), record: stored.session });
  // Only once all are back: their wills are for the others, too.
  for (const { session, record } of absent) resumeAbsence(context, session, record);
}

function restoreSession(context: BrokerContext, { session: record, ...stored }: StoredSession): Session {
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
    session.inboundBytes += message.payloadLength;
  }
  return session;
}

function resumeAbsence(context: BrokerContext, session: Session, record: SessionRecord): void {
  if (record.willDueAt === 0 && record.expiresAt === 0) {
    if (record.will === undefined && context.sessions.lifetimeOf(session) === Number.POSITIVE_INFINITY) return;
    // It was connected: its connection ended with the process. [MQTT-3.1.2-8]
    context.sessions.leave(session, record.will);
    return;
  }
  if (record.will !== undefined) waitWithWill(context, session, record.will, record.willDueAt);
  if (record.expiresAt !== 0) context.sessions.expireAt(session, record.expiresAt);
}
