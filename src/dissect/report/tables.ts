/** All tables that there are, by name. */
import { ClientsTable } from './clients-table.ts';
import { ConnectionsTable } from './connections-table.ts';
import { DeliveriesTable } from './deliveries-table.ts';
import { HandshakesTable } from './handshakes-table.ts';
import type { ReportLimits } from './limits.ts';
import { SubscriptionsTable } from './subscriptions-table.ts';
import type { Table } from './table.ts';
import { TopicsTable } from './topics-table.ts';
import { WillsTable } from './wills-table.ts';

const makers = {
  clients: (limits: ReportLimits) => new ClientsTable(limits),
  connections: (limits: ReportLimits) => new ConnectionsTable(limits),
  subscriptions: (limits: ReportLimits) => new SubscriptionsTable(limits),
  wills: (limits: ReportLimits) => new WillsTable(limits),
  topics: (limits: ReportLimits) => new TopicsTable(limits),
  deliveries: (limits: ReportLimits) => new DeliveriesTable(limits),
  handshakes: (limits: ReportLimits) => new HandshakesTable(limits),
};

export type TableName = keyof typeof makers;
export const tableNames = Object.keys(makers) as readonly TableName[];

/** A table of which the rows are known by nobody but itself. */
export type AnyTable = Table<unknown>;

/**
 *     const table = openTable('subscriptions');
 *     for (const frame of frames) table.next(dissector.next(frame), true);
 *     for (const row of table.rows()) console.log(table.columns.map((column) => column.of(row)));
 */
export function openTable(name: TableName, limits: ReportLimits = {}): AnyTable {
  return makers[name](limits) as AnyTable;
}
