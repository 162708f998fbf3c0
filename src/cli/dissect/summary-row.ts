/** A frame as a row: number, time, source, destination, protocol, length and info, in tshark's columns. */
import type { Utf8Buffer } from '../../base/utf8-buffer.ts';
import type { DissectedFrame } from '../../dissect/dissected-frame.ts';
import { formatIpv4 } from '../../dissect/format-address.ts';
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

/** Appends `    4   0.000082    127.0.0.1 → 127.0.0.1    MQTT 84 Connect Command`, without a line feed. */
export class SummaryRow {
  readonly #timeForm: TimeForm;
  readonly #separator: number;
  readonly #arrow: Uint8Array;
  readonly #sources = new AddressCache((text) => text.padStart(addressWidth));
  readonly #destinations = new AddressCache((text) => text.padEnd(addressWidth));

  /** @param hasTabs - between the columns */
  constructor(timeForm: TimeForm, hasTabs: boolean) {
    this.#timeForm = timeForm;
    this.#separator = hasTabs ? 0x09 : 0x20;
    // The arrow, U+2192, between two separators.
    this.#arrow = Uint8Array.of(this.#separator, 0xe2, 0x86, 0x92, this.#separator);
  }

  write(output: Utf8Buffer, frame: DissectedFrame, previousShown: DissectedFrame | undefined): void {
    const separator = this.#separator;
    output.decimal(frame.frame.number, numberWidth, space);
    output.byte(separator);
    writeTime(output, frame, this.#timeForm, previousShown);
    output.byte(separator);
    const { headers } = frame;
    if (headers.ipVersion === 4 && headers.ipHeaderLength >= 20) {
      const { bytes } = headers.frame;
      output.text(this.#sources.at(bytes, headers.ipOffset + 12));
      output.raw(this.#arrow, 0, 5);
      output.text(this.#destinations.at(bytes, headers.ipOffset + 16));
    } else {
      output.text(frame.source().padStart(addressWidth));
      output.raw(this.#arrow, 0, 5);
      output.text(frame.destination().padEnd(addressWidth));
    }
    output.byte(separator);
    output.text(frame.protocol());
    output.byte(separator);
    output.decimal(frame.frame.length);
    output.byte(separator);
    frame.writeInfo(output);
  }
}

const space = 0x20;

/** Texts of IPv4 addresses, the last of each of so many kinds. */
const cachedAddresses = 1024;

class AddressCache {
  readonly #padded: (text: string) => string;
  readonly #addresses = new Int32Array(cachedAddresses);
  readonly #texts: string[];

  constructor(padded: (text: string) => string) {
    this.#padded = padded;
    this.#texts = new Array<string>(cachedAddresses).fill(padded('0.0.0.0'));
  }

  /** Of the four bytes at a place. */
  at(bytes: Uint8Array, at: number): string {
    const address = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const slot = (address ^ (address >>> 10) ^ (address >>> 20)) & (cachedAddresses - 1);
    if (this.#addresses[slot] !== address) {
      this.#addresses[slot] = address;
      this.#texts[slot] = this.#padded(formatIpv4(address >>> 0));
    }
    return this.#texts[slot]!;
  }
}

/** The usual times quickly, all others by `timeColumn`. */
function writeTime(
  output: Utf8Buffer,
  frame: DissectedFrame,
  form: TimeForm,
  previousShown: DissectedFrame | undefined,
): void {
  if (form === 'r' && frame.frame.hasTime && frame.frame.interface.timeDigits === microsecondDigits) {
    let seconds = frame.frame.seconds - frame.first.seconds;
    let nanoseconds = frame.frame.nanoseconds - frame.first.nanoseconds;
    if (nanoseconds < 0) {
      seconds--;
      nanoseconds += 1e9;
    }
    if (seconds >= 0) {
      output.decimal(seconds, timeWidth - 1 - microsecondDigits, space);
      output.byte(0x2e);
      output.decimal((nanoseconds / 1000) | 0, microsecondDigits);
      return;
    }
  }
  output.text(timeColumn(frame, form, previousShown).padStart(timeWidth));
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
