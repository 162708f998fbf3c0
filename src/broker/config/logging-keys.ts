/** The keys about logging. */
import type { LoggingSettings } from '../logging/settings.ts';
import { boolean, integer, type KeyRow, special, text, type ValueForm } from './key-row.ts';

function loggingKey(
  key: string,
  value: ValueForm,
  byDefault: string,
  meaning: string,
  field?: keyof LoggingSettings,
): KeyRow {
  const row: KeyRow = {
    key,
    group: 'logging',
    scope: 'general',
    value,
    default: byDefault,
    isReloadable: true,
    state: 'works',
    meaning,
  };
  return field === undefined ? row : { ...row, target: { in: 'logging', field } };
}

/** What `log_dest` can name, beside `file path`. */
export const logDestinations = ['stdout', 'stderr', 'syslog', 'topic', 'file', 'dlt', 'none'] as const;

export const loggingKeys: readonly KeyRow[] = [
  loggingKey(
    'log_dest',
    special('stdout|stderr|syslog|topic|file path|dlt|none'),
    'stderr',
    'Where lines go; may be given several times, `file` once. `file` is appended to, and opened again on SIGHUP. `topic` publishes on `$SYS/broker/log/E`, `W`, `N`, `I`, `M/subscribe`, `M/unsubscribe` and `WS`, never debug lines. `syslog` goes through the program logger(1). `dlt` is not available: stderr is used. `none` takes back what stands before it.',
  ),
  loggingKey('log_facility', integer(0, 7), 'the daemon facility', 'Log to local0–local7 of syslog.', 'facility'),
  loggingKey('log_timestamp', boolean, 'true', 'Begin each line with the time.', 'hasTimestamp'),
  loggingKey(
    'log_timestamp_format',
    text('format'),
    'seconds since 1970',
    'The form of that time, as for strftime(3), in local time: `%Y-%m-%dT%H:%M:%S`.',
    'timestampFormat',
  ),
  loggingKey(
    'log_type',
    special('error|warning|notice|information|debug|subscribe|unsubscribe|websockets|all|none'),
    'error, warning, notice and information',
    'Which lines are logged; may be given several times, or with several types. `none` takes back what stands before it.',
  ),
];
