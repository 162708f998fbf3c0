/** From a Route to its receivers, message by message. */
import type { BrokerContext } from './context.ts';
import type { Message } from './message.ts';
import type { Receiver, Route } from './routes.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription.ts';

/** Offers a message to everyone on its route. `publisher` is the Session it came from, for No Local. */
export function deliverAll(
  context: BrokerContext,
  route: Route,
  message: Message,
  publisher: Session | undefined,
): void {
  for (const receiver of route.receivers) deliver(context, receiver, message, publisher);
  if (route.sharedGroups.length > 0) deliverShared(context, route, message);
}

/** Offers a message to one receiver, at the lower of the two QoS. [MQTT-3.8.4-8] */
export function deliver(
  context: BrokerContext,
  receiver: Receiver,
  message: Message,
  publisher: Session | undefined,
): void {
  let view: Receiver | undefined = receiver;
  if (receiver.noLocalAmong !== undefined && receiver.session === publisher) view = receiver.withoutNoLocal();
  if (view === undefined) return;
  const qos = context.settings.upgradeOutgoingQos || view.qos < message.qos ? view.qos : message.qos;
  view.session.offer(message, qos, message.retain && view.retainAsPublished, view.subscriptionIdentifiers);
}

/** Offers a message to one member of each group: to a connected one with room if there is one, in turn. [MQTT 5.0 §4.8.2] */
export function deliverShared(context: BrokerContext, route: Route, message: Message): void {
  for (const group of route.sharedGroups) {
    const member = group.choose((subscription) => eligibility(context, subscription, message));
    if (member === undefined) {
      context.counters.publishMessagesDropped++;
      continue;
    }
    const qos = context.settings.upgradeOutgoingQos || member.qos < message.qos ? member.qos : message.qos;
    member.session.offer(
      message,
      qos,
      message.retain && member.retainAsPublished,
      member.identifier === 0 ? undefined : [member.identifier],
    );
  }
}

/** 2 takes it now, 1 would queue it, 0 would lose it. */
function eligibility(context: BrokerContext, subscription: Subscription, message: Message): 0 | 1 | 2 {
  const { session } = subscription;
  const { connection } = session;
  if (!context.routes.mayReceive(session, message.topicName)) return 0;
  const isQos0 = message.qos === 0 || subscription.qos === 0;
  if (connection === undefined) {
    if (context.sessions.hasExpired(session)) return 0;
    if (isQos0 && !context.settings.queueQos0Messages) return 0;
    return isQueueFull(context, session) ? 0 : 1;
  }
  if (!connection.hasRoom) return isQueueFull(context, session) ? 0 : 1;
  if (isQos0 || (session.outbound.hasQuota && session.queue.length === 0)) return 2;
  return isQueueFull(context, session) ? 0 : 1;
}

function isQueueFull(context: BrokerContext, session: Session): boolean {
  const { maxQueuedMessages } = context.settings;
  return maxQueuedMessages !== 0 && session.queue.length >= maxQueuedMessages;
}
