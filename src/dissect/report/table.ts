/** What tables are made of: columns that have a name, a type and a meaning, and rows from which they take their values. */
import type { DissectedFrame } from '../dissected-frame.ts';

/** One value, several, or none. Times and durations are seconds; times count from the first frame of the capture. */
export type Cell = string | number | boolean | readonly string[] | readonly number[] | undefined;

export type ColumnType = 'text' | 'integer' | 'flag' | 'time' | 'duration';

export interface TableColumn<R> {
  /** As conditions and headings name it. */
  readonly name: string;
  readonly type: ColumnType;
  /** One line for the reference. */
  readonly about: string;
  /** Whether it is among those that are shown to people who do not ask for others. */
  readonly isMain: boolean;
  readonly of: (row: R) => Cell;
}

/** A table while it comes to be. */
export interface Table<R> {
  readonly columns: readonly TableColumn<R>[];
  /**
   * Takes the next frame of the capture, in order.
   * @param isCounted whether it is one of those that the table is about; the others are needed to understand them
   */
  next(frame: DissectedFrame, isCounted: boolean): void;
  /** Rows so far, in the order of the capture. */
  rows(): R[];
  /** What is left out, as sentences; to be asked after the last frame. */
  notes(): string[];
}

/** A column; `*` in front of the name makes it a main one. */
export function column<R>(name: string, type: ColumnType, about: string, of: (row: R) => Cell): TableColumn<R> {
  const isMain = name.startsWith('*');
  return { name: isMain ? name.slice(1) : name, type, about, isMain, of };
}

/** Several values without repetition, one as itself. */
export function distinct<T extends string | number>(values: Iterable<T>): readonly T[] {
  return [...new Set(values)];
}

/** The values of a cell one by one. */
export function cellValues(cell: Cell): readonly (string | number | boolean)[] {
  if (cell === undefined) return [];
  return typeof cell === 'object' ? cell : [cell];
}
