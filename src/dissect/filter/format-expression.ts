/** An expression as text: in one spelling, with no more brackets than it takes. Read again, it is the same expression. */
import type { ArithmeticOperator, Expression, Operand } from './expression.ts';
import { formatRanges } from './ranges.ts';

const signs = {
  any_eq: '==',
  all_eq: '===',
  any_ne: '!==',
  all_ne: '!=',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
} as const;
const ranks: Readonly<Record<Expression['kind'], number>> = {
  or: 0,
  xor: 1,
  and: 2,
  not: 3,
  test: 4,
  comparison: 4,
  search: 4,
  membership: 4,
};
const tightness: Readonly<Record<ArithmeticOperator, number>> = { '&': 0, '+': 1, '-': 1, '*': 2, '/': 2, '%': 2 };

export function formatExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'and':
    case 'or':
    case 'xor': {
      const rank = ranks[expression.kind];
      const sign = { and: '&&', or: '||', xor: '^^' }[expression.kind];
      return expression.operands.map((operand) => bracket(operand, ranks[operand.kind] <= rank)).join(` ${sign} `);
    }
    case 'not':
      return `!${bracket(expression.operand, ranks[expression.operand.kind] < 3)}`;
    case 'test':
      return formatOperand(expression.operand, 0);
    case 'comparison':
      return `${quantified(expression)} ${signs[expression.operator]} ${formatOperand(expression.right, 0)}`;
    case 'search':
      return `${quantified(expression)} ${expression.operator} ${formatOperand(expression.right, 0)}`;
    case 'membership': {
      const elements = expression.elements.map(({ low, high }) =>
        high === undefined ? formatOperand(low, 0) : `${formatOperand(low, 0)} .. ${formatOperand(high, 0)}`,
      );
      return `${quantified(expression)} ${expression.isNegated ? 'not in' : 'in'} {${elements.join(', ')}}`;
    }
  }
}

function bracket(expression: Expression, isNeeded: boolean): string {
  return isNeeded ? `(${formatExpression(expression)})` : formatExpression(expression);
}

function quantified({ quantifier, left }: { quantifier: string | undefined; left: Operand }): string {
  return quantifier === undefined ? formatOperand(left, 0) : `${quantifier} ${formatOperand(left, 0)}`;
}

/** @param least - how tight an operator must bind to need no brackets */
function formatOperand(operand: Operand, least: number): string {
  switch (operand.kind) {
    case 'word':
    case 'literal':
      return operand.text;
    case 'field':
      return `.${operand.text}`;
    case 'string':
    case 'character':
      return operand.source;
    case 'layer':
      return `${formatOperand(operand.field, 3)}#[${formatRanges(operand.ranges)}]`;
    case 'slice':
      return `${formatOperand(operand.operand, 3)}[${formatRanges(operand.ranges)}]`;
    case 'call':
      return `${operand.name}(${operand.arguments.map((argument) => formatOperand(argument, 0)).join(', ')})`;
    case 'negative':
      return `-${formatOperand(operand.operand, 3)}`;
    case 'arithmetic': {
      const own = tightness[operand.operator];
      const text = `${formatOperand(operand.left, own)} ${operand.operator} ${formatOperand(operand.right, own + 1)}`;
      return own < least ? `{${text}}` : text;
    }
  }
}
