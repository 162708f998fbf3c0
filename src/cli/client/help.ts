/** `--help` and the option tables of docs/reference/clients.md, both from the option table. */
import { markdownRow, optionHelp } from '../option-help.ts';
import { type OptionRow, optionRows, optionSections } from './option-rows.ts';
import type { ClientCommand } from './settings.ts';

const summaries: Record<ClientCommand, string> = {
  pub: 'Publishes messages on an MQTT topic and ends.',
  sub: 'Subscribes to MQTT topics and prints the messages that come in.',
  rr: 'Publishes a request, waits for the response and prints it.',
};

const usages: Record<ClientCommand, readonly string[]> = {
  pub: [
    '[options] -t topic {-m message | -f file | -n | -s | -l}',
    '[options] -L url {-m message | -f file | -n | -s | -l}',
  ],
  sub: ['[options] -t filter [-t filter …]', '[options] -L url [-t filter …]', '[options] -U filter [-U filter …]'],
  rr: [
    '[options] -t topic -e response-topic {-m message | -f file | -n | -s}',
    '[options] -L url -e response-topic {-m message | -f file | -n | -s}',
  ],
};

const helpColumn = 28;

/** How an option is written: `-h, --host host`. */
export function optionForm(row: OptionRow): string {
  const names = row.alias === undefined ? row.flag : `${row.flag}, ${row.alias}`;
  return row.argument === undefined ? names : `${names} ${row.argument.name}`;
}

/** The whole of `--help`. */
export function helpText(command: ClientCommand, invokedAs: string): string {
  const usage = usages[command].map((form, index) => `${index === 0 ? 'Usage:' : '      '} ${invokedAs} ${form}`);
  const sections = optionSections.map((section) => {
    const rows = rowsOf(section, command);
    return rows.length === 0 ? '' : `\n${section}\n${rows.map(helpLines).join('')}`;
  });
  return `${summaries[command]}\n\n${usage.join('\n')}\n${sections.join('')}
Options can also stand in $XDG_CONFIG_HOME/mosquitto_${command} or ~/.config/mosquitto_${command}, one in a line.
`;
}

function rowsOf(section: string, command: ClientCommand): OptionRow[] {
  return optionRows.filter((row) => row.section === section && row.commands.includes(command));
}

function helpLines(row: OptionRow): string {
  const form = `  ${row.alias === undefined && row.flag.startsWith('--') ? '    ' : ''}${optionForm(row)}`;
  return optionHelp(form, row.help, helpColumn);
}

/** The option tables of the reference, a heading and a Markdown table for each section. */
export function optionTables(): string {
  return optionSections
    .map((section) => {
      const rows = optionRows.filter((row) => row.section === section).map(tableRow);
      return `### ${section}\n\n| option | commands | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
    })
    .join('\n');
}

function tableRow(row: OptionRow): string {
  const commands = row.commands.length === 3 ? 'all' : row.commands.join(', ');
  const since = row.since === undefined ? '' : row.since === '2.1' ? ' *(since 2.1)*' : ' *(Clearwing)*';
  return markdownRow([`\`${optionForm(row)}\``, commands, row.help + since]);
}
