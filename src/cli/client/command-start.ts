/** What `pub`, `sub` and `rr` do first: read the options, and answer `--help` and mistakes. */
import { version } from '../version.ts';
import { commandLineArguments } from './argument.ts';
import { exitStatus } from './exit-status.ts';
import { helpText } from './help.ts';
import { type PacketProperties, parseOptions } from './parse-options.ts';
import type { ClientCommand, ClientSettings } from './settings.ts';

export interface StartedCommand {
  readonly settings: ClientSettings;
  readonly properties: PacketProperties;
}

/** The settings, or the exit status if there is nothing more to do. */
export function startCommand(
  command: ClientCommand,
  words: readonly string[],
  invokedAs: string,
): StartedCommand | number {
  const parsed = parseOptions(command, commandLineArguments(words), process.env);
  switch (parsed.kind) {
    case 'run':
      return parsed;
    case 'refused':
      process.stderr.write(`${parsed.text}${usageHint(invokedAs)}`);
      return exitStatus.failure;
    case 'help':
      process.stdout.write(helpText(command, invokedAs));
      return informationStatus(invokedAs);
    case 'version':
      process.stdout.write(`${invokedAs} version ${version} running on clearwing ${version}.\n`);
      return informationStatus(invokedAs);
  }
}

/** Ends a command that was not told enough. */
export function usageHint(invokedAs: string): string {
  return `\nUse '${invokedAs} --help' to see usage.\n`;
}

/** The classic clients end with 1 after `--help` and `--version`; under our own name these are no failures. */
function informationStatus(invokedAs: string): number {
  return invokedAs.startsWith('mosquitto_') ? exitStatus.failure : exitStatus.success;
}
