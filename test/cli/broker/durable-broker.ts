/** A broker with a store, run as a program from a configuration file, so that it can be killed, traced and started again. */
import { onTestFinished } from 'vitest';
import { temporaryFiles } from '../../broker/config/temporary.ts';
import { commandLine } from '../../support/broker-process.ts';
import { freePort } from '../../support/ports.ts';
import { type RunningCommand, start } from '../../support/run.ts';

export interface DurableBroker {
  readonly port: number;
  /** Starts it, again if it has ended; it is killed at the end of the test. */
  start(): Promise<RunningCommand>;
}

/** @param lines more of the configuration */
export async function durableBroker(...lines: readonly string[]): Promise<DurableBroker> {
  const files = temporaryFiles();
  const port = await freePort();
  const config = files.write(
    'broker.conf',
    [
      ...(process.getuid?.() === 0 ? ['user root'] : []),
      ...['allow_anonymous true', 'persistence true', `persistence_location ${files.path('data')}`],
      ...[...lines, `listener ${port} 127.0.0.1`],
    ].join('\n'),
  );
  return {
    port,
    start: async () => {
      const [command, ...first] = commandLine('clearwing', 'broker');
      const broker = start(command, [...first, '-c', config]);
      onTestFinished(() => void broker.stop('SIGKILL'));
      await broker.waitForOutput(/ running$/m, 'stderr');
      return broker;
    },
  };
}
