/** Will Messages: published when a connection ends without a DISCONNECT that forgoes them. [MQTT 5.0 §3.1.2.5, §3.1.3.2.2] */

import { WheelTimer } from '../base/timer-wheel.ts';
import type { WillMessage } from '../codec/packets.ts';
import type { BrokerContext } from './context.ts';
import { Message, ownPayload } from './message.ts';
import type { Session } from './session.ts';

/** A will that waits for its Will Delay Interval, or for the end of the Session if that comes first. */
export class PendingWill extends WheelTimer {
  readonly #publish: () => void;

  constructor(publish: () => void) {
    super();
    this.#publish = publish;
  }

  override onExpire(): void {
    this.#publish();
  }
}

/** Publishes the will now. `topicName` already has the mount point before it. */
export function publishWill(context: BrokerContext, session: Session, will: WillMessage, topicName: string): void {
  const { willDelayInterval, messageExpiryInterval, ...properties } = will.properties ?? {};
  const message = new Message(
    topicName,
    ownPayload(will.payload),
    will.qos,
    will.retain,
    Object.keys(properties).length === 0 ? undefined : properties,
    messageExpiryInterval === undefined ? 0 : context.clock.now() + messageExpiryInterval * 1000,
    { clientIdentifier: session.clientIdentifier, username: session.identity.username },
  );
  context.publish(message, undefined);
}

/** Publishes the will when its delay is over, unless the Session is resumed before. [MQTT-3.1.3-9] */
export function scheduleWill(context: BrokerContext, session: Session, will: WillMessage, topicName: string): void {
  const delay = Math.min(will.properties?.willDelayInterval ?? 0, session.expiryInterval);
  if (delay === 0) {
    publishWill(context, session, will, topicName);
    return;
  }
  const pending = new PendingWill(() => {
    session.pendingWill = undefined;
    publishWill(context, session, will, topicName);
  });
  session.pendingWill = pending;
  context.wheel.schedule(pending, delay * 1000);
}

/** The Session ended: a will that was still waiting is due now. */
export function publishPendingWill(context: BrokerContext, session: Session): void {
  const pending = session.pendingWill;
  if (pending === undefined) return;
  context.wheel.cancel(pending);
  pending.onExpire();
}

/** The Session was resumed before the delay was over: there is no will any more. */
export function cancelPendingWill(context: BrokerContext, session: Session): void {
  if (session.pendingWill === undefined) return;
  context.wheel.cancel(session.pendingWill);
  session.pendingWill = undefined;
}
