/** `deliveries`: which PUBLISH into the broker, or which will, led to which PUBLISH out of it. One row per pair; what has no partner is alone. */
import type { DissectedFrame } from '../dissected-frame.ts';
import { ConnectionTracker } from './connection-tracker.ts';
import { brokerText } from './connections-table.ts';
import { DeliveryMatcher } from './delivery-matcher.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import type { DeliveryRecord, MessageSource } from './message-source.ts';
import { type Moment, secondsBetween } from './moment.ts';
import { SessionBook } from './session-book.ts';
import { wildcardsOf } from './subscription-record.ts';
import { firstLevel } from './subscriptions-table.ts';
import { column, distinct, type Table, type TableColumn } from './table.ts';
import { WillBook } from './will-book.ts';

/** One of the two at least is there. */
export interface DeliveryRow {
  readonly source: MessageSource | undefined;
  readonly delivery: DeliveryRecord | undefined;
}

export class DeliveriesTable implements Table<DeliveryRow> {
  readonly columns = deliveryColumns();
  readonly #tracker: ConnectionTracker;
  readonly #matcher: DeliveryMatcher;
  readonly #sources: BoundedList<MessageSource>;
  readonly #deliveries: BoundedList<DeliveryRecord>;

  constructor(limits: ReportLimits) {
    const rowsMax = limits.rowsMax ?? defaultLimits.rowsMax;
    this.#sources = new BoundedList(rowsMax);
    this.#deliveries = new BoundedList(rowsMax);
    const sessions = new SessionBook(limits);
    const wills = new WillBook();
    this.#matcher = new DeliveryMatcher(sessions, wills, limits, true);
    this.#matcher.onSource = (source) => {
      if (source.isCounted) this.#sources.add(source);
    };
    this.#matcher.onDelivery = (delivery) => {
      if (delivery.isCounted || delivery.source?.isCounted === true) this.#deliveries.add(delivery);
    };
    this.#tracker = new ConnectionTracker([sessions, wills, this.#matcher]);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
  }

  /** In the order of what came in, each followed by what came out of it. */
  rows(): DeliveryRow[] {
    const rows: DeliveryRow[] = this.#deliveries.items.map((delivery) => ({ source: delivery.source, delivery }));
    for (const source of this.#sources.items) {
      const isWaiting = source.will?.state === 'delayed' || source.isCancelled;
      if (source.deliveryCount === 0 && !isWaiting) rows.push({ source, delivery: undefined });
    }
    return rows.sort((a, b) => beginning(a) - beginning(b) || ending(a) - ending(b));
  }

  notes(): string[] {
    const { forgotten } = this.#matcher;
    return [
      this.#deliveries.note('deliveries'),
      this.#sources.note('messages'),
      forgotten > 0
        ? `${forgotten} older messages were forgotten while deliveries were looked for: later copies of these stand alone`
        : undefined,
    ].filter((note) => note !== undefined);
  }
}

function beginning({ source, delivery }: DeliveryRow): number {
  return (source ?? delivery)!.moment.ns;
}

function ending({ source, delivery }: DeliveryRow): number {
  return (delivery ?? source)!.moment.ns;
}

function seconds(moment: Moment | undefined): number | undefined {
  return moment && moment.ns / 1e9;
}

/** `publish`, `will`, or `unseen` where the message came before the capture, from the broker itself, or through another of its ports. */
function originOf(source: MessageSource | undefined): string {
  if (source === undefined) return 'unseen';
  return source.will === undefined ? 'publish' : 'will';
}

function identifierOf(message: MessageSource | DeliveryRecord | undefined): number | undefined {
  return message === undefined || message.packetIdentifier === 0 ? undefined : message.packetIdentifier;
}

function deliveryColumns(): TableColumn<DeliveryRow>[] {
  type Row = DeliveryRow;
  return [
    column<Row>('*topic', 'text', 'Topic Name', ({ source, delivery }) => (source ?? delivery)!.topic),
    column<Row>('first_level', 'text', 'Its first level', ({ source, delivery }) =>
      firstLevel((source ?? delivery)!.topic),
    ),
    column<Row>('*payload', 'text', 'Payload, decoded, on one line', ({ source, delivery }) => {
      const { payload, topic } = (source ?? delivery)!;
      return payload?.text(topic);
    }),
    column<Row>(
      'bytes',
      'integer',
      'Length of the payload',
      ({ source, delivery }) => (source ?? delivery)!.payloadLength,
    ),
    column<Row>('*origin', 'text', '`publish`, `will`, or `unseen`: nothing in the capture led to it', ({ source }) =>
      originOf(source),
    ),
    column<Row>(
      '*publisher',
      'text',
      'Client that published it, or whose will it is',
      ({ source }) => source?.connection.clientName,
    ),
    column<Row>(
      '*in_frame',
      'integer',
      'Frame of the PUBLISH into the broker; of a will, of the end of its connection',
      ({ source }) => source?.moment.frame,
    ),
    column<Row>('in_time', 'time', 'Its time', ({ source }) => seconds(source?.moment)),
    column<Row>('in_id', 'integer', 'Its Packet Identifier', ({ source }) => identifierOf(source)),
    column<Row>('*in_qos', 'integer', 'Its QoS', ({ source }) => source?.qos),
    column<Row>('in_retain', 'flag', 'Its RETAIN', ({ source }) => source?.retain),
    column<Row>('in_repeats', 'integer', 'How often it was sent again', ({ source }) => source?.repeats),
    column<Row>(
      '*receiver',
      'text',
      'Client that got it; empty: nobody did',
      ({ delivery }) => delivery?.connection.clientName,
    ),
    column<Row>(
      '*out_frame',
      'integer',
      'Frame of the PUBLISH out of the broker',
      ({ delivery }) => delivery?.moment.frame,
    ),
    column<Row>('out_time', 'time', 'Its time', ({ delivery }) => seconds(delivery?.moment)),
    column<Row>('out_id', 'integer', 'Its Packet Identifier', ({ delivery }) => identifierOf(delivery)),
    column<Row>('*out_qos', 'integer', 'Its QoS', ({ delivery }) => delivery?.qos),
    column<Row>('out_retain', 'flag', 'Its RETAIN', ({ delivery }) => delivery?.retain),
    column<Row>('out_repeats', 'integer', 'How often it was sent again', ({ delivery }) => delivery?.repeats),
    column<Row>(
      '*way',
      'text',
      '`live`, `retained` on subscribing, or `queued` while the client was away',
      ({ delivery }) => delivery?.way,
    ),
    column<Row>('*latency', 'duration', 'Seconds from in to out; not of retained messages', ({ source, delivery }) =>
      source === undefined || delivery === undefined || delivery.way === 'retained'
        ? undefined
        : secondsBetween(source.moment, delivery.moment),
    ),
    column<Row>(
      '*filters',
      'text',
      'Topic Filters of the subscriptions that it came through; several if nothing tells which',
      ({ delivery }) => delivery?.subscriptions.map(({ content }) => content.filter),
    ),
    column<Row>('wildcards', 'text', 'Their wildcards: `single`, `multi`, or `none`', ({ delivery }) =>
      distinct(delivery?.subscriptions.flatMap(({ filter }) => wildcardsOf(filter)) ?? []),
    ),
    column<Row>('broker', 'text', 'Address and port of the broker', ({ source, delivery }) =>
      brokerText((source ?? delivery)!.connection),
    ),
  ];
}
