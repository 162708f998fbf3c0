/** The characters of a regular expression, and what is to be read at once: escapes, sets in brackets, quantifiers. */
import { type CharacterRange, escapedSet, namedSet } from './character-set.ts';

export type PatternEscape =
  | { readonly kind: 'character'; readonly code: number }
  | { readonly kind: 'set'; readonly ranges: readonly CharacterRange[] }
  /** `\p{L}`: means the same in JavaScript. */
  | { readonly kind: 'property'; readonly source: string }
  | { readonly kind: 'piece'; readonly source: string }
  | { readonly kind: 'assertion'; readonly source: string }
  /** Between `\Q` and `\E`. */
  | { readonly kind: 'quoted'; readonly text: string }
  | { readonly kind: 'reference'; readonly group: number | string };

export interface PatternSet {
  readonly isNegated: boolean;
  readonly ranges: readonly CharacterRange[];
  readonly properties: readonly string[];
}

const controls: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
const assertions: Readonly<Record<string, string>> = { A: '^', z: '$', Z: '(?=\\n?$)', b: '\\b', B: '\\B' };

export class PatternReader {
  at = 0;
  readonly #source: string;
  readonly #fail: (message: string, at: number) => never;

  constructor(source: string, fail: (message: string, at: number) => never) {
    this.#source = source;
    this.#fail = fail;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#source.length;
  }

  peek(): string {
    return this.#source.charAt(this.at);
  }

  /** The next character, which is passed. */
  next(): string {
    const character = String.fromCodePoint(this.#source.codePointAt(this.at)!);
    this.at += character.length;
    return character;
  }

  /** Passes `text` if it is what comes next. */
  take(text: string): boolean {
    if (!this.#source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  skipPast(text: string): boolean {
    const found = this.#source.indexOf(text, this.at);
    this.at = found < 0 ? this.#source.length : found + text.length;
    return found >= 0;
  }

  /** Blanks and comments, which mean nothing under `(?x)`. */
  skipBlanks(): void {
    for (;;) {
      if (' \t\n\v\f\r'.includes(this.peek()) && !this.isAtEnd) this.at++;
      else if (!this.take('#')) return;
      else this.skipPast('\n');
    }
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#source);
    if (match !== null) this.at += match[0].length;
    return match;
  }

  /** `*`, `+`, `?`, `{n}`, `{n,}` or `{n,m}`; braces with anything else in them are characters. */
  takeQuantifier(most: number): string | undefined {
    const start = this.at;
    const quantifier = this.#match(/[*+?]|\{(\d+)(?:(,)(\d+)?)?\}/y);
    if (quantifier === null) return undefined;
    const [text, from, , to] = quantifier;
    if (Math.max(Number(from ?? 0), Number(to ?? 0)) > most) this.#fail('number too big in {} quantifier', start);
    if (from !== undefined && to !== undefined && Number(from) > Number(to)) {
      this.#fail('numbers out of order in {} quantifier', start);
    }
    return text;
  }

  /** A group's name, and `closing` after it. */
  readName(closing: string): string {
    const start = this.at;
    const name = this.#match(/[A-Za-z_]\w{0,31}/y)?.[0];
    if (name === undefined) this.#fail('group name expected', start);
    if (!this.take(closing)) this.#fail(`"${closing}" expected after the name of a group`, this.at);
    return name!;
  }

  /**
   * @param at - where its backslash is, which has been read
   * @param groups - how many groups there have been
   */
  readEscape(at: number, groups: number): PatternEscape {
    if (this.isAtEnd) this.#fail('\\ at end of pattern', at);
    const shared = this.#readSharedEscape(at);
    if (shared !== undefined) return shared;
    const letter = this.peek();
    const assertion = assertions[letter];
    if (assertion !== undefined && Object.hasOwn(assertions, letter)) {
      this.at++;
      return { kind: 'assertion', source: assertion };
    }
    if (this.take('N')) return { kind: 'piece', source: '[^\\n]' };
    if (this.take('C')) return { kind: 'piece', source: '[^]' };
    if (this.take('R')) return { kind: 'piece', source: '(?:\\r\\n|[\\n-\\r\\u{85}\\u{2028}\\u{2029}])' };
    if (this.take('E')) return { kind: 'quoted', text: '' };
    if (this.take('Q')) {
      const end = this.#source.indexOf('\\E', this.at);
      const text = this.#source.slice(this.at, end < 0 ? undefined : end);
      this.at = end < 0 ? this.#source.length : end + 2;
      return { kind: 'quoted', text };
    }
    return this.#readReference(at, groups);
  }

  #readReference(at: number, groups: number): PatternEscape {
    for (const [opening, closing] of [
      ['k<', '>'],
      ['k{', '}'],
      ["k'", "'"],
    ] as const) {
      if (this.take(opening)) return { kind: 'reference', group: this.readName(closing) };
    }
    const relative = this.#match(/g(?:\{([+-]?)(\d{1,3})\}|([+-]?)(\d{1,3}))/y);
    if (relative !== null) {
      const sign = relative[1] ?? relative[3];
      const number = Number(relative[2] ?? relative[4]);
      return { kind: 'reference', group: sign === '-' ? groups + 1 - number : sign === '+' ? groups + number : number };
    }
    if (this.take('g{')) return { kind: 'reference', group: this.readName('}') };
    const digits = this.#match(/[1-9]\d{0,2}/y)?.[0];
    if (digits !== undefined) {
      if (Number(digits) < 10 || Number(digits) <= groups) return { kind: 'reference', group: Number(digits) };
      this.at -= digits.length;
      const octal = this.#match(/[0-7]{1,3}/y)?.[0];
      if (octal !== undefined) return { kind: 'character', code: Number.parseInt(octal, 8) };
    }
    return this.#fail(`\\${this.#source.slice(at + 1, at + 2)} is not supported`, at);
  }

  /** What means the same inside brackets and outside. */
  #readSharedEscape(at: number): PatternEscape | undefined {
    const letter = this.peek();
    if (Object.hasOwn(controls, letter)) {
      this.at++;
      return { kind: 'character', code: controls[letter]! };
    }
    const ranges = escapedSet(letter);
    if (ranges !== undefined) {
      this.at++;
      return { kind: 'set', ranges };
    }
    const hexadecimal = this.#match(/x(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{0,2}))/y);
    if (hexadecimal !== null) return this.#code(Number.parseInt(hexadecimal[1] ?? `0${hexadecimal[2]}`, 16), at);
    const octal = this.#match(/o\{([0-7]{1,7})\}|0([0-7]{0,2})/y);
    if (octal !== null) return this.#code(Number.parseInt(octal[1] ?? `0${octal[2]}`, 8), at);
    const control = this.#match(/c([ -~])/y)?.[1];
    if (control !== undefined) return { kind: 'character', code: control.toUpperCase().charCodeAt(0) ^ 0x40 };
    const property = this.#match(/([pP])(?:\{(\^?)([A-Za-z_&]+)\}|([A-Z]))/y);
    if (property !== null) {
      const isNegated = (property[1] === 'P') !== (property[2] === '^');
      return this.#property(property[3] ?? property[4]!, isNegated, at);
    }
    if (/[^A-Za-z0-9]/u.test(letter)) return { kind: 'character', code: this.next().codePointAt(0)! };
    return undefined;
  }

