/** `--where`, `--columns` and `--distinct`: which rows and columns of a table. */
import type { TableColumn } from '../../dissect/report/table.ts';
import { compileCondition } from '../../dissect/report/table-filter.ts';
import { FilterSyntaxError } from '../../protocol/errors.ts';
import { nearestName } from '../nearest-name.ts';
import { DissectArgumentError } from './arguments.ts';
import { FilterError } from './filter-error.ts';

/** @throws {FilterError} */
export function readCondition<R>(
  text: string | undefined,
  columns: readonly TableColumn<R>[],
): ((row: R) => boolean) | undefined {
  if (text === undefined) return undefined;
  try {
    return compileCondition(text, columns);
  } catch (error) {
    if (error instanceof FilterSyntaxError) throw new FilterError(text, error);
    throw error;
  }
}

/**
 * @param names - undefined for the main columns, `all` among them for all
 * @throws {DissectArgumentError} naming the column that there is not
 */
export function chooseColumns<R>(
  names: readonly string[] | undefined,
  columns: readonly TableColumn<R>[],
  table: string,
): readonly TableColumn<R>[] {
  if (names === undefined) return columns.filter(({ isMain }) => isMain);
  return names.flatMap((name) => (name === 'all' ? columns : [findColumn(name, columns, table)]));
}

/** @throws {DissectArgumentError} */
export function findColumn<R>(name: string, columns: readonly TableColumn<R>[], table: string): TableColumn<R> {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = columns.map((column) => column.name);
  const meant = nearestName(name, names);
  const hint = meant === undefined ? `it has ${names.join(', ')}` : `did you mean ${meant}?`;
  throw new DissectArgumentError(`The table "${table}" has no column "${name}"; ${hint}`);
}
