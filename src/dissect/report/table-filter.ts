/** Conditions on the columns of a table, in the language of display filters: `qos > 0 && topic contains "temp"`. */
import type { FieldDescriptor, FieldType, FieldValue } from '../field.ts';
import { compileFilter } from '../filter/display-filter.ts';
import type { FieldRegistry, FieldValues } from '../filter/field-values.ts';
import { type Cell, type ColumnType, cellValues, type TableColumn } from './table.ts';

const fieldTypes: Readonly<Record<ColumnType, FieldType>> = {
  text: 'string',
  integer: 'int64',
  flag: 'boolean',
  time: 'double',
  duration: 'double',
};

/** The columns of a table as fields; each one's index is its place in the table. */
export function columnRegistry<R>(columns: readonly TableColumn<R>[]): FieldRegistry {
  const byName = new Map<string, readonly FieldDescriptor[]>();
  const self = { name: '', label: 'Table', type: 'protocol', index: -1 } as unknown as { protocol: FieldDescriptor };
  self.protocol = self as unknown as FieldDescriptor;
  for (const [index, { name, type, about }] of columns.entries()) {
    byName.set(name, [{ name, label: name, type: fieldTypes[type], about, index, protocol: self.protocol }]);
  }
  return { find: (name) => byName.get(name), names: () => byName.keys() };
}

/** A row as a filter looks at it. Cells are made when they are asked for. */
class RowValues<R> implements FieldValues {
  readonly #columns: readonly TableColumn<R>[];
  #row: R | undefined = undefined;

  constructor(columns: readonly TableColumn<R>[]) {
    this.#columns = columns;
  }

  set row(row: R) {
    this.#row = row;
  }

  valuesOf({ index }: FieldDescriptor): readonly FieldValue[] | undefined {
    const cell: Cell = this.#columns[index]?.of(this.#row as R);
    return cell === undefined ? undefined : cellValues(cell);
  }

  bytesOf(): undefined {
    return undefined;
  }

  reachesOf(): undefined {
    return undefined;
  }

  layersOf(): undefined {
    return undefined;
  }
}

/**
 * @returns whether a row matches
 * @throws {FilterSyntaxError} `MQTT_ERR_FILTER`, with the place
 */
export function compileCondition<R>(text: string, columns: readonly TableColumn<R>[]): (row: R) => boolean {
  const filter = compileFilter(text, columnRegistry(columns));
  const values = new RowValues(columns);
  return (row) => {
    values.row = row;
    return filter.matches(values);
  };
}