  #code(code: number, at: number): PatternEscape {
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) this.#fail('character code too large', at);
    return { kind: 'character', code };
  }

  #property(name: string, isNegated: boolean, at: number): PatternEscape {
    const letter = isNegated ? 'P' : 'p';
    if (name === 'Any') return { kind: 'piece', source: isNegated ? '[^\\s\\S]' : '[^]' };
    for (const source of [`\\${letter}{${name === 'L&' ? 'LC' : name}}`, `\\${letter}{Script=${name}}`]) {
      try {
        new RegExp(source, 'u');
        return { kind: 'property', source };
      } catch {
        // The other spelling may be known.
      }
    }
    return this.#fail('unknown property after \\P or \\p', at);
  }

  /** @param at - where its bracket is, which has been read */
  readSet(at: number): PatternSet {
    const isNegated = this.take('^');
    const ranges: CharacterRange[] = [];
    const properties: string[] = [];
    for (let isFirst = true; isFirst || this.peek() !== ']'; isFirst = false) {
      if (this.isAtEnd) this.#fail('missing terminating ] for character class', at);
      const start = this.at;
      const item = this.#readSetItem();
      if (item === undefined) continue;
      if (item.kind === 'property') properties.push(item.source);
      else if (item.kind === 'set') ranges.push(...item.ranges);
      const followsDash =
        this.peek() === '-' && this.#source.charAt(this.at + 1) !== ']' && this.at + 1 < this.#source.length;
      if (item.kind !== 'character') {
        if (followsDash) this.#fail('invalid range in character class', this.at);
        continue;
      }
      if (!followsDash) {
        ranges.push([item.code, item.code]);
        continue;
      }
      this.at++;
      const end = this.#readSetItem();
      if (end?.kind !== 'character') this.#fail('invalid range in character class', start);
      const last = (end as { code: number }).code;
      if (last < item.code) this.#fail('range out of order in character class', start);
      ranges.push([item.code, last]);
    }
    this.at++;
    return { isNegated, ranges, properties };
  }

  /** undefined for what adds nothing: `\E`. */
  #readSetItem(): Extract<PatternEscape, { kind: 'character' | 'set' | 'property' }> | undefined {
    const start = this.at;
    const posix = this.#match(/\[([:.=])(\^?[a-z]*)\1\]/y);
    if (posix !== null) {
      const ranges = posix[1] === ':' ? namedSet(posix[2]!) : undefined;
      if (ranges === undefined) this.#fail('unknown POSIX class name', start);
      return { kind: 'set', ranges: ranges! };
    }
    if (!this.take('\\')) return { kind: 'character', code: this.next().codePointAt(0)! };
    if (this.isAtEnd) this.#fail('\\ at end of pattern', start);
    if (this.take('b')) return { kind: 'character', code: 8 };
    if (this.take('E')) return undefined;
    const octal = this.#match(/[0-7]{1,3}/y)?.[0];
    if (octal !== undefined) return { kind: 'character', code: Number.parseInt(octal, 8) & 0x1ff };
    const shared = this.#readSharedEscape(start);
    if (shared === undefined || (shared.kind !== 'character' && shared.kind !== 'set' && shared.kind !== 'property')) {
      return this.#fail(`\\${this.#source.slice(start + 1, start + 2)} is not supported in a character class`, start);
    }
    return shared;
  }
}
