/**
 * `-d`: the broker in the background. Node cannot fork, so the program starts itself once more, detached and without the terminal,
 * and ends when that one says over their channel that it listens or why it does not.
 */
import type { Serializable } from 'node:child_process';

/** Tells the second process that it is the one that stays. */
const marker = 'CLEARWING_DAEMON';

/** What the second process tells the first. */
type Report = { readonly isListening: true } | { readonly failure: string };

/** Whether this is the process that stays in the background. To be asked once: children are not to think it of themselves. */
export function isBackgroundProcess(): boolean {
  const isMarked = process.env[marker] === '1' && process.send !== undefined;
  delete process.env[marker];
  return isMarked;
}

/** Starts the process that stays, and waits until it listens. Resolves with the exit status for this one. */
export async function startInBackground(): Promise<number> {
  const { spawn } = await import('node:child_process');
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [marker]: '1' },
  });
  return new Promise((resolve) => {
    let hasReported = false;
    child.on('message', (message: Serializable) => {
      hasReported = true;
      const report = message as Report;
      if ('failure' in report) {
        process.stderr.write(`${report.failure}\n`);
        return;
      }
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.on('error', (error) => {
      process.stderr.write(`Error: Unable to start in the background: ${error.message}.\n`);
      resolve(1);
    });
    child.on('exit', (status, signal) => {
      if (!hasReported) process.stderr.write(`Error: The broker ended with ${signal ?? `status ${status}`} at once.\n`);
      resolve(status || 1);
    });
  });
}

/** Says that the broker listens; the process that waits for it ends then. */
export function reportListening(): void {
  send({ isListening: true });
  process.channel?.unref();
}

/** Says why it does not. */
export function reportFailure(failure: string): Promise<void> {
  return new Promise((resolve) => send({ failure }, resolve));
}

function send(report: Report, whenSent: () => void = () => {}): void {
  // The other one may have been ended meanwhile; there is nobody left to tell then.
  if (process.send === undefined || !process.connected) whenSent();
  else process.send(report, undefined, undefined, whenSent);
}
