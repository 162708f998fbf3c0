import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter } from '../../../src/dissect/filter/display-filter.ts';
import { filterLengthMax } from '../../../src/dissect/filter/lexer.ts';
import { pointAt } from '../../../src/dissect/filter/point-at.ts';
import { operators } from '../../../src/dissect/filter/token.ts';
import { FilterSyntaxError, MqttError } from '../../../src/protocol/errors.ts';
import { publishFrame, SampleValues, sampleRegistry } from './sample-fields.ts';

function refusal(filter: string): FilterSyntaxError {
  try {
    compileFilter(filter, sampleRegistry);
  } catch (error) {
    if (error instanceof FilterSyntaxError) return error;
    throw error;
  }
  throw new Error(`${filter} was accepted`);
}

/** A filter, the place below it, and what is said. */
const places: ReadonlyArray<readonly [filter: string, place: string, message: RegExp | string]> = [
  ['mqtt.qos = 1', '         ^', '"=" was unexpected in this context; "equal" is written ==.'],
  ['mqtt | tcp', '     ^', '"|" was unexpected in this context; "or" is written ||.'],
  ['mqtt tcp', '     ^~~', '"tcp" was unexpected in this context; expected "and", "or" or the end of the filter.'],
  ['mqtt and', '        ^', 'Unexpected end of filter expression; expected a field, a function or a value.'],
  ['(mqtt', '     ^', 'Unexpected end of filter expression; expected ")".'],
  ['mqtt)', '    ^', '")" was unexpected in this context; expected "and", "or" or the end of the filter.'],
  ['(mqtt.len) == 3', '           ^~', /^"==" was unexpected/],
  ['()', ' ^', '")" was unexpected in this context; expected a field, a function or a value.'],
  ['mqtt.topic ==', '             ^', /^Unexpected end/],
  ['mqtt.topic == "abc', '              ^~~~', 'The final quote was missing from a quoted string.'],
  ["mqtt.len == 'ab'", '            ^~~~', "'ab' is too long to be a valid character constant."],
  ["mqtt.len == ''", '            ^~', /^Empty character constant/],
  ['mqtt.topic == "a\\qb"', '                ^~', /^\\q is not a valid character escape sequence/],
  ['mqtt.topic == ä', '              ^', /may only appear inside double quotes/],
  [
    'mqtt.topc == "a"',
    '^~~~~~~~~',
    'Left side of "==" expression must be a field or function, not mqtt.topc; did you mean mqtt.topic?',
  ],
  ['mqtt.topc', '^~~~~~~~~', '"mqtt.topc" is neither a field nor a protocol name; did you mean mqtt.topic?'],
  [
    'len(mqtt.topc) > 1',
    '    ^~~~~~~~~',
    '"mqtt.topc" is neither a field nor a protocol name; did you mean mqtt.topic?',
  ],
  ['.mqtt.topc', '^~~~~~~~~~', '"mqtt.topc" is not a valid protocol or protocol field; did you mean mqtt.topic?'],
  ['1 == mqtt.len', '^', 'Left side of "==" expression must be a field or function, not 1.'],
  ['"a" == mqtt.topic', '^~~', 'Left side of "==" expression must be a field or function, not "a".'],
  ['1 + mqtt.len == 3', '^', '"1" is neither a field nor a protocol name.'],
  ['mqtt.len == 3.5', '            ^~~', '"3.5" is not a valid number.'],
  ['mqtt.len == 09', '            ^~', '"09" is not a valid number; a leading 0 makes it octal.'],
  ['mqtt.len == "3"', '            ^~~', 'Unsigned integer (8 bytes) cannot be converted from a string ("3").'],
  ['mqtt.len == 18446744073709551616', '            ^~~~~~~~~~~~~~~~~~~~', /is not a valid number/],
  ['tcp.port == 65536', '            ^~~~~', '"65536" too big for this field, maximum 65535.'],
  [
    'mqtt.msgtype == "Publish"',
    '                ^~~~~~~~~',
    '"Publish" cannot be found among the possible values for mqtt.msgtype; expected a number or one of "Connect Command", "Publish Message", "Publish Ack".',
  ],
  ['mqtt.retain == yes', '               ^~~', /cannot be found among the possible values for mqtt.retain/],
  [
    'ip.addr == 256.0.0.1',
    '           ^~~~~~~~~',
    '"256.0.0.1" is not a valid IPv4 address; expected one as in 127.0.0.1 or 10.0.0.0/8.',
  ],
  [
    'ip.addr == 10.0.0.0/33',
    '           ^~~~~~~~~~~',
    '"10.0.0.0/33" has too long a prefix: 33 bits, 32 are possible.',
  ],
  ['ip.addr == "10.0.0.1"', '           ^~~~~~~~~~', 'IPv4 address cannot be converted from a string ("10.0.0.1").'],
  ['ipv6.addr == 1', '             ^', /is not a valid IPv6 address/],
  ['eth.src == 00:11:22', '           ^~~~~~~~', '"00:11:22" contains too few bytes to be a valid Ethernet address.'],
  ['mqtt.msg == 0x6868', '            ^~~~~~', /is not a valid byte string/],
  ['frame.time == "2020-13-01"', '              ^~~~~~~~~~~~', /is not a valid absolute time; expected one as in/],
  ['frame.time == "2021-02-29"', '              ^~~~~~~~~~~~', /is not a valid absolute time/],
  ['frame.time_relative > 1ms', '                      ^~~', '"1ms" is not a valid time; expected seconds, as in 1.5.'],
  [
    'mqtt.topic == mqtt.len',
    '              ^~~~~~~~',
    'mqtt.topic and mqtt.len are not of compatible types: Character string, Unsigned integer (8 bytes).',
  ],
  [
    'mqtt.len contains 3',
    '^~~~~~~~',
    'mqtt.len (type=Unsigned integer (8 bytes)) cannot participate in contains comparison.',
  ],
  ['mqtt.len ~ "3"', '^~~~~~~~', 'mqtt.len (type=Unsigned integer (8 bytes)) cannot participate in ~ comparison.'],
  [
    'tcp.analysis.flags == 1',
    '^~~~~~~~~~~~~~~~~~',
    'tcp.analysis.flags (type=Label) cannot participate in == comparison.',
  ],
  ['mqtt.topic matches abc', '                   ^~~', 'Matches requires a double quoted string on the right side.'],
  ['mqtt.topic matches "a(b"', '                     ^', 'Regular expression: missing closing parenthesis.'],
  [
    String.raw`mqtt.topic matches "\x41\\y"`,
    '                        ^',
    String.raw`Regular expression: \y is not supported.`,
  ],
  ['mqtt.topic not contains "a"', '               ^~~~~~~~', /expected "in" after "not"/],
  ['mqtt.len in {}', '             ^', '"}" was unexpected in this context; expected a field, a function or a value.'],
  ['mqtt.len in {1 2}', '               ^', '"2" was unexpected in this context; expected ",", ".." or "}".'],
  ['mqtt.len in (1)', '            ^', '"(" was unexpected in this context; expected a set, as in {1, 2, 5..9}.'],
  ['mqtt.len + 1 in {1}', '^~~~~~~~~~~~', /^Only a field may be tested for membership/],
  ['len(mqtt.topic) in {1}', '^~~~~~~~~~~~~~~', 'Only a field may be tested for membership in a set.'],
  ['all mqtt', '        ^', /^Unexpected end of filter expression; expected a comparison/],
  ['mqtt.msg[', '        ^', 'The right bracket was missing from a slice.'],
  ['mqtt.msg[] == 00', '         ^', /^A range was expected here/],
  ['mqtt.msg[0:0] == 00', '         ^~~', "Range 0:0 isn't valid because length 0 isn't positive."],
  ['mqtt.msg[2-1] == 00', '         ^~~', "Range 2-1 isn't valid because 2 is greater than 1."],
  ['mqtt.msg[-2-4] == 00', '         ^~~~', "Range -2-4 isn't valid because -2 and 4 have different signs."],
  ['mqtt.msg[0, a] == 00', '            ^', /^"a" is not a valid range/],
  [
    'mqtt.len[0] == 1',
    '^~~~~~~~',
    '"mqtt.len" is of type Unsigned integer (8 bytes) and cannot be sliced into a sequence of bytes.',
  ],
  ['"abc"[0] == 61', '^~~~~', 'Range is not supported for entity "abc".'],
  ['ip.addr#x == 1.1.1.1', '       ^~', /expected a digit or "\[" after "#"/],
  ['len() > 1', '^~~~~', 'Function len needs at least 1 argument.'],
  ['len(mqtt.topic, mqtt.msg) > 1', '                ^~~~~~~~', 'Function len can only accept 1 argument.'],
  ['len("abc") == 3', '    ^~~~~', 'Only fields can be used as parameter for len().'],
  ['upper(mqtt.len) == "A"', '      ^~~~~~~~', 'Only string type fields can be used as parameter for upper().'],
  ['string(mqtt.topic) == "A"', '       ^~~~~~~~~~', 'String conversion for field "mqtt.topic" is not supported.'],
  [
    'size(mqtt.topic) > 1',
    '^~~~',
    "Function 'size' does not exist; there are abs, count, len, lower, max, min, string, upper.",
  ],
  [
    'max(mqtt.len, mqtt.qos) > 1',
    '              ^~~~~~~~',
    'Arguments to max() must have the same type: uint64, not uint8.',
  ],
  ['len(mqtt.topic)', '^~~~~~~~~~~~~~~', /^You cannot test whether a function is present/],
  ['mqtt.topic + "a" == "b"', '^~~~~~~~~~', '"+" cannot be applied to values of type Character string.'],
  ['mqtt.len + "a" == 1', '           ^~~', '"a" is not a valid arithmetic operand.'],
  ['mqtt.retain == mqtt.len', '               ^~~~~~~~', /not of compatible types/],
  ['{mqtt.msg} contains 61', '           ^~~~~~~~', /a calculation cannot be searched/],
  ['frame.time_relative * 2 > 1', '^~~~~~~~~~~~~~~~~~~', '"*" cannot be applied to values of type Time offset.'],
  ['-mqtt.topic == "a"', ' ^~~~~~~~~~', '"-" cannot be applied to values of type Character string.'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Wireshark writes macros so.
  ['mqtt.len == ${x}', '            ^~~~', /neither macros nor references/],
];

describe('a filter that has no meaning', () => {
  it.each(places)('%s', (filter, place, message) => {
    const error = refusal(filter);
    expect(pointAt(filter, error)).toBe(`${filter}\n${place}`);
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error).toBeInstanceOf(MqttError);
    expect(error.code).toBe('MQTT_ERR_FILTER');
  });

  it('is pointed at by columns, whatever stands before it', () => {
    const filter = 'mqtt.topic == "温度🙂"\t&& mqtt.qos = 1';
    expect(pointAt(filter, refusal(filter))).toBe(`mqtt.topic == "温度🙂" && mqtt.qos = 1\n${' '.repeat(35)}^`);
  });

  it('is refused where it is larger than anybody writes', () => {
    expect(refusal('!'.repeat(filterLengthMax + 1)).message).toMatch(/characters/);
    expect(refusal(`${'('.repeat(5000)}mqtt${')'.repeat(5000)}`).message).toMatch(/levels/);
    expect(refusal(`${'!'.repeat(5000)}mqtt`).message).toMatch(/levels/);
    expect(refusal(`mqtt.len${' + 1'.repeat(5000)} == 1`).message).toMatch(/levels/);
    expect(refusal(`${'{'.repeat(5000)}mqtt.len`).message).toMatch(/levels/);
    expect(refusal(`mqtt.msg${'[0:]'.repeat(5000)}`).message).toMatch(/levels/);
    expect(refusal(`${'len('.repeat(5000)}mqtt.msg`).message).toMatch(/levels/);
    expect(refusal(`mqtt.msg[${'0,'.repeat(5000)}0]`).message).toMatch(/ranges/);
    expect(refusal(`mqtt.topic matches "${'('.repeat(2000)}"`).message).toMatch(/groups/);
    expect(refusal(`mqtt.topic matches "${'a'.repeat(5000)}"`).message).toMatch(/characters/);
  });

  it('is not one that is merely long', () => {
    const many = (part: string, sign: string, count: number) => Array.from({ length: count }, () => part).join(sign);
    for (const sign of [' or ', ' and ', ' xor ', ' || not ']) {
      expect(() => compileFilter(many('mqtt', sign, 5000), sampleRegistry)).not.toThrow();
    }
    expect(() => compileFilter(`mqtt.len in {${many('1..2', ',', 5000)}}`, sampleRegistry)).not.toThrow();
    expect(() => compileFilter(`mqtt.len == ${many('mqtt.len', ' == ', 5000)}`, sampleRegistry)).not.toThrow();
  });
});

