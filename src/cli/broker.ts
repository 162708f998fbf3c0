/** `clearwing broker`: runs a broker until it is told to stop, with the flags, log lines and exit statuses of mosquitto(8). */
import { ArgumentError, brokerUsage, parseBrokerArguments } from './broker/arguments.ts';
import { isBackgroundProcess, reportFailure, reportListening, startInBackground } from './broker/daemon.ts';
import { BrokerService, StartError, testConfiguration } from './broker/service.ts';
import { version } from './version.ts';

/** mosquitto's status for arguments that cannot be used. */
const usageStatus = 3;
/** How long the process may take to end by itself once everything is closed. */
const lingerMs = 1000;

export async function main(args: readonly string[], invokedAs: string): Promise<number> {
  const isBackground = isBackgroundProcess();
  try {
    const given = parseBrokerArguments(args);
    switch (given.action) {
      case 'show help':
        process.stdout.write(brokerUsage(invokedAs, version));
        // The classic program treats a wish for help as an error.
        return invokedAs === 'mosquitto' ? usageStatus : 0;
      case 'show version':
        process.stdout.write(`clearwing version ${version}\n`);
        return 0;
      case 'test configuration':
        for (const line of testConfiguration(given)) process.stderr.write(`${line}\n`);
        process.stdout.write('Configuration file is OK.\n');
        return 0;
      case 'run':
        if (given.isDaemon && !isBackground) return await startInBackground();
        return await serve(() => BrokerService.start(given), isBackground);
    }
  } catch (error) {
    if (!(error instanceof ArgumentError) && !(error instanceof StartError)) throw error;
    const message = error instanceof ArgumentError ? `Error: ${error.message}` : error.message;
    // A message that the log has shown on standard error is not repeated.
    if (message !== '') {
      if (isBackground) await reportFailure(message);
      else process.stderr.write(`${message}\n`);
    }
    return error instanceof StartError ? error.exitStatus : usageStatus;
  }
}

/** Runs the service until a signal ends it. */
async function serve(start: () => Promise<BrokerService>, isBackground: boolean): Promise<number> {
  let service: BrokerService | undefined;
  // Who asks a second time wants to wait neither for clients nor for a disk.
  const signals = watchSignals(() => {
    service?.abandon();
    if (service?.hasStore === true) endWithoutThreads();
    else process.exit(1);
  });
  service = await start();
  const { log } = service;
  process.on('uncaughtException', (error) => {
    log.write('error', `Error: ${error.stack ?? error.message}`);
    service.abandon();
    process.exit(1);
  });
  if (isBackground) reportListening();
  for (;;) {
    const request = await signals.next();
    if (request === 'stop') break;
    if (request === 'reload') service.reload();
    // Not waited for: who asks for the end meanwhile is heard.
    else void service.sync();
  }
  const { exitStatus, isStuck } = await service.stop();
  if (isStuck) endWithoutThreads();
  // Whatever else should still be open must not keep a process that has said goodbye.
  setTimeout(() => process.exit(exitStatus), lingerMs).unref();
  return exitStatus;
}

/**
 * Ends the process by the signal that asks for it. Exiting would wait for threads, and one of them may wait for a disk, for as long as
 * that takes. Whoever supervises services takes this end for a clean one as well.
 */
function endWithoutThreads(): void {
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, 'SIGTERM');
}

type Request = 'reload' | 'stop' | 'sync';

/**
 * Takes the signals from now on, so that none ends the process while it starts, and hands on what they ask for.
 * @param onImpatience the end was asked for a second time
 */
function watchSignals(onImpatience: () => void): { next(): Promise<Request> } {
  const requests = new Set<Request>();
  let isStopping = false;
  let wake: (() => void) | undefined;
  const ask = (request: Request): void => {
    requests.add(request);
    wake?.();
  };
  const stop = (): void => {
    if (isStopping) {
      onImpatience();
      return;
    }
    isStopping = true;
    ask('stop');
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => ask('reload'));
  process.on('SIGUSR1', () => ask('sync'));
  // mosquitto prints its subscriptions; Node would end.
  process.on('SIGUSR2', () => {});
  return {
    async next(): Promise<Request> {
      while (requests.size === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const request: Request = requests.has('stop') ? 'stop' : requests.has('reload') ? 'reload' : 'sync';
      requests.delete(request);
      return request;
    },
  };
}
