import { describe, expect, it } from 'vitest';
import { readString } from '../../../src/dissect/filter/quoted-text.ts';
import { compilePattern } from '../../../src/dissect/filter/regular-expression.ts';
import { FilterSyntaxError } from '../../../src/protocol/errors.ts';

function pattern(source: string) {
  return readString(`r"${source}"`, 0);
}

/** A pattern, texts that it matches, texts that it does not: as PCRE2 has it. */
const table: ReadonlyArray<readonly [pattern: string, matched: readonly string[], rest: readonly string[]]> = [
  ['abc', ['xABCx', 'abc'], ['ab']],
  ['(?-i)abc', ['abc'], ['ABC']],
  ['(?i)abc', ['ABC'], ['ab']],
  ['a(?-i)b', ['Ab', 'ab'], ['aB']],
  ['a(?-i:b)c', ['AbC'], ['aBc']],
  ['(?-i)a(?i)b', ['aB'], ['Ab']],
  ['(?-i)[a-c](?i)[x-z]', ['aZ', 'ax'], ['Ax']],
  ['((?-i)a)b', ['aB'], ['Ab']],
  ['^a$', ['a', 'a\n'], ['a\n\n', 'ba', 'a\nb']],
  ['(?m)^b$', ['a\nb\nc'], ['ab']],
  ['a.b', ['axb', 'a\rb', 'a\u2028b', 'a🙂b'], ['a\nb', 'ab']],
  ['(?s)a.b', ['a\nb'], ['ab']],
  ['\\Aa\\z', ['a'], ['a\n']],
  ['\\Aa\\Z', ['a', 'a\n'], ['ba']],
  ['a\\Nb', ['axb'], ['a\nb']],
  ['^\\R$', ['\r\n', '\n', '\u2028'], ['a']],
  ['^\\h\\H$', ['\tx', '\u00a0x'], ['x ']],
  ['^\\v\\V$', ['\nx'], ['x\n']],
  ['^\\s$', [' ', '\v'], ['\u00a0']],
  ['^\\S$', ['\u00a0', 'a'], [' ']],
  ['^[\\d\\-_]+$', ['1-2_3'], ['a']],
  ['^[^\\D]$', ['7'], ['x']],
  ['^[\\w-]+$', ['a-b_9'], ['a b']],
  ['^[]a]+$', [']a'], ['b']],
  ['^[^]a]$', ['b'], [']', 'A']],
  ['^[[:alpha:]]+$', ['abC'], ['a1']],
  ['^[[:^alpha:][:digit:]]+$', ['1-'], ['a']],
  ['(?-i)^[[:upper:]]$', ['A'], ['a']],
  ['^[a\\]\\\\]+$', ['a]\\'], ['b']],
  ['a{2}', ['aa'], ['a']],
  ['a{,2}', ['a{,2}'], ['aa']],
  ['^a{2,3}$', ['aa', 'aaa'], ['a', 'aaaa']],
  ['a{', ['a{'], ['a']],
  ['^a+?b', ['aab'], ['b']],
  ['a++a', [], ['aaa']],
  ['^(?:a|ab)++c', ['abac'.slice(2)], ['abc']],
  ['(?>a|ab)c', ['ac'], ['xabc']],
  ['(?=a)*b', ['b'], ['c']],
  ['(a)(b)\\2\\1', ['abba'], ['abab']],
  ['(?<n>a|b)\\k<n>', ['bb'], ['ab']],
  ["(?'n'a|b)\\k'n'", ['bb'], ['ab']],
  ['(?P<n>a|b)(?P=n)', ['aa'], ['ba']],
  ['(a)(b)\\g{-1}\\g1', ['abba'], ['abab']],
  ['(?<=ab)c', ['abc'], ['ac']],
  ['(?<!a)b', ['cb'], ['ab']],
  ['(?#note)a', ['a'], ['b']],
  ['(?x) a b # the rest is said', ['ab'], ['a b']],
  ['(?x)a\\ b', ['a b'], ['ab']],
  ['\\Qa.b\\E+', ['a.bb'], ['axb']],
  ['\\Qa.b', ['a.b'], ['axb']],
  ['\\x41\\x{42}\\103\\o{104}', ['abcd', 'ABCD'], ['ab']],
  ['\\$\\^\\.\\/\\-\\_', ['$^./-_'], ['a']],
  ['[\\b]', ['\b'], ['b']],
  ['\\bab\\b', ['x ab y'], ['xab']],
  ['\\e\\a\\cA', ['\x1b\x07\x01'], ['eac']],
  ['^\\p{Lu}\\pL\\P{L}$', ['Äb1'], ['äb1']],
  ['^[\\p{Greek}\\d]+$', ['αβ1'], ['ab']],
  ['ÄÖ', ['äö', 'ÄÖ'], ['ao']],
  ['^.{2}$', ['温度', '🙂é'], ['温']],
  ['', ['', 'a'], []],
  ['a|', ['', 'a'], []],
  ['(|x)y', ['y', 'xy'], ['x']],
];