/** Words and signs of the language, in any order: far more often nearly a filter than random letters are. */
const pieces = fc.oneof(
  fc.constantFrom(...Object.keys(operators)),
  fc.constantFrom(...sampleRegistry.names()),
  fc.constantFrom(
    '1',
    '0x10',
    '-5',
    '1.5',
    '10.0.0.0/8',
    '::1',
    'aa:bb',
    '"a"',
    'r"\\d"',
    "'a'",
    'True',
    '[0:2]',
    '[-1]',
    '#1',
    '#[1-2]',
  ),
  fc.constantFrom(
    'len',
    'count',
    'upper',
    'max',
    'abs',
    'string',
    ',',
    '[',
    ']',
    '"',
    "'",
    '\\',
    '..',
    '$',
    '${',
    '2020-01-01',
    'é',
    '🙂',
  ),
);

describe('any text', () => {
  const values = new SampleValues(publishFrame);
  const check = (text: string) => {
    try {
      expect(typeof compileFilter(text, sampleRegistry).matches(values)).toBe('boolean');
    } catch (error) {
      expect(error).toBeInstanceOf(FilterSyntaxError);
      const { position, length } = error as FilterSyntaxError;
      expect(position).toBeGreaterThanOrEqual(0);
      expect(position).toBeLessThanOrEqual(text.length);
      expect(length).toBeGreaterThan(0);
      expect(pointAt(text, error as FilterSyntaxError).split('\n')).toHaveLength(2);
    }
  };

  it('is a filter, or is refused at a place within it', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), check), { numRuns: 2000 });
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 12 }).map((list) => list.join(' ')),
        check,
      ),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 12 }).map((list) => list.join('')),
        check,
      ),
      { numRuns: 5000 },
    );
  });

  it('is a regular expression, or is refused at a place within it', () => {
    const part = fc.oneof(
      fc.constantFrom(...'()[]{}|*+?^$.\\-,:<>=!P'),
      fc.constantFrom(
        '(?',
        '(?:',
        '(?<n>',
        '(?i)',
        '(?-i:',
        '[[:alpha:]]',
        '\\d',
        '\\p{L}',
        '\\x41',
        '{2,3}',
        'a',
        'B',
        'é',
        '\\k<n>',
        '\\1',
        '(?>',
      ),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (list) => {
        check(`mqtt.topic matches r"${list.join('')}" or mqtt.msg matches r"${list.join('')}"`);
      }),
      { numRuns: 5000 },
    );
  });
});
