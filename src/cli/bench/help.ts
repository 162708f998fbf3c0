/** `--help` and the option tables of docs/reference/bench.md, both from the option table. */
import { markdownRow, optionHelp } from '../option-help.ts';
import { optionForm } from './arguments.ts';
import { type BenchOptionRow, rowsOf } from './option-rows.ts';
import { type BenchCommand, benchCommandNames, benchCommands, defaultSettings } from './settings.ts';

const helpColumn = 32;
const sections = ['Broker', 'Load', 'Output'] as const;

const statuses = `Exit status: 0 if all is well. 1 if nothing could be measured: arguments that cannot be used, a broker that is
not there, refuses, or goes away. 2 if a message was lost at QoS 1 or 2, repeated at QoS 0 or 2 or out of
order, or a connection failed. 130 after Ctrl-C, when what was measured until then is printed.
`;

/** Of all, or of one command. */
export function benchHelp(command: BenchCommand | undefined, invokedAs: string): string {
  return command === undefined ? overview(invokedAs) : helpOf(command, invokedAs);
}

function overview(invokedAs: string): string {
  const lines = benchCommandNames.map((name) => `  ${name.padEnd(10)} ${benchCommands[name]}`);
  return `${invokedAs} puts a load on an MQTT broker, whichever it is, and counts.

Usage: ${invokedAs} <what> [-h HOST] [-p PORT] [options]

${lines.join('\n')}

'${invokedAs} flow --help' lists the options of flow, and so on.

${statuses}`;
}

function helpOf(command: BenchCommand, invokedAs: string): string {
  const rows = rowsOf(command);
  const parts = sections.map((section) => {
    const lines = rows.filter((row) => row.section === section).map((row) => helpLines(row, command));
    return lines.length === 0 ? '' : `\n${section}\n${lines.join('')}`;
  });
  return `${invokedAs} ${command}: ${benchCommands[command]}.

Usage: ${invokedAs} ${command} [options]
${parts.join('')}
${statuses}`;
}

function helpLines(row: BenchOptionRow, command: BenchCommand): string {
  const form = `  ${row.flags[0]!.startsWith('--') ? '    ' : ''}${optionForm(row)}`;
  return optionHelp(form, helpWithDefault(row, command), helpColumn);
}

function helpWithDefault(row: BenchOptionRow, command: BenchCommand): string {
  const shown = row.default(defaultSettings(command));
  return shown === '' ? row.help : `${row.help} Default: ${shown}.`;
}

/** The option tables of the reference: those that all commands have, then each command's own. */
export function benchOptionTables(): string {
  const isShared = (row: BenchOptionRow) => row.commands.length === benchCommandNames.length;
  const shared = rowsOf('flow').filter(isShared);
  const table = (rows: readonly BenchOptionRow[], command: BenchCommand) =>
    ['| option | meaning |', '|---|---|', ...rows.map((row) => tableRow(row, command))].join('\n');
  const own = benchCommandNames.map((command) => {
    const rows = rowsOf(command).filter((row) => !isShared(row));
    return `### ${command}\n\n${sentence(benchCommands[command])}.\n\n${table(rows, command)}\n`;
  });
  return [`### All commands\n\n${table(shared, 'flow')}\n`, ...own].join('\n');
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function tableRow(row: BenchOptionRow, command: BenchCommand): string {
  return markdownRow([`\`${optionForm(row)}\``, helpWithDefault(row, command)]);
}
