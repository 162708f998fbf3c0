/** Will Messages: published when a connection ends without a DISCONNECT that forgoes them. [MQTT 5.0 §3.1.2.5, §3.1.3.2.2] */

import { WheelTimer } from '../base/timer-wheel.ts';
import type { WillMessage } from '../codec/packets.ts';
import type { BrokerContext } from './context.ts';
import { askOnPublish, type HookedMessage } from './hooks.ts';
import { Message, ownPayload } from './message.ts';
import type { Session } from './session.ts';

/** A will that waits for its Will Delay Interval, or for the end of the Session if that comes first. */
export class PendingWill extends WheelTimer {
  readonly will: WillMessage;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly #publish: () => void;

  constructor(will: WillMessage, dueAt: number, publish: () => void) {
    super();
    this.will = will;
    this.dueAt = dueAt;
    this.#publish = publish;
  }

  override onExpire(): void {
    this.#publish();
  }
}

/** Publishes the will when its delay is over, unless the Session is resumed before. [MQTT-3.1.3-9] */
export function scheduleWill(context: BrokerContext, session: Session, will: WillMessage): void {
  const delay = Math.min(will.properties?.willDelayInterval ?? 0, session.expiryInterval);
  waitWithWill(context, session, will, context.clock.now() + delay * 1000);
}

/** Publishes the will at that time, or now if it is past. `dueAt` is in milliseconds since the epoch. */
export function waitWithWill(context: BrokerContext, session: Session, will: WillMessage, dueAt: number): void {
  const delayMs = dueAt - context.clock.now();
  if (delayMs <= 0) {
    publishWill(context, session, will);
    return;
  }
  const pending = new PendingWill(will, dueAt, () => {
    session.pendingWill = undefined;
    session.record(undefined, 0);
    publishWill(context, session, will);
  });
  session.pendingWill = pending;
  context.wheel.schedule(pending, delayMs);
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

/** The will's topic already has the mount point before it. */
function publishWill(context: BrokerContext, session: Session, will: WillMessage): void {
  const { willDelayInterval, messageExpiryInterval, ...properties } = will.properties ?? {};
  const message = new Message(
    will.topicName,
    ownPayload(will.payload),
    will.qos,
    will.retain,
    Object.keys(properties).length === 0 ? undefined : properties,
    messageExpiryInterval === undefined ? 0 : context.clock.now() + messageExpiryInterval * 1000,
    session.identity,
  );
  if (context.hooks.onPublish === undefined) {
    context.publish(message, session);
    return;
  }
  const route = (outcome: HookedMessage): void => {
    if (outcome !== undefined && outcome !== 'failed') context.publish(outcome, session);
  };
  const outcome = askOnPublish(context, message, session.identity);
  if (outcome instanceof Promise) outcome.then(route);
  else route(outcome);
}
