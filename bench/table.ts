/** Tables that read well on a terminal and are Markdown at the same time, and the figures in them. */
import type { Spread } from './outcomes.ts';

export interface Table {
  readonly head: readonly string[];
  /** Columns of words; the others are numbers. */
  readonly words: ReadonlySet<string>;
  readonly rows: readonly (readonly string[])[];
}

export const none = '–';

export function count(value: number | undefined): string {
  return value === undefined ? none : Math.round(value).toLocaleString('en-US');
}

export function bytes(value: number): string {
  return `${count(value)} bytes`;
}

export function percent(share: number | undefined): string {
  return share === undefined ? none : `${Math.round(share * 100)} %`;
}

export function ratio(value: Spread | undefined, base: Spread | undefined): string {
  if (value === undefined || base === undefined || base.median === 0) return none;
  return (value.median / base.median).toFixed(2);
}

export function formatTable({ head, words, rows }: Table): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const isWord = head.map((title) => words.has(title));
  const line = (cells: readonly string[]) => {
    const padded = cells.map((cell, column) => {
      return isWord[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (isWord[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)];
}

/** With three decimals: microseconds. */
export function milliseconds(value: number | undefined): string {
  return value === undefined ? none : value.toFixed(3);
}
