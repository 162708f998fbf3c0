/** Collects the statements that test titles lead with into docs/conformance.md, so that those without a test show. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { remarks, type Specification, statementsOf } from './statements.ts';

export interface Mention {
  /** Such as `MQTT-3.1.2-22`. */
  readonly statement: string;
  /** File below test/, without `.test.ts`. */
  readonly file: string;
  /** The title without its numbers. */
  readonly title: string;
}

const titlePattern = /(['"`])((?:\\.|(?!\1).)*\[MQTT(?:311)?-\d(?:\\.|(?!\1).)*)\1/g;
const statementPattern = /\[(MQTT(?:311)?-\d+\.\d+\.\d+-\d+)\]/g;

/** Finds every text literal with a statement's number in the test files of a directory. */
export function collectMentions(testDirectory: string): Mention[] {
  const mentions: Mention[] = [];
  const files = readdirSync(testDirectory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  );
  for (const name of files.sort()) {
    const path = join(testDirectory, name);
    const file = relative(testDirectory, path)
      .replaceAll('\\', '/')
      .replace(/\.test\.ts$/, '');
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (/^\s*(\/\/|\*|\/\*)/.test(line)) continue;
      for (const [, , literal = ''] of line.matchAll(titlePattern)) {
        const title = literal
          .replace(statementPattern, '')
          .replace(/\$\{[^}]*\}/g, '…')
          .replace(/\\(.)/g, '$1')
          .replace(/\s+/g, ' ')
          .trim();
        for (const [, statement = ''] of literal.matchAll(statementPattern)) mentions.push({ statement, file, title });
      }
    }
  }
  return mentions;
}

/** Numbers that titles name and that neither specification has. */
export function unknownStatements(mentions: readonly Mention[]): string[] {
  const known = new Set([...statementsOf('MQTT-'), ...statementsOf('MQTT311-')]);
  return [...new Set(mentions.map((mention) => mention.statement))].filter((statement) => !known.has(statement));
}

const shownMax = 3;
/** Text that may stand in a cell of a table. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*');

function specificationPart(heading: string, specification: Specification, mentions: readonly Mention[]): string[] {
  const statements = statementsOf(specification);
  const byStatement = new Map<string, Map<string, Mention>>(statements.map((statement) => [statement, new Map()]));
  for (const mention of mentions) {
    byStatement.get(mention.statement)?.set(`${mention.file} ${mention.title}`, mention);
  }
  const untested = statements.filter((statement) => byStatement.get(statement)?.size === 0);
  const open = untested.filter((statement) => remarks[statement] === undefined);
  const lines = [
    `## ${heading}`,
    '',
    `${statements.length} statements: ${statements.length - untested.length} are named by tests, ` +
      `${untested.length - open.length} need none, ${open.length} have none yet.`,
    '',
    '| Statement | Shown by |',
    '| --- | --- |',
  ];
  for (const statement of statements) {
    const found = [...(byStatement.get(statement)?.values() ?? [])];
    const shown = found
      .slice(0, shownMax)
      .map(({ file, title }) => (title === '' ? `\`${file}\`` : `\`${file}\`: ${cell(title)}`));
    if (found.length > shownMax) shown.push(`and ${found.length - shownMax} more`);
    if (found.length === 0) shown.push(remarks[statement] ? `– ${remarks[statement]}` : '**no test yet**');
    lines.push(`| ${statement.replace('MQTT311-', 'MQTT-')} | ${shown.join('<br>')} |`);
  }
  return lines;
}

/** The whole page. */
export function conformanceReport(mentions: readonly Mention[]): string {
  return [
    '# Conformance',
    '',
    'Which test shows which normative statement of the MQTT specifications. This page is collected from the titles of the',
    'tests; `npx vitest run test/conformance/report.test.ts -u` writes it anew.',
    '',
    ...specificationPart('MQTT 5.0', 'MQTT-', mentions),
    '',
    ...specificationPart('MQTT 3.1.1', 'MQTT311-', mentions),
    '',
  ].join('\n');
}
