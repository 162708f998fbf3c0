/** A frame as a row: number, time, source, destination, protocol, length and info, in tshark's columns. */
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import type { TimeForm } from './arguments.ts';

const numberWidth = 5;
const timeWidth = 10;
const addressWidth = 12;
const microsecondDigits = 6;

/** The columns, before they are padded. */
export interface SummaryColumns {
  readonly number: string;
  readonly time: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly length: string;
  readonly info: string;
}

export function summaryColumns(
  frame: DissectedFrame,
  timeForm: TimeForm,
  previousShown: DissectedFrame | undefined,
): SummaryColumns {
  return {
    number: String(frame.frame.number),
    time: timeColumn(frame, timeForm, previousShown),
    source: frame.source(),
    destination: frame.destination(),
    protocol: frame.protocol(),
    length: String(frame.frame.length),
    info: frame.info(),
  };
}

/** `    4   0.000082    127.0.0.1 → 127.0.0.1    MQTT 84 Connect Command` */
export function summaryRow(columns: SummaryColumns): string {
  const { number, time, source, destination, protocol, length, info } = columns;
  const from = source.padStart(addressWidth);
  const to = destination.padEnd(addressWidth);
  return `${number.padStart(numberWidth)} ${time.padStart(timeWidth)} ${from} → ${to} ${protocol} ${length} ${info}`;
}

/** The same with tabs between the columns. */
export function tabbedRow(columns: SummaryColumns): string {
  const { number, time, source, destination, protocol, length, info } = columns;
  const from = source.padStart(addressWidth);
  const to = destination.padEnd(addressWidth);
  return `${number.padStart(numberWidth)}\t${time.padStart(timeWidth)}\t${from}\t→\t${to}\t${protocol}\t${length}\t${info}`;
}

function timeColumn(
  { frame, first, sinceFirstNs, sincePreviousNs }: DissectedFrame,
  form: TimeForm,
  previousShown: DissectedFrame | undefined,
): string {
  if (!frame.hasTime) return '';
  const digits = frame.interface.timeDigits ?? microsecondDigits;
  switch (form) {
    case 'r':
      return difference(frame.seconds - first.seconds, frame.nanoseconds - first.nanoseconds, digits);
    case 'd':
      return duration(sincePreviousNs, digits);
    case 'dd':
      return duration(previousShown === undefined ? 0 : sinceFirstNs - previousShown.sinceFirstNs, digits);
    default:
      return absoluteTime(frame.seconds, frame.nanoseconds, form, digits);
  }
}

/** A point in time, in one of the forms that need no other. */
export function absoluteTime(seconds: number, nanoseconds: number, form: TimeForm, digits: number): string {
  return (form === 'e' ? String(seconds) : dateTime(seconds, form)) + fraction(nanoseconds, digits);
}

/** Seconds of a duration in nanoseconds, cut to so many digits. */
function duration(nanoseconds: number, digits: number): string {
  const seconds = Math.floor(nanoseconds / 1e9);
  return difference(seconds, nanoseconds - seconds * 1e9, digits);
}

/** The same of whole seconds and nanoseconds, each of any sign: exact however long it is. */
function difference(seconds: number, nanoseconds: number, digits: number): string {
  const isNegative = seconds < 0 || (seconds === 0 && nanoseconds < 0);
  let whole = isNegative ? -seconds : seconds;
  let rest = isNegative ? -nanoseconds : nanoseconds;
  if (rest < 0) {
    whole--;
    rest += 1e9;
  }
  return `${isNegative ? '-' : ''}${whole}${fraction(rest, digits)}`;
}

function fraction(nanoseconds: number, digits: number): string {
  return digits === 0 ? '' : `.${String(nanoseconds).padStart(9, '0').slice(0, digits)}`;
}

function dateTime(seconds: number, form: TimeForm): string {
  const isUtc = form.startsWith('u');
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [year, month, day] = isUtc
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
    : [date.getFullYear(), date.getMonth(), date.getDate()];
  const [hour, minute, second] = isUtc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  const time = `${two(hour)}:${two(minute)}:${two(second)}`;
  if (form.endsWith('doy')) {
    const dayOfYear = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1;
    return `${year}/${String(dayOfYear).padStart(3, '0')} ${time}`;
  }
  return form.endsWith('d') ? `${year}-${two(month + 1)}-${two(day)} ${time}` : time;
}
