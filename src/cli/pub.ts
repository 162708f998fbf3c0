/** `clearwing pub`, also as `mosquitto_pub`: publishes messages. */
import { CommandFailure } from './client/client-connection.ts';
import { endCommand, printEnding } from './client/command-end.ts';
import { startCommand } from './client/command-start.ts';
import { exitStatus } from './client/exit-status.ts';
import { helpText } from './client/help.ts';
import { loadPayload } from './client/message-source.ts';
import { PublisherRun } from './client/publisher-run.ts';
import { StandardOutput } from './client/standard-output.ts';

/** Runs the command and resolves with its exit status. */
export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  const started = startCommand('pub', args, invokedAs);
  if (typeof started === 'number') return started;
  const { settings } = started;
  const { source, topicName } = settings;
  try {
    const payload = source === undefined || source.kind === 'lines' ? undefined : await loadPayload(source);
    if (topicName === undefined || source === undefined) {
      process.stderr.write('Error: Both topic and message must be supplied.\n');
      process.stdout.write(helpText('pub', invokedAs));
      return exitStatus.failure;
    }
    const output = new StandardOutput(process.stdout);
    const run = new PublisherRun(started, topicName, output);
    const ending = payload === undefined ? await run.publishLines() : await run.publishPayload(payload);
    return endCommand(output, ending, settings);
  } catch (error) {
    if (error instanceof CommandFailure) return printEnding(error.ending, settings);
    throw error;
  }
}
