/** From what a store held to living Sessions, as they were when the process ended. */
import type { BrokerContext } from '../context.ts';
import type { Session } from '../session.ts';
import { Subscription } from '../subscription.ts';
import { waitWithWill } from '../will.ts';
import type { SessionRecord, StoredSession, StoredState } from './store.ts';

export function restoreState(context: BrokerContext, state: StoredState): void {
  const now = context.clock.now();
  state.takeRetained((topicName, bytes, start, end, details) => {
    const { expiresAt } = details;
    if (expiresAt === 0 || expiresAt > now) context.retained.restore(topicName, bytes, start, end, details);
    else context.store?.deleteRetained(topicName);
  });
  const absent: { readonly session: Session; readonly record: SessionRecord }[] = [];
  for (const stored of state.sessions)
    absent.push({ session: restoreSession(context, stored), record: stored.session });
  tellRestored(context);
  // Only once all are back: their wills are for the others, too.
  for (const { session, record } of absent) resumeAbsence(context, session, record);
}

function tellRestored({ sessions, retained, log }: BrokerContext): void {
  if (!log.isEnabled('information')) return;
  let waiting = 0;
  for (const session of sessions.all()) waiting += session.queue.length + session.inflightCount;
  log.write(
    'information',
    `Restored from the store: sessions ${sessions.count}, messages that wait for them ${waiting}, retained messages ${retained.count}.`,
  );
}

/** All clients whose Sessions are restored are somewhere else by now. */
const nowhere = { address: '', port: 0, family: 'memory' } as const;

function restoreSession(context: BrokerContext, stored: StoredSession): Session {
  const { clientIdentifier, username, listenerIndex, expiryInterval } = stored.session;
  const session = context.sessions.create({ clientIdentifier, username, peer: nowhere, listenerIndex });
  session.expiryInterval = expiryInterval;
  session.beginResting(stored);
  for (const one of stored.subscriptions) {
    const { topicFilter, shareName, qos, noLocal, retainAsPublished, identifier } = one;
    const subscription = new Subscription(session, topicFilter, shareName, qos, noLocal, retainAsPublished, identifier);
    session.subscribed(one.requestedFilter, subscription);
    context.routes.add(subscription);
  }
  if (session.queue.firstExpiry !== 0) context.sessions.absent.note(session);
  return session;
}

function resumeAbsence(context: BrokerContext, session: Session, record: SessionRecord): void {
  if (record.willDueAt === 0 && record.expiresAt === 0) {
    if (record.will === undefined && context.sessions.lifetimeOf(session) === Number.POSITIVE_INFINITY) return;
    // It was connected: its connection ended with the process. [MQTT-3.1.2-8]
    context.sessions.leave(session, record.will);
    return;
  }
  if (record.expiresAt !== 0) context.sessions.expireAt(session, record.expiresAt);
  if (record.will === undefined) return;
  waitWithWill(context, session, record.will, record.willDueAt);
  // It was due, and has been published: not once more at the next start.
  if (session.pendingWill === undefined) session.record(undefined, 0);
}
