/**
 * What a program that embeds the broker can decide or watch. Every hook may answer with a promise; the connection it is about reads
 * nothing more until then, others go on. A hook that throws refuses (0x80) and is logged.
 */
import type { ConnectPacket, PublishPacket } from '../codec/packets.ts';
import { ReasonCode } from '../protocol/reason-codes.ts';
import { isTopicName } from '../protocol/topics.ts';
import type { QoS } from '../protocol/version.ts';
import type { ClientIdentity } from './auth.ts';
import type { Log } from './log.ts';
import type { Message } from './message.ts';

type Eventually<T> = T | Promise<T>;

/** `true` allows, `false` refuses with the usual Reason Code, a Reason Code of 0x80 or above refuses with that one. */
export type Decision = boolean | ReasonCode;

/** One step of enhanced authentication. [MQTT 5.0 §4.12] */
export interface AuthenticationStep {
  readonly client: ClientIdentity;
  readonly method: string;
  readonly data: Uint8Array | undefined;
  /** The client started over on an open connection. */
  readonly isReauthentication: boolean;
  /** The same object for all steps of one exchange, for the hook's own use. */
  readonly state: Map<string, unknown>;
}

export type AuthenticationAnswer =
  | { readonly outcome: 'success'; readonly data?: Uint8Array; readonly username?: string }
  | { readonly outcome: 'continue'; readonly data?: Uint8Array }
  | { readonly outcome: 'refuse'; readonly reasonCode?: ReasonCode; readonly reasonString?: string };

export interface BrokerHooks {
  /** Checks user name and password (or the certificate behind the connection) of a CONNECT. */
  authenticate?(client: ClientIdentity, connect: ConnectPacket): Eventually<Decision>;
  /** Answers CONNECT packets with an Authentication Method and the AUTH packets that follow; without it they are refused with 0x8C. */
  authenticateStep?(step: AuthenticationStep): Eventually<AuthenticationAnswer>;
  /** May this client publish this? Asked after the access files, for wills too (then without a packet). */
  authorizePublish?(
    client: ClientIdentity,
    topicName: string,
    publish: PublishPacket | undefined,
  ): Eventually<Decision>;
  /** May this client subscribe to this filter? */
  authorizeSubscribe?(client: ClientIdentity, topicFilter: string, qos: QoS): Eventually<Decision>;
  /** May this client be sent messages on this topic? Asked once per client and topic; must answer at once. */
  authorizeReceive?(client: ClientIdentity, topicName: string): boolean;
  /**
   * Sees each message of a client before it is routed, wills too, but not what the program itself or the broker publishes. Returning a
   * Message routes that one instead, `false` acknowledges but drops it.
   */
  onPublish?(message: Message, client: ClientIdentity): Eventually<Message | false | undefined>;
  onSubscribe?(client: ClientIdentity, topicFilter: string, qos: QoS): Eventually<void>;
  onUnsubscribe?(client: ClientIdentity, topicFilter: string): Eventually<void>;
  onConnect?(client: ClientIdentity, sessionPresent: boolean): Eventually<void>;
  /** `reason` is the line that the log shows. */
  onDisconnect?(client: ClientIdentity, reason: string): Eventually<void>;
}

/** Lets a hook that only watches run on, and logs what goes wrong in it. */
export function watch(log: Log, outcome: void | Promise<void>): void {
  if (outcome instanceof Promise) outcome.catch((error) => logFailure(log, error));
}

export function logFailure(log: Log, error: unknown): void {
  log.write('error', `A hook failed: ${error instanceof Error ? error.message : error}`);
}

/** What is to be routed once onPublish saw a message: undefined if it dropped it; `failed` if the message is to be refused. */
export type HookedMessage = Message | undefined | 'failed';

/** Asks onPublish, which must be there. Neither throws nor rejects. */
export function askOnPublish(
  context: { readonly hooks: BrokerHooks; readonly log: Log },
  message: Message,
  client: ClientIdentity,
): HookedMessage | Promise<HookedMessage> {
  const failed = (error: unknown): 'failed' => {
    logFailure(context.log, error);
    return 'failed';
  };
  const conclude = (answer: Message | false | undefined): HookedMessage => {
    if (answer === false) return undefined;
    answer?.pinPayload();
    if (answer === undefined || isTopicName(answer.topicName)) return answer ?? message;
    return failed(new Error(`onPublish returned a Message on '${answer.topicName}', which is no Topic Name`));
  };
  message.pinPayload();
  try {
    const answer = context.hooks.onPublish?.(message, client);
    return answer instanceof Promise ? answer.then(conclude).catch(failed) : conclude(answer);
  } catch (error) {
    return failed(error);
  }
}

/**
 * The hooks as the broker calls them: those that only watch never throw, a step of authentication that fails refuses. The rest is seen to
 * where it is asked. What is not among the hooks now is not among them later.
 */
export function guardedHooks(hooks: BrokerHooks, log: Log): BrokerHooks {
  const watching = <A extends unknown[]>(hook: ((...args: A) => Eventually<void>) | undefined) =>
    hook &&
    ((...args: A): Eventually<void> => {
      try {
        return hook.apply(hooks, args);
      } catch (error) {
        logFailure(log, error);
      }
    });
  const { authenticateStep } = hooks;
  const refusal = (error: unknown): AuthenticationAnswer => {
    logFailure(log, error);
    return { outcome: 'refuse', reasonCode: ReasonCode.unspecifiedError };
  };
  const checked = (answer: AuthenticationAnswer): AuthenticationAnswer => {
    if (['success', 'continue', 'refuse'].includes(answer?.outcome)) return answer;
    throw new Error('authenticateStep answered without an outcome');
  };
  const step =
    authenticateStep &&
    ((given: AuthenticationStep): Eventually<AuthenticationAnswer> => {
      try {
        const answer = authenticateStep.call(hooks, given);
        return answer instanceof Promise ? answer.then(checked).catch(refusal) : checked(answer);
      } catch (error) {
        return refusal(error);
      }
    });
  const guarded: { -readonly [Name in keyof BrokerHooks]: BrokerHooks[Name] | undefined } = {
    authenticate: hooks.authenticate?.bind(hooks),
    authenticateStep: step,
    authorizePublish: hooks.authorizePublish?.bind(hooks),
    authorizeSubscribe: hooks.authorizeSubscribe?.bind(hooks),
    authorizeReceive: hooks.authorizeReceive?.bind(hooks),
    onPublish: hooks.onPublish?.bind(hooks),
    onSubscribe: watching(hooks.onSubscribe),
    onUnsubscribe: watching(hooks.onUnsubscribe),
    onConnect: watching(hooks.onConnect),
    onDisconnect: watching(hooks.onDisconnect),
  };
  return guarded as BrokerHooks;
}
