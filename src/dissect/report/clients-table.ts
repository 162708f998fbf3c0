/** `clients`: who connected. One row per client and broker. */
import type { DissectedFrame } from '../dissected-frame.ts';
import type { ConnectionRecord } from './connection-record.ts';
import { type ConnectionListener, ConnectionTracker } from './connection-tracker.ts';
import { brokerText, versionText } from './connections-table.ts';
import { DomainNames } from './domain-names.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import { SessionBook } from './session-book.ts';
import type { SubscriptionRecord } from './subscription-record.ts';
import { column, distinct, type Table, type TableColumn } from './table.ts';

/** A client: its connections, and what it has subscribed to on any. */
export interface ClientRow {
  readonly connections: ConnectionRecord[];
  readonly filters: ReadonlySet<string>;
}

export class ClientsTable implements Table<ClientRow>, ConnectionListener {
  readonly columns: readonly TableColumn<ClientRow>[];
  readonly #tracker: ConnectionTracker;
  readonly #names = new DomainNames();
  readonly #connections: BoundedList<ConnectionRecord>;
  readonly #subscriptions: BoundedList<SubscriptionRecord>;

  constructor(limits: ReportLimits) {
    this.#connections = new BoundedList(limits.rowsMax ?? defaultLimits.rowsMax);
    this.#subscriptions = new BoundedList(limits.subscriptionsMax ?? defaultLimits.subscriptionsMax);
    const sessions = new SessionBook(limits);
    sessions.onSubscription = (subscription) => {
      if (subscription.isCounted) this.#subscriptions.add(subscription);
    };
    this.#tracker = new ConnectionTracker([sessions, this]);
    this.columns = clientColumns(this.#names);
  }

  counted(connection: ConnectionRecord): void {
    this.#connections.add(connection);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#names.next(frame);
    this.#tracker.next(frame, isCounted);
  }

  rows(): ClientRow[] {
    const rows = new Map<string, ClientRow & { readonly filters: Set<string> }>();
    for (const connection of this.#connections.items) {
      if (connection.carrier === '') continue;
      const key = keyOf(connection);
      const row = rows.get(key);
      if (row === undefined) rows.set(key, { connections: [connection], filters: new Set() });
      else row.connections.push(connection);
    }
    for (const { connection, content } of this.#subscriptions.items)
      rows.get(keyOf(connection))?.filters.add(content.filter);
    return [...rows.values()];
  }

  notes(): string[] {
    return [this.#connections.note('connections'), this.#subscriptions.note('subscriptions')].filter(
      (note) => note !== undefined,
    );
  }
}

function keyOf(connection: ConnectionRecord): string {
  return `${connection.ends.brokerKey} ${connection.clientName}`;
}

type Row = ClientRow;

/** Of all connections of a client, without repetition. */
function each<T extends string | number>(of: (connection: ConnectionRecord) => T | undefined) {
  return ({ connections }: Row): readonly T[] | undefined => {
    const values = distinct(connections.map(of).filter((value) => value !== undefined));
    return values.length === 0 ? undefined : values;
  };
}

function sum(of: (connection: ConnectionRecord) => number) {
  return ({ connections }: Row): number => connections.reduce((total, connection) => total + of(connection), 0);
}

function clientColumns(names: DomainNames): TableColumn<Row>[] {
  const text = each<string>;
  return [
    column<Row>(
      '*client',
      'text',
      'Client Identifier; where there is none, address and port',
      ({ connections }) => connections[0]!.clientName,
    ),
    column<Row>(
      '*addresses',
      'text',
      'Where it came from',
      text(({ ends }) => ends.clientAddress),
    ),
    column<Row>('*names', 'text', 'Names of these addresses in DNS answers of the capture', ({ connections }) =>
      distinct(connections.flatMap(({ ends }) => names.of(ends.clientAddress))),
    ),
    column<Row>(
      '*versions',
      'text',
      '`3.1`, `3.1.1`, `5.0`',
      text(({ version }) => versionText(version)),
    ),
    column<Row>(
      '*keep_alive',
      'integer',
      'Keep Alive of its CONNECTs, seconds',
      each<number>(({ connect }) => connect?.keepAlive),
    ),
    column<Row>(
      '*clean_start',
      'flag',
      'Clean Start of its last CONNECT',
      ({ connections }) => connections.findLast(({ connect }) => connect !== undefined)?.connect?.cleanStart,
    ),
    column<Row>(
      'user_names',
      'text',
      'User Names of its CONNECTs',
      text(({ connect }) => connect?.userName),
    ),
    column<Row>(
      'will_topics',
      'text',
      'Topics of its wills',
      text(({ connect }) => connect?.will?.topic),
    ),
    column<Row>(
      'broker',
      'text',
      'Address and port of the broker',
      text((connection) => brokerText(connection)),
    ),
    column<Row>(
      'carriers',
      'text',
      'What MQTT lies in: `tcp`, `tls`, `websocket` …',
      text(({ carrier }) => carrier),
    ),
    column<Row>('*connections', 'integer', 'Connections', ({ connections }) => connections.length),
    column<Row>(
      'refused',
      'integer',
      'Those that the broker refused',
      ({ connections }) => connections.filter(({ isRefused }) => isRefused).length,
    ),
    column<Row>('first', 'time', 'Time of its first frame', ({ connections }) => connections[0]!.first.ns / 1e9),
    column<Row>(
      'last',
      'time',
      'Time of its last frame',
      ({ connections }) => connections.reduce((last, one) => Math.max(last, one.last.ns), 0) / 1e9,
    ),
    column<Row>(
      'packets_in',
      'integer',
      'MQTT packets that it sent',
      sum(({ packetsIn }) => packetsIn),
    ),
    column<Row>(
      'packets_out',
      'integer',
      'MQTT packets that it got',
      sum(({ packetsOut }) => packetsOut),
    ),
    column<Row>(
      'bytes_in',
      'integer',
      'Bytes of packets that it sent',
      sum(({ bytesIn }) => bytesIn),
    ),
    column<Row>(
      'bytes_out',
      'integer',
      'Bytes of packets that it got',
      sum(({ bytesOut }) => bytesOut),
    ),
    column<Row>(
      '*publishes_in',
      'integer',
      'PUBLISHes that it sent',
      sum(({ publishesIn }) => publishesIn),
    ),
    column<Row>(
      '*publishes_out',
      'integer',
      'PUBLISHes that it got',
      sum(({ publishesOut }) => publishesOut),
    ),
    column<Row>('*subscriptions', 'integer', 'Topic Filters that it asked for', ({ filters }) => filters.size),
  ];
}
