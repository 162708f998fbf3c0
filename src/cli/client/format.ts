/** `-F`: a format string is compiled once and then writes each message. */

import { zoneOffset } from '../../base/strftime.ts';
import type { ByteSink, PrintableMessage } from './byte-sink.ts';
import {
  type Field,
  fieldOfFloat,
  fieldOfHex,
  fieldOfNothing,
  fieldOfNumber,
  fieldOfPayload,
  fieldOfText,
  fieldWidthMax,
} from './format-field.ts';
import type { LocalTime } from './local-time.ts';
import { writeMessageJson } from './message-json.ts';
import { strftime } from './strftime.ts';

/** What a conversion works on. */
interface Printing {
  readonly sink: ByteSink;
  readonly message: PrintableMessage;
  readonly time: LocalTime;
  readonly isPretty: boolean;
  /** For `%p`, where that is not the payload itself. */
  readonly printedPayload?: Uint8Array;
  /** Says that something could not be printed. */
  readonly complain: (text: string) => void;
}

/** Writes one message. */
export type MessageFormat = (printing: Printing) => void;

type Conversion = (printing: Printing, field: Field) => string | Uint8Array;

/** A conversion of a number that the message may lack. */
function numberOrNothing(read: (message: PrintableMessage) => number | undefined): Conversion {
  return ({ message }, field) => {
    const value = read(message);
    return value === undefined ? fieldOfNothing(field) : fieldOfNumber(value, field);
  };
}

function jsonConversion(payload: 'quoted' | 'embedded'): Conversion {
  return ({ sink, message, time, isPretty, complain }) => {
    if (!writeMessageJson(sink, message, time, { payload, isPretty })) {
      complain(`Error: Message payload is not valid JSON on topic ${message.topicName}.\n`);
    }
    return '';
  };
}

function floatConversion(name: string, size: 4 | 8): Conversion {
  return ({ message: { payload, topicName }, complain }, field) => {
    if (payload.length !== size) {
      complain(`Error: requested ${name} printing, but non-${name} data received on topic ${topicName}.\n`);
      return '';
    }
    const view = new DataView(payload.buffer, payload.byteOffset, size);
    return fieldOfFloat(size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true), field);
  };
}

/** What each letter after `%` and its field prints. */
const conversions = new Map<string, Conversion>([
  ['%', () => '%'],
  ['A', numberOrNothing(({ properties }) => properties?.topicAlias)],
  ['C', ({ message: { properties } }, field) => fieldOfText(properties?.contentType ?? '', field)],
  ['D', ({ message: { properties } }) => properties?.correlationData ?? ''],
  ['d', floatConversion('double', 8)],
  ['E', numberOrNothing(({ properties }) => properties?.messageExpiryInterval)],
  ['F', numberOrNothing(({ properties }) => properties?.payloadFormatIndicator)],
  ['f', floatConversion('float', 4)],
  [
    'I',
    ({ time }, field) => fieldOfText(`${strftime('F', time)}T${strftime('T', time)}${zoneOffset(time.date)}`, field),
  ],
  ['j', jsonConversion('quoted')],
  ['J', jsonConversion('embedded')],
  ['l', numberOrNothing(({ payload }) => payload.length)],
  ['m', numberOrNothing(({ packetIdentifier }) => packetIdentifier)],
  [
    'P',
    ({ message: { properties } }) =>
      (properties?.userProperties ?? []).map(([name, value]) => `${name}:${value}`).join(' '),
  ],
  ['p', ({ message: { payload }, printedPayload = payload }, field) => fieldOfPayload(printedPayload, field)],
  ['q', ({ message: { qos } }) => String(qos)],
  [
    'R',
    ({ message: { properties } }, field) =>
      properties?.responseTopic === undefined ? '' : fieldOfText(properties.responseTopic, field),
  ],
  ['r', ({ message: { retain } }) => (retain ? '1' : '0')],
  ['S', numberOrNothing(({ properties }) => properties?.subscriptionIdentifiers?.[0])],
  ['t', ({ message: { topicName } }, field) => fieldOfText(topicName, field)],
  ['U', ({ time: { epochSeconds, nanoseconds } }) => `${epochSeconds}.${String(nanoseconds).padStart(9, '0')}`],
  ['x', ({ message: { payload } }, field) => fieldOfHex(payload, field, 'lower')],
  ['X', ({ message: { payload } }, field) => fieldOfHex(payload, field, 'upper')],
]);

