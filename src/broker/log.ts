/** Where the broker says what it does: Mosquitto's log types, so that its operators' filters keep their meaning. */

export const logTypes = [
  'error',
  'warning',
  'notice',
  'information',
  'debug',
  'subscribe',
  'unsubscribe',
  'websockets',
] as const;
export type LogType = (typeof logTypes)[number];

/**
 * Callers on a message's path test `debug` before they put a line together, so a silent log costs one property read.
 */
export interface Log {
  /** Whether lines of this type go anywhere. */
  isEnabled(type: LogType): boolean;
  /** Writes one line; the timestamp is the log's business. */
  write(type: LogType, text: string): void;
}

/** Says nothing: the default of an embedded broker. */
export const silentLog: Log = { isEnabled: () => false, write: () => {} };
