/**
 * A filter's text as tokens, one after the other. What a word is, is Wireshark's: letters, digits, `_` and `-`, in parts with one `.` between them.
 * So `a-b` is one word, `a -b` are three, and `1..5` is a range.
 */
import type { Operand } from './expression.ts';
import { syntaxError } from './point-at.ts';
import { readCharacter, readString } from './quoted-text.ts';
import { parseRanges } from './ranges.ts';
import { operators, type Token } from './token.ts';

/** Characters that a filter may have. */
export const filterLengthMax = 65_536;

const word = /[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*/y;
const fieldWord = /\.[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*/y;
const sign = /===|!==|==|!=|~=|>=|<=|&&|\|\||\^\^|\.\.|[<>~!&+\-*/%(){},]/y;

const ipv4 = String.raw`\d{1,3}(?:\.\d{1,3}){3}`;
const group = '[0-9a-fA-F]{1,4}';
/** All that are no words: the longest that fits is taken. */
const literals: readonly RegExp[] = [
  new RegExp(String.raw`${ipv4}/\d+`, 'y'),
  // IPv6 in full, or with a gap in one place, with an IPv4 address at its end or not.
  new RegExp(
    String.raw`(?:(?:${group}:){6}(?:${group}:${group}|${ipv4})|(?:${group}(?::${group}){0,6})?::(?:(?:${group}:){0,6}(?:${ipv4}|${group}))?)(?:/\d+)?`,
    'y',
  ),
  /[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})+/y,
  /:(?:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2})+|[A-Za-z0-9_]+)/y,
];

export class Lexer {
  readonly text: string;
  #at = 0;

  /** @throws {FilterSyntaxError} if the text is longer than `filterLengthMax` */
  constructor(text: string) {
    if (text.length > filterLengthMax) {
      throw syntaxError(`A filter may have ${filterLengthMax} characters, this one has ${text.length}.`, {
        start: filterLengthMax,
        end: text.length,
      });
    }
    this.text = text;
  }

  /** @throws {FilterSyntaxError} */
  next(): Token {
    const { text } = this;
    while (this.#at < text.length && ' \t\r\n'.includes(text[this.#at]!)) this.#at++;
    const start = this.#at;
    const first = text[start];
    if (first === undefined) return { kind: 'end', start, end: start, source: '' };
    const operand = this.#readQuoted(start, first) ?? this.#readBare(start);
    if (operand !== undefined) {
      this.#at = operand.end;
      const source = text.slice(start, operand.end);
      const meaning = operand.kind === 'word' && Object.hasOwn(operators, source) ? operators[source] : undefined;
      if (meaning !== undefined) return { kind: 'operator', meaning, start, end: operand.end, source };
      return { kind: 'value', operand, start, end: operand.end, source };
    }
    if (first === '[') return this.#readBrackets(start, start);
    if (first === '#') return this.#readLayer(start);
    if (first === '$') this.#refuseMacro(start);
    const source = matchAt(sign, text, start);
    if (source !== undefined) {
      this.#at = start + source.length;
      return { kind: 'operator', meaning: operators[source]!, start, end: this.#at, source };
    }
    const character = String.fromCodePoint(text.codePointAt(start)!);
    const span = { start, end: start + character.length };
    if (character > '~') {
      throw syntaxError('Characters other than those of ASCII may only appear inside double quotes.', span);
    }
    const hint = character === '=' ? '; "equal" is written ==' : character === '|' ? '; "or" is written ||' : '';
    throw syntaxError(`"${character}" was unexpected in this context${hint}.`, span);
  }

  #readQuoted(start: number, first: string): Operand | undefined {
    if (first === '"') return readString(this.text, start);
    if ((first === 'r' || first === 'R') && this.text[start + 1] === '"') return readString(this.text, start);
    if (first === "'") return readCharacter(this.text, start);
    return undefined;
  }

  /** The longest of what a word, or a value without quotes, may be. */
  #readBare(start: number): Operand | undefined {
    let found = matchAt(word, this.text, start) ?? '';
    let kind: 'word' | 'literal' | 'field' = 'word';
    for (const pattern of literals) {
      const literal = matchAt(pattern, this.text, start);
      if (literal !== undefined && literal.length > found.length) {
        found = literal;
        kind = 'literal';
      }
    }
    if (found === '') {
      found = matchAt(fieldWord, this.text, start) ?? '';
      if (found === '') return undefined;
      kind = 'field';
    }
    const end = start + found.length;
    return { kind, text: kind === 'field' ? found.slice(1) : found, start, end };
  }

  /** @param open - where the bracket is */
  #readBrackets(start: number, open: number): Token {
    const close = this.text.indexOf(']', open);
    if (close < 0) {
      throw syntaxError('The right bracket was missing from a slice.', { start: open, end: this.text.length });
    }
    this.#at = close + 1;
    const ranges = parseRanges(this.text.slice(open + 1, close), open + 1);
    const source = this.text.slice(start, close + 1);
    return { kind: start === open ? 'slice' : 'layer', ranges, start, end: close + 1, source };
  }

  #readLayer(start: number): Token {
    if (this.text[start + 1] === '[') return this.#readBrackets(start, start + 1);
    const digits = /^\d{1,9}/.exec(this.text.slice(start + 1, start + 10))?.[0];
    if (digits === undefined) {
      throw syntaxError('A layer is a number or has brackets: expected a digit or "[" after "#".', {
        start,
        end: Math.min(start + 2, this.text.length),
      });
    }
    this.#at = start + 1 + digits.length;
    const ranges = [{ start: Number(digits), count: 1, last: undefined }];
    return { kind: 'layer', ranges, start, end: this.#at, source: this.text.slice(start, this.#at) };
  }

  #refuseMacro(start: number): never {
    const macro = /^\$\{[^}]*\}?/.exec(this.text.slice(start))?.[0];
    if (macro === undefined) throw syntaxError('"$" was unexpected in this context.', { start, end: start + 1 });
    throw syntaxError(
      `${macro}: there are neither macros nor references to a selected frame; write out what it stands for.`,
      { start, end: start + macro.length },
    );
  }
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
