/** `connections`: one row per CONNECT, or TCP connection without one. */
import { reasonCodeName } from '../../protocol/reason-codes.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { returnCodeNames } from '../mqtt/value-names.ts';
import { type ConnectionRecord, endpointText } from './connection-record.ts';
import { type ConnectionListener, ConnectionTracker } from './connection-tracker.ts';
import { DomainNames } from './domain-names.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import { secondsBetween } from './moment.ts';
import { column, type Table, type TableColumn } from './table.ts';

export class ConnectionsTable implements Table<ConnectionRecord>, ConnectionListener {
  readonly columns: readonly TableColumn<ConnectionRecord>[];
  readonly #tracker = new ConnectionTracker([this]);
  readonly #names = new DomainNames();
  readonly #connections: BoundedList<ConnectionRecord>;

  constructor(limits: ReportLimits) {
    this.#connections = new BoundedList(limits.rowsMax ?? defaultLimits.rowsMax);
    this.columns = connectionColumns(this.#names);
  }

  counted(connection: ConnectionRecord): void {
    this.#connections.add(connection);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#names.next(frame);
    this.#tracker.next(frame, isCounted);
  }

  rows(): ConnectionRecord[] {
    return this.#connections.items.toSorted((a, b) => a.number - b.number);
  }

  notes(): string[] {
    return [this.#connections.note('connections')].filter((note) => note !== undefined);
  }
}

/** `accepted`, `refused`, `no CONNACK`, `no CONNECT`; `unknown` where the capture begins in the middle. */
export function outcomeOf({ connack, connectedAt, version, packetsIn, packetsOut }: ConnectionRecord): string {
  if (connack !== undefined) return connack.code === 0 ? 'accepted' : 'refused';
  if (connectedAt !== undefined) return 'no CONNACK';
  return version === 0 && packetsIn + packetsOut === 0 ? 'no CONNECT' : 'unknown';
}

export function versionText(version: number): string | undefined {
  return ({ 3: '3.1', 4: '3.1.1', 5: '5.0' } as Record<number, string>)[version];
}

/** What a code of a CONNACK is called. */
export function connackReason(code: number, version: number): string {
  if (version === 5 && code >= 0x80) return reasonCodeName(code);
  return returnCodeNames[code]?.replace('Connection Refused: ', '') ?? `Return Code ${code}`;
}

export function brokerText({ ends }: ConnectionRecord): string {
  return endpointText(ends.brokerAddress, ends.brokerPort);
}

function connectionColumns(names: DomainNames): TableColumn<ConnectionRecord>[] {
  type Row = ConnectionRecord;
  return [
    column<Row>('*stream', 'integer', 'Number of the TCP connection, `tcp.stream`', ({ ends }) => ends.stream),
    column<Row>('*client', 'text', 'Client Identifier; where there is none, address and port', (row) => row.clientName),
    column<Row>('*version', 'text', '`3.1`, `3.1.1` or `5.0`', (row) => versionText(row.version)),
    column<Row>('address', 'text', 'Address of the client', ({ ends }) => ends.clientAddress),
    column<Row>('port', 'integer', 'Port of the client', ({ ends }) => ends.clientPort),
    column<Row>('names', 'text', 'Names of that address in DNS answers of the capture', ({ ends }) =>
      names.of(ends.clientAddress),
    ),
    column<Row>('broker', 'text', 'Address and port of the broker', brokerText),
    column<Row>('broker_names', 'text', 'Names of its address in DNS answers of the capture', ({ ends }) =>
      names.of(ends.brokerAddress),
    ),
    column<Row>('carrier', 'text', 'What MQTT lies in: `tcp`, `tls`, `websocket` or `tls websocket`', (row) =>
      row.carrier === '' ? undefined : row.carrier,
    ),
    column<Row>('*keep_alive', 'integer', 'Keep Alive of the CONNECT, seconds', (row) => row.connect?.keepAlive),
    column<Row>(
      'server_keep_alive',
      'integer',
      'Keep Alive that the CONNACK asks for instead, seconds',
      (row) => row.connack?.serverKeepAlive,
    ),
    column<Row>('*clean_start', 'flag', 'Clean Start, Clean Session', (row) => row.connect?.cleanStart),
    column<Row>(
      'session_expiry',
      'integer',
      'Seconds for which the Session outlives the connection; 4294967295: for ever',
      ({ connect, connack }) => connack?.sessionExpirySeconds ?? connect?.sessionExpirySeconds,
    ),
    column<Row>('user_name', 'text', 'User Name of the CONNECT', (row) => row.connect?.userName),
    column<Row>('will_topic', 'text', 'Topic of the will', (row) => row.connect?.will?.topic),
    column<Row>('*time', 'time', 'Time of the first frame', ({ first }) => first.ns / 1e9),
    column<Row>('connect_frame', 'integer', 'Frame of the CONNECT', (row) => row.connectedAt?.frame),
    column<Row>('connack_frame', 'integer', 'Frame of the CONNACK', (row) => row.answeredAt?.frame),
    column<Row>('connack_after', 'duration', 'Seconds from CONNECT to CONNACK', ({ connectedAt, answeredAt }) =>
      connectedAt === undefined || answeredAt === undefined ? undefined : secondsBetween(connectedAt, answeredAt),
    ),
    column<Row>(
      '*outcome',
      'text',
      '`accepted`, `refused`, `no CONNACK`, `no CONNECT`, or `unknown` if the capture begins later',
      outcomeOf,
    ),
    column<Row>('code', 'integer', 'Return Code or Reason Code of the CONNACK', (row) => row.connack?.code),
    column<Row>('reason', 'text', 'What it is called', ({ connack, version }) =>
      connack === undefined || connack.code === 0 ? undefined : connackReason(connack.code, version),
    ),
    column<Row>('session_present', 'flag', 'Session Present of the CONNACK', ({ connack, version }) =>
      version === 3 ? undefined : connack?.sessionPresent,
    ),
    column<Row>(
      '*ended',
      'text',
      '`DISCONNECT`, `FIN` or `RST` without one, `taken over`, `replaced` by a second CONNECT, or `open`',
      (row) => row.end,
    ),
    column<Row>('*ended_by', 'text', '`client` or `broker`', (row) => row.endedBy),
    column<Row>('end_time', 'time', 'Time of the end', ({ endedAt }) => endedAt && endedAt.ns / 1e9),
    column<Row>('end_frame', 'integer', 'Frame of the end', ({ endedAt }) => endedAt?.frame),
    column<Row>('disconnect_code', 'integer', 'Reason Code of the DISCONNECT', (row) => row.disconnectCode),
    column<Row>(
      '*duration',
      'duration',
      'Seconds from the first frame to the end, or to the last frame of it',
      ({ first, last, endedAt }) => secondsBetween(first, endedAt ?? last),
    ),
    column<Row>('packets_in', 'integer', 'MQTT packets from the client', (row) => row.packetsIn),
    column<Row>('packets_out', 'integer', 'MQTT packets to the client', (row) => row.packetsOut),
    column<Row>('bytes_in', 'integer', 'Bytes of these', (row) => row.bytesIn),
    column<Row>('bytes_out', 'integer', 'Bytes of these', (row) => row.bytesOut),
  ];
}
