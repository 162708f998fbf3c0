/** `clearwing dissect`: reads captures as tshark does, and answers what it cannot. */
import { isMainThread } from 'node:worker_threads';
import { runCommand } from './dissect/command.ts';
import { readAlong } from './dissect/reader-thread.ts';

export function main(args: readonly string[], invokedAs: string, programFile: string): Promise<number> {
  return isMainThread ? runCommand(args, invokedAs, 'dissect', programFile) : readAlong();
}
