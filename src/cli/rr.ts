/** `clearwing rr`, also as `mosquitto_rr`: sends a request and prints the response. */
import { CommandFailure } from './client/client-connection.ts';
import { endCommand, printEnding } from './client/command-end.ts';
import { startCommand, usageHint } from './client/command-start.ts';
import { exitStatus } from './client/exit-status.ts';
import { loadPayload } from './client/message-source.ts';
import { RequesterRun } from './client/requester-run.ts';
import { StandardOutput } from './client/standard-output.ts';

/** Runs the command and resolves with its exit status. */
export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  const started = startCommand('rr', args, invokedAs);
  if (typeof started === 'number') return started;
  const { settings, properties } = started;
  const { source, topicName, responseTopic } = settings;
  if (topicName === undefined || responseTopic === undefined || source === undefined || source.kind === 'lines') {
    process.stderr.write('Error: All of topic, message, and response topic must be supplied.\n');
    process.stderr.write(usageHint(invokedAs));
    return exitStatus.failure;
  }
  if (properties.PUBLISH.responseTopic !== undefined) {
    process.stderr.write('Error in PUBLISH properties: Duplicate response topic.\n');
    return exitStatus.failure;
  }
  try {
    const payload = await loadPayload(source);
    const output = new StandardOutput(process.stdout);
    const ending = await new RequesterRun(started, { topicName, responseTopic, payload }, output).run();
    return endCommand(output, ending, settings);
  } catch (error) {
    if (error instanceof CommandFailure) return printEnding(error.ending, settings);
    throw error;
  }
}
