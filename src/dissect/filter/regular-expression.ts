/**
 * Regular expressions as PCRE writes them, made into those of JavaScript. What has no counterpart there is refused by name: recursion, conditions,
 * verbs, `\G`, `\K` and `\X`. Texts are matched by characters, bytes by bytes.
 */
import { type CharacterRange, formatCharacter, formatRange, withBothCases } from './character-set.ts';
import type { QuotedText } from './expression.ts';
import { PatternReader } from './pattern-reader.ts';
import { syntaxError } from './point-at.ts';

/**
 * @param matchesBytes - whether what is searched is bytes, each given as the character of that number
 * @throws {FilterSyntaxError} at the place within the pattern
 */
export function compilePattern(pattern: QuotedText, matchesBytes: boolean): RegExp {
  const source = matchesBytes ? String.fromCharCode(...pattern.bytes.subarray(0, patternLengthMax + 1)) : pattern.text;
  if (source.length > patternLengthMax) {
    throw syntaxError(`A regular expression may have ${patternLengthMax} characters.`, pattern);
  }
  const fail = (message: string, at: number): never => {
    const { columns } = pattern;
    // Escapes can make several units one character; then the columns no longer go in step.
    const start = columns.length === source.length + 1 ? columns[Math.min(at, source.length)]! : pattern.start;
    throw syntaxError(`Regular expression: ${message}.`, { start, end: start + 1 });
  };
  let translation = new Translator(source, fail, matchesBytes).translate();
  translation ??= new Translator(source, fail, true).translate();
  try {
    return new RegExp(translation!.source, translation!.flags);
  } catch (error) {
    throw syntaxError(`Regular expression: ${(error as Error).message}`, pattern);
  }
}

const patternLengthMax = 4096;
const depthMax = 100;
const repeatMax = 65_535;

interface Flags {
  isCaseless: boolean;
  isMultiline: boolean;
  isDotAll: boolean;
  isExtended: boolean;
}

interface Piece {
  readonly source: string;
  /** Whether a quantifier may follow. */
  readonly repeats: 'yes' | 'wrapped' | 'no';
}

class Translator {
  readonly #reader: PatternReader;
  readonly #fail: (message: string, at: number) => never;
  /** Whether the case of letters is written out, since it is not the same everywhere; else the `i` flag does it. */
  readonly #writesCases: boolean;
  #flags: Flags = { isCaseless: true, isMultiline: false, isDotAll: false, isExtended: false };
  /** What the `i` flag would be. */
  #globalCaseless: boolean | undefined = undefined;
  #needsCases = false;
  #depth = 0;
  #groups = 0;
  #atomics = 0;
  readonly #names = new Map<string, number>();
  /** Groups that were referred to, to be looked at when all are known. */
  readonly #references: Array<{ readonly group: number | string; readonly at: number }> = [];

  constructor(source: string, fail: (message: string, at: number) => never, writesCases: boolean) {
    this.#reader = new PatternReader(source, fail);
    this.#fail = fail;
    this.#writesCases = writesCases;
  }

