/**
 * The grammar, loosest first:
 *
 *     expression  = exclusive { ("or" | "||") exclusive }
 *     exclusive   = both { ("xor" | "^^") both }
 *     both        = negation { ("and" | "&&") negation }
 *     negation    = ("not" | "!") negation | "(" expression ")" | relation
 *     relation    = [ "any" | "all" ] ( sum { comparison sum } | entity ("contains" | "matches") entity
 *                 | entity [ "not" ] "in" "{" element { "," element } "}" ), element = [ "-" ] entity [ ".." [ "-" ] entity ]
 *     sum         = bits, from loosest to tightest: &, then + and -, then *, / and %
 *     signed      = [ "-" | "+" ] entity | "{" sum "}"
 *     entity      = ( word | string | character | word "(" sums ")" ) [ "#" layers ] { slice }
 *
 * A chain `a < b < c` means `a < b and b < c`.
 */
import type {
  ArithmeticOperator,
  ComparisonOperator,
  Expression,
  Operand,
  Quantifier,
  SetElement,
} from './expression.ts';
import { Lexer } from './lexer.ts';
import { syntaxError } from './point-at.ts';
import type { Token } from './token.ts';

/** Brackets within brackets, and links of a chain of calculations. */
const depthMax = 200;

const comparisons = new Set(['any_eq', 'all_eq', 'any_ne', 'all_ne', 'gt', 'ge', 'lt', 'le']);
const arithmeticLevels: readonly (readonly string[])[] = [['&'], ['+', '-'], ['*', '/', '%']];

/**
 * @returns undefined if the text is blank: it holds for every frame
 * @throws {FilterSyntaxError}
 */
export function parseFilter(text: string): Expression | undefined {
  const parser = new Parser(text);
  return parser.isAtEnd ? undefined : parser.parse();
}

class Parser {
  readonly #lexer: Lexer;
  #token: Token;
  #depth = 0;

  constructor(text: string) {
    this.#lexer = new Lexer(text);
    this.#token = this.#lexer.next();
  }

  get isAtEnd(): boolean {
    return this.#token.kind === 'end';
  }

  parse(): Expression {
    const expression = this.#parseLogical('or');
    if (!this.isAtEnd) this.#fail('"and", "or" or the end of the filter');
    return expression;
  }

  /** and, or and xor: of each, all operands in one node. */
  #parseLogical(kind: 'or' | 'xor' | 'and'): Expression {
    const first =
      kind === 'or' ? this.#parseLogical('xor') : kind === 'xor' ? this.#parseLogical('and') : this.#parseNegation();
    if (!this.#is(kind)) return first;
    const operands = [first];
    while (this.#is(kind)) {
      this.#advance();
      operands.push(
        kind === 'or' ? this.#parseLogical('xor') : kind === 'xor' ? this.#parseLogical('and') : this.#parseNegation(),
      );
    }
    return { kind, operands, start: first.start, end: operands.at(-1)!.end };
  }

  #parseNegation(): Expression {
    const { start } = this.#token;
    if (this.#is('not')) {
      this.#advance();
      this.#enter();
      const operand = this.#parseNegation();
      this.#depth--;
      return { kind: 'not', operand, start, end: operand.end };
    }
    if (this.#is('(')) {
      this.#advance();
      this.#enter();
      const inner = this.#parseLogical('or');
      this.#depth--;
      if (!this.#is(')')) this.#fail('")"');
      const { end } = this.#advance();
      return { ...inner, start, end };
    }
    return this.#parseRelation();
  }

