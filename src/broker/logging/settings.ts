/** What is logged, and where to. */
import type { LogType } from '../log.ts';

export interface LoggingSettings {
  /** `log_type`. Default error, warning, notice and information. */
  readonly types: ReadonlySet<LogType>;
  /** `log_dest stdout`. Default false. */
  readonly toStdout: boolean;
  /** `log_dest stderr`, the default. */
  readonly toStderr: boolean;
  /** `log_dest topic`: to `$SYS/broker/log/…`, all types but debug. Default false. */
  readonly toTopic: boolean;
  /** `log_dest syslog`. Default false. */
  readonly toSyslog: boolean;
  /** `log_dest file path`: appended to. Default undefined. */
  readonly file: string | undefined;
  /** `log_timestamp`: begin each line with the time. Default true. */
  readonly hasTimestamp: boolean;
  /** `log_timestamp_format`: as for strftime(3). Default undefined: seconds since 1970. */
  readonly timestampFormat: string | undefined;
  /** `log_facility`: 0–7 for local0–local7; undefined for the daemon facility, the default. */
  readonly facility: number | undefined;
}

export const defaultLogTypes: ReadonlySet<LogType> = new Set(['error', 'warning', 'notice', 'information']);

export const defaultLoggingSettings: LoggingSettings = {
  types: defaultLogTypes,
  toStdout: false,
  toStderr: true,
  toTopic: false,
  toSyslog: false,
  file: undefined,
  hasTimestamp: true,
  timestampFormat: undefined,
  facility: undefined,
};
