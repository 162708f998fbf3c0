/** `clearwing sub`, also as `mosquitto_sub`: subscribes and prints what comes. */
import { endCommand } from './client/command-end.ts';
import { startCommand } from './client/command-start.ts';
import { exitStatus } from './client/exit-status.ts';
import { StandardOutput } from './client/standard-output.ts';
import { SubscriberRun } from './client/subscriber-run.ts';

/** Runs the command and resolves with its exit status. */
export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  const started = startCommand('sub', args, invokedAs);
  if (typeof started === 'number') return started;
  if (started.settings.skipRetained && started.settings.retainedOnly) {
    process.stderr.write("\nError: Combining '-R' and '--retained-only' makes no sense.\n");
    return exitStatus.failure;
  }
  const output = new StandardOutput(process.stdout);
  const ending = await new SubscriberRun(started, output).run();
  return endCommand(output, ending, started.settings);
}
