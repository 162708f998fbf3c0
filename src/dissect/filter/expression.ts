/** A filter as it is written, before anybody has asked what its names mean. */
import type { Span } from './point-at.ts';
import type { IndexRange } from './ranges.ts';

export type ComparisonOperator = 'any_eq' | 'all_eq' | 'any_ne' | 'all_ne' | 'gt' | 'ge' | 'lt' | 'le';
export type Quantifier = 'any' | 'all';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '&';

/** Something that is true or false of a frame. */
export type Expression = Span &
  (
    | { readonly kind: 'and' | 'or' | 'xor'; readonly operands: readonly Expression[] }
    | { readonly kind: 'not'; readonly operand: Expression }
    /** A bare field is there; a bare calculation is not 0. */
    | { readonly kind: 'test'; readonly operand: Operand }
    | {
        readonly kind: 'comparison';
        readonly quantifier: Quantifier | undefined;
        readonly operator: ComparisonOperator;
        /** `==`, as it is written: for messages. */
        readonly sign: string;
        readonly left: Operand;
        readonly right: Operand;
      }
    | {
        readonly kind: 'search';
        readonly quantifier: Quantifier | undefined;
        readonly operator: 'contains' | 'matches';
        readonly sign: string;
        readonly left: Operand;
        readonly right: Operand;
      }
    | {
        readonly kind: 'membership';
        readonly quantifier: Quantifier | undefined;
        readonly isNegated: boolean;
        readonly left: Operand;
        readonly elements: readonly SetElement[];
      }
  );

export interface SetElement {
  readonly low: Operand;
  /** undefined: `low` alone. */
  readonly high: Operand | undefined;
}

/** Something that has values. */
export type Operand = Span &
  /** A field's name, or a value without quotes: only the registry can tell. */
  (
    | { readonly kind: 'word'; readonly text: string }
    /** `.mqtt.topic`: a field's name and nothing else. */
    | { readonly kind: 'field'; readonly text: string }
    /** A value that can be no name: `127.0.0.0/8`, `aa:bb`, `::1`. */
    | { readonly kind: 'literal'; readonly text: string }
    | QuotedText
    | { readonly kind: 'character'; readonly code: number; readonly source: string }
    | { readonly kind: 'layer'; readonly field: Operand; readonly ranges: readonly IndexRange[] }
    | { readonly kind: 'slice'; readonly operand: Operand; readonly ranges: readonly IndexRange[] }
    | { readonly kind: 'call'; readonly name: string; readonly nameEnd: number; readonly arguments: readonly Operand[] }
    | {
        readonly kind: 'arithmetic';
        readonly operator: ArithmeticOperator;
        readonly left: Operand;
        readonly right: Operand;
      }
    | { readonly kind: 'negative'; readonly operand: Operand }
  );

/** A string: its bytes, which may be no UTF-8 (`"\xff"`), as well as its text. */
export interface QuotedText extends Span {
  readonly kind: 'string';
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly isRaw: boolean;
  /** The column of each unit of `text`; only where they do not simply follow each other. */
  readonly columns: readonly number[];
  /** As it is written, quotes included. */
  readonly source: string;
}
