/** Options as `--help` and tables of the reference show them, for the commands whose options stand in a table. */

const lineWidth = 100;

/** An option's form, and beside it from a column on what it does, as lines that each end in a line feed. */
export function optionHelp(form: string, help: string, helpColumn: number): string {
  const [first = '', ...rest] = wrap(help, lineWidth - helpColumn);
  const indent = ' '.repeat(helpColumn);
  const head = form.length < helpColumn ? form.padEnd(helpColumn) + first : `${form}\n${indent}${first}`;
  return `${[head, ...rest.map((line) => indent + line)].join('\n')}\n`;
}

/** A row of a Markdown table. */
export function markdownRow(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}
