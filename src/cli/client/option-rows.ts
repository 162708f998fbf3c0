/**
 * Every option of `pub`, `sub` and `rr`, as one table: the parser, `--help` and docs/reference/clients.md come from it. The names and
 * the texts of refusals are those of mosquitto_pub, mosquitto_sub and mosquitto_rr 2.0, so that scripts and habits keep working.
 */
import type { Argument } from './argument.ts';
import { connectionRows } from './option-rows-connection.ts';
import { messageRows } from './option-rows-message.ts';
import { otherRows, outputRows } from './option-rows-output.ts';
import { tlsRows } from './option-rows-tls.ts';
import type { ClientCommand, ClientSettings } from './settings.ts';

export interface OptionRow {
  /** As it is mostly written: `-h`, `--will-topic`. */
  readonly flag: string;
  /** Its other spelling, such as `--host`. */
  readonly alias?: string;
  readonly commands: readonly ClientCommand[];
  /** What follows it. */
  readonly argument?: {
    readonly name: string;
    /** Ends the sentence `Error: -h argument given but …` when nothing does. */
    readonly missing: string;
  };
  /** In messages, where that is not the flag. */
  readonly nameInErrors?: string;
  /** Not in mosquitto-clients 2.0: of release 2.1, or our own. */
  readonly since?: '2.1' | 'clearwing';
  readonly section: OptionSection;
  /** One or more sentences; for people who know MQTT. */
  readonly help: string;
  /** Looks at the settings before the argument is taken; what it returns is printed. */
  readonly precondition?: (settings: ClientSettings) => string | undefined;
  /** Puts it into the settings, when nothing can be wrong with it. */
  readonly set?: (settings: ClientSettings, argument: Argument) => void;
  /** Puts it into the settings. What it returns is wrong with it, ready to be printed. `next` gives further words. */
  readonly apply?: (
    settings: ClientSettings,
    argument: Argument,
    command: ClientCommand,
    next: () => Argument | undefined,
  ) => string | undefined;
}

export const optionSections = [
  'Connection',
  'Session and identity',
  'Message',
  'Subscription',
  'Will',
  'Output',
  'TLS',
  'Other',
] as const;
export type OptionSection = (typeof optionSections)[number];

/** The table, in the order of the sections. */
export const optionRows: readonly OptionRow[] = [
  ...connectionRows,
  ...messageRows,
  ...outputRows,
  ...tlsRows,
  ...otherRows,
];

/** The row of a flag or its alias, for a command that has it. */
export function findOption(name: string, command: ClientCommand): OptionRow | undefined {
  return rowsByName.get(name)?.find(({ commands }) => commands.includes(command));
}

const rowsByName = new Map<string, OptionRow[]>();
for (const row of optionRows) {
  for (const name of row.alias === undefined ? [row.flag] : [row.flag, row.alias]) {
    rowsByName.set(name, [...(rowsByName.get(name) ?? []), row]);
  }
}
