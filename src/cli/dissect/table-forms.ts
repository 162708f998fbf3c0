/** A table as text, CSV or JSON. */
import type { Cell, ColumnType } from '../../dissect/report/table.ts';
import { onOneLine } from '../../payload/payload-text.ts';
import type { TableFormat } from './arguments.ts';
import { fitText, padLeft, padRight, textWidth } from './text-columns.ts';

/** What is printed of a column: its name, and how its cells are. */
export interface PrintedColumn {
  readonly name: string;
  readonly type: ColumnType;
}

/** A point in time, in the form that `-t` asks for; `undefined` for seconds since the first frame. */
export type TimeFormatter = ((seconds: number) => string) | undefined;

/** Columns of a terminal that a cell takes at most; the other forms have it whole. */
const cellWidthMax = 48;
const gap = '  ';

export function formatTable(
  columns: readonly PrintedColumn[],
  rows: Iterable<readonly Cell[]>,
  format: TableFormat,
  formatTime: TimeFormatter,
): string {
  switch (format) {
    case 'csv':
      return formatCsv(columns, rows, formatTime);
    case 'json':
      return formatJson(columns, rows, formatTime);
    case 'text':
      return formatText(columns, rows, formatTime);
  }
}

function formatText(
  columns: readonly PrintedColumn[],
  rows: Iterable<readonly Cell[]>,
  formatTime: TimeFormatter,
): string {
  const widths = columns.map(({ name }) => name.length);
  const lines: string[][] = [];
  for (const row of rows) {
    const line = columns.map(({ type }, index) =>
      fitText(onOneLine(cellText(row[index], type, formatTime, 6)), cellWidthMax),
    );
    for (const [index, text] of line.entries()) widths[index] = Math.max(widths[index]!, textWidth(text));
    lines.push(line);
  }
  const layOut = (line: readonly string[]): string =>
    line
      .map((text, index) => (isNumber(columns[index]!) ? padLeft : padRight)(text, widths[index]!))
      .join(gap)
      .trimEnd();
  return `${[columns.map(({ name }) => name), ...lines].map(layOut).join('\n')}\n`;
}

function isNumber({ type }: PrintedColumn): boolean {
  return type !== 'text' && type !== 'flag';
}

function cellText(cell: Cell, type: ColumnType, formatTime: TimeFormatter, digits: number): string {
  if (cell === undefined) return '';
  if (typeof cell === 'object') return cell.map((value) => cellText(value, type, formatTime, digits)).join(' ');
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (typeof cell === 'string') return cell;
  if (type === 'time') return formatTime === undefined ? cell.toFixed(digits) : formatTime(cell);
  return type === 'duration' ? cell.toFixed(digits) : String(cell);
}

/** RFC 4180, with a line of names. */
function formatCsv(
  columns: readonly PrintedColumn[],
  rows: Iterable<readonly Cell[]>,
  formatTime: TimeFormatter,
): string {
  const lines = [columns.map(({ name }) => quote(name)).join(',')];
  for (const row of rows) {
    lines.push(columns.map(({ type }, index) => quote(cellText(row[index], type, formatTime, 9))).join(','));
  }
  return lines.map((line) => `${line}\r\n`).join('');
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function formatJson(
  columns: readonly PrintedColumn[],
  rows: Iterable<readonly Cell[]>,
  formatTime: TimeFormatter,
): string {
  const lines: string[] = [];
  for (const row of rows) {
    const object: Record<string, unknown> = {};
    for (const [index, { name, type }] of columns.entries()) {
      const cell = row[index];
      object[name] =
        type === 'time' && typeof cell === 'number' && formatTime !== undefined ? formatTime(cell) : (cell ?? null);
    }
    lines.push(JSON.stringify(object));
  }
  return lines.length === 0 ? '[]\n' : `[\n${lines.map((line) => `  ${line}`).join(',\n')}\n]\n`;
}