  /** undefined: cases must be written out. */
  translate(): { source: string; flags: string } | undefined {
    let source = this.#alternatives();
    if (!this.#reader.isAtEnd) this.#fail('unmatched closing parenthesis', this.#reader.at);
    for (const { group, at } of this.#references) {
      const number = typeof group === 'number' ? group : this.#names.get(group);
      if (number === undefined || number > this.#groups || number < 1) this.#fail(`there is no group ${group}`, at);
    }
    if (this.#needsCases && !this.#writesCases) return undefined;
    for (const [name, number] of this.#names) source = source.replaceAll(`\\k<n_${name}>`, `\\k<g${number}>`);
    const isCaseless = !this.#writesCases && (this.#globalCaseless ?? this.#flags.isCaseless);
    return { source, flags: isCaseless ? 'iu' : 'u' };
  }

  #alternatives(): string {
    if (++this.#depth > depthMax) this.#fail(`more than ${depthMax} groups within each other`, this.#reader.at);
    let source = '';
    for (;;) {
      source += this.#sequence();
      if (!this.#reader.take('|')) break;
      source += '|';
    }
    this.#depth--;
    return source;
  }

  #sequence(): string {
    const reader = this.#reader;
    let source = '';
    for (;;) {
      if (this.#flags.isExtended) reader.skipBlanks();
      if (reader.isAtEnd || reader.peek() === '|' || reader.peek() === ')') return source;
      const { at } = reader;
      const piece = this.#atom();
      if (this.#flags.isExtended) reader.skipBlanks();
      source += this.#quantified(piece, at);
    }
  }

  #quantified(piece: Piece, at: number): string {
    const reader = this.#reader;
    const start = reader.at;
    const quantifier = reader.takeQuantifier(repeatMax);
    if (quantifier === undefined) return piece.source;
    if (piece.repeats === 'no')
      this.#fail('quantifier does not follow a repeatable item', piece.source === '' ? at : start);
    const repeated = `${piece.repeats === 'wrapped' ? `(?:${piece.source})` : piece.source}${quantifier}`;
    if (reader.take('+')) return this.#atomic(repeated);
    return reader.take('?') ? `${repeated}?` : repeated;
  }

  /** What was matched once is not given back: a lookahead gives nothing back, and its group then takes it. */
  #atomic(source: string): string {
    const name = `a${++this.#atomics}`;
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`;
  }

  #atom(): Piece {
    const reader = this.#reader;
    const { at } = reader;
    const character = reader.next();
    switch (character) {
      case '(':
        return this.#group(at);
      case '[':
        return { source: this.#set(at), repeats: 'yes' };
      case '.':
        return { source: this.#flags.isDotAll ? '[^]' : '[^\\n]', repeats: 'yes' };
      case '^':
        return { source: this.#flags.isMultiline ? '(?:^|(?<=\\n))' : '^', repeats: 'no' };
      case '$':
        return { source: this.#flags.isMultiline ? '(?=\\n|$)' : '(?=\\n?$)', repeats: 'no' };
      case '\\':
        return this.#escape(at);
      case '*':
      case '+':
      case '?':
        return this.#fail('quantifier does not follow a repeatable item', at);
      default:
        return { source: this.#character(character.codePointAt(0)!), repeats: 'yes' };
    }
  }

  #character(code: number): string {
    this.#noticeCase();
    if (!this.#writesCases || !this.#flags.isCaseless) return formatCharacter(code);
    const ranges = withBothCases([[code, code]]);
    return ranges.length === 1 ? formatCharacter(code) : `[${ranges.map(formatRange).join('')}]`;
  }

  /** Letters so far are to be matched as the flag in force says: only one flag can be given to the whole. */
  #noticeCase(): void {
    this.#globalCaseless ??= this.#flags.isCaseless;
    if (this.#globalCaseless !== this.#flags.isCaseless) this.#needsCases = true;
  }

  #escape(at: number): Piece {
    const escaped = this.#reader.readEscape(at, this.#groups);
    switch (escaped.kind) {
      case 'character':
        return { source: this.#character(escaped.code), repeats: 'yes' };
      case 'set':
        return { source: `[${escaped.ranges.map(formatRange).join('')}]`, repeats: 'yes' };
      case 'property':
        // What `\p{Lu}` means does not depend on the case that is asked for.
        this.#needsCases = true;
        return { source: escaped.source, repeats: 'yes' };
      case 'piece':
        return { source: escaped.source, repeats: 'yes' };
      case 'assertion':
        return { source: escaped.source, repeats: 'no' };
      case 'quoted':
        return {
          source: [...escaped.text].map((one) => this.#character(one.codePointAt(0)!)).join(''),
          repeats: escaped.text === '' ? 'no' : 'yes',
        };
      case 'reference':
        return this.#reference(escaped.group, at);
    }
  }

  #reference(group: number | string, at: number): Piece {
    this.#noticeCase();
    this.#references.push({ group, at });
    return { source: typeof group === 'number' ? `\\k<g${group}>` : `\\k<n_${group}>`, repeats: 'yes' };
  }

  #set(at: number): string {
    this.#noticeCase();
    const { isNegated, ranges, properties } = this.#reader.readSet(at);
    if (properties.length > 0) this.#needsCases = true;
    const all: readonly CharacterRange[] = this.#writesCases && this.#flags.isCaseless ? withBothCases(ranges) : ranges;
    return `[${isNegated ? '^' : ''}${all.map(formatRange).join('')}${properties.join('')}]`;
  }

  /** @param at - where its parenthesis is, which has been read */
  #group(at: number): Piece {
    const reader = this.#reader;
    if (reader.take('*')) this.#fail('verbs such as (*UTF) are not supported', at);
    if (!reader.take('?')) return this.#capture(undefined, at);
    if (reader.take('#')) {
      if (!reader.skipPast(')')) this.#fail('missing ) after (?# comment', at);
      return { source: '', repeats: 'no' };
    }
    for (const [opening, kept] of plainGroups) {
      if (reader.take(opening))
        return { source: `${kept}${this.#inner(at)})`, repeats: kept === '(?:' ? 'yes' : 'wrapped' };
    }
    if (reader.take('>')) return { source: this.#atomic(this.#inner(at)), repeats: 'yes' };
    if (reader.take('P=')) {
      const name = reader.readName(')');
      return this.#reference(name, at);
    }
    for (const [opening, closing] of namedGroups) {
      if (reader.take(opening)) return this.#capture(reader.readName(closing), at);
    }
    return this.#flagGroup(at);
  }

  #capture(name: string | undefined, at: number): Piece {
    const number = ++this.#groups;
    if (name !== undefined) {
      if (this.#names.has(name)) this.#fail(`two groups have the name ${name}`, at);
      this.#names.set(name, number);
    }
    return { source: `(?<g${number}>${this.#inner(at)})`, repeats: 'yes' };
  }

  /** What is inside a group, up to its end; flags set there end with it. */
  #inner(at: number): string {
    const before = { ...this.#flags };
    const source = this.#alternatives();
    if (!this.#reader.take(')')) this.#fail('missing closing parenthesis', at);
    this.#flags = before;
    return source;
  }

  /** `(?i)`, `(?-i)`, `(?i:…)`. */
  #flagGroup(at: number): Piece {
    const reader = this.#reader;
    const flags = { ...this.#flags };
    let value = true;
    if (reader.take('^'))
      Object.assign(flags, { isCaseless: false, isMultiline: false, isDotAll: false, isExtended: false });
    for (;;) {
      const place = reader.at;
      if (reader.isAtEnd) this.#fail('missing closing parenthesis', at);
      const letter = reader.next();
      if (letter === ')') {
        this.#flags = flags;
        return { source: '', repeats: 'no' };
      }
      if (letter === ':') {
        const before = this.#flags;
        this.#flags = flags;
        const source = `(?:${this.#inner(at)})`;
        this.#flags = before;
        return { source, repeats: 'yes' };
      }
      if (letter === '-') value = false;
      else if (letter === 'i') flags.isCaseless = value;
      else if (letter === 'm') flags.isMultiline = value;
      else if (letter === 's') flags.isDotAll = value;
      else if (letter === 'x') flags.isExtended = value;
      else if (/[R0-9&+P(|CnJU]/.test(letter)) this.#fail(`(?${letter} is not supported`, at);
      else this.#fail('unrecognized character after (? or (?-', place);
    }
  }
}

const plainGroups: ReadonlyArray<readonly [string, string]> = [
  [':', '(?:'],
  ['=', '(?='],
  ['!', '(?!'],
  ['<=', '(?<='],
  ['<!', '(?<!'],
];
const namedGroups: ReadonlyArray<readonly [string, string]> = [
  ['P<', '>'],
  ['<', '>'],
  ["'", "'"],
];