/** What each character after a backslash stands for. */
const escapes = new Map([
  ['\\', '\\'],
  ['0', '\0'],
  ['a', '\x07'],
  ['e', '\x1b'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
]);

/** `%`, a flag, `0`, the width, the precision. Whether the last part is all there is for the caller to see. */
const fieldPattern = /%(-?)(0?)(\d*)(?:\.(\d*))?/y;

/** One character that parts groups of hexadecimal digits, and the letter it is for. */
const separatorPattern = /([!"#$&'()*+,\-./:;<=>?@[\\\]^_`{|}~ ])(?=[xX])/y;

/** Why a format cannot be used, ready to be printed. */
export class FormatRefusal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Reads a format string. */
export function compileFormat(format: string): MessageFormat | FormatRefusal {
  const pieces: MessageFormat[] = [];
  const literal = (text: string) => pieces.push(({ sink }) => sink.text(text));
  let position = 0;
  while (position < format.length) {
    const start = format.slice(position).search(/[%@\\]/);
    if (start !== 0) {
      const end = start < 0 ? format.length : position + start;
      literal(format.slice(position, end));
      position = end;
      continue;
    }
    const opener = format[position];
    if (opener === '%') {
      const conversion = readConversion(format, position);
      if (conversion instanceof FormatRefusal) return conversion;
      pieces.push(conversion.piece);
      position = conversion.end;
      continue;
    }
    const character = characterAt(format, position + 1);
    if (opener === '@') {
      if (character === undefined) return new FormatRefusal('Error: Incomplete format specifier.\n');
      pieces.push(timePiece(character));
    } else {
      if (character === undefined) return new FormatRefusal('Error: Incomplete escape specifier.\n');
      const meant = escapes.get(character);
      if (meant === undefined) return new FormatRefusal(`Error: Invalid escape specifier '${character}'.\n`);
      literal(meant);
    }
    position += 1 + character.length;
  }
  return (printing) => {
    for (const piece of pieces) piece(printing);
  };
}

/** The whole character at that place, which may take two units. */
function characterAt(text: string, position: number): string | undefined {
  const code = text.codePointAt(position);
  return code === undefined ? undefined : String.fromCodePoint(code);
}

function timePiece(character: string): MessageFormat {
  if (character === '@') return ({ sink }) => sink.text('@');
  if (character === 'N') return ({ sink, time }) => sink.text(String(time.nanoseconds).padStart(9, '0'));
  return ({ sink, time }) => sink.text(strftime(character, time));
}

function readConversion(format: string, start: number): { piece: MessageFormat; end: number } | FormatRefusal {
  fieldPattern.lastIndex = start;
  const [matched = '', minus, zero, width = '', precision] = fieldPattern.exec(format) ?? [];
  let end = start + matched.length;
  let separator = ' ';
  if (precision !== undefined) {
    separatorPattern.lastIndex = end;
    const [given] = separatorPattern.exec(format) ?? [];
    if (given !== undefined) {
      separator = given;
      end += 1;
    }
  }
  const letter = characterAt(format, end);
  if (letter === undefined) return new FormatRefusal('Error: Incomplete format specifier.\n');
  const conversion = conversions.get(letter);
  if (conversion === undefined) return new FormatRefusal(`Error: Invalid format specifier '${letter}'.\n`);
  for (const number of [width, precision ?? '']) {
    if (Number(number) > fieldWidthMax) {
      return new FormatRefusal(`Error: Format width ${number} is too large; at most ${fieldWidthMax} is possible.\n`);
    }
  }
  const field: Field = {
    alignment: minus === '-' ? 'left' : 'right',
    pad: zero === '0' ? '0' : ' ',
    width: Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    separator,
  };
  const piece: MessageFormat = (printing) => {
    const output = conversion(printing, field);
    if (typeof output === 'string') printing.sink.text(output);
    else printing.sink.bytes(output);
  };
  return { piece, end: end + letter.length };
}
