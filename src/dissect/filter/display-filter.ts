/**
 * Display filters: Wireshark 4.0's language over the fields of a registry.
 *
 *     const filter = compileFilter('mqtt.msgtype == 3 && mqtt.qos > 0', registry);
 *     const sink = new ValueSink(filter.fields, filter);
 *     sink.reset();
 *     frame.describe(sink);
 *     filter.matches(sink);
 *
 * The text becomes an `Expression` (lexer.ts, parser.ts); types are found and values read (operand-checker.ts, literals.ts); what is left are
 * functions within functions, which look at no more than they must.
 */
import { isNonzero } from './arithmetic.ts';
import type { Expression } from './expression.ts';
import type { DisplayFilter, FieldRegistry, FieldValues } from './field-values.ts';
import { OperandChecker } from './operand-checker.ts';
import { parseFilter } from './parser.ts';
import { syntaxError } from './point-at.ts';
import { compileComparison, compileMembership, compileSearch, type FrameTest } from './relations.ts';

/**
 * @param text - blank: every frame matches
 * @throws {FilterSyntaxError} `MQTT_ERR_FILTER`, with the place
 */
export function compileFilter(text: string, registry: FieldRegistry): DisplayFilter {
  const checker = new OperandChecker(registry);
  const expression = parseFilter(text);
  const matches: FrameTest = expression === undefined ? () => true : compile(expression, checker);
  return {
    text,
    fields: [...checker.fields],
    bytesFields: [...checker.bytesFields],
    layeredFields: [...checker.layeredFields],
    matches: (values: FieldValues) => matches(values),
  };
}

function compile(expression: Expression, checker: OperandChecker): FrameTest {
  switch (expression.kind) {
    case 'and':
      return every(expression.operands.map((operand) => compile(operand, checker)));
    case 'or':
      return some(expression.operands.map((operand) => compile(operand, checker)));
    case 'xor': {
      const tests = expression.operands.map((operand) => compile(operand, checker));
      return (values) => tests.reduce((odd, test) => odd !== test(values), false);
    }
    case 'not': {
      const test = compile(expression.operand, checker);
      return (values) => !test(values);
    }
    case 'test':
      return compileTest(expression, checker);
    case 'comparison':
      return compileComparison(expression, checker);
    case 'search':
      return compileSearch(expression, checker);
    case 'membership':
      return compileMembership(expression, checker);
  }
}

function every(tests: readonly FrameTest[]): FrameTest {
  if (tests.length === 2) {
    const [first, second] = tests as [FrameTest, FrameTest];
    return (values) => first(values) && second(values);
  }
  return (values) => {
    for (let index = 0; index < tests.length; index++) if (!tests[index]!(values)) return false;
    return true;
  };
}

function some(tests: readonly FrameTest[]): FrameTest {
  if (tests.length === 2) {
    const [first, second] = tests as [FrameTest, FrameTest];
    return (values) => first(values) || second(values);
  }
  return (values) => {
    for (let index = 0; index < tests.length; index++) if (tests[index]!(values)) return true;
    return false;
  };
}

/** What stands without an operator: a field that is there, a slice that is there, a calculation that is not 0. */
function compileTest({ operand }: Expression & { kind: 'test' }, checker: OperandChecker): FrameTest {
  const presence = checker.checkPresence(operand);
  if (presence !== undefined) return presence;
  if (operand.kind === 'call') {
    throw syntaxError('You cannot test whether a function is present; compare it with something.', operand);
  }
  const { read, isCalculated, isSlice } = checker.checkSubject(operand, undefined);
  if (isSlice) return (values) => read(values)?.some((value) => (value as Uint8Array).length > 0) ?? false;
  if (!isCalculated) return (values) => (read(values)?.length ?? 0) > 0;
  return (values) => read(values)?.some(isNonzero) ?? false;
}
