/** Text from packets, made fit for a line of a tree or a column of a table. */
import { decodeUtf8 } from '../base/bytes.ts';
import type { Utf8Buffer } from '../base/utf8-buffer.ts';

/** What cannot be shown as it is: controls, invisible formatting, what is unassigned, and surrogates without a partner. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cn}\p{Cs}]/gu;

const letters: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** As lines of trees have it: `\n`, `\033`, `\u200B`; a backslash stays as it is. */
export function escapeLine(text: string): string {
  return text.replace(unprintable, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const letter = letters[character];
  if (letter !== undefined) return letter;
  const code = character.codePointAt(0)!;
  if (code < 0x80) return `\\${code.toString(8).padStart(3, '0')}`;
  const digits = code.toString(16).toUpperCase();
  return code < 0x10000 ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}

const columnEscapes: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** As `-T fields` writes values: what would break a table is escaped, everything else stays. */
export function escapeColumn(text: string): string {
  return hasControls(text) ? text.replace(/[\b\f\n\r\t]/g, (character) => columnEscapes[character]!) : text;
}

/** For short texts, which nearly all are, quicker than a regular expression. */
function hasControls(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) < 0x20) return true;
  return false;
}

/** Bytes of text that a line may have. */
const lineBytesMax = 239;

/** `Topic: aaa…`, or `Topic [truncated]: aaa` where the whole would be longer than a line may be. */
export function fitLine(label: string, text: string): string {
  const line = `${label}: ${text}`;
  if (line.length * 3 <= lineBytesMax || utf8Bytes(line) <= lineBytesMax) return line;
  return cutUtf8(`${label} [truncated]: ${text}`, lineBytesMax - 1);
}

/** The longest beginning of `text` with at most `bytesMax` bytes of UTF-8. */
export function cutUtf8(text: string, bytesMax: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += utf8BytesOf(character.codePointAt(0)!);
    if (bytes > bytesMax) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) bytes += utf8BytesOf(character.codePointAt(0)!);
  return bytes;
}

function utf8BytesOf(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** `bytes[start..end)` as UTF-8, what is not UTF-8 as U+FFFD. The strict decoder knows a quick way for short texts, and nearly all are good. */
export function decodeText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return decodeUtf8(bytes, start, end) ?? decoder.decode(bytes.subarray(start, end));
}

/** Appends what `decodeText` gives of `bytes[start..end)`. */
export function appendText(output: Utf8Buffer, bytes: Uint8Array, start: number, end: number): void {
  if (!output.ascii(bytes, start, end)) output.text(decodeText(bytes, start, end));
}

interface Runtime {
  readonly TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
}
const decoder = new (globalThis as unknown as Runtime).TextDecoder('utf-8', { ignoreBOM: true });