  #parseRelation(): Expression {
    const { start } = this.#token;
    let quantifier: Quantifier | undefined;
    if (this.#is('any') || this.#is('all')) {
      quantifier = this.#is('any') ? 'any' : 'all';
      this.#advance();
    }
    const left = this.#parseArithmetic(0);
    const search = this.#is('contains') ? 'contains' : this.#is('matches') ? 'matches' : undefined;
    if (search !== undefined) {
      if (!this.#isEntity(left)) this.#fail('"and", "or" or the end of the filter: a calculation cannot be searched');
      const sign = this.#advance().source;
      const right = this.#parseEntity();
      return { kind: 'search', quantifier, operator: search, sign, left, right, start, end: right.end };
    }
    const isNegated = this.#is('not');
    if (isNegated) {
      this.#advance();
      if (!this.#is('in'))
        this.#fail('"in" after "not"; anything else is negated as a whole, as in not (a contains b)');
    }
    if (this.#is('in')) return this.#parseMembership(start, quantifier, left, isNegated);
    if (this.#comparison() !== undefined) return this.#parseComparisons(start, quantifier, left);
    if (quantifier !== undefined) this.#fail(`a comparison: "${quantifier}" stands before one`);
    return { kind: 'test', operand: left, start, end: left.end };
  }

  #parseComparisons(start: number, quantifier: Quantifier | undefined, first: Operand): Expression {
    const links: Expression[] = [];
    let left = first;
    for (;;) {
      const operator = this.#comparison();
      if (operator === undefined) break;
      const sign = this.#advance().source;
      const right = this.#parseArithmetic(0);
      links.push({ kind: 'comparison', quantifier, operator, sign, left, right, start: left.start, end: right.end });
      left = right;
    }
    const end = left.end;
    return links.length === 1 ? { ...links[0]!, start, end } : { kind: 'and', operands: links, start, end };
  }

  #comparison(): ComparisonOperator | undefined {
    const token = this.#token;
    return token.kind === 'operator' && comparisons.has(token.meaning)
      ? (token.meaning as ComparisonOperator)
      : undefined;
  }

  #parseMembership(start: number, quantifier: Quantifier | undefined, left: Operand, isNegated: boolean): Expression {
    if (!this.#isEntity(left)) {
      throw syntaxError('Only a field may be tested for membership in a set, not a calculation.', left);
    }
    this.#advance();
    if (!this.#is('{')) this.#fail('a set, as in {1, 2, 5..9}');
    const elements: SetElement[] = [];
    do {
      this.#advance();
      const low = this.#parseElement();
      let high: Operand | undefined;
      if (this.#is('..')) {
        this.#advance();
        high = this.#parseElement();
      }
      elements.push({ low, high });
    } while (this.#is(','));
    if (!this.#is('}')) this.#fail('",", ".." or "}"');
    const { end } = this.#advance();
    return { kind: 'membership', quantifier, isNegated, left, elements, start, end };
  }

  /** What may stand before `in` and `contains`: no sum, no sign, no braces. */
  #isEntity(operand: Operand): boolean {
    const isCalculated = operand.kind === 'arithmetic' || operand.kind === 'negative';
    return !isCalculated && this.#lexer.text[operand.start] !== '{';
  }

  #parseElement(): Operand {
    if (this.#is('{')) this.#fail('a value');
    return this.#parseSigned();
  }

  #parseArithmetic(level: number): Operand {
    const signs = arithmeticLevels[level];
    if (signs === undefined) return this.#parseSigned();
    let left = this.#parseArithmetic(level + 1);
    let links = 0;
    while (this.#token.kind === 'operator' && signs.includes(this.#token.meaning)) {
      if (++links > depthMax) this.#failDeep();
      const operator = this.#token.meaning as ArithmeticOperator;
      this.#advance();
      const right = this.#parseArithmetic(level + 1);
      left = { kind: 'arithmetic', operator, left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #parseSigned(): Operand {
    const { start } = this.#token;
    if (this.#is('{')) {
      this.#advance();
      this.#enter();
      const inner = this.#parseArithmetic(0);
      this.#depth--;
      if (!this.#is('}')) this.#fail('"}"');
      const { end } = this.#advance();
      return { ...inner, start, end };
    }
    if (this.#is('-')) {
      this.#advance();
      const operand = this.#parseEntity();
      return { kind: 'negative', operand, start, end: operand.end };
    }
    if (this.#is('+')) this.#advance();
    return this.#parseEntity();
  }

  #parseEntity(): Operand {
    const token = this.#token;
    if (token.kind !== 'value') this.#fail('a field, a function or a value');
    this.#advance();
    let entity = (token as Token & { kind: 'value' }).operand;
    if (entity.kind === 'word' && this.#is('(')) entity = this.#parseCall(entity);
    const layer = this.#token;
    if (layer.kind === 'layer') {
      if (entity.kind !== 'word' && entity.kind !== 'field') {
        throw syntaxError(`Only a field has layers, not ${token.source}.`, layer);
      }
      entity = { kind: 'layer', field: entity, ranges: layer.ranges, start: entity.start, end: layer.end };
      this.#advance();
    }
    for (let slices = 0; this.#token.kind === 'slice'; slices++) {
      if (slices > depthMax) this.#failDeep();
      const { ranges, end } = this.#token;
      entity = { kind: 'slice', operand: entity, ranges, start: entity.start, end };
      this.#advance();
    }
    return entity;
  }

  #parseCall(name: Operand & { kind: 'word' }): Operand {
    this.#enter();
    this.#advance();
    const list: Operand[] = [];
    if (!this.#is(')')) {
      list.push(this.#parseArithmetic(0));
      while (this.#is(',')) {
        this.#advance();
        list.push(this.#parseArithmetic(0));
      }
    }
    if (!this.#is(')')) this.#fail('"," or ")"');
    const { end } = this.#advance();
    this.#depth--;
    return { kind: 'call', name: name.text, nameEnd: name.end, arguments: list, start: name.start, end };
  }

  #is(meaning: string): boolean {
    return this.#token.kind === 'operator' && this.#token.meaning === meaning;
  }

  /** To the next token; the one that was passed is given back. */
  #advance(): Token {
    const passed = this.#token;
    this.#token = this.#lexer.next();
    return passed;
  }

  #enter(): void {
    if (++this.#depth > depthMax) this.#failDeep();
  }

  #failDeep(): never {
    throw syntaxError(`More than ${depthMax} levels within each other.`, this.#token);
  }

  #fail(expected: string): never {
    const token = this.#token;
    if (token.kind === 'end') throw syntaxError(`Unexpected end of filter expression; expected ${expected}.`, token);
    throw syntaxError(`"${token.source}" was unexpected in this context; expected ${expected}.`, token);
  }
}
