/** Strings and characters in quotes, with C's escapes. */
import { decodeText } from '../format-text.ts';
import type { Operand, QuotedText } from './expression.ts';
import { syntaxError } from './point-at.ts';

const simpleEscapes: Readonly<Record<string, number>> = {
  "'": 0x27,
  '"': 0x22,
  '\\': 0x5c,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

interface Escape {
  readonly code: number;
  /** Whether `code` is a byte rather than a character. */
  readonly isByte: boolean;
  readonly end: number;
}

const encoder = new TextEncoder();

/** @param at - where the backslash is */
function readEscape(text: string, at: number): Escape {
  const rest = text.slice(at + 1, at + 10);
  const simple = simpleEscapes[rest.charAt(0)];
  if (simple !== undefined) return { code: simple, isByte: false, end: at + 2 };
  const octal = /^[0-7]{1,3}/.exec(rest);
  if (octal !== null) {
    const code = Number.parseInt(octal[0], 8);
    const end = at + 1 + octal[0].length;
    if (code > 255) throw syntaxError(`\\${octal[0]} is larger than 255.`, { start: at, end });
    return { code, isByte: true, end };
  }
  const hexadecimal = /^(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
  if (hexadecimal !== null) {
    const code = Number.parseInt(hexadecimal[1] ?? hexadecimal[2] ?? hexadecimal[3]!, 16);
    const end = at + 1 + hexadecimal[0].length;
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      throw syntaxError(`\\${hexadecimal[0]} is no character.`, { start: at, end });
    }
    return { code, isByte: hexadecimal[1] !== undefined, end };
  }
  throw syntaxError(
    `\\${rest.charAt(0)} is not a valid character escape sequence; a backslash itself is written \\\\ or r"…".`,
    { start: at, end: Math.min(at + 2, text.length) },
  );
}

/**
 * @param start - where the string begins: the quote, or the `r` before it
 * @throws {FilterSyntaxError} if its end is missing or an escape has no meaning
 */
export function readString(text: string, start: number): QuotedText {
  const isRaw = text[start] !== '"';
  const open = isRaw ? start + 1 : start;
  const bytes: number[] = [];
  const columns: number[] = [];
  let plain = '';
  let isText = true;
  let at = open + 1;
  for (;;) {
    const character = text[at];
    if (character === undefined) {
      throw syntaxError('The final quote was missing from a quoted string.', { start, end: text.length });
    }
    if (character === '"') break;
    if (character === '\\' && isRaw && /["\\]/.test(text.charAt(at + 1))) {
      // Neither ends the string nor escapes what follows; both stay.
      bytes.push(0x5c, text.charCodeAt(at + 1));
      plain += text.slice(at, at + 2);
      columns.push(at, at + 1);
      at += 2;
    } else if (character === '\\' && !isRaw) {
      const escaped = readEscape(text, at);
      const piece = String.fromCodePoint(escaped.code);
      if (escaped.isByte) bytes.push(escaped.code);
      else bytes.push(...encoder.encode(piece));
      isText &&= !escaped.isByte || escaped.code < 0x80;
      plain += piece;
      for (let unit = 0; unit < piece.length; unit++) columns.push(at);
      at = escaped.end;
    } else {
      const piece = String.fromCodePoint(text.codePointAt(at)!);
      if (piece < '\x80') bytes.push(piece.charCodeAt(0));
      else bytes.push(...encoder.encode(piece));
      plain += piece;
      for (let unit = 0; unit < piece.length; unit++) columns.push(at);
      at += piece.length;
    }
  }
  const whole = Uint8Array.from(bytes);
  columns.push(at);
  const source = text.slice(start, at + 1);
  // Bytes that were written one by one may make characters together.
  const decoded = isText ? plain : decodeText(whole);
  return { kind: 'string', text: decoded, bytes: whole, isRaw, columns, source, start, end: at + 1 };
}

/** @param start - where the quote is */
export function readCharacter(text: string, start: number): Operand & { kind: 'character' } {
  let at = start + 1;
  let code: number | undefined;
  let count = 0;
  for (;;) {
    const character = text[at];
    if (character === undefined) {
      throw syntaxError('The final quote was missing from a character constant.', { start, end: text.length });
    }
    if (character === "'") break;
    count++;
    if (character === '\\') {
      const escaped = readEscape(text, at);
      code = escaped.code;
      at = escaped.end;
    } else {
      code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
    }
  }
  const span = { start, end: at + 1 };
  const source = text.slice(start, at + 1);
  if (code === undefined) throw syntaxError("Empty character constant; expected one character, as in 'a'.", span);
  if (count > 1) throw syntaxError(`${source} is too long to be a valid character constant.`, span);
  if (code > 0x7f && !source.startsWith("'\\")) {
    throw syntaxError(`${source} is no character of one byte; strings have double quotes.`, span);
  }
  return { kind: 'character', code, source, ...span };
}
