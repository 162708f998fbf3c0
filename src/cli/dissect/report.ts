/** Which report is asked for, if any: what is printed of a capture instead of its frames. */
import type { DissectRequest } from './arguments.ts';
import { FollowPrinter } from './follow-printer.ts';
import type { FramePrinter } from './frame-printer.ts';
import { LadderPrinter } from './ladder-printer.ts';
import { StatisticsPrinter } from './statistics-printer.ts';
import { TablePrinter } from './table-printer.ts';

/** @throws {DissectArgumentError | FilterError} */
export function openReport(request: DissectRequest): FramePrinter | undefined {
  const { table, follow, ladder, showsStatistics } = request;
  if (table !== undefined) return new TablePrinter(request, table);
  if (follow !== undefined) return new FollowPrinter(request, follow);
  if (ladder !== undefined) return new LadderPrinter(ladder);
  if (showsStatistics) return new StatisticsPrinter(request);
  return undefined;
}
