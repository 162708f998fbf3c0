/** `subscriptions`: who subscribed to what. One row per Topic Filter of each SUBSCRIBE. */
import { reasonCodeName } from '../../protocol/reason-codes.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { ConnectionTracker } from './connection-tracker.ts';
import { brokerText } from './connections-table.ts';
import { DeliveryMatcher } from './delivery-matcher.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import { SessionBook } from './session-book.ts';
import { type SubscriptionRecord, wildcardsOf } from './subscription-record.ts';
import { column, type Table, type TableColumn } from './table.ts';
import { WillBook } from './will-book.ts';

export class SubscriptionsTable implements Table<SubscriptionRecord> {
  readonly columns = subscriptionColumns();
  readonly #tracker: ConnectionTracker;
  readonly #rows: BoundedList<SubscriptionRecord>;

  constructor(limits: ReportLimits) {
    this.#rows = new BoundedList(limits.rowsMax ?? defaultLimits.rowsMax);
    const sessions = new SessionBook(limits);
    sessions.onSubscription = (subscription) => {
      if (subscription.isCounted) this.#rows.add(subscription);
    };
    const wills = new WillBook();
    this.#tracker = new ConnectionTracker([sessions, wills, new DeliveryMatcher(sessions, wills, limits)]);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
  }

  rows(): SubscriptionRecord[] {
    return this.#rows.items;
  }

  notes(): string[] {
    return [this.#rows.note('subscriptions')].filter((note) => note !== undefined);
  }
}

/** What comes before the first `/` of a Topic Name or Topic Filter. */
export function firstLevel(topic: string): string {
  const end = topic.indexOf('/');
  return end < 0 ? topic : topic.slice(0, end);
}

function subscriptionColumns(): TableColumn<SubscriptionRecord>[] {
  type Row = SubscriptionRecord;
  return [
    column<Row>(
      '*client',
      'text',
      'Client Identifier; where there is none, address and port',
      ({ connection }) => connection.clientName,
    ),
    column<Row>('*filter', 'text', 'Topic Filter, as it was asked for', ({ content }) => content.filter),
    column<Row>('*wildcards', 'text', 'Its wildcards: `single` for `+`, `multi` for `#`, or `none`', ({ filter }) =>
      wildcardsOf(filter),
    ),
    column<Row>('first_level', 'text', 'Its first level, without `$share/NAME/`', ({ filter }) => firstLevel(filter)),
    column<Row>('*group', 'text', 'ShareName of a Shared Subscription', ({ shareName }) => shareName),
    column<Row>('*qos', 'integer', 'QoS that is asked for', ({ content }) => content.qos),
    column<Row>('*granted', 'integer', 'QoS that the SUBACK grants; empty if it refuses', ({ code }) =>
      code === undefined || code >= 0x80 ? undefined : code,
    ),
    column<Row>('reason', 'text', 'Why it was refused', ({ code }) =>
      code === undefined || code < 0x80 ? undefined : reasonCodeName(code),
    ),
    column<Row>('identifier', 'integer', 'Subscription Identifier', ({ identifier }) =>
      identifier === 0 ? undefined : identifier,
    ),
    column<Row>('no_local', 'flag', 'No Local', ({ content }) => content.noLocal),
    column<Row>('retain_as_published', 'flag', 'Retain As Published', ({ content }) => content.retainAsPublished),
    column<Row>('retain_handling', 'integer', 'Retain Handling', ({ content }) => content.retainHandling),
    column<Row>('*frame', 'integer', 'Frame of the SUBSCRIBE', ({ requestedAt }) => requestedAt.frame),
    column<Row>('*time', 'time', 'Its time', ({ requestedAt }) => requestedAt.ns / 1e9),
    column<Row>('suback_frame', 'integer', 'Frame of the SUBACK', ({ grantedAt }) => grantedAt?.frame),
    column<Row>(
      '*ended',
      'text',
      '`unsubscribed`, `replaced` by the same filter again, `session ended`; empty while it is there',
      ({ end }) => end,
    ),
    column<Row>('end_frame', 'integer', 'Frame with which it ended', ({ endedAt }) => endedAt?.frame),
    column<Row>('end_time', 'time', 'Its time', ({ endedAt }) => endedAt && endedAt.ns / 1e9),
    column<Row>(
      '*deliveries',
      'integer',
      'PUBLISHes that came to the client through it, alone or with others',
      ({ deliveries }) => deliveries,
    ),
    column<Row>('stream', 'integer', '`tcp.stream` of the connection', ({ connection }) => connection.ends.stream),
    column<Row>('broker', 'text', 'Address and port of the broker', ({ connection }) => brokerText(connection)),
  ];
}
