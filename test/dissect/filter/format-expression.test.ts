import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Expression, Operand } from '../../../src/dissect/filter/expression.ts';
import { formatExpression } from '../../../src/dissect/filter/format-expression.ts';
import { parseFilter } from '../../../src/dissect/filter/parser.ts';
import { FilterSyntaxError } from '../../../src/protocol/errors.ts';

/** Without what says where something stood, and how it was spelled. */
function bare(expression: unknown): unknown {
  return JSON.parse(
    JSON.stringify(expression, (key, value) => {
      if (['start', 'end', 'nameEnd', 'sign', 'columns'].includes(key) && typeof value !== 'object') return undefined;
      if (key === 'columns') return undefined;
      return value === Number.POSITIVE_INFINITY ? 'rest' : value;
    }),
  );
}

function format(text: string): string {
  return formatExpression(parseFilter(text)!);
}

const word = fc.constantFrom('mqtt.topic', 'mqtt.len', 'tcp', 'abc', '3', '0x10', 'a-b');
const operand: fc.Arbitrary<string> = fc.letrec<{ entity: string; sum: string }>((tie) => ({
  entity: fc.oneof(
    { maxDepth: 3 },
    word,
    fc.constantFrom(
      '"a\\"b"',
      'r"\\d"',
      "'a'",
      'aa:bb',
      '10.0.0.0/8',
      '::1',
      '.mqtt.len',
      'mqtt.len#2',
      'mqtt.len#[1-2,-1]',
      'mqtt.msg[0:2,-1,3-4][1:]',
    ),
    tie('sum').map((text) => `len(${text})`),
    tie('sum').map((text) => `max(${text}, 1)[0]`),
  ),
  sum: fc.oneof(
    { maxDepth: 3 },
    tie('entity'),
    tie('entity').map((text) => `-${text}`),
    tie('sum').map((text) => `{${text}}`),
    fc.tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/', '%', '&'), tie('sum')).map((parts) => parts.join(' ')),
  ),
})).sum;
const relation = fc.oneof(
  operand,
  fc
    .tuple(
      fc.constantFrom('', 'any ', 'all '),
      operand,
      fc.constantFrom('==', '!=', '===', '!==', '<', 'ge', 'contains', '~'),
      operand,
    )
    .map(([quantifier, left, sign, right]) => `${quantifier}${left} ${sign} ${right}`),
  fc.tuple(operand, operand, operand).map((parts) => parts.join(' < ')),
  fc.tuple(word, fc.constantFrom('in', 'not in', '! in')).map((parts) => `${parts.join(' ')} {1, -2..5, "a"}`),
);
const expression: fc.Arbitrary<string> = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { maxDepth: 4 },
    relation,
    tie('all').map((text) => `not ${text}`),
    tie('all').map((text) => `(${text})`),
    fc.tuple(tie('all'), fc.constantFrom('and', 'or', 'xor', '&&', '||'), tie('all')).map((parts) => parts.join(' ')),
  ),
})).all;

describe('formatExpression', () => {
  it('has one spelling, and brackets only where they matter', () => {
    expect(format('not(a)or b and(c or d)')).toBe('!a || b && (c || d)');
    expect(format('((a eq 1))')).toBe('a == 1');
    expect(format('a any_ne 1 xor all b ~ "x"')).toBe('a !== 1 ^^ all b matches "x"');
    expect(format('a<b<c')).toBe('a < b && b < c');
    expect(format('{a + {b * c}} - {d - 1} == {2}')).toBe('a + b * c - {d - 1} == 2');
    expect(format('a#2[0:1] in{1..2,3}')).toBe('a#[2][0] in {1 .. 2, 3}');
    expect(format('len( a )>-1')).toBe('len(a) > -1');
  });

  it('is the same expression when it is read again', () => {
    let count = 0;
    const check = (text: string) => {
      let parsed: Expression | undefined;
      try {
        parsed = parseFilter(text);
      } catch (error) {
        if (error instanceof FilterSyntaxError) return;
        throw error;
      }
      if (parsed === undefined) return;
      count++;
      const formatted = formatExpression(parsed);
      const again = parseFilter(formatted)!;
      expect(bare(again), formatted).toEqual(bare(parsed));
      expect(formatExpression(again)).toBe(formatted);
    };
    fc.assert(fc.property(expression, check), { numRuns: 3000 });
    expect(count).toBeGreaterThan(1000);
    for (const line of readFileSync(join(import.meta.dirname, 'filters-for-tshark.txt'), 'utf8').split('\n'))
      check(line);
  });
});

describe('parseFilter', () => {
  it('gives every part its place', () => {
    const visit = (text: string, part: Expression | Operand): void => {
      expect(part.start).toBeGreaterThanOrEqual(0);
      expect(part.end).toBeLessThanOrEqual(text.length);
      expect(part.end).toBeGreaterThan(part.start);
      for (const value of Object.values(part)) {
        for (const inner of Array.isArray(value) ? value : [value]) {
          if (typeof inner?.kind === 'string') visit(text, inner);
        }
      }
    };
    const text = 'not (all a.b == "x" or len(c) > 1) and d[0:2] in {1 .. 2}';
    visit(text, parseFilter(text)!);
    expect(parseFilter(text)).toMatchObject({ start: 0, end: text.length });
    expect(parseFilter(' \t\n')).toBeUndefined();
  });
});
