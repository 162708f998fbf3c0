/** What the tables have to say of the lab that `course-lab.ts` arranges. */
import { expect } from 'vitest';
import { type Cell, cellValues } from '../../../src/dissect/report/table.ts';
import { compileCondition } from '../../../src/dissect/report/table-filter.ts';
import { openTable, type TableName } from '../../../src/dissect/report/tables.ts';
import { dissectFile } from '../dissected.ts';

export async function expectCourseLab(file: string): Promise<void> {
  const frames = await dissectFile(file);
  const ask = (name: TableName, where: string, column: string): Cell[] => {
    const table = openTable(name);
    for (const frame of frames) table.next(frame, true);
    expect(table.notes()).toEqual([]);
    const { of } = table.columns.find((one) => one.name === column)!;
    return table.rows().filter(compileCondition(where, table.columns)).map(of);
  };
  const different = (name: TableName, where: string, column: string): (string | number | boolean)[] =>
    [...new Set(ask(name, where, column).flatMap(cellValues))].sort();

  // Who subscribes with which wildcards.
  expect(different('subscriptions', 'wildcards == "single"', 'client')).toEqual([
    'both',
    'hall-1',
    'other',
    'reader-a',
    'reader-b',
  ]);
  expect(different('subscriptions', 'wildcards == "multi"', 'client')).toEqual(['hall-2', 'other']);
  expect(different('subscriptions', 'group', 'group')).toEqual(['readers']);
  expect(ask('subscriptions', 'client == "other"', 'granted')).toEqual([1]);

  // Which wills there are, and what became of them.
  expect(ask('wills', 'first_level == "university"', 'client')).toEqual([
    'sensor-1',
    'sensor-2',
    'sensor-3',
    'sensor-5',
  ]);
  expect(ask('wills', 'topic matches "^university/"', 'state')).toEqual(['due', 'due', 'dropped', 'announced']);
  expect(ask('wills', 'client == "sensor-6"', 'deliveries')).toEqual([0]);
  expect(ask('wills', 'retain == 1', 'client')).toEqual(['sensor-5']);

  // Who received a will through which subscription.
  const ofWills = 'origin == "will" && topic matches "^university/"';
  expect(different('deliveries', `${ofWills} && receiver`, 'receiver')).toEqual(['both', 'hall-1', 'hall-2', 'office']);
  expect(different('deliveries', `${ofWills} && wildcards == "none"`, 'receiver')).toEqual(['both', 'office']);
  expect(different('wills', 'first_level == "university"', 'receivers_exact')).toEqual(['both', 'office']);
  expect(different('wills', 'first_level == "university"', 'receivers_wildcard')).toEqual(['both', 'hall-1', 'hall-2']);
  expect(different('wills', 'client == "sensor-4"', 'receivers')).toEqual(['other']);
  expect(different('wills', 'client == "sensor-4"', 'filters')).toEqual(['factory/+/#']);

  // Who got what of which publisher.
  expect(ask('deliveries', 'topic contains "temperature" && receiver contains "reader"', 'payload')).toEqual([
    '20.5',
    '20.5',
    '20.5',
    '21.0',
  ]);
  expect(ask('deliveries', 'receiver == "hall-2" && origin == "publish"', 'publisher')).toEqual([
    'thermometer',
    'thermometer',
    'thermometer',
    'thermometer',
    'thermometer',
    'door',
  ]);
  expect(ask('deliveries', 'payload == "measured" && receiver == "office"', 'out_qos')).toEqual([0]);
  expect(ask('deliveries', 'payload == "measured" && receiver == "hall-2"', 'out_qos')).toEqual([2]);
  expect(ask('deliveries', 'way == "retained"', 'receiver')).toEqual(['late']);
  expect(ask('deliveries', 'way == "queued"', 'payload')).toEqual(['kept']);
  expect(ask('deliveries', 'payload == "lost"', 'receiver')).toEqual([undefined]);
  expect(ask('deliveries', 'origin == "unseen"', 'topic')).toEqual([]);

  // Who connected, and how it ended.
  expect(different('clients', 'versions == "5.0"', 'client')).toEqual([
    'both',
    'hall-2',
    'reader-a',
    'reader-b',
    'sensor-2',
    'sensor-5',
    'thermometer',
  ]);
  expect(ask('clients', 'client == "thermometer"', 'connections')).toEqual([5]);
  expect(ask('clients', 'keep_alive == 20', 'client')).toEqual(['hall-2']);
  expect(ask('clients', 'client == "office"', 'names')).toEqual([['office.university.example']]);
  expect(ask('connections', 'ended == "taken over"', 'client')).toEqual(['twin']);
  expect(ask('connections', 'ended == "FIN"', 'client')).toEqual(['sensor-1', 'sensor-2', 'sensor-4', 'sensor-6']);
  expect(ask('connections', 'session_present == 1', 'client')).toEqual(['unique']);
  expect(ask('connections', 'outcome != "accepted"', 'client')).toEqual([]);

  // Which handshakes there were.
  expect(ask('handshakes', 'direction == "in" && qos == 2', 'state')).toEqual(['complete']);
  expect(ask('handshakes', 'direction == "in" && qos == 1 && state == "complete"', 'client')).toEqual([
    'thermometer',
    'thermometer',
    'thermometer',
    'thermometer',
    'door',
    'twin',
  ]);
  expect(different('handshakes', 'state != "complete"', 'client')).toEqual([]);
}
