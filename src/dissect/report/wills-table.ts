/** `wills`: one row per will that was announced. */
import type { DissectedFrame } from '../dissected-frame.ts';
import { ConnectionTracker } from './connection-tracker.ts';
import { brokerText } from './connections-table.ts';
import { DeliveryMatcher } from './delivery-matcher.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import type { DeliveryRecord } from './message-source.ts';
import { SessionBook } from './session-book.ts';
import { wildcardsOf } from './subscription-record.ts';
import { firstLevel } from './subscriptions-table.ts';
import { column, distinct, type Table, type TableColumn } from './table.ts';
import { WillBook } from './will-book.ts';
import { type WillRecord, willDeliveriesMax } from './will-record.ts';

export class WillsTable implements Table<WillRecord> {
  readonly columns = willColumns();
  readonly #tracker: ConnectionTracker;
  readonly #matcher: DeliveryMatcher;
  readonly #rows: BoundedList<WillRecord>;

  constructor(limits: ReportLimits) {
    this.#rows = new BoundedList(limits.rowsMax ?? defaultLimits.rowsMax);
    const sessions = new SessionBook(limits);
    const wills = new WillBook();
    wills.onWill = (will) => {
      if (will.isCounted) this.#rows.add(will);
    };
    this.#matcher = new DeliveryMatcher(sessions, wills, limits);
    this.#tracker = new ConnectionTracker([sessions, wills, this.#matcher]);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
  }

  rows(): WillRecord[] {
    return this.#rows.items;
  }

  notes(): string[] {
    const cut = this.#rows.items.filter(({ deliveryCount }) => deliveryCount > willDeliveriesMax).length;
    return [
      this.#rows.note('wills'),
      cut > 0 ? `of ${cut} wills only the first ${willDeliveriesMax} deliveries are named` : undefined,
    ].filter((note) => note !== undefined);
  }
}

/** Whether it came through a subscription without a wildcard, for all that is known. */
export function isExact({ subscriptions }: DeliveryRecord): boolean {
  return subscriptions.some(({ filter }) => wildcardsOf(filter)[0] === 'none');
}

/** Clients of deliveries, without repetition; undefined if there are none. */
function receivers(
  { deliveries }: WillRecord,
  isMeant: (delivery: DeliveryRecord) => boolean,
): readonly string[] | undefined {
  const names = distinct(deliveries.filter(isMeant).map(({ connection }) => connection.clientName));
  return names.length === 0 ? undefined : names;
}

function willColumns(): TableColumn<WillRecord>[] {
  type Row = WillRecord;
  return [
    column<Row>(
      '*client',
      'text',
      'Client that announced it: its identifier, or address and port',
      ({ connection }) => connection.clientName,
    ),
    column<Row>('*topic', 'text', 'Will Topic', ({ topic }) => topic),
    column<Row>('first_level', 'text', 'Its first level', ({ topic }) => firstLevel(topic)),
    column<Row>('*qos', 'integer', 'Will QoS', ({ qos }) => qos),
    column<Row>('*retain', 'flag', 'Will Retain', ({ retain }) => retain),
    column<Row>('delay', 'integer', 'Will Delay Interval, seconds', ({ delaySeconds }) => delaySeconds),
    column<Row>('*payload', 'text', 'Its payload, decoded, on one line', ({ payload, topic }) => payload.text(topic)),
    column<Row>('payload_bytes', 'integer', 'Length of the payload', ({ payload }) => payload.length),
    column<Row>('*frame', 'integer', 'Frame of the CONNECT that announces it', ({ announcedAt }) => announcedAt.frame),
    column<Row>('time', 'time', 'Its time', ({ announcedAt }) => announcedAt.ns / 1e9),
    column<Row>(
      '*state',
      'text',
      '`announced` while the connection is open, `dropped` by DISCONNECT, `due`, `delayed`, `cancelled`, or `refused`',
      ({ state }) => state,
    ),
    column<Row>(
      'due_frame',
      'integer',
      'Frame that made it due: the end of the connection',
      ({ dueAt }) => dueAt?.frame,
    ),
    column<Row>('due_time', 'time', 'Its time', ({ dueAt }) => dueAt && dueAt.ns / 1e9),
    column<Row>('ended', 'text', 'How the connection ended, as in `connections`', ({ connection }) => connection.end),
    column<Row>('*deliveries', 'integer', 'PUBLISHes with it that the broker sent', (row) => row.deliveryCount),
    column<Row>('*receivers', 'text', 'Clients that got it', (row) => receivers(row, () => true)),
    column<Row>('receivers_exact', 'text', 'Those that got it through a subscription without a wildcard', (row) =>
      receivers(row, isExact),
    ),
    column<Row>('receivers_wildcard', 'text', 'Those that got it through one with a wildcard', (row) =>
      receivers(row, ({ subscriptions }) => subscriptions.some(({ filter }) => wildcardsOf(filter)[0] !== 'none')),
    ),
    column<Row>('*filters', 'text', 'Topic Filters of the subscriptions that it came through', ({ deliveries }) => {
      const filters = distinct(deliveries.flatMap((one) => one.subscriptions.map(({ content }) => content.filter)));
      return filters.length === 0 ? undefined : filters;
    }),
    column<Row>('wildcards', 'text', 'Their wildcards: `single`, `multi`, `none`', ({ deliveries }) => {
      const found = distinct(
        deliveries.flatMap((one) => one.subscriptions.flatMap(({ filter }) => wildcardsOf(filter))),
      );
      return found.length === 0 ? undefined : found;
    }),
    column<Row>('stream', 'integer', '`tcp.stream` of the connection', ({ connection }) => connection.ends.stream),
    column<Row>('broker', 'text', 'Address and port of the broker', ({ connection }) => brokerText(connection)),
  ];
}
