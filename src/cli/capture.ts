/** `clearwing capture`: as `dissect`, of what happens now: on an interface, or in a broker. */
import { runCommand } from './dissect/command.ts';

export function main(args: readonly string[], invokedAs: string, programFile: string): Promise<number> {
  return runCommand(args, invokedAs, 'capture', programFile);
}
