/** The words and signs that a filter consists of. */
import type { Operand } from './expression.ts';
import type { Span } from './point-at.ts';
import type { IndexRange } from './ranges.ts';

/** Signs and words with a meaning of their own, by what they mean. */
export const operators: Readonly<Record<string, string>> = {
  '==': 'any_eq',
  eq: 'any_eq',
  any_eq: 'any_eq',
  '===': 'all_eq',
  all_eq: 'all_eq',
  '!=': 'all_ne',
  ne: 'all_ne',
  all_ne: 'all_ne',
  '!==': 'any_ne',
  '~=': 'any_ne',
  any_ne: 'any_ne',
  '>': 'gt',
  gt: 'gt',
  '>=': 'ge',
  ge: 'ge',
  '<': 'lt',
  lt: 'lt',
  '<=': 'le',
  le: 'le',
  contains: 'contains',
  matches: 'matches',
  '~': 'matches',
  in: 'in',
  '!': 'not',
  not: 'not',
  '&&': 'and',
  and: 'and',
  '||': 'or',
  or: 'or',
  '^^': 'xor',
  xor: 'xor',
  any: 'any',
  all: 'all',
  '&': '&',
  bitwise_and: '&',
  '+': '+',
  '-': '-',
  '*': '*',
  '/': '/',
  '%': '%',
  '(': '(',
  ')': ')',
  '{': '{',
  '}': '}',
  ',': ',',
  '..': '..',
};

export type Token = Span & {
  /** As it is written. */
  readonly source: string;
} & (
    | { readonly kind: 'operator'; readonly meaning: string }
    /** A word, a literal, a string or a character. */
    | { readonly kind: 'value'; readonly operand: Operand }
    | { readonly kind: 'slice' | 'layer'; readonly ranges: readonly IndexRange[] }
    | { readonly kind: 'end' }
  );
