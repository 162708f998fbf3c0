/** One Topic Filter of one SUBSCRIBE. */
import { parseSharedFilter } from '../../protocol/topics.ts';
import type { ConnectionRecord } from './connection-record.ts';
import type { Moment } from './moment.ts';
import type { SubscriptionContent } from './packet-contents.ts';

/** Why a subscription is no more. `replaced`: the same filter was subscribed to again. */
export type SubscriptionEnd = 'unsubscribed' | 'replaced' | 'session ended';

export class SubscriptionRecord {
  readonly connection: ConnectionRecord;
  readonly content: SubscriptionContent;
  /** What topics are matched with: without `$share/NAME/`. */
  readonly filter: string;
  /** undefined if it is no Shared Subscription. */
  readonly shareName: string | undefined;
  /** Subscription Identifier; 0 without one. */
  readonly identifier: number;
  readonly requestedAt: Moment;
  /** Of the SUBACK; undefined while there is none. */
  grantedAt: Moment | undefined = undefined;
  code: number | undefined = undefined;
  endedAt: Moment | undefined = undefined;
  end: SubscriptionEnd | undefined = undefined;
  /** PUBLISHes that came through it, alone or with others. */
  deliveries = 0;
  readonly isCounted: boolean;

  constructor(
    connection: ConnectionRecord,
    content: SubscriptionContent,
    identifier: number,
    requestedAt: Moment,
    isCounted: boolean,
  ) {
    this.connection = connection;
    this.content = content;
    const shared = parseSharedFilter(content.filter);
    const isShared = shared !== undefined && shared !== 'invalid';
    this.filter = isShared ? shared.topicFilter : content.filter;
    this.shareName = isShared ? shared.shareName : undefined;
    this.identifier = identifier;
    this.requestedAt = requestedAt;
    this.isCounted = isCounted;
  }

  /** Whether messages may come through it: what is not answered yet may have been granted. */
  get isActive(): boolean {
    return this.endedAt === undefined && (this.code === undefined || this.code < 0x80);
  }
}

const none: readonly string[] = ['none'];
const single: readonly string[] = ['single'];
const multi: readonly string[] = ['multi'];
const both: readonly string[] = ['single', 'multi'];

/** The wildcards of a Topic Filter: `single` for `+`, `multi` for `#`; `none` if there are none. */
export function wildcardsOf(filter: string): readonly string[] {
  if (filter.includes('+')) return filter.includes('#') ? both : single;
  return filter.includes('#') ? multi : none;
}
