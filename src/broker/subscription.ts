/** What one Session subscribed to, and how. */
import type { QoS } from '../protocol/version.ts';
import type { Session } from './session.ts';

export class Subscription {
  readonly session: Session;
  /** As the client gave it, with its mount point before it; for a Shared Subscription the filter behind the share name. */
  readonly topicFilter: string;
  /** Empty if it is not shared. */
  readonly shareName: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 if the client gave none. */
  readonly identifier: number;
  /** It was taken away, or another one replaced it. */
  isEnded = false;

  constructor(
    session: Session,
    topicFilter: string,
    shareName: string,
    qos: QoS,
    noLocal: boolean,
    retainAsPublished: boolean,
    identifier: number,
  ) {
    this.session = session;
    this.topicFilter = topicFilter;
    this.shareName = shareName;
    this.qos = qos;
    this.noLocal = noLocal;
    this.retainAsPublished = retainAsPublished;
    this.identifier = identifier;
  }
}