describe('compilePattern', () => {
  it.each(table)('%s', (source, matched, rest) => {
    const expression = compilePattern(pattern(source), false);
    for (const text of matched) expect(expression.test(text), JSON.stringify(text)).toBe(true);
    for (const text of rest) expect(expression.test(text), JSON.stringify(text)).toBe(false);
  });

  it('matches bytes one by one, with the bytes of the pattern', () => {
    const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
    expect(compilePattern(pattern('^.{4}$'), true).test(latin1('ä🙂'.slice(1)))).toBe(true);
    expect(compilePattern(pattern('ä'), true).test(latin1('xäx'))).toBe(true);
    expect(compilePattern(pattern('Ä'), true).test(latin1('xäx'))).toBe(false);
    expect(compilePattern(pattern('a'), true).test('A')).toBe(true);
    expect(compilePattern(readString(String.raw`"\xff\xfe"`, 0), true).test('\xff\xfe')).toBe(true);
  });

  it.each([
    ['a(b', 1, 'missing closing parenthesis'],
    ['ab)', 2, 'unmatched closing parenthesis'],
    ['a[b', 1, 'missing terminating ] for character class'],
    ['[]', 0, 'missing terminating ] for character class'],
    ['*a', 0, 'quantifier does not follow a repeatable item'],
    ['a**', 2, 'quantifier does not follow a repeatable item'],
    ['^*', 1, 'quantifier does not follow a repeatable item'],
    ['a|+', 2, 'quantifier does not follow a repeatable item'],
    ['\\b+', 2, 'quantifier does not follow a repeatable item'],
    ['a{2,1}', 1, 'numbers out of order in {} quantifier'],
    ['a{99999}', 1, 'number too big in {} quantifier'],
    ['[z-a]', 1, 'range out of order in character class'],
    ['[\\d-z]', 3, 'invalid range in character class'],
    ['[[:foo:]]', 1, 'unknown POSIX class name'],
    ['\\p{Foo}', 0, 'unknown property after \\P or \\p'],
    ['(a)\\2', 3, 'there is no group 2'],
    ['\\k<n>', 0, 'there is no group n'],
    ['(?<n>a)(?<n>b)', 7, 'two groups have the name n'],
    ['(?z)', 2, 'unrecognized character after (? or (?-'],
    ['x(?R)', 1, '(?R is not supported'],
    ['(a)(?1)', 3, '(?1 is not supported'],
    ['(a)(?(1)b|c)', 3, '(?( is not supported'],
    ['(?|(a)|(b))', 0, '(?| is not supported'],
    ['(*UTF)a', 0, 'verbs such as (*UTF) are not supported'],
    ['a\\Kb', 1, '\\K is not supported'],
    ['\\Ga', 0, '\\G is not supported'],
    ['\\X', 0, '\\X is not supported'],
    ['\\y', 0, '\\y is not supported'],
    ['(?#a', 0, 'missing ) after (?# comment'],
    ['\\x{110000}', 0, 'character code too large'],
  ])('refuses %s and says where', (source, at, message) => {
    for (const matchesBytes of [false, true]) {
      try {
        compilePattern(pattern(source), matchesBytes);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(FilterSyntaxError);
        expect(error).toMatchObject({ message: `Regular expression: ${message}.`, position: at + 2 });
      }
    }
  });
});
