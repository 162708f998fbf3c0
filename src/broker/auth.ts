/** Who may connect, publish, subscribe and receive: the one interface that password files, ACL files and hooks stand behind. */
import type { ConnectPacket, PublishPacket } from '../codec/packets.ts';
import type { ReasonCode } from '../protocol/reason-codes.ts';
import type { QoS } from '../protocol/version.ts';
import type { PeerAddress } from '../transport/transport.ts';

/** A Client as access control sees it. One object per connection; `username` is undefined for anonymous clients. */
export interface ClientIdentity {
  readonly clientIdentifier: string;
  readonly username: string | undefined;
  /** To be asked for while the Client is connected, unless its Session outlives that or a hook watches connects or disconnects: then at any time. */
  readonly peer: PeerAddress;
  /** The listener it came through, by position in the configuration. */
  readonly listenerIndex: number;
}

/** `success`, or the Reason Code that the client is told. */
export type Verdict = ReasonCode;

export interface Authority {
  /**
   * Checks a CONNECT without an Authentication Method. The Client Identifier is already assigned.
   * @returns `ReasonCode.success`, `badUserNameOrPassword`, `notAuthorized`, …; a promise where the check takes time
   */
  authenticate(identity: ClientIdentity, connect: ConnectPacket): Verdict | Promise<Verdict>;
  /** May this client publish to this Topic Name? */
  mayPublish(
    identity: ClientIdentity,
    topicName: string,
    publish: PublishPacket | undefined,
  ): Verdict | Promise<Verdict>;
  /** May this client make this subscription? */
  maySubscribe(identity: ClientIdentity, topicFilter: string, qos: QoS): Verdict | Promise<Verdict>;
  /**
   * May this client be sent a message on this Topic Name? Asked once per client and topic, then kept until `epoch` changes,
   * so it must not depend on anything else and must answer at once.
   */
  mayReceive(identity: ClientIdentity, topicName: string): boolean;
  /** True if `mayReceive` always says yes, so that it need not be asked. */
  readonly receivesAll: boolean;
  /** True if `mayPublish` always says yes at once, so that it need not be asked. */
  readonly publishesAll: boolean;
  /** Grows with each reload. */
  readonly epoch: number;
}

/** Everyone may do everything. */
export const openAuthority: Authority = {
  authenticate: () => 0,
  mayPublish: () => 0,
  maySubscribe: () => 0,
  mayReceive: () => true,
  receivesAll: true,
  publishesAll: true,
  epoch: 0,
};
