/** What a run of `clearwing bench` found: rows of a table for people, everything for programs, and what a broker must not do. */
import { grouped } from '../../bench/run-control.ts';
import type { BenchCommand } from './settings.ts';

export interface Column {
  readonly title: string;
  /** Words are aligned to the left, numbers to the right. */
  readonly isWord?: boolean;
}

export class BenchReport {
  readonly command: BenchCommand;
  readonly target: string;
  #columns: readonly Column[] = [];
  readonly #rows: (readonly string[])[] = [];
  /** For programs, one for each row. */
  readonly results: unknown[] = [];
  /** Worth knowing beside the figures. */
  readonly notes: string[] = [];
  /** What must not happen, and makes the exit status 2. */
  readonly faults: string[] = [];

  constructor(command: BenchCommand, target: string) {
    this.command = command;
    this.target = target;
  }

  /** Every row has the same columns. */
  add(cells: readonly (readonly [column: Column | string, cell: string])[], result: unknown): void {
    this.#columns = cells.map(([column]) => (typeof column === 'string' ? { title: column } : column));
    this.#rows.push(cells.map(([, cell]) => cell));
    this.results.push(result);
  }

  get isEmpty(): boolean {
    return this.results.length === 0;
  }

  /** The table, with notes and faults below. */
  text(): string {
    const lines = this.isEmpty ? [] : this.#table();
    const below = [...this.notes, ...this.faults.map((fault) => `FAULT: ${fault}`)];
    return `${[...lines, ...(below.length > 0 ? ['', ...below] : [])].join('\n')}\n`;
  }

  json(version: string, error: string | undefined): string {
    const { command, target, results, notes, faults } = this;
    return `${JSON.stringify({ clearwing: version, command, target, results, notes, faults, error }, undefined, 2)}\n`;
  }

  #table(): string[] {
    const columns = this.#columns;
    const widths = columns.map(({ title }, at) => Math.max(title.length, ...this.#rows.map((row) => row[at]!.length)));
    const line = (cells: readonly string[]) =>
      cells
        .map((cell, at) => (columns[at]!.isWord ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
        .join('  ')
        .trimEnd();
    return [line(columns.map(({ title }) => title)), ...this.#rows.map(line)];
  }
}

/** A column of words. */
export function words(title: string): Column {
  return { title, isWord: true };
}

const none = '–';

export function count(value: number | undefined): string {
  return value === undefined ? none : grouped(value);
}

/** With three decimals: microseconds. */
export function milliseconds(value: number | undefined): string {
  return value === undefined ? none : value.toFixed(3);
}

export function seconds(value: number | undefined): string {
  return value === undefined ? none : value.toFixed(3);
}

/** Decimal megabytes. */
export function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? none : (bytes / 1e6).toFixed(1);
}

/** Of one core. */
export function percent(share: number | undefined): string {
  return share === undefined ? none : `${Math.round(share * 100)} %`;
}

/** Events a second. */
export function rate(events: number, elapsedSeconds: number): string {
  return elapsedSeconds <= 0 ? none : grouped(events / elapsedSeconds);
}
