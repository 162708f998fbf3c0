/** docs/reference/configuration.md, made from the table of keys. */
import { defaultLoggingSettings } from '../logging/settings.ts';
import { defaultBrokerSettings, defaultListenerSettings } from '../options.ts';
import type { KeyGroup, KeyRow, Target } from './key-row.ts';
import { keyRows } from './keys.ts';

const introduction = `# Configuration

<!-- Made from the table in src/broker/config by \`npx vitest run test/broker/config/reference.test.ts -u\`. -->

\`clearwing broker -c file\` reads the syntax of \`mosquitto.conf\`. A line is a key, blanks, and a value; lines that begin with
\`#\` and empty lines say nothing. Values are not quoted. A path, a prefix, a format or a name is the rest of the line; after
any other value a comment may follow. An unknown key, a missing value or one that is not as described stops the broker
with file, line and what was expected (exit status 3); \`clearwing broker --test-config -c file\` only checks.

**Order.** \`listener\` begins a listener; the listener keys below it belong to it, up to the next \`listener\` or the end of the
file. Listener keys before the first \`listener\` belong to the *default listener*, which is open if it has a \`port\`, a
\`bind_address\` or a \`bind_interface\`, or, beside other listeners, if such a key sets something else than the default.

**Local only.** Where no listener is open so far, the broker listens on 127.0.0.1 and ::1, port 1883 or the ports given
with \`-p\`, and clients need no user name unless \`allow_anonymous false\` is given. As soon as there is a listener, nobody can
connect to it before \`allow_anonymous true\` or a \`password_file\` says who.

**Once or often.** A text (path, prefix, format, name) may be given once; of other values the last one counts.

**Reload.** On SIGHUP the file is read again. What is marked *yes* takes effect at once; changes of the rest are named in the log
and wait for a restart. If the file has an error, it is logged and nothing changes. Log files are opened again, password
and ACL files read again.

Numbers are plain decimal; sizes are in bytes. Where −1 or another negative number is below the range of a limit, it counts as the
smallest value.
`;

const groups: ReadonlyArray<readonly [KeyGroup, title: string, introduction: string]> = [
  ['general', 'General', ''],
  ['limits', 'Limits', ''],
  [
    'access',
    'Access',
    'Keys of scope *security* belong to the listener above them if `per_listener_settings` is true.',
  ],
  ['listeners', 'Listeners', ''],
  ['store', 'Store', ''],
  ['capture', 'Capture', ''],
  ['logging', 'Logging', '`clearwing broker -v` logs all types, whatever the file says.'],
];

const inertGroups: ReadonlyArray<readonly [KeyGroup, title: string]> = [
  ['general', 'General'],
  ['listeners', 'Listeners'],
  ['tls', 'TLS'],
  ['store', 'Store'],
  ['plugins', 'Plugins'],
  ['bridges', 'Bridges'],
  ['obsolete', 'Obsolete'],
];

/** The whole page, ending in a line feed. */
export function configurationReference(): string {
  const parts = [introduction];
  for (const [group, title, text] of groups) {
    parts.push(`## ${title}\n`);
    if (text !== '') parts.push(`${text}\n`);
    parts.push('| key | value | default | scope | reload | meaning |\n|---|---|---|---|---|---|');
    for (const row of sorted(group, true)) parts.push(describeRow(row));
    parts.push('');
  }
  parts.push(
    '## Keys without effect\n\nMosquitto knows these. They are accepted, so that an existing file can be used, and named in the log with file and line.\n',
  );
  for (const [group, title] of inertGroups) {
    parts.push(`### ${title}\n\n| key | value | what it means here |\n|---|---|---|`);
    for (const row of sorted(group, false)) {
      parts.push(`| \`${row.key}\`${originOf(row)} | ${valueText(row)} | ${row.meaning} |`);
    }
    parts.push('');
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function sorted(group: KeyGroup, works: boolean): KeyRow[] {
  return keyRows
    .filter((row) => row.group === group && (row.state === 'works') === works)
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function describeRow(row: KeyRow): string {
  const cells = [
    `\`${row.key}\`${originOf(row)}`,
    valueText(row),
    row.default ?? defaultOf(row.target),
    row.scope,
    row.isReloadable ? 'yes' : 'no',
    row.meaning,
  ];
  return `| ${cells.join(' | ')} |`;
}

function originOf(row: KeyRow): string {
  return row.origin === undefined ? '' : ` (${row.origin})`;
}

function valueText(row: KeyRow): string {
  const { value } = row;
  switch (value.form) {
    case 'boolean':
      return '`true`, `false`';
    case 'integer': {
      const unit = value.unit === undefined ? '' : ` ${value.unit}`;
      return value.min === Number.MIN_SAFE_INTEGER ? `number${unit}` : `${value.min} – ${value.max}${unit}`;
    }
    case 'choice':
      return value.choices.map((word) => `\`${word}\``).join(', ');
    case 'duration':
      return 'number with `s`, `h`, `d`, `w`, `m`, `y`';
    default:
      return `\`${value.placeholder.replaceAll('|', '\\|')}\``;
  }
}

function defaultOf(target: Target | undefined): string {
  switch (target?.in) {
    case 'broker':
      return textOf(defaultBrokerSettings[target.field]);
    case 'listener':
      return textOf(defaultListenerSettings[target.field]);
    case 'logging':
      return textOf(defaultLoggingSettings[target.field]);
    default:
      throw new Error('a row without a target needs a default of its own');
  }
}

function textOf(value: unknown): string {
  if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) return 'none';
  return typeof value === 'string' ? `\`${value}\`` : String(value);
}
