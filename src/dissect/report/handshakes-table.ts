/** `handshakes`: one row per delivery at QoS 1 or 2 between a client and a broker. */
import { reasonCodeName } from '../../protocol/reason-codes.ts';
import type { DissectedFrame } from '../dissected-frame.ts';
import { ConnectionTracker } from './connection-tracker.ts';
import { brokerText } from './connections-table.ts';
import { HandshakeBook } from './handshake-book.ts';
import type { HandshakeRecord } from './handshake-record.ts';
import { BoundedList, defaultLimits, type ReportLimits } from './limits.ts';
import type { Moment } from './moment.ts';
import { column, type Table, type TableColumn } from './table.ts';

export class HandshakesTable implements Table<HandshakeRecord> {
  readonly columns = handshakeColumns();
  readonly #book = new HandshakeBook();
  readonly #tracker = new ConnectionTracker([this.#book]);
  readonly #rows: BoundedList<HandshakeRecord>;

  constructor(limits: ReportLimits) {
    this.#rows = new BoundedList(limits.rowsMax ?? defaultLimits.rowsMax);
    this.#book.onCounted = (handshake) => this.#rows.add(handshake);
  }

  next(frame: DissectedFrame, isCounted: boolean): void {
    this.#tracker.next(frame, isCounted);
  }

  rows(): HandshakeRecord[] {
    return this.#rows.items.toSorted((a, b) => a.first.frame - b.first.frame);
  }

  notes(): string[] {
    return [this.#rows.note('handshakes')].filter((note) => note !== undefined);
  }
}

function stepColumns(
  packet: string,
  of: (row: HandshakeRecord) => Moment | undefined,
): readonly TableColumn<HandshakeRecord>[] {
  const name = packet.toLowerCase();
  return [
    column(`*${name}_frame`, 'integer', `Frame of the first ${packet}`, (row) => of(row)?.frame),
    column(`${name}_time`, 'time', 'Its time', (row) => {
      const moment = of(row);
      return moment && moment.ns / 1e9;
    }),
  ];
}

function handshakeColumns(): TableColumn<HandshakeRecord>[] {
  type Row = HandshakeRecord;
  return [
    column<Row>(
      '*client',
      'text',
      'Client Identifier; where there is none, address and port',
      ({ connection }) => connection.clientName,
    ),
    column<Row>('*direction', 'text', '`in` to the broker, or `out` from it', ({ isByClient }) =>
      isByClient ? 'in' : 'out',
    ),
    column<Row>('*id', 'integer', 'Packet Identifier', ({ packetIdentifier }) => packetIdentifier),
    column<Row>('*qos', 'integer', 'QoS of the PUBLISH; empty if it was not seen', ({ qos }) =>
      qos === 0 ? undefined : qos,
    ),
    column<Row>('*topic', 'text', 'Topic Name', ({ topic }) => (topic === '' ? undefined : topic)),
    column<Row>(
      '*state',
      'text',
      '`published`, `received` (PUBREC), `released` (PUBREL): waits for the next; `complete`, `refused`, or `unknown` without a PUBLISH',
      ({ state }) => state,
    ),
    ...stepColumns('PUBLISH', ({ publishedAt }) => publishedAt),
    ...stepColumns('PUBACK', ({ acknowledgedAt }) => acknowledgedAt),
    ...stepColumns('PUBREC', ({ receivedAt }) => receivedAt),
    ...stepColumns('PUBREL', ({ releasedAt }) => releasedAt),
    ...stepColumns('PUBCOMP', ({ completedAt }) => completedAt),
    column<Row>(
      '*duration',
      'duration',
      'Seconds from the PUBLISH to the last acknowledgement',
      ({ duration }) => duration,
    ),
    column<Row>('*repeats', 'integer', 'Packets of it that were sent again', ({ repeats }) => repeats),
    column<Row>('code', 'integer', 'Highest Reason Code of the acknowledgements', ({ code }) => code),
    column<Row>('reason', 'text', 'What it is called, if not Success', ({ code }) =>
      code === 0 ? undefined : reasonCodeName(code),
    ),
    column<Row>('stream', 'integer', '`tcp.stream` of the PUBLISH', ({ connection }) => connection.ends.stream),
    column<Row>('broker', 'text', 'Address and port of the broker', ({ connection }) => brokerText(connection)),
  ];
}
