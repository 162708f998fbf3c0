/** `--table`: a table over the whole capture, its rows that match, or how many there are. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { type Cell, cellValues, type TableColumn } from '../../dissect/report/table.ts';
import { type AnyTable, openTable } from '../../dissect/report/tables.ts';
import type { DissectRequest, TableName } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { absoluteTime } from './summary-row.ts';
import { formatTable, type PrintedColumn, type TimeFormatter } from './table-forms.ts';
import { chooseColumns, findColumn, readCondition } from './where.ts';

export class TablePrinter implements FramePrinter {
  readonly fields = [];
  readonly #request: DissectRequest;
  readonly #table: AnyTable;
  readonly #columns: readonly TableColumn<unknown>[];
  readonly #distinct: TableColumn<unknown> | undefined;
  readonly #condition: ((row: unknown) => boolean) | undefined;
  #first: DissectedFrame['frame'] | undefined = undefined;

  /** @throws {DissectArgumentError | FilterError} */
  constructor(request: DissectRequest, name: TableName) {
    this.#request = request;
    this.#table = openTable(name);
    const { columns } = this.#table;
    this.#condition = readCondition(request.where, columns);
    // Programs take all that there is.
    const chosen = request.tableColumns ?? (request.tableFormat === 'text' ? undefined : ['all']);
    this.#columns = chooseColumns(chosen, columns, name);
    this.#distinct =
      request.distinctColumn === undefined ? undefined : findColumn(request.distinctColumn, columns, name);
  }

  begin(): string {
    return '';
  }

  frame(frame: DissectedFrame): string {
    this.#first ??= frame.frame;
    this.#table.next(frame, true);
    return '';
  }

  passed(frame: DissectedFrame): void {
    this.#first ??= frame.frame;
    this.#table.next(frame, false);
  }

  end(): string {
    for (const note of this.#table.notes()) process.stderr.write(`clearwing: ${note}\n`);
    const all = this.#table.rows();
    const rows = this.#condition === undefined ? all : all.filter(this.#condition);
    const { countsOnly, tableFormat } = this.#request;
    if (this.#distinct !== undefined) {
      const counts = countValues(rows, this.#distinct);
      if (countsOnly) return `${counts.size}\n`;
      const columns: PrintedColumn[] = [this.#distinct, { name: 'rows', type: 'integer' }];
      return formatTable(columns, counts, tableFormat, this.#timeFormatter());
    }
    if (countsOnly) return `${rows.length}\n`;
    return formatTable(this.#columns, cellsOf(rows, this.#columns), tableFormat, this.#timeFormatter());
  }

  #timeFormatter(): TimeFormatter {
    const { timeForm } = this.#request;
    const first = this.#first;
    if (first === undefined || timeForm === 'r' || timeForm === 'd' || timeForm === 'dd') return undefined;
    return (seconds) => {
      const nanoseconds = first.nanoseconds + Math.round(seconds * 1e9);
      const whole = Math.floor(nanoseconds / 1e9);
      return absoluteTime(first.seconds + whole, nanoseconds - whole * 1e9, timeForm, 6);
    };
  }
}

function* cellsOf(
  rows: readonly unknown[],
  columns: readonly TableColumn<unknown>[],
): Generator<readonly Cell[], void, undefined> {
  for (const row of rows) yield columns.map((column) => column.of(row));
}

/** The different values of a column, in the order in which they come up, each with the number of rows that have it. */
function countValues(rows: readonly unknown[], column: TableColumn<unknown>): Map<string | number | boolean, number> {
  const counts = new Map<string | number | boolean, number>();
  for (const row of rows) {
    for (const value of new Set(cellValues(column.of(row)))) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}
