/**
 * What a program that embeds the broker can decide or watch. Every hook may answer with a promise; the connection it is about reads
 * nothing more until then, others go on. A hook that throws refuses (0x80) and is logged.
 */
import type { ConnectPacket, PublishPacket } from '../codec/packets.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
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
   * Sees each message before it is routed. Returning a Message routes that one instead, `false` acknowledges but drops it.
   * `client` is undefined for what the broker or the embedding program publishes.
   */
  onPublish?(message: Message, client: ClientIdentity | undefined): Eventually<Message | false | undefined>;
  onSubscribe?(client: ClientIdentity, topicFilter: string, qos: QoS): Eventually<void>;
  onUnsubscribe?(client: ClientIdentity, topicFilter: string): Eventually<void>;
  onConnect?(client: ClientIdentity, sessionPresent: boolean): Eventually<void>;
  /** `reason` is the line that the log shows. */
  onDisconnect?(client: ClientIdentity, reason: string): Eventually<void>;
}

/** Lets a hook that only watches run on, and logs what goes wrong in it. */
export function watch(log: Log, outcome: void | Promise<void>): void {
  if (!(outcome instanceof Promise)) return;
  outcome.catch((error) => log.write('error', `A hook failed: ${error instanceof Error ? error.message : error}`));
}
