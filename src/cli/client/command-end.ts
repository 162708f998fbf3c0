/** How `pub`, `sub` and `rr` come to their exit status. */
import { type Ending, exitStatus } from './exit-status.ts';
import type { ClientSettings } from './settings.ts';
import type { StandardOutput } from './standard-output.ts';

/** Prints what there is to say, unless `--quiet` forbids it, and gives the status. */
export function printEnding(ending: Ending, settings: ClientSettings): number {
  if (!settings.isQuiet) for (const line of ending.lines) process.stderr.write(`${line}\n`);
  return ending.status;
}

/** Waits until the reader has all the output, then `printEnding`. Output that was lost is a failure, but not for lack of a reader. */
export async function endCommand(output: StandardOutput, ending: Ending, settings: ClientSettings): Promise<number> {
  await output.finish();
  const { error } = output;
  if (error === undefined || error.code === 'EPIPE') return printEnding(ending, settings);
  const lines = [`Error: Unable to write the output: ${error.message}`];
  return printEnding({ status: exitStatus.failure, lines }, settings);
}
