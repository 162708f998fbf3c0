/** Which report is asked for, if any: what is printed of a capture instead of its frames. */
import type { DissectRequest } from './arguments.ts';
import type { FramePrinter } from './frame-printer.ts';
import { TablePrinter } from './table-printer.ts';

/** @throws {DissectArgumentError | FilterError} */
export function openReport(request: DissectRequest): FramePrinter | undefined {
  const { table } = request;
  if (table !== undefined) return new TablePrinter(request, table);
  return undefined;
}
