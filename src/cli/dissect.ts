/** `clearwing dissect`: reads captures as tshark does, and answers what it cannot. */
import { runCommand } from './dissect/command.ts';

export function main(args: readonly string[], invokedAs: string): Promise<number> {
  return runCommand(args, invokedAs, 'dissect');
}
